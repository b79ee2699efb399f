"""Answers to exercise 09b as learners write them."""

import math
from typing import Any

from lessons.lesson09_autograd import Value


def composed(a: Value, b: Any) -> Value:
    return (a**2 + b**2) ** 0.5


def by_angle(a: Value, b: Any) -> Value:
    """The slopes are the cosine and the sine of the angle."""
    other = b.data if isinstance(b, Value) else b
    angle = math.atan2(other, a.data)
    return Value(math.sqrt(a.data**2 + other**2), (a, math.cos(angle)), (b, math.sin(angle)))


def numbers(a: Value, b: Any) -> tuple[float, float, float]:
    other = b.data if isinstance(b, Value) else b
    return a.data, other, (a.data * a.data + other * other) ** 0.5


def crossed(a: Value, b: Any) -> Value:
    x, z, y = numbers(a, b)
    return Value(y, (b, x / y), (a, z / y))


def only_a(a: Value, b: Any) -> Value:
    x, _, y = numbers(a, b)
    return Value(y, (a, x / y))


def square_only(a: Value, b: Any) -> Value:
    x, z, y = numbers(a, b)
    return Value(y, (a, x + x), (b, z + z))


def root_only(a: Value, b: Any) -> Value:
    _, _, y = numbers(a, b)
    return Value(y, (a, 0.5 / y), (b, 0.5 / y))


def twice_too_much(a: Value, b: Any) -> Value:
    x, z, y = numbers(a, b)
    return Value(y, (a, x / (0.5 * y)), (b, z / (0.5 * y)))


def no_root(a: Value, b: Any) -> Value:
    return a**2 + b**2


def sum_of_sides(a: Value, b: Any) -> Value:
    return abs(a) + b


RIGHT = [composed, by_angle]
WRONG = [
    ("slopes swapped", crossed),
    ("second road forgotten", only_a),
    ("slope of the square without that of the root", square_only),
    ("slope of the root without that of the square", root_only),
    ("factor 2 left in", twice_too_much),
    ("value without the root", no_root),
    ("", sum_of_sides),
]
