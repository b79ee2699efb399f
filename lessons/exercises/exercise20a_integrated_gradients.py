"""Exercise 20a · Integrated gradients

Difficulty: 2 of 3 · Time: 20 minutes · After: lesson 20

Saliency is the slope where the picture is. A unit that fires there may be silent at half the brightness, and
slope times pixel then claims too much. Integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) walk
from a `baseline`, a picture that shows nothing, straight to x, and take the mean slope of the way:

    attribution = (x − baseline) · mean of ∂z_k/∂x at the points baseline + a·(x − baseline)
    a: the middles of `steps` equal parts of 0 … 1; with 4 steps 0.125, 0.375, 0.625, 0.875

z = max(0, 2x − 1), baseline 0, x = 1: slope times x says 2. On the way the slopes are 0, 0, 2, 2; their mean
is 1, the attribution is 1. And z did rise by 1. The attributions of all pixels add up to the rise of z_k, but
for the error of taking few points.
"""

from torch import Tensor

from lessons.lesson17_mnist import MLP


def integrated_gradients(
    model: MLP, x: Tensor, digit: Tensor, baseline: Tensor, steps: int
) -> Tensor:
    """What each pixel adds to the logit of `digit`, between `baseline` and x.

    model: with `input_grad`. x: (batch, n_in); digit: (batch,) int64; baseline: (n_in,) → (batch, n_in).
    lesson 20's `saliency` may be used.
    """
    raise NotImplementedError("write integrated_gradients")
