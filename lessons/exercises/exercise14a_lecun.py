"""Exercise 14a · LeCun's start

Difficulty: 1 of 3 · Time: 10 minutes · After: lesson 14

Before Xavier there was LeCun's start (1998, "Efficient BackProp"): weights with the variance 1 / n_in, so
that a layer without ReLU hands on numbers of the size that it was given. Draw them evenly around 0.

On paper: a neuron with 3 inputs needs the variance 1/3. Numbers drawn evenly between −b and b have the
variance b²/3, so b = 1.
"""

from torch import Tensor


def lecun_uniform_(weight: Tensor) -> Tensor:
    """Fill `weight` (n_out, n_in) in place, evenly between −b and b, with one call of `weight.uniform_`.

    Returns:
        `weight` itself.
    """
    raise NotImplementedError("write lecun_uniform_")
