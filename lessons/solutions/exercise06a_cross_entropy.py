"""Solution of exercise 06a."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import Pair, loss_pair
from lessons.exercises import exercise06a_cross_entropy as stub

ANSWER = "IndexCrossEntropy"
REREAD = ("lesson06_cross_entropy.py", "The largest z is taken off all")
HINTS = (
    "How large is e^1000 for a computer, and what is that divided by itself? In the second row the right "
    "class has a probability of e^−1000: how large is that?",
    "Take the largest logit of each row off that row: no probability changes, no e^z is above 1. That mends "
    "the first row and the third. For the second, take no logarithm of a probability: ln p = z − ln Σ e^z.",
    "shifted = prediction - prediction.amax(1, keepdim=True); log_p = shifted - log of exp(shifted).sum(1, "
    "keepdim=True). The loss is −log_p at the right class, and self.p is exp(log_p).",
)
AFTER = (
    "Never take the logarithm of a share: take the largest logit away first, "
    "then subtract logarithms.",
    "The same for a single logit: binary cross-entropy of z, without σ(z).",
)


class IndexCrossEntropy(stub.IndexCrossEntropy):
    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """ln p_k = z_k − ln Σ e^z: no e^z above 1, the sum at least 1, no logarithm of 0."""
        shifted = prediction - prediction.amax(1, keepdim=True)
        log_p = shifted - torch.log(
            torch.exp(shifted).sum(1, keepdim=True)
        )  # (batch, classes)
        self.p, self.target = torch.exp(log_p), target
        return self.reduce(-log_p.gather(1, target[:, None])[:, 0])


def pairs(answer: Any) -> list[Pair]:
    """`answer` beside `nn.CrossEntropyLoss`: ordinary logits, large ones, and those that the stub names.

    Logits drawn at random hardly ever are all far below 0.
    """

    def pair(name: str, factor: float, mode: str) -> Pair:
        return loss_pair(
            f"{name}, {mode}",
            lambda case: answer(mode),
            lambda case: nn.CrossEntropyLoss(reduction=mode),
            prediction=lambda case: (
                factor * case.tensor("prediction", case.batch, case.n_out)
            ),
            target=lambda case: case.classes("target", case.batch, case.n_out),
        )

    logits, modes = (
        {"ordinary logits": 1.0, "large logits": 1000.0},
        ("mean", "sum", "none"),
    )
    of_the_table = loss_pair(
        "the three rows of the table",
        lambda case: answer("none"),
        lambda case: nn.CrossEntropyLoss(reduction="none"),
        prediction=lambda case: torch.tensor(
            [[1000.0, 0.0], [1000.0, 0.0], [-1000.0, -1000.0]]
        ),
        target=lambda case: torch.tensor([0, 1, 0]),
    )
    return [
        pair(name, factor, mode) for name, factor in logits.items() for mode in modes
    ] + [of_the_table]


def _of_p(
    shift: Callable[[Tensor], Tensor], least: float = 0.0
) -> type[IndexCrossEntropy]:
    """Softmax of what `shift` leaves, then the logarithm of the probability, held above `least`."""

    class OfP(IndexCrossEntropy):
        def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
            super().forward(prediction, target)
            e = torch.exp(shift(prediction))
            self.p = e / e.sum(1, keepdim=True)
            return self.reduce(
                -torch.log(self.p.clamp(min=least).gather(1, target[:, None])[:, 0])
            )

    return OfP


def _by_row(z: Tensor) -> Tensor:
    return z - z.amax(1, keepdim=True)


class _RowsBelow0NotShifted(IndexCrossEntropy):
    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        shifted = prediction - prediction.amax(1, keepdim=True).clamp(min=0)
        log_p = shifted - torch.log(torch.exp(shifted).sum(1, keepdim=True))
        self.p, self.target = torch.exp(log_p), target
        return self.reduce(-log_p.gather(1, target[:, None])[:, 0])


class _Held(IndexCrossEntropy):
    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return super().forward(prediction.clamp(-50, 50), target)


class _InPlace(IndexCrossEntropy):
    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        return super().forward(
            prediction.sub_(prediction.amax(1, keepdim=True)), target
        )


MISTAKES: dict[str, Any] = {
    "softmax not shifted": stub.IndexCrossEntropy,
    "logarithm of a probability that became 0": _of_p(_by_row),
    "probability held above 1e-12": _of_p(_by_row, 1e-12),
    "shifted by the largest logit of the whole batch": _of_p(lambda z: z - z.amax()),
    "rows with no logit above 0 not shifted": _RowsBelow0NotShifted,
    "logits held between −50 and 50": _Held,
    "input changed in place": _InPlace,
}
