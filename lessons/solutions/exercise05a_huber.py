"""Solution of exercise 05a."""

from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import Pair, loss_pair
from lessons.exercises import exercise05a_huber as stub

ANSWER = "HuberLoss"
REREAD = ("lesson05_losses.py", "class MSELoss")
HINTS = (
    "Which errors lie on the line, and what is the slope of a line? Does a square of ½ e² still have the "
    "factor 2 in its slope?",
    "Keep the error. `torch.where(condition, a, b)` takes a where the condition holds, else b. The slope is "
    "e on the square; on the line it is d or −d, by the sign of e: that is e held between −d and d.",
    "size = error.abs(); losses = torch.where(size <= d, error**2 / 2, d * (size − d / 2)); the slope is "
    "error.clamp(−d, d), times `share` of as many as there are entries.",
)
AFTER = (
    "Beyond the width the slope grows no more, so one misprint cannot outvote "
    "the rest.",
    "ln(cosh e) bends in the same way and has no kink. What is its slope?",
)


class HuberLoss(stub.HuberLoss):
    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        self.error = prediction - target
        size = self.error.abs()
        line = self.delta * (size - self.delta / 2)
        return self.reduce(torch.where(size <= self.delta, self.error**2 / 2, line))

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        """One entry: the slope of ½ e² is e, that of the line d or −d. Together: e held between −d and d."""
        slope = self.error.clamp(-self.delta, self.delta)
        return slope * self.share(self.error.numel(), grad_loss)


def pairs(answer: Any) -> list[Pair]:
    """`answer` beside `nn.HuberLoss`, with widths that have errors on both sides."""

    def pair(delta: float, mode: str) -> Pair:
        return loss_pair(
            f"delta {delta:g}, {mode}",
            lambda case: answer(mode, delta),
            lambda case: nn.HuberLoss(reduction=mode, delta=delta),
            lambda case: 2 * case.tensor("prediction", case.batch, case.n_out),
            lambda case: case.tensor("target", case.batch, case.n_out),
        )

    return [
        pair(delta, mode)
        for delta in (1.0, 0.5, 2.0)
        for mode in ("mean", "sum", "none")
    ]


class _LineWithoutStep(HuberLoss):
    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        super().forward(prediction, target)
        size = self.error.abs()
        return self.reduce(
            torch.where(size <= self.delta, self.error**2 / 2, self.delta * size)
        )


class _NoHalf(HuberLoss):
    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        super().forward(prediction, target)
        size = self.error.abs()
        line = self.delta * (size - self.delta / 2)
        return self.reduce(torch.where(size <= self.delta, self.error**2, line))

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        inside = self.error.abs() <= self.delta
        return super().backward(grad_loss) * torch.where(inside, 2.0, 1.0)


class _SquareEverywhere(HuberLoss):
    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        super().forward(prediction, target)
        return self.reduce(self.error**2 / 2)

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        return self.error * self.share(self.error.numel(), grad_loss)


class _SignForgotten(HuberLoss):
    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        slope = torch.where(self.error.abs() <= self.delta, self.error, self.delta)
        return slope * self.share(self.error.numel(), grad_loss)


class _WidthNotInTheSlope(HuberLoss):
    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        slope = torch.where(
            self.error.abs() <= self.delta, self.error, self.error.sign()
        )
        return slope * self.share(self.error.numel(), grad_loss)


class _Alone(HuberLoss):
    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        return super().backward(
            None if grad_loss is None else torch.ones_like(grad_loss)
        )


class _BatchForgotten(HuberLoss):
    def share(self, count: float, grad_loss: Tensor | None) -> Tensor | float:
        return super().share(1, grad_loss)


class _RowsOnly(HuberLoss):
    def share(self, count: float, grad_loss: Tensor | None) -> Tensor | float:
        return super().share(len(self.error), grad_loss)


MISTAKES: dict[str, Any] = {
    "line without its −½ d": _LineWithoutStep,
    "square without its ½": _NoHalf,
    "square everywhere": _SquareEverywhere,
    "sign forgotten on the line": _SignForgotten,
    "width missing in the slope": _WidthNotInTheSlope,
    "upstream gradient ignored": _Alone,
    "mean forgotten": _BatchForgotten,
    "divided by the examples, not by all entries": _RowsOnly,
}
