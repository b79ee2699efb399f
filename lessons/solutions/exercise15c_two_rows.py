"""Solution of exercise 15c."""

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results
from curriculum.predictions import Predictions, otherwise, predicted

ANSWER = "predictions"
REREAD = ("lesson15_normalization.py", "## One column, on paper")
HINTS = (
    "Batch norm looks down a column, (1, 3) and (4, 8), layer norm along a row, (1, 4) and (3, 8).",
    "The column (1, 3) has the mean 2 and the deviation 1. What is kept for use divides by n − 1. A way "
    "around has the slope 1 + f′.",
    "0.9 · 0 + 0.1 · 2 and 0.9 · 1 + 0.1 · 2. The gradient is g − mean(g) − x̂ · mean(g · x̂), here "
    "1 − 0.5 − (−1) · (−0.5). Three blocks: 2³ and 0.5³.",
)
AFTER = (
    "In a batch of two each normalised number is +1 or −1, whatever it was. No "
    "small change shows, so no gradient passes.",
    "Three rows: how large can a normalised number be now?",
)
NAMES = (
    "batch norm in training: the first number of the first output",
    "batch norm: the running mean of the first column after this batch",
    "batch norm: the running variance of the first column after this batch",
    "batch norm: the gradient of the first number of the first example",
    "layer norm: the first number of the first output",
    "a way around: the gradient through three blocks whose slope is 1, each",
    "a way around: the gradient through three blocks whose slope is −1/2, each",
)


def predictions() -> dict[str, float]:
    return dict(zip(NAMES, (-1.0, 0.2, 1.1, 0.0, -1.0, 8.0, 0.125), strict=True))


def pairs(answer: Predictions) -> list[Pair]:
    """The numbers of `answer` beside PyTorch's."""
    return [predicted("two rows", answer, _by_torch)]


def _by_torch(case: Case) -> Results:
    x = torch.tensor([[1.0, 4.0], [3.0, 8.0]], requires_grad=True)
    norm = nn.BatchNorm1d(2, eps=1e-14)
    y = norm(x)
    y[0, 0].backward()
    assert x.grad is not None
    assert norm.running_mean is not None
    assert norm.running_var is not None
    rows = nn.LayerNorm(2, eps=1e-14)(x.detach()).detach()
    found = (
        y[0, 0].detach(),
        norm.running_mean[0],
        norm.running_var[0],
        x.grad[0, 0],
        rows[0, 0],
        _around(1.0),
        _around(-0.5),
    )
    return dict(zip(NAMES, found, strict=True))


def _around(slope: float) -> Tensor:
    """The gradient behind three blocks y = x + slope · x."""
    x = torch.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(3):
        y = y + slope * y
    y.backward()
    assert x.grad is not None
    return x.grad


MISTAKES = {
    "running variance divided by n": otherwise(
        predictions,
        {"batch norm: the running variance of the first column after this batch": 1.0},
    ),
    "momentum the wrong way round": otherwise(
        predictions,
        {
            "batch norm: the running mean of the first column after this batch": 1.8,
            "batch norm: the running variance of the first column after this batch": 1.9,
        },
    ),
    "only the first of the three ways back": otherwise(
        predictions,
        {"batch norm: the gradient of the first number of the first example": 1.0},
    ),
    "the way through the variance forgotten": otherwise(
        predictions,
        {"batch norm: the gradient of the first number of the first example": 0.5},
    ),
    "the way around forgotten": otherwise(
        predictions,
        {
            "a way around: the gradient through three blocks whose slope is 1, each": 1.0,
            "a way around: the gradient through three blocks whose slope is −1/2, each": -0.125,
        },
    ),
    "ways around added, not multiplied": otherwise(
        predictions,
        {
            "a way around: the gradient through three blocks whose slope is 1, each": 6.0,
            "a way around: the gradient through three blocks whose slope is −1/2, each": 1.5,
        },
    ),
}
