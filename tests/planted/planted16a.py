"""Answers to exercise 16a as learners write them."""

import torch


class Base:
    def __init__(self, params, decay=0.99):
        self.params, self.decay, self.average = params, decay, {}


class AllPast(Base):
    """Keeps every weight there was, and weighs them anew each time."""

    def update(self):
        self.past = [*getattr(self, "past", []), {name: param.clone() for name, param in self.params.items()}]
        last = len(self.past) - 1
        shares = [(1 - self.decay if t else 1) * self.decay ** (last - t) for t in range(last + 1)]
        for name in self.params:
            self.average[name] = sum(share * old[name] for share, old in zip(shares, self.past, strict=True))


class InPlace(Base):
    def update(self):
        if not self.average:
            self.average = {name: param.clone() for name, param in self.params.items()}
        for name, average in self.average.items():
            average.lerp_(self.params[name], 1 - self.decay)


class Swapped(Base):
    def update(self):
        if not self.average:
            self.average = {name: param.clone() for name, param in self.params.items()}
        for name, average in self.average.items():
            average += self.decay * (self.params[name] - average)


class Zeros(Base):
    def __init__(self, params, decay=0.99):
        super().__init__(params, decay)
        self.average = {name: 0 * param for name, param in params.items()}

    def update(self):
        for name, average in self.average.items():
            average.mul_(self.decay).add_(self.params[name], alpha=1 - self.decay)


class FromTheStart(Base):
    def __init__(self, params, decay=0.99):
        super().__init__(params, decay)
        self.average = {name: param.clone() for name, param in params.items()}

    def update(self):
        for name, average in self.average.items():
            average += (self.params[name] - average) * (1 - self.decay)


class Shared(Base):
    def update(self):
        for name, param in self.params.items():
            if name in self.average:
                self.average[name] = self.decay * self.average[name] + (1 - self.decay) * param
            else:
                self.average[name] = param


class SharedInPlace(Base):
    def update(self):
        self.average = self.average or dict(self.params)
        for name, average in self.average.items():
            average.lerp_(self.params[name], 1 - self.decay)


class Mean(Base):
    def update(self):
        self.past = [*getattr(self, "past", []), {name: param.clone() for name, param in self.params.items()}]
        for name in self.params:
            self.average[name] = torch.stack([old[name] for old in self.past]).mean(0)


class WarmedUp(InPlace):
    """A decay that rises with the updates, as some libraries have it."""

    def update(self):
        self.full, self.updates = getattr(self, "full", self.decay), getattr(self, "updates", 0) + 1
        self.decay = min(self.full, self.updates / (9 + self.updates))
        super().update()


RIGHT = [AllPast, InPlace]
WRONG = [
    ("decay the wrong way round", Swapped),
    ("average started at 0", Zeros),
    ("average started at the untrained weights", FromTheStart),
    ("first copy forgotten", Shared),
    ("average and parameters are the same tensors", SharedInPlace),
    ("", Mean),
    ("", WarmedUp),
]
