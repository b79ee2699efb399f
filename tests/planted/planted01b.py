"""Answers to exercise 01b as learners write them."""

import torch


class OneExponential:
    """Right: e^−|x| never exceeds 1, and serves both halves."""

    def __init__(self):
        self.params, self.grads = {}, {}

    def forward(self, x):
        z = torch.exp(-x.abs())
        self.y = torch.where(x < 0, z, torch.ones_like(z)) / (1 + z)
        return self.y

    def backward(self, grad_y):
        return grad_y * (1 - self.y) * self.y


class FilledIn(OneExponential):
    """Right: each half is computed only where it is meant."""

    def forward(self, x):
        self.y = torch.empty_like(x)
        above = x >= 0
        self.y[above] = 1 / (1 + torch.exp(-x[above]))
        e = torch.exp(x[~above])
        self.y[~above] = e / (1 + e)
        return self.y


class LeftHalfEverywhere(OneExponential):
    def forward(self, x):
        e = torch.exp(x)
        self.y = e / (e + 1)
        return self.y


class HalvesExchanged(OneExponential):
    def forward(self, x):
        self.y = torch.where(x < 0, 1 / (1 + torch.exp(-x)), torch.exp(x) / (1 + torch.exp(x)))
        return self.y


class NanMadeZero(LeftHalfEverywhere):
    def forward(self, x):
        y = super().forward(x)
        y[y.isnan()] = 0
        return y


class Clipped(OneExponential):
    def forward(self, x):
        self.y = 1 / (1 + torch.exp(-torch.clip(x, -10, 10)))
        return self.y


class AlwaysTheRightHalf(OneExponential):
    def forward(self, x):
        self.y = 1 / (1 + torch.exp(-x.abs()))
        return self.y


class NoSlope(OneExponential):
    def backward(self, grad_y):
        return grad_y * 1


class NoUpstream(OneExponential):
    def backward(self, grad_y):
        return self.y - self.y**2


class TakesTheAbsoluteValueInPlace(OneExponential):
    def forward(self, x):
        below = x < 0
        z = torch.exp(x.abs_().mul_(-1))
        self.y = torch.where(below, z / (1 + z), 1 / (1 + z))
        return self.y


class ClippedTooTightly(OneExponential):
    def forward(self, x):
        return super().forward(x.clamp(-5, 5))


RIGHT = [OneExponential, FilledIn]
WRONG = [
    ("exponential overflows", LeftHalfEverywhere),
    ("exponential overflows", HalvesExchanged),
    ("nan replaced by 0", NanMadeZero),
    ("input held between −10 and 10", Clipped),
    ("sign", AlwaysTheRightHalf),
    ("activation derivative missing", NoSlope),
    ("upstream gradient ignored", NoUpstream),
    ("input changed in place", TakesTheAbsoluteValueInPlace),
    ("", ClippedTooTightly),
]
