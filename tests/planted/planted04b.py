"""Answers to exercise 04b as learners write them."""

import torch
from torch import Tensor

from lessons.exercises.exercise04b_tanh_layer import TanhLayer as Stub
from lessons.lesson03_activations import Tanh
from lessons.lesson04_layers import Linear


class TwoPieces:
    """The two layers of the lessons, one after the other."""

    def __init__(self, n_in: int, n_out: int) -> None:
        self.linear, self.tanh = Linear(n_in, n_out), Tanh()
        self.params = self.linear.params

    @property
    def grads(self) -> dict[str, Tensor]:
        return self.linear.grads

    def forward(self, x: Tensor) -> Tensor:
        return self.tanh.forward(self.linear.forward(x))

    def backward(self, grad_y: Tensor) -> Tensor:
        return self.linear.backward(self.tanh.backward(grad_y))


class Written(Stub):
    """Everything in this class, the slope of tanh as 1 / cosh²."""

    def forward(self, x: Tensor) -> Tensor:
        self.x, self.s = x, torch.einsum("bi,oi->bo", x, self.params["weight"]) + self.params["bias"]
        return torch.tanh(self.s)

    def slope(self) -> Tensor:
        return 1 / torch.cosh(self.s) ** 2

    def backward(self, grad_y: Tensor) -> Tensor:
        g = grad_y * self.slope()
        self.grads = {"weight": torch.einsum("bo,bi->oi", g, self.x), "bias": g.sum(0)}
        return torch.einsum("bo,oi->bi", g, self.params["weight"])


class OnlyTheWeight(Written):
    def backward(self, grad_y: Tensor) -> Tensor:
        grad_x = super().backward(grad_y)
        self.grads["bias"] = grad_y.sum(0)
        return grad_x


class StillMissing(Written):
    def backward(self, grad_y: Tensor) -> Tensor:
        grad_x = super().backward(grad_y)
        self.grads = {"weight": grad_y.T @ self.x, "bias": grad_y.sum(0)}
        return grad_x


class TookItOut(Written):
    def slope(self) -> Tensor:
        return torch.ones_like(self.s)


class Squared(Written):
    def slope(self) -> Tensor:
        return (1 - torch.tanh(self.s) ** 2) ** 2


class TanhOfTanh(Written):
    def slope(self) -> Tensor:
        return 1 - torch.tanh(torch.tanh(self.s)).square()


class NotSquared(Written):
    def slope(self) -> Tensor:
        return 1 - torch.tanh(self.s)


class SlopeOnly(Written):
    def backward(self, grad_y: Tensor) -> Tensor:
        return super().backward(grad_y**0)


RIGHT = [TwoPieces, Written]
WRONG = [
    ("activation derivative missing in the parameters", StillMissing),
    ("activation derivative missing", TookItOut),
    ("activation derivative extra", Squared),
    ("slope of tanh taken at its output", TanhOfTanh),
    ("square forgotten in the slope", NotSquared),
    ("upstream gradient ignored", SlopeOnly),
    ("", OnlyTheWeight),
]
