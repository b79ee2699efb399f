"""Answers to exercise 05b as learners write them."""

from math import exp, log

NAMES = (
    "best p",
    "its likelihood",
    "slope of the squared error along p",
    "slope of the squared error along z",
    "slope of the cross-entropy along p",
    "slope of the cross-entropy along z",
    "slope of the mean along the second z",
)


def numbers(*values):
    return lambda: dict(zip(NAMES, values, strict=True))


def by_code():
    p, flat = 0.2, 0.2 * 0.8
    return numbers(
        4 / 5, exp(4 * log(0.8) + log(0.2)), 2 * (p - 1), 2 * (p - 1) * flat, -1 / p, -flat / p, 0.6 / 2
    )()


RIGHT = [numbers(0.8, 0.08192, -1.6, -0.256, -5, -0.8, 0.3), by_code]
WRONG = [
    ("p = 1, for most of them were spam", numbers(1, 0, -1.6, -0.256, -5, -0.8, 0.3)),
    ("the mail that was no spam left out", numbers(0.8, 0.4096, -1.6, -0.256, -5, -0.8, 0.3)),
    ("slopes with the wrong sign", numbers(0.8, 0.08192, 1.6, 0.256, 5, 0.8, 0.3)),
    ("the 2 of the square forgotten", numbers(0.8, 0.08192, -0.8, -0.128, -5, -0.8, 0.3)),
    ("slope of the sigmoid left out", numbers(0.8, 0.08192, -1.6, -1.6, -5, -5, 0.3)),
    ("p − t taken for the squared error", numbers(0.8, 0.08192, -1.6, -0.8, -5, -0.8, 0.3)),
    ("mean forgotten", numbers(0.8, 0.08192, -1.6, -0.256, -5, -0.8, 0.6)),
    ("second mail taken for spam", numbers(0.8, 0.08192, -1.6, -0.256, -5, -0.8, -0.2)),
    ("", numbers(0.8, 0.0016384, -1.6, -0.256, -5, -0.8, 0.3)),
    ("", numbers(0.8, 0.08192, -1.6, -0.256, -0.2, -0.032, 0.3)),
]
