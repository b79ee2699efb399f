"""Solution of exercise 08b."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from curriculum.pair import Case, Pair, training_pair
from lessons.exercises import exercise08b_two_layers as stub
from lessons.lesson08_backprop import drawn

ANSWER = "step"
REREAD = ("lesson08_backprop.py", "def update(optimizer")
HINTS = (
    "Which number does the first layer's gradient need from the second layer? Which value should it have?",
    "All gradients belong to one place: the weights with which y was computed. First comes the whole way "
    "back, then the update of all parameters.",
    "Compute grad_h = grad_y @ weight2 before the line that changes weight2.",
)
AFTER = (
    "All gradients belong to the weights from before the step: go all the way "
    "back first, then step.",
    "Put the same bug into three layers. Which of them are wrong after one step?",
)


def step(params: dict[str, Tensor], x: Tensor, target: Tensor, lr: float) -> Tensor:
    h = (x @ params["weight1"].T + params["bias1"]).tanh()
    error = h @ params["weight2"].T + params["bias2"] - target
    grad_y = 2 * error / error.numel()
    grad_z = (
        grad_y @ params["weight2"] * (1 - h**2)
    )  # with weight2 as it was on the way forward
    params["weight2"] -= lr * grad_y.T @ h
    params["bias2"] -= lr * grad_y.sum(0)
    params["weight1"] -= lr * grad_z.T @ x
    params["bias1"] -= lr * grad_z.sum(0)
    return (error**2).mean()


def pairs(answer: Any) -> list[Pair]:
    """What the learner's `answer` is held against: autograd and `torch.optim.SGD`."""
    return [
        training_pair(
            f"{steps} × {lr}",
            partial(_scratch, answer, lr, steps),
            partial(_torch, lr, steps),
        )
        for lr, steps in ((0.1, 1), (0.05, 5))
    ]


def _scratch(
    answer: Any, lr: float, steps: int, case: Case
) -> tuple[list[float], dict[str, Tensor]]:
    params = drawn(case)
    x, target = params.pop("x"), params.pop("target")
    return [float(answer(params, x, target, lr)) for _ in range(steps)], params


def _torch(lr: float, steps: int, case: Case) -> tuple[list[float], dict[str, Tensor]]:
    given, losses = drawn(case), []
    x, target = given.pop("x"), given.pop("target")
    params = {name: nn.Parameter(value) for name, value in given.items()}
    optimizer = torch.optim.SGD(params.values(), lr)
    for _ in range(steps):
        h = F.linear(x, params["weight1"], params["bias1"]).tanh()
        loss = F.mse_loss(F.linear(h, params["weight2"], params["bias2"]), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, dict(params)


def _rate_times(factor: Any) -> Any:
    """The whole gradient off by a factor, which may depend on the target's shape."""
    return lambda params, x, target, lr: step(params, x, target, lr * factor(target))


def _no_slope(
    params: dict[str, Tensor], x: Tensor, target: Tensor, lr: float
) -> Tensor:
    h = (x @ params["weight1"].T + params["bias1"]).tanh()
    grad_y = 2 * (h @ params["weight2"].T + params["bias2"] - target) / target.numel()
    grad_h = grad_y @ params["weight2"]
    first = {
        "weight1": params["weight1"] - lr * grad_h.T @ x,
        "bias1": params["bias1"] - lr * grad_h.sum(0),
    }
    loss = step(params, x, target, lr)
    params.update(first)
    return loss


MISTAKES = {
    "weight changed before the blame went through it": stub.step,
    "activation derivative missing": _no_slope,
    "mean forgotten": _rate_times(Tensor.numel),
    "mean over the examples only": _rate_times(lambda target: target.shape[1]),
    "sign": _rate_times(lambda target: -1),
}
