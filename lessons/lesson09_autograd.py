# %% [markdown]
# # Lesson 09 · Autograd for numbers
#
# *How can a framework find every gradient when we write only the forward pass?*
#
# Needs: lessons 04, 05, 07, 08 · Time: 25 minutes

# %%
import math
from collections import Counter
from functools import partial
from inspect import signature
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from curriculum.demo import demo
from curriculum.draw import OTHER, new_figure
from curriculum.pair import Case, Pair

# %% [markdown]
# ## The idea
#
# So far each layer had a `backward` of its own. But layers are made of few operations, with slopes known from
# school. If every result remembers what it was made from, with which slopes, the rest is bookkeeping.
#
# Take $c = a \cdot b$, then $d = c + a$, then $L = d^2$, with $a = 3$ and $b = -2$. So $c = -6$, $d = -3$ and
# $L = 9$. Each operation notes its slopes as it runs. In a product, the slope for one factor is the other: −2
# for $a$, 3 for $b$. In the sum both slopes are 1. The slope of $d^2$ is $2d = -6$.
#
# The notes form a *graph*. The numbers are its *nodes*; a road leads from each result to what it was made
# from. Backward walks the roads. $L$ starts with blame 1. Over each road a node sends its blame times the
# slope. Where roads meet, blame is added, as in lesson 08. So $d$ gets −6 and sends −6 to $c$ and −6 to $a$.
# Then $c$ sends −6 · 3 = −18 to $b$ and −6 · −2 = 12 to $a$, which has −6 + 12 = 6 in all. So that one
# walk is enough, *a node sends only when it has heard from all roads to it*. The whole is called *autograd*.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $v$ | `data` | any | the value of a node |
# | $\partial L/\partial v$ | `grad` | as `data` | its blame |
# | $\partial y/\partial v$ | `slope` | one number per element | the slope of the road from $y$ to $v$ |
#
# ## From scratch: numbers


# %%
def plain(value: Any) -> Any:
    """What is in a node; anything else as it is."""
    return value.data if isinstance(value, Value) else value


class Value:
    """A number and its `roads`: (parent, slope) for all it was made from. Plain numbers get no road."""

    maths: Any = math

    def __init__(self, data: Any, *roads: tuple[Any, Any]) -> None:
        self.data = data
        self.grad: Any = 0.0
        self.roads = [(parent, slope) for parent, slope in roads if isinstance(parent, Value)]

    def graph(self) -> Counter["Value"]:
        """Every node that this one was made from, and how many roads lead into it."""
        count, todo = Counter[Value](), [self]
        while todo:
            for parent, _ in todo.pop().roads:
                if not count[parent]:
                    todo.append(parent)
                count[parent] += 1
        return count

    def backward(self, grad: Any = 1.0) -> None:
        """Adds to v.grad, for every v in the graph, ∂L/∂v = the sum over its roads of ∂L/∂y · ∂y/∂v."""
        blame, silent, ready = {self: grad}, self.graph(), [self]
        while ready:
            node = ready.pop()
            grad = blame.pop(node)
            node.grad = node.grad + grad
            for parent, slope in node.roads:
                blame[parent] = blame.get(parent, 0.0) + self.send(grad, slope, parent)
                silent[parent] -= 1  # the roads it has not heard from
                if not silent[parent]:
                    ready.append(parent)

    def send(self, grad: Any, slope: Any, parent: "Value") -> Any:
        return grad * slope  # what arrives at the other end of the road

    def __add__(self, other: Any) -> Any:
        return type(self)(self.data + plain(other), (self, 1.0), (other, 1.0))

    def __mul__(self, other: Any) -> Any:
        return type(self)(self.data * plain(other), (self, plain(other)), (other, self.data))

    def __pow__(self, n: Any) -> Any:
        """y = vⁿ. Along v the slope is n vⁿ⁻¹; along n, where that is a node, it is y ln v."""
        power = plain(n)
        y = self.maths.pow(self.data, power)
        flat = isinstance(power, int | float) and power == 0  # v⁰ is 1, even at v = 0
        slope = 0.0 if flat else power * self.maths.pow(self.data, power - 1)
        return type(self)(
            y, (self, slope), (n, y * self.maths.log(self.data) if isinstance(n, Value) else 0.0)
        )

    # Python calls __radd__ for 2 + v, __rsub__ for 2 - v, and so on.
    __radd__, __rmul__, __neg__ = __add__, __mul__, lambda self: self * -1
    __sub__, __rsub__ = lambda self, other: self + -other, lambda self, other: -self + other
    __truediv__, __rtruediv__ = lambda self, other: self * (1 / other), lambda self, other: self**-1 * other

    def exp(self) -> Any:
        return type(self)(y := self.maths.exp(self.data), (self, y))

    def log(self) -> Any:
        return type(self)(self.maths.log(self.data), (self, 1 / self.data))

    def tanh(self) -> Any:
        return type(self)(y := self.maths.tanh(self.data), (self, 1 - y**2))

    def relu(self) -> Any:
        return type(self)(max(self.data, 0.0), (self, float(self.data > 0)))


# %% [markdown]
# `backward` knows no operation. It lets those nodes send that have heard from all. It never calls itself, so
# a long chain does no harm. As in PyTorch, a second walk adds to `grad`.
#
# ```python
# >>> start = Value(1.0)
# >>> end = start
# >>> for _ in range(10_000):
# ...     end = end + 0.5
# >>> _ = end.backward(), end.backward()
# >>> end.data, start.grad
# (5001.0, 2.0)
# ```


# %%
@demo
def values_and_blame() -> Figure:
    """The graph of (a · b + a)²: values are made rightwards, blame goes leftwards"""
    a, b = Value(3.0), Value(-2.0)
    c = a * b
    d = c + a
    loss = d**2
    loss.backward()
    spots = {a: (0, 1, "a"), b: (0, -1, "b"), c: (2.2, -0.5, "c = a · b"), d: (4.4, 0.3, "d = c + a")}
    figure, axis = new_figure(width=8.5, height=3.4)
    write = partial(axis.text, ha="center", va="center")
    for node, (x, y, name) in (spots | {loss: (6.6, 0.3, "L = d²")}).items():
        write(x, y + 0.44, name)
        for number, up, paper, ink in ((node.data, 0.16, OTHER[3], "w"), (node.grad, -0.16, OTHER[0], "k")):
            write(x, y + up, f"{number:g}", color=ink, bbox={"boxstyle": "round", "fc": paper, "ec": "none"})
        for (x0, y0, _), slope in ((spots[parent], slope) for parent, slope in node.roads):
            axis.plot((x0, x), (y0, y), color="0.75", zorder=0)
            write((x0 + x) / 2, (y0 + y) / 2, f"slope {slope:g}", bbox={"fc": "w", "ec": "none"}, fontsize=9)
    write(5.5, -1.1, "dark: value, made rightwards\nyellow: blame, sent leftwards", color="0.3")
    axis.set(xlim=(-0.4, 7.1), ylim=(-1.4, 1.6))
    axis.axis("off")
    return figure


# %% [markdown]
# ## The same with PyTorch
#
# PyTorch's nodes are tensors with `requires_grad`.


# %%
def torch_node(value: Tensor) -> Tensor:
    """PyTorch's node."""
    return value.detach().clone().requires_grad_()


# %% [markdown]
# ## They agree
#
# Each formula runs in an engine and in PyTorch, and is walked back twice, with two different blames.


# %%
def twice(make: Any, formula: Any, case: Case, **keep: bool) -> dict[str, Tensor]:
    """The value of a formula and the gradients of its arguments. p, q, one: shape (); b, q: positive."""
    n, k, m, nodes = case.batch, case.n_in, case.n_out, {}
    shapes = {"a": (n, k), "b": (n, k), "row": (k,), "col": (n, 1), "w": (k, m), "w3": (n, k, m)}
    shapes |= {"w1": (7, k), "b1": (7,), "w2": (m, 7), "b2": (m,)}
    for name in signature(formula).parameters:
        value = case.tensor(name, *shapes.get(name, ()))
        nodes[name] = make(value.abs() + 0.5 if name in ("b", "q") else value)
    y = formula(**nodes)
    for walk in ("first", "second"):
        y.backward(case.upstream(walk, torch.as_tensor(y.data).shape), **keep)
    grads = {f"grad_{name}": torch.as_tensor(node.grad) for name, node in nodes.items()}
    return {"output": torch.as_tensor(y.data), **grads}


def formula_pair(name: str, formula: Any, make: Any, drawn: bool = True) -> Pair:
    """A formula in one of our engines, and in PyTorch."""
    there = partial(twice, torch_node, formula, retain_graph=True)
    return Pair(name, partial(twice, make, formula), there, drawn)


NUMBERS = {
    "p + q": lambda p, q: p + q, "p − q": lambda p, q: p - q, "p · q": lambda p, q: p * q,
    "p / q": lambda p, q: p / q, "p³": lambda p: p**3, "√q": lambda q: q**0.5, "p⁰": lambda p, q: p**0 + q,
    "2 + p": lambda p: 2 + p, "2 − p": lambda p: 2 - p, "2 · p": lambda p: 2 * p, "2 / q": lambda q: 2 / q,
    "exp": lambda p: p.exp(), "log": lambda q: q.log(), "tanh": lambda p: p.tanh(),
    "relu": lambda p: p.relu(), "−p": lambda p: -p, "reused": lambda p, q: (p * q + p) ** 2 * p - q * q,
}  # fmt: skip
PAIRS = [
    formula_pair(f"numbers: {name}", formula, lambda p: Value(p.item())) for name, formula in NUMBERS.items()
]

# %% [markdown]
# ## Where PyTorch differs
#
# - It frees the graph after a walk, unless told `retain_graph=True`, and keeps `grad` only where you mark it.
# - Change a tensor in place between forward and backward, and slopes that *are* that tensor are silently
#   wrong. PyTorch counts changes, the tensor's *version*, and raises an error.
# - With `create_graph=True` its gradients are nodes themselves: slopes of slopes. Ours are plain.
# - Inside `torch.no_grad()` it records nothing. Ours records whenever a node takes part; use `.data`.
#
# Next: lesson 10 puts tensors into the nodes.
