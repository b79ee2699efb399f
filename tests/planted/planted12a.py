"""Answers to exercise 12a as learners write them."""

import torch

from lessons.lesson07_descent import SGD


class Base(SGD):
    def __init__(self, params, lr=1e-2, lr_decay=0, eps=1e-10):
        super().__init__(params, lr)
        self.lr_decay, self.eps, self.steps = lr_decay, eps, 0
        self.square = {name: torch.zeros_like(param) for name, param in params.items()}


class AllPast(Base):
    """Keeps every gradient and takes the length of the pile."""

    def step(self, grads):
        self.past = [*getattr(self, "past", []), grads]
        for name, param in self.params.items():
            length = torch.stack([old[name] for old in self.past]).norm(dim=0)
            slower = 1 + (len(self.past) - 1) * self.lr_decay
            param.copy_(param - self.lr * grads[name] / slower / (length + self.eps))


class InPlace(Base):
    def step(self, grads):
        rate = self.lr / (1 + self.steps * self.lr_decay)
        for (param, grad), square in zip(
            ((self.params[name], grads[name]) for name in self.params), self.square.values(), strict=True
        ):
            param.addcdiv_(grad, square.addcmul_(grad, grad).sqrt().add_(self.eps), value=-rate)
        self.steps += 1


class OnlyTheLast(Base):
    def step(self, grads):
        rate = self.lr / (1 + self.steps * self.lr_decay)
        self.steps += 1
        for name, param in self.params.items():
            param.sub_(rate * grads[name] / (grads[name].abs() + self.eps))


class LikeRMSprop(Base):
    def step(self, grads):
        self.steps += 1
        rate = self.lr / (1 + (self.steps - 1) * self.lr_decay)
        for name, param in self.params.items():
            self.square[name].lerp_(grads[name].square(), 1 - 0.99)
            param.sub_(rate * grads[name] / (self.square[name].sqrt() + self.eps))


class EpsUnderTheRoot(Base):
    def step(self, grads):
        self.steps += 1
        for name, param in self.params.items():
            self.square[name].addcmul_(grads[name], grads[name])
            slower = 1 + (self.steps - 1) * self.lr_decay
            param.sub_(self.lr / slower * grads[name] * torch.rsqrt(self.square[name] + self.eps))


class Plus(Base):
    def step(self, grads):
        rate = self.lr / (1 + self.steps * self.lr_decay)
        self.steps += 1
        for name, param in self.params.items():
            self.square[name].add_(grads[name] * grads[name])
            param.add_(grads[name] / self.square[name].sqrt().add(self.eps), alpha=rate)


class CountsFromOne(Base):
    def step(self, grads):
        self.steps += 1
        for name, param in self.params.items():
            self.square[name].add_(grads[name] * grads[name])
            step = grads[name] / (self.square[name] ** 0.5 + self.eps)
            param.sub_(step * self.lr / (1 + self.lr_decay * self.steps))


class SumOfSizes(Base):
    def step(self, grads):
        rate = self.lr / (1 + self.steps * self.lr_decay)
        self.steps += 1
        for name, param in self.params.items():
            self.square[name].add_(grads[name].abs())
            param.sub_(rate * grads[name] / (self.square[name] + self.eps))


RIGHT = [AllPast, InPlace]
WRONG = [
    ("squares not added up", OnlyTheLast),
    ("running average in place of the sum", LikeRMSprop),
    ("epsilon inside the root", EpsUnderTheRoot),
    ("sign", Plus),
    ("decay one step ahead", CountsFromOne),
    ("", SumOfSizes),
]
