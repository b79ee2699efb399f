"""Answers to exercise 18b as learners write them."""

from math import ceil

import torch


class InALoop:
    """Pointers and lists instead of slices of tensors."""

    def __init__(self, split, batch_size, generator):
        self.x, self.target = split
        self.size, self.generator = batch_size, generator

    def __len__(self):
        return ceil(len(self.x) / self.size)

    def order(self):
        return torch.randperm(len(self.x), generator=self.generator).tolist()

    def __iter__(self):
        order, at = self.order(), 0
        while at < len(order):
            rows = order[at : at + self.size]
            at += self.size
            yield self.x[rows], self.target[rows]


class ShuffledFirst(InALoop):
    """Shuffles everything, then cuts."""

    def __iter__(self):
        order = torch.randperm(len(self.x), generator=self.generator)
        return iter(list(zip(*(part[order].split(self.size) for part in (self.x, self.target)), strict=True)))


class OrderPerBatch(InALoop):
    def __iter__(self):
        for at in range(0, len(self.x), self.size):
            rows = torch.randperm(len(self.x), generator=self.generator)[at:][: self.size]
            yield self.x.index_select(0, rows), self.target.index_select(0, rows)


class DrawnAtConstruction(InALoop):
    def __init__(self, split, batch_size, generator):
        super().__init__(split, batch_size, generator)
        self.drawn = super().order()

    def order(self):
        return self.drawn


class InOrder(InALoop):
    def __iter__(self):
        yield from zip(self.x.split(self.size), self.target.split(self.size), strict=True)


class WholeBatchesOnly(InALoop):
    def __iter__(self):
        order = self.order()
        for batch in range(len(order) // self.size):
            rows = [order[self.size * batch + i] for i in range(self.size)]
            yield self.x[rows], self.target[rows]


class Apart(InALoop):
    def __iter__(self):
        xs = self.x[self.order()]
        yield from zip(xs.split(self.size), self.target[self.order()].split(self.size), strict=True)


class FilledUp(InALoop):
    def __iter__(self):
        order = self.order()
        for at in range(0, len(order), self.size):
            rows = [order[i % len(order)] for i in range(at, at + self.size)]
            yield self.x[rows], self.target[rows]


class WithReplacement(InALoop):
    def __iter__(self):
        for _ in range(len(self)):
            rows = torch.randint(len(self.x), (self.size,), generator=self.generator)
            yield self.x[rows], self.target[rows]


RIGHT = [InALoop, ShuffledFirst]
WRONG = [
    ("a new order for every batch", OrderPerBatch),
    ("the same order in every epoch", DrawnAtConstruction),
    ("never shuffled", InOrder),
    ("last batch dropped", WholeBatchesOnly),
    ("pictures and answers shuffled apart", Apart),
    ("", FilledUp),
    ("", WithReplacement),
]
