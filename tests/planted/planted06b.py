"""Answers to exercise 06b as learners write them."""

import torch
from torch import Tensor

from lessons.lesson05_losses import Loss


class Loops(Loss):
    """Example by example, class by class. What the wrong ones change are the attributes."""

    counts_right = False
    kink = False
    lift = "all"
    upstream = True
    divides = True

    def __init__(self, reduction: str = "mean", margin: float = 1.0) -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        losses = torch.zeros(len(prediction))
        self.grad = torch.zeros_like(prediction)
        n = prediction.shape[1]
        for i, c in enumerate(target.tolist()):
            for k in range(n):
                over = self.margin - prediction[i, c] + prediction[i, k]
                if over < 0 or (k == c and not self.counts_right):
                    continue
                losses[i] += over / n
                if over == 0 and not self.kink:
                    continue
                self.grad[i, k] += 1 / n
                if self.lift == "all":
                    self.grad[i, c] -= 1 / n
                elif self.lift == "once":
                    self.grad[i, c] = -1 / n
        return self.reduce(losses)

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        grad = self.grad
        if grad_loss is not None and self.upstream:
            grad = grad * grad_loss.reshape(-1, 1)
        return grad / len(grad) if self.reduction == "mean" and self.divides else grad


class Masked(Loops):
    """All at once, with a mask of the classes that cost something."""

    def times(self, n: int) -> float:
        return 1.0

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        n = prediction.shape[1]
        right = torch.eye(n)[target]  # (batch, n)
        gap = self.margin - (prediction * right).sum(1, keepdim=True) + prediction
        active = (gap > 0) * (1 - right)
        self.grad = (active - right * active.sum(1, keepdim=True)) / n * self.times(n)
        return self.reduce((gap * active).mean(1) * self.times(n))


class CountsRight(Loops):
    counts_right = True


class Kink(Loops):
    kink = True


class NoLift(Loops):
    lift = "none"


class OneLift(Loops):
    lift = "once"


class NoUpstream(Loops):
    upstream = False


class NoMean(Loops):
    divides = False


class SumOfClasses(Masked):
    def times(self, n: int) -> float:
        return n


class OthersOnly(Masked):
    """Divided by the n − 1 other classes."""

    def times(self, n: int) -> float:
        return n / (n - 1) if n > 1 else 1.0


RIGHT = [Loops, Masked]
WRONG = [
    ("right class counted too", CountsRight),
    ("wrong at exactly 0", Kink),
    ("right class not lifted", NoLift),
    ("right class lifted once, not by every class", OneLift),
    ("upstream gradient ignored", NoUpstream),
    ("mean forgotten", NoMean),
    ("division by the number of classes forgotten", SumOfClasses),
    ("", OthersOnly),
]
