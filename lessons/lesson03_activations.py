# %% [markdown]
# # Lesson 03 · Activation functions
#
# *What does the curve behind the sum do, and why does a network need one?*
#
# Needs: lessons 00, 01, 02 · Time: 20 minutes

# %%
import math
from functools import cache
from typing import Any, Literal

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.demo import demo
from curriculum.draw import DATA, NEGATIVE, OTHER, POSITIVE, new_figure
from curriculum.drawings import curves
from curriculum.pair import Case, Pair, compare, function_pair, layer_pair
from curriculum.table import Table
from lessons.lesson01_neuron import Sigmoid
from lessons.lesson02_circuits import Step

# %% [markdown]
# ## On paper: a stack of lines is a line
#
# A neuron without a curve, with one input, draws a straight line. Let one be
# $h = 2x + 1$. A second one hears it: $y = 3h - 4$. Together:
#
# $$y = 3 (2x + 1) - 4 = 6x - 1$$
#
# A line again. One neuron with the weight 6 and the bias −1 does the work of both. What
# if more neurons stand side by side? Take three, $h_1 = x$, $h_2 = x - 1$ and
# $h_3 = x - 2$, and one that hears them all: $y = h_1 - 2 h_2 + h_3$.
#
# <details><summary>What do you expect of y at x = 0, 1 and 2?</summary>
#
# It is 0 everywhere: $x - 2 (x - 1) + (x - 2) = 0$. Three neurons, and their sum is the
# flattest line there is.
#
# </details>
#
# Now bend each of the three. *ReLU*, the rectified linear unit, keeps what is above 0
# and makes 0 of the rest: $\max(0, x)$. The weights stay as they are.
#
# | x | ReLU(x) | −2 · ReLU(x − 1) | ReLU(x − 2) | y |
# |---|---|---|---|---|
# | 0 | 0 | 0 | 0 | 0 |
# | 1 | 1 | 0 | 0 | **1** |
# | 1.5 | 1.5 | −1 | 0 | **0.5** |
# | 2 | 2 | −2 | 0 | 0 |
# | 3 | 3 | −4 | 1 | 0 |
#
# A hat: up from 0 to 1, down again, and flat for ever. Walk along it from the left.
# Nothing happens until the first neuron wakes at 0: from there the slope is 1. At 1 the
# second wakes and changes the slope by −2, to −1. At 2 the third changes it by +1, back
# to 0.
#
# That is all a hidden ReLU does to a line: **it waits until its sum is above 0, and
# from there on it changes the slope.** The place is its *kink*. Bias and weight say
# where: at $x = -b / w$. The next layer's weight, times $|w|$, says by how much. (With
# a negative $w$ it is awake on the left, and falls silent at its kink.)


# %%
Layers = list[tuple[Tensor, Tensor]]  # weight (n_out, n_in) and bias (n_out,) of each


def run_stack(x: Tensor, layers: Layers, activation: Any = None) -> Tensor:
    """Through all layers, with the activation between any two. x: (batch, n_in)."""
    for index, (weight, bias) in enumerate(layers):
        if activation is not None and index > 0:
            x = activation.forward(x)
        x = x @ weight.T + bias  # (batch, n_in) @ (n_in, n_out) → (batch, n_out)
    return x


class Activation:
    """A layer without weights. Input and output have the same shape."""

    def __init__(self) -> None:
        self.params: dict[str, Tensor] = {}
        self.grads: dict[str, Tensor] = {}


class ReLU(Activation):
    """Rectified linear unit: y = max(0, x). x: any shape."""

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return x.clamp(min=0)

    def backward(self, grad_y: Tensor) -> Tensor:
        """∂y/∂x = 1 where x > 0, else 0. At the kink PyTorch says 0, and so do we."""
        return grad_y * (self.x > 0)


# %% tags=["hide-input"]
def hat() -> Layers:
    """The hat on paper: three hidden neurons and one output."""
    hidden = (torch.ones(3, 1), torch.tensor([0.0, -1.0, -2.0]))
    return [hidden, (torch.tensor([[1.0, -2.0, 1.0]]), torch.zeros(1))]


@demo
def three_lines_and_three_bends() -> Figure:
    """The same weights: three lines add up to a flat one, three bent ones to a hat"""
    figure, axes = new_figure(1, 2, width=4.4, height=3.6)
    x = torch.linspace(-1, 3.5, 451)[:, None]
    (weight, bias), (out, _) = hat()
    sums = x @ weight.T + bias  # (451, 1) @ (1, 3) → (451, 3)
    for axis, activation in zip(axes, (None, ReLU()), strict=True):
        h = sums if activation is None else activation.forward(sums)
        parts = h * out  # (451, 3), each column times its weight
        for i, (name, style) in enumerate((("h₁", "--"), ("−2 h₂", ":"), ("h₃", "-."))):
            color = POSITIVE if out[0, i] > 0 else NEGATIVE
            axis.plot(x, parts[:, i], style, color=color, label=name)
        axis.plot(x, run_stack(x, hat(), activation), color=DATA, lw=3, label="sum y")
        axis.set(xlabel="x", ylim=(-4.5, 4.5), xticks=range(-1, 4))
        axis.axhline(0, color="0.85", linewidth=1, zorder=0)
    axes[0].set_title("no curve: straight + straight = straight")
    axes[1].set_title("ReLU: kinks at 0, 1 and 2")
    axes[0].set_ylabel("what each neuron adds")
    axes[1].legend(frameon=False, loc="upper left")
    return figure


# %% [markdown]
# Try it: move the kinks, and change the slopes.
#
# <!-- piece: bend -->
#
# ## Any curve, in small straight pieces
#
# So we can draw any bent line we like. Say it shall go through the points (0, 1),
# (1, 3) and (2, 2). The pieces have the slopes 2 and −1. So the slope has to change by
# 2 at 0, and by −3 at 1; the bias of the output is the height at the start:
#
# $$y = 1 + 2\,\mathrm{ReLU}(x) - 3\,\mathrm{ReLU}(x - 1)$$
#
# At 2 that is 1 + 4 − 3 = 2, as it should be. Nothing has to be learned, only
# subtracted:


# %%
def bends_through(places: Tensor, heights: Tensor) -> Layers:
    """A network of n ReLUs through n + 1 points, from left to right: (n + 1,) each.

    >>> bends_through(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([1.0, 3.0, 2.0]))[1]
    (tensor([[ 2., -3.]]), tensor([1.]))
    """
    slopes = heights.diff() / places.diff()  # (n,), of the pieces
    changes = slopes.clone()
    changes[1:] -= slopes[:-1]
    kinks = places[:-1]
    hidden = (torch.ones(len(kinks), 1), -kinks)
    return [hidden, (changes[None], heights[:1])]


# %% [markdown]
# Now take a smooth curve, put points on it at equal distances, and send a bent line
# through them. The older way is to do it with lesson 02's steps: two of them, one up
# and one down, make a *bump*, and bumps side by side make a staircase. A sigmoid with
# large weights is nearly a step, so sigmoids can do it, too.
#
# <details><summary>What do you expect if the number of hidden neurons is doubled: by
# how much does the largest gap shrink, with steps and with ReLUs?</summary>
#
# A step is half as wide, so the curve runs away from it half as far: the gap is halved.
# A slanted piece is half as wide as well, and over half the width the curve also turns
# away from it only half as much: a quarter is left.
#
# </details>


# %% tags=["hide-input"]
SPAN = 2 * math.pi  # the curve is drawn from 0 to here


def wave(x: Tensor) -> Tensor:
    """The curve to be drawn. Any shape."""
    return torch.sin(x) + 0.4 * torch.sin(3 * x)


def bent(count: int) -> Layers:
    """`count` ReLUs with kinks at equal distances, through points of the curve."""
    places = torch.linspace(0, SPAN, count + 1)
    return bends_through(places, wave(places))


def stairs(count: int) -> Layers:
    """`count` steps at equal distances; each stair is as high as the curve above it."""
    edges_of_stairs = torch.linspace(0, SPAN, count + 2)
    heights = wave((edges_of_stairs[1:] + edges_of_stairs[:-1]) / 2)
    hidden = (torch.ones(count, 1), -edges_of_stairs[1:-1])
    return [hidden, (heights.diff()[None], heights[:1])]


def largest_gap(layers: Layers, activation: Any) -> float:
    """How far the network is from the curve where it is furthest."""
    x = torch.linspace(0, SPAN, 4001)[:, None]
    return (run_stack(x, layers, activation) - wave(x)).abs().max().item()


BUILT = {"ReLUs": (bent, ReLU), "steps": (stairs, Step)}
BUILT_COLORS = {"ReLUs": OTHER[1], "steps": OTHER[2]}


@demo
def bends_add_up_to_any_curve() -> Figure:
    """Bends put on a curve, not learned: twice as many leave a quarter of the gap"""
    figure, axes = new_figure(1, 4, width=3.2, height=3.2)
    x = torch.linspace(0, SPAN, 1001)[:, None]
    for axis, (count, name) in zip(
        axes, ((6, "ReLUs"), (16, "ReLUs"), (16, "steps")), strict=False
    ):
        build, activation = BUILT[name]
        layers = build(count)
        y = run_stack(x, layers, activation())
        axis.plot(x, wave(x), color=DATA, linewidth=1, label="the curve")
        color = BUILT_COLORS[name]
        axis.plot(x, y, "--", color=color, label=f"{count} {name}")
        kinks = -layers[0][1]
        if name == "ReLUs":
            axis.plot(kinks, wave(kinks), ".", color=color)
        gap = largest_gap(layers, activation())
        axis.set(title=f"{count} {name}: largest gap {gap:.2f}", xlabel="x")
        axis.set(ylim=(-1.5, 1.9))
        axis.legend(frameon=False, loc="upper right", fontsize=8)
    counts = [8, 16, 32, 64, 128, 256]
    gaps = {
        name: (counts, [largest_gap(build(n), activation()) for n in counts])
        for name, (build, activation) in BUILT.items()
    }
    curves(axes[3], gaps, "hidden neurons", "largest gap", BUILT_COLORS)
    axes[3].set(xscale="log", yscale="log", title="the gap shrinks")
    axes[3].set_xticks(counts, [str(n) for n in counts])
    axes[3].minorticks_off()
    return figure


# %% [markdown]
# With 16 neurons the steps are off by 0.39, the ReLUs by 0.08; with 256 by 0.027 and
# 0.0003. There is no end to this: a continuous curve changes little over a short way,
# so enough short pieces come as close as you like. That holds for any continuous curve
# over an interval, and, with a longer proof, for any number of inputs. It is the
# *universal approximation theorem* (Cybenko 1989; Hornik, Stinchcombe & White 1989).
#
# Take care what it does not say:
#
# - **Not how many neurons.** Ten places along one input are ten. Ten along each of two
#   inputs are 100, and along each of a digit's 784 pixels $10^{784}$.
# - **Not that learning finds them.** Below 16 ReLUs start at random, and 2,000 steps
#   like lesson 01's move all weights and biases, kinks included (how, is lesson 08's
#   matter).


# %% tags=["hide-input"]
def points_to_learn() -> tuple[Tensor, Tensor]:
    """101 points of the curve: places from −1 to 1 (101, 1), and heights (101,)."""
    x = torch.linspace(0, SPAN, 101)
    return (x / SPAN * 2 - 1)[:, None], wave(x)


def learn_bends(
    seed: int, lr: float = 0.1, steps: int = 2000, count: int = 16
) -> Layers:
    """ReLUs with random kinks, slopes and output weights, after gradient descent."""
    generator = torch.Generator().manual_seed(seed)
    x, target = points_to_learn()
    w = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    b = -w * (2 * torch.rand(count, generator=generator) - 1)
    v = torch.randn(count, generator=generator) / math.sqrt(count)
    c = torch.zeros(1)
    relu = ReLU()
    for _ in range(steps):
        h = relu.forward(x * w + b)  # (101, count)
        grad_y = 2 * (h @ v + c - target) / len(x)  # (101,)
        grad_s = relu.backward(grad_y[:, None] * v)
        v = v - lr * h.T @ grad_y
        c = c - lr * grad_y.sum()
        w = w - lr * (grad_s * x).sum(0)
        b = b - lr * grad_s.sum(0)
    return [(w[:, None], b), (v[None], c)]


def typical_gap(layers: Layers) -> float:
    """The root of the mean squared error at the 101 points."""
    x, target = points_to_learn()
    error = run_stack(x, layers, ReLU())[:, 0] - target
    return error.square().mean().sqrt().item()


def built_bends(count: int = 16) -> Layers:
    """The bends put on the curve, for places from −1 to 1."""
    places = torch.linspace(-1, 1, count + 1)
    return bends_through(places, wave((places + 1) / 2 * SPAN))


@cache
def learned(seed: int) -> Layers:
    """What `learn_bends` finds; kept, as it takes half a second."""
    return learn_bends(seed)


@demo
def built_and_learned() -> Figure:
    """16 ReLUs built, and 16 learned from two starts: the learned ones are worse"""
    figure, axes = new_figure(1, 3, width=3.6, height=3.2)
    networks = {"built": built_bends(), "learned": learned(0), "another": learned(1)}
    x, target = points_to_learn()
    for axis, (name, layers) in zip(axes, networks.items(), strict=True):
        y = run_stack(x, layers, ReLU())
        axis.plot(x, target, color=DATA, linewidth=1, label="the curve")
        axis.plot(x, y, "--", color=OTHER[1], label="16 ReLUs")
        (weight, bias), _ = layers
        kinks = -bias / weight[:, 0]
        inside = kinks[kinks.abs() <= 1]
        axis.plot(inside, 0 * inside - 1.4, "|", color=OTHER[1], label="kinks")
        title = f"{name}: typical gap {typical_gap(layers):.2f}"
        axis.set(title=title, xlabel="x", ylim=(-1.5, 1.9))
    axes[0].legend(frameon=False, loc="upper right", fontsize=8)
    return figure


# %% [markdown]
# Built, the 16 ReLUs have a typical gap of 0.036 (the root of the mean squared error).
# Learned, it was 0.13 to 0.21, from three starts, at rates from 0.03 to 0.2. The two
# above find the large wave and miss the small one: many kinks crowd where one would do,
# others have left the picture. With 64 ReLUs it was 0.09 to 0.14, and with lesson 12's
# Adam in place of plain steps 0.08 to 0.19 for the 16. So more neurons help, and better
# steps may. But **that a network can is one thing, that it learns it is another.** Most
# of this curriculum is about the second.
#
# ## In many dimensions: layers collapse
#
# With many inputs and neurons the same is true. Leave the curve out, and two layers are
# one, because a matrix times a matrix is a matrix:
#
# $$(x W_1^\top + b_1) W_2^\top + b_2 =
# x (W_2 W_1)^\top + (b_1 W_2^\top + b_2)$$


# %%
def collapse(layers: Layers) -> tuple[Tensor, Tensor]:
    """The one weight (n_out, n_in) and bias (n_out,) that do what all layers do."""
    weight, bias = layers[0]
    for later, later_bias in layers[1:]:
        weight = later @ weight  # (n_out, n_mid) @ (n_mid, n_in) → (n_out, n_in)
        bias = bias @ later.T + later_bias
    return weight, bias


# %% tags=["hide-input"]
@demo
def a_linear_stack_is_one_layer() -> Table:
    """Any stack without activation equals one layer; with ReLU it does not"""
    generator = torch.Generator().manual_seed(3)
    rows = []
    for depth in (2, 5, 20):
        weights = torch.randn(depth, 4, 4, generator=generator) / 2
        biases = torch.randn(depth, 4, generator=generator)
        layers = list(zip(weights, biases, strict=True))
        x = torch.randn(100, 4, generator=generator)
        one = run_stack(x, [collapse(layers)])
        gaps = [
            (run_stack(x, layers, curve) - one).abs().max().item()
            for curve in (None, ReLU())
        ]
        rows.append((depth, depth * 20, 20, *gaps))
    names = ("layers", "numbers in them", "in the one", "largest gap", "with ReLU")
    return Table(names, rows)


# %% [markdown]
# Twenty layers with 400 numbers can do no more than one with 20. (The tiny gap is
# rounding.)
#
# So no stack of lines says "exactly one", lesson 02's XOR: it would be one neuron, and
# that cannot. The best it can say is ½ to all four, a mean squared error (MSE) of 0.25.
# Two ReLUs, added up, do it: $\mathrm{ReLU}(x_1 - x_2) + \mathrm{ReLU}(x_2 - x_1)$.
# Take the ReLU out, and the two cancel.


# %% tags=["hide-input"]
@demo
def xor_needs_a_bend() -> Table:
    """XOR: the best a linear stack can say is 0.5; two ReLUs get it right"""
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    wanted = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    with_one = torch.cat((x, torch.ones(4, 1)), 1)  # the column of ones meets the bias
    best = torch.linalg.lstsq(with_one, wanted).solution  # the smallest MSE, solved
    hidden = (torch.tensor([[1.0, -1.0], [-1.0, 1.0]]), torch.zeros(2))
    net = [hidden, (torch.ones(1, 2), torch.zeros(1))]
    columns = (wanted, with_one @ best, run_stack(x, net), run_stack(x, net, ReLU()))
    outputs = torch.cat(columns, 1)  # (4, 4)
    rows = [
        (f"{a:g}, {b:g}", *y)
        for (a, b), y in zip(x.tolist(), outputs.tolist(), strict=True)
    ]
    rows.append(("MSE", *((outputs - wanted) ** 2).mean(0).tolist()))
    names = ("wanted", "best linear", "two neurons, no ReLU", "two neurons, ReLU")
    return Table(("inputs", *names), rows)


# %% [markdown]
# ## Which curve?
#
# Four old ones and two younger. Three neurons have the sums 3.4, 11 and −2. What does
# the next layer hear?
#
# - The **step** fires or does not: 1, 1 and 0. It is flat on both sides: there is no
#   slope for learning to follow (lesson 02).
# - The **sigmoid** is a soft step. It squashes every sum into 0 … 1: 0.9677, 0.99998
#   and 0.1192.
# - **tanh** is a sigmoid stretched to −1 … 1.
# - **ReLU** is quiet below 0 and passes what is above: 3.4, 11 and 0.
# - **SiLU** (or Swish) and **GELU** are ReLUs with a round corner. Both multiply $x$ by
#   a *gate* that opens from 0 to 1 as $x$ grows. SiLU's gate is the sigmoid (Elfwing,
#   Uchibe & Doya 2017, arXiv 1702.03118; Ramachandran, Zoph & Le 2017, arXiv
#   1710.05941). GELU's is below, under "More".


# %% [markdown]
# ## From scratch
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `x` | any | the weighted sums |
# | $y$ | `y` | as $x$ | what the next layer gets |
# | $\partial y / \partial x$ | | as $x$ | the slope of the curve |
#
# An activation looks at each number alone. So `backward` multiplies the gradient that
# comes in by the slope of the curve there: one more link in lesson 01's chain.
#
# **tanh** is $y = a/u$ with $a = e^x - e^{-x}$ and $u = e^x + e^{-x}$. The slope of $a$
# is $u$, and that of $u$ is $a$. The product $a \cdot \frac{1}{u}$ moves with either
# factor, and two paths add up; the slope of $1/u$ is $-1/u^2$ (lesson 01):
#
# $$\frac{\partial y}{\partial x} = u \cdot \frac{1}{u} +
# a \cdot \Big( -\frac{a}{u^2} \Big) = 1 - \frac{a^2}{u^2} = 1 - y^2$$
#
# **SiLU** is $y = x \cdot s$ with the sigmoid $s$, again two factors. The slope of $s$
# is $s (1 - s)$:
#
# $$\frac{\partial y}{\partial x} = s + x \cdot s (1 - s)$$


# %%
class Tanh(Activation):
    """y = (e^x − e^−x) / (e^x + e^−x), between −1 and 1. x: any shape."""

    def forward(self, x: Tensor) -> Tensor:
        self.y = torch.tanh(x)
        return self.y

    def backward(self, grad_y: Tensor) -> Tensor:
        """∂y/∂x = 1 − y²."""
        return grad_y * (1 - self.y**2)


class SiLU(Activation):
    """y = x · s, where s is the sigmoid of x. x: any shape."""

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        self.s = 1 / (1 + torch.exp(-x))
        return x * self.s

    def backward(self, grad_y: Tensor) -> Tensor:
        """∂y/∂x = s + x · s · (1 − s) = s · (1 + x · (1 − s))."""
        return grad_y * self.s * (1 + self.x * (1 - self.s))


# %% [markdown]
# <details><summary>More: GELU, and its two forms</summary>
#
# GELU's gate is the chance that a number drawn from the bell curve (mean 0, spread 1)
# lies below $x$ (Hendrycks & Gimpel 2016, arXiv 1606.08415). That is the area under the
# bell curve left of $x$. It has no simple formula, only a name, erf, the error
# function:
#
# $$\text{gate} = \tfrac12 \Big( 1 + \mathrm{erf}\frac{x}{\sqrt 2} \Big) \qquad
# \text{gate}' = \frac{e^{-x^2/2}}{\sqrt{2 \pi}}$$
#
# As $x$ moves, the area grows by the height of the bell curve there. As for SiLU, the
# slope of $x \cdot \text{gate}$ is $\text{gate} + x \cdot \text{gate}'$. When erf was
# slow, the authors gave a form with tanh that comes close:
#
# $$\text{gate} = \tfrac12 (1 + \tanh u) \qquad
# u = \sqrt{2/\pi}\,(x + 0.044715\, x^3)$$
#
# $$\text{gate}' =
# \tfrac12 (1 - \tanh^2 u)\,\sqrt{2/\pi}\,(1 + 3 \cdot 0.044715\, x^2)$$
#
# The two GELUs differ by 0.0005 at most: too little to see, far too much for a rounding
# error. Mind which one a trained network uses.
#
# </details>


# %% tags=["hide-input"]
class GELU(Activation):
    """y = x · gate, the gate being the area under the bell curve left of x.

    x: any shape. approximate: "none" with erf, "tanh" the form that comes close.
    """

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        if self.approximate == "tanh":
            u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
            self.gate = 0.5 * (1 + torch.tanh(u))
        else:
            self.gate = 0.5 * (1 + torch.erf(x / math.sqrt(2)))
        return x * self.gate

    def backward(self, grad_y: Tensor) -> Tensor:
        """∂y/∂x = gate + x · gate′. From the tanh gate, tanh u = 2 · gate − 1."""
        if self.approximate == "tanh":
            t = 2 * self.gate - 1
            inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * self.x**2)
            slope = 0.5 * (1 - t**2) * inner
        else:
            slope = torch.exp(-(self.x**2) / 2) / math.sqrt(2 * math.pi)
        return grad_y * (self.gate + self.x * slope)


# %% [markdown]
# ## The same with PyTorch
#
# All but the step are in `torch.nn`. How to make ours, how to make theirs:

# %%
SIDES: dict[str, tuple[Any, Any]] = {
    "Sigmoid": (Sigmoid, nn.Sigmoid),
    "ReLU": (ReLU, nn.ReLU),
    "Tanh": (Tanh, nn.Tanh),
    "SiLU": (SiLU, nn.SiLU),
    "GELU": (GELU, nn.GELU),
    "GELU tanh": (lambda: GELU("tanh"), lambda: nn.GELU(approximate="tanh")),
}


# %% tags=["hide-input"]
FAMILIES = {
    "Step": ("Step",),
    "Sigmoid and tanh": ("Sigmoid", "Tanh"),
    "ReLU and its relatives": ("ReLU", "SiLU", "GELU"),
}
LOOKS = {
    "Step": (DATA, "-"),
    "Sigmoid": (OTHER[1], "-"),
    "Tanh": (OTHER[2], "--"),
    "ReLU": (DATA, "-"),
    "SiLU": (OTHER[1], "--"),
    "GELU": (OTHER[0], ":"),
}


def value_and_slope(name: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """Output and slope of an activation. Any shape."""
    layer = Step() if name == "Step" else SIDES[name][0]()
    return layer.forward(x), layer.backward(torch.ones_like(x))


def draw_curve(axis: Axes, x: Tensor, y: Tensor, name: str) -> None:
    """A curve; where it jumps at 0 there is a gap, and a dot at what is taken there."""
    color, style = LOOKS[name]
    middle = len(x) // 2
    drawn = y.clone()
    if (y[middle + 1] - y[middle - 1]).abs() > 0.5:
        drawn[middle] = math.nan
        axis.plot(0, y[middle], "o", color=color, markersize=5)
    axis.plot(x, drawn, style, color=color, label=name, linewidth=2)


@demo
def curves_and_slopes() -> Figure:
    """Quiet below, firing above: each curve, and under it its slope"""
    figure, axes = new_figure(2, 3, width=3.4, height=2.8)
    x = torch.linspace(-4, 4, 801)
    x[400] = 0.0
    for column, (title, names) in enumerate(FAMILIES.items()):
        upper, lower = axes[:, column]
        for name in names:
            y, slope = value_and_slope(name, x)
            draw_curve(upper, x, y, name)
            draw_curve(lower, x, slope, name)
        for axis in (upper, lower):
            axis.axhline(0, color="0.85", linewidth=1, zorder=0)
        upper.set(title=title, ylim=(-1.2, 3.2))
        lower.set(xlabel="x", ylim=(-0.25, 1.25), yticks=(0, 0.25, 0.5, 1))
        upper.legend(frameon=False, loc="upper left")
    axes[0, 0].set_ylabel("value")
    axes[1, 0].set_ylabel("slope")
    return figure


@demo
def raw_sums_squashed() -> Table:
    """Of the raw sums 3.4, 11 and −2, step and sigmoid make numbers from 0 to 1"""
    x = torch.tensor([3.4, 11.0, -2.0])
    columns = {"sum": x, "Step": Step().forward(x)}
    columns["1 − Sigmoid"] = 1 - Sigmoid().forward(x)
    for name in ("Sigmoid", "ReLU", "Tanh", "SiLU", "GELU"):
        columns[name] = value_and_slope(name, x)[0]
    return Table(list(columns), torch.stack(list(columns.values()), 1).tolist())


@demo
def two_gelus() -> Figure:
    """The two GELUs: the form with tanh minus the exact one"""
    figure, axis = new_figure(width=5.0, height=2.8)
    x = torch.linspace(-5, 5, 1001)
    gap = value_and_slope("GELU tanh", x)[0] - value_and_slope("GELU", x)[0]
    axis.plot(x, gap, color=DATA)
    axis.axhline(0, color="0.85", linewidth=1, zorder=0)
    axis.set(xlabel="x", ylabel="tanh form − exact")
    return figure


# %% [markdown]
# It is often said that an activation is a number from 0 to 1. It need not be: ReLU
# passes 11 as 11, tanh goes down to −1, SiLU and GELU dip a little below 0.
#
# Look at the slopes, for learning goes through them. The sigmoid's is ¼ at most.
# Through ten layers of them, with weights of 1 in between, ten slopes are multiplied,
# and less than a millionth of the gradient is left. Where ReLU fires, its slope is 1,
# and ten of them multiplied are 1. Where it is quiet, the slope is 0: a neuron that is
# quiet for every example learns nothing any more (it is *dead*). SiLU and GELU let a
# little through there. Lesson 14 goes on.
#
# So inside a network one takes ReLU, GELU or SiLU today. At the output, where a yes or
# no is wanted as a number from 0 to 1, the sigmoid is still at home.
#
# <details><summary>More: does any curve do, and why layers?</summary>
#
# Not any. With $x^2$ the sum of any number of neurons is a parabola, and no parabola
# follows our wave. But polynomials are the only ones that fail: every other continuous
# curve will do (Leshno, Lin, Pinkus & Schocken 1993).
#
# And if one layer can do everything, why have several? Because bends *multiply*. Take
# a hat from 0 to 1 and back to 0, made of two ReLUs, over $x$ from 0 to 1. Send its
# output through the same hat again: on the way up it crosses the whole hat, on the way
# down once more. That makes two hats. Each further layer doubles them. Five layers of
# two ReLUs make 16 hats, with 31 kinks; ten ReLUs in one layer have ten kinks at most
# (Telgarsky 2016, arXiv 1602.04485).
#
# </details>


# %% tags=["hide-input"]
def folding_hat() -> Layers:
    """2 · ReLU(x) − 4 · ReLU(x − ½): from 0 up to 1 and back to 0, as x goes to 1."""
    hidden = (torch.ones(2, 1), torch.tensor([0.0, -0.5]))
    return [hidden, (torch.tensor([[2.0, -4.0]]), torch.zeros(1))]


@demo
def folding() -> Figure:
    """More: the same two ReLUs, once, twice, five times in a row: 1, 2 and 16 hats"""
    figure, axes = new_figure(1, 3, width=3.4, height=2.4)
    x = torch.linspace(0, 1, 1025)[:, None]
    for axis, times in zip(axes, (1, 2, 5), strict=True):
        # Its output is never below 0, so a ReLU behind it changes nothing.
        axis.plot(x, run_stack(x, folding_hat() * times, ReLU()), color=OTHER[1])
        axis.set(title=f"{2 * times} ReLUs, {times} deep", xlabel="x", yticks=(0, 1))
    return figure


# %% [markdown]
# ## They agree
#
# Each activation meets its twin twice: on drawn inputs, and where formulas break: at 0
# and −0 (floating point has both), at ties, and at numbers as large as ±10,000. Then
# the bent line and the collapsed stack. `curriculum compare 3` shows all.


# %% tags=["hide-input"]
def edges(case: Case, name: str) -> Tensor:
    """The input `x` of a pair, (4, 5), chosen by hand; other inputs are drawn."""
    if name != "x":
        return case.tensor(name, 4, 5)
    zeros = [0.0, -0.0, 1e-3, -1e-3, 1.0]
    ties = [2.0, 2.0, -3.0, -3.0, 2.0]
    large = [20.0, -20.0, 1e3, -1e3, -0.0]
    largest = [1e4, 1e4, -1e4, -1e4, 0.0]
    return torch.tensor([zeros, ties, large, largest])


def pairs_with_torch(name: str) -> list[Pair]:
    """Both sides of one line of `SIDES`, on drawn inputs and at the edges."""
    ours, theirs = SIDES[name]
    both = (lambda case: ours()), (lambda case: theirs())
    return [
        layer_pair(name.lower(), *both),
        layer_pair(f"{name.lower()} at the edges", *both, x=edges),
    ]


def bent_line_by_torch(x: Tensor, heights: Tensor) -> Tensor:
    """`nn.Linear`, `nn.ReLU`, `nn.Linear` with the bends through `heights`."""
    places = torch.arange(1.0 * len(heights))
    layers = bends_through(places, heights)
    model = nn.Sequential(
        nn.Linear(1, len(heights) - 1), nn.ReLU(), nn.Linear(len(heights) - 1, 1)
    )
    values = [tensor for layer in layers for tensor in layer]
    model.load_state_dict(dict(zip(model.state_dict(), values, strict=True)))
    return model(x)


def bent_line(x: Tensor, heights: Tensor) -> Tensor:
    """The same by hand. x: (batch, 1), heights: (points,)."""
    places = torch.arange(1.0 * len(heights))
    return run_stack(x, bends_through(places, heights), ReLU())


def collapsed(x: Tensor, first: Tensor, second: Tensor, bias: Tensor) -> Tensor:
    """Two layers without activation as one; the first has no bias but 1."""
    layers = [(first, torch.ones(len(first))), (second, bias)]
    return run_stack(x, [collapse(layers)])


def stacked_by_torch(x: Tensor, first: Tensor, second: Tensor, bias: Tensor) -> Tensor:
    """The two layers of `collapsed`, one after the other."""
    hidden = nn.functional.linear(x, first, torch.ones(len(first)))
    return nn.functional.linear(hidden, second, bias)


PAIRS = [pair for name in SIDES for pair in pairs_with_torch(name)]
PAIRS += [
    function_pair(
        "bent line",
        bent_line,
        bent_line_by_torch,
        lambda case: case.tensor("x", case.batch, 1),
        lambda case: case.tensor("heights", case.n_in + 1),
    ),
    function_pair(
        "collapsed stack",
        collapsed,
        stacked_by_torch,
        lambda case: case.tensor("x", case.batch, case.n_in),
        lambda case: case.tensor("first", 7, case.n_in),
        lambda case: case.tensor("second", case.n_out, 7),
        lambda case: case.tensor("bias", case.n_out),
    ),
]


@demo
def they_agree() -> Table:
    """The largest difference from PyTorch, forward and backward"""
    rows = [
        (pair.name, max(found.largest for found in compare(pair))) for pair in PAIRS
    ]
    return Table(("pair", "largest difference"), rows)


# %% [markdown]
# Would a mistake show? Suppose SiLU's `backward` forgets that the gate moves, too: it
# returns $s$ where $s + x \cdot s (1 - s)$ belongs. We check it at 0 and at ±50.
#
# <details><summary>What do you expect?</summary>
#
# At 0 the forgotten part is multiplied by 0. Far out the gate is open or shut and does
# not move. So nothing differs at the very places where formulas usually break.
#
# </details>


# %% tags=["hide-input"]
def far_and_zero(case: Case, name: str) -> Tensor:
    """Inputs (1, 3) at which the forgotten part does not count."""
    return torch.tensor([[-50.0, 0.0, 50.0]])


def between_them(case: Case, name: str) -> Tensor:
    """Inputs (1, 3) at which it does."""
    return torch.tensor([[-2.0, 1.5, 3.0]])


def silu_beside_torch(make: type[SiLU], x: Any) -> Pair:
    """A SiLU held against PyTorch's on the inputs that `x` makes."""
    return layer_pair("silu", lambda case: make(), lambda case: nn.SiLU(), x=x)


@demo
def a_gate_that_stands_still() -> Table:
    """SiLU with half its slope forgotten: what differs from PyTorch"""

    class StillGate(SiLU):
        def backward(self, grad_y: Tensor) -> Tensor:
            return grad_y * self.s  # the bug: the gate moves, too

    rows = []
    for name, make in (("right", SiLU), ("half forgotten", StillGate)):
        cells = []
        for x in (far_and_zero, between_them):
            pair = silu_beside_torch(make, x)
            wrong = [found.name for found in compare(pair) if found.problem]
            cells.append(", ".join(wrong) or "none")
        rows.append((name, *cells))
    names = ("at −50, 0 and 50: differ", "at −2, 1.5 and 3: differ")
    return Table(("slope of SiLU", *names), rows)


# %% [markdown]
# Edges are not enough, as the middle is not. The pairs take both.
#
# ## Where PyTorch differs
#
# - `nn.ReLU` and `nn.SiLU` can overwrite their input to save memory (`inplace=True`).
#   Ours never do.
# - At the kink of ReLU mathematics allows any slope from 0 to 1. PyTorch's 0 is a
#   choice, and so is ours.
#
# ## You can now
#
# - say why layers without a curve are one layer;
# - place a kink, choose its slope, and send a bent line through given points;
# - say what the universal approximation theorem promises, and what not;
# - find the slope of an activation, and say what it does to learning.
#
# Exercises: `curriculum start 03c` (bend a line on paper: predict, then check),
# `curriculum start 03a` (a ReLU that is not quite quiet) and `curriculum start 03b`
# (find the bug); `curriculum check 03c` says how far you are.
#
# Next: lesson 04 puts neurons side by side into layers, and layers one after the other.
