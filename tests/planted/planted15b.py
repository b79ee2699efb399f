"""Answers to exercise 15b as learners write them."""

import torch

from lessons.exercises import exercise15b_batch_norm as stub


class ByHand(stub.BatchNorm1d):
    def update(self, x):
        n, mean = len(x), x.mean(0)
        var = torch.einsum("bi,bi->i", x - mean, x - mean) / (n - 1)
        self.buffers["running_mean"].lerp_(mean, self.momentum)
        self.buffers["running_var"].lerp_(var, self.momentum)
        self.buffers["num_batches_tracked"].add_(1)


class CorrectedAfterwards(stub.BatchNorm1d):
    """Undoes the old share, scales the new one by n / (n − 1)."""

    def update(self, x):
        old = self.buffers["running_var"] * (1 - self.momentum)
        super().update(x)
        new = self.buffers["running_var"] - old
        self.buffers["running_var"] = old + new * len(x) / (len(x) - 1)


class ShareChanged(stub.BatchNorm1d):
    """Blames the share of the newest batch."""

    def update(self, x):
        new = {"running_mean": x.mean(0), "running_var": x.var(0)}
        for name, value in new.items():
            self.buffers[name] = self.momentum * self.buffers[name] + (1 - self.momentum) * value
        self.buffers["num_batches_tracked"] += 1


class Untouched(stub.BatchNorm1d):
    def update(self, x):
        mean = x.mean(0)
        for name, value in (("running_mean", mean), ("running_var", (x**2).mean(0) - mean**2)):
            self.buffers[name].lerp_(value, self.momentum)
        self.buffers["num_batches_tracked"] += 1


class DefaultOfVar(ByHand):
    """`Tensor.var` divides by n − 1 unless told otherwise."""

    def forward(self, x):
        self.fixed = not self.training
        if self.fixed:
            return super().forward(x)
        self.update(x)
        return self.normalise(x, x.mean(0), x.var(0))


class WrongLine(stub.BatchNorm1d):
    def forward(self, x):
        self.fixed = not self.training
        if self.fixed:
            return super().forward(x)
        self.update(x)
        return self.normalise(x, x.mean(0), ((x - x.mean(0)) ** 2).sum(0) / (len(x) - 1))


class Swapped(stub.BatchNorm1d):
    def update(self, x):
        var = x.var(0, correction=0)
        self.buffers["running_mean"].lerp_(x.mean(0), self.momentum)
        self.buffers["running_var"].lerp_(var - var / len(x), self.momentum)
        self.buffers["num_batches_tracked"] += 1


class BothByLess(stub.BatchNorm1d):
    def update(self, x):
        more = len(x) / (len(x) - 1)
        super().update(x)
        for name, value in (("running_mean", x.mean(0)), ("running_var", x.var(0, correction=0))):
            self.buffers[name].add_(self.momentum * (more - 1) * value)


class CorrectedInUse(stub.BatchNorm1d):
    def update(self, x):
        super().update(x)
        self.more = len(x) / (len(x) - 1)

    def normalise(self, x, mean, var):
        return super().normalise(x, mean, var if self.training else var * self.more)


RIGHT = [ByHand, CorrectedAfterwards]
WRONG = [
    ("running variance divided by n", Untouched),
    ("n − 1 in training, too", DefaultOfVar),
    ("n − 1 in training, n in the running variance", WrongLine),
    ("n and n − 1 the wrong way round", Swapped),
    ("momentum the wrong way round", ShareChanged),
    ("mean divided by n − 1", BothByLess),
    ("", CorrectedInUse),
]
