# %% [markdown]
# # Lesson 04 · Layers and the forward pass
#
# *How do many neurons become a layer, and many layers a network?*
#
# Needs: lessons 01, 03 · Time: 25 minutes

# %%
import math
from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import layer_pair

# %% [markdown]
# ## From scratch


# %%
class Linear:
    """`n_out` neurons that look at the same `n_in` inputs: y = x Wᵀ + b.

    x: (batch, n_in) → y: (batch, n_out). `params`: weight (n_out, n_in) and bias (n_out,), drawn evenly
    between ±1/√n_in, as `nn.Linear` does.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        bound = 1 / math.sqrt(n_in)
        self.params = {
            "weight": torch.empty(n_out, n_in).uniform_(-bound, bound),
            "bias": torch.empty(n_out).uniform_(-bound, bound),
        }
        self.grads: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        # bias + x @ weight.T in one pass: (batch, n_in) @ (n_in, n_out) → (batch, n_out)
        return torch.addmm(self.params["bias"], x, self.params["weight"].T)

    def backward(self, grad_y: Tensor) -> Tensor:
        """∂L/∂x."""
        self.backward_params(grad_y)
        return grad_y @ self.params["weight"]  # (batch, n_out) @ (n_out, n_in) → (batch, n_in)

    def backward_params(self, grad_y: Tensor) -> None:
        """Only ∂L/∂weight and ∂L/∂bias: all that a first layer needs, whose input is data."""
        self.grads = {
            "weight": grad_y.T @ self.x,  # (n_out, batch) @ (batch, n_in) → (n_out, n_in)
            "bias": grad_y.sum(0),  # (batch, n_out) → (n_out,)
        }


class Sequential:
    """Layers one after the other. `params` and `grads` are those of all layers: "0.weight", "0.bias", "2.weight", …"""

    def __init__(self, *layers: Any) -> None:
        self.layers = layers

    @property
    def params(self) -> dict[str, Tensor]:
        return {f"{i}.{name}": p for i, layer in enumerate(self.layers) for name, p in layer.params.items()}

    @property
    def grads(self) -> dict[str, Tensor]:
        return {f"{i}.{name}": g for i, layer in enumerate(self.layers) for name, g in layer.grads.items()}

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad_y: Tensor) -> Tensor:
        for layer in reversed(self.layers):
            grad_y = layer.backward(grad_y)
        return grad_y


PAIRS = [
    layer_pair(
        "linear", lambda case: Linear(case.n_in, case.n_out), lambda case: nn.Linear(case.n_in, case.n_out)
    ),
]
