"""Solution of exercise 11b."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results
from lessons.lesson04_layers import mlp, torch_mlp
from lessons.lesson05_losses import MSELoss

ANSWER = "whole_loss"
REREAD = ("lesson11_training.py", "def minibatches")
HINTS = (
    "A mean over ten examples is their sum divided by ten. What is the sum over a piece of four?",
    "Each piece counts by its share of the examples: 4/10, 4/10 and 2/10.",
    "Add up len(x_piece) / len(x) * criterion.forward(model.forward(x_piece), target_piece).item() over "
    "zip(x.split(size), target.split(size)).",
)
AFTER = (
    "The mean of all is the mean of the pieces, weighed by their sizes.",
    "Find the spread of the losses too, without keeping them all.",
)


def whole_loss(
    model: Any, criterion: Any, x: Tensor, target: Tensor, size: int
) -> float:
    total = 0.0
    for x_piece, target_piece in zip(x.split(size), target.split(size), strict=True):
        loss = criterion.forward(model.forward(x_piece), target_piece)
        total += len(x_piece) / len(x) * loss.item()
    return total


def pairs(answer: Any) -> list[Pair]:
    """What the learner's `answer` is held against: PyTorch's loss of all examples at once."""
    return [
        Pair(f"{n} by {size}", partial(_scratch, answer, n, size), partial(_torch, n))
        for n, size in ((10, 4), (6, 3), (3, 8), (7, 1), (9, 2))
    ]


def _data(case: Case, count: int) -> tuple[Tensor, Tensor]:
    return case.tensor("x", count, case.n_in), case.tensor("target", count, case.n_out)


def _scratch(answer: Any, count: int, size: int, case: Case) -> Results:
    x, target = _data(case, count)
    model = mlp(case.n_in, 6, case.n_out)
    loss = answer(model, MSELoss(), x, target, size)
    return {"loss": torch.as_tensor(loss, dtype=case.dtype), **model.params}


def _torch(count: int, case: Case) -> Results:
    x, target = _data(case, count)
    model = torch_mlp(case.n_in, 6, case.n_out)
    return {
        "loss": nn.functional.mse_loss(model(x), target),
        **dict(model.named_parameters()),
    }


def _losses(
    model: Any, criterion: Any, x: Tensor, target: Tensor, size: int
) -> list[float]:
    pieces = zip(x.split(size), target.split(size), strict=True)
    return [
        criterion.forward(model.forward(part), right).item() for part, right in pieces
    ]


def _mean_of_means(*given: Any) -> float:
    losses = _losses(*given)
    return sum(losses) / len(losses)


def _sum_over_examples(
    model: Any, criterion: Any, x: Tensor, target: Tensor, size: int
) -> float:
    return len(x) * whole_loss(model, criterion, x, target, size)


def _rest_left_out(
    model: Any, criterion: Any, x: Tensor, target: Tensor, size: int
) -> float:
    whole = max(len(x) // size * size, 1)
    return whole_loss(model, criterion, x[:whole], target[:whole], size)


MISTAKES: dict[str, Any] = {
    "small last piece weighted like the others": _mean_of_means,
    "mean forgotten": lambda *given: sum(_losses(*given)),
    "mean over the examples forgotten": _sum_over_examples,
    "only the first piece": lambda *given: _losses(*given)[0],
    "only the last piece": lambda *given: _losses(*given)[-1],
    "small last piece left out": _rest_left_out,
}
