"""Exercise 20b · Find the bug: the last units are always the most needed

Difficulty: 1 of 3 · Time: 10 minutes · After: lesson 20

This function takes away the units of a layer, each alone, and measures how much the loss rises. Someone drew
the 64 bars for layer 2: they climb from left to right, nearly all of them. With the units numbered the other
way round they climb again. And a second call with the same h says that no unit is needed at all.

Find out why, and mend it.
"""

import torch
from torch import Tensor

from lessons.lesson04_layers import Linear
from lessons.lesson06_cross_entropy import CrossEntropyLoss


def cost_of_each_unit(last: Linear, h: Tensor, target: Tensor) -> Tensor:
    """How much the mean cross-entropy rises when one unit is set to zero, for each unit alone.

    last: from units to logits; h: (batch, units), stays as it is; target: (batch,) int64 → (units,).
    """
    criterion = CrossEntropyLoss()
    complete = criterion.forward(last.forward(h), target)
    costs = []
    for unit in range(h.shape[1]):
        without = h
        without[:, unit] = 0
        costs.append(criterion.forward(last.forward(without), target) - complete)
    return torch.stack(costs)
