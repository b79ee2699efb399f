"""Answers to exercise 01d as learners write them."""

NAMES = (
    "guess",
    "loss",
    "slope along the weight of the stars",
    "slope along the weight of the year",
    "slope along the bias",
    "guess after the step",
    "loss after the step",
)


def numbers(*values):
    return lambda: dict(zip(NAMES, values, strict=True))


def by_code():
    stars, year, bias = 0.4, 0.6, -0.2
    guess = stars * 0.5 + year + bias
    error = guess - 0.2
    stars, year, bias = stars - 0.1 * error, year - 0.2 * error, bias - 0.2 * error
    after = stars * 0.5 + year + bias
    return numbers(guess, error**2, error, 2 * error, 2 * error, after, (after - 0.2) ** 2)()


RIGHT = [numbers(0.6, 0.16, 0.4, 0.8, 0.8, 0.42, 0.0484), by_code]
WRONG = [
    ("moved with the slope, not against it", numbers(0.6, 0.16, 0.4, 0.8, 0.8, 0.78, 0.3364)),
    ("the 2 of the square forgotten", numbers(0.6, 0.16, 0.2, 0.4, 0.4, 0.51, 0.0961)),
    ("input left out of the slope", numbers(0.6, 0.16, 0.8, 0.8, 0.8, 0.4, 0.04)),
    ("bias not moved", numbers(0.6, 0.16, 0.4, 0.8, 0.8, 0.5, 0.09)),
    ("learning rate forgotten", numbers(0.6, 0.16, 0.4, 0.8, 0.8, -1.2, 1.96)),
    ("error with the wrong sign", numbers(0.6, 0.16, -0.4, -0.8, -0.8, 0.78, 0.3364)),
    ("", numbers(0.6, 0.4, 0.4, 0.8, 0.8, 0.42, 0.22)),
    ("", numbers(1.0, 0.64, 0.8, 1.6, 1.6, 0.64, 0.1936)),
]
