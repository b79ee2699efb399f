"""Answers to exercise 22c as learners write them."""

NAMES = (
    "slope along w2",
    "slope along w1",
    "new answer, w1 frozen",
    "old answer, w1 frozen",
    "new answer, s = 0.1",
    "new answer, both free",
    "old answer, both free",
)


def numbers(*values):
    return lambda: dict(zip(NAMES, values, strict=True))


def by_code():
    error = 2 * (2 * 3 - 5)
    along2, along1 = error * 2, error * 3
    w2 = 3 - 0.1 * along2
    answers = [w2 * (2 - rate * along1) for rate in (0, 0.01, 0.1)]
    return numbers(along2, along1, answers[0], 2 * answers[0], answers[1], answers[2], 2 * answers[2])()


RIGHT = [numbers(4, 6, 5.2, 10.4, 5.044, 3.64, 7.28), by_code]
WRONG = [
    ("the 2 of the square forgotten", numbers(2, 3, 5.6, 11.2, 5.516, 4.76, 9.52)),
    ("moved with the slope, not against it", numbers(4, 6, 6.8, 13.6, 7.004, 8.84, 17.68)),
    ("w2 left out of the slope along w1", numbers(4, 2, 5.2, 10.4, 5.148, 4.68, 9.36)),
    ("s is the whole rate of w1", numbers(4, 6, 5.2, 10.4, 3.64, 3.64, 7.28)),
    ("the head frozen, not w1", numbers(4, 6, 6, 12, 5.82, 4.2, 8.4)),
    ("", numbers(4, 6, 5.2, 12, 5.044, 3.64, 12)),
    ("", numbers(2, 6, 5.2, 10.4, 5.044, 3.64, 7.28)),
]
