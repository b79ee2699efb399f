# %% [markdown]
# # Lesson 08 · Backpropagation
#
# *The answer was wrong: how much of that is each weight to blame for?*
#
# Needs: lessons 01, 03, 04, 05, 07 · Time: 25 minutes

# %%
from itertools import product
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from curriculum.demo import demo
from curriculum.draw import OTHER, new_figure
from curriculum.pair import Case, Pair, training_pair
from curriculum.table import Table
from lessons.lesson04_layers import Sequential, mlp, torch_mlp
from lessons.lesson05_losses import MSELoss
from lessons.lesson07_descent import SGD, numerical_gradient

# %% [markdown]
# ## The idea
#
# Let $h = 2x$ and $y = 5h$. Move $x$ by 0.01 and $h$ moves by 0.02. That moves $y$ by 0.1, ten times as
# far as $x$: slopes one after the other multiply. This is the *chain rule*.
#
# A network is such a chain: inputs, sums, activations, output, loss. *Backpropagation* walks it from the
# end. It asks every number on the way: if you were a little larger, how fast would the loss grow? That is
# the number's gradient; we call it its *blame*. A negative one says: you were too small.
#
# Here is a network that fits on paper: two inputs, two hidden neurons with ReLU, one output. Forward:
#
# ```python
# >>> x1, x2, target = 2, 1, 1
# >>> h_sum1 = 1 * x1 + 0.5 * x2 + 0.5  # row 1 of weight1, and bias1
# >>> h_sum2 = -1 * x1 + 3 * x2 + 0.5  # row 2
# >>> h1, h2 = max(0, h_sum1), max(0, h_sum2)  # ReLU
# >>> y = 0.5 * h1 - 2 * h2 + 1  # weight2 and bias2
# >>> h1, h2, y, (y - target) ** 2  # the last is the loss
# (3.0, 1.5, -0.5, 2.25)
# ```
#
# Now back. **The loss** is (y − target)², so its slope is 2 · (y − target). **The output** is a weighted sum.
# Its slope with respect to a weight is the input beside it, with respect to an input the weight beside it,
# with respect to the bias 1. Each is multiplied by the blame of y:
#
# ```python
# >>> grad_y = 2 * (y - target)
# >>> grad_weight2, grad_bias2 = (grad_y * h1, grad_y * h2), grad_y * 1
# >>> grad_h1, grad_h2 = grad_y * 0.5, grad_y * -2
# >>> grad_y, grad_weight2, grad_bias2, grad_h1, grad_h2
# (-3.0, (-9.0, -4.5), -3.0, -1.5, 6.0)
# ```
#
# The output was too small. The blame changes sign at h₂: its weight is negative, so a larger h₂ makes y
# smaller still. **ReLU** has slope 1 where its sum is positive, else 0. **The hidden sums** are weighted
# sums again. **The inputs** are new: x₁ goes into *both* hidden neurons. Two roads lead from it to the
# loss. When x₁ moves, both carry the movement at once, so their blame is added.
#
# ```python
# >>> grad_h_sum1, grad_h_sum2 = grad_h1 * (h_sum1 > 0), grad_h2 * (h_sum2 > 0)
# >>> grad_weight1 = (grad_h_sum1 * x1, grad_h_sum1 * x2), (grad_h_sum2 * x1, grad_h_sum2 * x2)
# >>> (grad_h_sum1, grad_h_sum2), grad_weight1  # the first two are also grad_bias1
# ((-1.5, 6.0), ((-3.0, -1.5), (12.0, 6.0)))
# >>> grad_h_sum1 * 1, grad_h_sum2 * -1, grad_h_sum1 * 1 + grad_h_sum2 * -1  # x1: road 1, road 2, both
# (-1.5, -6.0, -7.5)
# >>> grad_h_sum1 * 0.5, grad_h_sum2 * 3, grad_h_sum1 * 0.5 + grad_h_sum2 * 3  # x2
# (-0.75, 18.0, 17.25)
# ```
#
# The smallest case of two roads is $y = x \cdot x$. At x = 3 the slope through each factor is the other one,
# 3. Added that is 6, as the school rule $2x$ says. That is all: multiply along a road, add where roads meet.
#
# $$\frac{\partial L}{\partial x_i} = \sum_j \frac{\partial L}{\partial s_j} W_{ji}$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `x` | (batch, n_in) | inputs |
# | $s$, $h$ | `h_sum`, `h` | (batch, n_hidden) | hidden sums, before and after ReLU |
# | $y$, $t$ | `y`, `target` | (batch, n_out) | outputs, right answers |
# | $W$ | `weight1`, `weight2` | (n_hidden, n_in), (n_out, n_hidden) | a row per neuron |
# | $\partial L / \partial v$ | `grad_v` | as `v` | the blame of `v` for the loss $L$ |
#
# ## From scratch
#
# The same lines for a whole batch. Every number on the way keeps its name.

# %%
Tensors = dict[str, Tensor]
ON_OFF_KINK = [2.0, 1.0], [2.0, 0.0], [3.5, 1.0]
PARAMS = ("weight1", "bias1", "weight2", "bias2")


def example(*rows: list[float]) -> Tensors:
    """The network on paper, by name: parameters, x (1, 2) or these `rows`, a target of 1 for each."""
    weight1, bias1 = torch.tensor([[1.0, 0.5], [-1.0, 3.0]]), torch.tensor([0.5, 0.5])
    weight2, bias2 = torch.tensor([[0.5, -2.0]]), torch.tensor([1.0])
    x = torch.tensor(rows or [[2.0, 1.0]])
    params = dict(zip(PARAMS, (weight1, bias1, weight2, bias2), strict=True))
    return {**params, "x": x, "target": torch.ones(len(x), 1)}


def by_hand(given: Tensors) -> Tensors:
    """Every value from x to the loss, then every gradient back to x.

    For one example each line stands in the text above. A batch adds two things. The loss is a mean over
    all outputs, so each gets 1/count of the blame. And every example uses the same parameters: these are
    more roads that meet, so their blame is added, by the matrix product or by `sum(0)`.
    """
    x, weight1, weight2 = given["x"], given["weight1"], given["weight2"]
    h_sum = x @ weight1.T + given["bias1"]  # (batch, n_in) @ (n_in, n_hidden)
    h = h_sum.clamp(min=0)
    y = h @ weight2.T + given["bias2"]  # (batch, n_hidden) @ (n_hidden, n_out)
    error = y - given["target"]
    values = {"h_sum": h_sum, "h": h, "y": y, "loss": (error**2).mean()}
    grad_y = 2 * error / y.numel()  # (batch, n_out)
    grad_h = grad_y @ weight2  # (batch, n_out) @ (n_out, n_hidden)
    grad_h_sum = grad_h * (h_sum > 0)
    grads = {"y": grad_y, "h": grad_h, "h_sum": grad_h_sum}
    grads["x"] = grad_h_sum @ weight1  # (batch, n_hidden) @ (n_hidden, n_in)
    grads |= {
        "weight1": grad_h_sum.T @ x,
        "bias1": grad_h_sum.sum(0),
    }  # (n_hidden, batch) @ (batch, n_in)
    grads |= {
        "weight2": grad_y.T @ h,
        "bias2": grad_y.sum(0),
    }  # (n_out, batch) @ (batch, n_hidden)
    return values | {f"grad_{name}": grad for name, grad in grads.items()}


def by_layers(given: Tensors) -> Tensors:
    """The gradients that `Sequential.backward` finds in the network on paper, named as in `by_hand`.

    Each gradient needs only the one before it and values of its own place. So the way back falls into
    pieces, and you know them: the `backward` of `MSELoss`, `Linear`, `ReLU` and `Linear`, in this order.
    """
    model, criterion = mlp(2, 2, 1), MSELoss()
    for name, param in zip(PARAMS, model.params.values(), strict=True):
        param.copy_(given[name])
    criterion.forward(model.forward(given["x"]), given["target"])
    grads = {"y": criterion.backward(), "x": model.backward(criterion.backward())}
    grads |= zip(PARAMS, model.grads.values(), strict=True)
    return {f"grad_{name}": grad for name, grad in grads.items()}


# %% [markdown]
# ## The same with PyTorch
#
# We write the forward lines only. One call, `loss.backward()`, walks back by itself; lesson 09 builds that.
# PyTorch forgets the gradients between input and loss unless told to keep them; `retain_grad` tells it.


# %%
def by_torch(given: Tensors) -> Tensors:
    """As `by_hand`, with gradients from autograd."""
    found = {
        name: value.clone().requires_grad_()
        for name, value in given.items()
        if name != "target"
    }
    found["h_sum"] = nn.functional.linear(found["x"], found["weight1"], found["bias1"])
    found["h"] = nn.functional.relu(found["h_sum"])
    found["y"] = nn.functional.linear(found["h"], found["weight2"], found["bias2"])
    for value in found.values():
        value.retain_grad()
    loss = nn.functional.mse_loss(found["y"], given["target"])
    loss.backward()
    grads = {
        f"grad_{name}": value.grad
        for name, value in found.items()
        if value.grad is not None
    }
    return {
        "loss": loss,
        **{name: found[name] for name in ("h_sum", "h", "y")},
        **grads,
    }


@demo
def one_call_gives_the_same() -> Table:
    """By hand, layer by layer, and one call of .backward(): the same gradients"""
    names = [
        f"grad_{name}"
        for name in ("y", "weight2", "bias2", "h", "h_sum", "weight1", "bias1", "x")
    ]
    every = [find(example()) for find in (by_hand, by_layers, by_torch)]
    rows = [
        (n, *(str(found[n].tolist()) if n in found else "" for found in every))
        for n in names
    ]
    return Table(("", "by hand", "Sequential.backward", "loss.backward()"), rows)


# %% [markdown]
# Where a sum is not positive, ReLU stops blame: its neuron learns nothing from that example. Here are
# three inputs. Neuron 2 is on, off, and exactly at the kink, where slope 0 is a choice, PyTorch's and ours.
#
# ```python
# >>> found = by_hand(example(*ON_OFF_KINK))
# >>> found["h_sum"][:, 1].tolist(), (found["grad_h_sum"][:, 1] != 0).tolist()
# ([1.5, -1.5, 0.0], [True, False, False])
# ```
#
# ## See it: forward and backward
#
# Check a weight: its blame is the yellow number at its line's right end times the dark one at the left end.


# %%
@demo
def forward_and_backward() -> Figure:
    """Values flow right, blame flows left"""
    numbers = {**example(), **by_hand(example()), "grad_loss": torch.ones(1)}
    at = {
        "x": [(0.0, 1.0), (0.0, -1.0)],
        "h_sum": [(2.6, 1.0), (2.6, -1.0)],
        "h": [(4.4, 1.0), (4.4, -1.0)],
    }
    at |= {
        "y": [(6.6, 0.0)],
        "loss": [(8.2, 0.0)],
        "bias1": [(2.6, 2.1), (2.6, -2.1)],
        "bias2": [(6.6, 1.1)],
    }
    lines = [
        *zip(
            at["h"] + at["loss"] + at["bias1"],
            at["h_sum"] + at["y"] + at["h_sum"],
            strict=True,
        )
    ]
    for name, start, end in (("weight1", "x", "h_sum"), ("weight2", "h", "y")):
        roads = [*product(at[end], at[start])]  # row by row, as the weights
        at[name] = [
            (0.66 * x0 + 0.34 * x1, 0.66 * y0 + 0.34 * y1)
            for (x1, y1), (x0, y0) in roads
        ]
        lines += roads
    figure, axis = new_figure(width=9.5, height=5.2)
    for (x1, y1), (x0, y0) in [*lines, (at["y"][0], at["bias2"][0])]:
        axis.plot((x0, x1), (y0, y1), color="0.75", linewidth=1.5, zorder=1)
    for name, spots in at.items():
        columns = (
            numbers[name].flatten().tolist(),
            numbers[f"grad_{name}"].flatten().tolist(),
        )
        for (x, y), index, value, grad in zip(spots, "₁₂₁₂", *columns, strict=False):
            label = f"{name}{index if len(spots) > 1 else ''} = "
            label = {"w": "", "b": "bias = "}.get(name[0], label)
            for text, up, back in (
                (f"{label}{value:g}", 0.15, OTHER[3]),
                (f"{grad:g}", -0.15, OTHER[0]),
            ):
                box = {
                    "boxstyle": "round,pad=0.25",
                    "edgecolor": "none",
                    "facecolor": back,
                }
                style: Any = {
                    "ha": "center",
                    "va": "center",
                    "bbox": box,
                    "color": "w" if up > 0 else "k",
                }
                axis.text(x, y + up, text.replace("-", "−"), **style)
    for x, y, text in (
        (3.5, 1.1, "ReLU"),
        (3.5, -0.9, "ReLU"),
        (8.2, -0.65, "target = 1"),
    ):
        axis.text(x, y, text, ha="center", color="0.4")
    axis.set(
        title="dark: value, flows right    ·    yellow: ∂loss/∂value, flows left",
        ylim=(-2.5, 2.4),
    )
    axis.axis("off")
    return figure


# %% [markdown]
# ## See it: against nudging
#
# Lesson 07's `numerical_gradient` knows no chain rule. It nudges a number and looks at the loss. To compare
# a `backward` with it, in float64, is a *gradient check*. Do it for every `backward` you write.
#
# And the cost? A linear layer does one matrix product forward and two of the same size backward, for
# `grad_weight` and `grad_x`. So all gradients cost twice a forward pass, for any layer sizes. For only some
# of them it counts how far back you walk, not how many you take along. Nudging pays for each number.


# %%
@demo
def gradient_check() -> Table:
    """Chain rule against nudging: the largest difference in each group of numbers"""
    rows = []
    with Case().defaults():  # float64
        given, found = example(), by_hand(example())
        for name in ("weight2", "bias2", "weight1", "bias1", "x"):
            loss = lambda value, name=name: by_hand({**given, name: value})["loss"]  # noqa: E731
            gap = numerical_gradient(loss, given[name]) - found[f"grad_{name}"]
            rows.append((f"grad_{name}", gap.numel(), gap.abs().max().item()))
    return Table(("", "numbers", "largest difference"), rows)


@demo
def cost_of_the_way_back() -> Table:
    """784–128–64–10, a batch of 64: multiplications, as multiples of a forward pass"""
    model, x = torch_mlp(784, 128, 64, 10), torch.ones(64, 784, requires_grad=True)
    params: list[Any] = list(model.parameters())
    asked = [
        ("the last layer's weights", params[4:5]),
        ("the first layer's weights", params[:1]),
    ]
    rows = []
    for name, wanted in [
        *asked,
        ("all parameters", params),
        ("all parameters and x", [*params, x]),
    ]:
        with FlopCounterMode(display=False) as forward:
            y = model(x)
        with FlopCounterMode(display=False) as backward:
            torch.autograd.grad(y.mean(), wanted)
        count = sum(value.numel() for value in wanted)
        rows.append(
            (
                name,
                count,
                backward.get_total_flops() / forward.get_total_flops(),
                2 * count,
            )
        )
    return Table(
        ("gradients of", "numbers", "backward ÷ forward", "nudging ÷ forward"), rows
    )


# %% [markdown]
# ## Six steps
#
# Learning is now a routine of six steps. Here a network learns *exclusive or*: 1 if exactly one input is 1.


# %%
def take_batch(step: int, size: int = 2) -> tuple[Tensor, Tensor]:
    """Step 1: take the next examples; after the last the first comes again. x (size, 2), target (size, 1)."""
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    rows = (step * size + torch.arange(size)) % len(x)
    return x[rows], 1.0 * (x.sum(1, keepdim=True) == 1)[rows]


def predict(model: Sequential, x: Tensor) -> Tensor:
    """Step 2, forward: what does the network say?"""
    return model.forward(x)


def measure(criterion: MSELoss, y: Tensor, target: Tensor) -> float:
    """Step 3, the loss: how wrong is that?"""
    return criterion.forward(y, target).item()


def blame(model: Sequential, criterion: MSELoss) -> Tensors:
    """Step 4, backward: which parameter is to blame, and how much?"""
    model.backward(criterion.backward())
    return model.grads


def update(optimizer: SGD, grads: Tensors) -> None:
    """Step 5: every parameter moves a little against its blame."""
    optimizer.step(grads)


def repeat(model: Sequential) -> tuple[list[float], Tensors]:
    """Step 6: again, 500 times. Returns the loss of every step and the parameters."""
    criterion, optimizer, losses = MSELoss(), SGD(model.params, lr=0.1), []
    for step in range(500):
        x, target = take_batch(step)
        y = predict(model, x)
        losses.append(measure(criterion, y, target))
        update(optimizer, blame(model, criterion))
    return losses, model.params


@demo
def six_steps_learn_xor() -> Table:
    """500 rounds of the six steps: eight hidden neurons learn exclusive or"""
    model, (x, target) = mlp(2, 8, 1), take_batch(0, size=4)
    before = predict(model, x)
    repeat(model)
    columns = [
        column[:, 0].tolist()
        for column in (target, before, predict(model, x).round(decimals=4))
    ]
    return Table(
        ("x", "target", "before", "after"),
        list(zip(map(str, x.tolist()), *columns, strict=True)),
    )


def repeat_torch(model: nn.Module) -> tuple[list[float], Tensors]:
    """The same with PyTorch: six lines, and one more to clear the old gradients."""
    optimizer, losses = torch.optim.SGD(model.parameters(), lr=0.1), []
    for step in range(500):  # 6
        x, target = take_batch(step)  # 1
        y = model(x)  # 2
        loss = nn.functional.mse_loss(y, target)  # 3
        optimizer.zero_grad()
        loss.backward()  # 4
        optimizer.step()  # 5
        losses.append(loss.item())
    return losses, dict(model.named_parameters())


# %% [markdown]
# ## They agree
#
# Every value and gradient by name: on paper, at the kink, at any size. Then the training, loss by loss.


# %%
def drawn(case: Case) -> Tensors:
    """As `example`, of any size, with seven hidden neurons."""
    shapes = {
        "weight1": (7, case.n_in),
        "bias1": (7,),
        "weight2": (case.n_out, 7),
        "bias2": (case.n_out,),
    }
    shapes |= {"x": (case.batch, case.n_in), "target": (case.batch, case.n_out)}
    return {name: case.tensor(name, *shape) for name, shape in shapes.items()}


PAIRS = [
    Pair("on paper", lambda c: by_hand(example()), lambda c: by_torch(example())),
    Pair(
        "kink",
        lambda c: by_hand(example(*ON_OFF_KINK)),
        lambda c: by_torch(example(*ON_OFF_KINK)),
    ),
    Pair("any size", lambda c: by_hand(drawn(c)), lambda c: by_torch(drawn(c))),
    training_pair(
        "xor",
        lambda c: repeat(mlp(2, 8, 1)),
        lambda c: repeat_torch(torch_mlp(2, 8, 1)),
    ),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - It keeps the gradients of what you marked, usually parameters. For values in between: `retain_grad`.
# - It skips what nobody asks for. Data needs no `grad_x`: 1.08 in the table, not 2. Ours computes it anyway.
# - `loss.backward()` *adds* to the gradients that are already there, as roads do. Hence `zero_grad()`.
#
# Next: lesson 09 writes the forward steps down as they happen, and then finds the way back by itself.
