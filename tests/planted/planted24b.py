"""Answers to exercise 24b as learners write them."""

import torch

from lessons.exercises.exercise24b_slow_drift import FastRegression as Stub
from lessons.lesson24_speed import FastMLP


class GradientsFirst(Stub):
    """Finds all gradients, then updates: slower, and right."""

    def descend(self, inputs, delta):
        steps = []
        for linear, h in zip(self.layers[::-2], inputs[::-1], strict=True):
            steps.append((linear.params, delta.T @ h, delta.sum(0)))
            delta = (delta @ linear.params["weight"]) * (h > 0)
        for params, weight, bias in steps:
            params["weight"] += weight
            params["bias"] += bias


class LayerByLayer(FastMLP):
    """Lesson 04's own passes; the loss by hand."""

    def step(self, x, target, lr):
        difference = self.forward(x) - target
        self.backward(2 * difference / difference.numel())
        for name, param in self.params.items():
            param -= lr * self.grads[name]
        return (difference**2).mean()


class Recursive(Stub):
    """Every mistake below is a change of one of these four."""

    factor, late, early, gate = 2, False, False, True

    def step(self, x, target, lr):
        return self.through(0, x, target, lr)[0]

    def count(self, target):
        return target.numel()

    def through(self, i, h, target, lr):
        params, last = self.layers[2 * i].params, 2 * i == len(self.layers) - 1
        y = torch.addmm(params["bias"], h, params["weight"].T)
        if last:
            loss, delta = ((y - target) ** 2).mean(), (y - target) * (self.factor / self.count(target))
        else:
            y = torch.relu(y)
            loss, delta = self.through(i + 1, y, target, lr)
            delta = delta * (y > 0) if self.gate else delta
        before = params["weight"].clone()
        read = (h > 0).to(h.dtype) if self.early and i else h
        params["weight"] -= lr * delta.T @ read
        params["bias"] -= lr * delta.sum(0)
        return loss, delta @ (params["weight"] if self.late else before)


class StillLate(Recursive):
    late = True


class Early(Recursive):
    early = True


class NoGate(Recursive):
    gate = False


class Uphill(Recursive):
    factor = -2


class HalfAsFast(Recursive):
    factor = 1


class PerExample(Recursive):
    def count(self, target):
        return len(target)


class FourTimes(Recursive):
    factor = 4


RIGHT = [GradientsFirst, LayerByLayer, Recursive]
WRONG = [
    ("weight updated before the slope went down", StillLate),
    ("output turned into its slope too early", Early),
    ("activation derivative missing", NoGate),
    ("sign", Uphill),
    ("factor 2 forgotten", HalfAsFast),
    ("mean over the examples only", PerExample),
    ("", FourTimes),
]
