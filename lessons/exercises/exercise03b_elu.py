"""Exercise 03b · Find the bug: ELU

Difficulty: 2 of 3 · Time: 10 minutes · After: lesson 03

ELU bends softly where ReLU has a kink (Clevert, Unterthiner & Hochreiter 2015, arXiv:1511.07289):
y = x where x > 0, else y = α · (e^x − 1). Far below 0 it levels out at −α.

Networks with this layer train as they do with PyTorch's. Then somebody sets α to 0.5. The outputs are still
PyTorch's to the last digit, but the training is not: the gradient of x is wrong. At x = −1 the layer's slope
is 0.684. Measured on the curve, it is (y(−0.999) − y(−1.001)) / 0.002 = 0.184.

Find the mistake and mend it. One line is wrong.
"""

import torch
from torch import Tensor

from lessons.lesson03_activations import Activation


class ELU(Activation):
    """Exponential linear unit: y = x where x > 0, else α · (e^x − 1). x: any shape → y: the same shape."""

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        self.y = torch.where(x > 0, x, self.alpha * (torch.exp(x) - 1))
        return self.y

    def backward(self, grad_y: Tensor) -> Tensor:
        """Above 0 the slope is 1. Below, it can be read off the output: no second exponential is needed."""
        slope = self.y + 1
        return grad_y * torch.where(self.x > 0, torch.ones_like(slope), slope)
