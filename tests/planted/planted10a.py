"""Answers to exercise 10a as learners write them."""

from typing import Any

import torch
from torch import Tensor

from lessons.lesson09_autograd import Value
from lessons.lesson10_tensor_autograd import Node


def by_absolute_value(a: Node, b: Any) -> Node:
    """max(a, b) = (a + b + |a − b|) / 2, and the slope of |v| is sign(v), 0 at 0."""
    other = b.data if isinstance(b, Value) else b
    sign = torch.sign(a.data - other)
    return Node((a.data + other + (a.data - other).abs()) / 2, (a, (1 + sign) / 2), (b, (1 - sign) / 2))


def with_functions(a: Node, b: Any) -> Node:
    other = b.data if isinstance(b, Node) else b
    share = torch.where(a.data == other, torch.tensor(0.5), (a.data > other).to(a.data.dtype))
    roads: list[Any] = [(a, lambda grad: grad * share)]
    if isinstance(b, Node):
        roads.append((b, lambda grad: grad - grad * share))
    return Node(torch.where(a.data > other, a.data, other), *roads)


def numbers(a: Node, b: Any) -> tuple[Tensor, Tensor]:
    other = b.data if isinstance(b, Value) else b
    return torch.broadcast_tensors(a.data, other)


def both_win(a: Node, b: Any) -> Node:
    x, y = numbers(a, b)
    best = torch.where(x >= y, x, y)
    return Node(best, (a, (best == x) * 1.0), (b, (best == y) * 1.0))


def first_wins(a: Node, b: Any) -> Node:
    x, y = numbers(a, b)
    mask = ~(x < y)
    return Node(torch.where(mask, x, y), (a, mask), (b, ~mask))


def second_wins(a: Node, b: Any) -> Node:
    x, y = numbers(a, b)
    mask = (x - y).clamp(min=0).sign()
    return Node(mask * x + (1 - mask) * y, (a, mask), (b, 1 - mask))


def nobody_wins(a: Node, b: Any) -> Node:
    x, y = numbers(a, b)
    return Node(torch.maximum(y, x), (a, lambda grad: grad * (x > y)), (b, lambda grad: grad * (y > x)))


def one_road(a: Node, b: Any) -> Node:
    x, y = numbers(a, b)
    return Node(torch.maximum(x, y), (a, 0.5 + 0.5 * torch.sign(x - y)))


def swapped(a: Node, b: Any) -> Node:
    x, y = numbers(a, b)
    return Node(torch.maximum(x, y), (a, 0.5 + 0.5 * torch.sign(y - x)), (b, 0.5 + 0.5 * torch.sign(x - y)))


def no_upstream(a: Node, b: Any) -> Node:
    x, y = numbers(a, b)
    share = 0.5 + 0.5 * torch.sign(x - y)
    return Node(torch.maximum(x, y), (a, lambda grad: share * 1), (b, lambda grad: 1 - share))


def always_half(a: Node, b: Any) -> Node:
    x, y = numbers(a, b)
    return Node(torch.maximum(x, y), (a, 0.5), (b, 0.5))


def in_place(a: Node, b: Any) -> Node:
    x, y = numbers(a, b)
    share = 0.5 + 0.5 * torch.sign(x - y)
    if x.shape == a.data.shape:
        a.data = torch.maximum(x, y)
    return Node(torch.maximum(x, y), (a, share), (b, 1 - share))


RIGHT = [by_absolute_value, with_functions]
WRONG = [
    ("ties get all the blame twice", both_win),
    ("ties go to the first", first_wins),
    ("ties go to the second", second_wins),
    ("ties get no blame", nobody_wins),
    ("second road forgotten", one_road),
    ("slopes swapped", swapped),
    ("upstream gradient ignored", no_upstream),
    ("", always_half),
    ("", in_place),
]
