"""Solution of exercise 01a."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import Pair, layer_pair
from lessons.exercises import exercise01a_softsign as stub
from lessons.lesson01_neuron import TorchNeuron

ANSWER = "SoftsignNeuron"
REREAD = ("lesson01_neuron.py", "class Neuron")
HINTS = (
    "Which parts of the lesson's Neuron stay as they are, and which one does the other curve replace?",
    "Quotient rule, for t > 0: (1 · (1 + t) − t · 1) / (1 + t)². For t < 0 the same with −t. Both are "
    "1 / (1 + |t|)². That times grad_y is the gradient of the sum.",
    "grad_t = grad_y / (1 + self.t.abs()) ** 2; the weight gets grad_t.T @ self.x, the bias grad_t.sum(0), "
    "and x gets grad_t @ weight.",
)
AFTER = (
    "The slope of the curve is one factor on the way back. All else in a neuron "
    "stays as it was.",
    "Softsign's slope is (1 − |y|)². Let backward remember y alone.",
)


class SoftsignNeuron(stub.SoftsignNeuron):
    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        self.t = (
            x @ self.params["weight"].T + self.params["bias"]
        )  # (batch, n_in) @ (n_in, 1) → (batch, 1)
        return self.t / (1 + self.t.abs())

    def slope(self) -> Tensor:
        """t > 0: f = t / (1 + t), f' = 1 / (1 + t)². t < 0: f = t / (1 − t), f' = 1 / (1 − t)²."""
        return 1 / (1 + self.t.abs()) ** 2

    def backward(self, grad_y: Tensor) -> Tensor:
        grad_t = grad_y * self.slope()  # (batch, 1)
        self.grads = {
            "weight": grad_t.T @ self.x,
            "bias": grad_t.sum(0),
        }  # (1, batch) @ (batch, n_in)
        return grad_t @ self.params["weight"]  # (batch, 1) @ (1, n_in) → (batch, n_in)


def pairs(answer: Any) -> list[Pair]:
    """`answer` beside `nn.Linear(n_in, 1)` with `nn.Softsign` behind it."""
    sides = (
        (lambda case: answer(case.n_in)),
        (lambda case: TorchNeuron(case.n_in, nn.Softsign())),
    )
    return [layer_pair("neuron with softsign", *sides)]


def _sloped(slope: Callable[[Tensor], Tensor]) -> type[SoftsignNeuron]:
    class Sloped(SoftsignNeuron):
        def slope(self) -> Tensor:
            return slope(self.t)

    return Sloped


class _Alone(SoftsignNeuron):
    def backward(self, grad_y: Tensor) -> Tensor:
        return super().backward(torch.ones_like(grad_y))


class _Transposed(SoftsignNeuron):
    def backward(self, grad_y: Tensor) -> Tensor:
        grad_x = super().backward(grad_y)
        self.grads["weight"] = self.grads["weight"].T
        return grad_x


class _WrongAxis(SoftsignNeuron):
    def backward(self, grad_y: Tensor) -> Tensor:
        grad_x = super().backward(grad_y)
        self.grads["bias"] = (grad_y * self.slope()).sum(1)
        return grad_x


class _Kept(SoftsignNeuron):
    def backward(self, grad_y: Tensor) -> Tensor:
        old, grad_x = self.grads, super().backward(grad_y)
        self.grads = {
            name: grad + old.get(name, 0) for name, grad in self.grads.items()
        }
        return grad_x


MISTAKES: dict[str, Any] = {
    "activation derivative missing": _sloped(torch.ones_like),
    "absolute value forgotten in the slope": _sloped(lambda t: 1 / (1 + t) ** 2),
    "square forgotten in the slope": _sloped(lambda t: 1 / (1 + t.abs())),
    "upstream gradient ignored": _Alone,
    "transposed": _Transposed,
    "bias summed over the wrong axis": _WrongAxis,
    "gradient not reset": _Kept,
}
