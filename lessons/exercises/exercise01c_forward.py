"""Exercise 01c · Warm-up: only forward

Difficulty: 1 of 3 · Time: 10 minutes · After: lesson 01

Write what a neuron with a sigmoid computes, for a batch, as one function. No class, no gradient.

On paper: inputs 0.8 and 0.5, weights 0.9 and −0.4, bias 0.1. The sum is 0.62, and its sigmoid is 0.650.
Before you run it, say what comes out if all weights and the bias are 0.
"""

from torch import Tensor


def neuron(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """What the neuron says to each example, (batch, 1).

    x: (batch, n_in). weight: (1, n_in). bias: (1,).
    """
    raise NotImplementedError("write neuron")
