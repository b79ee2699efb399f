"""Answers to exercise 11b as learners write them."""

from typing import Any

import torch
from torch import Tensor


def by_sums(model: Any, criterion: Any, x: Tensor, target: Tensor, size: int) -> float:
    total = 0.0
    for start in range(0, len(x), size):
        piece = slice(start, start + size)
        total += criterion.forward(model.forward(x[piece]), target[piece]).item() * len(x[piece])
    return total / len(x)


def predictions_first(model: Any, criterion: Any, x: Tensor, target: Tensor, size: int) -> float:
    """Only the model needs small pieces: one loss of all predictions."""
    y = torch.cat([model.forward(piece) for piece in x.split(size)])
    return float(criterion.forward(y, target))


def plain_mean(model: Any, criterion: Any, x: Tensor, target: Tensor, size: int) -> float:
    losses = []
    for start in range(0, len(x), size):
        y = model.forward(x[start : start + size])
        losses.append(float(criterion.forward(y, target[start : start + size])))
    return float(torch.tensor(losses, dtype=torch.float64).mean())


def added(model: Any, criterion: Any, x: Tensor, target: Tensor, size: int) -> float:
    loss = 0.0
    for start in range(0, len(x), size):
        y = model.forward(x[start : start + size])
        loss += float(criterion.forward(y, target[start : start + size]))
    return loss


def not_divided(model: Any, criterion: Any, x: Tensor, target: Tensor, size: int) -> float:
    return by_sums(model, criterion, x, target, size) * len(x)


def overwritten(model: Any, criterion: Any, x: Tensor, target: Tensor, size: int) -> float:
    loss = 0.0
    for start in range(0, len(x), size):
        y = model.forward(x[start : start + size])
        loss = float(criterion.forward(y, target[start : start + size]))
    return loss


def returns_too_early(model: Any, criterion: Any, x: Tensor, target: Tensor, size: int) -> float:
    for piece, right in zip(x.split(size), target.split(size), strict=True):
        return float(criterion.forward(model.forward(piece), right))
    return 0.0


def halved(model: Any, criterion: Any, x: Tensor, target: Tensor, size: int) -> float:
    return by_sums(model, criterion, x, target, size) / 2


RIGHT = [by_sums, predictions_first]
WRONG = [
    ("small last piece weighted like the others", plain_mean),
    ("mean forgotten", added),
    ("mean over the examples forgotten", not_divided),
    ("only the last piece", overwritten),
    ("only the first piece", returns_too_early),
    ("", halved),
]
