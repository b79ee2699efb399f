"""The numbers that lesson 15 states, and the compositions that are too long for its text."""

import functools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from curriculum.data import load
from curriculum.pair import Case, Pair, compare, layer_pair, training_pair
from lessons import lesson15_normalization as lesson
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import SGD
from lessons.lesson11_training import accuracy, fit, train_step
from lessons.lesson12_optimizers import Adam
from tests.support.lessons import shown

NORMS = [(lesson.BatchNorm1d, nn.BatchNorm1d), (lesson.LayerNorm, nn.LayerNorm)]
FAILING = ("nothing", "batch norm", "layer norm", "way around")


def torch_deep(norm: Any, sizes: tuple[int, int, int], depth: int = 10) -> nn.Sequential:
    """The lesson's `deep` with norm and residual connections, in PyTorch, under the same names."""
    n_in, width, n_out = sizes
    blocks = [nn.Sequential(norm(width), nn.ReLU(), nn.Linear(width, width)) for _ in range(depth - 2)]
    ending = (norm(width), nn.ReLU(), nn.Linear(width, n_out))
    return nn.Sequential(nn.Linear(n_in, width), *map(lesson.TorchResidual, blocks), *ending)


def problems(pair: Pair) -> list[Any]:
    differences = compare(pair)
    assert differences
    return [difference for difference in differences if difference.problem]


# ---------------------------------------------------------------- before training


@pytest.mark.idea("D14")
def test_batch_norm_keeps_digits_apart_and_lets_gradients_grow() -> None:
    alike, lengths = lesson.watched("batch norm")
    assert max(alike[3:]) < 0.5
    assert lengths[0] > 1e4
    assert lengths[48] < 1
    assert lesson.watched("nothing")[0][24] > 0.8


@pytest.mark.idea("D14")
def test_with_a_way_around_gradients_are_even() -> None:
    for name in ("way around, blocks ÷ √50", "batch norm + way around"):
        inner = lesson.watched(name)[1][1:49]
        assert max(inner) < 10 * min(inner), name
    assert max(lesson.watched("batch norm + way around")[0][3:]) < 0.5


@pytest.mark.idea("D14")
def test_the_powers_of_a_way_around() -> None:
    assert f"{0.1**50:.0e}" == "1e-50"
    assert f"{1.1**50:.0f}" == "117"


# ---------------------------------------------------------------- D14: what makes 50 layers learn


@pytest.mark.idea("D14")
@pytest.mark.slow
def test_batch_norm_with_a_way_around_learns_at_large_rates() -> None:
    rows = {
        name: [int(cell.strip("%")) for cell in cells]
        for name, *cells in shown(lesson.what_learns_at_depth_50).rows
    }
    assert min(rows["batch norm + way around"][1:]) > 85
    assert max(max(rows[name]) for name in FAILING) < 25
    assert rows["way around, blocks ÷ √50"][0] > 70
    assert rows["way around, blocks silent"][0] > 75


@pytest.mark.slow
@pytest.mark.idea("D14")
def test_what_learns_holds_with_five_seeds() -> None:
    def found(name: str, *rates: float) -> list[float]:
        return [lesson.right(name, lr, seed) for lr in rates for seed in range(5)]

    for name in FAILING:
        assert max(found(name, *lesson.RATES)) < 0.25, name
    with_batch_norm = found("batch norm + way around", 0.1, 0.5)
    assert min(with_batch_norm) > 0.85
    assert min(found("layer norm + way around", 0.1, 0.5)) > 0.55
    scaled = found("way around, blocks ÷ √50", 0.02)
    assert min(scaled) > 0.7
    assert max(found("way around, blocks ÷ √50", 0.1)) < 0.8
    assert max(found("way around, blocks ÷ √50", 0.5)) < 0.25
    silent = found("way around, blocks silent", 0.02)
    assert min(silent) > 0.8
    assert sum(silent) > sum(scaled)
    silent_with_norm = found("batch norm + way around, blocks silent", 0.1, 0.5)
    assert 0.84 < min(silent_with_norm) <= max(silent_with_norm) < 0.99
    assert sum(silent_with_norm) > sum(with_batch_norm) - 0.1, "a point each: depth gains nothing"


def learned(name: str, make: Any, lr: float, epochs: int = 3, seed: int = 0, **change: Any) -> float:
    """Validation accuracy with another optimiser, more epochs or another network."""
    network = lesson.deep(**lesson.RECIPES[name], seed=seed, **change)
    generator = torch.Generator().manual_seed(seed)
    fit(network, CrossEntropyLoss(), make(network.params, lr), *lesson.digits().train, epochs, 64, generator)
    network.eval()
    x, target = lesson.digits().val
    return accuracy(network.forward(x), target)


@pytest.mark.slow
@pytest.mark.idea("D14")
def test_small_rates_and_adam_do_not_rescue_the_failing_rows_in_three_epochs() -> None:
    for name in FAILING:
        assert learned(name, SGD, 0.001) < 0.25, name
        assert learned(name, Adam, 0.003) < 0.3, name


@pytest.mark.slow
@pytest.mark.idea("D14")
def test_patience_helps_some_of_them() -> None:
    assert learned("nothing", Adam, 0.0003, epochs=30) > 0.75
    assert 0.3 < learned("layer norm", Adam, 0.0003, epochs=30) < 0.6
    assert learned("batch norm", Adam, 0.0003, epochs=30) < 0.2


@pytest.mark.slow
@pytest.mark.idea("D14")
def test_wider_and_shallower_networks_move_the_rows() -> None:
    wide: dict[str, Any] = {"sizes": (784, 128, 10)}
    scaled, silent = (
        learned(name, SGD, 0.02, **wide) for name in ("way around, blocks ÷ √50", "way around, blocks silent")
    )
    assert min(scaled, silent) > 0.87
    assert abs(scaled - silent) < 0.05
    assert 0.5 < learned("batch norm", SGD, 0.1, depth=20) < 0.8


@pytest.mark.idea("D14")
def test_a_way_around_vanishes_only_where_the_slope_is_minus_one() -> None:
    assert f"{0.9**50:.3f}" == "0.005"


@pytest.mark.idea("D14")
def test_without_norm_full_blocks_overflow_after_one_step() -> None:
    x, target = (part[:64] for part in lesson.digits().train)
    model = lesson.deep(**lesson.RECIPES["way around"])
    optimizer = SGD(model.params, 0.02)
    first, second = (train_step(model, CrossEntropyLoss(), optimizer, x, target) for _ in range(2))
    assert first.isfinite()
    assert second.isnan()


@pytest.mark.idea("D14")
def test_a_forgotten_eval_is_fatal_for_one_kind_of_digit() -> None:
    asked = [int(right.strip("%")) for _, right in shown(lesson.forgotten_eval).rows]
    assert asked[0] > 85
    assert asked[1] > 85
    assert asked[2] < 40


@pytest.mark.idea("D14")
@pytest.mark.parametrize(("ours", "theirs"), NORMS)
def test_ten_layers_of_everything_agree(ours: Any, theirs: Any) -> None:
    pair = layer_pair(
        "ten layers",
        lambda case: lesson.deep(norm=ours, scale=1.0, sizes=(case.n_in, 5, case.n_out), depth=10),
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
        return lesson.deep(norm=ours, scale=1.0, depth=10)

    def kept(layers: Any) -> dict[str, Tensor]:
        """The buffers of the norms, named as in torch."""
        norms = {}
        for number, layer in enumerate(layers):
            if isinstance(layer, lesson.Residual):
                norms[f"{number}.block.0"] = layer.layers[0].layers[0]
            if isinstance(layer, lesson.Norm):
                norms[f"{number}"] = layer
        named = {place: getattr(norm, "buffers", {}) for place, norm in norms.items()}
        return {f"{place}.{key}": value for place, buffers in named.items() for key, value in buffers.items()}

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
    model = lesson.deep(norm=lesson.BatchNorm1d, scale=1.0, sizes=(4, 5, 3), depth=5)
    normed = [layer.layers[0].layers[0] for layer in model.layers[1:4]]
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
