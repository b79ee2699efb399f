"""Solution of exercise 01b."""

from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, layer_pair
from lessons.exercises import exercise01b_sigmoid as stub

ANSWER = "SplitSigmoid"
REREAD = ("lesson01_neuron.py", "class Sigmoid")
HINTS = (
    "Print `left` for x = 1,000. It is not wanted there. Is it left out?",
    "Above 709, e^x is infinite. Infinity / infinity is nan, and 0 · nan is nan: a mask that multiplies "
    "does not leave anything out.",
    "torch.where(x >= 0, right, left) takes one or the other and multiplies neither.",
)
AFTER = (
    "Two formulas can be equal on paper and differ in the machine. Take each "
    "where its exponential is at most 1, and choose with where: a mask that "
    "multiplies leaves nothing out.",
    "ln(1 + e^x) overflows in the same way. Write it in two halves.",
)


class SplitSigmoid(stub.SplitSigmoid):
    def forward(self, x: Tensor) -> Tensor:
        """`left` is still nan where x is large, but `where` does not look at it there."""
        right = 1 / (1 + torch.exp(-x))
        left = torch.exp(x) / (1 + torch.exp(x))
        self.y = torch.where(x >= 0, right, left)
        return self.y


def pairs(answer: Any) -> list[Pair]:
    """`answer` beside `nn.Sigmoid`, with everyday numbers and with large ones."""
    sides = (lambda case: answer()), (lambda case: nn.Sigmoid())
    return [
        layer_pair("split sigmoid", *sides),
        layer_pair("split sigmoid, large numbers", *sides, x=far),
    ]


def far(case: Case, name: str) -> Tensor:
    """Numbers of all sizes (2, 5); one row has no positive ones."""
    return torch.tensor([[-1e4, -1e3, -100.0, -1.0, -0.0], [0.0, 0.5, 100.0, 1e3, 1e4]])


class _NanIsZero(stub.SplitSigmoid):
    def forward(self, x: Tensor) -> Tensor:
        self.y = super().forward(x).nan_to_num(0.0)
        return self.y


class _Held(SplitSigmoid):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.clamp(-10, 10))


class _Mirrored(SplitSigmoid):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.abs())


class _Straight(SplitSigmoid):
    def backward(self, grad_y: Tensor) -> Tensor:
        return grad_y


class _Alone(SplitSigmoid):
    def backward(self, grad_y: Tensor) -> Tensor:
        return super().backward(torch.ones_like(grad_y))


class _InPlace(SplitSigmoid):
    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        x.abs_().neg_()
        return y


MISTAKES: dict[str, Any] = {
    "exponential overflows": stub.SplitSigmoid,
    "nan replaced by 0": _NanIsZero,
    "input held between −10 and 10": _Held,
    "sign": _Mirrored,
    "activation derivative missing": _Straight,
    "upstream gradient ignored": _Alone,
    "input changed in place": _InPlace,
}
