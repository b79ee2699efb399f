"""Exercise 12b · Find the bug: Adam knows which parameter came first

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 12

With one parameter this Adam takes PyTorch's steps. With two, only the first parameter's first step is right:
it moves by lr. The second parameter moves by 0.744 lr. Networks still learn with this Adam, and the longer
the training, the less there is to see: after ten thousand steps both parameters move as PyTorch's do.

Find the bug and mend it.
"""

import torch
from torch import Tensor


class Adam:
    """Adam, line by line as in its formula. `params`: tensors by name, changed in place."""

    def __init__(
        self,
        params: dict[str, Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        self.params, self.lr, self.betas, self.eps, self.steps = (
            params,
            lr,
            betas,
            eps,
            0,
        )
        self.mean = {name: torch.zeros_like(param) for name, param in params.items()}
        self.square = {name: torch.zeros_like(param) for name, param in params.items()}

    def step(self, grads: dict[str, Tensor]) -> None:
        """Every parameter moves once. grads: the same names and shapes as `params`."""
        for name, param in self.params.items():
            self.steps += 1
            param -= self.lr * self.direction(name, grads[name])

    def direction(self, name: str, grad: Tensor) -> Tensor:
        """What the parameter moves against: the average gradient over the typical size. Shape of `grad`."""
        beta1, beta2 = self.betas
        self.mean[name] = beta1 * self.mean[name] + (1 - beta1) * grad
        self.square[name] = beta2 * self.square[name] + (1 - beta2) * grad**2
        mean = self.mean[name] / (1 - beta1**self.steps)
        square = self.square[name] / (1 - beta2**self.steps)
        return mean / (square.sqrt() + self.eps)
