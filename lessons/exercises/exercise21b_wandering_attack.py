"""Exercise 21b · Find the bug: the attack that wanders off

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 21

This is PGD with another bound: not each pixel, the length of the whole change may be at most ε. It takes
ten steps of length ε/4 up the loss. After each step a change that has become longer than ε is shortened
to ε, and the pixels go back into the box.

What users report: pictures end up to 1.25 ε away from where they began, and never further. And whoever
runs the attack on the same batch again gets other pictures than the first time.

One line is wrong. Find it, and mend only that.
"""

from torch import Tensor

from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson17_mnist import MLP
from lessons.lesson21_limits import Box


def length(rows: Tensor) -> Tensor:
    """√(Σ rᵢ²) of each row: (batch, n_in) → (batch, 1). At least 1e-12: we divide by it."""
    return rows.norm(dim=1, keepdim=True).clamp(min=1e-12)


def pgd_l2(model: MLP, x: Tensor, target: Tensor, eps: float, box: Box) -> Tensor:
    """Ten steps uphill, never further than `eps` from x: (batch, n_in) → (batch, n_in), a new tensor.

    target: (batch,) int64. Needs a model with `input_grad`, and x inside the box.
    """
    criterion = CrossEntropyLoss()
    moved = x
    for _ in range(10):
        criterion.forward(model.forward(moved), target)
        slope = model.backward(criterion.backward())  # (batch, n_in)
        moved += eps / 4 * slope / length(slope)
        change = moved - x
        # (batch, 1); 1 where the change is short enough
        shorter = (eps / length(change)).clamp(max=1)
        moved = (x + shorter * change).clamp(*box)
    return moved
