"""The numbers that lesson 13 states."""

from functools import cache, partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

from curriculum.pair import Case, Pair, compare, function_pair
from lessons import lesson13_rates as lesson
from lessons.lesson07_descent import SGD
from lessons.lesson12_optimizers import Adam, MomentumSGD
from tests.support.lessons import shown, xs, ys
from tests.support.recorded import recorded


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
    both: list[tuple[Any, Any]] = [
        (lambda t: lesson.step_decay(lr, t, 3), lambda o: schedulers.StepLR(o, 3)),
        (lambda t: lesson.step_decay(lr, t, 1, 0.9), lambda o: schedulers.StepLR(o, 1, 0.9)),
        (lambda t: lesson.cosine(lr, t, steps), lambda o: schedulers.CosineAnnealingLR(o, steps)),
        (
            lambda t: lesson.cosine(lr, t, steps, 0.01),
            lambda o: schedulers.CosineAnnealingLR(o, steps, 0.01),
        ),
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
    rates = lesson.SCHEDULES["1cycle"][0]
    assert rates[0] == pytest.approx(0.1 / 25)
    assert rates[56] == max(rates) == pytest.approx(0.1)
    assert rates[-1] == pytest.approx(0.1 / 250_000)


def dots(axis: Any) -> list[list[float]]:
    """Per line of dots, its numbers."""
    return [list(ys(line)) for line in axis.lines if line.get_marker() == "o"]


@pytest.mark.idea("E9")
def test_schedules_help_where_a_constant_rate_is_too_large() -> None:
    left, right = shown(lesson.schedules).axes
    assert len(left.lines) == len(right.lines) == 5
    shares = {name: list(xs(line)) for name, line in zip(lesson.SCHEDULES, right.lines, strict=True)}
    assert all(len(values) == 6 for values in shares.values())
    assert min(shares.pop("constant")) < 0.9
    assert min(min(values) for values in shares.values()) > 0.93
    means = [sum(values) / 6 for values in shares.values()]
    assert max(means) - min(means) < 0.02, "which is best, six runs cannot tell"


# ---------------------------------------------------------------- E9: the first rate


@cache
def sweep(name: str) -> dict[float, list[float]]:
    """Rate → the shares of three starts, as drawn."""
    axis = shown(lesson.which_rate).axes[3 + list(lesson.CONTENDERS).index(name)]
    lines = [line for line in axis.lines if line.get_marker() == "o"]
    return {round(float(xs(line)[0]), 6): list(ys(line)) for line in lines}


@pytest.mark.idea("E9")
def test_data_and_steps_are_as_stated() -> None:
    data = lesson.digits("digits")
    assert (len(data.train.x), len(data.val.x), -(-1197 // 32)) == (1197, 300, 38)
    assert [len(shares) for shares in sweep("SGD").values()] == [3] * 9
    losses, _ = lesson.learn(partial(SGD, lr=0.0), 0, [0.0] * 76)
    assert len(losses) == 76


@pytest.mark.idea("E9")
def test_a_rate_of_0001_is_good_for_adam() -> None:
    shares = sweep("Adam")
    assert min(shares[0.001]) > 0.9
    best = max(shares, key=lambda lr: sum(shares[lr]))
    assert best in (0.001, 0.003162)
    assert max(shares[0.1]) < 0.3


@pytest.mark.idea("E9")
def test_a_rate_of_01_is_near_the_edge_for_sgd() -> None:
    shares = sweep("SGD")
    low, middle, high = sorted(shares[0.1])
    assert low < 0.8 < 0.87 < middle <= high
    recorded("lesson13", "SGD with rate 0.1, the worst of three starts", low, room=0.05)
    assert max(shares[0.316228] + shares[1.0]) < 0.25
    assert max(shares, key=lambda lr: sum(shares[lr])) == 0.031623


@pytest.mark.idea("E9")
def test_a_rate_of_001_is_best_with_momentum_and_01_too_much() -> None:
    shares = sweep("momentum 0.9")
    assert max(shares, key=lambda lr: sum(shares[lr])) == 0.01
    assert max(shares[0.1]) < min(shares[0.01]) - 0.1


@pytest.mark.idea("E9")
@pytest.mark.parametrize("name", lesson.CONTENDERS)
def test_the_finder_comes_near_the_best(name: str) -> None:
    axis = shown(lesson.which_rate).axes[list(lesson.CONTENDERS).index(name)]
    run, advice, finder = axis.lines
    rates, smooth = xs(run), ys(run)
    found = xs(finder)[0]
    assert len(rates) == len(smooth) == 152
    assert (rates[0], rates[-1]) == pytest.approx((1e-6, 10))
    assert 10 * found == pytest.approx(rates[list(smooth).index(min(smooth))])
    assert xs(advice)[0] == lesson.CONTENDERS[name].keywords["lr"]
    best = max(sweep(name), key=lambda lr: sum(sweep(name)[lr]))
    assert 1 / 3 < found / best < 3


@pytest.mark.idea("E9")
def test_adam_does_not_see_the_scale_of_the_loss() -> None:
    gradients = [1.0, -0.5, 2.0, 0.3] * 25
    larger = [1000 * g for g in gradients]
    assert moved(Adam(weight()), larger) == pytest.approx(moved(Adam(weight()), gradients), rel=1e-5)
    sgd = moved(SGD(weight(), 0.1), gradients)
    assert moved(SGD(weight(), 0.1), larger) == pytest.approx([1000 * w for w in sgd])
    assert moved(SGD(weight(), 0.1 / 1000), larger) == pytest.approx(sgd)


def test_linear_decay_ends_just_above_zero() -> None:
    assert [lesson.linear_decay(0.5, step, 4) for step in range(4)] == [0.5, 0.375, 0.25, 0.125]


def test_a_shrinking_rate_settles() -> None:
    """10,000 weights, 300 steps of plain descent on w², seen through noise of size 1."""
    off = []
    for decay in (False, True):
        noise = torch.Generator().manual_seed(0)
        params = {"w": torch.full((10_000,), 3.0)}
        optimizer = SGD(params, lr=0.2)
        for step in range(300):
            optimizer.lr = lesson.linear_decay(0.2, step, 300) if decay else 0.2
            optimizer.step({"w": 2 * (params["w"] + torch.randn(10_000, generator=noise))})
        off.append(params["w"].square().mean().sqrt().item())
    assert off == pytest.approx([0.5, 0.13], abs=0.01)
