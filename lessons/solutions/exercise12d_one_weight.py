"""Solution of exercise 12d."""

from typing import Any

import torch
from torch import optim

from curriculum.pair import Case, Pair, Results
from curriculum.predictions import Predictions, otherwise, predicted

ANSWER = "predictions"
REREAD = ("lesson12_optimizers.py", "## Momentum: keep going")
HINTS = (
    "Keep a second column beside the weight: the velocity, or the two averages of Adam. It starts at 0.",
    "The velocity is 4, then 0.9 · 4 + 4 = 7.6, then 0.9 · 7.6 − 4. Adam's corrected averages are 4 and 16 "
    "as long as all gradients are 4.",
    "Momentum: 1 − 0.4, then − 0.76, then − 0.284. Adam moves by one rate a step. RMSprop's s is 0.01 · 16, "
    "its root 0.4, and 4 / 0.4 are ten rates. AdamW first multiplies by 1 − 0.1 · 0.5.",
)
AFTER = (
    "Momentum adds slopes up. RMSprop and Adam divide by their size and so "
    "forget the scale.",
    "Take the same three gradients with Nesterov's momentum.",
)


def predictions() -> dict[str, float]:
    return {
        "plain descent, after three steps": 0.6,  # 1 − 0.4 − 0.4 + 0.4
        "momentum, after two steps": -0.16,  # 0.6 − 0.1 · 7.6
        "momentum, after three steps": -0.444,  # −0.16 − 0.1 · 2.84
        "Adam, after two steps": 0.8,
        "Adam, after two steps, gradients a thousand times as large": 0.8,
        "RMSprop, after one step": 0.0,  # ten rates
        "AdamW with a decay of 0.5, after one step without any gradient": 0.95,
    }


def pairs(answer: Predictions) -> list[Pair]:
    """The numbers of `answer` beside `torch.optim`'s."""
    return [predicted("one weight", answer, _by_torch)]


def _by_torch(case: Case) -> Results:
    def adam(params: Any) -> Any:
        return optim.Adam(params, lr=0.1, eps=0)

    runs: dict[str, tuple[Any, list[float]]] = {
        "plain descent, after three steps": (_sgd(0.0), [4, 4, -4]),
        "momentum, after two steps": (_sgd(0.9), [4, 4]),
        "momentum, after three steps": (_sgd(0.9), [4, 4, -4]),
        "Adam, after two steps": (adam, [4, 4]),
        "Adam, after two steps, gradients a thousand times as large": (
            adam,
            [4000] * 2,
        ),
        "RMSprop, after one step": (lambda p: optim.RMSprop(p, lr=0.1, eps=0), [4]),
        "AdamW with a decay of 0.5, after one step without any gradient": (
            lambda p: optim.AdamW(p, lr=0.1, weight_decay=0.5),
            [0],
        ),
    }
    return {name: _end(make, gradients) for name, (make, gradients) in runs.items()}


def _sgd(momentum: float) -> Any:
    return lambda params: optim.SGD(params, lr=0.1, momentum=momentum)


def _end(make: Any, gradients: list[float]) -> torch.Tensor:
    w = torch.nn.Parameter(torch.tensor(1.0))
    optimizer = make([w])
    for gradient in gradients:
        w.grad = torch.tensor(float(gradient))
        optimizer.step()
    return w.detach()


MISTAKES = {
    "velocity taken for an average": otherwise(
        predictions,
        {"momentum, after two steps": 0.884, "momentum, after three steps": 0.8556},
    ),
    "velocity forgotten": otherwise(
        predictions,
        {"momentum, after two steps": 0.2, "momentum, after three steps": 0.6},
    ),
    "Nesterov's step": otherwise(
        predictions,
        {"momentum, after two steps": -0.844, "momentum, after three steps": -0.6996},
    ),
    "Adam feels the scale": otherwise(
        predictions,
        {"Adam, after two steps, gradients a thousand times as large": -199.0},
    ),
    "RMSprop's start at 0 overlooked": otherwise(
        predictions, {"RMSprop, after one step": 0.9}
    ),
    "decay not multiplied by the rate": otherwise(
        predictions,
        {"AdamW with a decay of 0.5, after one step without any gradient": 0.5},
    ),
    "decay inside the gradient, as in L2": otherwise(
        predictions,
        {"AdamW with a decay of 0.5, after one step without any gradient": 0.9},
    ),
}
