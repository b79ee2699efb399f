# %% [markdown]
# # Lesson 14 · Starting weights
#
# *How large should the first weights be, and why does a deep network care?*
#
# Needs: lessons 01, 03, 04, 06, 07, 08, 11, 12 · Time: 20 minutes

# %%
import math
from functools import cache, partial
from itertools import pairwise
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.contracts import shaped
from curriculum.data import load
from curriculum.demo import demo
from curriculum.draw import new_figure
from curriculum.drawings import curves
from curriculum.pair import Case, Pair, Results
from curriculum.table import Table
from lessons.lesson01_neuron import Sigmoid
from lessons.lesson03_activations import ReLU, Tanh
from lessons.lesson04_layers import Linear, Sequential
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import SGD, loss_and_grads
from lessons.lesson11_training import accuracy, fit
from lessons.lesson12_optimizers import Adam

# %% [markdown]
# ## One neuron, on paper
#
# So far we drew the first weights and did not ask how large they should be. With two or
# three layers that is fine. With ten it decides whether anything is learned.
#
# Take a neuron with four inputs, each of them 1. Its weights are +½ or −½, by the toss
# of a coin. There are 16 ways for the four coins to fall:
#
# | sum | −2 | −1 | 0 | 1 | 2 |
# |---|---|---|---|---|---|
# | ways | 1 | 4 | 6 | 4 | 1 |
#
# How large is the sum, typically? Its mean says nothing: it is 0. The mean of its
# *square* does: (1·4 + 4·1 + 6·0 + 4·1 + 1·4) / 16 = 1. The inputs had mean square 1,
# too. So this neuron hands on numbers as large as those it was given. With weights ±1
# the mean square would be 4, with ±¼ it would be ¼.
#
# The rule behind it, for a sum $z$ of $n$ inputs and random weights around 0:
#
# $$\mathrm{mean}(z^2) = n \cdot \mathrm{Var}(w) \cdot \mathrm{mean}(x^2)$$
#
# Var is the *variance*: the mean squared distance from the mean. Here it is ¼, and
# 4 · ¼ · 1 = 1. Why no more terms? Squaring $z$ also gives products like
# $w_1 x_1 \cdot w_2 x_2$. The signs of $w_1$ and $w_2$ are independent, so half of
# these are positive, half negative, and on average they cancel.
#
# ## Many layers multiply
#
# In a deep network each layer's outputs are the next one's inputs. So each layer
# multiplies the mean square by its factor $n \cdot \mathrm{Var}(w)$. Factors that are a
# little off become huge: $0.9^{50} = 0.005$ and $1.1^{50} = 117$.
#
# The curve behind the sum counts as well. ReLU sets the negative half of the sums to 0
# and keeps the other half: it halves the mean square.
#
# Backwards it is the same (lesson 08). The gradient passes the same weights and the
# same curves, in the other direction. It shrinks to nothing, it *vanishes*, if the
# factors are below 1. It *explodes* if they are above.
#
# <details><summary>What do you expect? Lesson 04's start draws weights evenly between
# −1/√n and 1/√n. That has the variance 1/(3n). With ReLU behind each layer, how long is
# the gradient 48 layers further back?</summary>
#
# Each layer leaves n · 1/(3n) · ½ = 1/6 of the mean square. Of the length that is its
# root. After 48 layers: $(1/6)^{24} = 2 \cdot 10^{-19}$ of it is left.
#
# </details>
#
# ## From scratch: the right size
#
# We want the factor 1. Without ReLU that takes the variance 1/n on the way forward,
# where $n = n_{in}$ inputs are added. On the way back a neuron adds what comes from
# $n_{out}$ neurons, so there it takes $1/n_{out}$. Both at once is possible only if the
# two are equal. Glorot & Bengio (2010, AISTATS) take the middle,
# $2/(n_{in} + n_{out})$. PyTorch calls it *Xavier*, by the first name of Glorot.
#
# With ReLU we need twice as much, to make up for the lost half: $2/n_{in}$. This is
# from He et al. (2015, arXiv:1502.01852), and PyTorch calls it *Kaiming*, by the first
# name of He.
#
# The shape of the draw does not matter, only its variance. The bell curve (`normal`)
# has the variance that we ask for. Numbers drawn evenly between −b and b have the
# variance
# $b^2/3$, so $b = \sqrt{3 \, \mathrm{Var}}$.


# %%
def xavier_uniform_(weight: Tensor, gain: float = 1.0) -> Tensor:
    """Fill in place, evenly, with the variance gain² · 2 / (n_in + n_out).

    Args:
        weight: (n_out, n_in).
    """
    deviation = gain * math.sqrt(2.0 / (fan(weight, "fan_in") + fan(weight, "fan_out")))
    bound = math.sqrt(3.0) * deviation
    return weight.uniform_(-bound, bound)


def xavier_normal_(weight: Tensor, gain: float = 1.0) -> Tensor:
    """The same variance, from the bell curve."""
    deviation = gain * math.sqrt(2.0 / (fan(weight, "fan_in") + fan(weight, "fan_out")))
    return weight.normal_(0, deviation)


def kaiming_uniform_(weight: Tensor, a: float = 0.0, mode: str = "fan_in") -> Tensor:
    """Fill in place, evenly, with the variance 2 / (1 + a²) / n_in.

    Args:
        weight: (n_out, n_in).
        a: the slope of the activation function below 0; of ReLU 0.
        mode: "fan_out" takes n_out in place of n_in: gradients keep their size.
    """
    deviation = math.sqrt(2.0 / (1 + a**2)) / math.sqrt(fan(weight, mode))
    bound = math.sqrt(3.0) * deviation
    return weight.uniform_(-bound, bound)


def kaiming_normal_(weight: Tensor, a: float = 0.0, mode: str = "fan_in") -> Tensor:
    """The same variance, from the bell curve."""
    deviation = math.sqrt(2.0 / (1 + a**2)) / math.sqrt(fan(weight, mode))
    return weight.normal_(0, deviation)


def fan(weight: Tensor, mode: str) -> int:
    """The neurons before ("fan_in") or behind ("fan_out") a weight (n_out, n_in)."""
    shaped("weight", weight, ("n_out", "n_in"))
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode is {mode!r}; expected 'fan_in' or 'fan_out'")
    return weight.shape[1] if mode == "fan_in" else weight.shape[0]


# %% [markdown]
# The underscore at the end is PyTorch's sign for "changes its argument in place". Try
# one: 100 weights per neuron, so Kaiming's variance is 2/100.
#
# ```python
# >>> _ = torch.manual_seed(0)
# >>> round(kaiming_normal_(torch.empty(500, 100)).var().item(), 3)
# 0.02
# ```
#
# ## The same with PyTorch
#
# The functions are there under the same names, as `nn.init.kaiming_normal_` and so on.
# With the same seed they draw the same weights to the last bit.
#
# ## See it: three things to watch
#
# We stack 50 layers of 32 neurons, show the network 128 scanned digits, and watch three
# things, layer by layer, before any training:
#
# 1. **Size**: the root of the mean square of the activations.
# 2. **Similarity**: how alike two *different* digits have become. We take the cosine of
#    the angle between their activations, on average over all pairs. At 1 they point
#    the same way, and no later layer can tell them apart by direction.
# 3. **Gradient**: the length of $\partial L/\partial W$ of the layer.
#
# All of it in float64: float32 loses digits below $10^{-38}$, and we shall get there.


# %%
def stack(
    activation: Any,
    init: Any = None,
    sizes: tuple[int, ...] = (784, 32, 10),
    seed: int = 0,
) -> Sequential:
    """Linear layers with an activation function between them.

    Args:
        init: one of the functions above, for all weights, with biases at 0. None keeps
            the start of lesson 04, weights and biases.
        sizes: numbers per layer, the inputs first.
    """
    layers: list[Any] = []
    with torch.random.fork_rng():  # other random numbers stay as they were
        torch.manual_seed(seed)
        for n_in, n_out in pairwise(sizes):
            linear = Linear(n_in, n_out)
            if init:
                init(linear.params["weight"])
                linear.params["bias"].zero_()
            layers += [linear, activation()]
    return Sequential(*layers[:-1])  # the last layer's outputs are logits


def sizes_of(depth: int) -> tuple[int, ...]:
    """784 pixels, 32 neurons in each hidden layer, 10 digits."""
    return 784, *[32] * (depth - 1), 10


def similarity(h: Tensor) -> float:
    """Mean cosine of the angle between two different rows of h (batch, n)."""
    unit = h / h.norm(dim=1, keepdim=True)
    cosines = unit @ unit.T  # (batch, batch); each row with itself has 1
    count = len(h)
    return ((cosines.sum() - count) / (count * (count - 1))).item()


# %% tags=["hide-input"]
STARTS: dict[str, tuple[Any, Any]] = {
    "sigmoid, lesson 04's start": (Sigmoid, None),
    "ReLU, lesson 04's start": (ReLU, None),
    "ReLU, Kaiming": (ReLU, kaiming_normal_),
}
digits = cache(partial(load, "digits"))


@cache
def watched(name: str) -> tuple[list[float], list[float], list[float]]:
    """Size and similarity of 49 activations, and 50 gradients' lengths."""
    x, target = digits().train
    x, target = x[:128].double(), target[:128]
    with Case().defaults():  # float64
        network = stack(*STARTS[name], sizes_of(50))
        grads = loss_and_grads(network, CrossEntropyLoss(), x, target)[1]
    sizes, alike = [], []
    for index, layer in enumerate(network.layers):
        x = layer.forward(x)
        if index % 2:  # behind the activation function
            sizes.append(x.square().mean().sqrt().item())
            alike.append(similarity(x))
    return (
        sizes,
        alike,
        [g.norm().item() for key, g in grads.items() if "weight" in key],
    )


@demo
def layer_by_layer() -> Figure:
    """50 layers before training: size, similarity of two digits, gradient"""
    figure, axes = new_figure(1, 3, width=3.0, height=3.6)
    titles = (
        "size of the activations",
        "similarity of two digits",
        "length of the gradient",
    )
    for place, (axis, title) in enumerate(zip(axes, titles, strict=True)):
        found = {name: watched(name)[place] for name in STARTS}
        curves(axis, found, across="layer (1: next to the pixels)", upwards=title)
        axis.get_legend().remove()
    axes[0].set_yscale("log")
    axes[2].set_yscale("log")
    names = axes[0].get_legend_handles_labels()
    figure.legend(*names, loc="outside upper center", ncols=3)
    return figure


# %% [markdown]
# Read the three panels from left to right.
#
# **Sigmoid** looks fine in the first panel: the activations keep their size, about ½.
# But in the second the similarity is 1 almost at once. Every digit gives the same
# numbers, so the size says nothing. The third panel shows the price: the gradient of
# layer 50 has the length 0.4, that of layer 1 some $10^{-42}$.
#
# We could have told that beforehand. A sigmoid's slope is at most ¼, so each layer
# leaves $(1/4)^2$ of the mean square at best, times ⅓ for the weights. The length is
# the root of that, so 48 layers take the 24th power:
# $(1/16 \cdot 1/3)^{24} \cdot 0.4 = 1.8 \cdot 10^{-41}$. Six seeds gave
# between $2 \cdot 10^{-42}$ and $1 \cdot 10^{-41}$: a little less, because not every
# sum is at 0, where the slope is largest.
#
# **ReLU from lesson 04's start**: its activations shrink until only the biases are
# left, and those are the same for all digits. Its gradient vanishes as well.
#
# **Kaiming** keeps the gradient within a factor of a hundred over all 50 layers, where
# the others lose twenty and forty powers of ten. Its sizes wander, because 32 neurons
# are few to take a mean of. Similarity still creeps up: behind layer 1 it is 0.7 to
# 0.9, behind layer 49 it is 0.9 to 1.0 (six seeds). A good start makes deep networks
# possible. It does not make them easy. Lesson 15 adds what does.
#
# ## See it: who learns at ten layers
#
# Sizes are a means; learning is the aim. Ten layers, ten passes over 1,197 digits,
# plain descent at three rates, and Adam (lesson 12) at 0.001. Below is the share of
# *unseen* digits that are read rightly. Guessing gets 10 %. For tanh, which halves
# nothing, Xavier is the right size.
#
# <details><summary>What do you expect? Adam divides each gradient by its typical size.
# Can it do without a good start?</summary>
#
# In part. A small gradient is no hindrance for it, so it learns where plain descent
# stands still. But it gets less far than from a good start: that two digits look alike
# behind the last layer is nothing that an optimiser can divide away.
#
# </details>


# %%
def learned(
    activation: Any,
    init: Any,
    lr: float,
    seed: int = 0,
    make: Any = SGD,
    depth: int = 10,
) -> float:
    """Validation accuracy of a network of ten layers after ten epochs."""
    network = stack(activation, init, sizes_of(depth), seed)
    optimizer = make(network.params, lr)
    generator = torch.Generator().manual_seed(seed)
    fit(network, CrossEntropyLoss(), optimizer, *digits().train, 10, 64, generator)
    x, target = digits().val
    return accuracy(network.forward(x), target)


# %% tags=["hide-input"]
RATES = (0.01, 0.03, 0.1)
TEN_LAYERS: dict[str, tuple[Any, Any]] = {
    "ReLU, lesson 04's start": (ReLU, None),
    "ReLU, Kaiming": (ReLU, kaiming_normal_),
    "tanh, lesson 04's start": (Tanh, None),
    "tanh, Xavier": (Tanh, xavier_normal_),
}


@demo
def ten_layers() -> Table:
    """Ten layers after ten epochs: unseen digits read rightly, seed 0"""
    rows = []
    for name, (activation, init) in TEN_LAYERS.items():
        right = [f"{learned(activation, init, lr):.0%}" for lr in RATES]
        right.append(f"{learned(activation, init, 0.001, make=Adam):.0%}")
        rows.append((name, *right))
    return Table(("network", *(f"rate {lr}" for lr in RATES), "Adam 0.001"), rows)


# %% [markdown]
# From lesson 04's start ReLU learns nothing, at any of these rates; tanh reaches 25 %
# at best. From the right start and at the best of the rates, ReLU reads 74 to 91 % and
# tanh 89 to 95 % (five seeds, on CPUs with and without vector instructions; the tests
# repeat this). At rate 0.03 one ReLU network of five stayed at 37 %: learning at ten
# layers is possible now, and still a matter of luck.
#
# **Adam** makes up for a part of the wrong start: ReLU reads some 40 % from it, tanh
# some 75 to 80 %. From the right start it reads 90 to 96 % with both, and needs less
# luck than plain descent.
#
# Two limits, to be honest (three seeds each). With three layers all of these read 92 %
# or more at their best rate, and the start hardly matters. With forty layers nothing
# that we tried reads more than 15 % from lesson 04's start, Adam and momentum included.
# From the right start it depends on the curve and the optimiser: ReLU stays below 60 %
# with either, tanh with Adam gets to 78 to 87 %.
#
# ## See it: a forgotten root
#
# A classic mistake is to take the variance for the deviation: `normal_(0, 2 / n)` in
# place of `normal_(0, sqrt(2 / n))`. Nothing crashes. What would show it?


# %%
def kaiming_without_root_(weight: Tensor) -> Tensor:
    """Wrong on purpose."""
    return weight.normal_(0, 2.0 / fan(weight, "fan_in"))


# %% tags=["hide-input"]
@demo
def the_forgotten_root() -> Table:
    """One mistake, three ways to see it"""
    rows = []
    for name, init in (
        ("right", kaiming_normal_),
        ("root forgotten", kaiming_without_root_),
    ):
        drawn = []
        for fill in (init, nn.init.kaiming_normal_):
            with torch.random.fork_rng():
                torch.manual_seed(0)
                drawn.append(fill(torch.empty(32, 32)))
        off = (drawn[0] - drawn[1]).abs().max().item()
        h = digits().train.x[:128]
        for layer in stack(ReLU, init, sizes_of(10)).layers[:-1]:
            h = layer.forward(h)
        rows.append(
            (
                name,
                off,
                h.square().mean().sqrt().item(),
                f"{learned(ReLU, init, 0.03):.0%}",
            )
        )
    names = ("", "largest difference to torch", "size behind layer 9", "read rightly")
    return Table(names, rows)


# %% [markdown]
# Comparing with PyTorch finds it before anything is trained. So does a look at the
# sizes.
#
# ## They agree
#
# Each start is drawn twice with one seed, by our function and by `nn.init`'s, and the
# weights are compared. `curriculum compare 14` shows every one.


# %% tags=["hide-input"]
def filled(fill: Any, case: Case) -> Results:
    """A weight (n_out, n_in), drawn with the seed of the case."""
    with torch.random.fork_rng():
        torch.manual_seed(case.seed)
        return {"weight": fill(torch.empty(case.n_out, case.n_in))}


INITS: dict[str, dict[str, Any]] = {
    "xavier_uniform_": {},
    "xavier_normal_": {},
    "kaiming_uniform_": {},
    "kaiming_normal_": {},
    "kaiming_uniform_, to the back": {"mode": "fan_out"},
    "kaiming_normal_, leaky": {"mode": "fan_out", "a": 0.2},
}
OURS: dict[str, Any] = {
    "xavier_uniform_": xavier_uniform_,
    "xavier_normal_": xavier_normal_,
    "kaiming_uniform_": kaiming_uniform_,
    "kaiming_normal_": kaiming_normal_,
}
PAIRS = [
    Pair(
        name,
        partial(filled, partial(OURS[name.split(",")[0]], **options)),
        partial(filled, partial(getattr(nn.init, name.split(",")[0]), **options)),
    )
    for name, options in INITS.items()
]

# %% [markdown]
# <details><summary>More: a popular account of deep sigmoids</summary>
#
# Some texts let early gradients *grow* in deep sigmoid stacks. From the default start
# they vanish, as above. They grow if the weights are 20 times as large or more: then
# most sigmoids sit near 0 or 1, and those few that do not hand on huge slopes. ReLU
# with weights around ±1 has gradients of 10³¹ in all 50 layers.
#
# </details>
#
# ## Where PyTorch differs
#
# - `nn.Linear` starts with `kaiming_uniform_(weight, a=√5)`, which is lesson 04's
#   ±1/√n in other words, not the Kaiming of this lesson. For deep networks call
#   `nn.init` yourself.
# - `nn.init.calculate_gain("tanh")` gives 5/3, a little more than the 1 used here: tanh
#   flattens large sums, and the gain makes up for it.
#
# ## You can now
#
# - say what a layer does to the size of numbers, from $n \cdot \mathrm{Var}(w)$;
# - choose a start: Kaiming before ReLU, Xavier before tanh and sigmoid;
# - look at size, similarity and gradient layer by layer when a deep network does not
#   learn.
#
# Exercises: `curriculum start 14a` (LeCun's start), `14b` (predict, run, explain), each
# graded by `curriculum check` and its name. `curriculum run 14` shows all figures.
#
# Next: a good start is lost as the weights move. Lesson 15 sets the size at every step,
# and builds a way around each layer.
