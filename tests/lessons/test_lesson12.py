"""The numbers that lesson 12 states."""

import copy
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn, optim

from curriculum.pair import TOLERANCE, Case, Pair, compare, optimizer_pair
from lessons import lesson12_optimizers as lesson
from lessons.lesson07_descent import SGD
from tests.support.lessons import shown, xs, ys

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


def test_the_tiny_program_also_with_adam_has_torchs_losses() -> None:
    pair = next(pair for pair in lesson.PAIRS if pair.name == "tiny program, Adam")
    differences = compare(pair)
    assert len(differences) == 200 + 4
    assert [d for d in differences if d.problem] == []


@pytest.mark.parametrize(
    "settings", [{}, {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-2}, {"betas": (0.0, 0.0)}]
)
def test_adam_is_torch_adam(settings: dict) -> None:
    pair = optimizer_pair(
        "adam", lambda p: lesson.Adam(p, **settings), lambda p: torch.optim.Adam(p, **settings), (1, 10, 100)
    )
    differences = compare(pair)
    assert len(differences) == 6
    assert [d for d in differences if d.problem] == []


def test_adam_ignores_the_scale_and_damps_contradictions() -> None:
    def moved(gradients: list[float]) -> float:
        params = {"w": torch.zeros(1)}
        optimizer = lesson.Adam(params, lr=0.001)
        for gradient in gradients:
            optimizer.step({"w": torch.tensor([gradient])})
        return -params["w"].item()

    assert moved([100.0] * 100) == pytest.approx(0.1, rel=1e-3)
    assert moved([0.001] * 100) == pytest.approx(0.1, rel=1e-3)
    assert abs(moved([1.0, -1.0] * 50)) < 0.005
    assert moved([0.0] * 10) == 0
