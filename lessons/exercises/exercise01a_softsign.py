"""Exercise 01a · A neuron with softsign

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 01

Softsign (`nn.Softsign`) is an S-shaped curve from −1 to 1 that needs no exponential: f(t) = t / (1 + |t|).
Build a neuron with it in one class: y = f(t) with t = Σ wᵢxᵢ + b.

The sums 3 and −1 become 0.75 and −0.5. Derive the slope of f once for t > 0 and once for t < 0; both come out
as one formula with |t|. The slope at 3 is 1/16, at −1 it is 1/4, at 0 it is 1.

`backward` sets `grads["weight"]` (1, n_in) and `grads["bias"]` (1,) anew and returns the gradient of x.
"""

import torch
from torch import Tensor


class SoftsignNeuron:
    """Weighted sum plus bias, then softsign. x: (batch, n_in) → y: (batch, 1)."""

    def __init__(self, n_in: int) -> None:
        self.params = {"weight": torch.zeros(1, n_in), "bias": torch.zeros(1)}
        self.grads: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError("write forward")

    def backward(self, grad_y: Tensor) -> Tensor:
        raise NotImplementedError("write backward")
