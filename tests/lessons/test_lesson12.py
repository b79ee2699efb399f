"""The numbers that lesson 12 states."""

import copy
import math
from dataclasses import replace
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn, optim

from curriculum.data import Split, load
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
        assert same(lesson.FullRMSprop, optim.RMSprop, lr=lr, centered=centered, **options), options
    assert same(lesson.RMSprop, optim.RMSprop, lr=lr)


@pytest.mark.idea("E8")
@pytest.mark.parametrize("lr", RATES)
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(lesson.AdamL2, optim.Adam), (partial(lesson.AdamL2, decoupled_weight_decay=True), optim.AdamW)],
    ids=["Adam", "AdamW"],
)
def test_adam_and_adamw_with_all_options_are_torchs(ours: Any, theirs: Any, lr: float) -> None:
    for betas, eps, decay, amsgrad in product(
        ((0.9, 0.999), (0.5, 0.8), (0.0, 0.0)), (1e-8, 1e-2), (0, 0.1), (False, True)
    ):
        options: dict[str, Any] = {"betas": betas, "eps": eps, "weight_decay": decay, "amsgrad": amsgrad}
        assert same(ours, theirs, lr=lr, **options), options


@pytest.mark.idea("E8")
@pytest.mark.parametrize("lr", RATES)
def test_the_flat_classes_are_torchs(lr: float) -> None:
    for momentum, nesterov in product((0.5, 0.9), (False, True)):
        options: dict[str, Any] = {"lr": lr, "momentum": momentum, "nesterov": nesterov}
        assert same(lesson.Momentum, optim.SGD, **options)
    for betas, eps in product(((0.9, 0.999), (0.5, 0.8), (0.0, 0.0)), (1e-8, 1e-2)):
        assert same(lesson.Adam, optim.Adam, lr=lr, betas=betas, eps=eps)
        for decay in (0, 0.1):
            assert same(lesson.AdamW, optim.AdamW, lr=lr, betas=betas, eps=eps, weight_decay=decay)


@pytest.mark.idea("E8")
def test_the_defaults_are_torchs() -> None:
    for ours, theirs in (
        (lesson.RMSprop, optim.RMSprop),
        (lesson.FullRMSprop, optim.RMSprop),
        (lesson.Adam, optim.Adam),
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
    assert problems(pair(partial(lesson.FullRMSprop, centered=True), optim.RMSprop)) != []


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


def test_the_first_step_without_correction_is_three_times_as_long() -> None:
    assert pytest.approx(3.16, abs=0.005) == 0.3 / 0.009**0.5
    rows = shown(lesson.a_forgotten_correction_is_caught).rows
    assert len(rows) == 6
    assert all(verdict == "values differ" for *_, verdict in rows)
    assert rows[0][1] == pytest.approx(2.16e-3, rel=0.01), "3.16 rates of 0.001 in place of one"


# ---------------------------------------------------------------- the valley


@pytest.mark.idea("E8")
@pytest.mark.parametrize("name", lesson.WALKERS)
def test_each_walker_has_the_best_of_17_rates(name: str) -> None:
    make = lesson.WALKERS[name]
    options = {key: value for key, value in make.keywords.items() if key != "lr"}
    _, lr = lesson.best_of_rates(partial(make.func, **options), lesson.VALLEY, lesson.START)
    assert (len(lesson.RATES), lesson.RATES[0], lesson.RATES[-1]) == (17, 0.001, 10.0)
    assert lr == pytest.approx(make.keywords["lr"])


def ends(start: Tensor) -> dict[str, float]:
    """The lowest loss after 100 steps with the usual settings, with the best of 17 rates."""
    kinds: dict[str, Any] = {"plain": SGD, "momentum": lesson.Momentum, "Adam": lesson.Adam}
    return {name: lesson.best_of_rates(kind, lesson.VALLEY, start)[0] for name, kind in kinds.items()}


@pytest.mark.idea("E8")
def test_with_the_usual_settings_momentum_and_adam_go_far_deeper_than_plain_descent() -> None:
    losses = {
        name: lesson.heights(lesson.walk(make, lesson.VALLEY, lesson.START, 100), lesson.VALLEY)[-1].item()
        for name, make in lesson.WALKERS.items()
    }
    assert losses["plain descent"] == pytest.approx(0.22, abs=0.01)
    assert losses["momentum"] == pytest.approx(7e-5, rel=0.02)
    assert losses["Nesterov"] == pytest.approx(1.5e-6, rel=0.05)
    assert losses["Adam"] == pytest.approx(1.8e-4, rel=0.05)


@pytest.mark.slow
def test_from_other_starts_momentum_and_adam_change_places() -> None:
    ahead = set()
    for angle in torch.linspace(0.1, 1.45, 6).tolist():
        start = 4 * torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
        losses = ends(start)
        ahead.add(losses["momentum"] < losses["Adam"])
        assert max(losses["momentum"], losses["Adam"]) < losses["plain"] / 2
    assert ahead == {True, False}


@pytest.mark.idea("E8")
def test_the_best_share_depends_on_the_valley() -> None:
    best = {kappa: ((kappa**0.5 - 1) / (kappa**0.5 + 1)) ** 2 for kappa in (25, 100)}
    assert [round(share, 2) for share in best.values()] == [0.44, 0.67]
    kappa = ((1 + 0.9**0.5) / (1 - 0.9**0.5)) ** 2
    assert kappa == pytest.approx(1400, rel=0.05)
    mild = {share: lesson.deepest(25, share, 40) for share in (0.0, 0.45, 0.9, 0.95)}
    assert mild[0.45] < 1e-6
    assert mild[0.95] > 1.3 * mild[0.0] > 0.01
    assert 0.5 * mild[0.0] < mild[0.9] < mild[0.0]


@pytest.mark.idea("E8")
def test_a_turn_costs_rmsprop_everything_and_momentum_nothing() -> None:
    rows = {name: (float(one), float(other)) for name, one, other in shown(lesson.a_turned_valley).rows}
    for name in ("plain descent", "momentum", "Nesterov"):
        assert rows[name][0] == pytest.approx(rows[name][1], rel=0.02), name
    straight, turned = rows["RMSprop"]
    assert straight < 1e-50 < 0.1 < turned


@pytest.mark.idea("E8")
def test_the_figure_shows_these_paths() -> None:
    left, right = shown(lesson.down_the_valley).axes
    paths = {
        name: lesson.walk(make, lesson.VALLEY, lesson.START, 100) for name, make in lesson.WALKERS.items()
    }
    drawn = [np.column_stack((xs(line), ys(line))).tolist() for line in left.lines]
    for name in ("plain descent", "momentum", "Adam"):
        assert paths[name].tolist() in drawn
    assert {line.get_label() for line in right.lines} == set(lesson.WALKERS)
    assert ys(right.lines[1])[-1] == pytest.approx(7e-5, rel=0.02)
    colors = [{line.get_label(): line.get_color() for line in axis.lines} for axis in (left, right)]
    for name in ("plain descent", "momentum", "Adam"):
        assert colors[0][name] == colors[1][name], "one colour, one meaning"


# ---------------------------------------------------------------- Muon


def matrices(rows: int, columns: int) -> list[Tensor]:
    return [Case(seed=seed).tensor("grad", rows, columns) for seed in range(4)]


@pytest.mark.idea("E8")
@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5), (1, 7)])
def test_muon_with_all_options_is_torchs(shape: tuple[int, int]) -> None:
    for nesterov, rule, decay, steps in product(
        (False, True), (None, "original", "match_rms_adamw", "spectral_unclamped"), (0.0, 0.1), (0, 5)
    ):
        options: dict[str, Any] = {"lr": 0.02, "nesterov": nesterov, "weight_decay": decay, "ns_steps": steps}
        options["adjust_lr_fn"] = rule
        if rule == "spectral_unclamped" and not _torch_knows(rule):
            continue
        ours = {"w": Case().tensor("start", *shape)}
        theirs = nn.Parameter(ours["w"].clone())
        left, right = lesson.Muon(ours, **options), optim.Muon([theirs], **options)
        for grad in matrices(*shape):
            left.step({"w": grad})
            theirs.grad = grad.clone()
            right.step()
        torch.testing.assert_close(ours["w"], theirs.detach(), rtol=0, atol=1e-12)


def _torch_knows(rule: str) -> bool:
    try:
        optim.Muon([nn.Parameter(torch.ones(2, 2))], adjust_lr_fn=rule)
    except ValueError:
        return False
    return True


@pytest.mark.idea("E8")
def test_muon_brings_all_stretches_near_one() -> None:
    for grad in matrices(8, 20):
        stretches = torch.linalg.svdvals(lesson.orthogonalised(grad).double())
        assert 0.5 < stretches.min() < stretches.max() < 1.4


def test_muon_refuses_what_is_no_matrix() -> None:
    with pytest.raises(ValueError, match=r"w has the shape \(3,\); Muon expects \(out, in\)"):
        lesson.Muon({"w": torch.ones(3)})
    with pytest.raises(ValueError, match=r"expected a rule of torch\.optim\.Muon"):
        lesson.Muon({"w": torch.ones(3, 2)}, adjust_lr_fn="mine")


def test_the_price_of_muon() -> None:
    rounds = 5 * (64 * 784 * 64 + 64 * 64 * 64 + 64 * 64 * 784)
    passes = 3 * 32 * (784 * 64 + 64 * 10)
    assert (round(rounds / 1e6), round(passes / 1e6)) == (33, 5)


@pytest.mark.idea("E8")
@pytest.mark.slow
def test_muon_is_ahead_after_three_epochs_and_adam_is_not() -> None:
    mean = {name: sum(lesson.shares(name)) / 8 for name in lesson.TUNED}
    muon = mean.pop("Muon, and Adam for biases")
    assert 0.963 < muon < 0.983
    assert all(muon > share + 0.005 for share in mean.values())
    assert min(mean["momentum"], mean["Nesterov"]) > max(mean["Adam"], mean["plain descent"])
    assert min(mean, key=mean.__getitem__) == "RMSprop, α 0.99"
    assert 0.91 < mean["RMSprop, α 0.99"] < 0.945
    assert mean["RMSprop, α 0.9"] > mean["RMSprop, α 0.99"] + 0.01
    assert abs(mean["RMSprop, α 0.9"] - mean["Adam"]) < 0.012


def test_the_first_step_of_rmsprop_is_one_over_the_root_of_what_is_new() -> None:
    for alpha, rates in ((0.99, 10.0), (0.9, 3.16)):
        optimizer = lesson.RMSprop(weight(), lr=1.0, alpha=alpha)
        assert moved(optimizer, [3.0]) == pytest.approx([-rates], rel=1e-3)


def tuned(make: Any, seeds: range) -> tuple[float, float]:
    """The best of the quarter powers of ten around the rate of `make`, and its mean share."""
    options = {name: value for name, value in make.keywords.items() if name != "lr"}
    found = []
    for k in range(-3, 4):
        lr = make.keywords["lr"] * 10 ** (k / 4)
        right = sum(lesson.learn(partial(make.func, lr=lr, **options), seed) for seed in seeds) / len(seeds)
        found.append((right, lr))
    return max(found)[1], max(found)[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", lesson.TUNED)
def test_each_rate_was_chosen_by_four_starts_that_are_not_shown(name: str) -> None:
    """Neighbours may be level: the chosen rate is within half a point of the best."""
    make = lesson.TUNED[name]
    chosen = sum(lesson.learn(make, seed) for seed in range(10, 14)) / 4
    assert chosen > tuned(make, range(10, 14))[1] - 0.006


@pytest.mark.slow
def test_on_mnist_all_seven_are_level(monkeypatch: pytest.MonkeyPatch) -> None:
    data = load()
    if data.name != "MNIST":
        pytest.skip("MNIST is not at hand")
    train, val = Split(data.train.x[:1197], data.train.target[:1197]), Split(*(p[:1000] for p in data.val))
    monkeypatch.setattr(lesson, "digits", lambda name: replace(data, train=train, val=val))
    found = {}
    for name, make in lesson.TUNED.items():
        options = {key: value for key, value in make.keywords.items() if key != "lr"}
        best = partial(make.func, lr=tuned(make, range(10, 14))[0], **options)
        found[name] = sum(lesson.learn(best, seed) for seed in range(8)) / 8
    assert 0.84 < min(found.values()) <= max(found.values()) < 0.885, found


@pytest.mark.slow
def test_the_lead_is_gone_after_ten_epochs() -> None:
    names = ("momentum", "Adam", "Muon, and Adam for biases")
    found = [sum(lesson.shares(name, 10)) / 8 for name in names]
    assert 0.965 < min(found) < max(found) < 0.988
    assert max(found) - min(found) < 0.015
    assert found[2] < max(found[:2]) + 0.004, "Muon is no more than a hair ahead"


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
        partial(lesson.FullRMSprop, momentum=0.9, centered=True, weight_decay=0.1),
        lesson.RMSprop,
        lesson.Adam,
        partial(lesson.Momentum, lr=0.1, nesterov=True),
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
