"""Exercise 08a · A network with a skip

Difficulty: 2 of 3 · Time: 20 minutes · After: lesson 08

In this network x also goes straight to the output, past the hidden neurons, with weights of its own. That
is a skip connection (lesson 02): h = ReLU(x W₁ᵀ + b₁) and y = h W₂ᵀ + x Vᵀ + b₂. In code V is `skip`.

One number each, no biases, weight1 = 2, weight2 = 3, skip = 5. At x = 2: y = 3 · 4 + 5 · 2 = 22 and
∂y/∂x = 11. At x = −2 the hidden neuron is off: y = −10 and ∂y/∂x = 5.

The way forward is given. Write the way back.
"""

import torch
from torch import Tensor


class SkipNetwork:
    """x: (batch, n_in) → y: (batch, n_out).

    `params`: weight1 (n_hidden, n_in), bias1 (n_hidden,), weight2 (n_out, n_hidden), bias2 (n_out,),
    skip (n_out, n_in). `grads`: the same names and shapes.
    """

    def __init__(self, n_in: int, n_hidden: int, n_out: int) -> None:
        shapes = {"weight1": (n_hidden, n_in), "bias1": (n_hidden,)}
        shapes |= {
            "weight2": (n_out, n_hidden),
            "bias2": (n_out,),
            "skip": (n_out, n_in),
        }
        self.params = {
            name: torch.empty(shape).uniform_(-0.5, 0.5)
            for name, shape in shapes.items()
        }
        self.grads: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        """The output. Remembers x, z and h for the way back."""
        self.x = x
        self.z = (
            x @ self.params["weight1"].T + self.params["bias1"]
        )  # (batch, n_hidden)
        self.h = self.z.clamp(min=0)
        return (
            self.h @ self.params["weight2"].T
            + x @ self.params["skip"].T
            + self.params["bias2"]
        )

    def backward(self, grad_y: Tensor) -> Tensor:
        """grad_y (batch, n_out) → grad_x (batch, n_in). Puts new gradients of all five into `grads`."""
        raise NotImplementedError("write backward")
