"""Answers to exercise 03b as learners write them."""

import torch

from lessons.lesson03_activations import Activation


class ExponentialAgain(Activation):
    """Right, with a second exponential: its input is held at 0, so that it cannot overflow."""

    def __init__(self, alpha=1.0):
        super().__init__()
        self.alpha = alpha

    def forward(self, x):
        self.x = x
        return x.clamp(min=0) + self.alpha * torch.expm1(x.clamp(max=0))

    def slope(self):
        return self.alpha * torch.exp(self.x.clamp(max=0))

    def backward(self, grad_y):
        slope = self.slope()
        slope[self.x > 0] = 1
        return grad_y * slope


class Written(ExponentialAgain):
    """Right, with the mask written into the gradient."""

    def backward(self, grad_y):
        grad_x = grad_y.clone()
        below = self.x <= 0
        grad_x[below] *= self.slope()[below]
        return grad_x


class AsItWas(ExponentialAgain):
    def slope(self):
        return 1 + self.alpha * torch.expm1(self.x.clamp(max=0))


class ExpOfX(ExponentialAgain):
    def slope(self):
        return torch.exp(self.x.clamp(max=0))


class TimesAlpha(ExponentialAgain):
    def slope(self):
        y = self.alpha * torch.expm1(self.x.clamp(max=0))
        return self.alpha * y + self.alpha


class AlphaSquared(ExponentialAgain):
    def slope(self):
        return self.alpha**2 * torch.exp(self.x.clamp(max=0))


class MinusAlpha(ExponentialAgain):
    def slope(self):
        return self.alpha * torch.exp(self.x.clamp(max=0)) - 2 * self.alpha


class SlopeOneAtZero(ExponentialAgain):
    def backward(self, grad_y):
        return grad_y * torch.where(self.x < 0, self.slope(), torch.ones_like(self.x))


class NoUpstream(ExponentialAgain):
    def backward(self, grad_y):
        return torch.where(self.x > 0, torch.ones_like(grad_y), self.slope())


class NoMask(ExponentialAgain):
    def backward(self, grad_y):
        return grad_y * self.slope()


class DividedByAlpha(ExponentialAgain):
    def slope(self):
        return torch.exp(self.x.clamp(max=0)) / self.alpha


RIGHT = [ExponentialAgain, Written]
WRONG = [
    ("slope right for alpha 1 only", AsItWas),
    ("alpha forgotten in the slope", ExpOfX),
    ("alpha multiplied instead of added", TimesAlpha),
    ("alpha taken twice", AlphaSquared),
    ("sign", MinusAlpha),
    ("wrong at exactly 0", SlopeOneAtZero),
    ("upstream gradient ignored", NoUpstream),
    ("", NoMask),
    ("", DividedByAlpha),
]
