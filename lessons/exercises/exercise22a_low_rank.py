"""Exercise 22a · A low-rank adapter

Difficulty: 3 of 3 · Time: 30 minutes · After: lesson 22

Freeze a whole layer and learn a small correction of it (LoRA, Hu et al. 2022, arXiv:2106.09685):

    y = x Wᵀ + b + s · (x Dᵀ) Uᵀ,   s = alpha / rank

D, `down`, is (rank, n_in) and U, `up`, is (n_out, rank). W and b never change, and nobody asks for their
gradients. A layer 784 → 128 has 100,352 weights; with rank 4 its adapter has 4 · (784 + 128) = 3,648.
U begins at 0: the first outputs are those of the frozen layer.

On paper, all sizes 1: W = 2, b = 0, D = 3, U = 5, s = 0.5, x = 1. The middle is 3 and y = 2 + 0.5 · 15 = 9.5.
For ∂L/∂y = 1: ∂L/∂U = 0.5 · 3 = 1.5, ∂L/∂D = 0.5 · 5 = 2.5, and ∂L/∂x has two paths: 2 + 0.5 · 15 = 9.5.
"""

import torch
from torch import Tensor

from lessons.lesson04_layers import Linear


class LowRank:
    """A frozen layer with an adapter. x: (batch, n_in) → y: (batch, n_out).

    `params` and `grads` hold "down" and "up" only. `frozen.params` and `frozen.grads` are left alone.
    """

    def __init__(self, frozen: Linear, rank: int, alpha: float) -> None:
        n_out, n_in = frozen.params["weight"].shape
        self.frozen, self.scale = frozen, alpha / rank
        self.params = {
            "down": torch.randn(rank, n_in) / n_in**0.5,
            "up": torch.zeros(n_out, rank),
        }
        self.grads: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError("write forward")

    def backward(self, grad_y: Tensor) -> Tensor:
        """∂L/∂x, (batch, n_in). Fills `grads`; computes no gradient for the frozen weight and bias."""
        raise NotImplementedError("write backward")
