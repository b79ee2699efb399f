"""Answers to exercise 13b as learners write them."""

import math

NAMES = (
    "rate 0.5: typical distance after one step from 10",
    "rate 0.5: the distance that stays",
    "rate 0.2: the distance that stays",
    "from 0.8 in a line to 0 in 4 steps: the last rate",
    "from 0.8 along a cosine in 100 steps: the rate half way",
    "warm-up to 0.8 from a tenth of it: the rate half way",
    "from 0.8, a tenth every 30 steps, stepped once an epoch of 100: the last rate of 5 epochs",
)


def numbers(*values):
    return lambda: dict(zip(NAMES, values, strict=True))


def by_formula():
    def stays(lr):
        return math.sqrt(lr / (1 - lr))

    return numbers(1, stays(0.5), stays(0.2), 0.8 * (1 - 3 / 4), 0.8 / 2, (0.08 + 0.8) / 2, 0.8)()


RIGHT = [numbers(1.0, 1.0, 0.5, 0.2, 0.4, 0.44, 0.8), by_formula]
WRONG = [
    ("mean square taken for the distance", numbers(1, 1, 0.2 / 0.8, 0.2, 0.4, 0.44, 0.8)),
    ("noise forgotten", numbers(0, 0, 0, 0.2, 0.4, 0.44, 0.8)),
    ("steps counted from 1", numbers(1, 1, 0.5, 0, 0.4, 0.44, 0.8)),
    ("warm-up from 0", numbers(1, 1, 0.5, 0.2, 0.4, 0.4, 0.8)),
    ("stepped after every step", numbers(1, 1, 0.5, 0.2, 0.4, 0.44, 0.8e-16)),
    ("", numbers(1, 1, 0.5, 0.2, 0.4, 0.44, 0.5)),
    ("", numbers(10, 1, 0.5, 0.2, 0.4, 0.44, 0.8)),
]
