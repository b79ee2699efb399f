# %% [markdown]
# # Lesson 01 · A single neuron
#
# *What does one neuron compute, and which way should each of its weights move?*
#
# Needs: lesson 00 · Time: 25 minutes

# %%
import math

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.demo import demo
from curriculum.draw import DATA, GRADIENT, NEGATIVE, OTHER, POSITIVE, new_figure
from curriculum.drawings import SIGNED, curves, network
from curriculum.pair import Case, compare, layer_pair, training_pair
from curriculum.table import Table

# %% [markdown]
# ## One film, on paper
#
# How much will you like a film? We know two things about it, as numbers from 0 to 1:
# the critics' stars, 4 of 5, so 0.8; and how recent it is, 0.5 on a scale from the
# oldest to the newest. A *neuron* makes a guess from them, in three moves:
#
# 1. multiply each input by a number of its own, the *weight*,
# 2. add up, and add one more number, the *bias*,
# 3. send the sum through a curve, the *activation function*. Here there is none yet.
#
# Say the weights are $w_1 = 0.9$ and $w_2 = -0.4$, and the bias is $b = 0.1$. Then the
# guess $y$ is
#
# $$y = 0.8 \cdot 0.9 + 0.5 \cdot (-0.4) + 0.1 = 0.62$$
#
# The stars push the guess up by 0.72, the year pulls it down by 0.2, the bias adds 0.1.
#
# You watch the film and rate it 0.77. That is the *target* $t$. The guess is 0.15 too
# low. One number that says how wrong a guess is, is called a *loss*. We take the
# squared error (lesson 05 says why the square):
#
# $$L = (y - t)^2 = (-0.15)^2 = 0.0225$$
#
# ## Which way should a weight move?
#
# Try it. Nudge the weight of the stars from 0.9 to 0.91. The guess becomes 0.628, the
# loss 0.020164. It fell by 0.002336, and that is −0.2336 for each unit that the weight
# moved. So the slope (lesson 00) is about −0.23.
#
# The chain rule (lesson 00: slopes along a path are multiplied) gives it exactly, with
# two numbers. First, how far does the loss move with the guess? The error $y - t$ moves
# as far as $y$ does, and the slope of a square is twice what is squared:
#
# $$\frac{\partial L}{\partial y} = 2 (y - t) = 2 \cdot (-0.15) = -0.3$$
#
# Second, how far does the guess move with the weight? The weight is multiplied by the
# input 0.8, so 0.8 times as far. Together:
#
# $$\frac{\partial L}{\partial w_1} =
# \frac{\partial L}{\partial y} \cdot \frac{\partial y}{\partial w_1} =
# -0.3 \cdot 0.8 = -0.24$$
#
# For the other two it is the same. The bias is added as it is: a weight, so to speak,
# on an input that is always 1.
#
# | | guess moves with it | loss moves with it |
# |---|---|---|
# | weight of the stars | 0.8 | −0.3 · 0.8 = −0.24 |
# | weight of the year | 0.5 | −0.3 · 0.5 = −0.15 |
# | bias | 1 | −0.3 · 1 = −0.3 |
#
# The slopes of the loss along all the weights and the bias are together called its
# *gradient*. Here each is negative: as that number grows, the loss falls.


# %% tags=["hide-input"]
def film_loss(stars_weight: float) -> float:
    """The loss of the film on paper, with another weight of the stars."""
    return (0.8 * stars_weight + 0.5 * -0.4 + 0.1 - 0.77) ** 2


@demo
def nudge_one_weight() -> Figure:
    """The loss over one weight, the others held: at 0.9 it falls, so go right"""
    figure, axis = new_figure(width=6.0, height=3.6)
    places = [0.7 + 0.01 * i for i in range(66)]
    axis.plot(places, [film_loss(w) for w in places], color=DATA, label="loss")
    tangent = [0.0225 - 0.24 * (w - 0.9) for w in (0.78, 1.0)]
    name = "its slope at 0.9: −0.24"
    axis.plot((0.78, 1.0), tangent, color=GRADIENT, linewidth=4, label=name, zorder=1)
    look = {"color": DATA, "markersize": 8, "linestyle": "none"}
    axis.plot(
        0.9, film_loss(0.9), "o", markerfacecolor="none", label="weight 0.9", **look
    )
    axis.plot(0.91, film_loss(0.91), "o", label="nudged to 0.91", **look)
    axis.set(xlabel="weight of the stars", ylabel="loss of this film", ylim=(0, None))
    axis.legend(frameon=False)
    return figure


# %% [markdown]
# ## One step
#
# To make the loss smaller, move each number *against* its slope, a little: by 0.1 times
# the slope. This 0.1 is the *learning rate* $\eta$.
#
# $$w_1 = 0.9 + 0.024 = 0.924 \qquad w_2 = -0.4 + 0.015 = -0.385 \qquad
# b = 0.1 + 0.03 = 0.13$$
#
# The guess is now $0.8 \cdot 0.924 + 0.5 \cdot (-0.385) + 0.13 = 0.6767$. The loss has
# fallen from 0.0225 to 0.0087. That was learning.
#
# <details><summary>What do you expect of one large step, with the learning rate
# 1?</summary>
#
# The guess goes up by 0.3 · (0.8² + 0.5² + 1²) = 0.567, to 1.187. That is beyond the
# target, and further off than before: the loss is 0.174. A slope holds for small moves
# only. Lesson 07 asks how small.
#
# </details>


# %% tags=["hide-input"]
@demo
def one_film_one_step() -> Figure:
    """One film before and after a step; yellow: slopes, each goes against its own"""
    figure, axes = new_figure(1, 2, width=5.2, height=4.2)
    names = [["stars", "year", "always"], ["guess"]]
    x = torch.tensor([[0.8, 0.5, 1.0]])
    weight = torch.tensor([[0.9, -0.4, 0.1]])
    for axis, title in zip(axes, ("before", "after"), strict=True):
        y = x @ weight.T  # (1, 3) @ (3, 1) → (1, 1)
        error = (y - 0.77).item()
        grad = 2 * error * x  # (1, 3)
        drawn = [grad] if title == "before" else []
        network(axis, names, [weight], [x[0], y[0]], weight_gradients=drawn)
        axis.set_title(f"{title}: loss {error**2:.4f}")
        axis.text(3, 0.55, "target 0.77", ha="center", color=DATA, fontsize=9)
        if drawn:
            box = {"boxstyle": "round,pad=0.15", "facecolor": GRADIENT, "lw": 0}
            axis.text(3, -0.6, "−0.3", ha="center", fontsize=8, bbox=box)
        beside = {text.get_text(): text for text in axis.texts}
        beside[f"{weight[0, 0]:.3g}"].set_ha("left")  # clear of its arrow
        beside[f"{weight[0, 2]:.3g}"].set_ha("right")
        weight = weight - 0.1 * grad
    return figure


# %% [markdown]
# Left are the inputs, on the arrows the weights (blue above zero, orange below).
# Yellow is the slope of the loss: along the guess −0.3, along the weights as in the
# table.
#
# One film cannot say *which* number was wrong. The rating 0.77 was in fact made by the
# rule 0.9 · stars + 0.1 · year. So the weight of the stars had been right, and the step
# moved it away. More films will settle it.
#
# <!-- piece: neuron -->
#
# ## Many films: a batch
#
# Several examples at once are a *batch*, one example a row.
#
# $$y = f\Big(\sum_i w_i x_i + b\Big) \qquad\text{for all rows at once:}\qquad
# y = f(x\, w^\top + b)$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `x` | (batch, n_in) | the inputs |
# | $w$ | `weight` | (1, n_in) | one weight per input |
# | $w^\top$ | `weight.T` | (n_in, 1) | the same as a column (lesson 00) |
# | $b$ | `bias` | (1,) | what the neuron adds on its own |
# | $f$ | `activation` | | the curve |
# | $y$ | `y` | (batch, 1) | one output per example |
#
# Weights and bias are the neuron's *parameters*. All rows share them: what the rows say
# about a weight is added up (lesson 00: over several paths add).
#
# ## The curve
#
# Call the sum $z$. Without a curve it is the output, and can be any number. The
# *sigmoid* squeezes it between 0 and 1, with $e = 2.718$, the base of the natural
# logarithm:
#
# $$\sigma(z) = \frac{1}{1 + e^{-z}}$$
#
# Large sums come out near 1, very negative ones near 0, and 0 as ½. Our 0.62
# becomes 0.65. Its slope is written $\sigma'(z)$ for short. School has the slopes of
# $1/u$, which is $-1/u^2$, and of $e^{-z}$, which is $-e^{-z}$. So, with
# $u = 1 + e^{-z}$ and $\sigma = 1/u$:
#
# $$\sigma'(z) = \frac{\partial \sigma}{\partial u} \cdot
# \frac{\partial u}{\partial z} = -\frac{1}{u^2} \cdot (-e^{-z}) =
# \frac{1}{u} \cdot \frac{e^{-z}}{u} = \sigma \cdot (1 - \sigma)$$
#
# The last step uses $e^{-z} = u - 1$. At $z = 0$ the slope is ½ · ½ = ¼, and nowhere is
# it larger.


# %% tags=["hide-input"]
@demo
def sigmoid_curve() -> Figure:
    """The sigmoid, and its slope: steepest in the middle, flat at both ends"""
    figure, axis = new_figure(width=6.0, height=3.2)
    z = [-6 + 0.1 * i for i in range(121)]
    y = [1 / (1 + math.exp(-value)) for value in z]
    slope = [value * (1 - value) for value in y]
    series = {"sigmoid σ(z)": (z, y), "its slope σ (1 − σ)": (z, slope)}
    colors = {"sigmoid σ(z)": DATA, "its slope σ (1 − σ)": GRADIENT}
    curves(axis, series, across="sum z", upwards="", colors=colors)
    axis.plot(0.62, 0.65, "o", color=DATA)
    axis.text(0.95, 0.6, "0.62 → 0.65", color=DATA)
    axis.set(yticks=(0, 0.25, 0.5, 0.75, 1))
    return figure


# %% [markdown]
# ## From scratch
#
# A neuron is the first *building block* of this curriculum. (PyTorch's word is
# *module*.) Each of them keeps one promise:
#
# - `forward(x)` computes the output, and remembers what `backward` will need,
# - `backward(grad_y)` is told $\partial L/\partial y$, the slope of the loss along each
#   output: on paper −0.3. (The field says *upstream gradient*.) It returns
#   $\partial L/\partial x$, and
# - keeps $\partial L/\partial w$ and $\partial L/\partial b$ in `grads`, under the
#   names that they have in `params`.
#
# The two simplest blocks are activation functions. They have no parameters.


# %%
class Identity:
    """No curve at all: what comes in goes out. Any shape."""

    def __init__(self) -> None:
        self.params: dict[str, Tensor] = {}
        self.grads: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        return x

    def backward(self, grad_y: Tensor) -> Tensor:
        """∂y/∂x = 1."""
        return grad_y


class Sigmoid:
    """y = 1 / (1 + e^−x), between 0 and 1. Any shape."""

    def __init__(self) -> None:
        self.params: dict[str, Tensor] = {}
        self.grads: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        self.y = 1 / (1 + torch.exp(-x))
        return self.y

    def backward(self, grad_y: Tensor) -> Tensor:
        """∂y/∂x = y (1 − y)."""
        return grad_y * self.y * (1 - self.y)


# %% [markdown]
# For a neuron with a curve the chain has one more link: loss, output, sum, weight. With
# $z = \sum_i w_i x_i + b$ and one example:
#
# $$\frac{\partial L}{\partial w_i} = \frac{\partial L}{\partial z}\, x_i \qquad
# \frac{\partial L}{\partial b} = \frac{\partial L}{\partial z} \qquad
# \frac{\partial L}{\partial x_i} = \frac{\partial L}{\partial z}\, w_i \qquad
# \text{where} \quad \frac{\partial L}{\partial z} =
# \frac{\partial L}{\partial y}\, f'(z)$$
#
# With a batch, the first two are summed over the rows. For the weights the product
# `grad_z.T @ x` does that: row by column, over the examples.


# %%
class Neuron:
    """Weighted sum plus bias, then a curve. x: (batch, n_in) → y: (batch, 1)."""

    def __init__(self, n_in: int, activation: Identity | Sigmoid | None = None) -> None:
        self.params = {"weight": torch.zeros(1, n_in), "bias": torch.zeros(1)}
        self.grads: dict[str, Tensor] = {}
        self.activation = activation or Identity()

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        # (batch, n_in) @ (n_in, 1) → (batch, 1)
        z = x @ self.params["weight"].T + self.params["bias"]
        return self.activation.forward(z)

    def backward(self, grad_y: Tensor) -> Tensor:
        """∂z/∂wᵢ = xᵢ, ∂z/∂b = 1, ∂z/∂xᵢ = wᵢ, each times ∂L/∂z."""
        grad_z = self.activation.backward(grad_y)  # (batch, 1)
        self.grads = {
            "weight": grad_z.T @ self.x,  # (1, batch) @ (batch, n_in) → (1, n_in)
            "bias": grad_z.sum(0),  # (batch, 1) → (1,)
        }
        return grad_z @ self.params["weight"]  # (batch, 1) @ (1, n_in) → (batch, n_in)


def example_neuron() -> Neuron:
    """The neuron from the paper: weights 0.9 and −0.4, bias 0.1."""
    neuron = Neuron(2)
    neuron.params = {"weight": torch.tensor([[0.9, -0.4]]), "bias": torch.tensor([0.1])}
    return neuron


# %% [markdown]
# The numbers from the paper:
#
# ```python
# >>> neuron = example_neuron()
# >>> neuron.forward(torch.tensor([[0.8, 0.5]]))
# tensor([[0.6200]])
# >>> grad_x = neuron.backward(torch.tensor([[-0.3]]))
# >>> neuron.grads["weight"], neuron.grads["bias"]
# (tensor([[-0.2400, -0.1500]]), tensor([-0.3000]))
#
# ```
#
# ## The same with PyTorch
#
# There a neuron is `nn.Linear(n_in, 1)` with an activation function behind it. To call
# a module, `neuron(x)`, is to run its `forward`. There is no `backward` to write:
# PyTorch finds the gradients by itself, and lesson 09 shows how.


# %%
class TorchNeuron(nn.Linear):
    """`nn.Linear(n_in, 1)`, then a curve. Its parameters are `weight` and `bias`."""

    def __init__(self, n_in: int, activation: nn.Module) -> None:
        super().__init__(n_in, 1)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(super().forward(x))


# %% [markdown]
# Three inputs work as two do: $y = f(w_1 x_1 + w_2 x_2 + w_3 x_3 + b)$. Below is one
# such neuron as this formula, as `Neuron`, and in PyTorch. To get slopes of the output
# itself, take it for the loss: $L = y$. Then $\partial L/\partial y = 1$, and that is
# what `backward` is told.


# %% tags=["hide-input"]
@demo
def one_neuron_three_ways() -> Table:
    """Three inputs and a sigmoid: the formula, the Neuron and PyTorch"""
    x = torch.tensor([[1.0, -2.0, 0.5]])
    weight = torch.tensor([[0.6, 0.1, -0.8]])
    bias = torch.tensor([0.2])
    z = sum(weight[0, i].item() * x[0, i].item() for i in range(3)) + bias.item()
    y = 1 / (1 + math.exp(-z))
    slopes = [y * (1 - y) * x[0, i].item() for i in range(3)]

    ours = Neuron(3, Sigmoid())
    ours.params = {"weight": weight, "bias": bias}
    y_ours = ours.forward(x).item()
    ours.backward(torch.ones(1, 1))

    theirs = TorchNeuron(3, nn.Sigmoid())
    theirs.load_state_dict(ours.params)  # the same weights and bias
    y_theirs = theirs(x)
    (grad,) = torch.autograd.grad(y_theirs, theirs.weight)
    rows = [
        ("the formula", y, *slopes),
        ("Neuron", y_ours, *ours.grads["weight"][0].tolist()),
        ("torch", y_theirs.item(), *grad[0].tolist()),
    ]
    return Table(("", "y", "∂y/∂w₁", "∂y/∂w₂", "∂y/∂w₃"), rows)


# %% [markdown]
# ## See it: excite and inhibit
#
# A positive weight *excites*: more of that input, more output. A negative weight
# *inhibits*. Without a curve $\partial y/\partial x_i$ is the weight $w_i$ itself. With
# a sigmoid it is the weight times the sigmoid's slope: smaller, but of the same sign.


# %% tags=["hide-input"]
@demo
def negative_weight_inhibits() -> Table:
    """Raise one input by 0.1: the negative weight pulls the output down"""
    start = torch.tensor([[0.8, 0.5]])
    curved = example_neuron()
    curved.activation = Sigmoid()
    rows = []
    for i, name in enumerate(("stars (weight 0.9)", "year (weight −0.4)")):
        neuron = example_neuron()
        before = neuron.forward(start).item()
        slope = neuron.backward(torch.ones(1, 1))[0, i].item()
        curved.forward(start)
        soft = curved.backward(torch.ones(1, 1))[0, i].item()
        raised = start.clone()
        raised[0, i] += 0.1
        rows.append((name, before, neuron.forward(raised).item(), slope, soft))
    columns = ("raised", "y before", "y after", "∂y/∂x", "∂y/∂x with sigmoid")
    return Table(columns, rows)


# %% [markdown]
# ## See it: a neuron finds your taste
#
# Now 200 films with random stars and years, rated by the rule 0.9 · stars + 0.1 · year.
# A neuron sees only films and ratings. It starts with all parameters at 0.
#
# <details><summary>What do you expect it to guess, before it learns, for the best film
# and for the worst?</summary>
#
# For both the same: its bias. While all weights are 0 the inputs cannot be heard, and
# only the bias moves the output.
#
# </details>


# %% tags=["hide-input"]
@demo
def only_the_bias_is_left() -> Table:
    """All weights zero: whatever the film, the bias comes out"""
    neuron = Neuron(2)
    rows = []
    for name, x in (
        ("no stars, the oldest", [0.0, 0.0]),
        ("the film on paper", [0.8, 0.5]),
        ("all stars, the newest", [1.0, 1.0]),
    ):
        guesses = []
        for bias in (0.0, 0.7):
            neuron.params["bias"] = torch.tensor([bias])
            guesses.append(neuron.forward(torch.tensor([x])).item())
        rows.append((name, *guesses))
    return Table(("film", "guess with bias 0", "guess with bias 0.7"), rows)


# %% [markdown]
# The loop below is the paper's step, 500 times. The loss is the *mean* of the squared
# errors, so $\partial L/\partial y$ of each film is $2 (y - t)$ divided by the number
# of films. The films are drawn by a generator of random numbers. It begins at a *seed*:
# the same seed draws the same films, another seed others.


# %%
TASTE = (0.9, 0.1)  # of the stars, of the year


def films(seed: int = 1) -> tuple[Tensor, Tensor]:
    """200 random films (200, 2), columns stars and year, and their ratings (200, 1)."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(200, 2, generator=generator, dtype=torch.float64, device="cpu")
    x = x.to(torch.get_default_dtype())
    return x, x @ torch.tensor([TASTE]).T  # (200, 2) @ (2, 1) → (200, 1)


def train(
    neuron: Neuron, x: Tensor, target: Tensor, steps: int = 500, lr: float = 0.3
) -> tuple[list[float], Tensor]:
    """The losses, and weights and bias before each step: (steps, n_in + 1)."""
    losses = []
    seen = []
    for _ in range(steps):
        error = neuron.forward(x) - target  # (batch, 1)
        losses.append((error**2).mean().item())
        seen.append(torch.cat([p.flatten() for p in neuron.params.values()]))
        neuron.backward(2 * error / len(x))
        for name, grad in neuron.grads.items():
            neuron.params[name] = neuron.params[name] - lr * grad
    return losses, torch.stack(seen)


# %% tags=["hide-input"]
@demo
def taste_is_learned() -> Figure:
    """The neuron finds the taste: stars matter, the year hardly does"""
    losses, seen = train(Neuron(2), *films())
    names = ("weight of the stars", "weight of the year", "bias")
    figure, (left, right) = new_figure(1, 2, width=5.0, height=3.6)
    across = "step (each point is before it)"
    curves(left, {"": losses}, across, "mean squared error", {"": DATA})
    left.set(xscale="log", yscale="log", ylim=(1e-8, 1), title="the loss falls")
    found = {name: seen[:, i] for i, name in enumerate(names)}
    colors = dict(zip(names, (OTHER[1], OTHER[2], DATA), strict=True))
    curves(right, found, across, upwards="weight or bias", colors=colors)
    right.legend(frameon=False, loc="center right")
    for value in (*TASTE, 0.0):
        right.axhline(value, color="0.7", linewidth=1, zorder=0)
    right.set(xscale="log", ylim=(-0.05, 1), title="grey: the rule of the ratings")
    for axis in (left, right):
        axis.minorticks_off()
        axis.set(xlim=(0.9, 220), xticks=(1, 10, 100), xticklabels=(1, 10, 100))
    return figure


# %% [markdown]
# Nobody told the neuron which input matters. The ratings did. Look at the start (on
# this *logarithmic* axis 1 to 10 takes as much room as 10 to 100):
#
# - **The first step** does most of it: the loss falls from 0.341 to 0.041. All guesses
#   were too low, so all three numbers rise, the bias most, because its input is 1.
# - **Then they part.** Guesses are now about right on average, but too high for bad
#   films and too low for good ones. The stars must gain, the bias must give back.
# - **The year overshoots.** It rises to 0.167 in two steps, more than the rule has.
#   Then it falls to 0.08, to make up for a bias that is still too high, and comes back
#   to 0.1 as the bias goes to 0.
#
# Does that depend on the films, or on the rate 0.3? With forty other sets of films and
# rates of 0.1, 0.3 and 0.5, the year always rose above the rule, fell below it and came
# back, and all three numbers ended within 0.005 of the rule. With 0.7 the loss grew
# beyond all bounds. And real ratings follow no rule exactly: with each rating off by up
# to 0.1, the weights came out within 0.05.
#
# ## See it: one neuron draws one line
#
# Put another question: will you *like* the film, yes or no? The target is 1 for a
# rating above ½, else 0. A neuron with a sigmoid puts out a number between 0 and 1, and
# we read more than ½ as yes. That happens exactly where the sum is above 0. The border
# is
#
# $$w_1 x_1 + w_2 x_2 + b = 0$$
#
# and that is a straight line in the plane of stars and year, the *decision line*. To
# learn is to turn and shift it.


# %% tags=["hide-input"]
@demo
def decision_line() -> Figure:
    """Will you like it? Shading: the neuron's answer, from 0 to 1; the line is at ½"""
    x, rating = films()
    liked = (rating > 0.5).to(x.dtype)
    figure, axes = new_figure(1, 2, width=4.8, height=4.6)
    ticks = torch.linspace(0, 1, 101)
    square = torch.cartesian_prod(ticks, ticks)  # (101², 2): stars, year
    for axis, steps in zip(axes, (10, 500), strict=True):
        neuron = Neuron(2, Sigmoid())
        train(neuron, x, liked, steps, lr=3.0)
        y = neuron.forward(square).view(101, 101).T  # rows: year
        axis.contourf(ticks, ticks, y - 0.5, 20, cmap=SIGNED, vmin=-1, vmax=1)
        axis.contour(ticks, ticks, y - 0.5, levels=[0], colors=DATA, linewidths=2)
        axis.plot([], [], color=DATA, linewidth=2, label="neuron's line")
        border = {"color": "0.4", "linewidth": 1, "label": "rating ½"}
        axis.plot((0.5 / 0.9, 0.4 / 0.9), (0, 1), "--", **border)
        for answer, color, marker, name in (
            (1, POSITIVE, "o", "liked"),
            (0, NEGATIVE, "^", "not liked"),
        ):
            own = x[liked[:, 0] == answer].T
            axis.plot(*own, marker, color=color, markersize=4, label=name)
        right = ((neuron.forward(x) > 0.5) == (liked > 0.5)).sum().item()
        axis.set_title(f"after {steps} steps: {right} of 200 right")
        axis.set(xlabel="stars", ylabel="year", aspect="equal")
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, frameon=False, loc="outside lower center", ncols=4)
    return figure


# %% [markdown]
# The step here is 3, as the sigmoid makes slopes small. After 500 steps with 1, 3 or 10
# the neuron is right about 193 to 200 of 200 films (forty sets of them). What no
# straight line can part, one neuron cannot learn. Lesson 02 begins there.
#
# ## They agree
#
# A *pair* (lesson 00) runs both versions on the same inputs and compares each result by
# name. The inputs are awkward on purpose: zeros, equal numbers, large ones, a different
# $\partial L/\partial y$ for each row. Differences stay below one part in a billion.
# `curriculum compare 1` shows them.


# %% tags=["hide-input"]
def taste_scratch() -> tuple[list[float], dict[str, Tensor]]:
    """Train the film neuron by hand; losses and parameters."""
    neuron = Neuron(2)
    losses, _ = train(neuron, *films())
    return losses, neuron.params


def taste_torch() -> tuple[list[float], dict[str, Tensor]]:
    """The same training with `nn.Linear` and autograd."""
    neuron = nn.Linear(2, 1)
    nn.init.zeros_(neuron.weight)
    nn.init.zeros_(neuron.bias)
    optimizer = torch.optim.SGD(neuron.parameters(), lr=0.3)
    x, rating = films()
    losses = []
    for _ in range(500):
        loss = nn.functional.mse_loss(neuron(x), rating)  # the mean squared error
        optimizer.zero_grad()  # forget the gradient of the step before
        loss.backward()  # find the new one
        optimizer.step()  # each parameter minus lr times its gradient
        losses.append(loss.item())
    return losses, dict(neuron.named_parameters())


PAIRS = [
    layer_pair("identity", lambda case: Identity(), lambda case: nn.Identity()),
    layer_pair("sigmoid", lambda case: Sigmoid(), lambda case: nn.Sigmoid()),
    layer_pair(
        "neuron", lambda case: Neuron(case.n_in), lambda case: nn.Linear(case.n_in, 1)
    ),
    layer_pair(
        "neuron with sigmoid",
        lambda case: Neuron(case.n_in, Sigmoid()),
        lambda case: TorchNeuron(case.n_in, nn.Sigmoid()),
    ),
    training_pair(
        "film taste", lambda case: taste_scratch(), lambda case: taste_torch()
    ),
]

# %% [markdown]
# Does a mistake show? Suppose somebody takes the *mean* over the batch for the bias,
# where the sum belongs: `grad_z.mean(0)`. On paper, with one film, all is well.


# %% tags=["hide-input"]
@demo
def one_example_hides_it() -> Table:
    """The bias's gradient averaged instead of added up, held against PyTorch"""

    class Averaged(Neuron):
        def backward(self, grad_y: Tensor) -> Tensor:
            grad_x = super().backward(grad_y)
            self.grads["bias"] = self.activation.backward(grad_y).mean(0)  # the bug
            return grad_x

    wrong = layer_pair(
        "averaged",
        lambda case: Averaged(case.n_in),
        lambda case: nn.Linear(case.n_in, 1),
    )
    found = [
        [difference.problem or "equal" for difference in compare(wrong, Case(batch))]
        for batch in (1, 5)
    ]
    names = [difference.name for difference in compare(wrong)]
    rows = list(zip(names, *found, strict=True))
    return Table(("result", "a batch of 1", "a batch of 5"), rows)


# %% [markdown]
# ## Words
#
# The words come from the brain, and the likeness ends soon. A brain cell fires in
# pulses and learns in ways nobody fully knows. Our neuron multiplies and adds. Some
# words have nothing in the brain to stand for. The words of all lessons are in the
# glossary (`lessons/README.md`).


# %% tags=["hide-input"]
@demo
def glossary() -> Table:
    """The brain's words, ours, and where each is built"""
    rows = [
        ("neuron", "a nerve cell", "1", "Neuron"),
        ("weight", "the strength of a connection (synapse)", "1", "Neuron"),
        ("bias", "how easily the cell fires on its own", "1", "Neuron"),
        ("parameter", "whatever learning may change: weights, biases", "1", "Neuron"),
        ("activation function", "what a cell makes of all it hears", "1", "Sigmoid"),
        ("activation", "how strongly the cell fires", "1", "Sigmoid.forward"),
        ("batch", "(nothing: several examples at once)", "1", "films"),
        ("hidden neuron", "a cell between the eye and the deed", "2", "Circuit"),
        ("layer", "cells that listen to the same inputs", "4", "Linear"),
        (
            "forward pass",
            "a signal travels from eye to thought",
            "4",
            "Sequential.forward",
        ),
        ("MLP", "layer behind layer (multilayer perceptron)", "4", "mlp"),
        ("loss", "how wrong the guess was", "5", "MSELoss"),
        (
            "logit",
            "(nothing: a score, before it becomes a share)",
            "6",
            "CrossEntropyLoss",
        ),
        (
            "gradient",
            "which way the mistake grows, and how fast",
            "7",
            "numerical_gradient",
        ),
        ("gradient descent", "learning from the mistake, a little", "7", "SGD"),
        ("learning rate", "how much one mistake changes", "7", "SGD"),
        (
            "backpropagation",
            "finding who was to blame (no known twin in the brain)",
            "8",
            "Sequential.backward",
        ),
        ("epoch", "going once through all there is to learn", "11", "fit"),
    ]
    return Table(("term", "in the brain, loosely", "built in", "here"), rows)


# %% [markdown]
# ## Where PyTorch differs
#
# - `nn.Linear` does not start at zero but with small random weights; lesson 04 says
#   which and why.
# - PyTorch *adds* new gradients to the old ones until `zero_grad()`. Our `backward`
#   replaces them.
#
# ## You can now
#
# - say what a neuron computes, and what its weights and its bias do;
# - find by nudging, and by the chain rule, which way each of them should move;
# - make a step, and say why one example is not enough;
# - draw the line at which a neuron changes its mind.
#
# Exercises, the easy ones first: `curriculum start 01c` (only forward),
# `curriculum start 01d` (predict one step on paper, then check), `curriculum start 01b`
# (find the bug in a sigmoid), `curriculum start 01a` (a neuron with another curve).
# `curriculum check 01c` says how far you are.
#
# Next: lesson 02 wires several neurons together, and they do what no line can.
