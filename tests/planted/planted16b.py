"""Answers to exercise 16b as learners write them."""

import torch

from lessons.exercises import exercise16b_dropout as stub


class TwoRoads(stub.Dropout):
    def forward(self, x):
        self.dropped = self.draw(x) == 0 if self.training else None
        return self.pass_through(x)

    def backward(self, grad_y):
        return self.pass_through(grad_y)

    def pass_through(self, value):
        if self.dropped is None:
            return value.clone()
        return value.masked_fill(self.dropped, 0) / (1 - self.p)


class NumberAsMask(stub.Dropout):
    def forward(self, x):
        self.mask = 1.0
        if self.training:
            self.mask = torch.where(self.draw(x) > 0, (1 - self.p) ** -1, 0.0)
        return self.mask * x


class StillBoth(stub.Dropout):
    def forward(self, x):
        if self.training:
            self.mask = self.draw(x).div(1 - self.p)
        else:
            self.mask = 1 - self.p
        return x * self.mask


class FirstPaper(stub.Dropout):
    """Scales in use, as the paper of 2014 did first."""

    def forward(self, x):
        self.share = self.draw(x) if self.training else 1 - self.p
        return self.share * x

    def backward(self, grad_y):
        return self.share * grad_y


class WithoutScale(stub.Dropout):
    def forward(self, x):
        self.mask = torch.ones_like(x)
        if self.training:
            self.mask = self.draw(x)
        return x * self.mask


class NoMode(stub.Dropout):
    def forward(self, x):
        drawn = self.draw(x)
        self.mask = drawn / (1 - self.p)
        return torch.where(drawn == 1, x / (1 - self.p), torch.zeros_like(x))


class EarlyReturn(stub.Dropout):
    def forward(self, x):
        if not self.training:
            return x
        self.mask = self.draw(x) / (1 - self.p)
        return x * self.mask


class Divided(stub.Dropout):
    def forward(self, x):
        self.mask = self.draw(x) if self.training else torch.ones_like(x)
        self.mask /= 1 - self.p
        return self.mask * x


class NoGradientInUse(stub.Dropout):
    def forward(self, x):
        if self.training:
            return super().forward(x)
        self.mask = torch.zeros_like(x)
        return x * 1


RIGHT = [TwoRoads, NumberAsMask]
WRONG = [
    ("scaled in training and in use", StillBoth),
    ("scaled in use, not in training", FirstPaper),
    ("never scaled", WithoutScale),
    ("active in use", NoMode),
    ("backward in use takes the mask of training", EarlyReturn),
    ("enlarged in use, too", Divided),
    ("", NoGradientInUse),
]
