"""Exercise 07b · Find the bug: half the slope

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 07

Lesson 07 copies x twice for every element. This numerical gradient makes no copy: it nudges one element of x
itself, up and down, and then puts it back. Afterwards x is what it was.

The slopes are too small by half, nearly: w² at w = 3 has the slope 6. With a nudge of 0.001 we get 3.0005,
with a nudge of 1 we get 3.5. On paper, central differences of a parabola are exact, however large the nudge:
(4² − 2²) / 2 = 6.

Dividing by `eps` instead of `2 * eps` gives 6.001 and 7: nearly right is not right. The formula is as it
should be. Find what is wrong, and mend it.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def gradient_by_trying(
    function: Callable[[Tensor], Tensor], x: Tensor, eps: float = 1e-6
) -> Tensor:
    """The slope of `function(x)`, a single number, along every element of `x`, by central differences.

    x: any shape, contiguous, left as it was → the same shape, a new tensor.
    """
    grad, flat = torch.zeros_like(x), x.view(-1)  # flat: the memory of x, in one row
    for i in range(x.numel()):
        before = flat[i]
        flat[i] = before + eps
        up = function(x)
        flat[i] = before - eps
        down = function(x)
        grad.view(-1)[i] = (up - down) / (2 * eps)
        flat[i] = before
    return grad
