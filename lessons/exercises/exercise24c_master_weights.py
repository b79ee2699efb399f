"""Exercise 24c · Predict, run, explain: weights in bf16, and their masters

Difficulty: 2 of 3 · Time: 20 minutes · After: lesson 24

A model keeps its weights in bf16, to save memory and time. The optimiser keeps a second copy of each in
float32, the *master*. It moves the masters and then writes them, rounded, into the model's weights.

Predict first: a weight is 1, its gradient is 1 in every step, and the rate is 1/512. bf16 knows 1, and below
it 1 − 1/256, 1 − 2/256, …. Where does the weight stand after one step, after two, after ten? Where does it
stand without masters? Then run both, in the shell, and explain to yourself why the first step shows nothing.

When are the masters made, and how often? And in which format is lr · gradient computed?
"""

from torch import Tensor


class MasterSGD:
    """Plain descent for weights in bf16, with masters in float32.

    params: bf16 tensors by name; `step` changes them in place. They start as they are, so do the masters.
    """

    def __init__(self, params: dict[str, Tensor], lr: float) -> None:
        raise NotImplementedError("write __init__")

    def step(self, grads: dict[str, Tensor]) -> None:
        """One step. grads: bf16, the same names; left as they are."""
        raise NotImplementedError("write step")
