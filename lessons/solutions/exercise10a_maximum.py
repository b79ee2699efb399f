"""Solution of exercise 10a."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from curriculum.pair import Pair
from lessons.lesson09_autograd import plain, torch_node, twice
from lessons.lesson10_tensor_autograd import Node

ANSWER = "maximum"
REREAD = ("lesson10_tensor_autograd.py", "def relu(self)")
HINTS = (
    "relu is max(a, 0). Which slope does it note where a is larger, and which where it is not?",
    "Two roads. The slope to a is 1 where a is larger, 0 where b is larger, ½ where they are equal.",
    "other = plain(b) is b's tensor, whether b is a node or not. slope = (a.data > other) + 0.5 * "
    "(a.data == other), and the slope of the road to b is 1 − slope.",
)
AFTER = (
    "Who made the result gets the blame, and in a tie PyTorch halves it.",
    "Make the smaller of two from this and three minus signs. Who gets the "
    "blame in a tie?",
)


def maximum(a: Node, b: Node | Tensor) -> Node:
    other = plain(b)
    slope = (a.data > other) + 0.5 * (a.data == other)
    return Node(torch.maximum(a.data, other), (a, slope), (b, 1 - slope))


def pairs(answer: Any) -> list[Pair]:
    """What the learner's `answer` is held against: `torch.maximum`."""
    there = _formulas(torch.maximum)
    return [
        Pair(
            name,
            partial(twice, Node, here),
            partial(twice, torch_node, there[name], retain_graph=True),
        )
        for name, here in _formulas(answer).items()
    ]


def _formulas(larger: Callable[..., Any]) -> dict[str, Any]:
    """Formulas for `twice`, in which a, row, col are nodes of shape (n, k), (k,), (n, 1)."""
    return {
        "broadcast": lambda a, row: larger(a, row),
        "both ways": lambda row, col: larger(col, row),
        "plain tensor": lambda a: larger(a, torch.zeros_like(a.data)),
        "with itself": lambda a: larger(a, a),
        "inside": lambda a, row, col: (larger(a * row, a) ** 2 * larger(col, a)).sum(),
        "input afterwards": lambda a, row: larger(a, row) * a,
    }


def _slopes(
    to_a: Callable[[Tensor, Tensor], Any], to_b: Callable[[Tensor, Tensor], Any]
) -> Any:
    """The right value, with other slopes."""

    def mistake(a: Node, b: Node | Tensor) -> Node:
        x, y = a.data, plain(b)
        return Node(torch.maximum(x, y), (a, to_a(x, y)), (b, to_b(x, y)))

    return mistake


def _ignored(a: Node, b: Node | Tensor) -> Node:
    slope = maximum(a, b).roads[0][1]
    ignore = lambda mask: lambda grad: mask.expand_as(grad).to(grad.dtype)  # noqa: E731
    return Node(
        torch.maximum(a.data, plain(b)), (a, ignore(slope)), (b, ignore(1 - slope))
    )


def _half(x: Tensor, y: Tensor) -> Tensor:
    return (x > y) + 0.5 * (x == y)


MISTAKES = {
    "ties get all the blame twice": _slopes(torch.ge, torch.le),
    "ties go to the first": _slopes(torch.ge, torch.lt),
    "ties go to the second": _slopes(torch.gt, torch.le),
    "ties get no blame": _slopes(torch.gt, torch.lt),
    "slopes swapped": _slopes(lambda x, y: 1 - _half(x, y), _half),
    "second road forgotten": lambda a, b: Node(
        maximum(a, b).data, maximum(a, b).roads[0]
    ),
    "value taken for the slope": _slopes(
        lambda x, y: x * _half(x, y), lambda x, y: y * _half(y, x)
    ),
    "upstream gradient ignored": _ignored,
}
