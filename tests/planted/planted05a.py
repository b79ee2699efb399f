"""Answers to exercise 05a as learners write them."""

import torch

from lessons.lesson05_losses import Loss


class Entries(Loss):
    """Right: entry by entry. What the wrong ones change are the methods."""

    def __init__(self, reduction="mean", delta=1.0):
        super().__init__(reduction)
        self.delta = delta

    def near(self, e):
        return 0.5 * e * e, e

    def far(self, e):
        d = self.delta
        return (d * (e - d / 2), d) if e > 0 else (d * (-e - d / 2), -d)

    def count(self):
        return self.slope.numel()

    def forward(self, prediction, target):
        self.slope, losses = torch.zeros_like(prediction), torch.zeros_like(prediction)
        for i, row in enumerate(prediction):
            for j in range(len(row)):
                e = prediction[i, j] - target[i, j]
                on_the_line = abs(e) > self.delta
                losses[i, j], self.slope[i, j] = self.far(e) if on_the_line else self.near(e)
        return self.reduce(losses)

    def backward(self, grad_loss=None):
        slope = self.slope if grad_loss is None else self.slope * grad_loss
        return slope / self.count() if self.reduction == "mean" else slope


class Clamped(Loss):
    """Right: what of an error is within the width is a square, what is over it a line."""

    def __init__(self, reduction="mean", delta=1.0):
        super().__init__(reduction)
        self.delta = delta

    def forward(self, prediction, target):
        size = (target - prediction).abs()
        self.sign = torch.sign(prediction - target)
        self.within = torch.minimum(size, torch.tensor(self.delta))
        return self.reduce(self.within**2 / 2 + self.delta * (size - self.within))

    def backward(self, grad_loss=None):
        return self.sign * self.within * self.share(self.sign.numel(), grad_loss)


class LineFromZero(Entries):
    def far(self, e):
        loss, slope = super().far(e)
        return loss + self.delta**2 / 2, slope


class WholeSquare(Entries):
    def near(self, e):
        return e**2, 2 * e


class OnlySquare(Entries):
    def far(self, e):
        return self.near(e)


class NoSign(Entries):
    def far(self, e):
        return super().far(e)[0], self.delta


class SlopeOfOne(Entries):
    def far(self, e):
        return super().far(e)[0], e / abs(e)


class NoUpstream(Entries):
    def backward(self, grad_loss=None):
        return super().backward()


class NoMean(Entries):
    def count(self):
        return 1


class MeanOfRows(Entries):
    def count(self):
        return len(self.slope)


class OnlyLine(Entries):
    """The absolute error."""

    def near(self, e):
        return self.far(e)


RIGHT = [Entries, Clamped]
WRONG = [
    ("line without its −½ d", LineFromZero),
    ("square without its ½", WholeSquare),
    ("square everywhere", OnlySquare),
    ("sign forgotten on the line", NoSign),
    ("width missing in the slope", SlopeOfOne),
    ("upstream gradient ignored", NoUpstream),
    ("mean forgotten", NoMean),
    ("divided by the examples, not by all entries", MeanOfRows),
    ("", OnlyLine),
]
