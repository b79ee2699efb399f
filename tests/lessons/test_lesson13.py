"""The numbers that lesson 13 states."""

from collections.abc import Callable
from functools import cache, partial
from itertools import chain, repeat
from pathlib import Path
from statistics import mean, median
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

from curriculum.data import load
from curriculum.pair import Case, Pair, compare, function_pair
from lessons import lesson13_rates as lesson
from lessons.lesson04_layers import mlp
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import SGD
from lessons.lesson11_training import accuracy, minibatches
from lessons.lesson12_optimizers import Adam, Momentum, MomentumSGD
from tests.support.lessons import shown, xs, ys

SEEDS = range(5)
SMOOTH = ("linear", "cosine", "warm-up, cosine", "one cycle")


def problems(pair: Pair, case: Case | None = None) -> list[Any]:
    differences = compare(pair, case)
    assert differences
    return [d for d in differences if d.problem]


def moved(optimizer: Any, gradients: list[float]) -> list[float]:
    """Where a weight that starts at 0 is after each step."""
    places = []
    for gradient in gradients:
        optimizer.step({"w": torch.tensor([gradient], dtype=torch.float64)})
        places.append(optimizer.params["w"].item())
    return places


def weight(value: float = 0.0) -> dict[str, Tensor]:
    return {"w": torch.full((1,), value, dtype=torch.float64)}


# ---------------------------------------------------------------- on paper


def test_a_constant_rate_stays_off_and_a_falling_one_comes_nearer() -> None:
    def end(rates: list[float]) -> float:
        return lesson.typical_distance(rates)[-1]

    assert end([0.2] * 40) == pytest.approx(0.5, abs=0.005)
    assert pytest.approx((0.25, 0.1), abs=0.001) == (0.2 / 0.8, (0.01 / 0.99) ** 0.5)
    assert pytest.approx(0.45, abs=0.005) == 0.98**40
    assert end([lesson.linear_decay(0.2, step, 40) for step in range(40)]) == pytest.approx(0.21, abs=0.005)
    best = min((end([lr / 1000] * 40), lr / 1000) for lr in range(5, 500, 5))
    assert best == pytest.approx((0.26, 0.055), abs=0.002)


def test_the_formula_for_the_distance_is_what_many_coins_give() -> None:
    """20,000 weights, each with coins of its own."""
    coins = torch.Generator().manual_seed(0)
    w = torch.full((20_000,), 10.0)
    optimizer = SGD({"w": w}, 0.2)
    rates = [lesson.linear_decay(0.2, step, 40) for step in range(40)]
    for lr, expected in zip(rates, lesson.typical_distance(rates), strict=True):
        optimizer.lr = lr
        coin = 2.0 * torch.randint(2, (20_000,), generator=coins) - 1
        optimizer.step({"w": 2 * (w + coin)})
        assert w.square().mean().sqrt().item() == pytest.approx(expected, rel=0.02)


def test_the_figure_on_paper_has_both_panels() -> None:
    left, right = shown(lesson.far_and_near).axes
    ends = [ys(line)[-1] for line in left.lines]
    assert ends == pytest.approx([0.5, 4.46, 0.21], abs=0.01)
    assert [line.get_label() for line in right.lines] == list(lesson.SCHEDULES)
    assert all(len(ys(line)) == 114 for line in right.lines)


# ---------------------------------------------------------------- E9: schedules


def torch_rates(make: Any, steps: int, lr: float, option: str = "lr") -> Tensor:
    optimizer = optim.SGD([torch.zeros(1)], lr, momentum=0.9)
    schedule, seen = make(optimizer), []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0][option])
        optimizer.step()
        schedule.step()
    return torch.tensor(seen)


@pytest.mark.idea("E9")
@pytest.mark.parametrize("steps", [2, 3, 4, 7, 10, 100, 1000])
@pytest.mark.parametrize("lr", [1e-8, 0.1, 10.0])
def test_every_rate_of_every_schedule_is_torchs(steps: int, lr: float) -> None:
    schedulers = optim.lr_scheduler
    warm = steps // 2

    def warm_then_cosine(optimizer: Any) -> Any:
        first = schedulers.LinearLR(optimizer, 0.1, total_iters=warm)
        then = schedulers.CosineAnnealingLR(optimizer, steps - warm)
        return schedulers.SequentialLR(optimizer, [first, then], milestones=[warm])

    both: list[tuple[Any, Any]] = [
        (lambda t: lesson.linear_decay(lr, t, steps), lambda o: schedulers.PolynomialLR(o, steps)),
        (lambda t: lesson.step_decay(lr, t, 3), lambda o: schedulers.StepLR(o, 3)),
        (lambda t: lesson.step_decay(lr, t, 1, 0.9), lambda o: schedulers.StepLR(o, 1, 0.9)),
        (lambda t: lesson.cosine(lr, t, steps), lambda o: schedulers.CosineAnnealingLR(o, steps)),
        (
            lambda t: lesson.cosine(lr, t, steps, 0.01),
            lambda o: schedulers.CosineAnnealingLR(o, steps, 0.01),
        ),
        (
            lambda t: lesson.warm_up(lr, t, warm),
            lambda o: schedulers.LinearLR(o, 0.1, total_iters=warm),
        ),
        (lambda t: lesson.warm_up(lr, t, 5, 1 / 3), schedulers.LinearLR),
        (lambda t: lesson.warm_cosine(lr, t, steps, warm), warm_then_cosine),
        (lambda t: lesson.one_cycle(lr, t, steps), lambda o: schedulers.OneCycleLR(o, lr, steps)),
    ]
    for ours, theirs in both:
        pair = function_pair(
            "rates",
            lambda ours=ours: torch.tensor([ours(t) for t in range(steps)]),
            lambda theirs=theirs: torch_rates(theirs, steps, lr),
        )
        assert problems(pair) == []
        scaled = torch.tensor([ours(t) for t in range(steps)], dtype=torch.float64) / lr
        if lr == 1e-8:  # far below the absolute tolerance of a pair, so compare the shares too
            with Case().defaults():
                assert torch.allclose(scaled, torch_rates(theirs, steps, lr) / lr, rtol=1e-9, atol=1e-9)


@pytest.mark.idea("E9")
@pytest.mark.parametrize("steps", [4, 10, 190])
def test_the_momentum_of_one_cycle_is_torchs(steps: int) -> None:
    """From 0.95 to 0.85 and back: the same function, the other way round."""
    with Case().defaults():
        ours = [lesson.one_cycle(0.85, t, steps, 0.95 / 0.85, 0.95 / 0.85) for t in range(steps)]
        theirs = torch_rates(lambda o: optim.lr_scheduler.OneCycleLR(o, 0.1, steps), steps, 0.1, "momentum")
        assert torch.allclose(torch.tensor(ours), theirs, rtol=1e-12)
    if steps == 190:
        assert [ours[0], min(ours), ours[-1]] == pytest.approx([0.95, 0.85, 0.95], abs=1e-5)


@pytest.mark.idea("E9")
def test_a_run_with_one_cycle_of_rate_and_momentum_is_torchs() -> None:
    with Case().defaults():
        ours = MomentumSGD({"w": torch.ones(3)}, 0.1, momentum=0.9, nesterov=True)
        w = nn.Parameter(torch.ones(3))
        theirs = optim.SGD([w], 0.1, momentum=0.9, nesterov=True)
        schedule = optim.lr_scheduler.OneCycleLR(theirs, 0.1, 100)
        for t in range(100):
            grad = Case().tensor(f"grad {t}", 3)
            ours.lr = lesson.one_cycle(0.1, t, 100)
            ours.momentum = lesson.one_cycle(0.85, t, 100, 0.95 / 0.85, 0.95 / 0.85)
            ours.step({"w": grad})
            w.grad = grad
            theirs.step()
            schedule.step()
            assert torch.allclose(ours.params["w"], w.detach(), rtol=1e-10)


@pytest.mark.idea("E9")
def test_one_cycle_starts_peaks_and_ends_where_it_says() -> None:
    rates = [lesson.one_cycle(0.1, step, 190) for step in range(190)]
    assert rates[0] == pytest.approx(0.1 / 25)
    assert rates[56] == max(rates) == pytest.approx(0.1)
    assert rates[-1] == pytest.approx(0.1 / 250_000)


def test_linear_decay_ends_just_above_zero() -> None:
    assert [lesson.linear_decay(0.5, step, 4) for step in range(4)] == [0.5, 0.375, 0.25, 0.125]


@pytest.mark.idea("E9")
def test_stepped_once_an_epoch_the_rate_stands_still() -> None:
    right, wrong = shown(lesson.stepped_once_an_epoch).rows
    assert right[1] < 1e-4
    assert (right[2] < 1e-12, right[3]) == (True, "equal")
    assert wrong[1] == pytest.approx(0.0999, abs=5e-5)
    assert wrong[3] == "values differ"


def test_where_pytorch_differs() -> None:
    optimizer = optim.SGD([torch.zeros(1)], 0.1, momentum=0.9)
    assert optim.lr_scheduler.LinearLR(optimizer).start_factor == pytest.approx(1 / 3)
    rates = torch_rates(lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 10), 21, 0.1)
    assert rates[10].item() == pytest.approx(0, abs=1e-9)
    assert rates[20].item() == pytest.approx(0.1)
    with pytest.raises(ValueError, match="step"):
        torch_rates(lambda o: optim.lr_scheduler.OneCycleLR(o, 0.1, 10), 11, 0.1)


# ---------------------------------------------------------------- E9: what schedules bring


def shares(name: str, schedule: str, lr: float, seeds: int = 5) -> list[float]:
    return [lesson.share_right(name, schedule, lr, seed) for seed in range(seeds)]


@pytest.mark.idea("E9")
def test_data_and_steps_are_as_stated() -> None:
    data = lesson.digits("digits")
    assert (len(data.train.x), len(data.val.x), 3 * -(-1197 // 32)) == (1197, 300, lesson.STEPS)
    assert len(list(lesson.training(partial(SGD, lr=0.0), 0, [0.0] * 76))) == 76
    assert all(len(make(0.1)) == 114 for make in lesson.SCHEDULES.values())


@pytest.mark.idea("E9")
def test_a_falling_rate_gains_five_points_and_none_has_bad_luck() -> None:
    before = shares("plain descent", "constant", 10**-1.5, 8)
    assert (min(before), max(before)) == pytest.approx((0.82, 0.93), abs=0.02)
    for schedule in SMOOTH:
        assert min(lesson.gains(schedule)) > 0
        assert mean(lesson.gains(schedule)) == pytest.approx(5.4, abs=0.7)
        after = shares("plain descent", schedule, 0.1, 8)
        assert 0.93 < min(after) <= max(after) < 0.97
    assert mean(lesson.gains("step")) == pytest.approx(3, abs=0.7)
    found = [mean(lesson.gains(schedule)) for schedule in SMOOTH]
    assert max(found) - min(found) < 1, "which is best, eight starts cannot tell"


@pytest.mark.idea("E9")
def test_the_figure_shows_every_gain() -> None:
    (axis,) = shown(lesson.what_a_schedule_brings).axes
    rings = [list(xs(line)) for line in axis.lines if line.get_markerfacecolor() == "none"]
    names = [name for name in lesson.SCHEDULES if name != "constant"]
    assert rings == [lesson.gains(name) for name in names]


@pytest.mark.slow
@pytest.mark.idea("E9")
def test_each_schedule_has_its_best_rate_from_starts_that_are_not_shown() -> None:
    for name, make in lesson.SCHEDULES.items():
        right = {}
        for lr in (10**-1.5, 10**-1.25, 0.1, 10**-0.75):
            right[lr] = mean(trained(SGD, seed, make(lr)) for seed in range(10, 14))
        assert max(right, key=lambda lr: right[lr]) == (10**-1.5 if name == "constant" else 0.1), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rates", "gain"), [("momentum 0.9", range(-9, -3), 1.0), ("Adam", range(-12, -6), 0.0)]
)
def test_momentum_gains_little_from_a_falling_rate_and_adam_nothing(
    name: str, rates: range, gain: float
) -> None:
    found = {}
    for schedule in ("constant", "linear"):
        tried = {
            k: mean(lesson.share_right(name, schedule, 10 ** (k / 4), seed) for seed in range(10, 14))
            for k in rates
        }
        best = 10 ** (max(tried, key=lambda k: tried[k]) / 4)
        found[schedule] = mean(lesson.share_right(name, schedule, best, seed) for seed in range(8))
    assert 100 * (found["linear"] - found["constant"]) == pytest.approx(gain, abs=1)
    assert 0.93 < found["constant"] < 0.96


@pytest.mark.slow
def test_with_other_starts_the_gain_is_four_points() -> None:
    found = []
    for seed in range(20, 36):
        constant = lesson.share_right("plain descent", "constant", 10**-1.5, seed)
        found.append(100 * (lesson.share_right("plain descent", "linear", 0.1, seed) - constant))
    assert mean(found) == pytest.approx(3.8, abs=0.8)
    assert min(found) > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sizes", "batch", "best", "low", "high"),
    [((784, 64, 64, 64, 64, 10), 32, 10**-1.5, 1.5, 8), ((784, 64, 10), 128, 0.1, 0.1, 0.35)],
)
def test_the_finder_is_off_by_up_to_six_elsewhere(
    sizes: tuple[int, ...], batch: int, best: float, low: float, high: float
) -> None:
    """Too high where the network is deep, too low for large batches; plain descent."""
    x, target = loaded("digits").train
    for seed in range(4):
        model, generator = mlp(*sizes, seed=seed), torch.Generator().manual_seed(seed)
        optimizer, criterion, note, averaged = SGD(model.params, 0.1), CrossEntropyLoss(), 0.0, []
        batches = chain.from_iterable(minibatches(len(x), batch, generator) for _ in repeat(None))
        for step, (lr, index) in enumerate(zip(lesson.GROWING, batches, strict=False), start=1):
            optimizer.lr = lr
            loss = criterion.forward(model.forward(x[index]), target[index])
            model.backward(criterion.backward())
            optimizer.step(model.grads)
            note = 0.9 * note + 0.1 * loss.item()
            averaged.append(note / (1 - 0.9**step))
        found = lesson.GROWING[averaged.index(min(averaged))] / 10
        assert low < found / best < high


@pytest.mark.slow
def test_after_ten_epochs_the_gain_is_gone() -> None:
    steps = 380
    constant = [trained(SGD, seed, [0.1] * steps) for seed in SEEDS]
    falling = [
        trained(SGD, seed, [lesson.linear_decay(10**-0.75, step, steps) for step in range(steps)])
        for seed in SEEDS
    ]
    assert 0.945 < min(constant + falling) <= max(constant + falling) < 0.985
    assert abs(mean(constant) - mean(falling)) < 0.01


@pytest.mark.slow
@pytest.mark.parametrize(("batch", "low", "high"), [(8, 0.02, 0.05), (32, 0.02, 0.06), (128, -0.01, 0.01)])
def test_small_batches_gain_more(batch: int, low: float, high: float) -> None:
    best = {}
    for name in ("constant", "linear"):
        tried = []
        for k in range(-7, -1):
            rates = lesson.SCHEDULES[name](10 ** (k / 4))
            tried.append(mean(trained(SGD, seed, rates, batch=batch) for seed in SEEDS))
        best[name] = max(tried)
    assert low < best["linear"] - best["constant"] < high


# ---------------------------------------------------------------- E9: warm-up


@pytest.mark.idea("E9")
def test_the_first_step_of_adam_drowns_the_sums() -> None:
    x = lesson.digits("digits").train.x
    total = x.abs().sum(1).mean().item()
    assert total == pytest.approx(616, abs=1)
    assert 0.03 * total == pytest.approx(18, abs=0.5)
    for seed in SEEDS:
        start = mlp(784, 64, 10, seed=seed).layers[0].forward(x).square().mean().sqrt().item()
        assert 0.5 < start < 0.7
        model, _ = next(lesson.training(partial(Adam, lr=1.0), seed, [0.03]))
        assert model.layers[0].forward(x).square().mean().sqrt().item() > 15 * start


@pytest.mark.idea("E9")
def test_a_warm_up_saves_neurons() -> None:
    cold = [lesson.dead("cosine", 10**-1.5, seed)[-1] for seed in SEEDS]
    warm = [lesson.dead("warm-up, cosine", 10**-1.5, seed)[-1] for seed in SEEDS]
    assert mean(cold) == pytest.approx(0.9, abs=0.05)
    assert mean(warm) == pytest.approx(0.6, abs=0.07)
    assert max(warm) < min(cold)


@pytest.mark.idea("E9")
@pytest.mark.slow
def test_a_warm_up_makes_a_larger_rate_usable_and_little_more() -> None:
    cold = shares("Adam", "cosine", 10**-1.5)
    warm = shares("Adam", "warm-up, cosine", 10**-1.5)
    assert (min(cold), max(cold)) == pytest.approx((0.59, 0.86), abs=0.06)
    assert (min(warm), max(warm)) == pytest.approx((0.94, 0.96), abs=0.015)
    best = [mean(shares("Adam", schedule, 0.01)) for schedule in lesson.WARMED]
    assert 100 * (best[1] - best[0]) == pytest.approx(1.2, abs=0.7)
    assert mean(shares("Adam", "cosine", 10**-1.25)) == pytest.approx(0.23, abs=0.12)
    assert mean(shares("Adam", "warm-up, cosine", 10**-1.25)) == pytest.approx(0.93, abs=0.02)
    assert all(max(shares("Adam", schedule, 0.1)) < min(warm) for schedule in lesson.WARMED)
    assert abs(mean(lesson.gains("cosine")) - mean(lesson.gains("warm-up, cosine"))) < 1
    drawn = [list(ys(line)) for line in shown(lesson.warm_up_saves_neurons).axes[1].lines]
    assert [100 * share for share in warm] in drawn


# ---------------------------------------------------------------- E9: the first rate


@cache
def sweep(name: str) -> dict[float, list[float]]:
    """Rate → the shares of five starts, as drawn."""
    axis = shown(lesson.which_rate).axes[3 + list(lesson.CONTENDERS).index(name)]
    lines = [line for line in axis.lines if line.get_marker() == "o"]
    return {round(float(xs(line)[0]), 6): list(ys(line)) for line in lines}


def best_rate(name: str) -> float:
    return max(sweep(name), key=lambda lr: sum(sweep(name)[lr]))


@pytest.mark.idea("E9")
@pytest.mark.slow
def test_a_rate_of_0001_is_good_for_adam() -> None:
    found = sweep("Adam")
    assert [len(right) for right in found.values()] == [5] * 5
    assert [len(right) for right in sweep("plain descent").values()] == [5] * 4
    assert (min(found[0.001]), max(found[0.001])) == pytest.approx((0.905, 0.943), abs=0.015)
    assert best_rate("Adam") == 0.003162
    assert 0 < mean(found[0.003162]) - mean(found[0.001]) < 0.04, "a little better"


@pytest.mark.idea("E9")
def test_a_rate_of_01_is_near_the_edge_for_sgd() -> None:
    found = sweep("plain descent")
    assert (min(found[0.1]), max(found[0.1])) == pytest.approx((0.68, 0.96), abs=0.04)
    assert max(found[0.316228]) < 0.25
    assert best_rate("plain descent") == 0.031623


@pytest.mark.idea("E9")
def test_a_rate_of_001_is_best_with_momentum_and_01_too_much() -> None:
    found = sweep("momentum 0.9")
    assert best_rate("momentum 0.9") == 0.01
    assert max(found[0.1]) < min(found[0.01]) - 0.1


@pytest.mark.idea("E9")
@pytest.mark.parametrize("name", lesson.CONTENDERS)
def test_the_finder_comes_near_the_best(name: str) -> None:
    advice = [lesson.found_by(name, seed)[1] for seed in SEEDS]
    assert 1.5 < max(advice) / min(advice) < 3.9
    assert all(1 / 4 < found / best_rate(name) < 4 for found in advice)
    for seed in SEEDS:
        averaged, found = lesson.found_by(name, seed)
        assert len(averaged) == 100
        assert found == pytest.approx(lesson.GROWING[averaged.index(min(averaged))] / 10)
    axis = shown(lesson.which_rate).axes[list(lesson.CONTENDERS).index(name)]
    *runs, usual = axis.lines
    assert len(runs) == 5
    assert xs(usual)[0] == lesson.CONTENDERS[name].keywords["lr"]
    assert (lesson.GROWING[0], lesson.GROWING[-1]) == pytest.approx((1e-6, 10))


@pytest.mark.idea("E9")
def test_the_steepest_place_is_two_to_five_times_the_finders_advice() -> None:
    for name in lesson.CONTENDERS:
        ratios = []
        for seed in SEEDS:
            averaged, found = lesson.found_by(name, seed)
            lowest = averaged.index(min(averaged))
            slopes = {k: averaged[k + 1] - averaged[k - 1] for k in range(5, lowest)}
            steepest = min(slopes, key=lambda k: slopes[k])
            ratios.append(lesson.GROWING[steepest] / found)
        assert 1.5 < median(ratios) < 6.5, name


@pytest.mark.idea("E9")
def test_adam_does_not_see_the_scale_of_the_loss() -> None:
    gradients = [1.0, -0.5, 2.0, 0.3] * 25
    larger = [1000 * g for g in gradients]
    assert moved(Adam(weight()), larger) == pytest.approx(moved(Adam(weight()), gradients), rel=1e-5)
    sgd = moved(SGD(weight(), 0.1), gradients)
    assert moved(SGD(weight(), 0.1), larger) == pytest.approx([1000 * w for w in sgd])
    assert moved(SGD(weight(), 0.1 / 1000), larger) == pytest.approx(sgd)


# ---------------------------------------------------------------- E9: the usual rates elsewhere


def trained(
    kind: Callable[..., Any],
    seed: int,
    rates: list[float],
    sizes: tuple[int, ...] = (784, 64, 10),
    batch: int = 32,
    scale: float = 1.0,
    which: str = "digits",
) -> float:
    """The share of validation digits read rightly by a network that was trained in another setting."""
    x, target = loaded(which).train
    model, generator = mlp(*sizes, seed=seed), torch.Generator().manual_seed(seed)
    optimizer, criterion = kind(model.params, lr=rates[0]), CrossEntropyLoss()
    epochs = (minibatches(len(x), batch, generator) for _ in repeat(None))
    for lr, index in zip(rates, chain.from_iterable(epochs), strict=False):
        optimizer.lr = lr
        criterion.forward(model.forward(x[index]), target[index])
        model.backward(scale * criterion.backward())
        optimizer.step(model.grads)
    others = loaded(which).val
    return accuracy(model.forward(others.x), others.target)


loaded = cache(load)
# What is changed; per cent read rightly with Adam at 0.001, lowest and highest, and the median at the best
# half power of ten; the same for plain descent at 0.1.
SETTINGS: dict[str, tuple[dict[str, Any], tuple[int, int, int], tuple[int, int, int]]] = {
    "as above": ({}, (91, 94, 95), (68, 96, 92)),
    "16 hidden neurons": ({"sizes": (784, 16, 10)}, (77, 89, 88), (45, 93, 90)),
    "256 hidden neurons": ({"sizes": (784, 256, 10)}, (94, 96, 95), (74, 97, 94)),
    "four hidden layers of 64": ({"sizes": (784, 64, 64, 64, 64, 10)}, (85, 88, 90), (24, 74, 49)),
    "batches of 8": ({"batch": 8}, (83, 88, 88), (69, 87, 88)),
    "batches of 128": ({"batch": 128}, (95, 96, 97), (94, 96, 95)),
    "the loss summed, not averaged": ({"scale": 32.0}, (91, 94, 95), (9, 14, 92)),
    "MNIST (lesson 17)": ({"which": "mnist"}, (89, 90, 91), (87, 89, 88)),
}


def best_median(kind: Any, exponents: range, change: dict[str, Any]) -> float:
    """The median of five starts at the best of some half powers of ten, in per cent."""
    return max(
        median(100 * trained(kind, seed, [10 ** (k / 2)] * 114, **change) for seed in SEEDS)
        for k in exponents
    )


@pytest.mark.slow
@pytest.mark.idea("E9")
@pytest.mark.parametrize("setting", SETTINGS)
def test_the_usual_rates_elsewhere(setting: str, request: pytest.FixtureRequest) -> None:
    if setting == "MNIST (lesson 17)":
        request.getfixturevalue("mnist_dir")
    change, adam, plain = SETTINGS[setting]
    low = [100 * trained(Adam, seed, [0.001] * 114, **change) for seed in SEEDS]
    assert (min(low), max(low)) == pytest.approx(adam[:2], abs=2)
    best = best_median(Adam, range(-7, -2), change)
    assert best == pytest.approx(adam[2], abs=1.5)
    assert median(low) > best - 4, "at most 3 points, and a rounding"
    high = [100 * trained(SGD, seed, [0.1] * 114, **change) for seed in SEEDS]
    loose = 8 if plain[1] - plain[0] > 10 else 3
    assert (min(high), max(high)) == pytest.approx(plain[:2], abs=loose)
    exponents = range(-7, -3) if change.get("scale") else range(-4, 0)
    assert best_median(SGD, exponents, change) == pytest.approx(plain[2], abs=loose)


@pytest.mark.idea("E9")
def test_the_table_of_the_lesson_is_that_of_the_tests() -> None:
    text = Path(lesson.__file__).read_text(encoding="utf-8")
    for setting, (_, adam, plain) in SETTINGS.items():
        row = (
            f"# | {setting} | {adam[0]}–{adam[1]} % | ({adam[2]}) | {plain[0]}–{plain[1]} % | ({plain[2]}) |"
        )
        assert row in text


def test_momentum_in_the_figure_is_lesson_12s() -> None:
    assert lesson.CONTENDERS["momentum 0.9"].func is Momentum
