"""Answers to exercise 12d as learners write them."""

NAMES = (
    "plain descent, after three steps",
    "momentum, after two steps",
    "momentum, after three steps",
    "Adam, after two steps",
    "Adam, after two steps, gradients a thousand times as large",
    "RMSprop, after one step",
    "AdamW with a decay of 0.5, after one step without any gradient",
)


def numbers(*values):
    return lambda: dict(zip(NAMES, values, strict=True))


def walk(keep=0.9, new=1.0, steps=3):
    w, v = 1.0, 0.0
    for g in (4, 4, -4)[:steps]:
        v = keep * v + new * g
        w -= 0.1 * v
    return w


def by_code():
    return numbers(walk(0.0), walk(steps=2), walk(), 1 - 0.2, 1 - 0.2, 1 - 0.1 * 4 / 0.16**0.5, 1 - 0.05)()


RIGHT = [numbers(0.6, -0.16, -0.444, 0.8, 0.8, 0, 0.95), by_code]
WRONG = [
    (
        "velocity taken for an average",
        numbers(0.6, walk(new=0.1, steps=2), walk(new=0.1), 0.8, 0.8, 0, 0.95),
    ),
    ("velocity forgotten", numbers(0.6, walk(0.0, steps=2), walk(0.0), 0.8, 0.8, 0, 0.95)),
    ("Adam feels the scale", numbers(0.6, -0.16, -0.444, 0.8, 1 - 200, 0, 0.95)),
    ("RMSprop's start at 0 overlooked", numbers(0.6, -0.16, -0.444, 0.8, 0.8, 0.9, 0.95)),
    ("decay not multiplied by the rate", numbers(0.6, -0.16, -0.444, 0.8, 0.8, 0, 0.5)),
    ("", numbers(0.2, -0.16, -0.444, 0.8, 0.8, 0, 0.95)),
    ("", numbers(0.6, -0.16, -0.444, 0.7, 0.7, 0, 0.95)),
]
