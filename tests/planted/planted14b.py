"""Answers to exercise 14b as learners write them."""

import math

NAMES = (
    "mean square with weights of 1 and −1",
    "mean square with weights of ¼ and −¼",
    "variance of Xavier's start",
    "variance of Kaiming's start",
    "how far Kaiming's even draw reaches, with 6 inputs",
    "the share of the mean square that 10 layers of variance 1/n, each with ReLU, leave",
    "the share of the mean square that 2 layers of lesson 04's start, each with ReLU, leave",
)


def numbers(*values):
    return lambda: dict(zip(NAMES, values, strict=True))


def by_rule():
    reach = math.sqrt(3 * 2 / 6)
    return numbers(4 * 1**2, 4 * 0.25**2, 2 / (20 + 30), 2 / 20, reach, 1 / 1024, (1 / 3 / 2) ** 2)()


RIGHT = [numbers(4, 1 / 4, 0.04, 0.1, 1, 2**-10, 1 / 36), by_rule]
WRONG = [
    ("size of a weight taken for the variance", numbers(4, 4 / 4, 0.04, 0.1, 1, 2**-10, 1 / 36)),
    ("deviation in place of the variance", numbers(4, 0.25, 0.2, math.sqrt(0.1), 1, 2**-10, 1 / 36)),
    ("n_out in place of n_in", numbers(4, 0.25, 0.04, 1 / 15, 1, 2**-10, 1 / 36)),
    ("the half of ReLU forgotten", numbers(4, 0.25, 0.04, 0.1, 1, 1, 1 / 9)),
    ("deviation taken for the reach", numbers(4, 0.25, 0.04, 0.1, math.sqrt(2 / 6), 2**-10, 1 / 36)),
    ("", numbers(16, 0.25, 0.04, 0.1, 1, 2**-10, 1 / 36)),
    ("", numbers(4, 0.25, 0.04, 0.1, 1, 2**-10, 1 / 6)),
]
