# %% [markdown]
# # Lesson 13 · Learning rates
#
# *How far should each step go, and how does one find out?*
#
# Needs: lessons 03, 04, 05, 06, 07, 11, 12 · Time: 20 minutes

# %%
import math
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn, optim
from torch.optim import lr_scheduler

from curriculum.data import load
from curriculum.demo import demo
from curriculum.draw import SCRATCH, new_figure
from curriculum.drawings import GREY, LINES, curves, paired
from curriculum.pair import Case, compare, function_pair, training_pair
from curriculum.table import Table
from lessons.lesson04_layers import mlp
from lessons.lesson05_losses import MSELoss
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import SGD
from lessons.lesson11_training import accuracy, minibatches, sums, train_step
from lessons.lesson12_optimizers import Adam, Momentum

# %% [markdown]
# ## One weight, on paper
#
# Lesson 07's bowl has the loss $w^2$ and the slope $2w$. The lowest point is at 0. Now
# let the slope be noisy, as that of a mini-batch is (lesson 11): before each step a
# coin is tossed, and we see $2(w + 1)$ or $2(w - 1)$. That is right on average. We
# start at 10 with the rate 0.2:
#
# ```python
# >>> w = 10.0
# >>> places = []
# >>> for coin in (1, 1, -1, 1, -1, -1, 1, 1, 1, -1):
# ...     slope = 2 * (w + coin)
# ...     w = w - 0.2 * slope
# ...     places.append(round(w, 2))
# >>> places
# [5.6, 2.96, 2.18, 0.91, 0.94, 0.97, 0.18, -0.29, -0.58, 0.05]
#
# ```
#
# The first steps bring it near. After that each coin throws it about, and it never
# comes to rest. How far from 0 does it stay? Call the mean of $w^2$ over many coins
# $s$. A step makes $(1 - 2\eta)\,w \mp 2\eta$ of $w$. Squared, that has three parts:
# two squares, and twice the product. The coin does not depend on $w$, so the product is
# as often positive as negative, and cancels. What is left:
#
# $$s \leftarrow (1 - 2\eta)^2\, s + (2\eta)^2$$
#
# This stands still where the noise adds what the step takes away:
# $4\eta^2 = (4\eta - 4\eta^2)\, s$, or $s = \eta / (1 - \eta)$. At the rate 0.2 that is
# 0.25, so $w$ stays some $\sqrt{0.25} = 0.5$ from the lowest point, for ever. At the
# rate 0.01 it is 0.1. But that rate needs long to get there: after 40 steps
# $0.98^{40} = 45\,\%$ of the 10 is left.
#
# So a large rate is good at first, and a small one at the end. A *learning-rate
# schedule* has both: it says which rate each step has.
#
# ## From scratch: four schedules
#
# Each is a function of the number of the step, which counts from 0.


# %%
def linear_decay(lr: float, step: int, steps: int) -> float:
    """The rate falls in a straight line from `lr` towards 0.

    >>> [round(linear_decay(0.8, step, 4), 3) for step in range(4)]
    [0.8, 0.6, 0.4, 0.2]
    """
    return lr * (1 - step / steps)


def step_decay(lr: float, step: int, size: int, gamma: float = 0.1) -> float:
    """Every `size` steps the rate is multiplied by `gamma`.

    >>> [round(step_decay(0.8, step, 2), 3) for step in range(4)]
    [0.8, 0.8, 0.08, 0.08]
    """
    return lr * gamma ** (step // size)


def cosine(lr: float, step: float, steps: float, end: float = 0) -> float:
    """Half a cosine wave from `lr` to `end`: slowly at first and at last.

    >>> [round(cosine(0.8, step, 4), 3) for step in range(4)]
    [0.8, 0.683, 0.4, 0.117]
    """
    return end + (lr - end) * (1 + math.cos(math.pi * step / steps)) / 2


def warm_up(lr: float, step: int, steps: int, start: float = 0.1) -> float:
    """The rate rises in a straight line from start · lr, and is `lr` from `steps` on.

    >>> [round(warm_up(0.8, step, 4), 3) for step in range(6)]
    [0.08, 0.26, 0.44, 0.62, 0.8, 0.8]
    """
    return lr * (start + (1 - start) * min(step / steps, 1))


# %% [markdown]
# A *warm-up* is the opposite of decay. We come to what it is for. Two schedules are put
# together from these: a warm-up and then a cosine, which is common today, and *one
# cycle* (Smith 2018, arXiv:1803.09820), which spends 30 % of the steps on the way up.


# %%
def warm_cosine(lr: float, step: int, steps: int, warm: int) -> float:
    """A warm-up of `warm` steps, then half a cosine wave down to 0."""
    if step < warm:
        return warm_up(lr, step, warm)
    return cosine(lr, step - warm, steps - warm)


def one_cycle(
    lr: float, step: int, steps: int, low: float = 1 / 25, end: float = 1 / 25e4
) -> float:
    """From low · lr up to `lr` in 30 % of the steps, then down to end · lr."""
    top = 0.3 * steps - 1
    if step <= top:
        return cosine(low * lr, step, top, lr)
    return cosine(lr, step - top, steps - 1 - top, end * lr)


# %% tags=["hide-input"]
STEPS = 114  # three epochs of 1,197 digits in batches of 32
WARM = 20

# Each takes a rate and returns the rate of every step.
SCHEDULES: dict[str, Callable[[float], list[float]]] = {
    "constant": lambda lr: [lr] * STEPS,
    "linear": lambda lr: [linear_decay(lr, t, STEPS) for t in range(STEPS)],
    "step": lambda lr: [step_decay(lr, t, 38) for t in range(STEPS)],
    "cosine": lambda lr: [cosine(lr, t, STEPS) for t in range(STEPS)],
    "warm-up, cosine": lambda lr: [
        warm_cosine(lr, t, STEPS, WARM) for t in range(STEPS)
    ],
    "one cycle": lambda lr: [one_cycle(lr, t, STEPS) for t in range(STEPS)],
}


def typical_distance(rates: list[float], start: float = 10.0) -> list[float]:
    """How far the weight on paper is from 0 after each step: the root of mean w²."""
    square = start**2
    found = []
    for lr in rates:
        square = (1 - 2 * lr) ** 2 * square + (2 * lr) ** 2
        found.append(square**0.5)
    return found


@demo
def far_and_near() -> Figure:
    """Left: the weight on paper, three ways to choose the rate. Right: the schedules"""
    figure, (left, right) = new_figure(1, 2, width=4.3, height=3.6)
    ways = {
        "rate 0.2": [0.2] * 40,
        "rate 0.01": [0.01] * 40,
        "from 0.2, falling": [linear_decay(0.2, t, 40) for t in range(40)],
    }
    found = {name: typical_distance(rates) for name, rates in ways.items()}
    curves(left, found, across="step", upwards="typical distance from the lowest point")
    left.set(yscale="log", ylim=(0.1, 30))
    shapes = {name: make(0.1) for name, make in SCHEDULES.items()}
    dark = {"warm-up, cosine": "#a06a00"}  # readable on white and on black
    curves(right, shapes, across="step", upwards="rate", colors=dark)
    right.set(ylim=(0, 0.16))
    right.legend(frameon=False, ncols=2)
    return figure


# %% [markdown]
# On the left the falling rate ends at a distance of 0.21, the rate 0.2 at 0.5. You may
# say that 0.2 was badly chosen. But the best of all constant rates for these 40 steps,
# 0.055, ends at 0.26, and one would have to know it beforehand.
#
# ## See it: what a schedule brings
#
# The network and the digits are those of lesson 12: 784–64–10, 1,197 scanned digits,
# batches of 32, three epochs, and 300 other digits that are read at the end. There
# every optimiser had a falling rate. Was that worth it? We take plain descent. Each
# schedule has the best of the rates 0.03, 0.06, 0.1 and 0.18, chosen with four starts
# that are not shown. For the constant rate that is 0.03, for all others 0.1. From one
# start each schedule sees the same batches, so we compare start by start.
#
# <details><summary>What do you expect? Who gains more from a falling rate: small
# batches or large ones?</summary>
#
# Small ones. Their gradients are noisier (lesson 11), and noise is what keeps a
# constant rate from settling. With batches of 8 or 32 a rate that falls in a straight
# line gains 3 to 4 points, with batches of 128 less than 1 (means of five starts).
#
# </details>


# %%
def training(make: Any, seed: int, rates: list[float]) -> Iterator[tuple[Any, float]]:
    """Train with one rate for each step. Yields the model and the loss after each."""
    x, target = digits("digits").train
    model = mlp(784, 64, 10, seed=seed)
    optimizer = make(model.params)
    model.layers[0].backward = model.layers[0].backward_params  # pixels need none
    generator = torch.Generator().manual_seed(seed)
    batches: list[Tensor] = []
    while len(batches) < len(rates):
        batches += minibatches(len(x), 32, generator)  # one more epoch
    for lr, index in zip(rates, batches, strict=False):
        optimizer.lr = lr  # that is all a schedule does
        loss = train_step(model, CrossEntropyLoss(), optimizer, x[index], target[index])
        yield model, loss.item()


# %% tags=["hide-input"]
digits = cache(load)
CONTENDERS: dict[str, Any] = {  # with the usual rate of each
    "plain descent": partial(SGD, lr=0.1),
    "momentum 0.9": partial(Momentum, lr=0.01),
    "Adam": partial(Adam, lr=0.001),
}


@cache
@torch.inference_mode()  # gradients are by hand: autograd need not look on
def share_right(name: str, schedule: str, lr: float, seed: int) -> float:
    """The share of 300 other digits that are read rightly after 114 steps."""
    *_, (model, _) = training(CONTENDERS[name], seed, SCHEDULES[schedule](lr))
    others = digits("digits").val
    return accuracy(model.forward(others.x), others.target)


def gains(schedule: str, seeds: int = 8) -> list[float]:
    """With a schedule minus without, in points of a hundred, one number for each start.

    Plain descent; each side has its best rate.
    """
    found = []
    for seed in range(seeds):
        before = share_right("plain descent", "constant", 10**-1.5, seed)
        found.append(100 * (share_right("plain descent", schedule, 0.1, seed) - before))
    return found


@demo
def what_a_schedule_brings() -> Figure:
    """Plain descent, eight starts: with a schedule minus the best constant rate"""
    figure, axis = new_figure(width=6.4, height=3.2)
    names = [name for name in SCHEDULES if name != "constant"]
    across = "digits read rightly: points more than with the best constant rate"
    paired(axis, {name: gains(name) for name in names}, across)
    return figure


# %% [markdown]
# A ring is a start, the dot their mean. The bar is the 95 % interval of the mean: there
# the mean of very many starts would lie, most probably. The four smooth schedules gain
# 5 points on average (4 with sixteen other starts), and they gain from every start.
# Without a schedule the eight networks read 82 to 93 %, with a falling rate 94 to 96 %:
# the largest gain is that none has bad luck with its last steps. Which of the four is
# best, eight starts cannot tell. The rate that falls in steps gains less, 3 points.
#
# Two things it depends on. **How long one trains**: after ten epochs the best constant
# rate (0.1) reads 96 to 97 % and so does the best linear one. Nothing is left of the
# gain on these digits. **Which optimiser**: with momentum a rate that falls in a line
# gains 1 point, with Adam nothing, each side at its best rate. Their best constant
# rates are small for the noise, and read 94 to 95 % as they are.
#
# ## See it: what a warm-up is for
#
# Adam's first step moves *every* weight by the rate, however small its gradient is
# (lesson 12). Take a hidden neuron with 784 inputs. `load` has *standardised* the
# pixels: their mean is 0, and they are about 1 in size. Without their signs those of a
# digit add up to 616 on average. If all weights move by 0.03, the neuron's sum can move
# by $0.03 \cdot 616 = 18$. Before the step its sums are 0.5 to 0.7 in size. One step
# has drowned what was there, and only 32 digits made that step.
#
# Many neurons land where their sum is negative for all digits. ReLU makes 0 of that,
# the slope is 0 as well, and hardly one comes back. They are called *dead*. Below: how
# many are dead, step by step, and what it costs.


# %% tags=["hide-input"]
@cache
@torch.inference_mode()
def dead(schedule: str, lr: float, seed: int, steps: int = 30) -> list[float]:
    """The share of hidden neurons that give 0 for all 300 digits, after each step."""
    x = digits("digits").val.x
    found = []
    for model, _ in training(CONTENDERS["Adam"], seed, SCHEDULES[schedule](lr)[:steps]):
        hidden = model.layers[0].forward(x)  # (300, 64), before ReLU
        silent = (hidden <= 0).all(0)
        found.append(silent.double().mean().item())
    return found


WARMED = ("cosine", "warm-up, cosine")
ADAM_RATES = [0.01, 10**-1.5, 10**-1.25]


@demo
def warm_up_saves_neurons() -> Figure:
    """Adam, five starts, with and without a warm-up of 20 steps"""
    figure, (left, right) = new_figure(1, 2, width=4.3, height=3.6)
    deaths = {}
    ends = {}
    for number, schedule in enumerate(WARMED):
        runs = torch.tensor([dead(schedule, 10**-1.5, seed) for seed in range(5)])
        deaths[schedule] = runs.mean(0)
        left.fill_between(
            range(1, 31), runs.amin(0), runs.amax(0), color=LINES[number], alpha=0.15
        )
        shares = [
            [100 * share_right("Adam", schedule, lr, seed) for seed in range(5)]
            for lr in ADAM_RATES
        ]
        for lr, found in zip(ADAM_RATES, shares, strict=True):
            right.plot([lr] * 5, found, "o", color=LINES[number], alpha=0.35)
        ends[schedule] = (ADAM_RATES, [sum(found) / 5 for found in shares])
    curves(left, deaths, across="step", upwards="share of hidden neurons dead")
    left.set(ylim=(0, 1), title="largest rate 0.03")
    curves(right, ends, across="largest rate", upwards="new digits read rightly, %")
    right.set(xscale="log", ylim=(0, 100), title="after 114 steps")
    right.set(xticks=ADAM_RATES, xticklabels=("0.01", "0.03", "0.06"))
    right.minorticks_off()
    return figure


# %% [markdown]
# At the rate 0.03 nine neurons of ten are dead after 30 steps without a warm-up, six of
# ten with it. The networks end at 59 to 86 % without, at 94 to 96 % with it. At 0.06 it
# is some 23 against 93 %. So a warm-up makes a rate usable that is three times as
# large. That is not the same as a better network: with the best rate of each, 0.01, it
# gains 1 point here. Plain descent gains nothing from it, as the figure before showed.
#
# ## See it: which rate, for which optimiser
#
# Every network has its own best rate. To find it, try many: below are four or five
# rates, each half a power of ten from the next, with five starts. This is the honest
# way, and it is dear. A *learning-rate finder* is cheap (after Smith 2017,
# arXiv:1506.01186): one short run in which the rate grows by a factor at each step,
# from far too small to far too large. First the loss stays, then it falls, then it
# explodes. Where it is lowest, harm is near. A rule of thumb takes a tenth of that
# rate.
#
# The losses of single batches jump, so we take a running average, and correct it for
# its start at 0 as Adam does.


# %%
GROWING = [1e-6 * 1e7 ** (step / 99) for step in range(100)]  # from 1e-6 to 10


def find(make: Any, seed: int) -> tuple[list[float], float]:
    """The averaged loss at each of the growing rates, and the rate to try."""
    note = 0.0
    averaged = []
    for step, (_, loss) in enumerate(training(make, seed, GROWING), start=1):
        note = 0.9 * note + 0.1 * loss
        averaged.append(note / (1 - 0.9**step))
    lowest = averaged.index(min(averaged))
    return averaged, GROWING[lowest] / 10


# %% tags=["hide-input"]
RATES: dict[str, list[float]] = {
    "plain descent": [10 ** (k / 2) for k in range(-4, 0)],
    "momentum 0.9": [10 ** (k / 2) for k in range(-5, -1)],
    "Adam": [10 ** (k / 2) for k in range(-7, -2)],
}


@cache
@torch.inference_mode()
def found_by(name: str, seed: int) -> tuple[list[float], float]:
    """`find`, once for each optimiser and start."""
    return find(CONTENDERS[name], seed)


def means(name: str) -> list[float]:
    """The mean share of five starts at each of the five rates."""
    return [
        sum(share_right(name, "constant", lr, seed) for seed in range(5)) / 5
        for lr in RATES[name]
    ]


@demo
def which_rate() -> Figure:
    """Above: the finder, five runs. Below: what each rate really gives, five starts"""
    figure, axes = new_figure(2, 3, width=2.8, height=2.6)
    for (upper, lower), (name, make) in zip(axes.T, CONTENDERS.items(), strict=True):
        advice = [found_by(name, seed)[1] for seed in range(5)]
        for seed in range(5):
            averaged = found_by(name, seed)[0]
            upper.semilogx(GROWING, averaged, color=SCRATCH, alpha=0.5, linewidth=0.9)
        for lr in RATES[name]:
            shares = [share_right(name, "constant", lr, seed) for seed in range(5)]
            lower.semilogx([lr] * 5, shares, "o", color=GREY, markerfacecolor="none")
        lower.plot(RATES[name], means(name), color=SCRATCH)
        for axis in (upper, lower):
            axis.axvspan(min(advice), max(advice), color=LINES[3], alpha=0.3)
            axis.axvline(make.keywords["lr"], color="0.3", linestyle=":")
            axis.set(xlim=(1e-4, 10), xticks=(1e-3, 1e-1, 10))
            axis.minorticks_off()
        upper.set(title=name, ylim=(0, 4))
        lower.set(xlabel="rate", ylim=(0, 1))
    upper, lower = axes[:, 0]
    upper.set_ylabel("averaged loss")
    lower.set_ylabel("share read rightly")
    upper.text(0.085, 0.25, "usual", color="0.3", fontsize=9, ha="right")
    upper.text(0.009, 1.1, "finder", color=LINES[3], fontsize=9, ha="right")
    return figure


# %% [markdown]
# Green is what the finder advises in five runs, dotted the usual rate.
#
# - **The finder** costs one run, not twenty. Its advice differs from run to run by a
#   factor of 2 to 5, and it lies within a factor of 4 of the best rate for all three.
#   In the settings of the next table it was off by up to 6, too low for large batches,
#   too high for four hidden layers and plain descent. It finds the right power of ten,
#   no more. Then try a few rates around it.
# - **Plain descent's usual 0.1** is an edge. The five starts end between 68 and 96 %.
#   At 0.3 none reads a quarter.
# - **Momentum's** best rate is 0.01, a tenth of plain descent's usual one. Lesson 12
#   said why: the velocity is a sum of ten gradients. 0.1 is too much for it.
# - **Adam's usual 0.001** reads 90 to 94 %, and 0.003 is a little better.
#
# ## Are the usual rates good elsewhere?
#
# One network is no proof. So we changed one thing at a time, with constant rates, 114
# steps and five starts. The table has the range of the usual rate, and in brackets the
# median of the best of its half powers of ten:
#
# | setting | Adam, 0.001 | (best) | plain descent, 0.1 | (best) |
# |---|---|---|---|---|
# | as above | 91–94 % | (95) | 68–96 % | (92) |
# | 16 hidden neurons | 77–89 % | (88) | 45–93 % | (90) |
# | 256 hidden neurons | 94–96 % | (95) | 74–97 % | (94) |
# | four hidden layers of 64 | 85–88 % | (90) | 24–74 % | (49) |
# | batches of 8 | 83–88 % | (88) | 69–87 % | (88) |
# | batches of 128 | 95–96 % | (97) | 94–96 % | (95) |
# | the loss summed, not averaged | 91–94 % | (95) | 9–14 % | (92) |
# | MNIST (lesson 17) | 89–90 % | (91) | 87–89 % | (88) |
#
# Adam's 0.001 is at most 3 points below the best, everywhere. That is its merit: not
# the best network, but a rate that one need not look for. The row of the summed loss
# shows why. There all gradients are 32 times as large. Adam divides by their size and
# walks on as before. Plain descent needs a rate 32 times as small. Its 0.1 is good
# with large batches, and a matter of luck with small ones.
#
# Eight settings of small networks for digits are still no law. So: start at 0.001 with
# Adam, or where the finder says; let the rate fall; and try a rate three times as large
# and one three times as small before you believe any comparison.
#
# ## See it: a schedule that stands still
#
# In PyTorch `schedule.step()` moves to the next rate. It belongs behind *every*
# `optimizer.step()` if the schedule counts steps. A common mistake is to call it once
# an epoch. Nothing crashes.


# %% tags=["hide-input"]
TORCHS: dict[str, Callable[[optim.Optimizer], Any]] = {  # with the rate 0.1
    "constant": lambda o: lr_scheduler.ConstantLR(o, factor=1),
    "linear": lambda o: lr_scheduler.PolynomialLR(o, STEPS),
    "step": lambda o: lr_scheduler.StepLR(o, 38),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS),
    "warm-up, cosine": lambda o: lr_scheduler.SequentialLR(
        o,
        [
            lr_scheduler.LinearLR(o, 0.1, total_iters=WARM),
            lr_scheduler.CosineAnnealingLR(o, STEPS - WARM),
        ],
        milestones=[WARM],
    ),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.1, STEPS),
}


def rates_torch(name: str, every: int = 1) -> Tensor:
    """The 114 rates of one of PyTorch's, which is stepped after every so many steps."""
    optimizer = optim.SGD([torch.zeros(1)], 0.1, momentum=0.9)
    schedule = TORCHS[name](optimizer)
    seen = []
    for step in range(1, STEPS + 1):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step % every == 0:
            schedule.step()
    return torch.tensor(seen)


@demo
def stepped_once_an_epoch() -> Table:
    """The bug: PyTorch's cosine, stepped after each step or after each epoch of 38"""
    rows = []
    for name, every in (("after each step", 1), ("after each epoch", 38)):
        ours = partial(torch.tensor, SCHEDULES["cosine"](0.1))
        found = compare(
            function_pair("cosine", ours, partial(rates_torch, "cosine", every))
        )[0]
        rates = rates_torch("cosine", every).tolist()
        rows.append((name, rates[-1], found.largest, found.problem or "equal"))
    columns = ("schedule.step()", "last rate", "largest difference to ours", "verdict")
    return Table(columns, rows)


# %% [markdown]
# Stepped once an epoch, the rate is still 0.0999 in the last step. It is a constant
# rate, and one that is too large. Print the rate of the last step, or draw all rates:
# that shows the mistake at once.
#
# ## They agree
#
# The rates of each schedule, and a whole run: lesson 11's tiny program with Adam, a
# warm-up and a cosine. The tests compare other rates and numbers of steps, and one
# cycle's momentum.


# %% tags=["hide-input"]
def scheduled_scratch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """The tiny program on sums with a warm-up: every loss, the trained parameters."""
    model = mlp(2, 16, 1, seed=0)
    optimizer = Adam(model.params)
    x, target = sums()
    generator = torch.Generator().manual_seed(0)
    losses: list[float] = []
    for _ in range(40):
        for index in minibatches(256, 60, generator):
            optimizer.lr = warm_cosine(0.01, len(losses), 200, 20)
            loss = train_step(model, MSELoss(), optimizer, x[index], target[index])
            losses.append(loss.item())
    return losses, model.params


def scheduled_torch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """The same with `torch.nn`, `torch.optim` and its schedules."""
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
    model.load_state_dict(mlp(2, 16, 1, seed=0).params)
    optimizer = optim.Adam(model.parameters(), 0.01)
    warm = lr_scheduler.LinearLR(optimizer, 0.1, total_iters=20)
    falling = lr_scheduler.CosineAnnealingLR(optimizer, 180)
    schedule = lr_scheduler.SequentialLR(optimizer, [warm, falling], milestones=[20])
    x, target = sums()
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(40):
        for index in minibatches(256, 60, generator):
            loss = nn.functional.mse_loss(model(x[index]), target[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    return losses, dict(model.named_parameters())


PAIRS = [
    *(
        function_pair(
            name, partial(torch.tensor, make(0.1)), partial(rates_torch, name)
        )
        for name, make in SCHEDULES.items()
    ),
    training_pair("a run with a warm-up", scheduled_scratch, scheduled_torch),
]

# %% [markdown]
# <details><summary>More: one cycle's momentum, and another rule for finders</summary>
#
# - While one cycle's rate rises, its momentum falls from 0.95 to 0.85, and back. It is
#   the same function the other way round, and `OneCycleLR` does it for you.
# - Smith's one cycle is made of straight lines. PyTorch's default, and ours, is made of
#   cosines.
# - Another rule for the finder takes the rate at which the loss falls most steeply. It
#   gives two to five times as much as ours: too much for a constant rate, about right
#   for one that falls.
# - A second reason is given for warm-ups: Adam's notes of the gradients' size rest on
#   few batches at first (Liu and others 2020, arXiv:1908.03265).
#
# </details>
#
# ## Where PyTorch differs
#
# - Ours are functions of the step. PyTorch's are objects that change the rate inside
#   the optimiser, each time one calls `step()` on them.
# - `LinearLR` warms up from a third of the rate, if nothing is said; ours from a tenth.
# - After its last step `CosineAnnealingLR` rises again, and `OneCycleLR` raises an
#   error.
#
# ## You can now
#
# - say why a rate should fall, and by how much noise a constant one is held off;
# - write six schedules, and tell when a warm-up helps;
# - find a rate: the usual one, the finder, and a few tries around it.
#
# Exercises: `curriculum start 13a` (a rate that falls along a power), `13b` (predict,
# run, explain), each graded by `curriculum check` and its name. `curriculum run 13`
# shows all figures, `curriculum compare 13` all pairs.
#
# Next: many layers. There even the best rate gets no gradient to work with, unless the
# start is right. Lesson 14 looks for it.
