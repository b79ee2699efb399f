"""Exercise 09a · Find the bug: the order of the factors matters

Difficulty: 3 of 3 · Time: 20 minutes · After: lesson 09

This engine first makes a list of all nodes and then lets them send their blame, one after the other. It gets
the lesson's (a · b + a)² right, and x · x. But take a = 1 and b = 2, and from them c = a · b and d = c + 1.
L = d · c gives a.grad = 10, as it should. L = c · d, the same number, gives a.grad = 6 and b.grad = 3 instead
of 10 and 5. And c.grad, from which both are made, is right: 5.

Find the bug and mend it. Chains of more than a few hundred nodes need not work.
"""

from lessons.lesson09_autograd import Value


class Number(Value):
    """A number that remembers how it was made; see `Value`."""

    def order(self) -> list[Value]:
        """Every node that this one was made from, itself included, in the order in which they send."""
        found: list[Value] = [self]
        for node in found:  # the list grows while we walk through it
            for parent, _ in node.roads:
                if parent not in found:
                    found.append(parent)
        return found

    def backward(self, grad: float = 1.0) -> None:
        """Adds to v.grad, for every v in the graph, ∂L/∂v times `grad`."""
        blame: dict[Value, float] = dict.fromkeys(self.order(), 0.0)
        blame[self] = grad
        for node in blame:  # in the order in which they were put in
            for parent, slope in node.roads:
                blame[parent] += blame[node] * slope
        for node in blame:
            node.grad += blame[node]
