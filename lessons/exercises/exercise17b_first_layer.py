"""Exercise 17b · Find the bug: the first layer learns something else

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 17

Someone moved the activation out of the loop: "PyTorch lets me do that with nn.ReLU, too."

With the sizes 784–64–64–10 it trains, but worse than PyTorch's. From equal weights the logits are equal, and
so are the gradients of the second and the third `Linear`. Those of the first are wrong.

With the sizes 784–128–64–10 `backward` stops with an error.

Find out why, and mend it.
"""

from itertools import pairwise

from lessons.lesson03_activations import ReLU
from lessons.lesson04_layers import Linear, Sequential


class MLP(Sequential):
    """Linear, ReLU, Linear, ReLU, …, Linear. x: (batch, sizes[0]) → logits: (batch, sizes[-1])."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        layers: list[Linear | ReLU] = []
        relu = ReLU()
        for n_in, n_out in pairwise(sizes):
            layers += [Linear(n_in, n_out), relu]
        self.layers = tuple(layers[:-1])
