"""Solution of exercise 16b."""

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, layer_pair
from lessons.exercises import exercise16b_dropout as stub
from lessons.lesson16_overfitting import _seeded

ANSWER = "Dropout"
REREAD = ("lesson16_overfitting.py", "**Dropout** silences every hidden neuron")
HINTS = (
    "Four neurons give 3 each, p = 0.5. What is their sum on average in training, and what is it in use?",
    "What is silenced has to be made up for once: in training, or in use, not in both. Inverted dropout, and "
    "torch's, does it in training. In use x goes through as it is, and so does its gradient.",
    "In use the mask is 1 everywhere: torch.ones_like(x).",
)
AFTER = (
    "Dropout divides by 1 − p while it trains, so in use nothing is left to be done.",
    "Drop whole columns of the batch. What changes in use?",
)


class Dropout(stub.Dropout):
    def forward(self, x: Tensor) -> Tensor:
        self.mask = self.draw(x) / (1 - self.p) if self.training else torch.ones_like(x)
        return x * self.mask


def pairs(answer: type[stub.Dropout]) -> list[Pair]:
    return [
        _seeded(
            layer_pair(
                "training", lambda case: answer(0.3), lambda case: nn.Dropout(0.3)
            )
        ),
        _seeded(
            layer_pair(
                "use",
                lambda case: _used(answer, case),
                lambda case: nn.Dropout(0.3).eval(),
            )
        ),
    ]


def _used(answer: type[stub.Dropout], case: Case) -> stub.Dropout:
    """Dropout that has been in training, and is now in use."""
    layer = answer(0.3)
    layer.forward(case.tensor("x_train", case.batch, case.n_in))
    return layer.eval()


class _Classic(Dropout):
    def forward(self, x: Tensor) -> Tensor:
        self.mask = self.draw(x) if self.training else torch.full_like(x, 1 - self.p)
        return x * self.mask


class _NeverScaled(Dropout):
    def forward(self, x: Tensor) -> Tensor:
        self.mask = self.draw(x) if self.training else torch.ones_like(x)
        return x * self.mask


class _AlwaysOn(Dropout):
    def forward(self, x: Tensor) -> Tensor:
        self.mask = self.draw(x) / (1 - self.p)
        return x * self.mask


class _OldMask(Dropout):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if self.training else x


class _TooLoud(Dropout):
    def forward(self, x: Tensor) -> Tensor:
        self.mask = (
            self.draw(x) / (1 - self.p)
            if self.training
            else torch.full_like(x, 1 / (1 - self.p))
        )
        return x * self.mask


MISTAKES = {
    "scaled in training and in use": stub.Dropout,
    "scaled in use, not in training": _Classic,
    "never scaled": _NeverScaled,
    "active in use": _AlwaysOn,
    "backward in use takes the mask of training": _OldMask,
    "enlarged in use, too": _TooLoud,
}
