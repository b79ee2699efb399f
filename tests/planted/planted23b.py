"""Answers to exercise 23b as learners write them."""

import torch

from lessons.exercises.exercise23b_last_batch import gradient
from lessons.lesson23_machines import ring


def weighted(weigh, finish):
    """A worker sends its gradient times weigh(share, batch, n); finish(total, batch, n) makes the result."""

    def shared(model, x, target, n):
        rows = []
        for r in range(n):
            share, answers = x[r::n], target[r::n]
            if len(answers) == 0:
                rows.append(0 * gradient(model, x[:1], target[:1]))
            else:
                rows.append(weigh(len(answers), len(x), n) * gradient(model, share, answers))
        return finish(ring(torch.stack(rows))[0][-1][-1], len(x), n)

    return shared


def counts_travel_along(model, x, target, n):
    """Every worker sends its count as one number more: nobody has to know the size of the batch."""
    rows = []
    for r in range(n):
        count = len(target[r::n])
        row = (
            gradient(model, x[r::n], target[r::n]) if count else torch.zeros_like(gradient(model, x, target))
        )
        rows.append(torch.cat([count * row, torch.tensor([float(count)])]))
    total = ring(torch.stack(rows))[0][-1][0]
    return total[:-1] / total[-1]


def equal_shares_only(model, x, target, n):
    """Leaves out what does not fit."""
    x, target = x[: len(x) // n * n or None], target[: len(x) // n * n or None]
    return weighted(lambda share, batch, n: share / batch, lambda total, batch, n: total)(model, x, target, n)


RIGHT = [weighted(lambda share, batch, n: share / batch, lambda total, batch, n: total), counts_travel_along]
WRONG = [
    ("shares weighed alike", weighted(lambda s, b, n: 1 / n, lambda total, b, n: total)),
    ("mean forgotten", weighted(lambda s, b, n: s, lambda total, b, n: total)),
    ("mean taken twice", weighted(lambda s, b, n: s / b, lambda total, b, n: total / n)),
    ("weighted, then divided by the workers", weighted(lambda s, b, n: s, lambda total, b, n: total / n)),
    ("means added up", weighted(lambda s, b, n: 1, lambda total, b, n: total)),
    (
        "all shares counted as the largest",
        weighted(lambda s, b, n: s, lambda total, b, n: total / (n * ((b + n - 1) // n))),
    ),
    ("", weighted(lambda s, b, n: b / s / n, lambda total, b, n: total / n)),
    ("", equal_shares_only),
]
