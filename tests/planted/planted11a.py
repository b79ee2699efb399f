"""Answers to exercise 11a as learners write them."""

from typing import Any

import torch
from torch import Tensor


def blame_of_the_whole(
    model: Any, criterion: Any, optimizer: Any, x: Tensor, target: Tensor, size: int
) -> None:
    """Scales what goes into `backward` in place of what comes out."""
    total: dict[str, Tensor] = {}
    for start in range(0, len(x), size):
        piece = slice(start, start + size)
        criterion.forward(model.forward(x[piece]), target[piece])
        model.backward(criterion.backward() * (len(x[piece]) / len(x)))
        total = {name: total.get(name, 0) + grad for name, grad in model.grads.items()}
    optimizer.step(total)


def sums_first(model: Any, criterion: Any, optimizer: Any, x: Tensor, target: Tensor, size: int) -> None:
    pieces = [gradient(model, criterion, x, target, i, size) for i in range(0, len(x), size)]
    sizes = torch.tensor([float(min(size, len(x) - i)) for i in range(0, len(x), size)])
    stacked = {name: torch.stack([piece[name] for piece in pieces], dim=-1) for name in model.params}
    optimizer.step({name: grads @ sizes / sizes.sum() for name, grads in stacked.items()})


def gradient(
    model: Any, criterion: Any, x: Tensor, target: Tensor, start: int, size: int
) -> dict[str, Tensor]:
    criterion.forward(model.forward(x[start : start + size]), target[start : start + size])
    model.backward(criterion.backward())
    return model.grads


def added_up(model: Any, criterion: Any, optimizer: Any, x: Tensor, target: Tensor, size: int) -> None:
    pieces = [gradient(model, criterion, x, target, i, size) for i in range(0, len(x), size)]
    optimizer.step({name: sum(piece[name] for piece in pieces) for name in model.params})


def plain_mean(model: Any, criterion: Any, optimizer: Any, x: Tensor, target: Tensor, size: int) -> None:
    pieces = [gradient(model, criterion, x, target, i, size) for i in range(0, len(x), size)]
    optimizer.step({n: torch.stack([piece[n] for piece in pieces]).mean(0) for n in model.params})


def only_the_last(model: Any, criterion: Any, optimizer: Any, x: Tensor, target: Tensor, size: int) -> None:
    for start in range(0, len(x), size):
        grads = gradient(model, criterion, x, target, start, size)
    optimizer.step(grads)


def impatient(model: Any, criterion: Any, optimizer: Any, x: Tensor, target: Tensor, size: int) -> None:
    for start in range(0, len(x), size):
        optimizer.step(gradient(model, criterion, x, target, start, size))


def keeps(model: Any, criterion: Any, optimizer: Any, x: Tensor, target: Tensor, size: int) -> None:
    if not hasattr(model, "total"):
        model.total = {name: torch.zeros(param.shape) for name, param in model.params.items()}
    for start in range(0, len(x), size):
        share = min(size, len(x) - start) / len(x)
        for name, grad in gradient(model, criterion, x, target, start, size).items():
            model.total[name] += share * grad
    optimizer.step(model.total)


def divides_by_size(model: Any, criterion: Any, optimizer: Any, x: Tensor, target: Tensor, size: int) -> None:
    pieces = [gradient(model, criterion, x, target, i, size) for i in range(0, len(x), size)]
    optimizer.step({name: sum(piece[name] for piece in pieces) / size for name in model.params})


def drops_the_rest(model: Any, criterion: Any, optimizer: Any, x: Tensor, target: Tensor, size: int) -> None:
    starts = range(0, len(x) - size + 1, size) or [0]
    pieces = [gradient(model, criterion, x, target, i, size) for i in starts]
    optimizer.step({name: sum(piece[name] for piece in pieces) / len(pieces) for name in model.params})


RIGHT = [blame_of_the_whole, sums_first]
WRONG = [
    ("mean forgotten", added_up),
    ("small last piece weighted like the others", plain_mean),
    ("gradient not accumulated", only_the_last),
    ("step after every piece", impatient),
    ("", keeps),
    ("", divides_by_size),
    ("", drops_the_rest),
]
