"""The numbers that lesson 21 states."""

import math
from typing import Any

import pytest
import torch

from curriculum.data import load
from curriculum.data_names import OFFLINE_DIGITS
from curriculum.table import Table
from lessons import lesson21_limits as lesson
from lessons.lesson11_training import accuracy
from lessons.lesson17_mnist import MLP, SIZES, TorchMLP
from tests.support.lessons import shown, ys

pytestmark = pytest.mark.slow

SEEDS = range(5)


@pytest.fixture
def on_mnist() -> None:
    """The text's numbers are MNIST's."""
    if lesson.trained()[0].name == OFFLINE_DIGITS:
        pytest.skip("needs MNIST")


@pytest.fixture
def on_scans(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The lesson as it is without MNIST."""
    kept = (lesson.trained, lesson.remedied, lesson.torch_moved_pictures, lesson.abroad, lesson.from_few)
    digits = load("digits")
    monkeypatch.setattr(lesson.lesson17, "data_set", lambda: digits)
    for function in (*kept, lesson.lesson17._by_hand):
        function.cache_clear()
    yield
    for function in (*kept, lesson.lesson17._by_hand):
        function.cache_clear()


def cells(table: Any) -> dict[str, dict[str, float]]:
    """Row → column → number."""
    assert isinstance(table, Table)
    return {
        row[0]: {c: float(str(v).rstrip("%")) for c, v in zip(table.columns[1:], row[1:], strict=True)}
        for row in table.rows
    }


# ---------------------------------------------------------------- attacks


@pytest.mark.idea("D17")
def test_nudges_that_agree_add_up_and_random_ones_cancel() -> None:
    assert 0.02 < lesson.trained()[1].params["0.weight"].abs().mean().item() < 0.026
    assert round(784 * 0.1 * 0.02, 1) == 1.6
    assert round(28 * 0.1 * 0.02, 2) == 0.06
    assert math.sqrt(784) == 28
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
    for name in ("random signs", "FGSM", "PGD"):
        assert found[name][0.0] == found["PGD"][0.0] > 0.95
    assert found["PGD"][0.1] < found["FGSM"][0.1] < 0.5 < 0.9 < found["random signs"][0.1]
    assert found["PGD"][0.2] <= 0.01, "next to nothing"
    assert found["PGD"][0.3] == 0
    assert found["random signs"][0.2] > 0.85
    mended = found["PGD, after training on FGSM"]
    assert mended[0.1] > found["PGD"][0.1] + 0.25
    assert mended[0.3] < 0.02
    lines = shown(lesson.accuracy_against_epsilon).axes[0].lines[:4]
    for line, values in zip(lines, lesson.attacks().values(), strict=True):
        assert ys(line).tolist() == pytest.approx([100 * value for value in values])


@pytest.mark.idea("D17")
def test_signs_of_the_gradient_on_mnist(on_mnist: None) -> None:
    for seed in SEEDS:
        model = lesson.trained(seed)[1]
        small, middle, large = (lesson.under_attack(model, eps) for eps in (8 / 255, 0.1, 0.2))
        assert small["PGD"] == pytest.approx(0.884, abs=0.015), seed
        assert middle["PGD"] == pytest.approx(0.22, abs=0.025), seed
        assert middle["FGSM"] == pytest.approx(0.36, abs=0.03), seed
        assert large["PGD"] <= 0.005, seed
        assert large["random signs"] == pytest.approx(0.956, abs=0.01), seed


@pytest.mark.idea("D17")
def test_training_on_attacked_pictures_helps_and_on_random_signs_does_not(on_mnist: None) -> None:
    for seed in SEEDS:
        noise, plain, model = (lesson.remedied(name, seed) for name in ("random signs", "plain", "attacked"))
        loud = lesson.remedied("random signs", seed, eps=0.3)
        assert lesson.under_pgd(noise, 0.1) == pytest.approx(0.24, abs=0.02)
        assert lesson.under_pgd(loud, 0.1) == pytest.approx(0.37, abs=0.02)
        assert lesson.under_pgd(plain, 0.1) == pytest.approx(0.205, abs=0.02)
        assert lesson.under_pgd(model, 0.1) == pytest.approx(0.69, abs=0.02)
        assert lesson.under_pgd(model, 0.2) == pytest.approx(0.11, abs=0.02)
        assert lesson.under_pgd(model, 0.3) < 0.01
        val = lesson.trained()[0].val
        right = [accuracy(side.forward(val.x), val.target) for side in (plain, model)]
        assert right == pytest.approx([0.977, 0.97], abs=0.0035)


@pytest.mark.idea("D17")
def test_other_rates_and_a_stronger_attack_say_the_same(on_mnist: None) -> None:
    val = lesson.trained()[0].val
    for lr in (0.05, 0.4):
        attacked = lesson.remedied("attacked", 0, lr)
        left = lesson.under_pgd(attacked, 0.1)
        cost = 0.9765 - accuracy(attacked.forward(val.x), val.target)
        if lr == 0.05:
            assert left == pytest.approx(0.65, abs=0.03)
            assert cost == pytest.approx(0.008, abs=0.01)
        else:
            assert cost > 0.015
        shifted = lesson.on_everything(lesson.remedied("shifted", 0, lr))
        assert shifted[1] < 0.16
        assert shifted[3] < 0.705
        assert shifted[4] < 0.7
    data, model = lesson.trained()[0], lesson.remedied("attacked")
    unit, box = lesson.scale(data)
    x, target = data.val.x[:1000], data.val.target[:1000]
    stands = torch.ones(1000, dtype=torch.bool)
    for seed in range(3):
        noise = 2 * torch.rand(x.shape, generator=torch.Generator().manual_seed(seed)) - 1
        moved = (x + 0.1 * unit * noise).clamp(*box)
        for _ in range(40):
            moved = lesson.fgsm(model, moved, target, 0.01 * unit, box)
            moved = moved.clamp(x - 0.1 * unit, x + 0.1 * unit)
        stands &= model.forward(moved).argmax(1) == target
    lost = lesson.under_pgd(model, 0.1) - stands.double().mean().item()
    assert 0 <= lost < 0.03


@pytest.mark.idea("D17")
@pytest.mark.parametrize("seed", [0, 1])
def test_ten_times_as_long_mends_the_price_of_one_remedy_and_not_of_the_other(
    on_mnist: None, seed: int
) -> None:
    attacked = lesson.on_everything(lesson.remedied("attacked", seed, epochs=10))
    assert attacked[:2] == pytest.approx((0.978, 0.822), abs=0.015)
    before = lesson.on_everything(lesson.trained(seed)[1])
    assert attacked[2] > before[2]
    assert attacked[3] > before[3]
    assert attacked[4] > before[4] - 0.01
    shifted = lesson.on_everything(lesson.remedied("shifted", seed, epochs=10))
    assert shifted[1] == pytest.approx(0.077, abs=0.02)
    assert shifted[3:] == pytest.approx((0.738, 0.73), abs=0.03)


@pytest.mark.idea("D17")
def test_loud_logits_blind_the_attacker_and_nothing_more() -> None:
    found = cells(shown(lesson.a_blinded_attacker))
    first, loud = found["as trained"], found["logits times 1,000"]
    assert loud["FGSM on it"] > 90 > 45 > first["FGSM on it"]
    assert loud["PGD on it"] > 90
    assert loud["PGD on the first"] == pytest.approx(first["PGD on the first"], abs=0.2)
    assert loud["no slope at all"] > 90
    assert first["no slope at all"] < 1
    x = lesson.trained()[0].val.x[:1000]
    answers = [model.forward(x).argmax(1) for model in (lesson.trained()[1], lesson.loud())]
    assert torch.equal(*answers)


# ---------------------------------------------------------------- few examples


def test_moved_copies_are_the_picture_elsewhere() -> None:
    x = torch.zeros(1, 28, 28)
    x[0, 10, 12] = 1.0
    seen = set()
    for seed in range(60):
        y = lesson.shifted(x.view(1, 784), torch.Generator().manual_seed(seed), 1).view(28, 28)
        assert y.sum() == 1
        seen.add(tuple((y == 1).nonzero()[0].tolist()))
    assert seen == {(row, column) for row in (9, 10, 11) for column in (11, 12, 13)}


def test_stretched_copies_stay_on_their_scale() -> None:
    x = lesson.trained()[0].val.x[:50]
    y = lesson.stretched(x, torch.Generator().manual_seed(0))
    assert y.shape == x.shape
    assert x.min() - 1e-5 <= y.min() < y.max() <= x.max() + 1e-5
    assert not torch.equal(x, y)


@pytest.mark.idea("D18")
def test_more_examples_read_better() -> None:
    plain = list(lesson.few_examples(0).values())
    assert plain == sorted(plain)
    assert plain[-1] - plain[0] > 0.1


@pytest.mark.idea("D18")
def test_more_examples_read_better_on_mnist(on_mnist: None) -> None:
    ranges = {
        (64, 0): (0.675, 0.715),
        (64, 1): (0.715, 0.756),
        (1024, 0): (0.896, 0.906),
        (1024, 1): (0.918, 0.929),
        (4096, 0): (0.923, 0.93),
    }
    for (count, reach), (low, high) in ranges.items():
        found = [lesson.from_few(count, reach, seed) for seed in SEEDS]
        assert low - 0.012 < min(found) <= max(found) < high + 0.012, (count, reach)


# ---------------------------------------------------------------- a step to the side, another hand


@pytest.mark.idea("D19")
def test_a_small_shift_or_turn_loses_most_answers() -> None:
    data, model = lesson.trained()
    still = accuracy(model.forward(data.val.x[:1000]), data.val.target[:1000])
    assert lesson.moved(0, 0) == pytest.approx(still, abs=1e-3)
    shifted = [lesson.moved(shift, 0) for shift in range(6)]
    assert shifted == sorted(shifted, reverse=True)
    assert shifted[4] < 0.5
    assert lesson.moved(0, 45) < 0.6 < 0.9 < lesson.moved(0, 10)
    mended = lesson.remedied("shifted")
    assert lesson.moved(2, 0, mended) > lesson.moved(2, 0) + 0.1
    assert lesson.moved(0, 45, mended) < lesson.moved(0, 45)


@pytest.mark.idea("D19")
def test_shifts_and_turns_on_mnist(on_mnist: None) -> None:
    wanted = {"as trained": (0.766, 0.267, 0.451), "shifted": (0.928, 0.735, 0.381)}
    for name, numbers in wanted.items():
        for seed in SEEDS:
            model = lesson.trained(seed)[1] if name == "as trained" else lesson.remedied(name, seed)
            found = [lesson.moved(*way, model) for way in ((2, 0), (4, 0), (0, 45))]
            assert found == pytest.approx(numbers, abs=0.025), (name, seed)


@pytest.mark.idea("D19")
def test_another_handwriting_is_read_less_well(on_mnist: None) -> None:
    found = cells(shown(lesson.another_handwriting))
    other = lesson.abroad()
    assert other is not None
    assert len(other.x) == 1797
    assert found["MNIST"]["as trained"] == pytest.approx(98, abs=1)
    assert found["scikit-learn digits"]["as trained"] == pytest.approx(80, abs=3.5)
    for column in ("as trained", "plain"):
        assert found["its ones"][column] < found["scikit-learn digits"][column] - 25
    ones = other.target == 1
    for seed in SEEDS:
        before, plain, model = (
            lesson.trained(seed)[1],
            lesson.remedied("plain", seed),
            lesson.remedied("stretched", seed),
        )
        read, longer, gain = (
            accuracy(side.forward(other.x), other.target) for side in (before, plain, model)
        )
        assert abs(longer - read) < 0.02
        assert gain == pytest.approx(0.82, abs=0.03)
        assert gain > longer + 0.01
        of_ones = [accuracy(side.forward(other.x[ones]), other.target[ones]) for side in (before, model)]
        assert of_ones == pytest.approx([0.27, 0.385], abs=0.065)
        assert of_ones[1] > of_ones[0]


@pytest.mark.idea("D19")
def test_a_remedy_for_one_failure_can_make_another_worse(on_mnist: None) -> None:
    found = cells(shown(lesson.every_remedy_beside_every_failure))
    assert list(found) == ["as trained", *lesson.REMEDIES]
    for seed in SEEDS:
        before = lesson.on_everything(lesson.trained(seed)[1])
        shifted = lesson.on_everything(lesson.remedied("shifted", seed))
        attacked = lesson.on_everything(lesson.remedied("attacked", seed))
        assert shifted[1] == pytest.approx(0.096, abs=0.02)
        assert before[1] - shifted[1] > 0.1
        assert shifted[3] == pytest.approx(0.695, abs=0.03)
        assert before[3] - shifted[3] > 0.02
        assert shifted[4] == pytest.approx(0.705, abs=0.045)
        assert before[4] - shifted[4] > 0.05
        assert 0 < attacked[3] - before[3] < 0.04
        assert 0.015 < before[4] - attacked[4] < 0.065
        assert shifted[0] == pytest.approx(0.964, abs=0.004)
        for name in ("plain", "random signs"):
            same = lesson.on_everything(lesson.remedied(name, seed))
            assert same == pytest.approx(before, abs=0.035), name


def test_the_scans_say_the_same_of_attacks_and_shifts(on_scans: None) -> None:
    assert isinstance(lesson.another_handwriting(), str)
    for seed in SEEDS:
        before = lesson.on_everything(lesson.trained(seed)[1])
        attacked = lesson.on_everything(lesson.remedied("attacked", seed))
        shifted = lesson.on_everything(lesson.remedied("shifted", seed))
        assert len(before) == 4
        assert before[1] == pytest.approx(0.115, abs=0.03)
        assert attacked[1] == pytest.approx(0.48, abs=0.025)
        assert shifted[1] < 0.04
        assert shifted[2] > before[2] + 0.2


# ---------------------------------------------------------------- bigger is better


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
    for width, _, work, _ in rows:
        assert work == pytest.approx(width / 8 * rows[0][2])
    right = {width: value for width, value, _, _ in rows}
    assert right[64] - right[8] > 4 * (right[512] - right[64])
    assert all(seconds > 0 for *_, seconds in rows)


@pytest.mark.idea("D20")
def test_wider_networks_on_mnist(on_mnist: None) -> None:
    for seed in SEEDS:
        right = {width: lesson.right_of(lesson.of_width(width, seed)[0]) for width in (8, 64, 512)}
        assert right[64] - right[8] == pytest.approx(0.043, abs=0.013)
        assert 0 < right[512] - right[64] < 0.015
        assert abs(right[512] - lesson.pruned(0.5, seed=seed)) <= 0.006
        assert 0.005 < right[512] - lesson.pruned(0.8, seed=seed) < 0.025
        assert 0.86 < lesson.pruned(0.9, seed=seed) < right[64] - 0.008
        assert 0.4 < lesson.pruned(0.5, True, seed) < 0.72
        small, longer = (lesson.right_of(lesson.of_width(51, seed, times)[0]) for times in (1, 2))
        assert lesson.pruned(0.9, seed=seed) < small - 0.005
        assert small == pytest.approx(0.926, abs=0.008)
        again = lesson.pruned(0.9, seed=seed, retrained=True)
        assert again == pytest.approx(0.925, abs=0.008)
        assert longer == pytest.approx(0.943, abs=0.008)
        assert longer > again + 0.007


@pytest.mark.idea("D20")
def test_pruning_keeps_the_largest_weights() -> None:
    assert lesson.pruned(0.5) > lesson.pruned(0.98) + 0.1
    assert lesson.pruned(0.9) > lesson.pruned(0.9, by_chance=True) + 0.3
    kept = 0.1 * 794 * 512
    assert round(kept / 794) == 51
