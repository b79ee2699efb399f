# %% [markdown]
# # Lesson 13 · Learning rates
#
# *How far should each step go, and how does one find out?*
#
# Needs: lessons 04, 05, 07, 11, 12 · Time: 15 minutes

# %%
import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, optim
from torch.optim import lr_scheduler

from curriculum.data import load
from curriculum.demo import demo
from curriculum.draw import OTHER, SCRATCH, new_figure
from curriculum.pair import function_pair
from lessons.lesson04_layers import mlp
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import SGD
from lessons.lesson11_training import accuracy, minibatches, train_step
from lessons.lesson12_optimizers import Adam, MomentumSGD

# %% [markdown]
# ## From scratch


# %%
def linear_decay(lr: float, step: int, steps: int) -> float:
    """The rate of step 0, 1, …, steps − 1: it falls in a straight line from `lr` towards 0.

    >>> [linear_decay(0.5, step, 4) for step in range(4)]
    [0.5, 0.375, 0.25, 0.125]
    """
    return lr * (1 - step / steps)


# %% [markdown]
# ## See it: schedules
#
# A *schedule* says which rate a step has. `linear_decay` is one. Others drop to a tenth now and then,
# or follow half a cosine wave. *One cycle* (Smith 2018, arXiv:1803.09820) starts small, rises, and falls to
# almost nothing, while the momentum goes from 0.95 to 0.85 and back. Below, a constant 0.1 fails from some
# starts, the four others from none. Six runs cannot rank them. (Lesson 11's scans, enlarged to 28 × 28.)


# %%
def step_decay(lr: float, step: int, size: int, gamma: float = 0.1) -> float:
    """Every `size` steps the rate is multiplied by `gamma`."""
    return lr * gamma ** (step // size)


def cosine(lr: float, step: float, steps: float, end: float = 0) -> float:
    """From `lr` to `end` in `steps` steps, slowly at first and at last."""
    return end + (lr - end) * (1 + math.cos(math.pi * step / steps)) / 2


def one_cycle(
    lr: float, step: int, steps: int, low: float = 1 / 25, end: float = 1 / 25e4
) -> float:
    """From `low` · lr up to `lr` in the first 30 % of the steps, then down to `end` · lr."""
    top = 0.3 * steps - 1
    if step <= top:
        return cosine(low * lr, step, top, lr)
    return cosine(lr, step - top, steps - 1 - top, end * lr)


SCHEDULES: dict[
    str, tuple[list[float], Any]
] = {  # our rates for five epochs, and PyTorch's schedule
    "constant": ([0.1] * 190, lambda o: lr_scheduler.ConstantLR(o, factor=1)),
    "linear": (
        [linear_decay(0.1, t, 190) for t in range(190)],
        lambda o: lr_scheduler.PolynomialLR(o, 190),
    ),
    "step": (
        [step_decay(0.1, t, 64) for t in range(190)],
        lambda o: lr_scheduler.StepLR(o, 64),
    ),
    "cosine": (
        [cosine(0.1, t, 190) for t in range(190)],
        lambda o: lr_scheduler.CosineAnnealingLR(o, 190),
    ),
    "1cycle": (
        [one_cycle(0.1, t, 190) for t in range(190)],
        lambda o: lr_scheduler.OneCycleLR(o, 0.1, 190),
    ),
}
digits = cache(load)


def learn(make: Any, seed: int, rates: list[float]) -> tuple[list[float], float]:
    """784–64–10 on 1,197 digits, one rate per step: the losses, and the share of 300 others read rightly."""
    (x, target), val, losses = digits("digits").train, digits("digits").val, []
    model, generator = mlp(784, 64, 10, seed=seed), torch.Generator().manual_seed(seed)
    batches = (
        index for _ in rates[::38] for index in minibatches(len(x), 32, generator)
    )
    optimizer = make(model.params)
    for lr, index in zip(rates, batches, strict=True):
        optimizer.lr = lr
        losses.append(
            train_step(
                model, CrossEntropyLoss(), optimizer, x[index], target[index]
            ).item()
        )
    return losses, accuracy(model.forward(val.x), val.target)


@demo
def schedules() -> Figure:
    """Five schedules for 190 steps, and six runs of plain descent with each"""
    figure, (left, right) = new_figure(1, 2, width=4.6)
    for row, (rates, _) in enumerate(SCHEDULES.values()):
        left.plot(rates, color=(SCRATCH, *OTHER)[row])
        shares = [learn(partial(SGD, lr=0.1), seed, rates)[1] for seed in range(6)]
        right.plot(shares, [row] * 6, "o", color=(SCRATCH, *OTHER)[row], alpha=0.6)
    left.set(xlabel="step", ylabel="rate")
    right.set(
        xlabel="share read rightly",
        yticks=range(5),
        yticklabels=SCHEDULES,
        ylim=(4.5, -0.5),
    )
    return figure


# %% [markdown]
# ## See it: the first rate to try
#
# People say: start at 0.001 with Adam, at 0.1 with SGD. We try nine rates, three starts each, three epochs. A
# *learning-rate finder* is cheaper (after Smith 2017, arXiv:1506.01186): one short run, in which the rate
# grows by a factor per step. Where the loss is lowest, harm is near. A rule of thumb takes a tenth of that.


# %%
CONTENDERS: dict[str, Any] = {
    "SGD": partial(SGD, lr=0.1),
    "Adam": partial(Adam, lr=0.001),
}
CONTENDERS["momentum 0.9"] = partial(MomentumSGD, lr=0.1, momentum=0.9)


def find(make: Any) -> tuple[list[float], list[float], float]:
    """152 rates from 1e-6 to 10, the losses on the way as a running average, and the rate to try."""
    rates, smooth = [1e-6 * 1e7 ** (step / 151) for step in range(152)], [2.3]
    for loss in learn(make, 0, rates)[0]:
        smooth.append(0.9 * smooth[-1] + 0.1 * loss)
    return rates, smooth[1:], rates[smooth.index(min(smooth)) - 1] / 10


@demo
def which_rate() -> Figure:
    """The finder's run, and 27 runs. Dotted: the advice. Green: the finder's"""
    figure, axes = new_figure(2, 3, width=3.3, height=2.5)
    for (upper, lower), (name, make) in zip(axes.T, CONTENDERS.items(), strict=True):
        rates, losses, found = find(make)
        upper.semilogx(rates, losses, color=SCRATCH)
        for lr in (10 ** (k / 2) for k in range(-8, 1)):
            shares = [learn(make, seed, [lr] * 114)[1] for seed in range(3)]
            lower.semilogx([lr] * 3, shares, "o", color=SCRATCH, alpha=0.5)
        for axis in (upper, lower):
            axis.axvline(make.keywords["lr"], color="0.4", linestyle=":")
            axis.axvline(found, color=OTHER[2])
        upper.set(
            title=f"{name}: finder {found:.1g}",
            xlim=(1e-6, 10),
            ylim=(0, 4),
            ylabel="loss",
        )
        lower.set(
            xlabel="rate", xlim=(1e-6, 10), ylim=(0, 1), ylabel="share read rightly"
        )
    return figure


# %% [markdown]
# Adam's 0.001 is good from all three starts. SGD's 0.1 is an edge: two starts read 90 % or
# so, one only 70 %; at 0.3 none reads a quarter. With momentum 0.01 is best, 0.1 too much.
# The finder comes within a factor of 3 of the best. This is one small data set and one
# network. What speaks for Adam's default: multiply the loss by 1,000, and Adam walks on as
# before, while SGD's rates are all 1,000 times too large.

# %% [markdown]
# ## They agree


# %%
def rates_torch(make: Callable[[optim.Optimizer], Any]) -> Tensor:
    """190 rates of one of PyTorch's, which changes the rate in the optimiser."""
    optimizer, seen = optim.SGD([torch.zeros(1)], 0.1, momentum=0.9), []
    schedule = make(optimizer)
    for _ in range(190):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return torch.tensor(seen)


PAIRS = [
    function_pair(n, partial(torch.tensor, a), partial(rates_torch, b))
    for n, (a, b) in SCHEDULES.items()
]

# %% [markdown]
# ## Where PyTorch differs
#
# - Smith's one cycle is made of straight lines. PyTorch's default, and ours, is made of cosines.
#
# Next: many layers. There even the best optimiser gets no gradient to work with, unless the start is right.
