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
from torchmetrics.functional.classification import multiclass_confusion_matrix

from curriculum.data import Split
from curriculum.demo import demo
from curriculum.draw import SCRATCH, TORCH, new_figure
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
# useless. Take both: all is lost. Units can stand in for each other.
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
# training and not the layer. Ours sees all training pictures, for 6 epochs,
# with each input shifted and scaled to mean 0 and deviation 1 (lesson 16).
#
# A check comes for free: the network itself reads the digit off its logits by taking
# the largest: 97.6 %. A probe on the logits must come close to that.
#
# <details><summary>What do you expect? The probe's accuracy on pixels, layer 1, layer 2
# and logits, in the trained network and in the untrained one?</summary>
#
# Trained: 93, 97.8, 97.7, 97.5 %. Untrained: 93, 89, 77, 44 %.
#
# </details>


# %%
def probed(model: MLP) -> dict[str, float]:
    """Validation accuracy of a probe on each layer, percent."""
    data = trained()[0]
    seen = activations(model, data.train.x)
    unseen = activations(model, data.val.x)
    result = {}
    for place, h in seen.items():
        mean = h.mean(0)
        deviation = h.std(0).clamp(
            min=0.1 * h.std().item()
        )  # pixels that are always blank
        probe = network((h.shape[1], 10))
        examples = Split((h - mean) / deviation, data.train.target)
        generator = torch.Generator().manual_seed(0)
        for _ in learn(
            scratch_step(probe), examples, 2 * epochs(), 256, 1.0, generator
        ):
            pass
        logits = probe.forward((unseen[place] - mean) / deviation)
        result[place] = 100 * accuracy(logits, data.val.target)
    return result


# %% tags=["hide-input"]
@demo
def probes_by_layer() -> Figure:
    """Trained layers make digits easier to read off, untrained ones harder"""
    figure, axis = new_figure(width=5.6)
    for name, model, color in zip(
        ("untrained", "trained"), trained()[1:], (SCRATCH, TORCH), strict=True
    ):
        result = probed(model)
        dashes = "--" if name == "untrained" else "-"
        axis.plot(
            list(result),
            list(result.values()),
            dashes,
            marker="o",
            color=color,
            label=name,
        )
        shift = 7 if name == "trained" else -15  # points above or below the dot
        for x, y in enumerate(result.values()):
            place = {"textcoords": "offset points", "ha": "center"}
            axis.annotate(f"{y:.1f}", (x, y), (0, shift), **place)
    axis.set(
        title=f"linear probe, {trained()[0].name}", ylabel="accuracy, %", ylim=(25, 105)
    )
    axis.legend(frameon=False, loc="lower left")
    return figure


# %% [markdown]
# In the trained network one layer does nearly all of the work: from 93 to 97.8 %. What
# follows keeps it. In the untrained network accuracy falls at
# every layer: random layers with ReLU mix the digits up. So the rise is learned.
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
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(0))
    return {
        "random pixels": noise,
        "random pixels with ink": noise + (ink * data.std > 0.5),
        "the darkest": ink,
        "slope of the untrained network": untrained.abs(),
        "slope (saliency)": slope.abs(),
        "slope times ink": slope * ink,
    }


def read_without(score: Tensor, count: int = 20) -> float:
    """Accuracy, percent, with the pixels of highest score made blank."""
    data, _, model = trained()
    wiped = data.val.x.scatter(1, score.topk(count).indices, -data.mean / data.std)
    return 100 * accuracy(model.forward(wiped), data.val.target)


@demo
def twenty_pixels_wiped() -> Table:
    """Twenty pixels wiped from each picture, chosen six ways: still right, percent"""
    rows = [(name, f"{read_without(score):.1f}") for name, score in scores().items()]
    return Table(("pixels chosen by", "still right"), rows)


# %% [markdown]
# Wiping the most salient pixels leaves some 91 %, where random ink leaves 96 % and the
# darkest pixels 95 %: the map says more than "where the ink is". Slope times ink leaves
# about half. It asks not "what would change the answer?" but "what did this ink
# contribute?", and wiping removes just that. The score and the test must fit together.
#
# The untrained network's map is a control of another kind (Adebayo et al. 2018,
# arXiv:1810.03292). If a map hardly changes when the weights are random, it shows the
# picture and not the network. Wiping by it costs next to nothing, so ours passes.
#
# ## See it: units taken away
#
# We silence the 64 units of layer 2 one by one, and then 32 of them at once, drawn at
# random, twenty times. If units worked alone, the single losses would add up.


# %% tags=["hide-input"]
@functools.cache
def layer_2() -> Tensor:
    """What the trained network's layer 2 answers to the validation pictures."""
    data, _, model = trained()
    return activations(model, data.val.x)["layer 2"]  # (pictures, 64)


def lost_without(units: Sequence[int]) -> float:
    """How many points fewer are read right without these units of layer 2."""
    data, _, model = trained()
    h = layer_2()
    fewer = h.index_fill(1, torch.tensor(units, dtype=torch.int64), 0)
    last = model.layers[-1]
    before = accuracy(last.forward(h), data.val.target)
    return 100 * (before - accuracy(last.forward(fewer), data.val.target))


@demo
def take_units_away() -> Figure:
    """Most units go unmissed when taken away one by one; half of them at once do not"""
    generator = torch.Generator().manual_seed(0)
    alone = torch.tensor([lost_without([unit]) for unit in range(SIZES[2])])
    added_up = []
    at_once = []
    for _ in range(20):
        half = torch.randperm(SIZES[2], generator=generator)[: SIZES[2] // 2]
        added_up.append(alone[half].sum().item())
        at_once.append(lost_without(half.tolist()))
    most = 1.05 * max(at_once)
    figure, (left, right) = new_figure(1, 2, 4.4, 3.4)
    left.bar(range(SIZES[2]), sorted(alone.tolist(), reverse=True), color=TORCH)
    left.set(title="lost without one unit", xlabel="units of layer 2, sorted")
    left.set_ylabel("percentage points")
    right.plot([0, most], [0, most], color="0.7", linewidth=1)  # where both are equal
    right.plot(added_up, at_once, "o", color=TORCH)
    right.set(
        title="lost without half of the units, points", xlim=(0, most), ylim=(0, most)
    )
    right.set(xlabel="unit by unit, added up", ylabel="all 32 at once")
    return figure


# %% [markdown]
# Most single units are not missed; the most needed costs half a point to a point. Half
# of them at once cost about 11 points, while their single losses add up to less than 4.
# Every dot lies above the line: units stand in for each other, as on paper. A unit that
# "is not needed" may only have a deputy.
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
# | ablation | that a unit was needed | that another was not |
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
PAIRS = [
    Pair("saliency", slope_scratch, slope_torch),
    function_pair("confusion matrix", confusion, multiclass_confusion_matrix, *LABELS),
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
