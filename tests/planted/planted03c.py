"""Answers to exercise 03c as learners write them."""

NAMES = (
    "kink of ReLU(x + 1)",
    "kink of ReLU(2x − 1)",
    "kink of ReLU(3 − x)",
    "slope of piece 1",
    "slope of piece 2",
    "slope of piece 3",
    "slope of piece 4",
    "y at 0",
    "y at 4",
    "slope without ReLU",
    "y at 0 without ReLU",
)


def numbers(*values):
    return lambda: dict(zip(NAMES, values, strict=True))


def by_code():
    def y(x, bend=True):
        sums = (x + 1, 2 * x - 1, 3 - x)
        first, second, third = (max(0, s) if bend else s for s in sums)
        return 1 + 2 * first - 3 * second + third

    slopes = [y(x + 0.5) - y(x - 0.5) for x in (-2, -0.25, 2, 5)]
    return numbers(-1, 1 / 2, 3, *slopes, y(0), y(4), y(1, False) - y(0, False), y(0, False))()


RIGHT = [numbers(-1, 0.5, 3, -1, 1, -5, -4, 6, -10, -5, 9), by_code]
WRONG = [
    ("sign of the kink", numbers(1, -0.5, -3, -1, 1, -5, -4, 6, -10, -5, 9)),
    ("weight in front of x forgotten at the kink", numbers(-1, 1, 3, -1, 1, -5, -4, 6, -10, -5, 9)),
    ("weight in front of x forgotten in the slopes", numbers(-1, 0.5, 3, 1, 3, 0, -1, 6, -10, -5, 9)),
    ("negative weight taken to wake on the right", numbers(-1, 0.5, 3, 0, 2, -4, -5, 6, -10, -5, 9)),
    ("slopes not added up", numbers(-1, 0.5, 3, -1, 2, -6, -4, 6, -10, -5, 9)),
    ("bias of the output forgotten", numbers(-1, 0.5, 3, -1, 1, -5, -4, 5, -11, -5, 8)),
    ("ReLU left out of y", numbers(-1, 0.5, 3, -1, 1, -5, -4, 9, -11, -5, 9)),
    ("", numbers(-1, 0.5, 3, -1, 1, -5, -4, 6, 10, -5, 9)),
    ("", numbers(-1, 0.5, 3, 2, 4, -2, -3, 6, -10, -5, 9)),
]
