# %% [markdown]
# # Lesson 01 · A single neuron
#
# *What does one neuron compute, and which way should each of its weights move?*
#
# Needs: nothing · Time: 20 minutes
#
# You need some Python and the idea of a slope. Everything else is explained when it first comes up.
# A *tensor* is PyTorch's array of numbers; `x @ w` multiplies matrices, `x.T` swaps rows and columns.

# %%
import math

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.demo import demo
from curriculum.draw import OTHER, TORCH, new_figure
from curriculum.pair import Case, layer_pair, training_pair
from curriculum.table import Table

# %% [markdown]
# ## The idea
#
# A neuron takes some numbers and gives one number back. It does so in three moves:
#
# 1. multiply every input by a weight of its own,
# 2. add the products up, and add one more number, the bias,
# 3. send the sum through a simple curve, the activation.
#
# Take a neuron with two inputs, 0.8 and 0.5. Its weights are 0.9 and −0.4, its bias is 0.1.
#
# ```python
# >>> round(0.8 * 0.9 + 0.5 * -0.4 + 0.1, 10)
# 0.62
# ```
#
# The first input pushes the sum up by 0.72, the second pulls it down by 0.2, the bias adds 0.1.
#
# $$y = f\Big(\sum_i w_i x_i + b\Big)$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$ | `x` | (batch, n_in) | the inputs, one example per row |
# | $w$ | `weight` | (1, n_in) | one weight per input |
# | $b$ | `bias` | (1,) | what the neuron adds on its own |
# | $f$ | `activation` | | the curve |
# | $y$ | `y` | (batch, 1) | one output per example |
#
# We always work on several examples at once. They are called a *batch*.

# %% [markdown]
# ## From scratch
#
# Every building block of this curriculum is a *layer*. A layer keeps one promise, from here to the end:
#
# - `forward(x)` computes the output and remembers what `backward` will need,
# - `backward(grad_y)` takes the slope of some final number with respect to the output and returns the
#   slope with respect to the input,
# - `params` holds its weights and bias by name, `grads` the slopes with respect to them.
#
# The slope of a number $L$ with respect to $w$ says: if $w$ grows a little, how fast does $L$ grow?
# It is written $\partial L / \partial w$ and called the *gradient*. In code it is `grad_weight`.
#
# The two simplest layers are activations. They have no weights.


# %%
class Identity:
    """No activation at all: what comes in goes out. Input and output have any shape."""

    def __init__(self) -> None:
        self.params: dict[str, Tensor] = {}
        self.grads: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        return x

    def backward(self, grad_y: Tensor) -> Tensor:
        """y = x, so ∂y/∂x = 1, and the gradient passes through."""
        return grad_y


class Sigmoid:
    """An S-shaped curve from 0 to 1: y = 1 / (1 + e^−x). Input and output have any shape."""

    def __init__(self) -> None:
        self.params: dict[str, Tensor] = {}
        self.grads: dict[str, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        self.y = 1 / (1 + torch.exp(-x))
        return self.y

    def backward(self, grad_y: Tensor) -> Tensor:
        """Write y = 1/u with u = 1 + e^−x. Then ∂y/∂u = −1/u² and ∂u/∂x = −e^−x.

        Multiplied: ∂y/∂x = e^−x / u² = (1/u) · (e^−x/u) = y · (1 − y), because 1 − 1/u = e^−x/u.
        """
        return grad_y * self.y * (1 - self.y)


# %% [markdown]
# Now the neuron. Look at the derivation in `backward`: it is only the school rule that the slope of
# $w \cdot x$ with respect to $w$ is $x$, once for every input.


# %%
class Neuron:
    """Weighted sum of the inputs plus bias, then an activation.

    x: (batch, n_in) → y: (batch, 1). `params`: weight (1, n_in) and bias (1,), both zero at first.
    """

    def __init__(self, n_in: int, activation: Identity | Sigmoid | None = None) -> None:
        self.params = {"weight": torch.zeros(1, n_in), "bias": torch.zeros(1)}
        self.grads: dict[str, Tensor] = {}
        self.activation = activation or Identity()

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        total = (
            x @ self.params["weight"].T + self.params["bias"]
        )  # (batch, n_in) @ (n_in, 1) → (batch, 1)
        return self.activation.forward(total)

    def backward(self, grad_y: Tensor) -> Tensor:
        """One example: total = w₁x₁ + … + b, so ∂total/∂wᵢ = xᵢ, ∂total/∂b = 1, ∂total/∂xᵢ = wᵢ.

        Each is multiplied by ∂L/∂total, which the activation gives. A batch has one `total` per
        example but only one set of weights: what the examples say about a weight is added up.
        """
        grad_total = self.activation.backward(grad_y)  # (batch, 1)
        self.grads = {
            "weight": grad_total.T @ self.x,  # (1, batch) @ (batch, n_in) → (1, n_in)
            "bias": grad_total.sum(0),  # (batch, 1) → (1,)
        }
        return (
            grad_total @ self.params["weight"]
        )  # (batch, 1) @ (1, n_in) → (batch, n_in)


def example_neuron() -> Neuron:
    """The neuron from above: weights 0.9 and −0.4, bias 0.1.

    >>> y = example_neuron().forward(torch.tensor([[0.8, 0.5]]))
    >>> round(y.item(), 4)
    0.62
    """
    neuron = Neuron(2)
    neuron.params = {"weight": torch.tensor([[0.9, -0.4]]), "bias": torch.tensor([0.1])}
    return neuron


# %% [markdown]
# ## The same with PyTorch
#
# In PyTorch a neuron is `nn.Linear(n_in, 1)` followed by an activation. PyTorch finds the gradients by
# itself; lesson 09 shows how.


# %%
class TorchNeuron(nn.Linear):
    """`nn.Linear(n_in, 1)`, then an activation. Its parameters have the names `weight` and `bias`."""

    def __init__(self, n_in: int, activation: nn.Module) -> None:
        super().__init__(n_in, 1)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(super().forward(x))


# %% [markdown]
# Three inputs work just as two: $y = f(w_1 x_1 + w_2 x_2 + w_3 x_3 + b)$. Here is one such neuron as that
# formula, as `Neuron`, and in PyTorch.


# %%
@demo
def one_neuron_three_ways() -> Table:
    """Three inputs and a sigmoid: the formula, the Neuron and PyTorch"""
    x, weight, bias = (
        torch.tensor([[1.0, -2.0, 0.5]]),
        torch.tensor([[0.6, 0.1, -0.8]]),
        torch.tensor([0.2]),
    )
    total = sum(weight[0, i].item() * x[0, i].item() for i in range(3)) + bias.item()
    ours, theirs = Neuron(3, Sigmoid()), TorchNeuron(3, nn.Sigmoid())
    ours.params = {"weight": weight, "bias": bias}
    theirs.load_state_dict(ours.params)
    outputs = 1 / (1 + math.exp(-total)), ours.forward(x).item(), theirs(x).item()
    ours.backward(torch.ones(1, 1))
    (slope,) = torch.autograd.grad(theirs(x), theirs.weight)
    slopes = ours.grads["weight"][0].tolist(), slope[0].tolist()
    rows = [("the formula", outputs[0], "", "", "")]
    rows += [
        (name, y, *three)
        for name, y, three in zip(("Neuron", "torch"), outputs[1:], slopes, strict=True)
    ]
    return Table(("", "y", "∂y/∂w₁", "∂y/∂w₂", "∂y/∂w₃"), rows)


# %% [markdown]
# ## See it: what the weights do
#
# A positive weight *excites*: more input, more output. A negative weight *inhibits*. The gradient of the
# output with respect to an input is the weight itself, sign and all.


# %%
@demo
def negative_weight_inhibits() -> Table:
    """Raise one input at a time: the negative weight pulls the output down"""
    neuron = example_neuron()
    start = torch.tensor([[0.8, 0.5]])
    rows: list[tuple[str, float, float, float]] = []
    for name, step in (
        ("x₁ (weight 0.9)", [[0.1, 0.0]]),
        ("x₂ (weight −0.4)", [[0.0, 0.1]]),
    ):
        moved = neuron.forward(start + torch.tensor(step)).item()
        before = neuron.forward(start).item()
        slope = neuron.backward(torch.ones(1, 1))[0, len(rows)].item()
        rows.append((name, before, moved, slope))
    return Table(("raise by 0.1", "y before", "y after", "∂y/∂x"), rows)


# %% [markdown]
# With all weights at zero the inputs cannot be heard. Only the bias can move the output.


# %%
@demo
def only_the_bias_is_left() -> Table:
    """All weights zero: whatever comes in, the bias comes out"""
    neuron = Neuron(3)
    rows = []
    for x in ([0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [-50.0, 7.0, 100.0]):
        neuron.params["bias"] = torch.zeros(1)
        without = neuron.forward(torch.tensor([x])).item()
        neuron.params["bias"] = torch.tensor([0.7])
        rows.append((str(x), without, neuron.forward(torch.tensor([x])).item()))
    return Table(("x", "y with bias 0", "y with bias 0.7"), rows)


# %% [markdown]
# ## See it: a neuron finds its weights
#
# How much do you like a film? Say your taste is 0.9 times the stars that critics gave plus 0.1 times how
# recent the film is. Both inputs run from 0 to 1: 4.5 of 5 stars is 0.9.
#
# We make 200 films with random inputs and rate them by that rule. A neuron that starts at zero sees only
# films and ratings. It measures its error, the mean of (y − rating)², and takes 500 small steps, each
# weight against its gradient. Lessons 05 and 07 explain both. Here, watch the weights.


# %%
TASTE = (0.9, 0.1)  # stars, year


def films(count: int = 200) -> tuple[Tensor, Tensor]:
    """Random films (count, 2), columns stars and year from 0 to 1, and their ratings (count, 1)."""
    x = torch.rand(
        count,
        2,
        generator=torch.Generator().manual_seed(1),
        dtype=torch.float64,
        device="cpu",
    )
    x = x.to(torch.get_default_dtype())
    return x, x @ torch.tensor([TASTE]).T  # (count, 2) @ (2, 1) → (count, 1)


def learn_taste(
    neuron: Neuron, steps: int = 500, lr: float = 0.3
) -> tuple[list[float], list[Tensor]]:
    """Train on the films; returns the loss and a copy of the weights before every step."""
    x, rating = films()
    losses, weights = [], []
    for _ in range(steps):
        error = neuron.forward(x) - rating  # (count, 1)
        losses.append((error**2).mean().item())
        weights.append(neuron.params["weight"][0].clone())
        neuron.backward(2 * error / len(x))  # ∂ mean(error²) / ∂y
        for name, grad in neuron.grads.items():
            neuron.params[name] -= lr * grad
    return losses, weights


@demo
def taste_is_learned() -> Figure:
    """The neuron finds the taste: stars matter, the year hardly does"""
    neuron = Neuron(2)
    _, weights = learn_taste(neuron)
    figure, (left, right) = new_figure(1, 2)
    for index, (name, truth) in enumerate(zip(("stars", "year"), TASTE, strict=True)):
        right.axhline(truth, color="0.7", linewidth=1)
        right.plot(
            [w[index].item() for w in weights],
            color=OTHER[index],
            label=f"weight of the {name}",
        )
        left.plot(
            [0, 1],
            [1 - index, 0.5],
            color=OTHER[index],
            linewidth=1 + 8 * weights[-1][index].item(),
        )
        left.text(-0.05, 1 - index, name, ha="right", va="center")
        left.text(
            0.4, (0.95, 0.28)[index], f"{weights[-1][index].item():.2f}", ha="center"
        )
    left.plot([1], [0.5], "o", color=TORCH, markersize=34)
    left.text(1.16, 0.5, "rating", va="center")
    left.set(title="the trained neuron", xlim=(-0.5, 1.6), ylim=(-0.3, 1.3))
    left.axis("off")
    right.set(title="its weights while it learns", xlabel="step", ylim=(0, 1))
    right.legend(frameon=False, loc="center right")
    return figure


# %% [markdown]
# Nobody told the neuron which input matters. The ratings did.
#
# ## They agree
#
# A *pair* runs both versions on the same inputs and compares every result by name: the output, the
# gradient of the input, of the weight, of the bias. The inputs are chosen to be awkward: zeros, ties,
# large values, an uneven upstream gradient, a bias that is not zero. The scratch side may not use
# PyTorch's gradients. Differences stay below one part in a billion. `curriculum compare 1` shows them.


# %%
def taste_scratch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """Train the film neuron by hand; losses and parameters."""
    neuron = Neuron(2)
    losses, _ = learn_taste(neuron)
    return losses, neuron.params


def taste_torch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """The same training with `nn.Linear` and autograd."""
    neuron = nn.Linear(2, 1)
    nn.init.zeros_(neuron.weight)
    nn.init.zeros_(neuron.bias)
    optimizer = torch.optim.SGD(neuron.parameters(), lr=0.3)
    x, rating = films()
    losses = []
    for _ in range(500):
        loss = nn.functional.mse_loss(neuron(x), rating)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
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
    training_pair("film taste", taste_scratch, taste_torch),
]

# %% [markdown]
# ## Words
#
# The words come from the brain, and the likeness ends soon. A brain cell fires in pulses and learns in
# ways nobody fully knows. Our neuron multiplies and adds. Still, the words have stuck.


# %%
@demo
def glossary() -> Table:
    """The brain's words, ours, and where each is built"""
    rows = [
        ("neuron", "a nerve cell", "1", "Neuron"),
        ("weight", "the strength of a connection (synapse)", "1", "Neuron"),
        ("bias", "how easily the cell fires on its own", "1", "Neuron"),
        ("activation", "how strongly the cell fires", "3", "ReLU"),
        ("layer", "cells that listen to the same inputs", "4", "Linear"),
        (
            "forward pass",
            "a signal travels from eye to thought",
            "4",
            "Sequential.forward",
        ),
        ("loss", "how wrong the guess was", "5", "MSELoss"),
        ("gradient", "which change would have helped", "7", "numerical_gradient"),
        ("gradient descent", "learning from the mistake, a little", "7", "SGD"),
        ("learning rate", "how much one mistake changes", "7", "SGD"),
        (
            "backpropagation",
            "finding who was to blame (no known twin in the brain)",
            "8",
            "Sequential.backward",
        ),
    ]
    return Table(("term", "in the brain, loosely", "lesson", "here"), rows)


# %% [markdown]
# ## Where PyTorch differs
#
# - `nn.Linear` does not start at zero but with small random weights; lesson 04 says which and why.
# - PyTorch *adds* new gradients to the old ones until you call `zero_grad()`. Our `backward` replaces
#   them. Both give the same in a loop that clears them at every step.
# - An output need not lie between 0 and 1. With `Sigmoid` it does, with `Identity` it does not.
#
# Next: one neuron draws one straight line. Lesson 02 wires several together.
