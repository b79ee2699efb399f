"""Exercise 15a · RMSNorm

Difficulty: 2 of 3 · Time: 20 minutes · After: lesson 15

RMSNorm (Zhang and Sennrich 2019, arXiv:1910.07467) is layer norm without the mean: each row is divided by
its *root mean square* r, and the network learns the spread γ of each column. There is no bias.

    r = √(mean(x²) + eps)     x̂ = x / r     y = γ · x̂

x, y: (batch, n); r: (batch, 1), the mean is taken over the row; γ: (n,).
γ is `weight`. PyTorch's layer is `nn.RMSNorm`.

On paper, with γ = 1 and eps = 0: the row (1, 7) has mean(x²) = 25 and r = 5, so y = (0.2, 1.4).
For grad_y = (1, 0) its gradient is (0.196, −0.028): x₁ reaches the second output through r, too.
"""

import torch
from torch import Tensor


class RMSNorm:
    """Each row divided by its root mean square. x, y: (batch, n)."""

    def __init__(self, n: int, eps: float = 1e-5) -> None:
        self.params = {"weight": torch.ones(n)}
        self.grads: dict[str, Tensor] = {}
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError("write forward")

    def backward(self, grad_y: Tensor) -> Tensor:
        """Sets grads["weight"] (n,), returns grad_x (batch, n)."""
        raise NotImplementedError("write backward")
