"""Exercise 11b · The loss of all examples, in pieces

Difficulty: 1 of 3 · Time: 10 minutes · After: lesson 11

How wrong is a network on all its examples? They may be too many to go through at once. So let them through in
pieces of `size`, and put the losses of the pieces together. The criterion gives the mean over a piece.

Predict first: ten examples, in pieces of 4, 4 and 2, have losses of 1, 1 and 6. What is the loss of all ten?
It is neither 8 nor 8/3. (It is 2.) Nothing learns here: no `backward`, no step.
"""

from typing import Any

from torch import Tensor


def whole_loss(
    model: Any, criterion: Any, x: Tensor, target: Tensor, size: int
) -> float:
    """The mean loss over all examples, of which at most `size` go through the model at once.

    x: (count, n_in), target: (count, n_out). The last piece may be smaller.
    """
    raise NotImplementedError("write whole_loss")
