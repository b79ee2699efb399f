"""Exercise 04b · Find the bug: a layer that brings its activation

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 04

This layer is a `Linear` and a `Tanh` in one piece: y = tanh(x Wᵀ + b). Its outputs are right. The
gradient of x that it hands back is right too, so the layers before it learn what they should. Its own
weight and bias do not.

Take one input and one neuron, x = 2, weight 1, bias 0, so y = tanh(2) = 0.964. With grad_y = 1 it says
that the slope along the weight is 2. Measured, with the weight at 1.001 and at 0.999, it is
(0.9641686 − 0.9638860) / 0.002 = 0.1413. Where y is near 0 the layer is almost right.

Find the mistake and mend it.
"""

import torch
from torch import Tensor

from lessons.lesson04_layers import Linear


class TanhLayer(Linear):
    """y = tanh(x Wᵀ + b). x: (batch, n_in) → y: (batch, n_out). `params` and `grads`: weight and bias."""

    def forward(self, x: Tensor) -> Tensor:
        self.y = torch.tanh(super().forward(x))
        return self.y

    def backward(self, grad_y: Tensor) -> Tensor:
        """The gradient goes back through tanh, then through the sum; ∂tanh(s)/∂s = 1 − tanh(s)² = 1 − y²."""
        self.backward_params(grad_y)
        grad_sum = grad_y * (1 - self.y**2)  # (batch, n_out)
        return (
            grad_sum @ self.params["weight"]
        )  # (batch, n_out) @ (n_out, n_in) → (batch, n_in)
