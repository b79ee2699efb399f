"""Answers to exercise 10b as learners write them."""

from typing import Any

import torch
from torch import Tensor

from lessons.lesson09_autograd import Value
from lessons.lesson10_tensor_autograd import Node


def tensors(a: Node, b: Any) -> tuple[Tensor, Tensor]:
    return a.data, b.data if isinstance(b, Value) else b


def with_split(a: Node, b: Any) -> Node:
    x, z = tensors(a, b)
    widths = [x.shape[1], z.shape[1]]
    return Node(
        torch.hstack([x, z]),
        (a, lambda grad: grad.split(widths, 1)[0]),
        (b, lambda grad: grad.split(widths, 1)[1]),
    )


def by_products(a: Node, b: Any) -> Node:
    """Each tensor times a matrix that moves its columns to their places, and the sum of both."""
    k, m = (part.shape[1] for part in tensors(a, b))
    eye = torch.eye(k + m, dtype=a.data.dtype)
    left = a @ eye[:k]
    right = b @ eye[k:]
    return left + right


def swapped(a: Node, b: Any) -> Node:
    x, z = tensors(a, b)
    m = z.shape[1]
    return Node(torch.cat([x, z], 1), (b, lambda grad: grad[:, :m]), (a, lambda grad: grad[:, m:]))


def both_first(a: Node, b: Any) -> Node:
    x, z = tensors(a, b)
    first = lambda grad, part: grad[:, : part.shape[1]]  # noqa: E731
    return Node(torch.cat([x, z], 1), (a, lambda grad: first(grad, x)), (b, lambda grad: first(grad, z)))


def only_a(a: Node, b: Any) -> Node:
    x, z = tensors(a, b)
    return Node(torch.cat([x, z], 1), (a, lambda grad: grad[:, : x.shape[1]]))


def ones(a: Node, b: Any) -> Node:
    x, z = tensors(a, b)
    grads = torch.ones_like(x), torch.ones_like(z)
    return Node(torch.cat([x, z], 1), (a, lambda grad: grads[0]), (b, lambda grad: grads[1]))


def doubled(a: Node, b: Any) -> Node:
    x, z = tensors(a, b)
    k = x.shape[1]
    return Node(torch.cat([x, z], 1), (a, lambda grad: 2 * grad[:, :k]), (b, lambda grad: grad[:, k:]))


RIGHT = [with_split, by_products]
WRONG = [
    ("ends swapped", swapped),
    ("both read from the start", both_first),
    ("second road forgotten", only_a),
    ("upstream gradient ignored", ones),
    ("", doubled),
]
