"""Exercise 06b · A loss that is content with a margin

Difficulty: 2 of 3 · Time: 25 minutes · After: lesson 06

Cross-entropy always wants the right class surer still. The margin loss (hinge loss) stops: the right
logit z_c has to be above every other by the margin m, and what lies further off costs nothing. One
example, n classes:

    loss = 1/n · Σ max(0, m − z_c + z_k), summed over all k but c

On paper: z = (2, 1.5, −3), right class 0, m = 1. Class 1 is only 0.5 below and costs 0.5, class 2
costs nothing: the loss is 0.5 / 3, its gradient (−1/3, 1/3, 0). Each class that costs something wants
down and lifts z_c. At the kink, where m − z_c + z_k is exactly 0, PyTorch's slope is 0.

The batch is reduced as in the lesson, with `reduce` and `share`. PyTorch's is `nn.MultiMarginLoss`.
"""

from torch import Tensor

from lessons.lesson05_losses import Loss


class MarginLoss(Loss):
    """One loss per example. prediction: (batch, classes); target: the right class of each, int64 (batch,)."""

    def __init__(self, reduction: str = "mean", margin: float = 1.0) -> None:
        super().__init__(reduction)
        self.margin = margin

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """→ the loss (), with reduction "none" (batch,)."""
        raise NotImplementedError("write forward")

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        """grad_loss: (batch,) with reduction "none", else None → ∂L/∂prediction (batch, classes)."""
        raise NotImplementedError("write backward")
