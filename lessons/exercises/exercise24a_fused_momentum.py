"""Exercise 24a · Momentum inside the product

Difficulty: 2 of 3 · Time: 20 minutes · After: lesson 24

Lesson 24 adds the gradient to the weight within the product that computes it. Do the same for descent with
momentum and weight decay, as in lesson 12. With n examples:

    g = δᵀ h / n + decay · W,   V ← momentum · V + g,   W ← W − lr · V

`velocity` is V: it never contains lr, because lr may fall from step to step. Change W and V in place, and
make no new tensor: the gradient is never stored. `addmm_` takes two factors: velocity.addmm_(a, b, beta=p,
alpha=q) is V ← p · V + q · a b.

On paper, all sizes 1: δ = 2, h = 3, W = 10, V = 4, momentum 0.5, decay 0.1, lr 0.1. Then g = 6 + 1 = 7,
V = 2 + 7 = 9, W = 10 − 0.9 = 9.1.
"""

from torch import Tensor


def momentum_update(
    weight: Tensor,
    velocity: Tensor,
    delta: Tensor,
    h: Tensor,
    lr: float,
    momentum: float,
    decay: float,
) -> None:
    """One step of `weight` and `velocity`, both (n_out, n_in), in place.

    delta: (n, n_out), the slope of each example's loss along the outputs; h: (n, n_in), what the layer read.
    Both are left as they are: the layer below still needs them.
    """
    raise NotImplementedError("write momentum_update")
