"""Answers to exercise 07a as learners write them."""

import math

import torch

from lessons.lesson07_descent import SGD


class Base(SGD):
    def __init__(self, params, lr, max_norm):
        super().__init__(params, lr)
        self.max_norm = max_norm


class OneVector(Base):
    """Lays all gradients end to end, and asks before it divides."""

    def step(self, grads):
        norm = torch.cat([grad.flatten() for grad in grads.values()]).norm()
        lr = self.lr
        if norm > self.max_norm:
            lr = lr * self.max_norm / (norm + 1e-6)
        for name, param in self.params.items():
            param -= lr * grads[name]


class PlainNumbers(Base):
    def step(self, grads):
        norm = math.sqrt(sum((grad * grad).sum().item() for grad in grads.values()))
        factor = min(1.0, self.max_norm / (norm + 1e-6))
        super().step({name: grad * factor for name, grad in grads.items()})


class InTheLoop(Base):
    def step(self, grads):
        for name, param in self.params.items():
            norm = torch.sqrt(torch.sum(grads[name] ** 2))
            param -= self.lr * grads[name] * min(1.0, self.max_norm / (norm.item() + 1e-6))


class Clamped(Base):
    def step(self, grads):
        for name, param in self.params.items():
            cut = torch.minimum(grads[name], torch.full_like(param, self.max_norm))
            param -= self.lr * torch.maximum(cut, torch.full_like(param, -self.max_norm))


class NoMinimum(Base):
    def step(self, grads):
        norm = torch.cat([grad.reshape(-1) for grad in grads.values()]).norm()
        for name, param in self.params.items():
            param -= self.lr * self.max_norm * grads[name] / (norm + 1e-6)


class SquaredNorm(Base):
    def step(self, grads):
        norm = sum((grad**2).sum() for grad in grads.values())
        factor = min(1.0, self.max_norm / (norm.item() + 1e-6))
        for name, param in self.params.items():
            param -= self.lr * factor * grads[name]


class IfWithoutEpsilon(Base):
    def step(self, grads):
        norm = torch.cat([grad.flatten() for grad in grads.values()]).norm()
        factor = self.max_norm / norm if norm > self.max_norm else 1.0
        super().step({name: grad * factor for name, grad in grads.items()})


class ChangesTheGradients(Base):
    def step(self, grads):
        norm = torch.cat([grad.flatten() for grad in grads.values()]).norm()
        if norm > self.max_norm:
            for grad in grads.values():
                grad *= self.max_norm / (norm + 1e-6)
        super().step(grads)


class LargestElement(Base):
    def step(self, grads):
        largest = max(grad.abs().max().item() for grad in grads.values())
        factor = min(1.0, self.max_norm / (largest + 1e-6))
        super().step({name: grad * factor for name, grad in grads.items()})


RIGHT = [OneVector, PlainNumbers]
WRONG = [
    ("each tensor clipped by its own norm", InTheLoop),
    ("each element clipped", Clamped),
    ("short gradients made longer", NoMinimum),
    ("root forgotten", SquaredNorm),
    ("1e-6 forgotten", IfWithoutEpsilon),
    ("input changed in place", ChangesTheGradients),
    ("clipping forgotten", lambda params, lr, max_norm: SGD(params, lr)),
    ("", LargestElement),
]
