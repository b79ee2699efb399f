"""Exercise 01b · Find the bug: a sigmoid in two halves

Difficulty: 1 of 3 · Time: 10 minutes · After: lesson 01

Libraries often compute the sigmoid in two halves, so that no exponential grows beyond what a number can hold:
1 / (1 + e^−x) where x ≥ 0, and e^x / (1 + e^x) where x < 0. Both are the same number.

The class below does that, and for everyday inputs it agrees with `nn.Sigmoid`. But the sigmoid of 1,000 is
`nan` ("not a number") instead of 1, and so is its slope. At −1,000 all is well. In float64 it happens from
710 upwards, in float32 already from 89.

Find the mistake and mend it. Each half is right where it is meant.
"""

import torch
from torch import Tensor


class SplitSigmoid:
    """y = 1 / (1 + e^−x), for numbers of any size. x: any shape → y: the same shape."""

    def __init__(self) -> None:
        self.params: dict[str, Tensor] = {}
        self.grads: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        right = 1 / (1 + torch.exp(-x))  # where x ≥ 0
        left = torch.exp(x) / (1 + torch.exp(x))  # where x < 0
        self.y = (x >= 0) * right + (x < 0) * left
        return self.y

    def backward(self, grad_y: Tensor) -> Tensor:
        return grad_y * self.y * (1 - self.y)
