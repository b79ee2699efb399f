# %% [markdown]
# # Lesson 05 · Loss functions
#
# *How does a network find out how wrong it is?*
#
# Needs: lessons 01, 03, 04 · Time: 25 minutes

# %%
import math
from functools import partial
from typing import Any

import torch
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.contracts import same_shape
from curriculum.demo import demo
from curriculum.draw import OTHER, SCRATCH, new_figure
from curriculum.pair import Case, loss_pair
from curriculum.table import Table
from lessons.lesson01_neuron import Sigmoid
from lessons.lesson03_activations import Tanh

# %% [markdown]
# ## The idea
#
# A network looks at a picture of a cat. Its output for "cat" should be 1, the *target*. It says 0.33.
# How wrong is that? Take the difference and square it. Another network says 0.95.
#
# ```python
# >>> round((0.33 - 1) ** 2, 4), round((0.95 - 1) ** 2, 4)
# (0.4489, 0.0025)
# ```
#
# The first is worse. 0 would be perfect. A rule that turns a prediction and its target into one such number
# is a *loss*. The square forgets the sign, and twice as far off costs four times as much.
#
# | question | example | loss | formula for one answer |
# |---|---|---|---|
# | how much? (*regression*) | the price of a house | squared error | $(y - t)^2$ |
# | yes or no? | is this mail spam? | binary cross-entropy | $-t \ln p - (1-t) \ln(1-p)$ |
# | which one of many? (*classes*) | which digit is this? | cross-entropy | $-\sum_k q_k \ln p_k$ |
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $y$ or $z$ | `prediction` | (batch, n) | what the network says; $z$ (*logit*) if $p$ is made from it |
# | $t$ | `target` | (batch, n) | what it should have said |
# | $p$ | `p` | (batch, n) | probabilities: sigmoid of $z$ for yes or no, softmax for classes |
# | $q$ | `q` | (batch, n) | the right probabilities: 1 for the right class, 0 for the others |
#
# ## From scratch
#
# A loss keeps a promise like a layer's: `forward(prediction, target)` gives the loss, `backward()` its slope
# along every prediction. There training starts: `Sequential.backward` carries that slope down to the weights.
# A batch has many answers, but we want one number. All losses share the way to it.


# %%
class Loss:
    """What all losses share: how the losses of a batch become one number (`reduction`)."""

    def __init__(self, reduction: str = "mean") -> None:
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(
                f"reduction is {reduction!r}; expected 'mean', 'sum' or 'none'"
            )
        self.reduction = reduction

    def reduce(self, losses: Tensor) -> Tensor:
        """One loss per entry of `losses` → their mean, their sum, or themselves ("none")."""
        if self.reduction == "none":
            return losses
        return losses.mean() if self.reduction == "mean" else losses.sum()

    def share(self, count: float, grad_loss: Tensor | None) -> Tensor | float:
        """What one of `count` losses adds to the final number, times the slope of what comes after it."""
        share = (
            1 / (count or math.inf) if self.reduction == "mean" else 1.0
        )  # of no losses: nothing
        return share if grad_loss is None else share * grad_loss


class MSELoss(Loss):
    """Mean squared error. `prediction` and `target` have the same shape, whatever it is."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        same_shape("prediction", prediction, "target", target)
        self.error = prediction - target
        return self.reduce(self.error**2)

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        """L = (y − t)². The slope of a square is twice what is squared: ∂L/∂y = 2 (y − t). Shape: as y."""
        return 2 * self.error * self.share(self.error.numel(), grad_loss)


@demo
def squared_error_of_a_cat() -> Table:
    """The target is 1: a worse answer costs more and has a steeper slope"""
    criterion, says = MSELoss("none"), torch.tensor([0.33, 0.95, 1.0])
    loss = criterion.forward(says, torch.ones(3))
    rows = list(
        zip(says.tolist(), loss.tolist(), criterion.backward().tolist(), strict=True)
    )
    return Table(("the network says", "squared error", "∂L/∂y"), rows)


# %% [markdown]
# The slopes are negative: raise the answer and the loss falls. At 1 the slope is 0, nothing is left to do.
#
# ### Yes or no
#
# For yes or no one logit is enough: $p$ is the probability of yes, $1-p$ that of no.


# %%
class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy of sigmoid(prediction). `target` has the same shape: 0, 1 or between.

    `pos_weight`: how many times a yes counts, for yeses that are rare; it stretches to the shape of `target`.
    """

    def __init__(
        self, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:
        super().__init__(reduction)
        self.pos_weight = pos_weight

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """With p = 1/(1 + e^−z): −ln p = ln(1 + e^−z) and −ln(1 − p) = ln(1 + e^z), which is z more.

        So −t ln p − (1 − t) ln(1 − p) = ln(1 + e^−z) + (1 − t) z. At z = −1000, e^−z is too large for a
        computer. But ln(1 + e^−z) = max(−z, 0) + ln(1 + e^−|z|), and e^−|z| is never above 1.
        """
        same_shape("prediction", prediction, "target", target)
        self.prediction, self.target = prediction, target
        # log1p(x) is ln(1 + x)
        minus_ln_p = (-prediction).clamp(min=0) + torch.log1p(
            torch.exp(-prediction.abs())
        )
        losses = minus_ln_p + (1 - target) * prediction
        if (
            self.pos_weight is not None
        ):  # −t ln p counts w times, of which one is there already
            losses = losses + (self.pos_weight - 1) * target * minus_ln_p
        return self.reduce(losses)

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        """L = ln(1 + e^−z) + (1 − t) z. ∂L/∂z = (p − 1) + (1 − t) = p − t. Shape: that of `prediction`."""
        p = Sigmoid().forward(self.prediction)
        slope = p - self.target
        if self.pos_weight is not None:  # the slope of −ln p is p − 1
            slope = slope + (self.pos_weight - 1) * self.target * (p - 1)
        return slope * self.share(self.target.numel(), grad_loss)


# %% [markdown]
# ## See it: why not the squared error for classes?
#
# $(p - 1)^2$ is also smallest at $p = 1$. What is wrong with it is the slope. Sigmoid and softmax are flat at
# their ends, and the slope of the squared error has to pass through them: the sigmoid multiplies it by
# $p\,(1-p)$. A network that is sure and wrong hardly hears that it is wrong. The slope of $-\ln p$ is $-1/p$,
# which cancels the small $p$, and $p - t$ remains.


# %%
def slopes(z: Tensor) -> Tensor:
    """∂L/∂z for logits z (n,) where yes is right: row 0 squared error of sigmoid(z), row 1 cross-entropy."""
    squash, squared, cross_entropy = (
        Sigmoid(),
        MSELoss("none"),
        BCEWithLogitsLoss("none"),
    )
    squared.forward(squash.forward(z), torch.ones_like(z))
    cross_entropy.forward(z, torch.ones_like(z))
    return torch.stack(
        [squash.backward(squared.backward()), cross_entropy.backward()]
    )  # (2, n)


def rescue(steps: int = 2000) -> Tensor:
    """Two logits start at −8. Each takes steps against the slope of its loss. Their p of yes: (steps, 2)."""
    z, history = torch.tensor([-8.0, -8.0]), []
    for _ in range(steps):
        history.append(Sigmoid().forward(z))
        z = z - slopes(z).diagonal()
    return torch.stack(history)


@demo
def rescue_from_a_wrong_answer() -> Figure:
    """Sure and wrong: cross-entropy gets out in 9 steps, squared error in 1500"""
    figure, (left, right) = new_figure(1, 2)
    z, history = torch.linspace(-8, 4, 121), rescue()
    for i, (name, color) in enumerate(
        (("squared error", OTHER[1]), ("cross-entropy", SCRATCH))
    ):
        left.plot(z, slopes(z)[i].abs(), color=color, label=name)
        right.plot(range(1, len(history) + 1), history[:, i], color=color)
    left.set(
        title="the truth is yes: size of the slope",
        xlabel="logit z",
        ylabel="|∂L/∂z|",
        yscale="log",
    )
    left.legend(frameon=False, loc="lower center")
    right.set(
        title="from z = −8, step by step",
        xlabel="step",
        ylabel="p of yes",
        xscale="log",
    )
    return figure


# %% [markdown]
# At $z = -8$ the slopes are 0.00067 and 0.9997. But this is about starting wrong, not a law: Hui and Belkin
# (2020, arXiv 2006.07322) put the squared error straight on the logits, with no softmax between, and did
# about as well as with cross-entropy on many tasks.
#
# ## See it: the loss is a landscape
#
# Keep the data and change the weights: the loss goes up and down. Two weights can be drawn. They are east
# and north, the loss is the height. Our model is $y = w_2 \tanh(w_1 x)$, its data 41 points made with
# $w_1 = 1$ and $w_2 = 1.5$. There the loss is 0: the floor of a valley. Training walks downhill.


# %%
def walk(start: tuple[float, float], steps: int = 300, lr: float = 0.1) -> Tensor:
    """Train from the weights `start`. Before every step: w₁, w₂ and the loss (steps, 3).

    y = w₂ h, h = tanh(u), u = w₁ x. So ∂y/∂w₂ = h, ∂y/∂h = w₂ and ∂u/∂w₁ = x. All points are added up.
    """
    (w1, w2), x, criterion, tanh = (
        torch.tensor(start),
        torch.linspace(-2, 2, 41),
        MSELoss(),
        Tanh(),
    )
    target, path = 1.5 * torch.tanh(x), []
    for _ in range(steps):
        h = tanh.forward(w1 * x)  # (41,)
        path.append(torch.stack([w1, w2, criterion.forward(w2 * h, target)]))
        grad_y = criterion.backward()  # (41,)
        grad_w1, grad_w2 = (tanh.backward(grad_y * w2) * x).sum(), (grad_y * h).sum()
        w1, w2 = w1 - lr * grad_w1, w2 - lr * grad_w2
    return torch.stack(path)


@demo
def landscape() -> Figure:
    """The loss over two weights: training from two close starts ends in two valleys"""
    x, side = torch.linspace(-2, 2, 41), torch.linspace(-2.8, 2.8, 113)
    w1, w2 = torch.meshgrid(side, side, indexing="xy")  # (113, 113) each
    height = (
        (w2[..., None] * torch.tanh(w1[..., None] * x) - 1.5 * torch.tanh(x)) ** 2
    ).mean(-1)
    figure = Figure(figsize=(9.5, 4.4), layout="constrained", dpi=110)
    flat, solid = (
        figure.add_subplot(1, 2, 1),
        figure.add_subplot(1, 2, 2, projection="3d"),
    )
    colors: Any = {"cmap": "YlGnBu_r", "norm": PowerNorm(0.4, 0, 14)}
    flat.contourf(
        w1,
        w2,
        height,
        levels=[0, 0.04, 0.1, 0.3, 0.6, 1.2, 2, 4, 7, 14],
        alpha=0.6,
        **colors,
    )
    solid.plot_surface(w1, w2, height, alpha=0.5, **colors)
    for start, color in (((-1.0, 2.5), SCRATCH), ((-1.5, 2.5), OTHER[1])):
        east, north, up = walk(start).T
        flat.plot(east, north, ".-", color=color, markersize=3, label=f"start {start}")
        flat.plot(east[[0, -1]], north[[0, -1]], "o", color=color)
        solid.plot(east, north, up + 0.1, color=color, linewidth=2.5, zorder=10)
    flat.set(title="from above: dark is low", xlabel="$w_1$", ylabel="$w_2$")
    flat.legend(loc="lower right")
    solid.set(title="the same with the loss as height", xlabel="$w_1$", ylabel="$w_2$")
    solid.view_init(elev=48, azim=-120)
    return figure


# %% [markdown]
# There are two valleys: $(-1, -1.5)$ is as good as $(1, 1.5)$, because the two signs cancel. Where training
# ends depends on where it starts. A digit network has over a hundred thousand weights, and nobody can see
# its landscape; pictures like these show two directions of it. Lesson 07 explains the steps.
#
# ## The same with PyTorch
#
# Same names, same options. PyTorch's losses have no `backward`; the tensor they return has one.
#
# ```python
# >>> nn.MSELoss()(torch.tensor([0.33]), torch.tensor([1.0]))
# tensor(0.4489)
# ```
#
# ## They agree
#
# Each loss with every reduction; yes or no also with large logits and with weights.


# %%
def made(loss: Any, reduction: str, case: Case) -> Any:
    """The same loss for every case."""
    return loss(reduction=reduction)


def pos_weighted(loss: Any, reduction: str, case: Case) -> Any:
    """How much a yes counts is drawn anew for every case."""
    return loss(
        reduction=reduction, pos_weight=0.5 + case.tensor("weight", case.n_out).abs()
    )


MSE, BCE = (MSELoss, nn.MSELoss), (BCEWithLogitsLoss, nn.BCEWithLogitsLoss)
LARGE: Any = {
    "prediction": lambda case: 1000 * case.tensor("prediction", case.batch, case.n_out)
}
BETWEEN: Any = {
    "target": lambda case: case.tensor("target", case.batch, case.n_out).clamp(0, 1)
}
PAIRS = [
    loss_pair(
        f"{name}, {mode}",
        partial(make, ours, mode),
        partial(make, theirs, mode),
        **inputs,
    )
    for name, make, (ours, theirs), inputs in (
        ("mse", made, MSE, {}),
        ("binary", made, BCE, BETWEEN),
        ("binary, large", made, BCE, BETWEEN | LARGE),
        ("binary, weighted", pos_weighted, BCE, BETWEEN),
    )
    for mode in ("mean", "sum", "none")
]

# %% [markdown]
# ## Where PyTorch differs
#
# - **What the mean divides by.** The number of all entries: four examples with three numbers each are 12.
# - **The factor 2.** Some books take $\frac12 (y-t)^2$, so that the slope is $y - t$. PyTorch and we do not.
#   Half the slope is half the step: a learning rate from such a book is twice ours.
# - **Shapes.** Predictions (5, 1) less targets (5,) are 25 differences, each with each. PyTorch warns, ours
#   raises an error that names both shapes.
#
# Next, lesson 06: which of many.
