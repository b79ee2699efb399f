"""Exercise 04a · A linear layer with a scale

Difficulty: 2 of 3 · Time: 20 minutes · After: lesson 04

Every neuron gets one more number to learn, its scale. It multiplies the weighted sum, before the bias comes:

    s = x Wᵀ,   y = s · scale + bias

On paper: x = (1, 2), W = ((3, 1),), scale = (10,), bias = (7,). Then s = 5 and y = 57.
One scale per neuron, so it meets the columns of s. `backward` returns ∂L/∂x and fills `self.grads` with the
gradients of weight, scale and bias. With grad_y = 1 the example has the gradients (30, 10) for x,
(10, 20) for the weights, 5 for the scale and 1 for the bias.
"""

import torch
from torch import Tensor

from lessons.lesson04_layers import Linear


class ScaledLinear:
    """y = (x Wᵀ) · scale + bias. x: (batch, n_in) → y: (batch, n_out).

    `params`: weight (n_out, n_in), bias (n_out,), scale (n_out,). `grads`: the same names and shapes.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        self.params = Linear(n_in, n_out).params | {"scale": torch.ones(n_out)}
        self.grads: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError("write forward")

    def backward(self, grad_y: Tensor) -> Tensor:
        raise NotImplementedError("write backward")
