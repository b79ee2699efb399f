"""Answers to exercise 17b as learners write them."""

from itertools import pairwise

import torch
from torch import Tensor

from lessons.lesson03_activations import ReLU, Tanh
from lessons.lesson04_layers import Linear, Sequential


class InOneLine(Sequential):
    def __init__(self, sizes: tuple[int, ...]) -> None:
        layers = [layer for pair in pairwise(sizes) for layer in (Linear(*pair), ReLU())]
        layers.pop()
        super().__init__(*layers)


class WithoutReLUs:
    """Keeps what every place needs in a list."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.linears = [Linear(n_in, n_out) for n_in, n_out in pairwise(sizes)]
        self.params = {f"{2 * i}.{n}": p for i, lin in enumerate(self.linears) for n, p in lin.params.items()}

    def forward(self, x: Tensor) -> Tensor:
        self.open = []
        for linear in self.linears[:-1]:
            x = linear.forward(x)
            self.open.append(x > 0)
            x = x.clamp(min=0)
        return self.linears[-1].forward(x)

    def backward(self, grad: Tensor) -> Tensor:
        grad = self.linears[-1].backward(grad)
        for linear, is_open in zip(self.linears[-2::-1], self.open[::-1], strict=True):
            grad = linear.backward(torch.where(is_open, grad, 0))
        self.grads = {f"{2 * i}.{n}": g for i, lin in enumerate(self.linears) for n, g in lin.grads.items()}
        return grad


class StillShared(WithoutReLUs):
    def backward(self, grad: Tensor) -> Tensor:
        self.open = [self.open[-1]] * len(self.open)
        return super().backward(grad)


class ReLUEverywhere(Sequential):
    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__(*[layer for pair in pairwise(sizes) for layer in (Linear(*pair), ReLU())])


class LeftItOut(WithoutReLUs):
    def forward(self, x: Tensor) -> Tensor:
        self.open = [torch.ones(len(x), 1, dtype=torch.bool) for _ in self.linears[1:]]
        for linear in self.linears:
            x = linear.forward(x)
        return x


class NoSlope(WithoutReLUs):
    def backward(self, grad: Tensor) -> Tensor:
        self.open = [torch.ones_like(is_open) for is_open in self.open]
        return super().backward(grad)


class SwitchedToTanh(Sequential):
    def __init__(self, sizes: tuple[int, ...]) -> None:
        layers = [layer for pair in pairwise(sizes) for layer in (Linear(*pair), Tanh())]
        super().__init__(*layers[:-1])


RIGHT = [InOneLine, WithoutReLUs]
WRONG = [
    ("one ReLU shared by all layers", StillShared),
    ("ReLU on the logits", ReLUEverywhere),
    ("activation forgotten", LeftItOut),
    ("activation derivative missing", NoSlope),
    ("", SwitchedToTanh),
]
