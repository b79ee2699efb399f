"""Exercise 12a · Adagrad

Difficulty: 1 of 3 · Time: 15 minutes · After: lesson 12

Adagrad (Duchi and others 2011, `torch.optim.Adagrad`) came before RMSprop. Its note s is a sum, not a
running average: it takes in every squared gradient in full and forgets none. So the steps of a weight
become shorter and shorter, and a weight that seldom has a gradient keeps its long ones. In step t = 1, 2, …:

    s ← s + g²
    w ← w − lr / (1 + (t − 1) · lr_decay) · g / (√s + eps)

s, w and g have one shape. On paper: w = 1, lr = 0.1, no decay, gradients 3 and 4. First s = 9 and
w = 1 − 0.1 · 3/3 = 0.9. Then s = 9 + 16 = 25 and w = 0.9 − 0.1 · 4/5 = 0.82.
"""

import torch
from torch import Tensor

from lessons.lesson07_descent import SGD


class Adagrad(SGD):
    """A step size per weight. `params`: tensors by name, changed in place. `square`: s by name."""

    def __init__(
        self,
        params: dict[str, Tensor],
        lr: float = 1e-2,
        lr_decay: float = 0,
        eps: float = 1e-10,
    ) -> None:
        super().__init__(params, lr)
        self.lr_decay, self.eps, self.steps = (
            lr_decay,
            eps,
            0,
        )  # steps: how many have been taken
        self.square = {name: torch.zeros_like(param) for name, param in params.items()}

    def step(self, grads: dict[str, Tensor]) -> None:
        """`grads`: the names and shapes of `params`. They are read, not changed."""
        raise NotImplementedError("write step")
