# %% [markdown]
# # Lesson 04 · Layers and the forward pass
#
# *How do many neurons become a layer, and many layers a network?*
#
# Needs: lessons 01, 03 · Time: 25 minutes

# %%
import math
from itertools import pairwise
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.contracts import used_once
from curriculum.demo import demo
from curriculum.draw import OTHER, new_figure
from curriculum.pair import function_pair, layer_pair
from curriculum.table import Table
from lessons.lesson01_neuron import Neuron
from lessons.lesson03_activations import ReLU

DIGITS = (784, 128, 64, 10)  # the sizes of the network at the end

# %% [markdown]
# ## The idea
#
# One neuron gives one number. For more numbers, show the same inputs to more neurons. That is a *layer*.
# Its neurons need nothing from each other: they can all work at once. Take the neuron of lesson 01, with
# weights 0.9 and −0.4 and bias 0.1, and put a second one beside it, with weights −0.3 and 0.6 and bias 0.2.
# Write the weights as rows, one row per neuron:
#
# ```python
# >>> weight, bias = torch.tensor([[0.9, -0.4], [-0.3, 0.6]]), torch.tensor([0.1, 0.2])
# >>> torch.tensor([[0.8, 0.5]]) @ weight.T + bias
# tensor([[0.6200, 0.2600]])
# ```
#
# The first number is the 0.62 of lesson 01, the second is −0.24 + 0.3 + 0.2. One matrix product asked both
# neurons. A third neuron is a third row of weights, a second example a second row of $x$.
#
# $$y = x\,W^\top + b$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `x` | (batch, n_in) | the inputs, one example per row |
# | $W$ | `weight` | (n_out, n_in) | row $j$ holds the weights of neuron $j$ |
# | $b$ | `bias` | (n_out,) | one bias per neuron |
# | $y$ | `y` | (batch, n_out) | column $j$ is the output of neuron $j$ |
#
# A *network* is layers one after the other: the outputs of one are the inputs of the next. Running through
# it from first to last is the *forward pass*.
#
# ## From scratch


# %%
def neuron_by_neuron(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The long way, lesson 01's neurons one after the other: x (batch, n_in) → y (batch, n_out)."""
    neurons = [Neuron(x.shape[1]) for _ in bias]
    for neuron, w, b in zip(neurons, weight, bias, strict=True):
        neuron.params = {"weight": w[None], "bias": b[None]}  # (1, n_in) and (1,)
    return torch.cat([neuron.forward(x) for neuron in neurons], dim=1)


class Linear:
    """The short way: `n_out` neurons that look at the same `n_in` inputs, y = x Wᵀ + b.

    x: (batch, n_in) → y: (batch, n_out). `params`: weight (n_out, n_in) and bias (n_out,), drawn evenly
    between ±1/√n_in, as `nn.Linear` does. Without `bias`: y = x Wᵀ.
    """

    def __init__(self, n_in: int, n_out: int, bias: bool = True) -> None:
        bound = 1 / math.sqrt(n_in)
        self.params = {"weight": torch.empty(n_out, n_in).uniform_(-bound, bound)}
        if bias:
            self.params["bias"] = torch.empty(n_out).uniform_(-bound, bound)
        self.grads: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        if "bias" not in self.params:
            return x @ self.params["weight"].T
        # bias + x @ weight.T in one pass: (batch, n_in) @ (n_in, n_out) → (batch, n_out)
        return torch.addmm(self.params["bias"], x, self.params["weight"].T)

    def backward(self, grad_y: Tensor) -> Tensor:
        """∂L/∂x. One input and one neuron: y = w·x + b, so ∂y/∂x = w.

        In a layer, xᵢ reaches every neuron j, through the weight Wⱼᵢ. Its effects on L add up:
        ∂L/∂xᵢ = Σⱼ ∂L/∂yⱼ · Wⱼᵢ. The sum over j is the matrix product grad_y @ weight.
        """
        self.backward_params(grad_y)
        return (
            grad_y @ self.params["weight"]
        )  # (batch, n_out) @ (n_out, n_in) → (batch, n_in)

    def backward_params(self, grad_y: Tensor) -> None:
        """Only ∂L/∂weight and ∂L/∂bias: all that a first layer needs, whose input is data.

        One input and one neuron: ∂y/∂w = x and ∂y/∂b = 1. In a layer, Wⱼᵢ touches only xᵢ and yⱼ, so
        ∂L/∂Wⱼᵢ = ∂L/∂yⱼ · xᵢ. The sum over the examples of a batch is the matrix product grad_yᵀ @ x.
        """
        self.grads = {
            "weight": grad_y.T @ self.x
        }  # (n_out, batch) @ (batch, n_in) → (n_out, n_in)
        if "bias" in self.params:
            self.grads["bias"] = grad_y.sum(0)  # (batch, n_out) → (n_out,)


class Sequential:
    """Layers one after the other. `params` and `grads` are named "0.weight", "0.bias", "2.weight", …"""

    def __init__(self, *layers: Any) -> None:
        used_once(layers)  # a layer in two places would remember only the second
        self.layers = layers

    @property
    def params(self) -> dict[str, Tensor]:
        return {
            f"{i}.{name}": p
            for i, layer in enumerate(self.layers)
            for name, p in layer.params.items()
        }

    @property
    def grads(self) -> dict[str, Tensor]:
        return {
            f"{i}.{name}": g
            for i, layer in enumerate(self.layers)
            for name, g in layer.grads.items()
        }

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad_y: Tensor) -> Tensor:
        """One number: y = f₃(f₂(f₁(x))), so ∂L/∂x = ∂L/∂y · f₃′ · f₂′ · f₁′, last layer first (lesson 08)."""
        for layer in reversed(self.layers):
            grad_y = layer.backward(grad_y)
        return grad_y


def mlp(*sizes: int, seed: int = 0) -> Sequential:
    """`Linear` layers with a `ReLU` between any two. mlp(4, 3, 2): 4 inputs, 3 hidden neurons, 2 outputs."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [
            layer
            for n_in, n_out in pairwise(sizes)
            for layer in (Linear(n_in, n_out), ReLU())
        ]
    return Sequential(*layers[:-1])


# %% [markdown]
# MLP is short for *multilayer perceptron*; perceptron is an old word for a neuron. The layers between input
# and output are called *hidden*. After the last one there is no ReLU: an output may be negative.
#
# ## The same with PyTorch


# %%
def torch_mlp(*sizes: int, seed: int = 0) -> nn.Sequential:
    """The same with `nn.Linear` and `nn.ReLU`. The same seed draws the same first weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [
            layer
            for n_in, n_out in pairwise(sizes)
            for layer in (nn.Linear(n_in, n_out), nn.ReLU())
        ]
    return nn.Sequential(*layers[:-1])


@demo
def layers_three_ways() -> Table:
    """A layer is many neurons, a network is f₃(f₂(f₁(x))): three ways, the same numbers"""
    x, network, reference = (
        torch.tensor([[0.8, 0.5, -1.0]]),
        mlp(3, 4, 2),
        torch_mlp(3, 4, 2),
    )
    f1, f2, f3 = network.layers
    hidden = neuron_by_neuron(x, **f1.params), f1.forward(x), reference[0](x)
    y = (
        neuron_by_neuron(f2.forward(hidden[0]), **f3.params),
        network.forward(x),
        reference(x),
    )
    rows = [
        (f"layer f₁, neuron {j + 1}", *(way[0, j].item() for way in hidden))
        for j in range(4)
    ]
    rows += [
        (f"f₃(f₂(f₁(x))), output {j + 1}", *(way[0, j].item() for way in y))
        for j in range(2)
    ]
    return Table(("", "loop", "matrix product", "torch.nn"), rows)


# %% [markdown]
# ## See it: four, four, two
#
# In the usual drawing every number is a circle and every weight a line. Each circle is joined to all circles
# of the next layer. Biases are not drawn, and are easily forgotten when one counts.


# %%
def draw_network(
    axis: Any, sizes: Any, weights: Any = None, labels: Any = None
) -> None:
    """Draw layers as columns of circles on a matplotlib axis, and weights as lines between them.

    sizes: circles per column, inputs first. weights: one (n_out, n_in) per gap; amber is positive, purple
    negative, thick large. labels: per column, a short text for each circle.
    """
    columns = [
        [(column, (size - 1) / 2 - row) for row in range(size)]
        for column, size in enumerate(sizes)
    ]
    largest = (
        max((weight.abs().max().item() for weight in weights or ()), default=0) or 1
    )
    for gap, (before, after) in enumerate(pairwise(columns)):
        for i, (x0, y0) in enumerate(before):
            for j, (x1, y1) in enumerate(after):
                value = weights[gap][j, i].item() if weights else 0.0
                color = OTHER[0] if value > 0 else OTHER[1] if value < 0 else "0.7"
                axis.plot(
                    (x0, x1),
                    (y0, y1),
                    color=color,
                    linewidth=0.5 + 4 * abs(value) / largest,
                    zorder=1,
                )
    for column, places in enumerate(columns):
        for row, (x, y) in enumerate(places):
            axis.plot(
                x, y, "o", color="white", markeredgecolor="0.2", markersize=30, zorder=2
            )
            axis.text(
                x,
                y,
                labels[column][row] if labels else "",
                ha="center",
                va="center",
                fontsize=9,
            )
    axis.set(xlim=(-0.3, len(sizes) - 0.7), ylim=(-max(sizes) / 2, max(sizes) / 2))
    axis.axis("off")


@demo
def picture_of_4_4_2() -> Figure:
    """Four inputs, four hidden neurons, two outputs: 30 parameters"""
    network = mlp(4, 4, 2)
    labels = [["x₁", "x₂", "x₃", "x₄"], ["h₁", "h₂", "h₃", "h₄"], ["y₁", "y₂"]]
    figure, axis = new_figure(width=6.5, height=4.6)
    draw_network(
        axis,
        (4, 4, 2),
        [layer.params["weight"] for layer in network.layers[::2]],
        labels,
    )
    for gap, layer in enumerate(network.layers[::2]):
        weights, biases = (param.numel() for param in layer.params.values())
        axis.text(
            gap + 0.5,
            1.95,
            f"{weights} weights\n+ {biases} biases",
            ha="center",
            va="center",
        )
    axis.set(
        title=f"{sum(param.numel() for param in network.params.values())} parameters",
        ylim=(-2.1, 2.2),
    )
    for color, name in zip(OTHER, ("positive weight", "negative weight"), strict=False):
        axis.plot([], [], color=color, linewidth=3, label=name)
    axis.legend(frameon=False, loc="lower right")
    return figure


# %% [markdown]
# ## See it: the price of a house
#
# A house has 2000 square feet, 3 bedrooms and is 20 years old. What does it cost? We follow the numbers
# through two hidden layers of two neurons, 1a, 1b and 2a, 2b. The small weights are set by hand. The price is
# in units of $100,000. First each input is *standardised*: take away the mean of many houses and divide
# by their standard deviation, the typical distance from that mean. Say houses have 1600 ± 500 square feet,
# 2.5 ± 1 bedrooms and 35 ± 20 years. Then ours is at 0.8, 0.5 and −0.75, and neuron 1a adds up
# 0.5 · 0.8 + 0.4 · 0.5 + 0.2 · 0.75 + 0.1 = 0.85. Beside it, the same network gets the raw numbers.


# %%
@demo
def house_price_traced() -> Table:
    """From 2000 square feet, 3 bedrooms, 20 years to a price, value by value"""
    house, mean, deviation = torch.tensor(
        [[2000.0, 3, 20], [1600, 2.5, 35], [500, 1, 20]]
    ).split(1)
    network = mlp(3, 2, 2, 1)
    weights = (
        [[0.5, 0.4, -0.2], [-0.2, 0.1, 0.6]],
        [[0.6, -0.3], [0.5, 0.8]],
        [[0.8, 0.4]],
    )
    biases = [0.1, 0.2], [0.1, -0.2], [3.0]
    for layer, weight, bias in zip(network.layers[::2], weights, biases, strict=True):
        layer.params = {"weight": torch.tensor(weight), "bias": torch.tensor(bias)}
    names = ["size", "bedrooms", "age", "sum 1a", "sum 1b", "ReLU 1a", "ReLU 1b"]
    names += [
        "sum 2a",
        "sum 2b",
        "ReLU 2a",
        "ReLU 2b",
        "price",
        "share of size in sum 1a, %",
        "in sum 1b, %",
    ]
    names += ["gradient of 1a's weight for size", "for bedrooms", "for age"]
    columns = []
    for x in (house, (house - mean) / deviation):
        products, values = (
            (network.params["0.weight"] * x).abs(),
            x[0].tolist(),
        )  # products: (2, 3)
        for layer in network.layers:
            x = layer.forward(x)
            values += x[0].tolist()
        values += (100 * products[:, 0] / products.sum(1)).tolist()
        network.backward(torch.ones(1, 1))
        columns.append(values + network.grads["0.weight"][0].tolist())
    return Table(("", "raw", "standardised"), list(zip(names, *columns, strict=True)))


# %% [markdown]
# The price is 3.578, or $357,800. Raw inputs give $68 million; signs and bias aside, 99 % of sum 1a is square
# feet. A tiny weight for the size would mend that. But learning moves a weight by a multiple of its gradient,
# here 1360 for the size and 2.04 for the bedrooms. No one step suits both. Lesson 16 measures the harm.
#
# ## See it: the network for digits
#
# This curriculum ends with a network that reads handwritten digits. A picture has 28 × 28 = 784 pixels: 784
# inputs. There are ten digits: ten outputs. The 128 and 64 hidden neurons in between are a choice.
#
# First weights are random, since equal neurons would get equal gradients and stay equal. How large? For 784
# inputs with a standard deviation of 1, weights spread evenly between ±1 give sums with a standard deviation
# near 16. The bound ±1/√784 divides that by 28. With ±1/√n_in it is near 0.6 for any number of inputs.


# %%
@demo
def digit_parameters_counted() -> Table:
    """784–128–64–10 has 109,386 parameters, counted layer by layer and by PyTorch"""
    rows: list[tuple[str, int, int, int]] = []
    for (n_in, n_out), module in zip(
        pairwise(DIGITS), list(torch_mlp(*DIGITS))[::2], strict=True
    ):
        counted = sum(parameter.numel() for parameter in module.parameters())
        rows.append((f"{n_in}·{n_out} + {n_out}", n_in * n_out, n_out, counted))
    rows.append(("all", *(sum(column) for column in list(zip(*rows, strict=True))[1:])))
    return Table(("weights + biases", "weights", "biases", "nn.Linear"), rows)


@demo
def digits_go_through() -> Figure:
    """784 pixels go in, ten numbers come out; untrained, they mean nothing yet"""
    from sklearn.datasets import load_digits

    figure, axes = new_figure(1, 3, width=3.3)
    for place, digit in enumerate((3, 7)):  # scan number 3 shows a 3, scan number 7 a 7
        scan = torch.tensor(
            load_digits().images[digit] / 16
        ).float()  # (8, 8), from 0 (paper) to 1 (ink)
        image = nn.functional.interpolate(scan[None, None], (28, 28), mode="bilinear")
        y = (
            mlp(*DIGITS).forward(image.reshape(1, 784))[0].tolist()
        )  # (1, 784) → (1, 10)
        axes[place].imshow(image[0, 0].numpy(), cmap="gray_r")
        axes[place].set(title=f"a {digit}", xticks=[], yticks=[])
        bars = [output + 0.4 * place - 0.2 for output in range(10)]
        axes[2].bar(bars, y, width=0.4, color=OTHER[place], label=f"for the {digit}")
    axes[2].axhline(0, color="0.3", linewidth=0.8)
    axes[2].set(title="the ten outputs", xlabel="output for digit", xticks=range(10))
    axes[2].legend(frameon=False)
    return figure


# %% [markdown]
# The scans come with scikit-learn, 8 × 8 pixels, enlarged here. Both give much the same bars, the largest
# at 0: no answer yet. Making the right bar the largest is called *training*.
#
# ## See it: reading is fast, learning is slow
#
# To use a trained network is *inference*: one forward pass per picture. Training takes forward and backward
# passes for many pictures, many times. Count the multiplications and additions in the matrix products:
# 218,368 forward for one picture. Backward has two products of that size per layer, one for the weights, one
# for the input. Both passes together take 655,104, exactly 3 times as many. The first layer's input is data
# and can do without its gradient; that leaves 454,400, or 2.08 times. So one step of learning is no great
# burden. The number of steps is: ten times through 60,000 pictures costs as much as reading 1,800,000. Counts
# are exact, times differ from run to run. Changing the weights is left out. Nobody waits for the last row: it
# is the row above, times 6000.


# %%
@demo
def reading_and_learning_timed() -> Table:
    """Reading one picture is quick; learning from 60,000 of them, ten times over, is not"""
    from torch.utils.benchmark import Timer

    names = {
        "network": mlp(*DIGITS),
        "x": torch.full((100, 784), 0.5),
        "slopes": torch.ones(100, 10),
    }
    code = {
        "read 1": "network.forward(x[:1])",
        "read 100 at once": "network.forward(x)",
    }
    code["learn from 100"] = "network.forward(x); network.backward(slopes)"
    timers = {name: Timer(line, globals=names) for name, line in code.items()}
    ms = {
        name: 1000 * timer.blocked_autorange(min_run_time=0.2).median
        for name, timer in timers.items()
    }
    ms["learn from 60,000, ten times"] = 6000 * ms["learn from 100"]
    return Table(
        ("pictures", "ms", "times the first"),
        [(k, t, t / ms["read 1"]) for k, t in ms.items()],
    )


# %% [markdown]
# ## They agree

# %%
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
# ## Where PyTorch differs
#
# - `nn.Linear` takes any number of leading dimensions, (…, n_in). Ours takes exactly (batch, n_in).
# - Its first weights are described as `kaiming_uniform_(a=√5)`. Written out, that is ±1/√n_in.
# - PyTorch skips the gradient of the data unless asked. We skip it by `backward_params` on the first layer.
#
# Next: the ten numbers mean nothing yet. Lesson 05 measures how wrong they are.
