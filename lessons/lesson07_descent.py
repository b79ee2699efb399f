# %% [markdown]
# # Lesson 07 · Gradient descent
#
# *Which way is down, and how far should each step go?*
#
# Needs: lessons 01, 03, 04, 05 · Time: 25 minutes

# %%
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.contracts import within
from curriculum.demo import demo
from curriculum.draw import DATA, GRADIENT, OTHER, SCRATCH, new_figure
from curriculum.drawings import curves, landscape
from curriculum.pair import Case, Pair, compare, optimizer_pair, training_pair
from curriculum.table import Table
from lessons.lesson01_neuron import Neuron, Sigmoid
from lessons.lesson03_activations import Tanh
from lessons.lesson04_layers import Linear, Sequential
from lessons.lesson05_losses import MSELoss

# %% [markdown]
# ## One weight, on paper
#
# A loss says how wrong a network is. Lesson 01 moved each weight once, against its
# slope, and the loss fell. Now we take many steps, and ask how far each should go.
#
# Begin with one weight and the loss $L = w^2$. Its slope at $w$ is $2w$. We stand at
# $w = 4$, where the slope is 8. A slope is not a distance. A number has to turn it into
# one: the *learning rate* $\eta$. With $\eta = 0.1$ the step is 0.8 long. It goes
# against the slope, from 4 to 3.2. This is *gradient descent*:
#
# $$w \leftarrow w - \eta \, \frac{\partial L}{\partial w}$$
#
# | $w$ | slope $2w$ | step $0.1 \cdot 2w$ |
# |---|---|---|
# | 4 | 8 | 0.8 |
# | 3.2 | 6.4 | 0.64 |
# | 2.56 | 5.12 | 0.512 |
#
# The learning rate stays at 0.1, and still the steps shrink, because the slope does.
# Each step leads from $w$ to $w - 0.1 \cdot 2w = 0.8\,w$. So each is 0.8 times as long
# as the one before.


# %% tags=["hide-input"]
@demo
def steps_shrink() -> Figure:
    """One learning rate: the nearer the lowest place, the shorter the step"""
    places = [4.0]
    for _ in range(12):
        places.append(places[-1] - 0.1 * 2 * places[-1])
    path = torch.tensor(places)
    figure, (left, right) = new_figure(1, 2)
    w = torch.linspace(-4.2, 4.2, 100)
    left.plot(w, w**2, color="0.7")
    left.plot(path, path**2, "o-", color=SCRATCH, markersize=4)
    look = {"color": SCRATCH, "markersize": 9}
    left.plot(path[0], path[0] ** 2, "o", markerfacecolor="none", **look)
    left.text(3.4, 16.2, "start", ha="right")
    arrow = {"arrowstyle": "-", "color": "0.5"}
    end = (path[-1].item(), path[-1].item() ** 2)
    place = {"ha": "center", "arrowprops": arrow}
    left.annotate("after 12 steps", xy=end, xytext=(-0.1, 5), **place)
    left.set(xlabel="weight w", ylabel="loss w²")
    lengths = path.diff().abs().tolist()
    right.bar(range(1, 13), lengths, color=SCRATCH)
    right.set(xlabel="step", ylabel="how far the weight moved")
    return figure


# %% [markdown]
# It is like walking downhill in fog: you feel how steep the ground is under your feet,
# and nothing else.
#
# The constant 0.8 belongs to this parabola. In $w^4$, from 1 and with the same rate,
# a step is 0.22, then 0.63, after 20 steps 0.94 times as long as the one before. In
# $|w|$ all slopes are 1 or −1: the steps never shrink, and descent ends hopping to and
# fro.
#
# <!-- piece: slope -->
#
# ## Many weights: which way is down?
#
# A network has many weights, and they all move at once. Two are enough to see how. We
# fit a line $y = wx + b$ to four points:
#
# | $x$ | −1 | 0 | 1 | 2 |
# |---|---|---|---|---|
# | target | −1 | 2 | 3 | 2 |
#
# We start at $w = 0$ and $b = 0$. All predictions $y$ are 0, and the errors $y - t$,
# with $t$ for the target, are 1, −2, −3 and −2. The loss is the mean squared error
# (lesson 05), (1 + 4 + 9 + 4) / 4 = 4.5. Its slopes, as in lesson 01:
#
# $$\frac{\partial L}{\partial w} = \tfrac{2}{4} \sum (y - t)\, x =
# \tfrac12 (-1 + 0 - 3 - 4) = -4 \qquad
# \frac{\partial L}{\partial b} = \tfrac{2}{4} \sum (y - t) = \tfrac12 (-6) = -3$$
#
# All slopes together are the *gradient*, here $g = (-4, -3)$. Move $w$ alone by a
# little $\Delta w$, and the loss changes by about $-4\,\Delta w$. Move $b$ alone, and
# it changes by about $-3\,\Delta b$. Move both, one after the other: the second still
# finds nearly the slope −3, because the first moved only a little. So the changes add
# up. For any number of weights:
#
# $$\Delta L \approx \sum_i g_i \, \Delta w_i$$
#
# Now let each weight move against its own slope, $\Delta w_i = -\eta\, g_i$:
#
# $$\Delta L \approx \sum_i g_i \cdot (-\eta\, g_i) = -\eta \sum_i g_i^2
# = -\eta \, \lVert g \rVert^2$$
#
# $\lVert g \rVert$ is the length of the gradient, the root of the sum of its squares.
# Squares are never negative. So the loss *falls*, with two weights or with millions, if
# the gradient is not zero and the step is small enough. Here
# $\lVert g \rVert^2 = 16 + 9 = 25$:
#
# | $\eta$ | step $(\Delta w, \Delta b)$ | predicted, $-25\,\eta$ | measured change |
# |---|---|---|---|
# | 0.001 | (0.004, 0.003) | −0.025 | −0.024955 |
# | 0.01 | (0.04, 0.03) | −0.25 | −0.2455 |
# | 0.1 | (0.4, 0.3) | −2.5 | −2.05 |
# | 1 | (4, 3) | −25 | +20 |
#
# The rule holds for small steps only.
#
# ### Is there a better direction?
#
# Compare steps of the same length, here 1, written as $d$. Along $w$ alone,
# $d = (1, 0)$, the rule gives −4. Along $b$ alone it gives −3. Along both equally,
# $d = (0.707, 0.707)$, it gives −4.95. Against the gradient,
# $d = -g / \lVert g \rVert = (0.8, 0.6)$, it gives −3.2 − 1.8 = −5. No direction does
# better, for any number of weights:
#
# $$0 \le \sum_i \Big(\frac{g_i}{\lVert g \rVert} + d_i\Big)^2 =
# 1 + \frac{2}{\lVert g \rVert} \sum_i g_i d_i + 1
# \qquad\text{so}\qquad \sum_i g_i d_i \ge -\lVert g \rVert$$
#
# They are equal only if every bracket is 0, so for $d = -g / \lVert g \rVert$. This is
# why it is called *steepest* descent.
#
# There are also directions in which $\sum g_i d_i = 0$: the loss stays as it is. Lines
# along which the loss stays the same are *contours*, as on a map. The gradient stands
# at right angles to them.


# %% tags=["hide-input"]
POINTS = ((-1, -1), (0, 2), (1, 3), (2, 2))  # x and target
PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # behind words on lines


def line_loss(w: Any, b: Any) -> Any:
    """The mean squared error of y = wx + b on the four points. Numbers, or grids."""
    return sum((w * x + b - target) ** 2 for x, target in POINTS) / len(POINTS)


@demo
def which_way_is_steepest() -> Figure:
    """Steps of length 0.1 in all directions: straight against g the loss falls most"""
    figure, (left, right) = new_figure(1, 2, width=4.6, height=3.8)
    levels = (1.1, 1.5, 2, 3, 4.5, 6.5, 9, 12)
    landscape(left, line_loss, {"start": [[0, 0]]}, levels, (-1.2, 2.2, -1.2, 2.2))
    left.get_legend().remove()
    for line in left.lines:
        line.set_color(DATA)
    arrows = (((0.8, 0.6), SCRATCH, "−g"), ((-0.8, -0.6), GRADIENT, "g"))
    sideways = (((-0.6, 0.8), DATA, "0"), ((0.6, -0.8), DATA, "0"))
    for (east, north), color, name in arrows + sideways:
        look = {"arrowstyle": "-|>", "color": color, "linewidth": 2}
        left.annotate("", xy=(east, north), xytext=(0, 0), arrowprops=look)
        spot = (1.2 * east, 1.2 * north)
        left.text(*spot, name, ha="center", va="center", bbox=PAPER)
    left.plot(1, 1, "+", color=DATA, markersize=9)
    left.text(1.1, 1.1, "lowest: 1", bbox=PAPER)
    left.set(xlabel="slope of the line w", ylabel="height b", aspect="equal")
    angles = torch.linspace(-180, 180, 73)
    turned = math.atan2(3, 4) + torch.deg2rad(angles)
    measured = line_loss(0.1 * turned.cos(), 0.1 * turned.sin()) - 4.5
    series = {
        "predicted, Σ gᵢ Δwᵢ": (angles, -0.5 * torch.deg2rad(angles).cos()),
        "measured": (angles, measured),
    }
    colors = {"predicted, Σ gᵢ Δwᵢ": GRADIENT, "measured": SCRATCH}
    across = "angle between the step and −g, in degrees"
    curves(right, series, across, "change of the loss", colors)
    right.axhline(0, color="0.7", linewidth=1, zorder=0)
    right.set(xticks=(-180, -90, 0, 90, 180))
    return figure


# %% [markdown]
# Left are the contours of the loss. The arrows marked 0 go along the contour. Right:
# the change is smallest, −0.5, at the angle 0, about none at ±90°, and +0.5 uphill.
#
# <details><summary>What do you expect? Do steps against the gradient lead straight to
# the lowest place, (1, 1)?</summary>
#
# No. At (0, 0) the best way to (1, 1) would be the direction (1, 1), and −g is (4, 3).
# Steepest means steepest *here*. After each step the gradient is another, so the way
# bends.
#
# </details>
#
# ## From scratch
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $w$ | `params` | any | what may move: weights and biases |
# | $g$, $\partial L / \partial w$ | `grads` | that of $w$ | slopes of the loss |
# | $\eta$ | `lr` | one number | the learning rate |


# %%
class SGD:
    """Gradient descent. `params`: tensors by name, changed in place.

    The S is for *stochastic*, by chance: lesson 11's steps see random examples.
    """

    def __init__(self, params: dict[str, Tensor], lr: float) -> None:
        within("lr", lr)  # an error if it is negative
        self.params = params
        self.lr = lr

    def step(self, grads: dict[str, Tensor]) -> None:
        """param ← param − lr · grad. `grads`: the names and shapes of `params`."""
        for name, param in self.params.items():
            param.add_(grads[name], alpha=-self.lr)  # the _ says: in place


def loss_and_grads(
    model: Any, criterion: Any, x: Tensor, target: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """One forward pass through the model and its loss, and one backward pass.

    `criterion`: a loss with `forward` and `backward`; so PyTorch's users call it.
    """
    loss = criterion.forward(model.forward(x), target)
    model.backward(criterion.backward())
    return loss, model.grads


def fit_line(
    lr: float, steps: int, criterion: Any = None
) -> tuple[list[float], Tensor]:
    """A neuron without a curve learns the four points.

    Returns every loss, and every (w, b) that had it, (steps, 2), the start first.
    """
    x, target = torch.tensor(POINTS, dtype=torch.get_default_dtype()).split(1, dim=1)
    line = Neuron(1)  # it starts with weight 0 and bias 0
    optimizer = SGD(line.params, lr)
    losses = []
    path = []
    for _ in range(steps):
        path.append(torch.cat([param.flatten() for param in line.params.values()]))
        loss, grads = loss_and_grads(line, criterion or MSELoss(), x, target)
        losses.append(loss.item())
        optimizer.step(grads)
    return losses, torch.stack(path)


# %% [markdown]
# The first steps, as on paper:
#
# ```python
# >>> losses, path = fit_line(lr=0.1, steps=3)
# >>> path
# tensor([[0.0000, 0.0000],
#         [0.4000, 0.3000],
#         [0.6500, 0.5000]])
# >>> [round(loss, 3) for loss in losses]
# [4.5, 2.45, 1.609]
#
# ```
#
# ## The same with PyTorch
#
# `torch.optim.SGD` takes the step. `loss.backward()` leaves the slopes in `param.grad`,
# and adds them to what is there; so `zero_grad` clears that first. `detach` gives the
# numbers without what autograd wrote down about them.


# %%
def fit_line_torch(lr: float, steps: int) -> tuple[list[float], Tensor]:
    """The same with `nn.Linear`, `nn.MSELoss` and `torch.optim.SGD`."""
    x, target = torch.tensor(POINTS, dtype=torch.get_default_dtype()).split(1, dim=1)
    line = nn.Linear(1, 1)
    nn.init.zeros_(line.weight)
    nn.init.zeros_(line.bias)
    optimizer = torch.optim.SGD(line.parameters(), lr)
    losses = []
    path = []
    for _ in range(steps):
        path.append(nn.utils.parameters_to_vector(line.parameters()).detach().clone())
        loss = nn.MSELoss()(line(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, torch.stack(path)


# %% [markdown]
# ## See it: a line finds its points


# %% tags=["hide-input"]
@demo
def a_line_finds_its_points() -> Figure:
    """Left the line after 0, 1, 3 and 50 steps, right the same places on its way"""
    losses, path = fit_line(lr=0.1, steps=51)
    figure, (left, right) = new_figure(1, 2, width=4.8, height=4.2)
    ends = torch.tensor([-1.4, 2.4])
    shown = {0: "0.75", 1: "0.6", 3: "0.4", 50: SCRATCH}
    for step, color in shown.items():
        w, b = path[step]
        name = f"after {step} steps: loss {losses[step]:.2f}".replace(
            "1 steps", "1 step"
        )
        width = 2.5 if step == 50 else 1.5
        left.plot(ends, w * ends + b, color=color, linewidth=width, label=name)
    left.plot(*zip(*POINTS, strict=True), "o", color=DATA, label="points")
    left.legend(frameon=False, loc="upper left", fontsize=9)
    left.set(xlabel="x", ylabel="y", ylim=(-1.6, 6))
    levels = (1.05, 1.25, 1.61, 2.45, 3.5, 4.5, 6, 8, 10)
    landscape(right, line_loss, {"descent": path}, levels, (-0.4, 2.0, -0.4, 2.0))
    for line in right.lines:
        line.set_color(SCRATCH)
    right.get_legend().remove()
    for step in (0, 1, 3, 50):
        w, b = path[step].tolist()
        right.text(w + 0.06, b - 0.09, str(step), color=SCRATCH)
    right.set(xlabel="slope of the line w", ylabel="height b", aspect="equal")
    right.set_title("ring: start, dot: end, grey: equal loss", fontsize=10)
    return figure


# %% [markdown]
# Every point on the right *is* a line on the left. The first step is the longest, and
# leaves its contour at a right angle. The way bends towards (1, 1), where the line is
# $y = x + 1$ and the loss is 1. It stays 1: no line passes through all four points. So
# the lowest loss need not be 0. What is 0 there is the gradient.
#
# ## How far to step
#
# Back to one weight. A parabola with the loss $\tfrac12 c w^2$ has the slope $cw$: go
# one to the right, and the slope has grown by $c$. This is the *curvature*; $w^2$ has
# $c = 2$. One step:
#
# $$w \leftarrow w - \eta\, c\, w = (1 - \eta c)\, w$$
#
# Everything hangs on the factor $1 - \eta c$:
#
# - $\eta c$ near 0: the factor is just under 1, and $w$ hardly shrinks. *Too small.*
# - $\eta c = 1$: the factor is 0. One step, and we are there.
# - $1 < \eta c < 2$: it is negative. We *overshoot* to the other side, and come closer.
# - $\eta c > 2$: it is below −1. We land further out, on the other side. *Too large:*
#   descent *diverges*.


# %% tags=["hide-input"]
def descend(
    start: Tensor, slope: Callable[[Tensor], Tensor], lr: float, steps: int
) -> Tensor:
    """Every place on the way from `start` (n,), itself included: (steps + 1, n)."""
    w = start.clone()
    optimizer = SGD({"w": w}, lr)
    path = [start]
    for _ in range(steps):
        optimizer.step({"w": slope(w)})
        path.append(w.clone())
    return torch.stack(path)


def parabola_slope(w: Tensor) -> Tensor:
    """The slope of w², element by element. Any shape."""
    return 2 * w


RATES = {0.05: "too small", 0.4: "right", 0.9: "overshoots, arrives", 1.05: "too large"}


@demo
def four_learning_rates() -> Figure:
    """The loss w², so c = 2: eight steps at rates on both sides of the edge"""
    figure, axes = new_figure(1, 4, width=2.9)
    w = torch.linspace(-4.6, 4.6, 100)
    for axis, (lr, verdict) in zip(axes, RATES.items(), strict=True):
        path = descend(torch.tensor([2.0]), parabola_slope, lr, steps=8)
        axis.plot(w, w**2, color="0.7")
        look = {"color": SCRATCH, "linewidth": 1}
        axis.plot(path, path**2, "o-", markersize=4, **look)
        axis.plot(path[0], path[0] ** 2, "o", mfc="none", markersize=9, **look)
        axis.text(2.5, 3.2, "start")
        axis.set(title=f"η = {lr}, ηc = {2 * lr:g}\n{verdict}", ylim=(-0.8, 21))
        axis.set(xlabel="weight w", ylabel="loss w²")
        axis.label_outer()
    return figure


# %% [markdown]
# So the edge is at $\eta = 2/c$ exactly. What about the line, with two parameters? Walk
# from its lowest place in a direction $(d_1, d_2)$ of length 1: again the loss is a
# parabola. From the four points, its curvature is $3 d_1^2 + 2 d_1 d_2 + 2 d_2^2$. It
# is 3 along $w$ and 2 along $b$; of all directions the steepest has 3.618 and the
# flattest 1.382. (In the field: the largest and smallest *eigenvalue* of the *Hessian*,
# the table of all second derivatives.) The steepest sets the edge: 2/3.618 = 0.5528.
#
# <details><summary>What do you expect? The loss after 500 steps, one per cent below the
# edge and one per cent above?</summary>
#
# The factors are −0.98 and −1.02. The distance is multiplied by $0.98^{500}$ = 0.00004
# or $1.02^{500}$ = 20,000, and the loss above its lowest value by the squares of that.
#
# ```python
# >>> [f"{fit_line(share * 0.55279, 501)[0][-1]:.2g}" for share in (0.99, 1.01)]
# ['1', '1.4e+09']
#
# ```
#
# </details>


# %% tags=["hide-input"]
@demo
def the_edge_measured() -> Figure:
    """The line's loss above its lowest: below the edge it falls, beyond it grows"""
    figure, axis = new_figure(width=6.4, height=3.6)
    rates = [0.5 + 0.0025 * i for i in range(41)]
    series = {}
    for steps in (10, 40, 160):
        with Case().defaults():  # float64
            above = [fit_line(lr, steps + 1)[0][-1] - 1 for lr in rates]
        series[f"{steps} steps"] = (rates, above)
    shades = ("#e8a3ac", "#dc747f", SCRATCH)
    colors = dict(zip(series, shades, strict=True))
    curves(axis, series, "learning rate η", "loss − 1", colors)
    axis.axvline(2 / 3.618, color="0.5", linewidth=1)
    axis.axhline(3.5, color="0.5", linewidth=1, linestyle=":")
    axis.text(0.554, 1e-7, "edge: 2 / 3.618")
    axis.text(0.598, 1.3, "at the start", va="top", ha="right")
    axis.set(yscale="log", ylim=(1e-8, 1e10))
    return figure


# %% [markdown]
# To the left of the edge more steps bring the loss further down, to the right further
# up. At the edge the steep direction hops to and fro for ever.
#
# A real loss is steep along some directions and flat along others, and all share one
# learning rate. With curvatures 1 and 10 the edge is 2/10 = 0.2, and there the flat
# direction still keeps 1 − 0.2 · 1 = 0.8 of its distance with every step. The steepest
# direction sets the limit, and the flattest pays for it. Lesson 12 shows ways out.


# %% tags=["hide-input"]
def two_parabolas(flat: Any, steep: Any) -> Any:
    """A loss with the curvatures 1 and 10."""
    return (flat**2 + 10 * steep**2) / 2


def two_slopes(w: Tensor) -> Tensor:
    """Its slopes: (2,) → (2,)."""
    return torch.tensor([1.0, 10.0]) * w


@demo
def two_curvatures() -> Figure:
    """Curvatures 1 and 10, twelve steps: careful, close to the edge of 0.2, beyond"""
    figure, axes = new_figure(1, 3, width=3.4)
    for axis, lr in zip(axes, (0.05, 0.19, 0.21), strict=True):
        path = descend(torch.tensor([4.0, 0.9]), two_slopes, lr, steps=12)
        levels = (0.5, 2, 5, 10, 20, 40)
        landscape(
            axis, two_parabolas, {"descent": path}, levels, (-1.5, 4.7, -3.2, 3.2)
        )
        for line in axis.lines:
            line.set_color(SCRATCH)
        axis.plot(0, 0, "+", color=DATA, markersize=10, markeredgewidth=2)
        axis.set(xlabel="flat weight (c = 1)", ylabel="steep weight (c = 10)")
        axis.set_title(f"η = {lr}")
        axis.get_legend().remove()
    return figure


# %% [markdown]
# ## See it: who gets the nudge
#
# For one example the slope along weight $i$ is $\frac{\partial L}{\partial z}\, x_i$
# (lesson 01), and the first factor is the same for all weights of a neuron. So each is
# nudged in proportion to its *input*: an input that barely took part changes its weight
# little. It is not the contribution $w_i x_i$ that counts. Below, the second weight is
# 0 and contributed nothing, yet it is nudged as much as the first. Over several
# examples the nudges add up.


# %% tags=["hide-input"]
@demo
def nudge_follows_input() -> Table:
    """One step of a neuron: divided by its input, every weight's update is the same"""
    neuron = Neuron(5, Sigmoid())
    x = torch.tensor([[1.0, 1.0, 0.5, 0.01, 0.0]])
    before = torch.tensor([[0.3, 0.0, -2.0, 5.0, 1.0]])
    neuron.params["weight"] = before.clone()
    _, grads = loss_and_grads(neuron, MSELoss(), x, torch.ones(1, 1))
    SGD(neuron.params, lr=1.0).step(grads)
    update = neuron.params["weight"] - before
    columns = zip(x[0].tolist(), before[0].tolist(), update[0].tolist(), strict=True)
    rows = [(xi, wi, wi * xi, ui, ui / xi if xi else "—") for xi, wi, ui in columns]
    names = ("input", "weight", "weight · input", "update", "update / input")
    return Table(names, rows)


# %% [markdown]
# ## Why not try every weight?
#
# A slope can be found without any rule, as in lesson 00: nudge a weight up by $e$, then
# down, and see how far the loss moves between the two. That is a *central difference*.


# %%
def numerical_gradient(
    function: Callable[[Tensor], Tensor], x: Tensor, eps: float | None = None
) -> Tensor:
    """Slopes of `function(x)`, one number: (f(x + e) − f(x − e)) / 2e by elements.

    x: any shape, floating point. `eps`: the nudge e; without it 1e-6 in float64 and
    5e-3 in float32, times |x| where that is above 1.
    """
    if not x.is_floating_point():
        raise TypeError(f"x holds {x.dtype}; expected floating-point numbers")
    grad = torch.zeros_like(x)
    usual = 1e-6 if x.dtype == torch.float64 else 5e-3
    for i, value in enumerate(x.flatten().tolist()):
        e = eps or usual * max(1.0, abs(value))
        up = x.clone()
        down = x.clone()
        up.view(-1)[i] += e
        down.view(-1)[i] -= e
        grad.view(-1)[i] = (function(up) - function(down)) / (2 * e)
    return grad


# %% [markdown]
# It takes two forward passes for each weight. The network that reads digits has 109,386
# weights and biases: 218,772 forward passes for *one* step. `backward` finds all slopes
# in one pass. In a `Linear` layer `forward` is one matrix product and `backward` two of
# the same size, so all slopes cost about as much as two forward passes more.


# %% tags=["hide-input"]
def try_every_weight(
    model: Any, criterion: Any, x: Tensor, target: Tensor, eps: float = 1e-6
) -> tuple[dict[str, Tensor], int]:
    """The gradients of all `model.params` by trying, and the forward passes it took."""
    passes = []

    def loss_with(param: Tensor, value: Tensor) -> Tensor:
        passes.append(1)
        param.copy_(value)
        return criterion.forward(model.forward(x), target)

    grads = {}
    for name, param in model.params.items():
        start = param.clone()
        grads[name] = numerical_gradient(partial(loss_with, param), start, eps)
        param.copy_(start)
    return grads, len(passes)


def milliseconds(run: Any, jobs: Sequence[Any], times: int) -> list[float]:
    """How long `run(*job)` takes, for each job."""
    from torch.utils.benchmark import Timer

    found = []
    for job in jobs:
        timer = Timer("run(*job)", globals={"run": run, "job": job})
        found.append(1000 * timer.timeit(times).median)
    return found


@demo
def trying_gets_expensive() -> Figure:
    """Trying costs two forward passes a weight; one backward pass gives all slopes"""
    with torch.random.fork_rng(devices=[]):
        jobs = []
        for n in (1, 3, 9, 31, 99):
            job = (Linear(n, 10), MSELoss(), torch.ones(1, n), torch.zeros(1, 10))
            jobs.append(job)
    weights = [sum(p.numel() for p in job[0].params.values()) for job in jobs]
    passes = [try_every_weight(*job)[1] for job in jobs]
    slow = milliseconds(try_every_weight, jobs, 1)
    fast = milliseconds(loss_and_grads, jobs, 100)
    figure, (left, right) = new_figure(1, 2)
    for axis, trying, backward in ((left, passes, [1] * 5), (right, slow, fast)):
        axis.loglog(weights, trying, "o--", color=OTHER[1], label="trying every weight")
        axis.loglog(weights, backward, "o-", color=SCRATCH, label="forward, backward")
        axis.set_xlabel("weights and biases")
    left.set_ylabel("forward passes for one step")
    left.legend(frameon=False, loc="upper left")
    ratio = f"{slow[-1] / fast[-1]:,.0f}"
    right.set(ylabel="milliseconds", title=f"at the right end {ratio} to 1")
    return figure


# %% [markdown]
# Trying is slow, but it uses none of our formulas. So it finds mistakes in them. To
# hold a `backward` against it is a *gradient check*. How close should the two be? Take
# $f = w^3$ at 1, where the slope is 3:
#
# $$\frac{1.1^3 - 0.9^3}{0.2} = 3.01 \qquad \frac{1.01^3 - 0.99^3}{0.02} = 3.0001$$
#
# The error is $e^2$: a smaller nudge is better. But not for ever. A computer keeps 16
# digits (float64). With $e = 10^{-12}$ the two cubes differ in the last four of them
# only, and the slope is good to about four digits. Between the two lies a best nudge,
# near $10^{-5}$. At our $10^{-6}$ a small network's slopes agree within $10^{-8}$.


# %% tags=["hide-input"]
def error_of_trying(eps: float, dtype: torch.dtype = torch.float64) -> float:
    """Trying against `backward`: the largest difference in a small network's slopes."""
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
    figure, axis = new_figure(width=6.0, height=3.6)
    kinds = (
        (torch.float32, OTHER[1], "o--", "float32, 7 digits", 12),
        (torch.float64, SCRATCH, "o-", "float64, 16 digits", 24),
    )
    for dtype, color, style, name, smallest in kinds:
        nudges = [10 ** (-k / 2) for k in range(smallest + 1)]
        errors = [error_of_trying(eps, dtype) for eps in nudges]
        axis.loglog(nudges, errors, style, color=color, markersize=4, label=name)
    axis.axvline(1e-6, color="0.6", linewidth=1, label="our nudge in float64")
    axis.set(xlabel="nudge e", ylabel="largest difference of a slope")
    axis.legend(frameon=False, loc="lower left")
    return figure


# %% [markdown]
# ## See it: a mistake that still learns
#
# Suppose our `MSELoss.backward` had forgotten the 2 of $2\,(y - t)$.


# %% tags=["hide-input"]
def without_two() -> Any:
    """An `MSELoss` that is wrong on purpose: half the slope."""
    criterion: Any = MSELoss()
    right = criterion.backward

    def half() -> Tensor:
        return right() / 2

    criterion.backward = half
    return criterion


def line_pair(criterion: Any = None) -> Pair:
    """The line on paper: 50 losses and places."""

    def scratch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
        losses, path = fit_line(0.1, 50, criterion)
        return losses, {"path": path}

    def reference(case: Case) -> tuple[list[float], dict[str, Tensor]]:
        losses, path = fit_line_torch(0.1, 50)
        return losses, {"path": path}

    return training_pair("line on paper", scratch, reference)


@demo
def a_forgotten_two() -> Table:
    """The line's loss falls all the same; trying and PyTorch see the mistake"""
    rows = []
    x, target = torch.tensor(POINTS, dtype=torch.float64).split(1, dim=1)
    for criterion, name in ((MSELoss(), "right"), (without_two(), "2 forgotten")):
        losses, _ = fit_line(0.1, 51, criterion)
        with Case().defaults():
            line = Neuron(1)
            tried, _ = try_every_weight(line, criterion, x, target)
            _, grads = loss_and_grads(line, criterion, x, target)
        ratio = (tried["weight"] / grads["weight"]).item()
        wrong = [d.name for d in compare(line_pair(criterion)) if d.problem]
        first = wrong[0] if wrong else "none"
        rows.append((name, losses[0], losses[-1], f"{ratio:.4f}", first))
    names = ("", "loss at the start", "after 50 steps", "tried ÷ backward")
    return Table((*names, "first that differs from PyTorch"), rows)


# %% [markdown]
# With half the slope it walks in the same directions, half as far, and the loss comes
# down to 1.00. The curve would not have told. The check does, before any training.
#
# ## What descent does not promise
#
# It feels only the ground where it stands. A **local minimum** is lower than all places
# near it, but perhaps not the lowest. A **saddle point** is level, yet falls to two
# sides, like a pass between two hills. For one `Linear` layer with `MSELoss` every
# minimum is a lowest one. Networks promise less: even two-layer ones with ReLU have bad
# local minima (Safran & Shamir, arXiv:1712.08968).
#
# Nor is a network's loss a parabola. Its curvature changes on the way, so 2/c is only a
# guide to the next step. Cohen et al. (arXiv:2103.00065) saw networks, trained on all
# examples at once, work *at* that edge for long: the loss went up and down from step
# to step, and fell in the long run.
#
# <details><summary>More: does it get stuck on saddles?</summary>
#
# Call a saddle *strict* if the loss curves downwards in some direction. On a smooth
# loss, with a small enough rate, descent from a random start almost surely does not end
# on a strict saddle (Lee et al., arXiv:1602.04915). It may take extremely long to leave
# one (Du et al., arXiv:1705.10412). A level place that is *not* strict can hold it: on
# $w^3$, which falls without end below 0, descent from 1 stops at 0.
#
# ```python
# >>> round(descend(torch.tensor([1.0]), lambda w: 3 * w**2, 0.1, 10_000)[-1].item(), 3)
# 0.0
#
# ```
#
# </details>
#
# ## They agree
#
# `SGD` for 1, 10 and 100 steps on the same gradients; the line, place by place;
# a larger layer, loss by loss. `curriculum compare 7` shows every number. Trying is no
# pair: it cannot be as exact. The tests give it a bound of its own.


# %% tags=["hide-input"]
def regression(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """A layer learns 20 examples in 100 steps: the losses, the trained parameters."""
    model = Linear(case.n_in, case.n_out)
    for name, param in model.params.items():
        param.copy_(case.tensor(name, *param.shape))
    optimizer = SGD(model.params, lr=0.02)
    x, target = case.tensor("x", 20, case.n_in), case.tensor("target", 20, case.n_out)
    losses = []
    for _ in range(100):
        loss, grads = loss_and_grads(model, MSELoss(), x, target)
        optimizer.step(grads)
        losses.append(loss.item())
    return losses, model.params


def regression_torch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """The same with `nn.Linear`, `nn.MSELoss` and `torch.optim.SGD`."""
    model = nn.Linear(case.n_in, case.n_out)
    start = {n: case.tensor(n, *p.shape) for n, p in model.named_parameters()}
    model.load_state_dict(start)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    x, target = case.tensor("x", 20, case.n_in), case.tensor("target", 20, case.n_out)
    losses = []
    for _ in range(100):
        loss = nn.MSELoss()(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, dict(model.named_parameters())


def _sgd_pair(lr: float) -> Pair:
    def scratch(params: dict[str, Tensor]) -> SGD:
        return SGD(params, lr)

    def reference(params: list[nn.Parameter]) -> torch.optim.SGD:
        return torch.optim.SGD(params, lr)

    return optimizer_pair(f"sgd, lr {lr}", scratch, reference)


PAIRS = [
    *map(_sgd_pair, (0.001, 0.1, 2.5)),
    line_pair(),
    training_pair("regression", regression, regression_torch),
]

# %% [markdown]
# <details><summary>More: what the rule leaves out</summary>
#
# *Taylor's theorem* says how far $\sum g_i \Delta w_i$ is off. For the line, exactly:
#
# $$\Delta L = -25\,\eta + 45\,\eta^2$$
#
# The second term grows with the square of the step: that is the curvature, half of it
# times the squared length of the step. A tenth of the rate leaves a hundredth of the
# gap, as in the table. The loss falls while $45 \eta^2 < 25 \eta$, so for this first
# step up to $\eta = 0.556$.
#
# For central differences, add and subtract two such series:
#
# $$f(w \pm e) = f \pm e f' + \tfrac{e^2}{2} f'' \pm \tfrac{e^3}{6} f''' + \dots
# \qquad\Rightarrow\qquad
# \frac{f(w + e) - f(w - e)}{2e} = f' + \tfrac{e^2}{6} f''' + \dots$$
#
# For $w^3$ the third derivative is 6, and the error $e^2$, as above. A parabola has no
# error: there the nudge may be as large as you like. Rounding adds about $u f / e$,
# where $u$ is half the gap between neighbouring numbers near 1: $2^{-53}$ in float64.
# If $f$ and $f'''$ are near 1, the sum $e^2/6 + u/e$ is smallest where its slope
# $e/3 - u/e^2$ is 0, so at $e = \sqrt[3]{3u}$: 7e-6 in float64 and 6e-3 in float32.
#
# </details>
#
# <details><summary>More: steepest for whom?</summary>
#
# We compared steps of the same length, and length was the root of the sum of squares.
# Measure it otherwise, and another direction is steepest. Allow each weight to move by
# at most $r$, and the best step is $\Delta w_i = -r$ or $+r$, by the sign of the slope:
# $\sum g_i \Delta w_i = -r \sum |g_i|$. Nothing but habit and convenience says which
# length is the right one for a network. Some optimisers choose others; lesson 12 has
# two, Adam and Muon.
#
# </details>
#
# ## Where PyTorch differs
#
# - `torch.optim.SGD` finds the slopes in `param.grad`, and `backward()` *adds* to them.
#   Hence `zero_grad()`.
# - It skips a parameter without a gradient. Ours raises an error: a missing gradient is
#   mostly a mistake.
# - `torch.autograd.gradcheck` is PyTorch's own gradient check, in float64 and with the
#   same nudge of 1e-6.
#
# ## You can now
#
# - say how far a small step moves the loss, for any number of weights, and why the way
#   against the gradient is the steepest;
# - tell from a curvature which learning rates arrive, overshoot and diverge;
# - check any `backward` by trying.
#
# Exercises: `curriculum start 07a` (steps that are never too long) and
# `curriculum start 07b` (a gradient check with a bug); `curriculum check 07a` says how
# far you are.
#
# Next: how the slopes of *all* layers are found in one pass. Lesson 08.
