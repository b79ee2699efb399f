# %% [markdown]
# # Lesson 07 · Gradient descent
#
# *Which way is down, and how far should each step go?*
#
# Needs: lessons 01, 03, 04, 05 · Time: 25 minutes

# %%
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.contracts import within
from curriculum.demo import demo
from curriculum.draw import OTHER, SCRATCH, new_figure
from curriculum.pair import Case, Pair, optimizer_pair, training_pair
from curriculum.table import Table
from lessons.lesson01_neuron import Neuron, Sigmoid
from lessons.lesson03_activations import Tanh
from lessons.lesson04_layers import Linear, Sequential
from lessons.lesson05_losses import MSELoss

# %% [markdown]
# ## The idea
#
# You stand on a hillside in fog and want to reach the valley. You see nothing, but your feet feel the slope.
# So you step downhill, feel again, and step again. That is *gradient descent*: the place where you stand is a
# weight, the height is the loss, the slope under your feet is the gradient.
#
# Take a bowl with one weight: loss $= w^2$. Its slope at $w$ is $2w$. We stand at $w = 4$, where the slope is
# 8. A slope is not a distance, so a number has to turn it into one: the *learning rate*. With a learning rate
# of 0.1 the step is 0.8 long. It goes against the slope, from 4 to 3.2.
#
# $$w \leftarrow w - \eta \, \frac{\partial L}{\partial w}$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $w$ | `params` | any | what we may move: weights and biases |
# | $\partial L / \partial w$ | `grads` | that of $w$ | the slope of the loss along each of them |
# | $\eta$ | `lr` | one number | the learning rate |
#
# ## From scratch


# %%
class SGD:
    """Gradient descent: every parameter moves against its gradient.

    `params`: tensors by name, any shapes, changed in place; `grads`: the same names and shapes.
    The S is for *stochastic*, by chance: in lesson 11 each step will see a random part of the data.
    """

    def __init__(self, params: dict[str, Tensor], lr: float) -> None:
        within("lr", lr)
        self.params = params
        self.lr = lr

    def step(self, grads: dict[str, Tensor]) -> None:
        """param ← param − lr · grad, in one pass over the memory."""
        for name, param in self.params.items():
            param.add_(grads[name], alpha=-self.lr)


def descend(
    start: Tensor, slope: Callable[[Tensor], Tensor], lr: float, steps: int
) -> Tensor:
    """Walk down from `start` (n,). Every place on the way, the start included: (steps + 1, n)."""
    w = start.clone()
    optimizer = SGD({"w": w}, lr)
    path = [start]
    for _ in range(steps):
        optimizer.step({"w": slope(w)})
        path.append(w.clone())
    return torch.stack(path)


def loss_and_grads(
    model: Any, criterion: Any, x: Tensor, target: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """One forward pass through the model and its loss, and one backward pass."""
    loss = criterion.forward(model.forward(x), target)
    model.backward(criterion.backward())
    return loss, model.grads


def regression(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """A layer learns 20 examples in 100 steps; the losses and the trained parameters."""
    model, losses = Linear(case.n_in, case.n_out), []
    for name, param in model.params.items():
        param.copy_(case.tensor(name, *param.shape))
    optimizer = SGD(model.params, lr=0.02)
    x, target = case.tensor("x", 20, case.n_in), case.tensor("target", 20, case.n_out)
    for _ in range(100):
        loss, grads = loss_and_grads(model, MSELoss(), x, target)
        optimizer.step(grads)
        losses.append(loss.item())
    return losses, model.params


# %% [markdown]
# ## The same with PyTorch
#
# `torch.optim.SGD` does the step. `loss.backward()` leaves the slopes in `param.grad`.


# %%
def regression_torch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """The same with `nn.Linear`, `nn.MSELoss` and `torch.optim.SGD`."""
    model, losses = nn.Linear(case.n_in, case.n_out), []
    model.load_state_dict(
        {name: case.tensor(name, *p.shape) for name, p in model.named_parameters()}
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    x, target = case.tensor("x", 20, case.n_in), case.tensor("target", 20, case.n_out)
    for _ in range(100):
        loss = nn.MSELoss()(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, dict(model.named_parameters())


# %% [markdown]
# ## See it: steep far away, flat near the bottom
#
# The learning rate stays at 0.1, and still the steps shrink: each is as long as the slope is steep. One step
# takes $w$ to $w - 0.1 \cdot 2w = 0.8\,w$. So each step is 0.8 times as long as the one before. This holds
# for round valleys, not for all: in $|w|$ all slopes are 1 or −1, and descent ends hopping to and fro.


# %%
@demo
def steps_shrink() -> Figure:
    """One learning rate: the nearer the bottom, the shorter the step"""
    path = descend(torch.tensor([4.0]), lambda w: 2 * w, lr=0.1, steps=12)
    figure, (left, right) = new_figure(1, 2)
    left.plot(w := torch.linspace(-4.2, 4.2, 100), w**2, color="0.7")
    left.plot(path, path**2, "o-", color=SCRATCH, markersize=5)
    left.set(title="the way down", xlabel="weight", ylabel="loss")
    right.bar(range(1, 13), path.diff(dim=0).abs()[:, 0].tolist(), color=SCRATCH)
    right.set(
        title="length of each step", xlabel="step", ylabel="how far the weight moved"
    )
    return figure


# %% [markdown]
# ## See it: how far to step
#
# A bowl with *curvature* $c$ has the loss $\tfrac{1}{2} c w^2$ and the slope $c w$: go one to the right, and
# the slope is larger by $c$. Ours has $c = 2$. One step is $w \leftarrow w - \eta\,c\,w = (1 - \eta c)\,w$.
#
# - $\eta c$ near 0: the factor is a little under 1, and $w$ hardly shrinks. *Too small.*
# - $\eta c = 1$: the factor is 0. One step, and we are there.
# - $\eta c$ from 1 to 2: the factor is negative. We overshoot to the other side, and still get closer.
# - $\eta c > 2$: the factor is below −1. We land *higher* on the other side. *Too large.*
#
# So the edge is exactly $\eta = 2/c$, here 1. One per cent less arrives, one per cent more flies off:
#
# ```python
# >>> for lr in (0.99, 1.0, 1.01):  # 500 steps from 1
# ...     print(f"{descend(torch.tensor([1.0]), lambda w: 2 * w, lr, steps=500)[-1].item():.0e}")
# 4e-05
# 1e+00
# 2e+04
# ```


# %%
@demo
def three_learning_rates() -> Figure:
    """Eight steps each: too small crawls, right arrives, too large climbs out"""
    figure, axes = new_figure(1, 3, width=3.4)
    for axis, lr, verdict in zip(
        axes, (0.01, 0.4, 1.05), ("too small", "right", "too large"), strict=True
    ):
        path = descend(torch.tensor([2.0]), lambda w: 2 * w, lr, steps=8)
        axis.plot(w := torch.linspace(-4.6, 4.6, 100), w**2, color="0.7")
        axis.plot(path, path**2, "o-", color=SCRATCH, markersize=5, linewidth=1)
        axis.plot(
            path[0], path[0] ** 2, "o", color=OTHER[3], markersize=8, label="start"
        )
        axis.set(
            title=f"learning rate {lr}: {verdict}",
            xlabel="weight",
            ylabel="loss",
            ylim=(-0.8, 21),
        )
    axes[0].legend(frameon=False, loc="upper center")
    return figure


# %% [markdown]
# A network's loss is steep along some weights and flat along others, and all share one learning rate. Take
# two weights with curvatures 1 and 10. The steep one flies off above 2/10 = 0.2, and there the flat one still
# keeps 1 − 0.2 · 1 = 0.8 of its distance with every step. The steepest direction sets the limit, the flattest
# pays for it. Lesson 12 shows ways out.


# %%
@demo
def two_curvatures() -> Figure:
    """A bowl with curvatures 1 and 10, twelve steps: the edge is 2/10"""
    a, b = torch.meshgrid(
        torch.linspace(-1.5, 4.5, 80), torch.linspace(-3.2, 3.2, 80), indexing="xy"
    )
    figure, axes = new_figure(1, 3, width=3.4)
    for axis, lr in zip(axes, (0.05, 0.19, 0.21), strict=True):
        path = descend(
            torch.tensor([4.0, 0.9]),
            lambda w: torch.tensor([1.0, 10.0]) * w,
            lr,
            steps=12,
        )
        axis.contour(
            a, b, (a**2 + 10 * b**2) / 2, levels=[0.5, 2, 5, 10, 20, 40], colors="0.8"
        )
        axis.plot(*path.T, "o-", color=SCRATCH, markersize=4, linewidth=1)
        axis.plot(0, 0, "+", color=OTHER[3], markersize=12, markeredgewidth=2)
        axis.set(
            title=f"learning rate {lr}",
            xlabel="flat weight (c = 1)",
            ylabel="steep weight (c = 10)",
        )
    return figure


# %% [markdown]
# ## See it: who gets the nudge
#
# In lesson 01 the slope of the loss along weight $i$ was $\frac{\partial L}{\partial total} \, x_i$. For one
# example the first factor is the same for all weights. So each weight is nudged in proportion to its input:
# an input that barely took part changes its weight little. One often reads that nudges follow a weight's
# contribution. More exactly, they follow the *input*: below, the second weight is 0 and contributed nothing,
# yet it is nudged as much as the first. With several examples, the nudges from all of them are added up.


# %%
@demo
def nudge_follows_input() -> Table:
    """One step of a neuron: divided by its input, every weight's update is the same"""
    neuron, x = Neuron(5, Sigmoid()), torch.tensor([[1.0, 1.0, 0.5, 0.01, 0.0]])
    before = torch.tensor([[0.3, 0.0, -2.0, 5.0, 1.0]])
    neuron.params["weight"] = before.clone()
    _, grads = loss_and_grads(neuron, MSELoss(), x, torch.ones(1, 1))
    SGD(neuron.params, lr=1.0).step(grads)
    update = neuron.params["weight"] - before
    columns = zip(x[0].tolist(), before[0].tolist(), update[0].tolist(), strict=True)
    rows = [(xi, wi, wi * xi, ui, ui / xi if xi else "—") for xi, wi, ui in columns]
    return Table(
        ("input", "weight", "weight · input", "update", "update / input"), rows
    )


# %% [markdown]
# ## See it: why not try every weight?
#
# A slope can be found without any rule: nudge one weight up, then down, and see what the loss does. That
# takes two forward passes for every weight. The network that reads digits at the end has 109,386 weights and
# biases: 218,772 forward passes for *one* step. By contrast, in a `Linear` layer `forward` is one matrix
# product and `backward` two of the same size. All slopes cost about as much as three forward passes.


# %%
def numerical_gradient(
    function: Callable[[Tensor], Tensor], x: Tensor, eps: float | None = None
) -> Tensor:
    """The slope of `function(x)`, a single number, along every element of `x`, by central differences.

    With e = `eps`: f(x ± e) = f ± e f′ + e²/2 f″ ± e³/6 f‴ …, so (f(x + e) − f(x − e)) / 2e = f′ + e²/6 f‴ …
    x: any shape, better in float64 → the same shape. Without `eps` it is 1e-6 in float64 and 5e-3 in float32,
    times |x| where that is above 1: a smaller one would be lost in rounding.
    """
    if not x.is_floating_point():
        raise TypeError(f"x holds {x.dtype}; expected floating-point numbers")
    grad = torch.zeros_like(x)
    usual = 1e-6 if x.dtype == torch.float64 else 5e-3
    for i, value in enumerate(x.flatten().tolist()):
        e = eps or usual * max(1.0, abs(value))
        up, down = x.clone(), x.clone()
        up.view(-1)[i] += e
        down.view(-1)[i] -= e
        grad.view(-1)[i] = (function(up) - function(down)) / (2 * e)
    return grad


def try_every_weight(
    model: Any, criterion: Any, x: Tensor, target: Tensor, eps: float = 1e-6
) -> tuple[dict[str, Tensor], int]:
    """The gradients of all `model.params` by trying, and how many forward passes that took."""
    passes = 0

    def loss_with(param: Tensor, value: Tensor) -> Tensor:
        nonlocal passes
        passes += 1
        param.copy_(value)
        return criterion.forward(model.forward(x), target)

    grads = {}
    for name, param in model.params.items():
        start = param.clone()
        grads[name] = numerical_gradient(partial(loss_with, param), start, eps)
        param.copy_(start)
    return grads, passes


@demo
def trying_gets_expensive() -> Figure:
    """Trying costs two forward passes per weight; the backward pass gives all slopes at once"""
    from torch.utils.benchmark import Timer

    with torch.random.fork_rng(devices=[]):
        jobs = [
            (Linear(n, 10), MSELoss(), torch.ones(1, n), torch.zeros(1, 10))
            for n in (1, 3, 9, 31, 99)
        ]
    weights = [sum(p.numel() for p in model.params.values()) for model, *_ in jobs]
    passes = [try_every_weight(*job)[1] for job in jobs]
    slow, fast = (
        [
            1000
            * Timer("run(*job)", globals={"run": run, "job": job}).timeit(times).median
            for job in jobs
        ]
        for run, times in ((try_every_weight, 1), (loss_and_grads, 100))
    )
    figure, (left, right) = new_figure(1, 2)
    for axis, trying, backward in ((left, passes, [1] * 5), (right, slow, fast)):
        axis.loglog(weights, trying, "o-", color=OTHER[1], label="trying every weight")
        axis.loglog(
            weights, backward, "o-", color=SCRATCH, label="forward and backward"
        )
    left.set(title="forward passes for one step", xlabel="weights and biases")
    left.legend(frameon=False, loc="upper left")
    right.set(
        title=f"milliseconds (at last {slow[-1] / fast[-1]:,.0f} to 1)",
        xlabel="weights and biases",
    )
    return figure


# %% [markdown]
# Trying is slow but needs no formula, so it cannot repeat a mistake in ours: the classic check of a hand-made
# gradient. How well do they agree? Two errors pull in opposite directions. A *large* nudge $e$ leaves the
# neighbourhood: the $e^2 f''' / 6$ of the docstring. With a *small* one $f$ hardly changes, and the
# difference of two nearly equal numbers loses digits: about $u f / e$, where $u$ is the rounding of one
# number. Together they make a V. If $f$ and $f'''$ are near 1, its bottom is at $e = \sqrt[3]{3u}$: 7e-6 in
# float64 (numbers with 16 digits), 6e-3 in float32 (7 digits). At our 1e-6 the two agree to better than 1e-9.


# %%
def error_of_trying(eps: float, dtype: torch.dtype = torch.float64) -> float:
    """The largest difference between trying and `backward`, over all weights of a small network."""
    with Case(dtype=dtype).defaults(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        model = Sequential(Linear(4, 5), Tanh(), Linear(5, 1))
        x, target = torch.randn(8, 4), torch.randn(8, 1)
        tried, _ = try_every_weight(model, MSELoss(), x, target, eps)
        _, grads = loss_and_grads(model, MSELoss(), x, target)
    return max((tried[name] - grads[name]).abs().max().item() for name in grads)


@demo
def the_best_nudge() -> Figure:
    """Too large a nudge is wrong, too small a nudge is lost in rounding"""
    figure, axis = new_figure(width=5.2)
    for dtype, color, smallest in (
        (torch.float32, OTHER[0], 12),
        (torch.float64, OTHER[1], 24),
    ):
        nudges = [10 ** (-k / 2) for k in range(smallest + 1)]
        errors = [error_of_trying(eps, dtype) for eps in nudges]
        axis.loglog(
            nudges,
            errors,
            "o-",
            color=color,
            markersize=4,
            label=str(dtype).removeprefix("torch."),
        )
    axis.axvline(1e-6, color="0.7", linewidth=1, label="our default")
    axis.set(
        title="trying against the backward pass",
        xlabel="nudge",
        ylabel="largest difference of a slope",
    )
    axis.legend(frameon=False, loc="lower left")
    return figure


# %% [markdown]
# ## What descent does not promise
#
# Feet feel only the ground they stand on. A **local minimum** is the bottom of a valley, perhaps with a
# deeper one behind the hill. A **saddle point** is a pass: level, but downhill to two sides. For one `Linear`
# layer with `MSELoss` every minimum is a lowest one. Networks give no such promise: small ones do have bad
# local minima (Safran and Shamir, 2018). From a random start, on a smooth loss and with small steps, descent
# almost surely does not end on a pass (Lee and others, 2016), but leaving one may take extremely long (Du and
# others, 2017). Why large networks so rarely get stuck in a bad place is only partly understood.
#
# Nor is a network's loss a bowl. Its curvature changes on the way: 2/c is only a guide for the next place.
# Cohen and others (2021) saw networks train *at* that edge for long, the loss falling in the long run only.
#
# ## They agree
#
# The optimiser for 1, 10 and 100 steps on the same gradients, and a regression with every loss. The numerical
# gradient is no pair: it cannot promise one part in a billion. The tests give it a bound of its own.


# %%
def _sgd_pair(lr: float) -> Pair:
    return optimizer_pair(
        f"sgd, lr {lr}", lambda p: SGD(p, lr), lambda p: torch.optim.SGD(p, lr)
    )


PAIRS = [
    *map(_sgd_pair, (0.001, 0.1, 2.5)),
    training_pair("regression", regression, regression_torch),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - `torch.optim.SGD` finds the slopes in `param.grad`, and `backward()` *adds* to them. Hence `zero_grad()`.
# - It skips a parameter without a gradient. Ours raises an error: a missing gradient is mostly a mistake.
# - `torch.autograd.gradcheck` is PyTorch's own check by trying, in float64 and with the same nudge of 1e-6.
#
# Next: how blame travels back through several layers. Lesson 12 adds what else `torch.optim` can do.
