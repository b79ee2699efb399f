# %% [markdown]
# # Lesson 04 · Layers and the forward pass
#
# *How do many neurons become a layer, and many layers a network?*
#
# Needs: lessons 00, 01, 03 · Time: 25 minutes

# %%
import math
from itertools import pairwise
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor, nn

from curriculum.contracts import used_once
from curriculum.demo import demo
from curriculum.draw import DATA, OTHER, new_figure
from curriculum.drawings import network, sheet
from curriculum.pair import Case, Pair, compare, function_pair, layer_pair
from curriculum.table import Table
from lessons.lesson01_neuron import Neuron
from lessons.lesson03_activations import ReLU

DIGITS = (784, 128, 64, 10)  # the sizes of the network at the end

# %% [markdown]
# ## On paper: two neurons
#
# One neuron gives one number. For more numbers, show the same inputs to more neurons.
# Take lesson 01's neuron, with the weights 0.9 and −0.4 and the bias 0.1. Put a second
# one beside it, with −0.3 and 0.6 and the bias 0.2. Both look at the film 0.8 and 0.5:
#
# $$y_1 = 0.9 \cdot 0.8 - 0.4 \cdot 0.5 + 0.1 = 0.62 \qquad
# y_2 = -0.3 \cdot 0.8 + 0.6 \cdot 0.5 + 0.2 = 0.26$$
#
# Neither needs the other: they can work at the same time. That is a *layer*. Write the
# weights as rows, one row a neuron. Row by column (lesson 00) then asks both neurons at
# once. `weight.T` puts each neuron's weights into a column:
#
# ```python
# >>> weight = torch.tensor([[0.9, -0.4], [-0.3, 0.6]])
# >>> bias = torch.tensor([0.1, 0.2])
# >>> x = torch.tensor([[0.8, 0.5]])
# >>> x @ weight.T + bias
# tensor([[0.6200, 0.2600]])
#
# ```
#
# A third neuron is a third row of weights. A second film is a second row of $x$.
#
# $$y = x\,W^\top + b$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `x` | (batch, n_in) | the inputs, one example a row |
# | $W$ | `weight` | (n_out, n_in) | row $j$ holds the weights of neuron $j$ |
# | $b$ | `bias` | (n_out,) | one bias a neuron |
# | $y$ | `y` | (batch, n_out) | column $j$ is the output of neuron $j$ |
#
# ## A network
#
# Layers one after the other are a *network*: the outputs of one are the inputs of the
# next. Running through it from the first to the last is the *forward pass*. Between two
# layers stands an activation function, as lesson 03 says why. Each layer is a function
# of what came out of the one before:
#
# $$y = f_3(f_2(f_1(x)))$$
#
# Let us follow numbers through one. A house has 2000 square feet, 3 bedrooms and is 20
# years old. What does it cost? Two hidden layers of two neurons each, 1a and 1b, 2a and
# 2b, and ReLU behind each; then one neuron says the price, in units of $100,000. We set
# the weights by hand.
#
# First each input is *standardised*: take away the mean of many houses, and divide by
# their *standard deviation*, the typical distance from the mean. Say houses have
# 1600 ± 500 square feet, 2.5 ± 1 bedrooms and 35 ± 20 years. Then ours is at 0.8, 0.5
# and −0.75: larger than most, and younger.
#
# <details><summary>What do you expect of neuron 1a, with the weights 0.5, 0.4 and −0.2
# and the bias 0.1? And of 1b, with −0.2, 0.1, 0.6 and 0.2?</summary>
#
# 1a adds up 0.5 · 0.8 + 0.4 · 0.5 + 0.2 · 0.75 + 0.1 = 0.85, and ReLU lets that pass.
# 1b adds up −0.16 + 0.05 − 0.45 + 0.2 = −0.36, and ReLU makes it 0.
#
# </details>


# %% tags=["hide-input"]
WEIGHTS = (
    [[0.5, 0.4, -0.2], [-0.2, 0.1, 0.6]],
    [[0.6, -0.3], [0.5, 0.8]],
    [[0.8, 0.4]],
)
BIASES = ([0.1, 0.2], [0.1, -0.2], [3.0])
HOUSE = [2000.0, 3.0, 20.0]
MEAN = [1600.0, 2.5, 35.0]
DEVIATION = [500.0, 1.0, 20.0]
INPUTS = ("size", "bedrooms", "age")


def houses() -> tuple[Tensor, Tensor]:
    """The house as it is, and standardised: (1, 3) each."""
    raw = torch.tensor([HOUSE])
    return raw, (raw - torch.tensor([MEAN])) / torch.tensor([DEVIATION])


def through_the_house(x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """The sums of each layer, and what comes out of it: (neurons,) each."""
    sums = []
    outputs = [x[0]]
    for weight, bias in zip(WEIGHTS, BIASES, strict=True):
        # (1, n_in) @ (n_in, n_out) → (1, n_out)
        x = x @ torch.tensor(weight).T + torch.tensor(bias)
        sums.append(x[0])
        if len(sums) < len(WEIGHTS):
            x = x.clamp(min=0)
        outputs.append(x[0])
    return sums, outputs


@demo
def house_price_traced() -> Figure:
    """A house goes through; in each circle what comes out, below it the sum"""
    figure, axis = new_figure(width=9.6, height=5.6)
    sums, outputs = through_the_house(houses()[1])
    names = [("size", "beds", "age"), ("1a", "1b"), ("2a", "2b"), ("price",)]
    weights = [torch.tensor(weight) for weight in WEIGHTS]
    network(axis, names, weights, outputs)
    circles = [patch for patch in axis.patches if isinstance(patch, Circle)]
    words: dict[str, Any] = {"ha": "center", "fontsize": 9, "color": DATA}
    for circle, raw in zip(circles, ("2000", "3", "20"), strict=False):
        axis.text(circle.center[0], circle.center[1] + 0.45, raw, **words)
    flat_sums = [value for layer in sums for value in layer.tolist()]
    flat_biases = [value for layer in BIASES for value in layer]
    for circle, total, bias in zip(circles[3:], flat_sums, flat_biases, strict=True):
        x, y = circle.center
        axis.text(x, y + 0.45, f"bias {bias:g}".replace("-", "−"), **words)
        text = f"sum {total:.3f}".rstrip("0").replace("-", "−")
        text += ": quiet" if total < 0 else ""
        axis.text(x, y - 0.6, text, **words)
    for text in axis.texts:
        if text.get_text() == "price\n3.58":  # three digits are too few here
            text.set_text("price\n3.578")
    titles = ("inputs, standardised", "layer 1, ReLU", "layer 2, ReLU", "layer 3")
    top = axis.get_ylim()[1]
    for column, title in enumerate(titles):
        axis.text(3 * column, top + 0.2, title, ha="center", color=DATA)
    axis.set_ylim(axis.get_ylim()[0], top + 0.7)
    return figure


# %% [markdown]
# Blue weights are positive, orange ones negative. Neuron 1b is quiet, so its two
# weights into layer 2 do nothing for this house. The price is 3.578, or $357,800.
#
# Layers 1 and 2 are *hidden*. Such a network is called an MLP, short for *multilayer
# perceptron*; perceptron is an old word for a neuron. The last layer has no ReLU: an
# output may have to be negative.
#
# ## From scratch
#
# First the long way: lesson 01's neurons, one after the other.


# %%
def neuron_by_neuron(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A layer, neuron by neuron. x: (batch, n_in) → y: (batch, n_out)."""
    columns = []
    for w, b in zip(weight, bias, strict=True):
        neuron = Neuron(len(w))
        neuron.params = {"weight": w[None], "bias": b[None]}  # (1, n_in) and (1,)
        columns.append(neuron.forward(x))  # (batch, 1)
    return torch.cat(columns, dim=1)


# %% [markdown]
# (`w[None]` makes a table of one row of `w`.) Then the short way, with a `backward`.
#
# **On paper.** Say the loss moves with the two outputs as $\partial L/\partial y$ =
# (−0.3, 0.1). Each neuron's weights and bias move as in lesson 01: the slope along its
# output, times the input. For neuron 1 that is −0.3 · 0.8 = −0.24 and
# −0.3 · 0.5 = −0.15, for neuron 2 it is 0.08 and 0.05.
#
# The input is new. $x_1$ goes into *both* neurons, through the weights 0.9 and −0.3.
# Along a path multiply, over several paths add (lesson 00):
# −0.3 · 0.9 + 0.1 · (−0.3) = −0.3. For $x_2$ it is −0.3 · (−0.4) + 0.1 · 0.6 = 0.18.
#
# **For any layer**, with one example:
#
# $$\frac{\partial L}{\partial W_{ji}} = \frac{\partial L}{\partial y_j}\, x_i \qquad
# \frac{\partial L}{\partial b_j} = \frac{\partial L}{\partial y_j} \qquad
# \frac{\partial L}{\partial x_i} = \sum_j \frac{\partial L}{\partial y_j}\, W_{ji}$$
#
# With a batch, each example has its own row of $\partial L/\partial x$. The weights
# are shared by all examples, so there one adds over the rows. Three matrix operations
# do it all. Their shapes leave no other choice:
#
# $$\frac{\partial L}{\partial W} = \Big( \frac{\partial L}{\partial y} \Big)^{\!\top} x
# \qquad
# \frac{\partial L}{\partial b} = \text{sum over the rows} \qquad
# \frac{\partial L}{\partial x} = \frac{\partial L}{\partial y}\, W$$


# %%
class Linear:
    """`n_out` neurons that look at the same `n_in` inputs: y = x Wᵀ + b.

    x: (batch, n_in) → y: (batch, n_out). Without `bias`: y = x Wᵀ.
    """

    def __init__(self, n_in: int, n_out: int, bias: bool = True) -> None:
        bound = 1 / math.sqrt(n_in)
        # Random numbers, evenly spread between −bound and bound.
        self.params = {"weight": torch.empty(n_out, n_in).uniform_(-bound, bound)}
        if bias:
            self.params["bias"] = torch.empty(n_out).uniform_(-bound, bound)
        self.grads: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        if "bias" not in self.params:
            return x @ self.params["weight"].T
        # `addmm` is bias + x @ weight.T, in one go:
        # (batch, n_in) @ (n_in, n_out) → (batch, n_out)
        return torch.addmm(self.params["bias"], x, self.params["weight"].T)

    def backward(self, grad_y: Tensor) -> Tensor:
        """∂L/∂xᵢ = Σⱼ ∂L/∂yⱼ · Wⱼᵢ. grad_y: (batch, n_out) → (batch, n_in)."""
        self.backward_params(grad_y)
        # (batch, n_out) @ (n_out, n_in) → (batch, n_in)
        return grad_y @ self.params["weight"]

    def backward_params(self, grad_y: Tensor) -> None:
        """∂L/∂Wⱼᵢ = ∂L/∂yⱼ · xᵢ and ∂L/∂bⱼ = ∂L/∂yⱼ, summed over the batch.

        That is all a first layer needs: its input is data, and nobody changes data.
        """
        # (n_out, batch) @ (batch, n_in) → (n_out, n_in)
        self.grads = {"weight": grad_y.T @ self.x}
        if "bias" in self.params:
            self.grads["bias"] = grad_y.sum(0)  # (batch, n_out) → (n_out,)


# %% [markdown]
# The numbers from the paper:
#
# ```python
# >>> layer = Linear(2, 2)
# >>> layer.params = {"weight": weight, "bias": bias}
# >>> layer.forward(x)
# tensor([[0.6200, 0.2600]])
# >>> layer.backward(torch.tensor([[-0.3, 0.1]]))
# tensor([[-0.3000,  0.1800]])
# >>> layer.grads["weight"]
# tensor([[-0.2400, -0.1500],
#         [ 0.0800,  0.0500]])
#
# ```
#
# A network calls its layers in turn. On the way back it calls them in reverse: what the
# last layer says about its input is what the layer before is told about its output.


# %%
class Sequential:
    """Layers one after the other. Parameters are named "0.weight", "0.bias", …"""

    def __init__(self, *layers: Any) -> None:
        used_once(layers)  # a layer in two places would remember only the second
        self.layers = layers

    @property
    def params(self) -> dict[str, Tensor]:
        found = {}
        for i, layer in enumerate(self.layers):
            for name, param in layer.params.items():
                found[f"{i}.{name}"] = param
        return found

    @property
    def grads(self) -> dict[str, Tensor]:
        found = {}
        for i, layer in enumerate(self.layers):
            for name, grad in layer.grads.items():
                found[f"{i}.{name}"] = grad
        return found

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad_y: Tensor) -> Tensor:
        """∂L/∂x = ∂L/∂y · f₃′ · f₂′ · f₁′: the chain rule, last layer first."""
        for layer in reversed(self.layers):
            grad_y = layer.backward(grad_y)
        return grad_y


def mlp(*sizes: int, seed: int = 0) -> Sequential:
    """mlp(4, 3, 2): 4 inputs, 3 hidden neurons with ReLU, 2 outputs."""
    layers: list[Any] = []
    with torch.random.fork_rng():  # random numbers outside stay what they are
        torch.manual_seed(seed)
        for n_in, n_out in pairwise(sizes):  # (4, 3), then (3, 2)
            layers += [Linear(n_in, n_out), ReLU()]
    return Sequential(*layers[:-1])  # no ReLU after the last


# %% [markdown]
# ## The same with PyTorch


# %%
def torch_mlp(*sizes: int, seed: int = 0) -> nn.Sequential:
    """The same with `torch.nn`. The same seed draws the same first weights."""
    layers: list[nn.Module] = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for n_in, n_out in pairwise(sizes):
            layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


# %% tags=["hide-input"]
@demo
def layers_three_ways() -> Table:
    """A layer is many neurons, a network f₃(f₂(f₁(x))): three ways, the same numbers"""
    x = torch.tensor([[0.8, 0.5, -1.0]])
    ours = mlp(3, 4, 2)
    reference = torch_mlp(3, 4, 2)
    f1, f2, f3 = ours.layers
    loop = neuron_by_neuron(x, **f1.params)
    hidden = (loop, f1.forward(x), reference[0](x))
    last = neuron_by_neuron(f2.forward(loop), **f3.params)
    outputs = (last, ours.forward(x), reference(x))
    rows = []
    for name, ways in (
        ("layer f₁, neuron", hidden),
        ("f₃(f₂(f₁(x))), output", outputs),
    ):
        for j in range(ways[0].shape[1]):
            rows.append((f"{name} {j + 1}", *(way[0, j].item() for way in ways)))
    return Table(("", "loop", "matrix product", "torch.nn"), rows)


# %% [markdown]
# ## See it: four, four, two
#
# In the usual drawing every number is a circle and every weight a line. Everything in
# one layer is joined to everything in the next (*fully connected*, or *dense*).
#
# <details><summary>What do you expect: four inputs, four hidden neurons, two outputs.
# How many parameters?</summary>
#
# 4 · 4 + 4 · 2 = 24 lines, so 24 weights. But 30 parameters: each of the six neurons
# has a bias, too. Biases are not drawn, and are easily forgotten.
#
# </details>


# %% tags=["hide-input"]
@demo
def picture_of_4_4_2() -> Figure:
    """Four inputs, four hidden neurons, two outputs: 30 parameters"""
    model = mlp(4, 4, 2)
    names = [("x₁", "x₂", "x₃", "x₄"), ("h₁", "h₂", "h₃", "h₄"), ("y₁", "y₂")]
    figure, axis = new_figure(width=6.5, height=6.2)
    linear = model.layers[::2]
    network(axis, names, [layer.params["weight"] for layer in linear])
    top = axis.get_ylim()[1]
    for gap, layer in enumerate(linear):
        weights, biases = (param.numel() for param in layer.params.values())
        text = f"{weights} weights\n+ {biases} biases"
        axis.text(3 * gap + 1.5, top + 0.2, text, ha="center", color=DATA)
    axis.set_ylim(axis.get_ylim()[0], top + 1.1)
    total = sum(param.numel() for param in model.params.values())
    axis.set_title(f"{total} parameters; blue above zero, orange below")
    return figure


# %% [markdown]
# ## See it: raw numbers hurt
#
# Why did we standardise the house? Here is the same network with the raw numbers 2000,
# 3 and 20 beside it. The last three rows say how far the price moves with a weight of
# neuron 1a. (There is no loss yet, so this is $\partial\,\text{price} / \partial w$.)


# %% tags=["hide-input"]
@demo
def raw_scales_hurt() -> Table:
    """The house with raw inputs and with standardised ones"""
    model = mlp(3, 2, 2, 1)
    for layer, weight, bias in zip(model.layers[::2], WEIGHTS, BIASES, strict=True):
        layer.params = {"weight": torch.tensor(weight), "bias": torch.tensor(bias)}
    columns = []
    for x in houses():
        price = model.forward(x).item()
        model.backward(torch.ones(1, 1))
        products = (model.params["0.weight"] * x).abs()  # (2, 3) * (1, 3)
        shares = 100 * products[:, 0] / products.sum(1)
        slopes = model.grads["0.weight"][0]
        columns.append([price, *shares.tolist(), *slopes.tolist()])
    names = ["price, in $100,000", "share of size in sum 1a, %", "in sum 1b, %"]
    names += [f"∂price/∂w of 1a for {name}" for name in INPUTS]
    return Table(("", "raw", "standardised"), list(zip(names, *columns, strict=True)))


# %% [markdown]
# Raw, the price is $68 million, and signs and bias aside, 99 % of sum 1a is square
# feet. A tiny weight for the size would mend that. But learning moves each weight by a
# multiple of its slope. These are 1360 for the size and 2.04 for the bedrooms. A step
# that moves the weight for the bedrooms by 0.01 moves the one for the size by 6.7. No
# one learning rate suits both. Standardised, they are 0.544 and 0.34. Lesson 16
# measures the harm.
#
# ## See it: the network for digits
#
# This curriculum ends with a network that reads handwritten digits. A picture has
# 28 × 28 = 784 pixels: 784 inputs. There are ten digits: ten outputs. The 128 and 64
# hidden neurons in between are a choice.
#
# <details><summary>What do you expect: which of its three layers has the most
# parameters, and what share of all?</summary>
#
# The first, because it has the most inputs: 784 · 128 + 128 = 100,480 of 109,386, or
# 92 %.
#
# </details>


# %% tags=["hide-input"]
@demo
def digit_parameters_counted() -> Table:
    """784–128–64–10 has 109,386 parameters, counted layer by layer and by PyTorch"""
    rows: list[tuple[str, int, int, int]] = []
    modules = list(torch_mlp(*DIGITS))[::2]
    for (n_in, n_out), module in zip(pairwise(DIGITS), modules, strict=True):
        counted = sum(parameter.numel() for parameter in module.parameters())
        rows.append((f"{n_in}·{n_out} + {n_out}", n_in * n_out, n_out, counted))
    totals = [sum(column) for column in list(zip(*rows, strict=True))[1:]]
    rows.append(("all", *totals))
    return Table(("weights + biases", "weights", "biases", "nn.Linear"), rows)


# %% [markdown]
# **First weights** are random. Equal neurons, heard with equal weights, would get equal
# gradients and stay equal for ever. How large should they be? 784 inputs with a
# standard deviation of 1, and weights spread evenly between ±1, give sums with one near
# 16. The bound 1/√784 = 1/28 divides that by 28. With ±1/√n_in it is near 0.6 for any
# number of inputs. Lesson 14 asks whether that is good.
#
# Now let a 3 and a 7 go through. (The scans are scikit-learn's, 8 × 8 pixels. Each
# pixel is drawn as 3 × 3, with a rim of paper around.)


# %% tags=["hide-input"]
def two_scans() -> Tensor:
    """A 3 and a 7, enlarged: (2, 784), from 0 (paper) to 1 (ink)."""
    from sklearn.datasets import load_digits

    scans = load_digits().images[[3, 7]] / 16  # number 3 shows a 3, number 7 a 7
    small = torch.tensor(scans).to(torch.get_default_dtype())  # (2, 8, 8)
    images = torch.zeros(2, 28, 28)
    images[:, 2:26, 2:26] = small.repeat_interleave(3, 1).repeat_interleave(3, 2)
    return images.reshape(2, 784)


def draw_outputs(axis: Axes, outputs: Tensor) -> None:
    """Ten bars for each of two pictures. outputs: (2, 10)."""
    for row, (name, color) in enumerate((("the 3", OTHER[1]), ("the 7", OTHER[2]))):
        places = [digit + 0.4 * row - 0.2 for digit in range(10)]
        hatch = None if row == 0 else "///"
        look: dict[str, Any] = {"color": color, "edgecolor": "white", "hatch": hatch}
        axis.bar(places, outputs[row].tolist(), width=0.4, label=name, **look)
    axis.axhline(0, color="0.3", linewidth=0.8)
    axis.set(xlabel="output for the digit", xticks=range(10))
    axis.legend(frameon=False)


@demo
def digits_go_through() -> Figure:
    """784 pixels go in, ten numbers come out; untrained, they mean nothing yet"""
    figure, (left, right) = new_figure(1, 2, width=4.6, height=3.2)
    x = two_scans()
    sheet(left, x.view(2, 28, 28), columns=2, titles=("a 3", "a 7"))
    left.set_title("784 pixels each")
    draw_outputs(right, mlp(*DIGITS).forward(x))  # (2, 784) → (2, 10)
    right.set_title("ten numbers each")
    return figure


# %% [markdown]
# Both pictures give much the same bars, and the same one is the longest. (With other
# seeds it is another one, again the same for both.) No answer yet. Making the right bar
# the longest is called *training*. Lesson 06 judges these ten numbers, and begins to.
#
# ## See it: reading is fast, learning is slow
#
# To use a trained network is *inference*: one forward pass. Training takes forward and
# backward passes, for many pictures, many times. Forward has one matrix product for
# each layer. Backward has two of the same size, one for the weights and one for the
# input. So both passes cost three times as much as reading. The first layer, the
# largest, can do without the second product: 2.08 times.


# %% tags=["hide-input"]
def both_passes(model: Sequential, x: Tensor, slopes: Tensor, pixels: bool) -> None:
    """Forward and backward; with `pixels` also the slopes along the first input."""
    model.forward(x)
    for layer in reversed(model.layers[1:]):
        slopes = layer.backward(slopes)
    if pixels:
        model.layers[0].backward(slopes)
    else:
        model.layers[0].backward_params(slopes)


@demo
def reading_and_learning_timed() -> Table:
    """To learn from a picture costs two or three readings; then it adds up"""
    from torch.utils.benchmark import Timer

    names = {
        "model": mlp(*DIGITS),
        "x": torch.full((100, 784), 0.5),
        "slopes": torch.ones(100, 10),
        "both_passes": both_passes,
    }
    products = [2 * a * b for a, b in pairwise(DIGITS)]
    read = 100 * sum(products)
    lines = {
        "read 100": ("model.forward(x)", read),
        "both passes": ("both_passes(model, x, slopes, True)", 3 * read),
        "both, no slopes of pixels": (
            "both_passes(model, x, slopes, False)",
            3 * read - 100 * products[0],
        ),
    }
    found = []
    for name, (line, count) in lines.items():
        timer = Timer(line, globals=names).blocked_autorange(min_run_time=0.2)
        found.append((name, count, 1000 * timer.median))
    _, count, ms = found[-1]
    found.append(("60,000 pictures, ten times", 6000 * count, 6000 * ms))
    rows = [
        (name, f"{count:,}", count / read, f"{ms:,.3g}" if ms < 100 else f"{ms:,.0f}")
        for name, count, ms in found
    ]
    names_of_columns = ("multiplications and additions", "times the first", "ms")
    return Table(("", *names_of_columns), rows)


# %% [markdown]
# So one step of learning is no great burden. What makes learning slow is the number of
# steps: ten times through 60,000 pictures are 600,000 passes both ways, as much as
# reading 1.25 million pictures. Counts are exact; the times (in milliseconds) differ
# from computer to computer. Nobody waits for the last row here: it is the row above,
# times 6,000.
#
# ## They agree
#
# The layer with and without a bias, for any shapes; the loop; a whole network.
# `curriculum compare 4` shows all.

# %% tags=["hide-input"]
PAIRS = [
    layer_pair(
        "linear",
        lambda c: Linear(c.n_in, c.n_out),
        lambda c: nn.Linear(c.n_in, c.n_out),
    ),
    layer_pair(
        "linear, batch of one",
        lambda c: Linear(c.n_in, c.n_out),
        lambda c: nn.Linear(c.n_in, c.n_out),
        lambda c, name: c.tensor(name, 1, c.n_in),
    ),
    layer_pair(
        "linear without bias",
        lambda c: Linear(c.n_in, c.n_out, bias=False),
        lambda c: nn.Linear(c.n_in, c.n_out, bias=False),
    ),
    function_pair(
        "neuron by neuron = linear",
        neuron_by_neuron,
        nn.functional.linear,
        lambda c: c.tensor("x", c.batch, c.n_in),
        lambda c: c.tensor("weight", c.n_out, c.n_in),
        lambda c: c.tensor("bias", c.n_out),
    ),
    layer_pair(
        "mlp",
        lambda c: mlp(c.n_in, 7, 5, c.n_out),
        lambda c: torch_mlp(c.n_in, 7, 5, c.n_out),
    ),
]

# %% [markdown]
# Would a mistake show? Suppose somebody forgets the `.T`, in `forward` and, to match,
# on the way back.
#
# <details><summary>What do you expect, for a layer of 4 inputs and 3 neurons, and for
# one of 4 and 4?</summary>
#
# (batch, 4) @ (3, 4) is impossible, and PyTorch stops. But (batch, 4) @ (4, 4) is
# possible. Wrong numbers come out, and nothing stops.
#
# </details>


# %% tags=["hide-input"]
def linear_beside_torch(make: type[Linear]) -> Pair:
    """A linear layer held against PyTorch's."""
    return layer_pair(
        "linear", lambda c: make(c.n_in, c.n_out), lambda c: nn.Linear(c.n_in, c.n_out)
    )


@demo
def a_forgotten_transpose() -> Table:
    """A forgotten transpose: what differs from PyTorch"""

    class Forgotten(Linear):
        def forward(self, x: Tensor) -> Tensor:
            self.x = x
            return x @ self.params["weight"] + self.params["bias"]  # the bug

        def backward(self, grad_y: Tensor) -> Tensor:
            self.grads = {"weight": self.x.T @ grad_y, "bias": grad_y.sum(0)}
            return grad_y @ self.params["weight"].T

    rows = []
    for name, make in (("x @ W.T", Linear), ("x @ W", Forgotten)):
        cells = []
        for n_out in (3, 4):
            try:
                found = compare(linear_beside_torch(make), Case(n_in=4, n_out=n_out))
            except RuntimeError:
                cells.append("stops: shapes do not fit")
                continue
            wrong = [difference.name for difference in found if difference.problem]
            cells.append(", ".join(wrong) or "none")
        rows.append((name, *cells))
    return Table(("forward", "4 inputs, 3 neurons: differ", "4 and 4: differ"), rows)


# %% [markdown]
# The square layer is treacherous. It would even learn: it is a layer whose weights lie
# in columns. Only whoever loads PyTorch's weights into it gets nonsense. So the pairs
# draw shapes that are not square.
#
# ## Where PyTorch differs
#
# - `nn.Linear` takes any number of leading dimensions, (…, n_in). Ours takes exactly
#   (batch, n_in).
# - Its first weights are described as `kaiming_uniform_(a=√5)`. Written out, that is
#   ±1/√n_in.
# - PyTorch skips the gradient of the data unless asked. We skip it by calling
#   `backward_params` on the first layer.
#
# ## You can now
#
# - follow numbers through a network, and check every one of them;
# - say what each row and column of `x`, `weight` and `y` is, and count parameters;
# - find the slopes along weights, biases and inputs of a layer;
# - say why inputs are standardised, and why first weights are random.
#
# Exercises: `curriculum start 04c` (a network on paper: predict, then check),
# `curriculum start 04b` (find the bug: a layer that brings its activation) and
# `curriculum start 04a` (a layer with a scale for each neuron); `curriculum check 04c`
# says how far you are.
#
# Next: the network says something, and it is wrong. Lesson 05 measures how wrong.
