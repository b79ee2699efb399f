# %% [markdown]
# # Lesson 10 · Autograd for tensors
#
# *How does an engine for numbers become one that trains a network?*
#
# Needs: lessons 04, 05, 07, 08, 09 · Time: 25 minutes

# %%
from functools import partial, reduce
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import Tensor

from curriculum.demo import demo
from curriculum.draw import SCRATCH, TORCH, new_figure
from curriculum.pair import training_pair
from curriculum.table import Table
from lessons.lesson04_layers import mlp
from lessons.lesson07_descent import SGD
from lessons.lesson09_autograd import Value, formula_pair, plain, torch_node

# %% [markdown]
# ## From scratch
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


@demo
def two_engines_one_curve() -> Figure:
    """The same 30 steps with our engine and with PyTorch's"""
    figure, axis = new_figure(width=6)
    for make, name, color in ((torch_node, "torch", TORCH), (Node, "ours", SCRATCH)):
        axis.plot(train(make, mlp(64, 32, 10).params, digits())[0], color=color, label=name)
    axis.set(xlabel="step", ylabel="loss")
    axis.legend(frameon=False)
    return figure


# %% [markdown]
# ## They agree

# %%
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
    *(formula_pair(f"tensors: {name}", formula, Node) for name, formula in TENSORS.items()),
    formula_pair("deep", lambda a, b: reduce(lambda y, _: y * 0.999 + b, range(5_000), a), Node, drawn=False),
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
