"""Exercise 22b · Find the bug: the layer that does not rest

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 22

An optimiser with momentum and weight decay, whose parameters can be frozen and freed while it trains: put
a name into `frozen`, or take it out. What is frozen gets the gradient 0.

    g = ∂L/∂w + decay · w,   v ← momentum · v + g,   w ← w − lr · v

What users report: they train everything for a while, then freeze the first layer. It keeps moving, at
first a long way, then slowly, and in the end its weights shrink towards 0. If the layer is frozen before
the very first step, and without weight decay, all is well.

What is frozen has to keep its value, to the last bit. When it is freed it goes on with the velocity that
it had when it was frozen, as torch's optimisers do with parameters that have no gradient for a while.
"""

import torch
from torch import Tensor


class FreezingSGD:
    """Descent with momentum and weight decay. `params`, `grads`: tensors by name, any shapes.

    `frozen`: the names of those that must not change. Their gradients, if there are any, do not count.
    """

    def __init__(
        self, params: dict[str, Tensor], lr: float, momentum: float, decay: float
    ) -> None:
        self.params, self.lr, self.momentum, self.decay = params, lr, momentum, decay
        self.velocity = {
            name: torch.zeros_like(param) for name, param in params.items()
        }
        self.frozen: set[str] = set()

    def step(self, grads: dict[str, Tensor]) -> None:
        """Changes the parameters in place."""
        for name, param in self.params.items():
            grad = torch.zeros_like(param) if name in self.frozen else grads[name]
            velocity = self.velocity[name]
            velocity.mul_(self.momentum).add_(grad + self.decay * param)
            param.sub_(self.lr * velocity)
