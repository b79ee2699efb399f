"""Exercise 17a · Top-k accuracy

Difficulty: 1 of 3 · Time: 15 minutes · After: lesson 17

Accuracy asks whether the first answer is right. Top-k accuracy asks whether the right class is among the k
largest logits. Compute it for every k at once: entry k − 1 is the share of rows for k.

    logits     target
    4  1  2    0        class 0 comes first: counts for k = 1, 2 and 3
    5  3  0    1        class 1 comes second: counts for k = 2 and 3
    0  6  7    0        class 0 comes third: counts for k = 3

That is one, two and three of three rows: 0.333, 0.667, 1. (Lesson 11's `accuracy` is the first of them.)
"""

from torch import Tensor


def top_k_accuracy(logits: Tensor, target: Tensor) -> Tensor:
    """The share of rows whose right class is among the k largest logits, for k = 1, 2, …, classes.

    logits: (batch, classes), no two of a row equal; target: (batch,) int64 → (classes,), dtype of `logits`.
    """
    raise NotImplementedError("write top_k_accuracy")
