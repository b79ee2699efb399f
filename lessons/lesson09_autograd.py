# %% [markdown]
# # Lesson 09 · Autograd
#
# *How can a framework find every gradient when we write only the forward pass?*
#
# Needs: lessons 04, 05, 07, 08 · Time: 25 minutes

# %%
import math
from collections import Counter
from functools import partial, reduce
from inspect import signature
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import Tensor

from curriculum.demo import demo
from curriculum.draw import OTHER, new_figure
from curriculum.pair import Case, Pair, training_pair
from curriculum.table import Table
from lessons.lesson04_layers import mlp
from lessons.lesson07_descent import SGD

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
# >>> end = reduce(lambda y, _: y + 0.5, range(10_000), start)  # + 0.5, ten thousand times
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
# ## From scratch: tensors
#
# A node may hold a tensor. The operations above treat each element by itself, so their slopes stay true, and
# `Node` inherits them. Two things are new. **Broadcasting**: in `x + bias`, with shapes (batch, n_out) and
# (n_out,), every example uses the same bias, as if it were copied. Each copy is a road: blame is added up.
# **Mixing elements**, as `@` does: such a road has a function from the blame of the result to the parent's.


# %%
class Node(Value):
    """A tensor that remembers how it was made. Plain tensors in a formula are data and get no road."""

    maths = torch

    def backward(self, grad: Tensor | None = None) -> None:
        """As for numbers. Without `grad` this node must be L itself, one number: ∂L/∂L = 1."""
        grad = torch.ones((), dtype=self.data.dtype) if grad is None else grad
        assert grad.shape == self.data.shape, f"{tuple(grad.shape)} instead of {tuple(self.data.shape)}"
        super().backward(grad)

    def send(self, grad: Tensor, slope: Any, parent: Value) -> Tensor:
        """What arrives: the blame of all the copies that broadcasting made of the parent, added up."""
        grad = slope(grad) if callable(slope) else grad * slope
        while grad.dim() > parent.data.dim():  # copied along a new first dimension
            grad = grad.sum(0)
        for dim, size in enumerate(parent.data.shape):
            grad = grad.sum(dim, keepdim=True) if size == 1 else grad  # copied along a dimension of length 1
        return grad

    def relu(self) -> "Node":
        return Node(self.data.clamp(min=0), (self, self.data > 0))

    def __matmul__(self, other: Any) -> "Node":
        """y = a b, (n, k) @ (k, m) → (n, m). Lesson 04 found ∂L/∂a = ∂L/∂y bᵀ and ∂L/∂b = aᵀ ∂L/∂y."""
        a, b = self.data, plain(other)  # back: (n, m) @ (m, k) → (n, k) and (k, n) @ (n, m) → (k, m)
        return Node(a @ b, (self, lambda grad: grad @ b.mT), (other, lambda grad: a.mT @ grad))

    def __rmatmul__(self, other: Tensor) -> "Node":
        return Node(other @ self.data, (self, lambda grad: other.mT @ grad))

    @property
    def T(self) -> "Node":
        return Node(self.data.T, (self, lambda grad: grad.T))

    def sum(self, dim: int | None = None, keepdim: bool = False) -> "Node":
        """y = a₁ + a₂ + …: every slope is 1, so each aᵢ gets the blame of y."""
        shape = self.data.sum(dim, keepdim=True).shape  # where a summed dimension has length 1
        total = self.data.sum(dim, keepdim=keepdim)
        return Node(total, (self, lambda grad: grad.reshape(shape).expand_as(self.data)))

    def mean(self, dim: int | None = None, keepdim: bool = False) -> "Node":
        return self.sum(dim, keepdim) / (self.data.numel() if dim is None else self.data.shape[dim])

    def __getitem__(self, index: Any) -> "Node":
        """`v[rows, columns]`, `v[2:5]`, … pick elements. Each sends its blame to its place; others get 0."""
        zeros = torch.zeros(self.data.numel(), dtype=self.data.dtype)
        places = torch.arange(self.data.numel())
        picked = places.view(self.data.shape)[index].flatten()  # where in the memory each one lies

        def spread(grad: Tensor) -> Tensor:
            return zeros.index_add(0, picked, grad.flatten()).view(self.data.shape)

        return Node(self.data[index], (self, spread))

    def log_softmax(self, dim: int) -> "Node":
        """ln p_k = z_k − ln Σ e^z; the largest z cancels. The slope of lesson 05 comes out by itself."""
        shifted = self - self.data.amax(dim, keepdim=True)
        return shifted - shifted.exp().sum(dim, keepdim=True).log()


# %% [markdown]
# ## The same with PyTorch
#
# What follows is written once, for our nodes and for PyTorch's: tensors with `requires_grad`. It trains
# lesson 04's `mlp`, here 64–32–10, on scikit-learn's 8 × 8 digits.


# %%
def torch_node(value: Tensor) -> Tensor:
    """PyTorch's node."""
    return value.detach().clone().requires_grad_()


def classifier_loss(params: dict[str, Any], x: Any, target: Tensor) -> Any:
    """Mean cross-entropy of Linear, ReLU, …, Linear. x: (batch, n_in), target: (batch,) → ()."""
    for i in range(0, len(params), 2):  # "0.weight", "0.bias", "2.weight", … as in lesson 04
        x = (x.relu() if i else x) @ params[f"{i}.weight"].T + params[f"{i}.bias"]
    return -x.log_softmax(1)[torch.arange(len(target)), target].mean()


def digits(steps: int = 30) -> list[tuple[Tensor, Tensor]]:
    """A batch for every step: x (32, 64) from 0 to 1, target (32,)."""
    pixels, answers = load_digits(return_X_y=True)
    x, target = torch.tensor(pixels / 16, dtype=torch.get_default_dtype()), torch.tensor(answers)
    return list(zip(x.split(32), target.split(32), strict=True))[:steps]


def train(make: Any, params: dict[str, Tensor], batches: Any, lr: float = 0.5) -> tuple[list[float], Any]:
    """A step per batch; `make` is `Node` or `torch_node`. The losses and the `params`, changed in place."""
    optimizer, losses = SGD(params, lr), []
    for x, target in batches:
        nodes = {name: make(param) for name, param in params.items()}  # new ones: gradients start at 0
        loss = classifier_loss(nodes, x, target)
        loss.backward()
        optimizer.step({name: node.grad for name, node in nodes.items()})
        losses.append(loss.data.item())
    return losses, params


# %% [markdown]
# ## See it: what it costs
#
# `Value` can do this too, with a node for every product and sum. All stay in memory until the loss is let go:
# the way back needs them. `Node` makes as many for four digits as for one; only the tensors inside grow. The
# loss is the same. Times differ between machines and runs.


# %%
def numbers_loss(params: dict[str, Any], x: Tensor, target: Tensor) -> Any:
    """`classifier_loss`, for NumPy arrays of Values. The logits must be small: no largest z comes off."""
    h: Any = x.numpy()
    for i in range(0, len(params), 2):
        h = (np.frompyfunc(Value.relu, 1, 1)(h) if i else h) @ params[f"{i}.weight"].T + params[f"{i}.bias"]
    return (np.log(np.exp(h).sum(1)) - h[np.arange(len(x)), target.numpy()]).mean()


@demo
def what_it_costs() -> Table:
    """One loss and its gradients: three engines, one result, three prices"""
    from torch.utils.benchmark import Timer

    rows, torch_ms = [], 0.0
    numbers = lambda value: np.frompyfunc(Value, 1, 1)(value.numpy())  # noqa: E731
    for count in (1, 2, 4):
        for make in (torch_node, Node, numbers):
            params = {key: make(value) for key, value in mlp(64, 32, 10).params.items()}
            loss_of = numbers_loss if make is numbers else classifier_loss
            run = partial(loss_of, params, *(part[:count] for part in digits(1)[0]))
            timer, loss = Timer("run().backward()", globals={"run": run}), run()
            ms = 1000 * timer.blocked_autorange(min_run_time=0.1).median
            nodes = len(loss.graph()) if isinstance(loss, Value) else "?"
            torch_ms = ms if make is torch_node else torch_ms
            rows.append((type(loss).__name__, count, f"{loss.data:.5f}", nodes, ms, ms / torch_ms))
    return Table(("engine", "digits", "loss", "nodes", "ms", "times torch"), rows)


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


def _pair(name: str, formula: Any, make: Any = Node, drawn: bool = True) -> Pair:
    there = partial(twice, torch_node, formula, retain_graph=True)
    return Pair(name, partial(twice, make, formula), there, drawn)


NUMBERS = {
    "p + q": lambda p, q: p + q, "p − q": lambda p, q: p - q, "p · q": lambda p, q: p * q,
    "p / q": lambda p, q: p / q, "p³": lambda p: p**3, "√q": lambda q: q**0.5, "p⁰": lambda p, q: p**0 + q,
    "2 + p": lambda p: 2 + p, "2 − p": lambda p: 2 - p, "2 · p": lambda p: 2 * p, "2 / q": lambda q: 2 / q,
    "exp": lambda p: p.exp(), "log": lambda q: q.log(), "tanh": lambda p: p.tanh(),
    "relu": lambda p: p.relu(), "−p": lambda p: -p, "reused": lambda p, q: (p * q + p) ** 2 * p - q * q,
}  # fmt: skip
TENSORS = {
    "+": lambda a, row, one: a + row + one, "−": lambda row, col: row - col, "·": lambda a, col: a * col,
    "/": lambda row, q: row / q, "@": lambda a, w: a @ w, "@, batches": lambda a, w3: a @ w3,
    "T": lambda a, b: a.T @ b, "curves": lambda a, b: a.relu() * b.log() - a.tanh() / b + (-b).exp() + a**3,
    "sum": lambda a: a.sum(), "sum(0)": lambda a: a.sum(0), "mean(1, True)": lambda a: a.mean(1, True),
    "mean": lambda a: a.mean(), "log_p": lambda a: a.log_softmax(1), "reused": lambda a: a @ a.T * a.sum(),
    "pick": lambda a: a[torch.tensor([0, 0, -1]), torch.tensor([0, 0, -1])],
    "classifier": lambda a, w1, b1, w2, b2: classifier_loss(
        {"0.weight": w1, "0.bias": b1, "2.weight": w2, "2.bias": b2}, a, a.data.argmax(1) % len(b2.data)),
}  # fmt: skip
RUNS = [lambda case, make=make: train(make, mlp(64, 32, 10).params, digits()) for make in (Node, torch_node)]
PAIRS = [
    *(_pair(f"numbers: {name}", formula, lambda p: Value(p.item())) for name, formula in NUMBERS.items()),
    *(_pair(f"tensors: {name}", formula) for name, formula in TENSORS.items()),
    _pair("deep", lambda a, b: reduce(lambda y, _: y * 0.999 + b, range(5_000), a), drawn=False),
    training_pair("digits, 30 steps", *RUNS),
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
# Next: lesson 11 repeats the steps thousands of times.
