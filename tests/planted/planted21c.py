"""Answers to exercise 21c as learners write them."""

NAMES = (
    "p before",
    "slope of the loss along pixel 1",
    "slope of the loss along pixel 2",
    "slope of the loss along pixel 3",
    "pixel 1 after FGSM",
    "pixel 3 after FGSM",
    "right logit after FGSM",
    "right logit after the signs −, −, +, + of the same size",
)


def numbers(*values):
    return lambda: dict(zip(NAMES, values, strict=True))


def by_code():
    weights = (1, -2, 3, -2)
    slopes = [-0.5 * weight for weight in weights]
    pixels = [0.9, 0.3, 0.1, 0.3]
    moved = [min(1, max(0, x + 0.2 * (1 if s > 0 else -1))) for x, s in zip(pixels, slopes, strict=True)]
    other = [0.7, 0.1, 0.3, 0.5]
    sums = [sum(w * x for w, x in zip(weights, row, strict=True)) for row in (moved, other)]
    return numbers(0.5, *slopes[:3], moved[0], moved[2], *sums)()


RIGHT = [numbers(0.5, -0.5, 1, -1.5, 0.7, 0, -1.3, 0.4), by_code]
WRONG = [
    ("downhill, not uphill", numbers(0.5, -0.5, 1, -1.5, 1.0, 0.3, 1.5, 0.4)),
    ("not kept in the box", numbers(0.5, -0.5, 1, -1.5, 0.7, -0.1, -1.6, 0.4)),
    ("the slope taken, not its sign", numbers(0.5, -0.5, 1, -1.5, 0.8, 0, -1.2, 0.4)),
    ("slope along the weights, not the pixels", numbers(0.5, -0.45, -0.15, -0.05, 0.7, 0, 0.3, 0.4)),
    ("p − 1 with the wrong sign", numbers(0.5, 0.5, -1, 1.5, 1.0, 0.3, 1.5, 0.4)),
    ("", numbers(0, -1, 2, -3, 0.7, 0, -1.3, 0.4)),
    ("", numbers(0.5, -0.5, 1, -1.5, 0.7, 0, -1.3, -0.2)),
]
