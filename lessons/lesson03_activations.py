# %% [markdown]
# # Lesson 03 · Activation functions
#
# *What does the curve behind the sum do, and why does a network need one?*
#
# Needs: lesson 01 · Time: 25 minutes

# %%
import math

import torch
from torch import Tensor, nn

from curriculum.pair import layer_pair

# %% [markdown]
# ## From scratch


# %%
class Activation:
    """A curve without weights, applied to every number by itself. Input and output have the same shape."""

    def __init__(self) -> None:
        self.params: dict[str, Tensor] = {}
        self.grads: dict[str, Tensor] = {}


class ReLU(Activation):
    """Rectified linear unit: negative numbers become 0, the others stay."""

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return x.clamp(min=0)

    def backward(self, grad_y: Tensor) -> Tensor:
        """y = x where x > 0: slope 1. y = 0 where x < 0: slope 0. At the kink x = 0 we say 0, as PyTorch does."""
        return grad_y * (self.x > 0)


class Tanh(Activation):
    def forward(self, x: Tensor) -> Tensor:
        self.y = torch.tanh(x)
        return self.y

    def backward(self, grad_y: Tensor) -> Tensor:
        return grad_y * (1 - self.y**2)


class SiLU(Activation):
    def forward(self, x: Tensor) -> Tensor:
        self.x, self.s = x, 1 / (1 + torch.exp(-x))
        return x * self.s

    def backward(self, grad_y: Tensor) -> Tensor:
        return grad_y * self.s * (1 + self.x * (1 - self.s))


class GELU(Activation):
    """approximate: "none" (exact, with the error function) or "tanh"."""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        if self.approximate == "tanh":
            self.gate = 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        else:
            self.gate = 0.5 * (1 + torch.erf(x / math.sqrt(2)))
        return x * self.gate

    def backward(self, grad_y: Tensor) -> Tensor:
        if self.approximate == "tanh":
            t = 2 * self.gate - 1
            slope = 0.5 * (1 - t**2) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * self.x**2)
        else:
            slope = torch.exp(-(self.x**2) / 2) / math.sqrt(2 * math.pi)
        return grad_y * (self.gate + self.x * slope)


class Softmax(Activation):
    """Over the last dimension."""

    def forward(self, x: Tensor) -> Tensor:
        e = torch.exp(x - x.amax(-1, keepdim=True))
        self.y = e / e.sum(-1, keepdim=True)
        return self.y

    def backward(self, grad_y: Tensor) -> Tensor:
        return self.y * (grad_y - (grad_y * self.y).sum(-1, keepdim=True))


PAIRS = [
    layer_pair("relu", lambda case: ReLU(), lambda case: nn.ReLU()),
]
