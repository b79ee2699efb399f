"""Answers to exercise 16c as learners write them."""

import math

NAMES = (
    "dropout in training: what the neuron gives if it stays",
    "dropout in training: the mean of what it gives",
    "dropout in use: what it gives",
    "weight decay: the weight after two steps",
    "early stopping: the number of the look that stops, counted from 1",
    "early stopping: the validation loss of the weights that are restored",
    "standardised: the house of 5 rooms",
)


def numbers(*values):
    return lambda: dict(zip(NAMES, values, strict=True))


def by_formula():
    p = 0.75
    return numbers(3 / (1 - p), (1 - p) * 3 / (1 - p), 3, 8 * (1 - 0.1 * 0.5) ** 2, 6, 0.4, (5 - 3) / 2)()


RIGHT = [numbers(12, 3, 3, 7.22, 6, 0.4, 1), by_formula]
WRONG = [
    ("divided by p, not by 1 − p", numbers(3 / 0.75, 3, 3, 7.22, 6, 0.4, 1)),
    ("not enlarged in training", numbers(3, 0.75, 3, 7.22, 6, 0.4, 1)),
    ("made smaller in use, too", numbers(12, 3, 0.75, 7.22, 6, 0.4, 1)),
    ("one step in place of two", numbers(12, 3, 3, 7.6, 6, 0.4, 1)),
    ("the count does not begin anew", numbers(12, 3, 3, 7.22, 5, 0.4, 1)),
    ("the last weights kept", numbers(12, 3, 3, 7.22, 6, 0.6, 1)),
    ("deviation over n", numbers(12, 3, 3, 7.22, 6, 0.4, 2 / math.sqrt(8 / 3))),
    ("", numbers(12, 3, 3, 7.22, 3, 0.4, 1)),
    ("", numbers(12, 12, 3, 7.22, 6, 0.4, 1)),
]
