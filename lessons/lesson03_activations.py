# %% [markdown]
# # Lesson 03 · Activation functions
#
# *What does the curve behind the sum do, and why does a network need one?*
#
# Needs: lesson 01 · Time: 25 minutes

# %%
import math
from typing import Any, Literal

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.demo import demo
from curriculum.draw import OTHER, SCRATCH, new_figure
from curriculum.pair import Case, Pair, compare, layer_pair
from curriculum.table import Table
from lessons.lesson01_neuron import Sigmoid

# %% [markdown]
# ## The idea
#
# A weighted sum can be any number. Three neurons may come out at 3.4, 11 and −2. The activation decides what
# the next neuron hears: little when the sum is small, much when it is large.
#
# - The *step* fires or does not: 1 above 0, else 0. The bias moves that threshold. It is flat on both sides:
#   it has no slope that learning could follow.
# - The *sigmoid* of lesson 01 is a soft step. It squashes every sum into 0 … 1. The three come out as 0.9677,
#   0.99998 and 0.1192.
# - *ReLU* keeps quiet below 0 and passes everything above 0 unchanged: $y = \max(0, x)$.
#
# ```python
# >>> Sigmoid().forward(torch.tensor([3.4, -2.0]))
# tensor([0.9677, 0.1192])
# ```
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `x` | any | the weighted sums |
# | $y$ | `y` | as $x$ | what the next layer gets |
# | $\partial y / \partial x$ | | as $x$ | the slope of the curve; learning goes through it |
#
# ## From scratch
#
# An activation is a layer without weights. All of this lesson look at each number by itself:
# `backward` multiplies the incoming gradient by the slope of the curve at that number.


# %%
class Activation:
    """A layer without weights. Input and output have the same shape."""

    def __init__(self) -> None:
        self.params: dict[str, Tensor] = {}
        self.grads: dict[str, Tensor] = {}


class ReLU(Activation):
    """Rectified linear unit: negative numbers become 0, the others stay. x: any shape."""

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return x.clamp(min=0)

    def backward(self, grad_y: Tensor) -> Tensor:
        """y = x where x > 0: slope 1. y = 0 where x < 0: slope 0.

        At x = 0 the curve has a kink and no slope. PyTorch says 0 there, and so do we.
        """
        return grad_y * (self.x > 0)


class Tanh(Activation):
    """The sigmoid stretched to −1 … 1: y = (e^x − e^−x) / (e^x + e^−x). x: any shape."""

    def forward(self, x: Tensor) -> Tensor:
        self.y = torch.tanh(x)
        return self.y

    def backward(self, grad_y: Tensor) -> Tensor:
        """Write y = a/b with a = e^x − e^−x and b = e^x + e^−x. Then a has the slope b, and b the slope a.
        Quotient rule: ∂y/∂x = (b·b − a·a) / b² = 1 − y²."""
        return grad_y * (1 - self.y**2)


# %% [markdown]
# Two younger curves are smooth relatives of ReLU. Both multiply $x$ by a *gate* $g(x)$ that opens from 0 to 1
# as $x$ grows: $y = x \cdot g(x)$. By the product rule the slope is $g(x) + x \cdot g'(x)$.
#
# - SiLU, also called Swish: the gate is the sigmoid (Elfwing, Uchibe & Doya 2018, arXiv:1702.03118;
#   Ramachandran, Zoph & Le 2017, arXiv:1710.05941).
# - GELU: the gate is the chance that a number drawn from the bell curve (mean 0, spread 1) lies below $x$.
#   Hendrycks & Gimpel (2016, arXiv:1606.08415) give the exact form and one with tanh that comes close.


# %%
class SiLU(Activation):
    """y = x · s, where s is the sigmoid of x. x: any shape."""

    def forward(self, x: Tensor) -> Tensor:
        self.x, self.s = x, 1 / (1 + torch.exp(-x))
        return x * self.s

    def backward(self, grad_y: Tensor) -> Tensor:
        """The gate s has the slope s·(1 − s), so ∂y/∂x = s + x·s·(1 − s) = s · (1 + x·(1 − s))."""
        return grad_y * self.s * (1 + self.x * (1 - self.s))


class GELU(Activation):
    """y = x · gate, the gate being the area under the bell curve left of x. x: any shape.

    approximate="none": gate = ½ · (1 + erf(x/√2)). erf, the error function, is that area in another scale.
    approximate="tanh": gate = ½ · (1 + tanh(√(2/π) · (x + 0.044715·x³))).
    """

    def __init__(self, approximate: Literal["none", "tanh"] = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        if self.approximate == "tanh":
            self.gate = 0.5 * (
                1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))
            )
        else:
            self.gate = 0.5 * (1 + torch.erf(x / math.sqrt(2)))
        return x * self.gate

    def backward(self, grad_y: Tensor) -> Tensor:
        """∂y/∂x = gate + x·slope, where slope is that of the gate.

        Exact: the area up to x grows by the height of the bell curve at x, e^(−x²/2) / √(2π).
        tanh: gate = ½·(1 + t) with t = tanh(u) and u = √(2/π)·(x + 0.044715·x³). One factor per move:
        ½ · (1 − t²) · √(2/π)·(1 + 3·0.044715·x²). From the gate, t = 2·gate − 1.
        """
        if self.approximate == "tanh":
            t = 2 * self.gate - 1
            slope = (
                0.5
                * (1 - t**2)
                * math.sqrt(2 / math.pi)
                * (1 + 3 * 0.044715 * self.x**2)
            )
        else:
            slope = torch.exp(-(self.x**2) / 2) / math.sqrt(2 * math.pi)
        return grad_y * (self.gate + self.x * slope)


# %% [markdown]
# ## The same with PyTorch
#
# All are in `torch.nn`, under the same names. How to make ours, how to make theirs:

# %%
SIDES: dict[str, tuple[Any, Any]] = {
    "Sigmoid": (Sigmoid, nn.Sigmoid),
    "ReLU": (ReLU, nn.ReLU),
    "Tanh": (Tanh, nn.Tanh),
    "SiLU": (SiLU, nn.SiLU),
    "GELU": (GELU, nn.GELU),
    "GELU tanh": (lambda: GELU("tanh"), lambda: nn.GELU(approximate="tanh")),
}

# %% [markdown]
# ## See it: quiet below, firing above
#
# Look at the first three: the threshold, the soft threshold, and silence below it with no ceiling above.


# %%
@demo
def curves_and_slopes() -> Figure:
    """Every curve with its slope, and how far the two GELUs are apart"""
    x = torch.linspace(-5, 5, 1001)
    seen = {"Step": torch.stack(((x > 0).to(x.dtype), 0 * x))}
    for name, (make, _) in SIDES.items():
        layer = make()
        seen[name] = torch.stack((layer.forward(x), layer.backward(torch.ones_like(x))))
    seen["GELU: tanh − exact"] = seen.pop("GELU tanh") - seen["GELU"]
    figure, axes = new_figure(2, 4, width=3.0, height=2.8)
    axes[1, 3].axis("off")
    for axis, (name, (y, slope)) in zip(axes.flat, seen.items(), strict=False):
        axis.axhline(0, color="0.85", linewidth=1)
        axis.plot(x, y, color=SCRATCH, label="curve")
        axis.plot(x, slope, "--", color=OTHER[3], label="slope")
        axis.set(title=name, xlabel="x", ylim=None if "exact" in name else (-1.1, 2.1))
    axes[0, 0].legend(frameon=False, loc="upper left")
    return figure


@demo
def raw_sums_squashed() -> Table:
    """Of the raw sums 3.4, 11 and −2, step and sigmoid make numbers from 0 to 1"""
    x = torch.tensor([3.4, 11.0, -2.0])
    y = {name: make().forward(x) for name, (make, _) in list(SIDES.items())[:5]}
    columns = {
        "sum": x,
        "Step": (x > 0).to(x.dtype),
        "1 − Sigmoid": 1 - y["Sigmoid"],
        **y,
    }
    return Table(list(columns), torch.stack(list(columns.values()), 1).tolist())


# %% [markdown]
# The sigmoid of 11 shows as 1; the column before it says how much is missing. The two GELUs differ by 0.0005
# at most: too little to see, far too much for a rounding error. So mind which one a trained network uses.
#
# It is often said that an activation is a number from 0 to 1. It need not be: ReLU passes 11 as 11, tanh goes
# down to −1, SiLU and GELU dip a little below 0. Nor is the sigmoid, with which the story is usually told,
# the popular choice *inside* networks today. That is ReLU, GELU or SiLU. The sigmoid's slope is ¼ at most.
# Learning multiplies the slopes of consecutive layers: after ten sigmoids with weights of 1 between them,
# less than a millionth of the gradient is left. Where ReLU fires, its slope is 1. Lesson 14 measures it.
# At the output, where a yes or no is wanted as a number from 0 to 1, the sigmoid is still at home.
#
# ## See it: without a curve, depth is an illusion
#
# Put several neurons side by side, their weights the rows of a matrix $W$. Leave the activation out and put
# two such layers one after the other. The product of two matrices is a matrix, so the two are one layer:
#
# $$W_2 (W_1 x + b_1) + b_2 = (W_2 W_1)\, x + (W_2 b_1 + b_2)$$


# %%
def run_stack(
    x: Tensor, layers: list[tuple[Tensor, Tensor]], activation: Any = None
) -> Tensor:
    """Send x (batch, n_in) through (weight, bias) after (weight, bias), with the activation in between."""
    for index, (weight, bias) in enumerate(layers):
        x = activation.forward(x) if activation and index > 0 else x
        x = x @ weight.T + bias  # (batch, n_in) @ (n_in, n_out) → (batch, n_out)
    return x


def collapse(layers: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """The one weight (n_out, n_in) and bias (n_out,) that do what all layers without activation do."""
    weight, bias = layers[0]
    for later, later_bias in layers[1:]:
        weight, bias = (
            later @ weight,
            later @ bias + later_bias,
        )  # (n_out, n_mid) @ (n_mid, n_in)
    return weight, bias


@demo
def a_linear_stack_is_one_layer() -> Table:
    """Any stack without activation equals one layer; with ReLU it does not"""
    generator, rows = torch.Generator().manual_seed(3), []
    for depth in (2, 5, 20):
        weights = torch.randn(depth, 4, 4, generator=generator) / 2
        layers = list(
            zip(weights, torch.randn(depth, 4, generator=generator), strict=True)
        )
        x = torch.randn(100, 4, generator=generator)
        one = run_stack(x, [collapse(layers)])
        gaps = [
            (run_stack(x, layers, curve) - one).abs().max().item()
            for curve in (None, ReLU())
        ]
        rows.append((depth, depth * 20, 20, *gaps))
    return Table(
        ("layers", "numbers in them", "in the one", "largest gap", "with ReLU"), rows
    )


# %% [markdown]
# So no such stack computes "exactly one of the two" (XOR): 1 for (0, 1) and (1, 0), else 0. Its output is
# $w_1 x_1 + w_2 x_2 + b$. For (0, 0) and (1, 1) the outputs add up to $w_1 + w_2 + 2b$, for (0, 1) and (1, 0)
# to the same. XOR wants 0 and 2. The best is 0.5 everywhere, with a mean squared error (MSE) of 0.25.
#
# Two neurons with ReLU, added up, do it: $\max(0, x_1 - x_2) + \max(0, x_2 - x_1)$ is the distance between
# the inputs. Take the ReLU out and the two cancel.


# %%
@demo
def xor_needs_a_bend() -> Table:
    """XOR: the best a linear stack can say is 0.5; two ReLUs get it right"""
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    wanted = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    with_one = torch.cat((x, torch.ones(4, 1)), 1)  # the column of ones meets the bias
    linear = (
        with_one @ torch.linalg.lstsq(with_one, wanted).solution
    )  # the smallest MSE: solved, not trained
    net = [
        (torch.tensor([[1.0, -1.0], [-1.0, 1.0]]), torch.zeros(2)),
        (torch.ones(1, 2), torch.zeros(1)),
    ]
    outputs = torch.cat(
        (wanted, linear, run_stack(x, net), run_stack(x, net, ReLU())), 1
    )  # (4, 4)
    rows = [
        (f"{a:g}, {b:g}", *y)
        for (a, b), y in zip(x.tolist(), outputs.tolist(), strict=True)
    ]
    rows.append(("MSE", *((outputs - wanted) ** 2).mean(0).tolist()))
    return Table(
        (
            "inputs",
            "wanted",
            "best linear",
            "two neurons, no ReLU",
            "two neurons, ReLU",
        ),
        rows,
    )


# %% [markdown]
# ## They agree
#
# Each activation meets its twin twice: on drawn inputs, and where formulas break: at 0 and −0 (floating
# point has both), at ties, and at numbers as large as ±10,000.


# %%
def edges(case: Case, name: str) -> Tensor:
    """The input `x` of a pair, (4, 5), chosen by hand; what the layer meets before it is drawn."""
    zeros, ties = [0.0, -0.0, 1e-3, -1e-3, 1.0], [2.0, 2.0, -3.0, -3.0, 2.0]
    large, largest = [20.0, -20.0, 1e3, -1e3, -0.0], [1e4, 1e4, -1e4, -1e4, 0.0]
    return (
        torch.tensor([zeros, ties, large, largest])
        if name == "x"
        else case.tensor(name, 4, 5)
    )


def pairs_with_torch(name: str) -> list[Pair]:
    """Both sides of one line of `SIDES`, on drawn inputs and at the edges."""
    ours, theirs = SIDES[name]
    both = (lambda case: ours()), (lambda case: theirs())
    return [
        layer_pair(name.lower(), *both),
        layer_pair(f"{name.lower()} at the edges", *both, x=edges),
    ]


PAIRS = [pair for name in SIDES for pair in pairs_with_torch(name)]


@demo
def they_agree() -> Table:
    """The largest difference from PyTorch, forward and backward"""
    rows = [
        (pair.name, max(found.largest for found in compare(pair))) for pair in PAIRS
    ]
    return Table(("pair", "largest difference"), rows)


# %% [markdown]
# ## Where PyTorch differs
#
# - `nn.ReLU` and `nn.SiLU` can overwrite their input to save memory (`inplace=True`). Ours never do.
# - A network rarely ends in softmax or sigmoid: PyTorch's losses take logits and do that part (lesson 05).
#
# Next: lesson 04 puts neurons side by side into layers, and layers one after the other.
