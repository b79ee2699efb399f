"""Answers to exercise 03a as learners write them."""

import torch

from lessons.lesson03_activations import Activation


class LargerOfTheTwo(Activation):
    """Right, because the slope lies between 0 and 1."""

    def __init__(self, slope=0.01):
        super().__init__()
        self.slope = slope

    def forward(self, x):
        self.x = x
        return torch.maximum(x, self.slope * x)

    def mask(self):
        mask = torch.ones_like(self.x)
        mask[self.x <= 0] = self.slope
        return mask

    def backward(self, grad_y):
        return grad_y * self.mask()


class TwoRelus(LargerOfTheTwo):
    """relu(x) − slope · relu(−x)"""

    def forward(self, x):
        self.above = x > 0
        return x.clamp(min=0) - self.slope * (-x).clamp(min=0)

    def backward(self, grad_y):
        return grad_y * self.above + self.slope * grad_y * ~self.above


class PlusInsteadOfMinus(TwoRelus):
    def forward(self, x):
        self.above = x > 0
        return x.clamp(min=0) + self.slope * (-x).clamp(min=0)


class BackwardOfRelu(LargerOfTheTwo):
    def backward(self, grad_y):
        return torch.where(self.x > 0, grad_y, torch.zeros_like(grad_y))


class PassedThrough(LargerOfTheTwo):
    def backward(self, grad_y):
        return grad_y.clone()


class BelowZeroOnly(LargerOfTheTwo):
    def mask(self):
        return 1 - (1 - self.slope) * (self.x < 0)


class ReturnsTheSlope(LargerOfTheTwo):
    def backward(self, grad_y):
        return self.mask()


class ForgotSelf(LargerOfTheTwo):
    def __init__(self, slope=0.01):
        super().__init__()


class ChangesTheInput(LargerOfTheTwo):
    def forward(self, x):
        self.x = x
        x[x < 0] *= self.slope
        return x


class SidesSwapped(LargerOfTheTwo):
    def mask(self):
        return torch.where(self.x > 0, self.slope, 1.0)


class SlopeTakenTwice(LargerOfTheTwo):
    def backward(self, grad_y):
        return grad_y * self.mask() ** 2


RIGHT = [LargerOfTheTwo, TwoRelus]
WRONG = [
    ("sign", PlusInsteadOfMinus),
    ("slope below 0 forgotten in backward", BackwardOfRelu),
    ("activation derivative missing", PassedThrough),
    ("wrong at exactly 0", BelowZeroOnly),
    ("upstream gradient ignored", ReturnsTheSlope),
    ("slope fixed at 0.01", ForgotSelf),
    ("input changed in place", ChangesTheInput),
    ("", SidesSwapped),
    ("", SlopeTakenTwice),
]
