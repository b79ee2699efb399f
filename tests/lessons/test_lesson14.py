"""The numbers that lesson 14 states."""

import itertools
import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from curriculum.data import load
from curriculum.pair import Case
from lessons import lesson14_initialization as lesson
from lessons.lesson01_neuron import Sigmoid
from lessons.lesson03_activations import ReLU
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import loss_and_grads
from tests.support.lessons import shown

SEEDS = range(6)


def gradients(activation: type, init: lesson.Any, seed: int) -> list[float]:
    """The lengths of the 50 layers' gradients, in float64."""
    x, target = load("digits").train
    with Case().defaults():
        network = lesson.stack(activation, init, lesson.sizes_of(50), seed)
        grads = loss_and_grads(network, CrossEntropyLoss(), x[:128].double(), target[:128])[1]
    return [grad.norm().item() for name, grad in grads.items() if "weight" in name]


# ---------------------------------------------------------------- on paper


@pytest.mark.idea("D13")
def test_sixteen_ways_for_four_coins() -> None:
    sums = [sum(coins) / 2 for coins in itertools.product((-1, 1), repeat=4)]
    assert [sums.count(value) for value in (-2, -1, 0, 1, 2)] == [1, 4, 6, 4, 1]
    assert sum(value**2 for value in sums) / 16 == 1


@pytest.mark.idea("D13")
def test_the_powers_in_the_text() -> None:
    assert f"{0.9**50:.3f}" == "0.005"
    assert f"{1.1**50:.0f}" == "117"
    assert f"{(1 / 6) ** 24:.0e}" == "2e-19"
    assert f"{(1 / 16 / 3) ** 24 * 0.4:.1e}" == "1.8e-41"


# ---------------------------------------------------------------- D13: vanish and explode


@pytest.mark.idea("D13")
def test_sigmoid_gradients_vanish_and_do_not_grow() -> None:
    for seed in SEEDS:
        lengths = gradients(Sigmoid, None, seed)
        assert len(lengths) == 50
        assert 0.3 < lengths[49] < 0.6
        assert 1.5e-42 < lengths[0] < 1.5e-41
        tens = lengths[9::10]  # layers 10, 20, 30, 40, 50
        assert all(deep < 1e-6 * shallow for deep, shallow in pairwise(tens))


@pytest.mark.idea("D13")
def test_the_first_sigmoid_gradients_are_too_small_for_float32() -> None:
    """Why the lesson measures in float64: below 10⁻³⁸ float32 loses digits."""
    first = gradients(Sigmoid, None, 0)[0]
    assert 0 < first < torch.finfo(torch.float32).tiny == pytest.approx(1.2e-38, rel=0.1)


@pytest.mark.idea("D13")
def test_sigmoids_keep_their_size_and_lose_the_digits() -> None:
    sizes, alike, _ = lesson.watched("sigmoid, lesson 04's start")
    assert all(0.45 < size < 0.6 for size in sizes)
    assert alike[2] > 0.999


@pytest.mark.idea("D13")
def test_from_the_default_start_relu_forgets_the_digits_and_its_gradient_vanishes() -> None:
    sizes, alike, lengths = lesson.watched("ReLU, lesson 04's start")
    assert sizes[0] > 2 * max(sizes[5:])
    assert alike[9] > 0.99
    assert lengths[0] < 1e-18 < 1e-3 < lengths[49]


@pytest.mark.idea("D13")
def test_kaiming_keeps_the_gradient_within_a_factor_of_a_hundred() -> None:
    for seed in SEEDS:
        lengths = gradients(ReLU, lesson.kaiming_normal_, seed)
        assert max(lengths) < 100 * min(lengths)


@pytest.mark.idea("D13")
def test_digits_grow_alike_under_kaiming_too() -> None:
    x = load("digits").train.x[:128].double()
    for seed in SEEDS:
        with Case().defaults():
            layers = lesson.stack(ReLU, lesson.kaiming_normal_, lesson.sizes_of(50), seed).layers[:-1]
        h, alike = x, []
        for layer in layers:
            h = layer.forward(h)
            alike.append(lesson.similarity(h))
        assert 0.6 < alike[1] < 0.9
        assert 0.85 < alike[-1] <= 1.0
        assert alike[1] < alike[-1]


@pytest.mark.idea("D13")
def test_a_badly_scaled_start_explodes() -> None:
    def around_one(weight: Tensor) -> Tensor:
        return weight.normal_()

    assert all(1e28 < length < 1e34 for length in gradients(ReLU, around_one, 0))


@pytest.mark.idea("D13")
def test_sigmoid_gradients_grow_only_with_huge_weights() -> None:
    def times(factor: float) -> float:
        def start(weight: Tensor) -> Tensor:
            return weight.normal_(0, factor * (3 * weight.shape[1]) ** -0.5)

        lengths = gradients(Sigmoid, start, 0)
        return max(lengths[:10]) / lengths[49]

    assert times(10) < 1 < times(30)


@pytest.mark.idea("D13")
def test_the_default_start_leaves_a_sixth_and_kaiming_all() -> None:
    """mean(z²) from layer to layer, in a wide network."""
    generator = torch.Generator().manual_seed(1)  # not the seed of the weights: the same draws would agree
    x = torch.randn(200, 1000, generator=generator)
    factors = []
    for init in (lesson.kaiming_normal_, lambda weight: lesson.kaiming_uniform_(weight, math.sqrt(5))):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            weight = init(torch.empty(1000, 1000))
        factors.append(((x.clamp(min=0) @ weight.T) ** 2).mean().item() / (x**2).mean().item())
    assert factors == pytest.approx([1, 1 / 6], rel=0.15)


@pytest.mark.idea("D13")
def test_similarity_of_parallel_and_of_orthogonal_rows() -> None:
    assert lesson.similarity(torch.tensor([[1.0, 2.0], [2.0, 4.0]])) == pytest.approx(1)
    assert lesson.similarity(torch.tensor([[1.0, 0.0], [0.0, 3.0]])) == pytest.approx(0)


# ---------------------------------------------------------------- who learns at ten layers


@pytest.mark.slow
def test_at_ten_layers_the_start_decides_with_every_seed() -> None:
    best: dict[str, list[float]] = {}
    for name, (activation, init) in lesson.TEN_LAYERS.items():
        for seed in range(5):
            right = [lesson.learned(activation, init, lr, seed) for lr in lesson.RATES]
            best.setdefault(name, []).append(max(right))
    assert max(best["ReLU, lesson 04's start"]) < 0.2
    assert max(best["tanh, lesson 04's start"]) < 0.3
    assert 0.65 < min(best["ReLU, Kaiming"]) <= max(best["ReLU, Kaiming"]) < 0.95
    assert 0.84 < min(best["tanh, Xavier"]) <= max(best["tanh, Xavier"]) < 0.98


@pytest.mark.slow
def test_adam_makes_up_for_a_part_of_the_wrong_start() -> None:
    def found(name: str, depth: int) -> list[float]:
        activation, init = lesson.TEN_LAYERS[name]
        return [lesson.learned(activation, init, 0.001, seed, lesson.Adam, depth) for seed in range(3)]

    assert 0.3 < min(found("ReLU, lesson 04's start", 10)) <= max(found("ReLU, lesson 04's start", 10)) < 0.6
    assert (
        0.65 < min(found("tanh, lesson 04's start", 10)) <= max(found("tanh, lesson 04's start", 10)) < 0.88
    )
    for name in ("ReLU, Kaiming", "tanh, Xavier"):
        assert min(found(name, 10)) > 0.88
    for name in ("ReLU, lesson 04's start", "tanh, lesson 04's start"):
        assert max(found(name, 40)) < 0.16
    assert max(found("ReLU, Kaiming", 40)) < 0.65
    assert min(found("tanh, Xavier", 40)) > 0.7


@pytest.mark.slow
def test_at_three_layers_the_start_hardly_matters() -> None:
    for activation, init in lesson.TEN_LAYERS.values():
        for seed in range(3):
            assert max(lesson.learned(activation, init, lr, seed, depth=3) for lr in lesson.RATES) > 0.9


def test_the_table_of_ten_layers_tells_the_starts_apart() -> None:
    table = shown(lesson.ten_layers).rows
    rows = {name: [int(cell.strip("%")) for cell in cells[:3]] for name, *cells in table}
    adam = {name: int(cells[3].strip("%")) for name, *cells in table}
    assert adam["ReLU, lesson 04's start"] + 15 < adam["ReLU, Kaiming"]
    assert adam["tanh, lesson 04's start"] + 5 < adam["tanh, Xavier"]
    assert max(rows["ReLU, lesson 04's start"]) < 25 < 60 < max(rows["ReLU, Kaiming"])
    assert max(rows["tanh, lesson 04's start"]) < 35 < 60 < max(rows["tanh, Xavier"])


def test_the_forgotten_root_is_seen_three_ways() -> None:
    (_, off, size, right), (_, wrong_off, wrong_size, wrong_right) = shown(lesson.the_forgotten_root).rows
    assert (off, wrong_off > 0.5) == (0, True)
    assert wrong_size < 1e-4 < 0.1 < size
    assert int(wrong_right.strip("%")) < 25 < int(right.strip("%"))


# ---------------------------------------------------------------- equal to torch


@pytest.mark.idea("D13")
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


@pytest.mark.idea("D13")
def test_the_default_start_is_kaiming_with_a_slope() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        reference = nn.Linear(20, 30).weight
        torch.manual_seed(0)
        ours = lesson.kaiming_uniform_(torch.empty(30, 20), a=math.sqrt(5))
    assert torch.equal(ours, reference)
