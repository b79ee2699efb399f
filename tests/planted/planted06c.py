"""Answers to exercise 06c as learners write them."""

from math import exp, log

NAMES = (
    "share of the apple",
    "share of the pear",
    "apple's share along the apple's score",
    "apple's share along the pear's score",
    "loss along the apple's score",
    "loss along the pear's score",
    "loss along the plum's score",
    "share of the apple, 7 added",
    "mean loss along the first pear's score",
)


def numbers(*values):
    return lambda: dict(zip(NAMES, values, strict=True))


def by_code():
    e = [exp(log(3)), exp(0), exp(0)]
    apple, pear, plum = (value / sum(e) for value in e)
    later = [value * exp(7) for value in e]
    return numbers(
        apple,
        pear,
        apple - apple**2,
        -apple * pear,
        apple,
        pear - 1,
        plum,
        later[0] / sum(later),
        (pear - 1) / 2,
    )()


RIGHT = [numbers(0.6, 0.2, 0.24, -0.12, 0.6, -0.8, 0.2, 0.6, -0.4), by_code]
WRONG = [
    ("only the right class has a slope", numbers(0.6, 0.2, 0.24, -0.12, 0, -0.8, 0, 0.6, -0.4)),
    ("q − p, the way the score wants to move", numbers(0.6, 0.2, 0.24, -0.12, -0.6, 0.8, -0.2, 0.6, 0.4)),
    ("slope along p in place of the score", numbers(0.6, 0.2, 0.24, -0.12, 0, -5, 0, 0.6, -2.5)),
    ("sum of the exponentials held still", numbers(0.6, 0.2, 0.6, 0, 0.6, -0.8, 0.2, 0.6, -0.4)),
    ("another's share moved the same way", numbers(0.6, 0.2, 0.24, 0.12, 0.6, -0.8, 0.2, 0.6, -0.4)),
    ("mean forgotten", numbers(0.6, 0.2, 0.24, -0.12, 0.6, -0.8, 0.2, 0.6, -0.8)),
    ("", numbers(0.6, 0.2, 0.24, -0.12, 0.6, -0.8, 0.2, 0.9, -0.4)),
    ("", numbers(0.5, 0.25, 0.25, -0.125, 0.5, -0.75, 0.25, 0.5, -0.375)),
]
