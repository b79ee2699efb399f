"""Solution of exercise 11a."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, training_pair
from lessons.lesson04_layers import mlp, torch_mlp
from lessons.lesson05_losses import MSELoss
from lessons.lesson07_descent import SGD, loss_and_grads
from lessons.lesson11_training import train_step

ANSWER = "accumulated_step"
REREAD = ("lesson11_training.py", "def train_step")
HINTS = (
    "The gradient of the whole batch is a mean over ten examples. How large is the part of a piece of two?",
    "Each piece adds its gradient, times its share of the examples, to a total. Then comes one step.",
    "total[name] += len(x_piece) / len(x) * model.grads[name], for x.split(size) and target.split(size).",
)
AFTER = (
    "A piece counts by its size. Weighed so, small pieces give the gradient of "
    "the whole batch.",
    "Let every example have a weight of its own in the loss.",
)


def accumulated_step(
    model: Any, criterion: Any, optimizer: Any, x: Tensor, target: Tensor, size: int
) -> None:
    total = {name: torch.zeros_like(param) for name, param in model.params.items()}
    for x_piece, target_piece in zip(x.split(size), target.split(size), strict=True):
        criterion.forward(model.forward(x_piece), target_piece)
        model.backward(criterion.backward())
        for name, grad in model.grads.items():
            total[name] += len(x_piece) / len(x) * grad
    optimizer.step(total)


def pairs(answer: Any) -> list[Pair]:
    """What the learner's `answer` is held against: PyTorch's step on the whole batch."""
    return [
        training_pair(
            f"{n} by {size}", partial(_scratch, answer, n, size), partial(_torch, n)
        )
        for n, size in ((10, 4), (6, 3), (3, 8), (9, 2))
    ]


def _data(case: Case, count: int) -> tuple[Tensor, Tensor]:
    return case.tensor("x", count, case.n_in), case.tensor("target", count, case.n_out)


def _scratch(
    answer: Any, count: int, size: int, case: Case
) -> tuple[list[float], dict[str, Tensor]]:
    (x, target), model, losses = _data(case, count), mlp(case.n_in, 6, case.n_out), []
    optimizer = SGD(model.params, lr=0.01)
    for _ in range(4):
        losses.append(MSELoss().forward(model.forward(x), target).item())
        answer(model, MSELoss(), optimizer, x, target, size)
    return losses, model.params


def _torch(count: int, case: Case) -> tuple[list[float], dict[str, Tensor]]:
    (x, target), model, losses = (
        _data(case, count),
        torch_mlp(case.n_in, 6, case.n_out),
        [],
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for _ in range(4):
        loss = nn.functional.mse_loss(model(x), target)  # the whole batch at once
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, dict(model.named_parameters())


def _all_alike(mean: bool) -> Any:
    """Every piece weighs the same: the mean of their gradients, or the sum."""

    def mistake(
        model: Any, criterion: Any, optimizer: Any, x: Tensor, target: Tensor, size: int
    ) -> None:
        pieces = zip(x.split(size), target.split(size), strict=True)
        grads = [loss_and_grads(model, criterion, *piece)[1] for piece in pieces]
        share = 1 / len(grads) if mean else 1
        optimizer.step(
            {name: share * sum(g[name] for g in grads) for name in model.params}
        )

    return mistake


MISTAKES = {
    "mean forgotten": _all_alike(mean=False),
    "small last piece weighted like the others": _all_alike(mean=True),
    "gradient not accumulated": lambda m, c, o, x, t, s: train_step(
        m, c, o, x.split(s)[-1], t.split(s)[-1]
    ),
    "step after every piece": lambda m, c, o, x, t, s: [
        train_step(m, c, o, *part) for part in zip(x.split(s), t.split(s), strict=True)
    ],
}
