"""The numbers that lesson 12 states."""

import copy
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn, optim

from curriculum.pair import TOLERANCE, Case, Pair, compare, function_pair, optimizer_pair
from lessons import lesson12_optimizers as lesson
from lessons.lesson07_descent import SGD
from lessons.lesson11_training import Adam
from tests.support.lessons import shown, xs, ys
from tests.support.recorded import recorded

RATES = (1e-8, 0.01, 10.0)
SHAPES = {"weight": (3, 4), "bias": (3,)}


def problems(pair: Pair, case: Case | None = None) -> list[Any]:
    differences = compare(pair, case)
    assert differences
    return [d for d in differences if d.problem]


@cache
def start(name: str) -> Tensor:
    return Case().tensor(name, *SHAPES[name])


@cache
def gradient(name: str, step: int) -> Tensor:
    return Case().tensor(f"{name}_{step}", *SHAPES[name])


def same(ours: Any, theirs: Any, steps: int = 12, **options: Any) -> bool:
    """Like `optimizer_pair`, but with gradients made only once, and compared after every step."""
    scratch = {name: start(name).clone() for name in SHAPES}
    reference = {name: nn.Parameter(start(name).clone()) for name in SHAPES}
    left, right = ours(scratch, **options), theirs(list(reference.values()), **options)
    rtol, atol = TOLERANCE[torch.float64]
    for step in range(steps):
        with torch.inference_mode():
            left.step({name: gradient(name, step) for name in SHAPES})
        for name, parameter in reference.items():
            parameter.grad = gradient(name, step)
        right.step()
        for name, value in scratch.items():
            assert value.isfinite().all()
            if not torch.allclose(value, reference[name].detach(), rtol=rtol, atol=atol):
                return False
    return True


def moved(optimizer: Any, gradients: list[float]) -> list[float]:
    """Where a weight that starts at 0 is after each step."""
    places = []
    for gradient in gradients:
        optimizer.step({"w": torch.tensor([gradient], dtype=torch.float64)})
        places.append(optimizer.params["w"].item())
    return places


def weight(value: float = 0.0) -> dict[str, Tensor]:
    return {"w": torch.full((1,), value, dtype=torch.float64)}


# ---------------------------------------------------------------- E8: equal to torch.optim, all options


@pytest.mark.idea("E8")
@pytest.mark.parametrize("lr", RATES)
def test_sgd_with_all_options_is_torchs(lr: float) -> None:
    assert same(SGD, optim.SGD, lr=lr)
    for momentum, dampening, decay, nesterov in product((0, 0.5, 0.9), (0, 0.3, 1), (0, 0.01), (False, True)):
        options: dict[str, Any] = {
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": decay,
            "nesterov": nesterov,
        }
        if nesterov and (momentum == 0 or dampening != 0):
            with pytest.raises(ValueError, match=r"(?i)nesterov"):
                lesson.MomentumSGD(weight(), lr=lr, **options)
            with pytest.raises(ValueError, match=r"(?i)nesterov"):
                optim.SGD([torch.zeros(1)], lr=lr, **options)
        else:
            assert same(lesson.MomentumSGD, optim.SGD, lr=lr, **options), options


@pytest.mark.idea("E8")
@pytest.mark.parametrize("lr", RATES)
def test_rmsprop_with_all_options_is_torchs(lr: float) -> None:
    for alpha, eps, momentum, decay, centered in product(
        (0.9, 0.99), (1e-8, 1e-2), (0, 0.9), (0, 0.1), (False, True)
    ):
        options: dict[str, Any] = {"alpha": alpha, "eps": eps, "momentum": momentum, "weight_decay": decay}
        assert same(lesson.RMSprop, optim.RMSprop, lr=lr, centered=centered, **options), options


@pytest.mark.idea("E8")
@pytest.mark.parametrize("lr", RATES)
@pytest.mark.parametrize(("ours", "theirs"), [(lesson.AdamL2, optim.Adam), (lesson.AdamW, optim.AdamW)])
def test_adam_and_adamw_with_all_options_are_torchs(ours: Any, theirs: Any, lr: float) -> None:
    for betas, eps, decay, amsgrad in product(
        ((0.9, 0.999), (0.5, 0.8), (0.0, 0.0)), (1e-8, 1e-2), (0, 0.1), (False, True)
    ):
        options: dict[str, Any] = {"betas": betas, "eps": eps, "weight_decay": decay, "amsgrad": amsgrad}
        assert same(ours, theirs, lr=lr, **options), options


@pytest.mark.idea("E8")
def test_the_defaults_are_torchs() -> None:
    for ours, theirs in (
        (lesson.RMSprop, optim.RMSprop),
        (lesson.AdamL2, optim.Adam),
        (lesson.AdamW, optim.AdamW),
    ):
        assert same(ours, theirs, steps=100)


@pytest.mark.idea("E8")
def test_a_wrong_optimiser_is_found() -> None:
    """The gradients of the pairs can tell all these apart."""
    assert not same(lesson.AdamL2, optim.AdamW, weight_decay=0.1)
    assert not same(lesson.AdamW, optim.Adam, weight_decay=0.1)
    assert not same(lesson.MomentumSGD, optim.RMSprop, lr=0.01)

    def pair(ours: Any, theirs: Any) -> Pair:
        return optimizer_pair("different", ours, theirs)

    sgd = partial(optim.SGD, lr=0.1, momentum=0.9)
    for options in ({"nesterov": True}, {"dampening": 0.1}, {"weight_decay": 0.01}):
        assert problems(pair(partial(lesson.MomentumSGD, lr=0.1, momentum=0.9, **options), sgd)) != []
    assert problems(pair(partial(lesson.AdamL2, amsgrad=True), optim.Adam)) != []
    assert problems(pair(partial(lesson.RMSprop, centered=True), optim.RMSprop)) != []


@pytest.mark.idea("E8")
def test_momentum_sums_what_agrees_and_cancels_what_does_not() -> None:
    def last_step(gradients: list[float]) -> float:
        before, after = moved(lesson.MomentumSGD(weight(), lr=1.0, momentum=0.9), gradients)[-2:]
        return abs(after - before)

    assert last_step([1.0] * 300) == pytest.approx(10)
    assert last_step([1.0, -1.0] * 150) == pytest.approx(1 / 1.9)
    average = lesson.MomentumSGD(weight(), lr=1.0, momentum=0.9, dampening=0.9)
    assert moved(average, [1.0] * 5) == pytest.approx([-1.0, -2.0, -3.0, -4.0, -5.0])
    far = moved(lesson.MomentumSGD(weight(), lr=0.01, momentum=0.9), [1.0] * 1000)[-1]
    assert far == pytest.approx(-0.1 * 1000, rel=0.01), "0.01 reaches as far as 0.1 without"


@pytest.mark.idea("E8")
def test_the_first_step_of_rmsprop_ignores_the_scale() -> None:
    for size in (1e-3, 1.0, 1e3):
        assert moved(lesson.RMSprop(weight(), lr=0.01), [size]) == pytest.approx([-0.1], rel=1e-3)


@pytest.mark.idea("E8")
def test_decay_in_the_gradient_equals_shrinking_only_for_plain_descent() -> None:
    with_l2 = lesson.MomentumSGD(weight(1.0), lr=0.1, weight_decay=0.5)
    assert moved(with_l2, [2.0]) == pytest.approx([(1 - 0.1 * 0.5) * 1.0 - 0.1 * 2.0])
    left = {}
    for kind, size in product((lesson.AdamL2, lesson.AdamW), (0.01, 1.0, 100.0)):
        optimizer = kind(weight(1.0), lr=0.01, weight_decay=0.1)
        left[kind, size] = moved(optimizer, [size, -size] * 500)[-1]
    assert pytest.approx(0.37, abs=0.005) == 0.999**1000
    for size in (0.01, 1.0, 100.0):
        assert left[lesson.AdamW, size] == pytest.approx(0.999**1000, abs=0.01)
    assert abs(left[lesson.AdamL2, 0.01]) < 0.01
    assert left[lesson.AdamL2, 100.0] > 0.95


def descend(make: Any, valley: int) -> tuple[Tensor, float]:
    """Every place of 40 steps (41, 2), and the last loss."""
    c = torch.tensor(lesson.CURVATURES[valley], dtype=torch.float64)
    w = torch.tensor(lesson.STARTS[valley], dtype=torch.float64)
    optimizer, path = make({"w": w}), [w.clone()]
    for _ in range(40):
        optimizer.step({"w": c @ w})
        path.append(w.clone())
    return torch.stack(path), (w @ c @ w / 2).item()


@pytest.mark.idea("E8")
def test_the_valleys_are_one_valley_turned_by_45_degrees() -> None:
    turn = torch.tensor([[1.0, -1.0], [1.0, 1.0]]) / 2**0.5
    straight, turned = torch.tensor(lesson.CURVATURES)
    assert straight.diag().tolist() == [1.0, 25.0]
    assert torch.allclose(turn @ straight @ turn.T, turned, atol=1e-5)
    assert torch.allclose(turn @ torch.tensor(lesson.STARTS[0]), torch.tensor(lesson.STARTS[1]))


@pytest.mark.idea("E8")
@pytest.mark.parametrize("name", lesson.WALKERS)
def test_each_walker_has_the_best_of_17_rates(name: str) -> None:
    make, rates = lesson.WALKERS[name], [10 ** (k / 4) for k in range(-12, 5)]
    losses = [descend(partial(make.func, **{**make.keywords, "lr": lr}), 0)[1] for lr in rates]
    assert (len(rates), rates[0], rates[-1]) == (17, 0.001, 10.0)
    best, second = sorted((loss, lr) for loss, lr in zip(losses, rates, strict=True) if loss == loss)[:2]
    assert best[1] == pytest.approx(make.keywords["lr"])
    assert best[0] < 0.96 * second[0], "rounding must not decide which is best"


@pytest.mark.idea("E8")
def test_momentum_gets_farther_down_the_valley_and_a_turn_costs_adam_and_rmsprop() -> None:
    straight, turned = ({name: descend(make, i)[1] for name, make in lesson.WALKERS.items()} for i in (0, 1))
    sgd, momentum, nesterov, rmsprop, adam = straight.values()
    assert sgd > 100 * momentum
    assert sgd > 1000 * nesterov
    assert adam < sgd < 2 * adam
    for name in ("SGD", "momentum 0.8", "Nesterov 0.8"):
        assert turned[name] == pytest.approx(straight[name], rel=0.01), name
    assert turned["RMSprop, α = 0.9"] > 2000 * rmsprop
    assert turned["Adam"] > 1.3 * adam


@pytest.mark.idea("E8")
def test_the_figure_shows_these_paths() -> None:
    axes = shown(lesson.down_the_valley).axes
    for i, (name, make) in enumerate(lesson.WALKERS.items()):
        assert axes[i].get_title().startswith(name)
        for valley in (0, 1):
            path, loss = descend(make, valley)
            axis = axes[5 * valley + i]
            assert np.column_stack((xs(axis.lines[0]), ys(axis.lines[0]))).tolist() == path.tolist()
            assert axis.get_xlabel() == f"loss {loss:.1g}"


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
        ours = lesson.MomentumSGD({"w": torch.ones(3)}, 0.1, momentum=0.9, nesterov=True)
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
    recorded("lesson12", "SGD with rate 0.1, the worst of three starts", low, room=0.05)
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


# ---------------------------------------------------------------- where PyTorch differs


def test_where_pytorch_differs() -> None:
    refused: list[dict[str, Any]] = [{"lr": -1.0}, {"lr": 0.1, "weight_decay": -1.0}]
    for options in refused:
        with pytest.raises(ValueError, match="Invalid"):
            optim.SGD([torch.zeros(1)], **options)
        with pytest.raises(ValueError, match=r"is -1.0; expected 0 or more"):
            lesson.MomentumSGD(weight(), **options)
    w = nn.Parameter(torch.ones(1, dtype=torch.float64))
    w.grad = torch.zeros_like(w)
    optim.AdamW([w], lr=0.5, weight_decay=0.1).step()
    assert w.item() == pytest.approx(1 - 0.5 * 0.1), "decay times rate"


def test_the_gradients_are_left_as_they_were() -> None:
    grads = {"w": torch.tensor([1.0, -2.0], dtype=torch.float64)}
    before = copy.deepcopy(grads)
    for make in (
        partial(lesson.MomentumSGD, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
        partial(lesson.RMSprop, momentum=0.9, centered=True, weight_decay=0.1),
        partial(lesson.AdamL2, weight_decay=0.1, amsgrad=True),
        lesson.AdamW,
    ):
        optimizer = make({"w": torch.ones(2, dtype=torch.float64)})
        for _ in range(3):
            optimizer.step(grads)
        assert torch.equal(grads["w"], before["w"])
