# %% [markdown]
# # Lesson 06 · Gradient descent
#
# *Which way is down, and how far should each step go?*
#
# Needs: lessons 01, 04, 05 · Time: 25 minutes

# %%
from collections.abc import Callable

import torch
from torch import Tensor

from curriculum.pair import optimizer_pair

# %% [markdown]
# ## From scratch


# %%
class SGD:
    """Gradient descent: every parameter moves against its gradient. `params`: tensors by name, changed in place."""

    def __init__(self, params: dict[str, Tensor], lr: float) -> None:
        self.params = params
        self.lr = lr

    def step(self, grads: dict[str, Tensor]) -> None:
        """param ← param − lr · grad, in one pass over the memory."""
        for name, param in self.params.items():
            param.add_(grads[name], alpha=-self.lr)


def numerical_gradient(function: Callable[[Tensor], Tensor], x: Tensor, eps: float = 1e-6) -> Tensor:
    """The slope of `function(x)`, a single number, along every element of `x`, by central differences."""
    grad = torch.zeros_like(x)
    for i in range(x.numel()):
        up, down = x.clone(), x.clone()
        up.view(-1)[i] += eps
        down.view(-1)[i] -= eps
        grad.view(-1)[i] = (function(up) - function(down)) / (2 * eps)
    return grad


PAIRS = [
    optimizer_pair("sgd", lambda params: SGD(params, lr=0.1), lambda params: torch.optim.SGD(params, lr=0.1)),
]
