"""Solution of exercise 10b."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from curriculum.pair import Pair
from lessons.lesson09_autograd import plain, torch_node, twice
from lessons.lesson10_tensor_autograd import Node

ANSWER = "beside"
REREAD = ("lesson10_tensor_autograd.py", "def __matmul__")
HINTS = (
    "In __matmul__ each road bears a function. What does it get, and what shape must it return?",
    "The blame of y has k + m columns. Which of them belong to a, and which to b?",
    "With k = a.data.shape[1], the road to a bears lambda grad: grad[:, :k], that to b grad[:, k:].",
)
AFTER = (
    "Where numbers only change places, their blame goes back to the places that "
    "they came from.",
    "torch.stack, and a slice that takes every second column.",
)


def beside(a: Node, b: Node | Tensor) -> Node:
    k = a.data.shape[1]
    y = torch.cat((a.data, plain(b)), dim=1)
    return Node(y, (a, lambda grad: grad[:, :k]), (b, lambda grad: grad[:, k:]))


def pairs(answer: Any) -> list[Pair]:
    """What the learner's `answer` is held against: `torch.cat`."""
    there = _formulas(lambda a, b: torch.cat((a, b), dim=1))
    return [
        Pair(
            name,
            partial(twice, Node, here),
            partial(twice, torch_node, there[name], retain_graph=True),
        )
        for name, here in _formulas(answer).items()
    ]


def _formulas(side_by_side: Callable[..., Any]) -> dict[str, Any]:
    """Formulas for `twice`, in which a, b, col are nodes of shape (n, k), (n, k), (n, 1)."""
    return {
        "two tensors": lambda a, b: side_by_side(a, b),
        "narrow first": lambda a, col: side_by_side(col, a),
        "plain tensor": lambda a: side_by_side(a, torch.ones_like(a.data)),
        "with itself": lambda a: side_by_side(a, a),
        "inside": lambda a, b, col: side_by_side(side_by_side(a * col, b), col) ** 2,
    }


def _roads(
    to_a: Callable[[Tensor, int, int], Tensor],
    to_b: Callable[[Tensor, int, int], Tensor],
) -> Any:
    """The right value; the roads get the blame of y, and the columns of a and of b."""

    def mistake(a: Node, b: Node | Tensor) -> Node:
        y = beside(a, b).data
        k = a.data.shape[1]
        m = plain(b).shape[1]
        return Node(
            y, (a, lambda grad: to_a(grad, k, m)), (b, lambda grad: to_b(grad, k, m))
        )

    return mistake


def _one_road(a: Node, b: Node | Tensor) -> Node:
    node = beside(a, b)
    return Node(node.data, node.roads[0])


MISTAKES = {
    "ends swapped": _roads(
        lambda grad, k, m: grad[:, m:], lambda grad, k, m: grad[:, :m]
    ),
    "both read from the start": _roads(
        lambda grad, k, m: grad[:, :k], lambda grad, k, m: grad[:, :m]
    ),
    "both read from the end": _roads(
        lambda grad, k, m: grad[:, -k:], lambda grad, k, m: grad[:, -m:]
    ),
    "second road forgotten": _one_road,
    "upstream gradient ignored": _roads(
        lambda grad, k, m: torch.ones_like(grad[:, :k]),
        lambda grad, k, m: torch.ones_like(grad[:, k:]),
    ),
}
