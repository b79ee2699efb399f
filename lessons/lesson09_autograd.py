# %% [markdown]
# # Lesson 09 · Autograd for numbers
#
# *How can a framework find every gradient when we write only the forward pass?*
#
# Needs: lessons 07, 08 · Time: 25 minutes

# %%
import math
from collections import Counter
from functools import partial
from inspect import signature
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from curriculum.demo import demo
from curriculum.draw import DATA, GRADIENT, new_figure
from curriculum.drawings import curves
from curriculum.pair import Case, Pair, compare
from curriculum.table import Table

# %% [markdown]
# ## The idea
#
# In lesson 08 we wrote the way back by hand, line by line. Every new network would need
# that again. Yet each line did one of few things: a sum, a product, a ReLU. Their
# slopes are known from school. So let each result remember **what it was made from, and
# with which slopes**. Then the way back needs no thinking, and a program can do it.
# That program is called *autograd*. Here we build one, for single numbers.
#
# ### On paper
#
# Take $a = 3$ and $b = -2$. From them we make $c = a \cdot b$, then $d = c + a$, then
# $L = d^2$.
#
# | made | value | slopes that it notes |
# |---|---|---|
# | $c = a \cdot b$ | −6 | for $a$: $b = -2$. For $b$: $a = 3$ |
# | $d = c + a$ | −3 | for $c$: 1. For $a$: 1 |
# | $L = d^2$ | 9 | for $d$: $2d = -6$ |
#
# The notes form a *graph* (the field says *computational graph*). Its *nodes* are the
# five numbers. A *road* (an *edge*) leads from each result to each number it was made
# from, and bears a slope (a *local gradient*). Roads one after the other are a *path*
# of lesson 08. Numbers that were made from nothing,
# here $a$ and $b$, are *leaves*.
#
# As in lesson 08, the blame of a node, its gradient, says how fast $L$ grows with it.
# $L$ has blame 1. Now each node sends: over each of its roads goes its blame times the
# slope. What arrives at a node is added.
#
# 1. $L$ sends $1 \cdot (-6) = -6$ to $d$.
# 2. $d$ sends $-6 \cdot 1 = -6$ to $c$, and $-6 \cdot 1 = -6$ to $a$.
# 3. $c$ sends $-6 \cdot 3 = -18$ to $b$, and $-6 \cdot (-2) = 12$ to $a$.
#
# <details><summary>What do you expect? How large is the blame of a?</summary>
#
# Two roads lead to $a$, one from $d$ and one from $c$. They bring −6 and 12. Their sum
# is 6. Try it: with $a = 3.001$ we get $d = -3.001$ and $L = 9.006$, about 0.006 more.
# That is 6 times as far as $a$ moved.
#
# </details>
#
# In a formula, where the sum goes over all roads, each from a node $y$ to $v$:
#
# $$\frac{\partial L}{\partial v} =
# \sum_y \frac{\partial L}{\partial y} \cdot \frac{\partial y}{\partial v}$$
#
# The figure shows the three turns. In the second, $a$ has heard from one of two roads.
# If it were not a leaf, it would have to wait: **a node sends only when it has heard
# from all roads to it**. Then it sends once, the whole sum. An order in which that
# works is called *topological*.


# %% tags=["hide-input"]
def draw_road(axis: Axes, start: Any, end: Any, text: str, sends: bool) -> None:
    """From the node that sends, at the right, to what it was made from."""
    color = GRADIENT if sends else "0.8"
    look = {
        "arrowstyle": "-|>" if sends else "-",
        "color": color,
        "linewidth": 2.5 if sends else 1,
        "shrinkA": 17,
        "shrinkB": 17,
    }
    axis.annotate("", xy=end, xytext=start, arrowprops=look, zorder=1)
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": color}
    ink = "black" if sends else "0.5"
    axis.text(
        *middle,
        text,
        ha="center",
        va="center",
        fontsize=8,
        color=ink,
        bbox=box,
        zorder=2,
    )


def draw_node(axis: Axes, at: Any, name: str, value: str, arrived: str) -> None:
    """A number, its name above it, and below it the blame that has arrived so far."""
    x, y = at
    face = {"boxstyle": "circle,pad=0.35", "facecolor": "white", "edgecolor": DATA}
    axis.text(x, y, value, ha="center", va="center", fontsize=10, bbox=face, zorder=3)
    axis.text(x, y + 0.62, name, ha="center", va="center", fontsize=9, color=DATA)
    if arrived:
        box = {"boxstyle": "round,pad=0.15", "facecolor": GRADIENT, "edgecolor": "none"}
        axis.text(x, y - 0.62, arrived, ha="center", va="center", fontsize=9, bbox=box)


def minus(number: float) -> str:
    """A number as text, with a real minus."""
    return f"{number:g}".replace("-", "−")


# name: (place, label, value, roads to what it was made from with their slopes)
PAPER: dict[str, Any] = {
    "a": ((0.0, 0.9), "a", 3.0, {}),
    "b": ((0.0, -1.0), "b", -2.0, {}),
    "c": ((2.2, -0.5), "c = a · b", -6.0, {"a": -2.0, "b": 3.0}),
    "d": ((4.4, 0.2), "d = c + a", -3.0, {"c": 1.0, "a": 1.0}),
    "L": ((6.6, 0.2), "L = d²", 9.0, {"d": -6.0}),
}


def draw_turn(axis: Axes, sender: str, arrived: Any, waiting: Any) -> None:
    """The graph while `sender` sends: what has arrived, how many each waits for."""
    for name, (spot, label, value, roads) in PAPER.items():
        blame = minus(arrived[name]) if name in arrived else ""
        if blame and waiting[name]:
            blame += f", waits for {waiting[name]} more"
        draw_node(axis, spot, label, minus(value), blame)
        for parent, slope in roads.items():
            text = f"slope {minus(slope)}"
            if name == sender:
                whole = arrived[name]
                text = f"{minus(whole)} · {minus(slope)} = {minus(whole * slope)}"
            draw_road(axis, spot, PAPER[parent][0], text, name == sender)
    axis.set(xlim=(-0.9, 7.2), ylim=(-1.9, 1.75))
    axis.axis("off")


@demo
def values_and_blame() -> Figure:
    """The graph of (a · b + a)²: values were made rightwards, blame goes leftwards"""
    arrived = {"L": 1.0}
    waiting = {"L": 0, "d": 1, "c": 1, "b": 1, "a": 2}
    turns = {
        "L": "1. L sends its 1",
        "d": "2. d has heard from its only road: it sends",
        "c": "3. c sends: a has both parts",
    }
    figure, axes = new_figure(3, 1, width=8, height=2.5)
    for axis, (sender, title) in zip(axes, turns.items(), strict=True):
        for parent, slope in PAPER[sender][3].items():
            arrived[parent] = arrived.get(parent, 0.0) + arrived[sender] * slope
            waiting[parent] -= 1
        draw_turn(axis, sender, arrived, waiting)
        axis.set_title(title, loc="left", fontsize=10)
    return figure


# %% [markdown]
# `curriculum run 9` shows the figures and tables of this lesson. `curriculum compare 9`
# holds every result against PyTorch's.
#
# ## From scratch
#
# Now the class. Python calls `a.__mul__(b)` for `a * b`, and `b.__rmul__(2)` for
# `2 * b`, because a plain 2 does not know what to do. Such methods let us write
# formulas as ever; each makes a new `Value` and notes the slopes. A plain number in a
# formula is a constant. It needs no blame and gets no road.
#
# Read `__mul__` first, then `order`, then `backward`. The rest is more of the same. A
# folded cell before it lets numbers be compared, and refuses powers that have no slope.
# `type(self)` is `Value` here; lesson 10 makes a class of tensors from this one.


# %% tags=["hide-input"]
class Compared:
    """`v > 0` asks about the number in the node, and answers with yes or no."""

    def __lt__(self, other: Any) -> bool:
        return plain(self) < plain(other)

    def __gt__(self, other: Any) -> bool:
        return plain(self) > plain(other)

    def __le__(self, other: Any) -> bool:
        return plain(self) <= plain(other)

    def __ge__(self, other: Any) -> bool:
        return plain(self) >= plain(other)


def check_power(a: float, b: float, moves: bool) -> None:
    """Raises ValueError where aᵇ has no value or slope; `moves`: b has a slope, too."""
    if a == 0 and b < 1 and b != 0:
        raise ValueError(f"{a} ** {b} has no slope: a base of 0 takes powers from 1 on")
    if a < 0 and (moves or b % 1):
        raise ValueError(f"{a} ** {b}: a base below 0 takes only whole, plain powers")


# %%
def plain(value: Any) -> Any:
    """What is in a node; anything else as it is."""
    return value.data if isinstance(value, Value) else value


class Value(Compared):
    """A number that remembers its `roads`: (parent, slope) of all it was made from.

    `==` asks whether two names mean one node. To compare numbers, write `v.data == 2`.
    """

    def __init__(self, data: Any, *roads: tuple[Any, Any]) -> None:
        self.data = data
        self.grad: Any = 0.0
        self.roads = [road for road in roads if isinstance(road[0], Value)]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(data={self.data}, grad={self.grad})"

    def graph(self) -> Counter["Value"]:
        """Every node that this one was made from, and how many roads lead to it."""
        count = Counter[Value]()
        todo = [self]
        while todo:
            for parent, _ in todo.pop().roads:
                if parent not in count:
                    todo.append(parent)
                count[parent] += 1
        return count

    def order(self) -> list["Value"]:
        """This node and all it was made from; each after all that were made from it."""
        waiting = self.graph()
        ordered = [self]
        for node in ordered:  # the list grows while we walk through it
            for parent, _ in node.roads:
                waiting[parent] -= 1
                if waiting[parent] == 0:
                    ordered.append(parent)
        return ordered

    def backward(self, grad: Any = 1.0) -> None:
        """Adds ∂L/∂v to v.grad, for every v in the graph; `grad` is this node's blame.

        ∂L/∂v = Σ over the roads to v of ∂L/∂y · ∂y/∂v.
        """
        blame: dict[Value, Any] = {self: grad}
        for node in self.order():
            whole = blame.pop(node)
            node.grad = node.grad + whole
            for parent, slope in node.roads:
                blame[parent] = blame.get(parent, 0.0) + self.send(whole, slope, parent)

    def send(self, grad: Any, slope: Any, parent: "Value") -> Any:
        """What arrives at the other end of a road."""
        return grad * slope

    def __add__(self, other: Any) -> Any:
        return type(self)(self.data + plain(other), (self, 1.0), (other, 1.0))

    def __sub__(self, other: Any) -> Any:
        return type(self)(self.data - plain(other), (self, 1.0), (other, -1.0))

    def __mul__(self, other: Any) -> Any:
        b = plain(other)
        return type(self)(self.data * b, (self, b), (other, self.data))

    def __truediv__(self, other: Any) -> Any:
        """y = a / b. Along a the slope is 1 / b, along b it is −a / b² = −y / b."""
        y = self.data / plain(other)
        return type(self)(y, (self, 1 / plain(other)), (other, -y / plain(other)))

    def __pow__(self, other: Any) -> Any:
        """y = aᵇ. Along a the slope is b · aᵇ⁻¹; along b, if it is a node, y · ln a."""
        b = plain(other)
        check_power(self.data, b, isinstance(other, Value))
        y = self.data**b
        along_a = b * self.data ** (b - 1) if b else 0.0
        along_b = y * math.log(self.data) if self.data > 0 else 0.0
        return type(self)(y, (self, along_a), (other, along_b))

    def __neg__(self) -> Any:
        return self * -1.0

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __rtruediv__(self, other: Any) -> Any:
        return self**-1 * other

    def __rpow__(self, other: Any) -> Any:
        return type(self)(other) ** self

    def __abs__(self) -> Any:
        slope = (self.data > 0) - (self.data < 0)  # True is 1: so 1, −1, or 0
        return type(self)(abs(self.data), (self, slope))

    def exp(self) -> Any:
        y = math.exp(self.data)
        return type(self)(y, (self, y))

    def log(self) -> Any:
        if self.data <= 0:
            raise ValueError(f"log({self.data}): the logarithm needs a number above 0")
        return type(self)(math.log(self.data), (self, 1 / self.data))

    def tanh(self) -> Any:
        y = math.tanh(self.data)
        return type(self)(y, (self, 1 - y**2))

    def relu(self) -> Any:
        return type(self)(max(self.data, 0.0), (self, float(self.data > 0)))


# %% [markdown]
# `backward` knows no operation; it follows the roads. The example again, with all its
# blame:
#
# ```python
# >>> a = Value(3.0)
# >>> b = Value(-2.0)
# >>> loss = (a * b + a) ** 2
# >>> loss.backward()
# >>> loss, a, b
# (Value(data=9.0, grad=1.0), Value(data=3.0, grad=6.0), Value(data=-2.0, grad=-18.0))
#
# ```
#
# A second walk *adds* to `grad`, as in PyTorch. So a new step begins with new nodes,
# whose `grad` is 0. Here is learning with it: for an input of 2 the answer should be 6.
# Which weight does that?
#
# ```python
# >>> w = Value(1.0)
# >>> for step in range(3):
# ...     loss = (w * 2 - 6) ** 2
# ...     loss.backward()
# ...     w = Value(w.data - 0.1 * w.grad)
# ...     print(f"loss {loss.data:.4f}, new w {w.data:.3f}")
# loss 16.0000, new w 2.600
# loss 0.6400, new w 2.920
# loss 0.0256, new w 2.984
#
# ```
#
# And what has no answer says so:
#
# ```python
# >>> Value(0.0).log()
# Traceback (most recent call last):
# ValueError: log(0.0): the logarithm needs a number above 0
#
# ```
#
# ## See it: why sending once is cheap
#
# Double a number twelve times: `v = v + v * 1.0`. Each doubling has three roads, two
# from the sum and one from the product. One could let every node pass on at once
# whatever arrives, as often as something does. The gradients would be right.
#
# <details><summary>What do you expect? How often is it sent, both ways?</summary>
#
# In order, each road is used once: 12 · 3 = 36. At once, the start of a doubling hears
# two times for each time that its end does. The last doubling sends 3 times, the one
# before it 6 times, then 12, and so on up to 6,144. Together that is 3 · (1 + 2 + 4 + …
# + 2,048) = 3 · 4,095 = 12,285.
#
# </details>


# %%
def sends_at_once(node: Value) -> int:
    """How often something is sent where each node passes on at once what arrives."""
    return sum(1 + sends_at_once(parent) for parent, _ in node.roads)


def sends_in_order(node: Value) -> int:
    """How often something is sent where each node waits until it has heard all."""
    return sum(len(sender.roads) for sender in node.order())


# %% tags=["hide-input"]
@demo
def sending_once_is_cheap() -> Figure:
    """Doubling a number again and again: how often something is sent on the way back"""
    v = Value(1.0)
    at_once = []
    in_order = []
    for _ in range(12):
        v = v + v * 1.0
        at_once.append(sends_at_once(v))
        in_order.append(sends_in_order(v))
    figure, axis = new_figure(width=6.5)
    series = {"each part at once": at_once, "once, in order": in_order}
    curves(axis, series, across="doublings", upwards="times something is sent")
    for counts in (at_once, in_order):
        axis.plot(12, counts[-1], "o", color="0.3", markersize=4)
        axis.annotate(
            f"{counts[-1]:,}",
            (12, counts[-1]),
            (0, 7),
            textcoords="offset points",
            ha="center",
        )
    axis.set(yscale="log", xticks=range(1, 13), ylim=(2, 50_000))
    return figure


# %% [markdown]
# In a network this is the rule, not the exception. In lesson 04's 784–128–64–10 there
# are 128 · 64 · 10 = 81,920 paths from one pixel to the outputs. In order, each node
# sends once, and all gradients together cost about as much as the values did. `order`
# and `backward` do not call themselves either. So a chain of ten thousand nodes does no
# harm, where Python would refuse as many calls inside each other.
#
# ```python
# >>> start = Value(1.0)
# >>> end = start
# >>> for _ in range(10_000):
# ...     end = end + 0.5
# >>> end.backward()
# >>> end.data, start.grad
# (5001.0, 1.0)
#
# ```

# %% [markdown]
# ## The same with PyTorch
#
# PyTorch's node is a tensor with `requires_grad`. It may hold one number. Operations
# are written the same way, so every formula below runs in both engines.


# %%
def torch_node(value: Tensor) -> Tensor:
    """PyTorch's node: a tensor of its own whose operations are noted."""
    return value.detach().clone().requires_grad_()


# %% [markdown]
# ## They agree
#
# Each formula runs here and in PyTorch. Each is walked back twice, with two different
# blames.


# %% tags=["hide-input"]
def twice(make: Any, formula: Any, case: Case, **keep: bool) -> dict[str, Tensor]:
    """The value of a formula and the gradients of its arguments, after two walks.

    p, q, one: shape (), the other names as in `shapes`. b and q are positive.
    """
    n = case.batch
    k = case.n_in
    m = case.n_out
    shapes = {
        "a": (n, k),
        "b": (n, k),
        "row": (k,),
        "col": (n, 1),
        "w": (k, m),
        "w3": (n, k, m),
    }
    shapes |= {"w1": (7, k), "b1": (7,), "w2": (m, 7), "b2": (m,)}
    nodes = {}
    for name in signature(formula).parameters:
        value = case.tensor(name, *shapes.get(name, ()))
        nodes[name] = make(value.abs() + 0.5 if name in ("b", "q") else value)
    y = formula(**nodes)
    for walk in ("first", "second"):
        y.backward(case.upstream(walk, torch.as_tensor(y.data).shape), **keep)
    grads = {f"grad_{name}": torch.as_tensor(node.grad) for name, node in nodes.items()}
    return {"output": torch.as_tensor(y.data), **grads}


def formula_pair(name: str, formula: Any, make: Any, drawn: bool = True) -> Pair:
    """A formula with the nodes that `make` makes, and with PyTorch's."""
    there = partial(twice, torch_node, formula, retain_graph=True)
    return Pair(name, partial(twice, make, formula), there, drawn)


NUMBERS = {
    "p + q": lambda p, q: p + q,
    "p − q": lambda p, q: p - q,
    "p · q": lambda p, q: p * q,
    "p / q": lambda p, q: p / q,
    "p³": lambda p: p**3,
    "√q": lambda q: q**0.5,
    "p⁰": lambda p, q: p**0 + q,
    "qᵖ": lambda p, q: q ** p.tanh(),
    "2ᵖ": lambda p: 2**p,
    "2 + p": lambda p: 2 + p,
    "2 − p": lambda p: 2 - p,
    "2 · p": lambda p: 2 * p,
    "2 / q": lambda q: 2 / q,
    "exp": lambda p: p.exp(),
    "log": lambda q: q.log(),
    "tanh": lambda p: p.tanh(),
    "relu": lambda p: p.relu(),
    "|p|": lambda p: abs(p),
    "−p": lambda p: -p,
    "p · p": lambda p: p * p,
    "the larger": lambda p, q: (p if p > q else q) * q + p,
    "reused": lambda p, q: (p * q + p) ** 2 * p - q * q,
}


def value_node(value: Tensor) -> Value:
    """Our node, of a tensor that holds one number."""
    return Value(value.item())


PAIRS = []
for _name, _formula in NUMBERS.items():
    PAIRS.append(formula_pair(f"numbers: {_name}", _formula, value_node))

# %% [markdown]
# ## See it: a bug that hides
#
# The usual bug in a first engine: blame that arrives *replaces* what had arrived
# before. As long as each number is used once, nothing is wrong. So test an engine with
# numbers that are used twice. The comparison with PyTorch finds it, there and only
# there. In the demo, `backward` has `blame[parent] = …` and forgets
# `blame.get(parent, 0.0) + …`.


# %% tags=["hide-input"]
@demo
def a_forgotten_sum() -> Table:
    """An engine that keeps only the last blame to arrive, held against PyTorch"""

    class Forgetful(Value):
        def backward(self, grad: Any = 1.0) -> None:
            blame: dict[Value, Any] = {self: grad}
            for node in self.order():
                node.grad = node.grad + blame[node]
                for parent, slope in node.roads:
                    blame[parent] = blame[node] * slope  # the bug: = where + belongs

    rows = []
    for name in ("p · q", "p / q", "exp", "p · p", "reused"):
        pair = formula_pair(name, NUMBERS[name], lambda value: Forgetful(value.item()))
        wrong = [found.name for found in compare(pair) if found.problem]
        rows.append((name, ", ".join(wrong) or "none"))
    return Table(("formula", "results that differ from PyTorch's"), rows)


# %% [markdown]
# ## Where PyTorch differs
#
# - It frees the graph after a walk, unless told `retain_graph=True`. Ours goes when you
#   let go of the loss.
# - It keeps `grad` only for the leaves you marked. Ours keeps all of them, which is
#   good to look at.
# - Where a number has no logarithm, it gives −∞ or `nan` and goes on. Ours stops: for
#   tensors with a million elements one bad one should not, for one number it should.
# - With `create_graph=True` its gradients are nodes themselves: slopes of slopes. Ours
#   are plain.
# - Inside `torch.no_grad()` it notes nothing. Ours notes whenever a node takes part;
#   use `.data`.
#
# <details><summary>More: why backwards, and not forwards?</summary>
#
# One can send slopes forwards, too: start at $a$ with 1, and carry along how fast each
# new number grows with $a$. That is *forward mode*. One such pass gives the slope of
# *all* results with respect to *one* input. The way back, *reverse mode*, gives the
# slope of *one* result with respect to *all* inputs. A network has one loss and, in
# lesson 04, 109,386 parameters: one walk back in place of 109,386 passes forward.
#
# </details>
#
# ## You can now
#
# - draw the graph of a formula, and send the blame through it on paper,
# - say what `loss.backward()` does, and why gradients add up until they are cleared,
# - write an engine that finds every gradient of a formula, and test it where bugs hide.
#
# Exercises: `curriculum start 09a` (find the bug: a wrong order) and
# `curriculum start 09b` (teach the engine a new operation); `curriculum check 09a` says
# how far you are.
#
# Next: a digit needs thousands of `Value`s. Lesson 10 puts whole tensors into the
# nodes, and trains a network.
