"""Answers to exercise 12c as learners write them."""

from lessons.exercises import exercise12c_adamw as stub


class OneFormula(stub.AdamW):
    def step(self, grads):
        self.steps += 1
        for name, param in self.params.items():
            param -= self.lr * (self.direction(name, grads[name]) + self.weight_decay * param)


class PullLast(stub.AdamW):
    """Remembers where each weight was, steps, then pulls by the old value."""

    def step(self, grads):
        self.steps += 1
        old = {name: param.clone() for name, param in self.params.items()}
        for name, param in self.params.items():
            param.sub_(self.direction(name, grads[name]), alpha=self.lr)
            param.sub_(old[name], alpha=self.lr * self.weight_decay)


class Unchanged(stub.AdamW):
    def step(self, grads):
        self.steps += 1
        for name, param in self.params.items():
            decayed = grads[name].add(param, alpha=self.weight_decay)
            param.add_(self.direction(name, decayed), alpha=-self.lr)


class Both(stub.AdamW):
    def step(self, grads):
        self.steps += 1
        for name, param in self.params.items():
            param.sub_(self.lr * self.weight_decay * param)
            param.sub_(self.lr * self.direction(name, grads[name] + self.weight_decay * param))


class WithoutTheRate(stub.AdamW):
    def step(self, grads):
        self.steps += 1
        for name, param in self.params.items():
            param.sub_(self.weight_decay * param)
            param.sub_(self.lr * self.direction(name, grads[name]))


class Afterwards(stub.AdamW):
    def step(self, grads):
        self.steps += 1
        for name, param in self.params.items():
            param -= self.lr * self.direction(name, grads[name])
            param -= self.lr * self.weight_decay * param


class PastTheAveragesOnly(stub.AdamW):
    """The decay skips both averages, yet is divided by the root."""

    def direction(self, name, grad):
        adam = super().direction(name, grad)
        root = self.square[name].div(1 - self.betas[1] ** self.steps).sqrt()
        return adam + self.weight_decay * self.params[name] / (root + self.eps)

    def step(self, grads):
        self.steps += 1
        for name, param in self.params.items():
            param.sub_(self.lr * self.direction(name, grads[name]))


class TakenOut(stub.AdamW):
    def step(self, grads):
        self.steps += 1
        for name, param in self.params.items():
            param.sub_(self.lr * self.direction(name, grads[name]))


class Growing(stub.AdamW):
    def step(self, grads):
        self.steps += 1
        for name, param in self.params.items():
            param.mul_(1 + self.lr * self.weight_decay)
            param.sub_(self.lr * self.direction(name, grads[name]))


RIGHT = [OneFormula, PullLast]
WRONG = [
    ("weight decay on the wrong side", Unchanged),
    ("decayed twice", Both),
    ("rate missing in the decay", WithoutTheRate),
    ("shrunk after the step", Afterwards),
    ("decay divided by the gradient's size", PastTheAveragesOnly),
    ("no decay at all", TakenOut),
    ("", Growing),
]
