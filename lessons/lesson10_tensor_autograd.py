# %% [markdown]
# # Lesson 10 · Autograd for tensors
#
# *How does an engine for numbers become one that trains a network?*
#
# Needs: lessons 04, 06, 07, 09 · Time: 25 minutes

# %%
from functools import partial
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sklearn.datasets import load_digits
from torch import Tensor

from curriculum.demo import demo
from curriculum.draw import DATA, GRADIENT, SCRATCH, TORCH, new_figure
from curriculum.drawings import curves
from curriculum.pair import compare, training_pair
from curriculum.table import Table
from lessons.lesson04_layers import mlp
from lessons.lesson07_descent import SGD
from lessons.lesson09_autograd import Value, formula_pair, plain, torch_node

# %% [markdown]
# ## The idea
#
# Lesson 09's engine could train a network for digits today. But one digit of 8 × 8
# pixels, sent through a 64–32–10 network to its loss, makes a graph of 7,199 nodes.
# Each further digit adds 4,790, so a batch of 32 makes 155,689, and Python makes them
# one by one.
#
# So let a node hold a whole tensor. Of the engine nothing changes: the graph, the
# order, the walk back. Nor do the operations that treat each element by itself. In
# $a \cdot b$, with tensors of one shape, the slope along $a$ is $b$, element by
# element. Two things are new.
#
# ### Broadcasting has to be undone
#
# Take a batch of two examples, and a bias:
#
# $$x = \begin{pmatrix} 1 & 2 & 3 \\ 4 & 5 & 6 \end{pmatrix} \qquad
# b = \begin{pmatrix} 10 & 20 & 30 \end{pmatrix} \qquad
# x + b = \begin{pmatrix} 11 & 22 & 33 \\ 14 & 25 & 36 \end{pmatrix}$$
#
# The shapes are (2, 3) and (3,). Both examples use the same bias, as if it had been
# copied into two rows. Now blame comes back, a number for each element of the sum. The
# slope of a sum is 1, so each copy gets it as it is. But there is one bias, and each
# copy is a road to it. Where roads meet, blame is added:
#
# $$\frac{\partial L}{\partial (x + b)} =
# \begin{pmatrix} 1 & 0 & 2 \\ 3 & 1 & -1 \end{pmatrix} \qquad
# \frac{\partial L}{\partial b} = \begin{pmatrix} 4 & 1 & 1 \end{pmatrix}$$
#
# A tensor can be copied in two ways. So there are two steps back:
#
# | how it was copied | example | the way back |
# |---|---|---|
# | along a new first dimension | (3,) used as (2, 3) | add up over it: it goes |
# | along a dimension of length 1 | (2, 1) used as (2, 3) | add up over it: 1 remains |
#
# Both can happen at once: (3, 1) used as (2, 3, 4). Back goes (2, 3, 4) → (3, 4) →
# (3, 1).
#
# <details><summary>What do you expect? The loss is a mean over 32 examples. Is a
# bias's blame then the mean of what its 32 copies get?</summary>
#
# No, the sum. The mean in the loss is an operation, too, and has sent its 1/32 along
# the roads already. Dividing once more would make the gradient of each bias 32 times
# too small.
#
# </details>


# %% tags=["hide-input"]
def draw_numbers(axis: Axes, rows: Any, left: float, color: str, pale: bool) -> None:
    """A grid of numbers; copies are pale."""
    face = "white" if pale else color
    ink = "white" if color == DATA and not pale else "black"
    for row, numbers in enumerate(rows):
        for column, number in enumerate(numbers):
            corner = (left + column - 0.45, -row - 0.45)
            axis.add_patch(Rectangle(corner, 0.9, 0.9, facecolor=face, edgecolor=color))
            text = f"{number:g}".replace("-", "−")
            axis.text(left + column, -row, text, ha="center", va="center", color=ink)


@demo
def copies_and_their_blame() -> Figure:
    """Broadcasting copies a tensor; going back, the blame of its copies is added up"""
    blame = [[1, 0, 2], [3, 1, -1]]
    figure, axes = new_figure(2, 1, width=8, height=1.9)
    titles = (
        "(3,) used as (2, 3): add up over the rows; that dimension goes",
        "(2, 1) used as (2, 3): add up over the columns; 1 remains",
    )
    tensors = ([[10, 20, 30]], [[5], [7]])
    copies = ([[10, 20, 30], [10, 20, 30]], [[5, 5, 5], [7, 7, 7]])
    sums = ([[4, 1, 1]], [[3], [3]])
    for number, axis in enumerate(axes):
        draw_numbers(axis, tensors[number], 0, DATA, pale=False)
        draw_numbers(axis, copies[number], 4, DATA, pale=True)
        draw_numbers(axis, blame, 9, GRADIENT, pale=True)
        draw_numbers(axis, sums[number], 13, GRADIENT, pale=False)
        for x in (3, 7.5, 12):
            axis.text(x, -0.5, "→", ha="center", va="center", fontsize=14)
        words = {1: "the tensor", 5: "its copies", 10: "their blame", 14: "its blame"}
        for x, text in words.items():
            axis.text(x, 0.85, text, ha="center", va="center", fontsize=9, color=DATA)
        axis.set_title(titles[number], loc="left", fontsize=10)
        axis.set(xlim=(-0.8, 15.8), ylim=(-1.6, 1.2), aspect="equal")
        axis.axis("off")
    return figure


# %% [markdown]
# ### Some operations mix elements
#
# In a matrix product $y = a\,b$ each element of $a$ reaches a whole row of $y$. With
# one row of $y$ for each example:
#
# $$y_{ij} = \sum_k a_{ik}\, b_{kj} \qquad\Rightarrow\qquad
# \frac{\partial L}{\partial a_{ik}} = \sum_j \frac{\partial L}{\partial y_{ij}}\,
# b_{kj}$$
#
# The sum over $j$ is again a matrix product, blame times $b^\top$. For $b$ it is
# $a^\top$ times blame, as lesson 04 found. No slope can be multiplied element by
# element here. So such a road bears a *function*: from the blame of the result to the
# blame of the parent. (The field says *vector–Jacobian product*.)
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $v$ | `data` | any | the value of a node |
# | $\partial L/\partial v$ | `grad` | as `data` | its blame |
# | $\partial y/\partial v$ | `slope` | as the result $y$, or a function | of a road |
#
# ## From scratch
#
# First the way back from broadcasting. Then the class: it inherits the graph, the
# order, and `+`, `-`, `*`, `/` from `Value`. What it adds are curves from `torch` in
# place of `math`, and what mixes elements.


# %%
def undo_broadcast(grad: Tensor, shape: torch.Size) -> Tensor:
    """Adds up the blame of all copies, until it has the shape of what was copied.

    >>> undo_broadcast(torch.ones(2, 3, 4), torch.Size([3, 1]))
    tensor([[8.],
            [8.],
            [8.]])
    """
    while grad.dim() > len(shape):  # copied along a new first dimension
        grad = grad.sum(0)
    for dim, size in enumerate(shape):
        if size == 1:  # copied along a dimension of length 1
            grad = grad.sum(dim, keepdim=True)
    return grad


class Node(Value):
    """A tensor that remembers how it was made. Plain tensors are data: no road."""

    def backward(self, grad: Tensor | None = None) -> None:
        """As for numbers. Without `grad` this node must be L itself, one number."""
        if grad is None:
            grad = torch.ones((), dtype=self.data.dtype)  # ∂L/∂L = 1
        if grad.shape != self.data.shape:
            wanted = tuple(self.data.shape)
            raise ValueError(f"blame has the shape {tuple(grad.shape)}, not {wanted}")
        super().backward(grad)

    def send(self, grad: Tensor, slope: Any, parent: Value) -> Tensor:
        """What arrives: the blame of all copies of the parent, added up."""
        arrives = slope(grad) if callable(slope) else grad * slope
        return undo_broadcast(arrives, parent.data.shape)

    def exp(self) -> Any:
        y = self.data.exp()
        return type(self)(y, (self, y))

    def log(self) -> Any:
        return type(self)(self.data.log(), (self, 1 / self.data))

    def tanh(self) -> Any:
        y = self.data.tanh()
        return type(self)(y, (self, 1 - y**2))

    def relu(self) -> Any:
        return type(self)(self.data.clamp(min=0), (self, self.data > 0))

    def __abs__(self) -> Any:
        return type(self)(self.data.abs(), (self, self.data.sign()))

    def __pow__(self, other: Any) -> Any:
        """y = aᵇ, element by element; the slopes are those of lesson 09."""
        a = self.data
        b = torch.as_tensor(plain(other), dtype=a.dtype)
        y = a**b
        along_a = torch.where(b == 0, 0.0, b * a ** (b - 1))
        along_b = torch.where((a == 0) & (b >= 0), 0.0, y * a.log())
        return type(self)(y, (self, along_a), (other, along_b))

    def __rpow__(self, other: Any) -> Any:
        return type(self)(torch.as_tensor(other, dtype=self.data.dtype)) ** self

    def __matmul__(self, other: Any) -> Any:
        """y = a b, (n, k) @ (k, m) → (n, m). ∂L/∂a = ∂L/∂y bᵀ and ∂L/∂b = aᵀ ∂L/∂y."""
        a = self.data
        b = plain(other)
        return type(self)(
            a @ b,
            (self, lambda grad: grad @ b.mT),  # (n, m) @ (m, k) → (n, k)
            (other, lambda grad: a.mT @ grad),  # (k, n) @ (n, m) → (k, m)
        )

    def __rmatmul__(self, other: Tensor) -> Any:
        """Data times a node."""
        return type(self)(other @ self.data, (self, lambda grad: other.mT @ grad))

    @property
    def T(self) -> Any:
        """Rows become columns; so does the blame."""
        return type(self)(self.data.T, (self, lambda grad: grad.T))

    def sum(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """y = a₁ + a₂ + …: every slope is 1, so each aᵢ gets the blame of y."""
        total = self.data.sum(dim, keepdim=keepdim)
        kept = self.data.sum(dim, keepdim=True).shape  # a summed dimension has length 1
        shape = self.data.shape
        return type(self)(total, (self, lambda grad: grad.reshape(kept).expand(shape)))

    def mean(self, dim: int | None = None, keepdim: bool = False) -> Any:
        """The sum, divided by the number of its terms."""
        count = self.data.numel() if dim is None else self.data.shape[dim]
        return self.sum(dim, keepdim) / count

    def __getitem__(self, index: Any) -> Any:
        """`v[rows, columns]`, `v[2:5]`: blame goes to what was picked, 0 elsewhere."""
        places = torch.arange(self.data.numel()).view(self.data.shape)
        picked = places[index].flatten()

        def spread(grad: Tensor) -> Tensor:
            flat = torch.zeros(self.data.numel(), dtype=grad.dtype)
            return flat.index_add(0, picked, grad.flatten()).view(self.data.shape)

        return type(self)(self.data[index], (self, spread))

    def log_softmax(self, dim: int) -> Any:
        """ln p = z − ln Σ eᶻ (lesson 06); the largest z comes off first and cancels."""
        shifted = self - self.data.amax(dim, keepdim=True)
        return shifted - shifted.exp().sum(dim, keepdim=True).log()


# %% [markdown]
# No operation here says how to go back from broadcasting: `send` does it for all. And
# `log_softmax` says nothing about slopes. It is made of operations that know theirs, so
# the gradient of cross-entropy, which took lesson 06 a derivation, comes out of the
# walk.
#
# ```python
# >>> x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
# >>> bias = Node(torch.tensor([10.0, 20.0, 30.0]))
# >>> (x + bias).backward(torch.tensor([[1.0, 0.0, 2.0], [3.0, 1.0, -1.0]]))
# >>> bias.grad
# tensor([4., 1., 1.])
#
# ```
#
# ## The same with PyTorch
#
# What follows is written once. It runs with our nodes and with PyTorch's, tensors with
# `requires_grad`. It trains lesson 04's `mlp` with 64 inputs, 32 hidden neurons and 10
# outputs on scikit-learn's digits.


# %% tags=["hide-input"]
def digits(steps: int = 30) -> list[tuple[Tensor, Tensor]]:
    """A batch for every step, 56 at most: x (32, 64) from 0 to 1, target (32,)."""
    pixels, answers = load_digits(return_X_y=True)
    x = torch.tensor(pixels / 16, dtype=torch.get_default_dtype())
    target = torch.tensor(answers)
    return list(zip(x.split(32), target.split(32), strict=True))[:steps]


# %%
def classifier_loss(params: dict[str, Any], x: Any, target: Tensor) -> Any:
    """Cross-entropy of Linear, ReLU, …, Linear. x: (batch, n_in), target: (batch,)."""
    for i in range(0, len(params), 2):  # "0.weight", "0.bias", "2.weight", … as in 04
        if i > 0:
            x = x.relu()
        x = x @ params[f"{i}.weight"].T + params[f"{i}.bias"]
    right = x.log_softmax(1)[torch.arange(len(target)), target]
    return -right.mean()


def train(
    make: Any, params: dict[str, Tensor], batches: Any, lr: float = 0.5
) -> tuple[list[float], dict[str, Tensor]]:
    """A step for each batch, with the nodes that `make` makes.

    Returns the losses and `params`, which were changed in place.
    """
    optimizer = SGD(params, lr)
    losses = []
    for x, target in batches:
        nodes = {name: make(param) for name, param in params.items()}  # grad is 0 again
        loss = classifier_loss(nodes, x, target)
        loss.backward()
        optimizer.step({name: node.grad for name, node in nodes.items()})
        losses.append(loss.data.item())
    return losses, params


# %% [markdown]
# ## See it: a network trained on your own engine
#
# This is what two lessons were for. The first 1,440 digits go by four times, 32 at a
# time, through our engine and through PyTorch's. Both start from the same weights.
# After each round the network reads 352 digits that it has not seen.
#
# <details><summary>What do you expect? How far apart do the two losses end?</summary>
#
# As far as rounding reaches. With 16 digits (float64), as the comparison below has it,
# by less than 0.000000001. With 7 digits (float32), as in the figure, by less than a
# thousandth.
#
# </details>


# %% tags=["hide-input"]
def read_rightly(params: dict[str, Tensor]) -> float:
    """The share of the digits after the first 1,440 that the network reads rightly."""
    unseen = digits(56)[45:]
    x = torch.cat([pixels for pixels, _ in unseen])
    target = torch.cat([answers for _, answers in unseen])
    hidden = (x @ params["0.weight"].T + params["0.bias"]).relu()
    logits = hidden @ params["2.weight"].T + params["2.bias"]
    return (logits.argmax(1) == target).double().mean().item()


@demo
def two_engines_one_curve() -> Figure:
    """A 64–32–10 network learns digits on our engine, beside PyTorch's"""
    losses: dict[str, list[float]] = {}
    shares: dict[str, list[float]] = {}
    for make, name in ((torch_node, "torch"), (Node, "our engine")):
        params = mlp(64, 32, 10).params
        losses[name] = []
        shares[name] = [read_rightly(params)]
        for _ in range(4):
            losses[name] += train(make, params, digits(45))[0]
            shares[name].append(read_rightly(params))
    figure, (left, right) = new_figure(1, 2, width=4.4)
    colors = {"torch": TORCH, "our engine": SCRATCH}
    curves(left, losses, across="step", upwards="loss of the batch", colors=colors)
    left.set(ylim=(0, None))
    rounds = {name: (range(0, 181, 45), share) for name, share in shares.items()}
    curves(
        right,
        rounds,
        across="step",
        upwards="share of unseen digits read",
        colors=colors,
    )
    right.set(ylim=(0, 1), xlim=(-8, 205))
    for step, share in ((0, shares["torch"][0]), (180, shares["torch"][-1])):
        right.plot(step, share, "o", color="0.3", markersize=4)
        right.text(step + 6, max(share - 0.06, 0.04), f"{share:.0%}")
    for line in left.lines:
        line.set_linewidth(3 if line.get_color() == TORCH else 1.2)
    return figure


# %% [markdown]
# ## See it: a bug that still learns
#
# Suppose that, for a bias, `undo_broadcast` took the *mean* over the examples. Shapes
# fit, nothing crashes, and the network reads about as many digits: its weights do what
# the biases do not. Nobody who looks at the curve would notice. The comparison does.


# %% tags=["hide-input"]
class Averaging(Node):
    """A bug to watch: where a tensor was copied for each example, blame is averaged."""

    def send(self, grad: Tensor, slope: Any, parent: Value) -> Tensor:
        arrives = slope(grad) if callable(slope) else grad * slope
        if arrives.dim() > parent.data.dim():
            arrives = arrives.mean(0)  # the bug: sum(0) is right
        return undo_broadcast(arrives, parent.data.shape)


@demo
def a_mean_where_a_sum_belongs() -> Table:
    """A bug in the way back from broadcasting: the loss falls, the comparison fails"""
    rows = []
    for make, name in ((Node, "added up"), (Averaging, "averaged")):
        losses, params = train(make, mlp(64, 32, 10).params, digits(45) * 4)
        pair = formula_pair("layer", lambda a, w, row: (a + row) @ w, make)
        wrong = [found.name for found in compare(pair) if found.problem]
        last = sum(losses[-45:]) / 45
        rows.append(
            (
                name,
                losses[0],
                last,
                f"{read_rightly(params):.0%}",
                ", ".join(wrong) or "none",
            )
        )
    columns = (
        "copies' blame",
        "first loss",
        "last 45 losses",
        "unseen read",
        "differs from PyTorch",
    )
    return Table(columns, rows)


# %% [markdown]
# ## See it: what it costs
#
# The same loss and gradients once more, in three engines. `Value` needs a node for
# every product and sum, and all stay in memory until the loss is let go. `Node` makes
# as many for four digits as for one; only the tensors inside grow. The times differ
# from machine to machine.


# %% tags=["hide-input"]
def numbers_loss(params: dict[str, Any], x: Tensor, target: Tensor) -> Any:
    """`classifier_loss` with a Value for every number; params are (lists of) lists."""
    losses = []
    for pixels, answer in zip(x.tolist(), target.tolist(), strict=True):
        hidden = neurons(params["0.weight"], params["0.bias"], pixels)
        curved = [value.relu() for value in hidden]
        logits = neurons(params["2.weight"], params["2.bias"], curved)
        total = sum((z.exp() for z in logits[1:]), start=logits[0].exp())
        losses.append(total.log() - logits[answer])
    return sum(losses[1:], start=losses[0]) / len(losses)


def neurons(weight: Any, bias: Any, inputs: Any) -> list[Any]:
    """Lesson 04's layer, number by number."""
    sums = []
    for row, total in zip(weight, bias, strict=True):
        for w, value in zip(row, inputs, strict=True):
            total = total + w * value
        sums.append(total)
    return sums


def number_nodes(values: Tensor) -> Any:
    """A Value for every element: a list, or a list of lists."""
    if values.dim() == 0:
        return Value(values.item())
    return [number_nodes(part) for part in values]


@demo
def what_it_costs() -> Table:
    """One loss and its gradients: three engines, one result, three prices"""
    from torch.utils.benchmark import Timer

    rows = []
    for count in (1, 2, 4):
        torch_ms = 0.0
        for make in (torch_node, Node, number_nodes):
            params = {key: make(value) for key, value in mlp(64, 32, 10).params.items()}
            loss_of = numbers_loss if make is number_nodes else classifier_loss
            run = partial(loss_of, params, *(part[:count] for part in digits(1)[0]))
            loss = run()
            timer = Timer("run().backward()", globals={"run": run})
            ms = 1000 * timer.blocked_autorange(min_run_time=0.1).median
            nodes = len(loss.graph()) if isinstance(loss, Value) else "?"
            torch_ms = ms if make is torch_node else torch_ms
            times = f"{ms / torch_ms:.3g}"
            name = type(loss).__name__
            rows.append((name, count, f"{loss.data:.5f}", nodes, ms, times))
    return Table(("engine", "digits", "loss", "nodes", "ms", "times torch"), rows)


# %% [markdown]
# ## They agree
#
# Each formula runs in our engine and in PyTorch, and is walked back twice, with two
# different blames. Then a chain of 5,000 nodes, and a training of 30 steps, every loss
# and every weight.

# %% tags=["hide-input"]
TENSORS = {
    "+": lambda a, row, one: a + row + one,
    "−": lambda row, col: row - col,
    "·": lambda a, col: a * col,
    "/": lambda row, q: row / q,
    "**": lambda b, row: b ** row.tanh(),
    "2 **": lambda a: 2 ** a.tanh(),
    "abs": lambda a: abs(a),
    "@": lambda a, w: a @ w,
    "@, batches": lambda a, w3: a @ w3,
    "T": lambda a, b: a.T @ b,
    "curves": lambda a, b: a.relu() * b.log() - a.tanh() / b + (-b).exp() + a**3,
    "sum": lambda a: a.sum(),
    "sum(0)": lambda a: a.sum(0),
    "mean(1, True)": lambda a: a.mean(1, True),
    "mean": lambda a: a.mean(),
    "log_p": lambda a: a.log_softmax(1),
    "reused": lambda a: a @ a.T * a.sum(),
    "pick": lambda a: a[torch.tensor([0, 0, -1]), torch.tensor([0, 0, -1])],
    "classifier": lambda a, w1, b1, w2, b2: classifier_loss(
        {"0.weight": w1, "0.bias": b1, "2.weight": w2, "2.bias": b2},
        a,
        a.data.argmax(1) % len(b2.data),
    ),
}


def deep(a: Any, b: Any) -> Any:
    """A chain of 5,000 nodes."""
    y = a
    for _ in range(5_000):
        y = y * 0.999 + b
    return y


def training_with(make: Any) -> Any:
    """The training run of one side."""
    return lambda case: train(make, mlp(64, 32, 10).params, digits())


PAIRS = []
for _name, _formula in TENSORS.items():
    PAIRS.append(formula_pair(f"tensors: {_name}", _formula, Node))
PAIRS += [
    formula_pair("deep", deep, Node, drawn=False),
    training_pair("digits, 30 steps", training_with(Node), training_with(torch_node)),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - Change a tensor in place between forward and backward, and slopes that *are* that
#   tensor are silently wrong here. PyTorch counts changes, the tensor's *version*, and
#   raises an error.
# - It has some hundreds of operations, each with its way back, many as one piece of
#   fast code. Ours has twenty.
# - It frees what a node keeps as soon as the walk has passed it.
#
# <details><summary>More: is a function on every road not slow?</summary>
#
# Python calls it once for each operation and batch, not for each number. For 128 digits
# and larger layers the time is in the matrix products, and those are PyTorch's here as
# well. Lesson 24 measures what is left.
#
# </details>
#
# ## You can now
#
# - say, for any two shapes that broadcast, which dimensions the way back adds up,
# - write the way back of a new operation on tensors, and prove it against PyTorch,
# - train a network on an engine of which you know every line.
#
# Exercises: `curriculum start 10a` (the larger of two, and what happens at a tie) and
# `curriculum start 10b` (two tensors side by side); `curriculum check 10a` says how far
# you are.
#
# Next: lesson 11 makes one step into thousands.
