"""Answers to exercise 22b as learners write them."""

import torch


class Written:
    """From nothing, with new tensors for the velocities."""

    def __init__(self, params, lr, momentum, decay):
        self.params, self.lr, self.momentum, self.decay = params, lr, momentum, decay
        self.velocity = dict.fromkeys(params, 0.0)
        self.frozen = set()

    def step(self, grads):
        for name in [n for n in self.params if n not in self.frozen]:
            self.move(name, grads[name] + self.decay * self.params[name])

    def move(self, name, grad):
        self.velocity[name] = self.momentum * self.velocity[name] + grad
        self.params[name] -= self.lr * self.velocity[name]


class PutBack(Written):
    """Lets everything move and undoes it for what is frozen."""

    def step(self, grads):
        kept = {n: (self.params[n].clone(), self.velocity[n]) for n in self.frozen}
        for name, param in self.params.items():
            self.move(name, grads[name] + self.decay * param)
        for name, (param, velocity) in kept.items():
            self.params[name].copy_(param)
            self.velocity[name] = velocity


class Zeroed(Written):
    def step(self, grads):
        for name, param in self.params.items():
            self.move(name, self.decay * param + (0 if name in self.frozen else grads[name]))


class OnlyMomentumLeft(Written):
    def step(self, grads):
        for name, param in self.params.items():
            free = name not in self.frozen
            self.move(name, self.decay * param + grads[name] if free else torch.zeros_like(param))


class OnlyDecayLeft(Written):
    def step(self, grads):
        super().step(grads)
        for name in self.frozen:
            self.params[name] -= self.lr * self.decay * self.params[name]


class StartsAfresh(Written):
    def step(self, grads):
        self.velocity.update(dict.fromkeys(self.frozen, 0.0))
        super().step(grads)


class VelocityFades(Written):
    def step(self, grads):
        for name, param in self.params.items():
            if name in self.frozen:
                self.velocity[name] = self.momentum * self.velocity[name]
            else:
                self.move(name, grads[name] + self.decay * param)


class NeverFreezes(Written):
    def step(self, grads):
        for name, param in self.params.items():
            self.move(name, grads[name] + self.decay * param)


class VelocityCollects(Written):
    """The weight rests, but its velocity goes on collecting gradients."""

    def step(self, grads):
        kept = {n: self.params[n].clone() for n in self.frozen}
        for name, param in self.params.items():
            self.move(name, grads[name] + self.decay * param)
        for name, param in kept.items():
            self.params[name].copy_(param)


RIGHT = [Written, PutBack]
WRONG = [
    ("gradient zeroed, parameter not skipped", Zeroed),
    ("momentum still moves it", OnlyMomentumLeft),
    ("weight decay still moves it", OnlyDecayLeft),
    ("velocity lost while frozen", StartsAfresh),
    ("velocity fades while frozen", VelocityFades),
    ("frozen names ignored", NeverFreezes),
    ("", VelocityCollects),
]
