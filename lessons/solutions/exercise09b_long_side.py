"""Solution of exercise 09b."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from curriculum.pair import Pair
from lessons.lesson09_autograd import Value, plain, torch_node, twice

ANSWER = "hypot"
REREAD = ("lesson09_autograd.py", "def __truediv__")
HINTS = (
    "Look at __truediv__: it works out y, and then names a slope for each of the two roads.",
    "The slope of √u is 1 / (2√u), and that of a² is 2a. Slopes one after the other multiply.",
    "y = math.hypot(a.data, plain(b)); the slope of the road to a is a.data / y, of that to b plain(b) / y.",
)
AFTER = (
    "A new operation is a value and one slope for each input. The engine has the rest.",
    "Add the angle, math.atan2(a, b). Which of its two slopes is negative for "
    "positive a and b?",
)


def hypot(a: Value, b: Value | float) -> Value:
    y = math.hypot(a.data, plain(b))
    return Value(y, (a, a.data / y), (b, plain(b) / y))


def pairs(answer: Any) -> list[Pair]:
    """What the learner's `answer` is held against: `torch.hypot`."""
    there = _formulas(lambda a, b: torch.hypot(a, torch.as_tensor(b, dtype=a.dtype)))
    make = lambda value: Value(value.item())  # noqa: E731
    return [
        Pair(
            name,
            partial(twice, make, here),
            partial(twice, torch_node, there[name], retain_graph=True),
        )
        for name, here in _formulas(answer).items()
    ]


def _formulas(long_side: Callable[..., Any]) -> dict[str, Any]:
    """Formulas for `twice`; q is positive."""
    return {
        "two sides": lambda p, q: long_side(p, q),
        "the other way round": lambda p, q: long_side(q, p),
        "plain number": lambda p: long_side(p, 2.0),
        "with itself": lambda q: long_side(q, q),
        "inside": lambda p, q: long_side(long_side(p, q), p * q) * p,
    }


def _slopes(
    to_a: Callable[[float, float], float], to_b: Callable[[float, float], float]
) -> Any:
    """The right value, with other slopes, each made from its own side and y."""

    def mistake(a: Value, b: Value | float) -> Value:
        y = hypot(a, b).data
        return Value(y, (a, to_a(a.data, y)), (b, to_b(plain(b), y)))

    return mistake


def _swapped(a: Value, b: Value | float) -> Value:
    y = hypot(a, b).data
    return Value(y, (a, plain(b) / y), (b, a.data / y))


def _one_road(a: Value, b: Value | float) -> Value:
    node = hypot(a, b)
    return Value(node.data, node.roads[0])


MISTAKES = {
    "slopes swapped": _swapped,
    "second road forgotten": _one_road,
    "slope of the square without that of the root": _slopes(
        lambda a, y: 2 * a, lambda b, y: 2 * b
    ),
    "slope of the root without that of the square": _slopes(
        lambda a, y: 1 / (2 * y), lambda b, y: 1 / (2 * y)
    ),
    "factor 2 left in": _slopes(lambda a, y: 2 * a / y, lambda b, y: 2 * b / y),
    "factor ½ left in": _slopes(lambda a, y: a / (2 * y), lambda b, y: b / (2 * y)),
    "value without the root": lambda a, b: a * a + b * b,
}
