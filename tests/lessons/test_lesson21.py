"""The numbers that lesson 21 states."""

import itertools
import math
from pathlib import Path

import pytest
import torch

from curriculum.data_names import OFFLINE_DIGITS
from curriculum.table import Table
from lessons import lesson21_limits as lesson
from lessons.lesson11_training import accuracy
from lessons.lesson17_mnist import MLP, SIZES, TorchMLP
from tests.support.lessons import shown
from tests.support.recorded import recorded

pytestmark = pytest.mark.slow


@pytest.fixture
def on_mnist(mnist_dir: Path) -> None:
    """The text's numbers are MNIST's."""
    if lesson.trained()[0].name == OFFLINE_DIGITS:
        pytest.skip("the lesson was trained on the offline digits earlier in this session")


@pytest.mark.idea("D17")
def test_nudges_that_agree_add_up_and_random_ones_cancel() -> None:
    assert 0.02 < lesson.trained()[1].params["0.weight"].abs().mean().item() < 0.025
    assert round(784 * 0.1 * 0.02, 1) == 1.6
    assert round(math.sqrt(784) * 0.1 * 0.02, 2) == 0.06
    signs = 2.0 * torch.randint(2, (2000, 784), generator=torch.Generator().manual_seed(0)) - 1
    assert signs.sum(1).square().mean().sqrt().item() == pytest.approx(28, rel=0.05)


@pytest.mark.idea("D17")
def test_the_sign_of_no_slope_is_zero() -> None:
    model = MLP((3, 4, 2), input_grad=True)
    for param in model.params.values():
        param.zero_()
    x, target = torch.ones(2, 3), torch.tensor([0, 1])
    assert torch.equal(lesson.uphill(model, x, target), torch.zeros(2, 3))
    assert torch.equal(lesson.fgsm(model, x, target, 0.5, (0.0, 2.0)), x)


@pytest.mark.idea("D17")
@pytest.mark.parametrize("eps", [0.03, 0.1, 0.3])
def test_altered_pictures_stay_within_epsilon_and_are_pictures(eps: float) -> None:
    data, _ = lesson.trained()
    for name, x in lesson.altered(eps, 200).items():
        pixels, original = (side * data.std + data.mean for side in (x, data.val.x[:200]))
        assert -1e-6 < pixels.min().item() < pixels.max().item() < 1 + 1e-6, name
        assert (pixels - original).abs().max().item() == pytest.approx(eps, abs=1e-5), name


@pytest.mark.idea("D17")
def test_chosen_signs_ruin_the_answers_and_random_ones_do_not() -> None:
    found = {name: dict(zip(lesson.EPSILONS, v, strict=True)) for name, v in lesson.attacks().items()}
    for values in found.values():
        assert values[0.0] == found["PGD"][0.0] > 0.95
    assert found["PGD"][0.1] < found["FGSM"][0.1] < 0.5 < 0.9 < found["random signs"][0.1]
    assert found["PGD"][0.2] <= 0.01, "next to nothing"
    assert found["PGD"][0.3] == 0
    assert found["random signs"][0.2] > 0.85


@pytest.mark.idea("D17")
def test_signs_of_the_gradient_on_mnist(on_mnist: None) -> None:
    found = {name: dict(zip(lesson.EPSILONS, v, strict=True)) for name, v in lesson.attacks().items()}
    assert found["PGD"][0.0] == pytest.approx(0.97, abs=0.01)
    recorded("lesson21", "right after PGD of 8/255", found["PGD"][8 / 255], room=0.02)
    recorded("lesson21", "right after FGSM of 0.1", found["FGSM"][0.1], room=0.03)
    recorded("lesson21", "right after PGD of 0.1", found["PGD"][0.1], room=0.03)
    recorded("lesson21", "right after random signs of 0.2", found["random signs"][0.2], room=0.015)


@pytest.mark.idea("D18")
def test_more_examples_read_better() -> None:
    means = [sum(values) / 2 for values in lesson.few_examples().values()]
    assert means == sorted(means)
    assert means[-1] - means[0] > 0.1


@pytest.mark.idea("D18")
def test_more_examples_read_better_on_mnist(on_mnist: None) -> None:
    means = {count: sum(values) / 2 for count, values in lesson.few_examples().items()}
    assert list(means) == [64, 256, 1024, 4096, 16384, 49152]
    assert means[64] == pytest.approx(0.68, abs=0.03)
    assert means[4096] == pytest.approx(0.94, abs=0.01)
    assert means[49152] == pytest.approx(0.96, abs=0.01)
    assert 3 * math.ceil(50_000 / 64) == 2346, "lesson 17's steps"


@pytest.mark.idea("D19")
def test_a_small_shift_or_turn_loses_most_answers() -> None:
    data, model = lesson.trained()
    still = accuracy(model.forward(data.val.x[:1000]), data.val.target[:1000])
    assert lesson.moved(0, 0) == pytest.approx(still, abs=1e-3)
    shifted = [lesson.moved(shift, 0) for shift in range(5)]
    assert shifted == sorted(shifted, reverse=True)
    assert shifted[4] < 0.5
    assert lesson.moved(0, 45) < 0.6 < 0.9 < lesson.moved(0, 10)


@pytest.mark.idea("D19")
def test_shifts_and_turns_on_mnist(on_mnist: None) -> None:
    recorded("lesson21", "lost by a shift of 2", lesson.moved(0, 0) - lesson.moved(2, 0), room=0.03)
    recorded("lesson21", "right after a shift of 4", lesson.moved(4, 0), room=0.03)
    assert lesson.moved(0, 0) - lesson.moved(0, 10) < 0.03
    recorded("lesson21", "right after a turn of 45°", lesson.moved(0, 45), room=0.03)


@pytest.mark.idea("D19")
def test_another_handwriting_is_read_less_well(on_mnist: None) -> None:
    table = shown(lesson.another_handwriting)
    assert isinstance(table, Table)
    home, abroad, ones = (float(row[2].rstrip("%")) for row in table.rows)
    assert home == pytest.approx(98, abs=1)
    recorded("lesson21", "right abroad, %", abroad, room=3)
    recorded("lesson21", "of the ones abroad, %", ones, room=10)
    assert ones < abroad - 25
    assert table.rows[1][1] == 1797


@pytest.mark.idea("D20")
@pytest.mark.parametrize("sizes", [SIZES, (784, 8, 10), (5, 3), (6, 5, 4, 3, 2)])
def test_operations_are_those_that_pytorch_counts(sizes: tuple[int, ...]) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model = TorchMLP(sizes)
    with FlopCounterMode(display=False) as counter:
        y = model(torch.ones(1, sizes[0]))
        read = counter.get_total_flops()
        y.sum().backward()
    assert lesson.operations(sizes) == (read, counter.get_total_flops())


@pytest.mark.idea("D20")
def test_twice_the_width_is_twice_the_work_and_gains_shrink() -> None:
    rows = lesson.widths()
    for (_, _, before, _), (_, _, work, _) in itertools.pairwise(rows):
        assert work == pytest.approx(2 * before)
    right = {width: value for width, value, _, _ in rows}
    assert right[64] - right[8] > 4 * (right[512] - right[64])
    assert all(seconds > 0 for *_, seconds in rows)


@pytest.mark.idea("D20")
def test_wider_networks_on_mnist(on_mnist: None) -> None:
    right = {width: value for width, value, _, _ in lesson.widths()}
    assert right[64] - right[8] == pytest.approx(0.04, abs=0.01)
    assert 0 < right[512] - right[64] < 0.01
