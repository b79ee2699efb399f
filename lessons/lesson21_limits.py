# %% [markdown]
# # Lesson 21 · Limits
#
# *What can a network that reads digits not do, and what does a better one cost?*
#
# Needs: lessons 04, 05, 08, 11, 17 · Time: 25 minutes

# %%
import functools
import itertools
import time
from collections.abc import Callable
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.data import OFFLINE_DIGITS, Data, Split, load
from curriculum.demo import demo
from curriculum.draw import OTHER, SCRATCH, new_figure
from curriculum.pair import Case, Pair
from curriculum.table import Table
from lessons import lesson17_mnist as lesson17
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson11_training import accuracy
from lessons.lesson17_mnist import (
    MLP,
    SIZES,
    TorchMLP,
    first_weights,
    learn,
    scratch_step,
)

# %% [markdown]
# ## The idea
#
# Lesson 17's network reads 97 digits of 100. Where does that end? What we find holds for one small MLP: a
# reason to measure others, not a law about them. Begin with a neuron with the weights 1, −2, 3, −2. No input
# may move by more than 0.1. How far can the sum be moved? Move every input the way its weight points:
#
# ```python
# >>> round(sum(w * (0.1 if w > 0 else -0.1) for w in (1, -2, 3, -2)), 10)
# 0.8
# ```
#
# Nothing cancels. Now take 784 pixels and weights of size 0.02, as those of lesson 17's first layer are on
# average. Nudges that agree with the weights add up to 784 · 0.1 · 0.02 = 1.6. With random signs most
# cancel: about √784 = 28 of them are left, 0.06. The more pixels, the more a small change can do, if it is
# the right one. That one follows the slope of the loss along the *pixels*, which lesson 17 left out: nobody
# was going to change them. Training steps the weights *down* the loss; this steps the picture *up*:
#
# $$x' = x + \varepsilon \cdot \mathrm{sign}\Big(\frac{\partial L}{\partial x}\Big)$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $x$, $x'$ | `x` | (batch, 784) | standardised pixels; an *adversarial* picture, made to be misread |
# | $\varepsilon$ | `eps` | | how far a pixel may move, in the unit of `x` |
#
# ## From scratch
#
# The step above, taken once, is called FGSM. PGD takes several smaller ones from a random place near the
# picture, and after each goes back to where no pixel is more than $\varepsilon$ away. Both keep the pixels
# in the `box` from paper to ink.

# %%
Box = tuple[float, float]


def uphill(model: MLP, x: Tensor, target: Tensor) -> Tensor:
    """The sign of ∂L/∂x, (batch, n_in): +1, −1, or 0. Needs a model with `input_grad`.

    The sign of 0 is 0: a pixel without a slope stays. (A net so sure that p − q rounds to 0 looks safe.)
    """
    criterion = CrossEntropyLoss()
    criterion.forward(model.forward(x), target)
    return torch.sign(model.backward(criterion.backward()))


def fgsm(model: MLP, x: Tensor, target: Tensor, eps: float, box: Box) -> Tensor:
    """Fast gradient sign method (Goodfellow et al. 2015, arXiv:1412.6572): one step. (batch, n_in).

    If L were a straight line, L(x + d) = L(x) + Σᵢ dᵢ ∂L/∂xᵢ. Under |dᵢ| ≤ ε each term is largest at
    dᵢ = ε · sign(∂L/∂xᵢ). L is not a straight line: that is why PGD does better.
    """
    return (x + eps * uphill(model, x, target)).clamp(*box)


def pgd(
    model: MLP, x: Tensor, target: Tensor, eps: float, box: Box, noise: Tensor
) -> Tensor:
    """Projected gradient descent (Madry et al. 2018, arXiv:1706.06083), uphill, ten steps of ε/4.

    `noise`: where to start, −1 to 1 times ε, (batch, n_in). Returns (batch, n_in).
    """
    moved = (x + eps * noise).clamp(*box)
    for _ in range(10):
        moved = fgsm(model, moved, target, eps / 4, box).clamp(x - eps, x + eps)
    return moved


# %% [markdown]
# ## The same with PyTorch


# %%
def torch_uphill(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """The same by autograd: ask for the gradient of x, not of the weights."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(nn.functional.cross_entropy(model(x), target), x)[
        0
    ].sign()


def torch_fgsm(
    model: nn.Module, x: Tensor, target: Tensor, eps: float, box: Box
) -> Tensor:
    """The same by autograd."""
    return x.add(torch_uphill(model, x, target), alpha=eps).clamp(*box)


def torch_pgd(
    model: nn.Module, x: Tensor, target: Tensor, eps: float, box: Box, noise: Tensor
) -> Tensor:
    """The same by autograd: `bottom` and `top` bound every pixel."""
    bottom, top = (x - eps).clamp(*box), (x + eps).clamp(*box)
    moved = x.add(noise, alpha=eps).clamp(*box)
    for _ in range(10):
        moved = moved.add(torch_uphill(model, moved, target), alpha=eps / 4).clamp(
            bottom, top
        )
    return moved


# %% [markdown]
# ## See it: pictures made to be misread
#
# We take lesson 17's network, 3 epochs on MNIST (39 on the offline digits). **Numbers in the text are from
# MNIST's validation part.** From here on $\varepsilon$ counts from 0 (paper) to 1 (ink).


# %%
def train(sizes: tuple[int, ...], examples: Split, epochs: int, seed: int = 0) -> MLP:
    """An MLP trained as in lesson 17: plain descent, batches of 64, the rate falling from 0.2 to 0."""
    with torch.random.fork_rng(devices=[]):
        model = MLP(sizes)
    model.load_state_dict(first_weights(sizes, seed))
    for _ in learn(
        scratch_step(model),
        examples,
        epochs,
        64,
        0.2,
        torch.Generator().manual_seed(seed),
    ):
        pass
    model.input_grad = True
    return model


@functools.cache
def trained() -> tuple[Data, MLP]:
    """The data and the network, trained once for all demos."""
    data = lesson17.data_set()
    model = MLP(SIZES, input_grad=True)
    model.load_state_dict(
        lesson17.trained_by_hand(39 if data.name == OFFLINE_DIGITS else 3).params
    )
    return data, model


def altered(eps: float, count: int = 1000) -> dict[str, Tensor]:
    """The first `count` validation pictures, moved by at most `eps` in three ways. (count, 784)."""
    data, model = trained()
    x, target = data.val.x[:count], data.val.target[:count]
    size, box = eps / data.std, (-data.mean / data.std, (1 - data.mean) / data.std)
    noise = 2 * torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) - 1
    chosen = {
        "FGSM": fgsm(model, x, target, size, box),
        "PGD": pgd(model, x, target, size, box, noise),
    }
    return {"random signs": (x + size * noise.sign()).clamp(*box)} | chosen


@demo
def made_to_be_misread() -> Figure:
    """Each pixel moved by at most 0.1: the signs matter, not the size"""
    data, model = trained()
    rows = {"original": data.val.x[:8], **altered(0.1, 8)}
    rows["change (PGD)"] = data.std * (rows["PGD"] - rows["original"])
    figure, axes = new_figure(4, 8, 1.0, 1.2)
    for row, name in zip(
        axes, ("original", "change (PGD)", "PGD", "random signs"), strict=True
    ):
        row[0].set_ylabel(name, fontsize=9)
        sure, answer = model.forward(rows[name]).softmax(1).max(1)
        for i, axis in enumerate(row):
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
            if name == "change (PGD)":
                axis.imshow(
                    rows[name][i].view(28, 28).numpy(),
                    cmap="PuOr_r",
                    vmin=-0.15,
                    vmax=0.15,
                )
            else:
                axis.imshow(
                    data.images(rows[name])[i].numpy(), cmap="gray_r", vmin=0, vmax=1
                )
                color = "black" if answer[i] == data.val.target[i] else SCRATCH
                axis.set_title(f"{answer[i]} ({sure[i]:.0%})", fontsize=9, color=color)
    return figure


EPSILONS = (0.0, 0.01, 0.02, 8 / 255, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3)


@functools.cache
def attacks() -> dict[str, list[float]]:
    """The accuracy on 1,000 validation digits for each of `EPSILONS`."""
    (data, model), pictures = trained(), [altered(eps) for eps in EPSILONS]
    target = data.val.target[:1000]
    return {
        name: [accuracy(model.forward(x[name]), target) for x in pictures]
        for name in pictures[0]
    }


@demo
def accuracy_against_epsilon() -> Figure:
    """Random changes do little; chosen ones of the same size take every answer"""
    figure, axis = new_figure(width=5.6)
    for (name, values), color in zip(
        attacks().items(), (OTHER[3], OTHER[0], SCRATCH), strict=True
    ):
        axis.plot(
            EPSILONS,
            [100 * value for value in values],
            "o-",
            color=color,
            markersize=4,
            label=name,
        )
    axis.set(
        xlabel="ε, the most a pixel may move (0 to 1)",
        ylabel="accuracy, %",
        title=trained()[0].name,
    )
    axis.legend(frameon=False, loc="center right")
    return figure


# %% [markdown]
# In the first figure a wrong answer is red. PGD and random signs moved pixels by up to the same 0.1. Only one
# ruins the answers. A common claim: a network with 99 % falls to 0 % under *imperceptible noise*. Here:
#
# - At 8/255 = 0.03, a usual size for photographs, PGD leaves 88 %. A grey that faint is hard to see.
# - At 0.1 it leaves 22 %, FGSM 36 %. At 0.2 PGD leaves next to nothing, at 0.3 nothing. So 0 %: yes.
# - Imperceptible: no. At 0.1 the speckle shows. Nor is it *noise*: random signs of 0.2 leave 95 % and more.
#
# ## See it: how many examples?
#
# Networks with the same 768 steps see 64 to 49,152 different digits, the first each of theirs 768 times, the
# last once. Two runs each: the first digits of the training set, and its last.


# %%
@functools.cache
def few_examples() -> dict[int, list[float]]:
    """Number of training digits → validation accuracy of two networks trained on so many."""
    (x, target), val, found = trained()[0].train, trained()[0].val, {}
    for batches in (1, 4, 16, 64, 256, 768):
        if (count := 64 * batches) <= len(x):
            examples = (
                Split(x[:count], target[:count]),
                Split(x[-count:], target[-count:]),
            )
            models = [
                train(SIZES, part, 768 // batches, seed)
                for seed, part in enumerate(examples)
            ]
            found[count] = [
                accuracy(model.forward(val.x), val.target) for model in models
            ]
    return found


@demo
def data_hungry() -> Figure:
    """Few digits teach a lot; the last few per cent take thousands"""
    figure, axis = new_figure(width=5.2)
    counts, values = (
        list(few_examples()),
        [[100 * v for v in pair] for pair in few_examples().values()],
    )
    axis.semilogx(counts, values, "o", color=SCRATCH, markersize=5)
    for count, pair in zip(counts, values, strict=True):
        axis.text(count, min(pair) - 4, f"{sum(pair) / 2:.1f}", ha="center")
    axis.set(
        title=f"768 steps each, {trained()[0].name}", xlabel="different training digits"
    )
    axis.set(
        ylabel="validation accuracy, %",
        ylim=(60, 101),
        xticks=counts,
        xticklabels=counts,
    )
    axis.minorticks_off()
    return figure


# %% [markdown]
# 64 digits, six of a kind on average, already teach 68 %. Then it gets dear: with 4,096, 6 of 100 are still
# wrong, and twelve times more digits leave 4. (There 768 steps are also too few; lesson 17 takes 2,346.)
#
# ## See it: a step to the side
#
# MNIST's digits are centred. We shift them, and turn them. And we show the net other people's:
# scikit-learn's, scanned as 8×8 pixels, brought to MNIST's size, standardised with its mean and deviation.


# %%
def moved(shift: int, degrees: float) -> float:
    """Accuracy on 1,000 moved pictures, the mean over four directions and both turns."""
    from torchvision.transforms.v2.functional import InterpolationMode, affine

    data, model = trained()
    images, target, found = data.images(data.val.x[:1000]), data.val.target[:1000], 0.0
    for x, y, turn in ((1, 0, 1), (-1, 0, -1), (0, 1, 1), (0, -1, -1)):
        picture = affine(
            images,
            turn * degrees,
            [shift * x, shift * y],
            1,
            [0],
            InterpolationMode.BILINEAR,
        )
        found += accuracy(
            model.forward((picture.reshape(-1, 784) - data.mean) / data.std), target
        )
    return found / 4


@demo
def a_step_to_the_side() -> Figure:
    """Four pixels to the side, or an eighth of a turn: most answers are lost"""
    figure, axes = new_figure(1, 2)
    shifts, turns = range(5), (0, 5, 10, 15, 20, 30, 45)
    axes[0].plot(
        shifts, [100 * moved(shift, 0) for shift in shifts], "o-", color=SCRATCH
    )
    axes[1].plot(turns, [100 * moved(0, turn) for turn in turns], "o-", color=SCRATCH)
    for axis, unit in zip(
        axes, ("shifted by … pixels", "turned by … degrees"), strict=True
    ):
        axis.set(
            title=trained()[0].name, xlabel=unit, ylabel="accuracy, %", ylim=(0, 101)
        )
    return figure


@demo
def another_handwriting() -> Table | str:
    """The same task, another hand: trained on MNIST, asked about 1,797 other digits"""
    data, model = trained()
    if data.name == OFFLINE_DIGITS:
        return "This one needs MNIST: a net trained on the offline digits cannot find them foreign."
    other = load("digits")
    x, target = (
        torch.cat(parts)
        for parts in zip(other.train, other.val, other.test, strict=True)
    )
    foreign = model.forward((x * other.std + other.mean - data.mean) / data.std)
    asked = {
        data.name: (model.forward(data.val.x), data.val.target),
        other.name: (foreign, target),
    }
    asked["its ones"] = foreign[target == 1], target[target == 1]
    rows = [
        (name, len(pair[1]), f"{accuracy(*pair):.1%}") for name, pair in asked.items()
    ]
    return Table(("asked about", "digits", "accuracy"), rows)


# %% [markdown]
# A shift by 2 of 28 pixels costs 20 points, one by 4 leaves 30 %. An MLP does not know which pixels are
# neighbours: a 3 moved by two reaches other weights, and these have not seen it. Turns by 10° cost little,
# 45° leave 41 %. At home 98 %, abroad 80 %, and a quarter of the ones. (How much of that is the blur of
# the small scans, and how much the handwriting, we did not measure.) Lesson 22 tries to mend it.
#
# ## See it: bigger is better, and costs more
#
# One hidden layer of 8 to 512 units, 16,384 digits, two epochs (offline: 27), two seeds. A weight takes two
# operations, × and +, in the forward pass, two for its own gradient, and two to pass the gradient on, which
# the first layer is spared.


# %%
def operations(sizes: tuple[int, ...]) -> tuple[int, int]:
    """Multiplications and additions in the matrix products for one picture: to read it, to learn from it.

    >>> operations(SIZES)
    (218368, 454400)
    """
    weights = [n_in * n_out for n_in, n_out in itertools.pairwise(sizes)]
    return 2 * sum(weights), 2 * (3 * sum(weights) - weights[0])


@functools.cache
def widths() -> list[tuple[int, float, float, float]]:
    """Width, mean validation accuracy, billions of operations of one training, its seconds here."""
    data, rows = trained()[0], []
    examples = Split(data.train.x[:16384], data.train.target[:16384])
    epochs = 27 if data.name == OFFLINE_DIGITS else 2
    for width in (8, 16, 32, 64, 128, 256, 512):
        sizes, began = (784, width, 10), time.perf_counter()
        models = [train(sizes, examples, epochs, seed) for seed in (0, 1)]
        seconds = (time.perf_counter() - began) / 2
        right = (
            sum(
                accuracy(model.forward(data.val.x), data.val.target) for model in models
            )
            / 2
        )
        rows.append(
            (
                width,
                right,
                operations(sizes)[1] * len(examples.x) * epochs / 1e9,
                seconds,
            )
        )
    return rows


@demo
def bigger_is_better() -> Figure:
    """Accuracy levels off, the work does not"""
    figure, (left, right) = new_figure(1, 2)
    width, accuracies, work, seconds = zip(*widths(), strict=True)
    left.semilogx(width, [100 * value for value in accuracies], "o-", color=SCRATCH)
    left.set(title="what it gives", ylabel="validation accuracy, %")
    right.loglog(
        width, [w / work[0] for w in work], "o-", color=OTHER[1], label="operations"
    )
    right.loglog(
        width,
        [s / seconds[0] for s in seconds],
        "o-",
        color=OTHER[0],
        label="seconds, measured",
    )
    right.set(title="what it costs", ylabel="times the cost of width 8")
    right.legend(frameon=False)
    for axis in (left, right):
        axis.set(xlabel="width of the hidden layer", xticks=width, xticklabels=width)
        axis.minorticks_off()
    return figure


# %% [markdown]
# From 8 to 64 units, eight times the work, accuracy rises by 4 points. From 64 to 512, again eight times, by
# less than one: in this short training the gain flattens near 64. Operations are a *proxy* for energy: easier
# to count than energy is to measure, but blind to memory traffic and idle cores. Seconds vary between runs.
#
# ## They agree
#
# Lesson 17 proves the gradient of the pixels, this pair the attacks. Signs are unforgiving: slopes of 1e-17
# and −1e-17 have the signs 1 and −1. So the weights are random: none repeats and cancels.


# %%
def attacks_on(
    case: Case, model: Any, one_step: Callable[..., Tensor], ten: Callable[..., Tensor]
) -> Any:
    """Give the model its first weights and attack it."""
    model.load_state_dict(first_weights((case.n_in, 7, 6, case.n_out), case.seed))
    x, noise = (
        case.tensor(name, case.batch, case.n_in).clamp(-1, 1) for name in ("x", "noise")
    )
    inputs = model, x, case.classes("target", case.batch, case.n_out), 0.2, (-1.0, 1.0)
    return {"fgsm": one_step(*inputs), "pgd": ten(*inputs, noise)}


PAIRS = [
    Pair(
        "FGSM and PGD",
        lambda case: attacks_on(
            case, MLP((case.n_in, 7, 6, case.n_out), input_grad=True), fgsm, pgd
        ),
        lambda case: attacks_on(
            case, TorchMLP((case.n_in, 7, 6, case.n_out)), torch_fgsm, torch_pgd
        ),
    )
]

# %% [markdown]
# ## Where PyTorch differs
#
# PyTorch finds the gradient of whatever asks by `requires_grad_()`; our MLP needs `input_grad`. `backward()`
# would also fill the gradients of all weights, `torch.autograd.grad(loss, x)` does not.
#
# Next: lesson 22 starts from a trained network instead of from nothing, and needs fewer examples.
