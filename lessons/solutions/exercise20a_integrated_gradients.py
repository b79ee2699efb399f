"""Solution of exercise 20a."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from curriculum.pair import Case, Pair, Results
from lessons.lesson17_mnist import MLP, TorchMLP
from lessons.lesson19_inside import network
from lessons.lesson20_probes import saliency

ANSWER = "integrated_gradients"
REREAD = ("lesson20_probes.py", "def saliency")
HINTS = (
    "At which pictures do you need the slope, and what do you do with the slopes then?",
    "For every a: saliency at baseline + a·(x − baseline), always of the same digit. Take the mean over a "
    "and multiply by how far each pixel has moved.",
    "The middles are (i + 0.5) / steps for i = 0 … steps − 1. With moved = x - baseline, add up "
    "saliency(model, baseline + a * moved, digit). The result is moved * total / steps.",
)
AFTER = (
    "The slopes along the whole way add up to the rise. The slope at its end need not.",
    "Begin at the mean picture instead of a black one. Which pixels gain?",
)


def integrated_gradients(
    model: MLP, x: Tensor, digit: Tensor, baseline: Tensor, steps: int
) -> Tensor:
    moved = x - baseline  # (batch, n_in)
    middles = [(i + 0.5) / steps for i in range(steps)]
    return (
        moved
        * sum(saliency(model, baseline + a * moved, digit) for a in middles)
        / steps
    )


def pairs(answer: Any) -> list[Pair]:
    """What the learner's `answer` is held against: autograd."""

    def run(attribute: Callable[..., Tensor], model: Any, case: Case) -> Results:
        x, digit = (
            case.tensor("x", case.batch, case.n_in),
            case.classes("digit", case.batch, case.n_out),
        )
        baseline = case.upstream("baseline", torch.Size((case.n_in,)))
        return {
            "output": attribute(model, x, digit, baseline, 6),
            "x": x,
            "baseline": baseline,
        }

    def by_hand(case: Case) -> Results:
        return run(answer, network((case.n_in, 7, 6, case.n_out)), case)

    def by_torch(case: Case) -> Results:
        model = TorchMLP((case.n_in, 7, 6, case.n_out))
        model.load_state_dict(network((case.n_in, 7, 6, case.n_out)).params)
        return run(torch_integrated_gradients, model, case)

    return [Pair("integrated gradients", by_hand, by_torch)]


def torch_integrated_gradients(
    model: torch.nn.Module, x: Tensor, digit: Tensor, baseline: Tensor, steps: int
) -> Tensor:
    """The same with autograd, all points of the way in one batch."""
    a = (torch.arange(steps) + 0.5)[:, None, None] / steps
    way = (baseline + a * (x - baseline)).requires_grad_()  # (steps, batch, n_in)
    logits = model(way).gather(2, digit.expand(steps, -1)[..., None])
    return (x - baseline) * torch.autograd.grad(logits.sum(), way)[0].mean(0)


def _left_ends(
    model: MLP, x: Tensor, digit: Tensor, baseline: Tensor, steps: int
) -> Tensor:
    shift = (x - baseline) / (2 * steps)  # half a step back
    return integrated_gradients(model, x - shift, digit, baseline - shift, steps)


def _digit_chosen_anew(
    model: MLP, x: Tensor, digit: Tensor, baseline: Tensor, steps: int
) -> Tensor:
    moved, total = x - baseline, torch.zeros_like(x)
    for i in range(steps):
        point = baseline + (i + 0.5) / steps * moved
        total += saliency(model, point, model.forward(point).argmax(1))
    return moved * total / steps


def _in_place(
    model: MLP, x: Tensor, digit: Tensor, baseline: Tensor, steps: int
) -> Tensor:
    result = integrated_gradients(model, x, digit, baseline, steps)
    x -= baseline
    return result


MISTAKES = {
    "slope at x only": lambda model, x, digit, b, steps: (
        (x - b) * saliency(model, x, digit)
    ),
    "mean forgotten": lambda *args: integrated_gradients(*args) * args[-1],
    "distance forgotten": lambda model, x, digit, b, n: (
        integrated_gradients(model, x, digit, b, n) / (x - b)
    ),
    "baseline taken for 0": lambda model, x, digit, b, n: integrated_gradients(
        model, x, digit, 0 * b, n
    ),
    "left ends instead of middles": _left_ends,
    "digit chosen anew at each point": _digit_chosen_anew,
    "input changed in place": _in_place,
}
