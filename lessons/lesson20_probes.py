# %% [markdown]
# # Lesson 20 · Looking inside: probes, saliency, ablation
#
# *What can be read off a layer, which pixels decide, and which units are needed?*
#
# Needs: lessons 04, 06, 08, 11, 17, 19 · Time: 15 minutes

# %%
import functools
from collections.abc import Sequence
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.data import Split
from curriculum.demo import demo
from curriculum.draw import DATA, OTHER, new_figure
from curriculum.drawings import sheet
from curriculum.pair import Case, Pair, function_pair
from curriculum.table import Table
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson11_training import accuracy
from lessons.lesson17_mnist import MLP, SIZES, TorchMLP, learn, scratch_step
from lessons.lesson19_inside import activations, epochs, network, trained

# %% [markdown]
# ## The idea
#
# Lesson 19 looked at a network. This one asks it questions by interfering:
#
# 1. **Probe**: can the digit be read off this layer, by something very simple?
# 2. **Saliency**: which pixels would change the answer?
# 3. **Ablation**: what is lost without this unit?
#
# The third has a catch that fits on paper. An output fires if $h_1 + h_2$ is above 0.5.
#
# | $h_1$ | $h_2$ | fires |
# |---|---|---|
# | 1 | 1 | yes |
# | 0 | 1 | yes |
# | 1 | 0 | yes |
# | 0 | 0 | no |
#
# Take $h_1$ away: nothing is lost. Take $h_2$ away: nothing is lost. Each *looks*
# useless. Take both: all is lost.
#
# ```python
# >>> [h1 + h2 > 0.5 for h1, h2 in ((1, 1), (0, 1), (1, 0), (0, 0))]
# [True, True, True, False]
# ```
#
# As in lesson 19, every number gets a rival or a control, the pictures are validation
# pictures, and **numbers in the text are from MNIST**.
#
# ## From scratch
#
# *Saliency* (Simonyan et al. 2013, arXiv:1312.6034) is the gradient of one logit along
# the pixels, $\partial z_k / \partial x$. No loss is needed. Backpropagation starts
# with the gradient of $z_k$ along the logits: 1 at $k$ and 0 elsewhere (lesson 08).


# %%
def saliency(model: MLP, x: Tensor, digit: Tensor) -> Tensor:
    """∂z_k/∂x, k the `digit` (batch,) of each row: (batch, n_in).

    The model must have `input_grad`.
    """
    logits = model.forward(x)
    start = torch.zeros_like(logits)  # (batch, classes)
    start[torch.arange(len(x)), digit] = 1
    return model.backward(start)


def confusion(answer: Tensor, target: Tensor, classes: int = 10) -> Tensor:
    """How often `target` (row) was read as `answer` (column): (classes, classes)."""
    counts = torch.bincount(target * classes + answer, minlength=classes**2)
    return counts.view(classes, classes)


# %% [markdown]
# ## The same with PyTorch


# %%
def torch_saliency(model: nn.Module, x: Tensor, digit: Tensor) -> Tensor:
    """The same with autograd."""
    x = x.clone().requires_grad_()
    chosen = model(x).gather(1, digit[:, None])
    return torch.autograd.grad(chosen.sum(), x)[0]


# %% [markdown]
# ## See it: linear probes
#
# A *linear probe* (Alain & Bengio 2016, arXiv:1610.01644) is one linear layer that must
# read the digit off a layer's answers. If it can, straight cuts part the digits there.
# The probe must be trained until it no longer gets better. Otherwise we measure its
# training and not the layer. Ours sees all training pictures for 3 epochs, with each
# input shifted and scaled to mean 0 and deviation 1 (lesson 16). Six epochs bring at
# most 0.2 points more.
#
# A check comes for free: the network itself reads the digit off its logits by taking
# the largest: 97.6 %. A probe on the logits must come close to that.
#
# <details><summary>What do you expect? The probe's accuracy on pixels, layer 1, layer 2
# and logits, in the trained network and in the untrained one?</summary>
#
# Trained: 92.9, 97.6, 97.6, 97.5 %. Untrained: 92.9, 89, 77, 44 %.
#
# </details>


# %%
def probe_accuracy(seen: Tensor, unseen: Tensor) -> float:
    """Train a probe on `seen` (pictures, units), try it on `unseen`: percent right."""
    data = trained()[0]
    mean = seen.mean(0)
    least = 0.1 * seen.std().item()  # some units, or pixels, hardly ever change
    deviation = seen.std(0).clamp(min=least)
    examples = Split((seen - mean) / deviation, data.train.target)
    probe = network((seen.shape[1], 10))
    step = scratch_step(probe)
    generator = torch.Generator().manual_seed(0)
    for _ in learn(step, examples, epochs(), 256, 1.0, generator):
        pass
    logits = probe.forward((unseen - mean) / deviation)
    return 100 * accuracy(logits, data.val.target)


# %% tags=["hide-input"]
@functools.cache
def pixels_probed() -> float:
    """The probe on the pixels, which no network changes."""
    data = trained()[0]
    return probe_accuracy(data.train.x, data.val.x)


def probed(model: MLP) -> dict[str, float]:
    """Validation accuracy of a probe on each layer, percent."""
    data = trained()[0]
    seen = activations(model, data.train.x)
    unseen = activations(model, data.val.x)
    result = {"pixels": pixels_probed()}
    for place in ("layer 1", "layer 2", "logits"):
        result[place] = probe_accuracy(seen[place], unseen[place])
    return result


def probed_random_layer(width: int, bend: bool = True) -> float:
    """The probe on an untrained layer of `width` units, with ReLU or without."""
    data = trained()[0]
    linear, relu, _ = network((784, width, 10)).layers
    seen, unseen = linear.forward(data.train.x), linear.forward(data.val.x)
    if bend:
        seen, unseen = relu.forward(seen), relu.forward(unseen)
    return probe_accuracy(seen, unseen)


WIDE = 512


@demo
def probes_by_layer() -> Figure:
    """Linear probes of a trained network, an untrained one and a wide random layer"""
    _, before, after = trained()
    figure, axis = new_figure(width=6)
    for name, model, colour, dashes, shift in (
        ("untrained", before, OTHER[0], "--", -15),
        ("trained", after, DATA, "-", 7),
    ):
        result = probed(model)
        axis.plot(
            list(result),
            list(result.values()),
            dashes,
            marker="o",
            color=colour,
            label=name,
        )
        for x, y in enumerate(result.values()):
            if (name, x) != ("untrained", 0):  # the same pixels
                place = {"textcoords": "offset points", "ha": "center"}
                axis.annotate(f"{y:.1f}", (x, y), (0, shift), **place)
    wide = probed_random_layer(WIDE)
    label = f"untrained, {WIDE} units: {wide:.1f}"
    axis.plot(["layer 1"], [wide], "D", color=OTHER[1], label=label)
    axis.set(
        title=f"linear probe, {trained()[0].name}", ylabel="accuracy, %", ylim=(25, 105)
    )
    axis.legend(frameon=False, loc="lower left")
    return figure


# %% [markdown]
# In the trained network one layer does nearly all of the work: from 92.9 to 97.6 %.
# What follows keeps it. In the untrained network accuracy falls at every layer.
#
# One might conclude that random layers mix the digits up. The diamond says otherwise: a
# random layer of 512 units reads *more* than the pixels, 95 %, and one of 2,048 reads
# 97 %, nearly as much as the trained one. (Without ReLU 512 units have 92.5 %, no more
# than the pixels: it is the many random bends that help.) What falls from layer to
# layer is the number of units: 784, 128, 64, 10. Training puts into 128 units what
# chance needs thousands for. That is what was learned.
#
# A probe shows that a digit *can* be read off a layer. It does not show that the
# network reads it so.
#
# ## See it: saliency, and its rivals
#
# Blue: more ink here raises the largest logit. Orange: it lowers it.


# %% tags=["hide-input"]
@demo
def saliency_maps() -> Figure:
    """The first picture of each digit, its saliency, and the untrained network's"""
    data, before, after = trained()
    firsts = [data.val.x[data.val.target == digit][0] for digit in range(10)]
    x = torch.stack(firsts)
    figure, axes = new_figure(3, 1, 9, 1.15)
    sheet(axes[0], data.images(x), 10)
    axes[0].set_title("picture", fontsize=10)
    for axis, model, name in (
        (axes[1], after, "trained"),
        (axes[2], before, "untrained"),
    ):
        slopes = saliency(model, x, model.forward(x).argmax(1))
        slopes = slopes / slopes.abs().amax(1, keepdim=True)
        sheet(axis, slopes.view(10, 28, 28), 10, signed=True)
        axis.set_title(name, fontsize=10)
    return figure


# %% [markdown]
# Pretty, and what does it say? A map should pick out the pixels that the answer hangs
# on. So we wipe the 20 pixels of each picture that a score ranks highest, and read
# again. The rivals matter. Twenty *random* pixels are mostly blank already, a weak one.
# Twenty random pixels *with ink*, or simply the twenty darkest, are strong ones.


# %% tags=["hide-input"]
@functools.cache
def scores() -> dict[str, Tensor]:
    """What ranks the pixels of each validation picture, (pictures, 784)."""
    data, before, after = trained()
    x = data.val.x
    slope = saliency(after, x, after.forward(x).argmax(1))
    untrained = saliency(before, x, before.forward(x).argmax(1))
    ink = x + data.mean / data.std  # 0 where the paper is blank
    dark = ink * data.std > 0.5
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
    return {
        "random pixels": noise,
        "random pixels with ink": noise + dark,
        "the darkest": ink,
        "slope (saliency)": slope.abs(),
        "slope, where there is ink": slope.abs() * dark,
        "slope times ink": slope * ink,
        "the same, untrained network": untrained * ink,
    }


def wiped(score: Tensor, count: int = 20) -> tuple[float, float]:
    """Make the pixels of highest score blank.

    Returns how many of them had ink, in the mean, and the accuracy left, percent.
    """
    data, _, model = trained()
    blank = -data.mean / data.std
    x, target = data.val
    chosen = score.topk(count).indices  # (pictures, count)
    inked = x.gather(1, chosen) > blank + 1e-3
    logits = model.forward(x.scatter(1, chosen, blank))
    return inked.sum(1).double().mean().item(), 100 * accuracy(logits, target)


@demo
def twenty_pixels_wiped() -> Table:
    """Twenty pixels wiped from each picture, chosen seven ways: still right, percent"""
    rows = []
    for name, score in scores().items():
        inked, right = wiped(score)
        rows.append((name, f"{inked:.0f}", f"{right:.1f}"))
    return Table(("pixels chosen by", "of 20 have ink", "still right"), rows)


# %% [markdown]
# Wiping the most salient pixels leaves 91 to 93 % (five starts), where random ink
# leaves 96 % and the darkest pixels 95 %. And that with a handicap: only 6 of the 20
# have any ink, and to wipe a blank pixel changes nothing. Among pixels with ink the
# slope leaves about 73 %. Slope times ink leaves about half: it minds the sign as well.
# It asks not "what would change the answer?" but "what did this ink contribute?", and
# wiping removes just that. The score and the test must fit together.
#
# The untrained network's map is a control of another kind (Adebayo et al. 2018,
# arXiv:1810.03292). If a map does as well when the weights are random, it shows the
# picture and not the network. The untrained slope times ink leaves 96 to 97 %, as
# random ink does. Ours passes.
#
# ## See it: units taken away
#
# We silence the 64 units of layer 2 one by one, and then 32 of them at once, drawn at
# random, twenty times. If units worked alone, the single losses would add up. There are
# two ways to silence a unit. Zero is the plain one, but some units are hardly ever at
# zero, and then it may be the strange value that costs. So we also set a unit to its
# *mean* answer, which takes away only what it tells about the picture.


# %% tags=["hide-input"]
@functools.cache
def layer_2() -> Tensor:
    """What the trained network's layer 2 answers to the validation pictures."""
    data, _, model = trained()
    return activations(model, data.val.x)["layer 2"]  # (pictures, 64)


@functools.cache
def right_with_all() -> float:
    """The share of validation pictures that is read right with every unit."""
    data, _, model = trained()
    return accuracy(model.layers[-1].forward(layer_2()), data.val.target)


def lost_without(units: Sequence[int], to_mean: bool = False) -> float:
    """How many points fewer are read right without these units of layer 2."""
    data, _, model = trained()
    h = layer_2()
    fewer = h.clone()
    chosen = list(units)
    fewer[:, chosen] = h.mean(0)[chosen] if to_mean else 0
    right = accuracy(model.layers[-1].forward(fewer), data.val.target)
    return 100 * (right_with_all() - right)


def half_lost(to_mean: bool) -> tuple[list[float], list[float], list[float]]:
    """Lost without each unit; then for 20 halves: these added up, and all at once."""
    generator = torch.Generator().manual_seed(0)
    alone = [lost_without([unit], to_mean) for unit in range(SIZES[2])]
    added_up = []
    at_once = []
    for _ in range(20):
        half = torch.randperm(SIZES[2], generator=generator)[: SIZES[2] // 2].tolist()
        added_up.append(sum(alone[unit] for unit in half))
        at_once.append(lost_without(half, to_mean))
    return alone, added_up, at_once


@demo
def take_units_away() -> Figure:
    """Most units go unmissed when taken away one by one; half of them at once do not"""
    figure, (left, right) = new_figure(1, 2, 4.4, 3.4)
    most = 0.0
    for name, marker, to_mean in (("set to 0", "o", False), ("set to mean", "x", True)):
        alone, added_up, at_once = half_lost(to_mean)
        most = max(most, 1.05 * max(at_once))
        right.plot(added_up, at_once, marker, color=DATA, label=name)
        if not to_mean:
            left.bar(range(SIZES[2]), sorted(alone, reverse=True), color=DATA)
    left.set(title="set to 0: lost without one unit", ylabel="percentage points")
    left.set_xlabel("units of layer 2, sorted")
    right.plot([0, most], [0, most], color="0.7", linewidth=1)  # where both are equal
    right.set(
        title="lost without half of the units, points", xlim=(-1, most), ylim=(0, most)
    )
    right.set(xlabel="unit by unit, added up", ylabel="all 32 at once")
    right.legend(frameon=False, loc="lower right")
    return figure


# %% [markdown]
# Most single units are not missed; the most needed costs 0.4 to 1 point. Half of them
# at once, set to zero, cost 8 to 12 points on average (five starts); a lucky half costs
# 3, an unlucky one up to 26. Their single losses add up to less than 4. Set to their
# means they cost 5 to 6 points and add up to less than 2.5: much was the strange value,
# not all. Every dot lies above the line, and nearly every cross.
#
# Do units stand in for each other, then? No unit changes what it does when another is
# gone: the logits are plain sums over the units. What hides a loss is the *margin*. As
# on paper, 1 + 1 is far above 0.5, and it takes more than one missing unit to lose the
# lead. A unit that "is not needed" is one that alone does not decide.
#
# ## See it: the mistakes


# %% tags=["hide-input"]
@demo
def mistakes() -> Figure:
    """Which digit is read as which, and the worst mistakes: highest loss first"""
    data, _, model = trained()
    target = data.val.target
    logits = model.forward(data.val.x)
    answer = logits.argmax(1)
    worst = CrossEntropyLoss("none").forward(logits, target).topk(16).indices
    wrong = confusion(answer, target).fill_diagonal_(0)
    figure, (left, right) = new_figure(1, 2, 4.4, 4.4)
    left.imshow(wrong.numpy(), cmap="Oranges", vmax=1.5 * wrong.max().item())
    for row, column in wrong.nonzero().tolist():
        count = wrong[row, column].item()
        left.text(column, row, count, ha="center", va="center", fontsize=8)
    left.set(xlabel="read as", ylabel="is", xticks=range(10), yticks=range(10))
    left.set_title(f"{wrong.sum()} mistakes in {len(target):,} pictures")
    titles = [f"{answer[index]}, is {target[index]}" for index in worst]
    sheet(right, data.images(data.val.x[worst]), 4, titles)
    right.set_title("the sixteen highest losses")
    return figure


# %% [markdown]
# Some of these are hard for people, too. Some are plain digits, and nobody can say why
# the network fails at just those.
#
# | method | shows | does not show |
# |---|---|---|
# | weights, favourites (lesson 19) | a leaning | what a unit is *for* |
# | probe | that a digit can be read off a layer | that the network reads it so |
# | saliency | what one answer hangs on | why |
# | ablation | that units were needed | that one was not |
#
# ## They agree


# %% tags=["hide-input"]
def slope_scratch(case: Case) -> dict[str, Tensor]:
    """By hand."""
    model = network((case.n_in, 7, 6, case.n_out))
    return {"saliency": saliency(model, *asked(case))}


def slope_torch(case: Case) -> dict[str, Tensor]:
    """By PyTorch's modules and autograd."""
    model = TorchMLP((case.n_in, 7, 6, case.n_out))
    model.load_state_dict(network((case.n_in, 7, 6, case.n_out)).params)
    return {"saliency": torch_saliency(model, *asked(case))}


def asked(case: Case) -> tuple[Tensor, Tensor]:
    """Pictures (batch, n_in), and a digit (batch,) for each."""
    x = case.tensor("x", case.batch, case.n_in)
    return x, case.classes("digit", case.batch, case.n_out)


LABELS: tuple[Any, ...] = (
    lambda case: case.classes("answer", 50, 7),
    lambda case: case.classes("target", 50, 7),
    lambda case: 7,
)


def torch_confusion(answer: Tensor, target: Tensor, classes: int) -> Tensor:
    """Counted by torchmetrics."""
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    return multiclass_confusion_matrix(answer, target, classes)


PAIRS = [
    Pair("saliency", slope_scratch, slope_torch),
    function_pair("confusion matrix", confusion, torch_confusion, *LABELS),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - `torchmetrics` has truth in rows and answers in columns, as here. Others turn it
#   round.
# - Libraries such as Captum have saliency and its many relatives ready-made.
#
# ## You can now
#
# - train a probe, and know when its number means something;
# - get the gradient of an answer along its input, by hand and with autograd;
# - choose a rival for a claim about "what the network looks at".
#
# Exercises: `curriculum start 20a` (integrated gradients) and `curriculum start 20b`
# (ablation).
#
# Next: lesson 21 follows the slope of the pixels to make the network fail.
