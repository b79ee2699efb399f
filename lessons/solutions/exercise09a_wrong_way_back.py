"""Solution of exercise 09a."""

from functools import partial
from typing import Any

from curriculum.pair import Pair
from lessons.exercises import exercise09a_wrong_way_back as stub
from lessons.lesson09_autograd import Value, torch_node, twice

ANSWER = "Number"
REREAD = ("lesson09_autograd.py", "def order(self)")
HINTS = (
    "Write down the list for L = c · d. Which node sends to c, and when? When does c send?",
    "A node may send only after everything that was made from it has sent. Such an order is called "
    "topological. The nearest first is another order: c is near to L, but it is also a parent of d.",
    "Put a node into the list after all its parents, by a function that calls itself for every parent first. "
    "Each node goes in once. Then turn the list round.",
)
AFTER = (
    "A node may send only when all that use it have sent. That is what the "
    "order is for.",
    "Let chains of 100,000 nodes work: find the order without recursion.",
)


class Number(stub.Number):
    def order(self) -> list[Value]:
        found: list[Value] = []

        def visit(node: Value) -> None:
            if node not in found:
                for parent, _ in node.roads:
                    visit(parent)
                found.append(node)  # after all its parents

        visit(self)
        return found[::-1]


def pairs(answer: Any) -> list[Pair]:
    """What the learner's `answer` is held against: autograd, walked back twice."""
    make = lambda value: answer(value.item())  # noqa: E731
    return [
        Pair(
            name,
            partial(twice, make, formula),
            partial(twice, torch_node, formula, retain_graph=True),
        )
        for name, formula in FORMULAS.items()
    ]


FORMULAS: dict[str, Any] = {
    "c · d": lambda p, q: (c := p * q) * (c + 1),
    "d · c": lambda p, q: ((c := p * q) + 1) * c,
    "(a · b + a)²": lambda p, q: (p * q + p) ** 2,
    "x · x": lambda p: p * p,
    "near and far": lambda p, q: (c := p.tanh() * q) + ((c * q).tanh() + c).tanh() * p,
}


class _OverwritesRoads(Number):
    def backward(self, grad: float = 1.0) -> None:
        blame: dict[Value, float] = {self: grad}
        for node in self.order():
            blame.update({parent: blame[node] * slope for parent, slope in node.roads})
        for node in blame:
            node.grad += blame[node]


class _OverwritesWalks(Number):
    def backward(self, grad: float = 1.0) -> None:
        for node in self.order():
            node.grad = 0.0
        super().backward(grad)


class _SendsOldBlame(Number):
    def backward(self, grad: float = 1.0) -> None:
        self.grad += grad
        for node in self.order():
            for parent, slope in node.roads:
                parent.grad += node.grad * slope


MISTAKES = {
    "sent before all blame had arrived": stub.Number,
    "order not turned round": type(
        "_Turned", (Number,), {"order": lambda self: Number.order(self)[::-1]}
    ),
    "gradient not accumulated": _OverwritesRoads,
    "gradient of the walk before lost": _OverwritesWalks,
    "gradient not reset": _SendsOldBlame,
    "upstream gradient ignored": type(
        "_Ones", (Number,), {"backward": lambda self, _=1: Number.backward(self)}
    ),
}
