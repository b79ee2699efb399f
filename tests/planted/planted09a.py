"""Answers to exercise 09a as learners write them."""

from lessons.lesson09_autograd import Value


class Counts(Value):
    """Asks the lesson's `graph` how many roads each node has to wait for."""

    def backward(self, grad: float = 1.0) -> None:
        waiting, blame = self.graph(), {self: grad}
        while blame:
            node = next(node for node in blame if waiting[node] == 0)
            share = blame.pop(node)
            node.grad += share
            for parent, slope in node.roads:
                waiting[parent] -= 1
                blame[parent] = blame.get(parent, 0.0) + share * slope


class EveryWay(Value):
    """Walks every way by itself: slow, and right."""

    def backward(self, grad: float = 1.0) -> None:
        self.grad += grad
        for parent, slope in self.roads:
            EveryWay.backward(parent, grad * slope)


class Ordered(Value):
    def depth(self) -> int:
        return 1 + max((Ordered.depth(parent) for parent, _ in self.roads), default=0)

    def order(self) -> list[Value]:
        return sorted([self, *self.graph()], key=Ordered.depth, reverse=True)


class ShortestWay(Value):
    """Level by level, each node at the level where it is first met: the bug in other words."""

    def backward(self, grad: float = 1.0) -> None:
        levels: list[list[Value]] = [[self]]
        seen = {self}
        while levels[-1]:
            parents = [parent for node in levels[-1] for parent, _ in node.roads]
            levels.append([node for node in dict.fromkeys(parents) if node not in seen])
            seen.update(levels[-1])
        blame = {self: grad}
        for node in (node for level in levels for node in level):
            for parent, slope in node.roads:
                blame[parent] = blame.get(parent, 0.0) + blame[node] * slope
        for node, share in blame.items():
            node.grad += share


class LastRoadOnly(Ordered):
    def backward(self, grad: float = 1.0) -> None:
        blame = {self: grad}
        for node in self.order():
            for parent, slope in node.roads:
                blame[parent] = slope * blame[node]
            node.grad = node.grad + blame[node]


class Forgets(Ordered):
    def backward(self, grad: float = 1.0) -> None:
        for node in self.graph():
            node.grad = 0.0
        self.grad = grad
        for node in self.order():
            for parent, slope in node.roads:
                parent.grad += slope * node.grad


class Message(Ordered):
    def backward(self, grad: float = 1.0) -> None:
        self.grad += grad
        for node in self.order():
            for parent, slope in node.roads:
                parent.grad += slope * node.grad


class EachParentOnce(Ordered):
    """Takes the two roads of x · x for one: the first slope is lost."""

    def backward(self, grad: float = 1.0) -> None:
        blame = dict.fromkeys(self.order(), 0.0) | {self: grad}
        for node in blame:
            for parent, slope in dict(node.roads).items():
                blame[parent] += slope * blame[node]
            node.grad += blame[node]


RIGHT = [Counts, EveryWay]
WRONG = [
    ("sent before all blame had arrived", ShortestWay),
    ("gradient not accumulated", LastRoadOnly),
    ("gradient of the walk before lost", Forgets),
    ("gradient not reset", Message),
    ("", EachParentOnce),
]
