"""The numbers that lesson 14 states, and the compositions that are too long for its text."""

import functools
import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from curriculum.data import load
from curriculum.pair import Case, Pair, compare, layer_pair, training_pair
from lessons import lesson14_depth as lesson
from lessons.lesson04_layers import Linear
from lessons.lesson05_losses import CrossEntropyLoss
from lessons.lesson07_descent import SGD
from lessons.lesson11_training import train_step
from tests.support.lessons import shown

NORMS = [(lesson.BatchNorm1d, nn.BatchNorm1d), (lesson.LayerNorm, nn.LayerNorm)]


def torch_deep(norm: Any, sizes: tuple[int, int, int], depth: int = 10) -> nn.Sequential:
    """The lesson's `deep` with norm and residual connections, in PyTorch, under the same names."""
    n_in, width, n_out = sizes
    blocks = [nn.Sequential(nn.Linear(width, width), norm(width), nn.ReLU()) for _ in range(depth - 2)]
    return nn.Sequential(nn.Linear(n_in, width), *map(lesson.TorchResidual, blocks), nn.Linear(width, n_out))


def problems(pair: Pair) -> list[Any]:
    differences = compare(pair)
    assert differences
    return [difference for difference in differences if difference.problem]


def norms(name: str) -> list[float]:
    return [grad.norm().item() for grad in lesson.first_gradients(name)]


# ---------------------------------------------------------------- D13: vanish and explode


@pytest.mark.idea("D13")
def test_sigmoid_gradients_vanish_and_do_not_grow() -> None:
    lengths = norms("sigmoid, default start")
    assert len(lengths) == 50
    assert lengths[49] == pytest.approx(0.4, abs=0.05)
    assert lengths[0] == pytest.approx(2e-41, rel=0.2)
    tens = lengths[9::10]  # layers 10, 20, 30, 40, 50
    assert all(deep < 1e-6 * shallow for deep, shallow in pairwise(tens))


@pytest.mark.idea("D13")
def test_the_first_sigmoid_gradients_are_too_small_for_float32() -> None:
    """Why the lesson measures in float64: below 10⁻³⁸ float32 loses digits."""
    first = lesson.first_gradients("sigmoid, default start")[0]
    assert first.dtype == torch.float64
    assert 0 < first.abs().max() < torch.finfo(torch.float32).tiny == pytest.approx(1.2e-38, rel=0.1)


@pytest.mark.idea("D13")
def test_the_shares_in_the_text() -> None:
    assert f"{0.25**48:.0e}" == "1e-29"
    assert f"{math.sqrt((1 / 6) ** 48):.0e}" == "2e-19"
    assert norms("ReLU, default start")[0] < 1e-17  # the shares are rough, the gradient agrees in size


@pytest.mark.idea("D13")
def test_a_badly_scaled_start_explodes() -> None:
    assert all(1e30 < length < 1e32 for length in norms("ReLU, weights around ±1"))


@pytest.mark.idea("D13")
def test_sigmoid_gradients_grow_only_with_huge_weights() -> None:
    huge = norms("sigmoid, weights around ±5")
    assert max(huge[:10]) > 1e4 * huge[49]
    default = Linear(32, 32).params["weight"].std().item()
    assert 5 / default == pytest.approx(50, rel=0.1)
    x = load("digits").train.x[:128]
    model = lesson.deep(**lesson.RECIPES["sigmoid, weights around ±5"])
    for layer in model.layers[:20]:
        x = layer.forward(x)
    assert ((x < 0.05) | (x > 0.95)).float().mean() > 0.7  # near 0 or 1


@pytest.mark.idea("D13")
def test_kaiming_keeps_the_gradient_and_batch_norm_alone_makes_it_grow() -> None:
    assert all(0.1 < length < 100 for length in norms("ReLU, Kaiming"))
    batch_norm = norms("… + batch norm")
    assert 3e3 < batch_norm[0] < 3e4
    tens = batch_norm[9::10]
    assert all(deep > shallow for deep, shallow in pairwise(tens[:-1]))


@pytest.mark.idea("D13")
def test_kaiming_keeps_the_size_of_the_numbers_and_the_default_start_does_not() -> None:
    """mean(z²) from layer to layer, in a wide network: factor 1 with Kaiming, 1/6 without."""
    generator = torch.Generator().manual_seed(1)  # not the seed of the weights: the same draws would agree
    x = torch.randn(200, 1000, generator=generator)
    factors = []
    for init in (lesson.kaiming_normal_, lambda weight: lesson.kaiming_uniform_(weight, math.sqrt(5))):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            weight = init(torch.empty(1000, 1000))
        factors.append(((x.clamp(min=0) @ weight.T) ** 2).mean().item() / (x**2).mean().item())
    assert factors == pytest.approx([1, 1 / 6], rel=0.15)


# ---------------------------------------------------------------- D14: what makes 50 layers learn


@pytest.mark.idea("D14")
def test_norm_and_residual_together_learn_and_nothing_less_does() -> None:
    names = [row[0] for row in shown(lesson.tricks_at_depth_50).rows]
    assert len(names) == 8
    for name in names:
        right = [lesson.trained(name, seed)[1] for seed in range(3)]
        if name in ("… + batch norm + residual", "… + layer norm + residual"):
            assert sum(right) / 3 > 0.85, name
            assert min(right) > 0.7, name
        else:
            assert max(right) < 0.35, name
    assert math.isnan(lesson.trained("… + residual, no norm", 0)[0])


@pytest.mark.idea("D14")
def test_without_norm_sums_reach_10_to_the_12_and_overflow_after_one_step() -> None:
    x, target = (part[:64] for part in lesson.digits().train)
    model = lesson.deep(**lesson.RECIPES["… + residual, no norm"])
    assert 1e12 < model.forward(x).abs().max() < 1e13
    optimizer = SGD(model.params, 0.02)
    first, second = (train_step(model, CrossEntropyLoss(), optimizer, x, target) for _ in range(2))
    assert first.isfinite()
    assert second.isnan()


@pytest.mark.idea("D14")
@pytest.mark.parametrize("name", ["xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(32, 784), (1, 7), (64, 3)])
def test_first_weights_equal_torch_bit_by_bit(name: str, dtype: torch.dtype, shape: tuple[int, int]) -> None:
    drawn: list[Tensor] = []
    options: tuple[dict[str, float], ...] = ({}, {"gain": 1.7} if "xavier" in name else {"a": 0.3})
    for chosen in options:
        for side in (lesson, nn.init):
            with torch.random.fork_rng():
                torch.manual_seed(3)
                weight = torch.empty(shape, dtype=dtype)
                assert getattr(side, name)(weight, **chosen) is weight
                drawn.append(weight)
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[2], drawn[3])
    assert not torch.equal(drawn[0], drawn[2])


@pytest.mark.idea("D14")
def test_the_default_start_is_kaiming_with_a_slope() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        reference = nn.Linear(20, 30).weight
        torch.manual_seed(0)
        ours = lesson.kaiming_uniform_(torch.empty(30, 20), a=math.sqrt(5))
    assert torch.equal(ours, reference)


@pytest.mark.idea("D14")
@pytest.mark.parametrize(("ours", "theirs"), NORMS)
def test_ten_layers_of_everything_agree(ours: Any, theirs: Any) -> None:
    pair = layer_pair(
        "ten layers",
        lambda case: lesson.deep(norm=ours, residual=True, sizes=(case.n_in, 5, case.n_out), depth=10),
        lambda case: torch_deep(theirs, (case.n_in, 5, case.n_out)),
        lesson.several,
    )
    assert problems(pair) == []


@pytest.mark.idea("D14")
@pytest.mark.parametrize(("ours", "theirs"), NORMS)
def test_training_a_residual_net_agrees(ours: Any, theirs: Any) -> None:
    """Ten steps of ten layers on digits: every loss, and every parameter and buffer at the end."""

    def batches() -> Any:
        x, target = load("digits").train
        return zip(x[:320].split(32), target[:320].split(32), strict=True)

    def start() -> lesson.Stack:
        return lesson.deep(norm=ours, residual=True, depth=10)

    def kept(layers: Any) -> dict[str, Tensor]:
        """The buffers of the norms, named as in torch."""
        blocks = [
            (i, layer.layers[0]) for i, layer in enumerate(layers) if isinstance(layer, lesson.Residual)
        ]
        named = [(i, getattr(block.layers[1], "buffers", {})) for i, block in blocks]
        return {f"{i}.block.1.{key}": value for i, buffers in named for key, value in buffers.items()}

    def scratch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
        model = start()
        step = functools.partial(train_step, model, CrossEntropyLoss(), SGD(model.params, 0.02))
        return [step(*batch).item() for batch in batches()], model.params | kept(model.layers)

    def reference(case: Case) -> tuple[list[float], dict[str, Tensor]]:
        model, losses = torch_deep(theirs, (784, 32, 10)), []
        model.load_state_dict(start().params, strict=False)
        optimizer = torch.optim.SGD(model.parameters(), 0.02)
        for x, target in batches():
            loss = nn.functional.cross_entropy(model(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses, model.state_dict()

    pair = training_pair("residual net", scratch, reference)
    assert problems(pair) == []
    assert len(compare(pair)) > 40


@pytest.mark.idea("D14")
def test_the_running_variance_is_the_one_over_n_minus_1() -> None:
    layer = lesson.BatchNorm1d(1, momentum=1.0)
    y = layer.forward(torch.tensor([[1.0], [2.0], [6.0]]))
    assert layer.buffers["running_mean"].item() == pytest.approx(3)
    assert layer.buffers["running_var"].item() == pytest.approx(7)
    assert (y**2).mean().item() == pytest.approx(1, abs=1e-4)  # while the output is divided by √(14/3)
    assert layer.buffers["num_batches_tracked"].item() == 1


@pytest.mark.idea("D14")
def test_one_example_raises_in_training_as_in_torch() -> None:
    x = torch.ones(1, 3)
    layer, reference = lesson.BatchNorm1d(3), nn.BatchNorm1d(3)
    with pytest.raises(ValueError, match="2 examples or more, got 1"):
        layer.forward(x)
    with pytest.raises(ValueError, match="more than 1 value"):
        reference(x)
    assert layer.buffers["num_batches_tracked"].item() == 0
    layer.eval()
    assert torch.equal(layer.forward(x), reference.eval()(x))


@pytest.mark.idea("D14")
def test_modes_reach_every_layer() -> None:
    model = lesson.deep(norm=lesson.BatchNorm1d, residual=True, sizes=(4, 5, 3), depth=5)
    normed = [layer.layers[0].layers[1] for layer in model.layers[1:-1]]
    assert [layer.training for layer in normed] == [True] * 3
    model.eval()
    assert [layer.training for layer in (model, *normed)] == [False] * 4
    before = [layer.buffers["running_mean"].clone() for layer in normed]
    model.forward(torch.randn(6, 4, generator=torch.Generator().manual_seed(0)))
    assert all(torch.equal(a, b.buffers["running_mean"]) for a, b in zip(before, normed, strict=True))
    model.train()
    assert [layer.training for layer in normed] == [True] * 3


@pytest.mark.idea("D14")
def test_layer_norm_ignores_the_neighbours_and_batch_norm_does_not() -> None:
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for norm, same in ((lesson.LayerNorm, True), (lesson.BatchNorm1d, False)):
        with Case().defaults():
            alone, among = norm(6).forward(x[:2]), norm(6).forward(x)[:2]
        assert torch.allclose(alone, among) is same
