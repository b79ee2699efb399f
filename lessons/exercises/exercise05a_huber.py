"""Exercise 05a · A loss that forgives outliers

Difficulty: 1 of 3 · Time: 15 minutes · After: lesson 05

A price that is wrong by 10 costs 100 times as much as one that is wrong by 1. One misprint in the data
then counts more than all the rest. The Huber loss is a square near the target and a line further off. For
one error e = y − t and a width d:

    loss = ½ e²              where |e| ≤ d
    loss = d · (|e| − ½ d)   where |e| > d

On paper, with d = 1: e = 0.5 costs 0.125, slope 0.5. e = −3 costs 1 · (3 − 0.5) = 2.5, slope −1: on the
line the slope does not grow any more. With d = 2 the same error costs 2 · (3 − 1) = 4.

The batch is reduced as in the lesson, with `reduce` and `share`. PyTorch's is `nn.HuberLoss`.
"""

from torch import Tensor

from lessons.lesson05_losses import Loss


class HuberLoss(Loss):
    """One loss per entry. `prediction` and `target` have the same shape, whatever it is."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """→ the loss (), with reduction "none" of the shape of `prediction`."""
        raise NotImplementedError("write forward")

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        """grad_loss: as `prediction` with reduction "none", else None → ∂L/∂prediction, of its shape."""
        raise NotImplementedError("write backward")
