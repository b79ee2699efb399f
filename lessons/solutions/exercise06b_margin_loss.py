"""Solution of exercise 06b."""

from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, loss_pair
from lessons.exercises import exercise06b_margin_loss as stub

ANSWER = "MarginLoss"
REREAD = ("lesson06_cross_entropy.py", "class CrossEntropyLoss")
HINTS = (
    "How far is each class over the line, and which have a slope? What does the right class hear of it?",
    "Keep m − z_c + z_k of every class, and something below 0 for the right one. Where it is above 0, it is "
    "the cost, and the slope is 1/n. The right class has minus the sum of these slopes: each row of the "
    "gradient adds up to 0.",
    "gap = (margin − z.gather(1, target[:, None]) + z).scatter(1, target[:, None], −1); the costs are "
    "gap.clamp(min=0); slope = (gap > 0) / n; scatter −slope.sum(1, keepdim=True) to the right class.",
)
AFTER = (
    "Who is far enough ahead costs nothing, and then nothing is learned from it.",
    "Square what each class costs (p=2 of nn.MultiMarginLoss). What becomes of "
    "the kink?",
)


class MarginLoss(stub.MarginLoss):
    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        self.right = target[:, None]  # (batch, 1)
        gap = (
            self.margin - prediction.gather(1, self.right) + prediction
        )  # (batch, classes)
        self.gap = gap.scatter(
            1, self.right, -1
        )  # below 0: the right class costs nothing
        return self.reduce(self.gap.clamp(min=0).mean(1))

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        """One example: 1/n for every class that costs, and minus their sum for the right one."""
        slope = (self.gap > 0).to(self.gap.dtype) / self.gap.shape[
            1
        ]  # (batch, classes)
        slope = slope.scatter(1, self.right, -slope.sum(1, keepdim=True))
        grad_loss = (
            None if grad_loss is None else grad_loss[:, None]
        )  # (batch,) → (batch, 1)
        return slope * self.share(len(slope), grad_loss)


def pairs(answer: Any) -> list[Pair]:
    """`answer` beside `nn.MultiMarginLoss`. Whole numbers often meet the kink."""

    def pair(name: str, margin: float, mode: str) -> Pair:
        def prediction(case: Case) -> Tensor:
            logits = case.tensor("prediction", case.batch, case.n_out)
            return logits.round() if "whole" in name else logits

        return loss_pair(
            f"{name}, {mode}",
            lambda case: answer(mode, margin),
            lambda case: nn.MultiMarginLoss(reduction=mode, margin=margin),
            prediction,
            lambda case: case.classes("target", case.batch, case.n_out),
        )

    margins = {"margin 1, whole numbers": 1.0, "margin 2.5": 2.5}
    return [
        pair(name, margin, mode)
        for name, margin in margins.items()
        for mode in ("mean", "sum", "none")
    ]


class _RightClassCosts(MarginLoss):
    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        super().forward(prediction, target)
        return self.reduce(
            self.gap.scatter(1, self.right, self.margin).clamp(min=0).mean(1)
        )


class _OtherKink(MarginLoss):
    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        self.gap = self.gap.masked_fill(self.gap == 0, 1.0)
        return super().backward(grad_loss)


class _NotLifted(MarginLoss):
    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        return super().backward(grad_loss).scatter(1, self.right, 0)


class _LiftedOnce(MarginLoss):
    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        grad, costing = super().backward(grad_loss), (self.gap > 0).sum(1, keepdim=True)
        return grad.scatter(
            1, self.right, grad.gather(1, self.right) / costing.clamp(min=1)
        )


class _Alone(MarginLoss):
    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        return super().backward(
            None if grad_loss is None else torch.ones_like(grad_loss)
        )


class _BatchForgotten(MarginLoss):
    def share(self, count: float, grad_loss: Tensor | None) -> Tensor | float:
        return super().share(1, grad_loss)


class _ClassesForgotten(MarginLoss):
    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return super().forward(prediction, target) * prediction.shape[1]

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        return super().backward(grad_loss) * self.gap.shape[1]


MISTAKES: dict[str, Any] = {
    "right class counted too": _RightClassCosts,
    "wrong at exactly 0": _OtherKink,
    "right class not lifted": _NotLifted,
    "right class lifted once, not by every class": _LiftedOnce,
    "upstream gradient ignored": _Alone,
    "mean forgotten": _BatchForgotten,
    "division by the number of classes forgotten": _ClassesForgotten,
}
