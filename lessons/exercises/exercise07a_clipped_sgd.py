"""Exercise 07a · Clipped gradients

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 07

At the edge of a cliff the slope is huge, and one step throws all weights far away. Clipping the norm limits
the step and keeps its direction. The norm is the length of *one* long vector: all elements of all gradients,
those of the weight and those of the bias.

    norm = √(Σ g²),   factor = max_norm / (norm + 1e-6), but at most 1,   w ← w − lr · factor · g

The 1e-6 is that of PyTorch's `clip_grad_norm_`: it avoids a division by 0. On paper, without it: the
weight's gradient is 3, the bias's is 4, max_norm is 1. The norm is √(9 + 16) = 5, the factor 0.2, and the
clipped gradients are 0.6 and 0.8. With max_norm = 10 both stay 3 and 4.
"""

from torch import Tensor

from lessons.lesson07_descent import SGD


class ClippedSGD(SGD):
    """Gradient descent, no step longer than lr · `max_norm`. `params`: by name, changed in place."""

    def __init__(self, params: dict[str, Tensor], lr: float, max_norm: float) -> None:
        super().__init__(params, lr)
        self.max_norm = max_norm

    def step(self, grads: dict[str, Tensor]) -> None:
        """`grads`: the names and shapes of `params`. They are read, not changed."""
        raise NotImplementedError("write step")
