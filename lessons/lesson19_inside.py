# %% [markdown]
# # Lesson 19 · Looking inside
#
# *A network reads digits. What did its units learn to see, and how would we know?*
#
# Needs: lessons 04, 05, 08, 17 · Time: 20 minutes

# %%
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_confusion_matrix

from curriculum.data import OFFLINE_DIGITS, Data, Split
from curriculum.demo import demo
from curriculum.draw import OTHER, SCRATCH, TORCH, new_figure
from curriculum.pair import Case, Pair, function_pair
from lessons import lesson17_mnist as lesson17
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson11_training import accuracy
from lessons.lesson17_mnist import MLP, SIZES, TorchMLP, first_weights, learn, scratch_step

# %% [markdown]
# ## The idea
#
# A popular story says: the first layer finds edges, the next shapes, the last objects. It comes from networks
# that slide small windows over photographs. Ours is an MLP on digits. We look, and put a number beside every
# picture. We also take units (neurons) away. That has a catch, which fits on paper: an output fires when
# h₁ + h₂ is above 0.5. Without one of the two nothing is lost, without both all is. Each *looks* useless.
#
# ```python
# >>> [h1 + h2 > 0.5 for h1, h2 in ((1, 1), (0, 1), (1, 0), (0, 0))]
# [True, True, True, False]
# ```
#
# We look at the *validation* part: a network mended with the test pictures in view is not tested by them.
#
# ## From scratch

# %%
PLACES = {"layer 1": 1, "layer 2": 3, "logits": 4}  # after which of `model.layers` we look


def activations(model: MLP, x: Tensor, silent: Sequence[int] = ()) -> dict[str, Tensor]:
    """What each layer answers to x (batch, n_in), with the `silent` units of layer 2 set to zero."""
    answers = {-1: x}
    for index, layer in enumerate(model.layers):
        answers[index] = layer.forward(answers[index - 1])
        if index == PLACES["layer 2"]:
            answers[index][:, list(silent)] = 0
    return {"pixels": x} | {place: answers[index] for place, index in PLACES.items()}


def saliency(model: MLP, x: Tensor, digit: Tensor) -> Tensor:
    """∂z_k/∂x, k the `digit` (batch,) of each row: (batch, n_in). The model must have `input_grad`."""
    logits = model.forward(x)
    return model.backward(torch.zeros_like(logits).scatter_(1, digit[:, None], 1))  # ∂z_k/∂z: 1 at k, else 0


def confusion(answer: Tensor, target: Tensor, classes: int = 10) -> Tensor:
    """Counts (classes, classes): how often `target` (row) was read as `answer` (column)."""
    return torch.bincount(target * classes + answer, minlength=classes**2).view(classes, classes)


# %% [markdown]
# ## The same with PyTorch


# %%
def torch_activations(model: nn.Sequential, x: Tensor, silent: Sequence[int] = ()) -> dict[str, Tensor]:
    """The same, module by module."""
    linear1, relu1, linear2, relu2, linear3 = model
    first = relu1(linear1(x))
    second = relu2(linear2(first)).index_fill(1, torch.tensor(silent, dtype=torch.int64), 0)
    return {"pixels": x, "layer 1": first, "layer 2": second, "logits": linear3(second)}


def torch_saliency(model: nn.Module, x: Tensor, digit: Tensor) -> Tensor:
    """The same with autograd."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(model(x).gather(1, digit[:, None]).sum(), x)[0]


# %% [markdown]
# ## See it: first weights, and favourites
#
# One network for all that follows: lesson 17's, 3 epochs on MNIST. (On the small offline digits 39 epochs,
# about as many steps as one on MNIST. **Numbers in the text are from MNIST.**) Beside it stands the same
# network untrained. A first-layer unit has a weight per pixel: a picture, amber positive, purple negative.
#
# Are these edges? We hold 9,600 edge detectors against each unit: light on one side, dark on the other,
# fading out; 400 places, 8 angles, 3 sizes. How much of the unit's squared weights does the best one explain?
# Of an untrained unit 1.4 %, of a trained one 17 %, of none half; of true edges that are not on our list more
# than 80 %. **This first layer does not become "edges".** Nothing tells an MLP which pixels are neighbours.
#
# Which pictures excite a unit most? Of a unit's 20 favourites, 72 % show one digit in layer 1, more
# than three quarters in layer 2. Untrained units have about 50 % in both, 20 random pictures about
# 22 %. Units answer to others, too.


# %%
def network(sizes: tuple[int, ...] = SIZES) -> MLP:
    """An untrained MLP that also gives the gradient of its input."""
    with torch.random.fork_rng(devices=[]):
        model = MLP(sizes, input_grad=True)
    model.load_state_dict(first_weights(sizes, seed=0))
    return model


def epochs() -> int:
    """How often a network sees its data."""
    return 39 if lesson17.data_set().name == OFFLINE_DIGITS else 3


@functools.cache
def trained() -> tuple[Data, MLP, MLP]:
    """The data and the network before and after training, made once for all demos."""
    after = network()
    after.load_state_dict(lesson17.trained_by_hand(epochs()).params)
    return lesson17.data_set(), network(), after


def sheet(images: Tensor, columns: int) -> Any:
    """Pictures (count, 784) or (count, 28, 28) side by side, `columns` in a row, as a NumPy array to show."""
    return images.reshape(-1, columns, 28, 28).transpose(1, 2).reshape(-1, 28 * columns).numpy()


def edge_share(weight: Tensor) -> Tensor:
    """What the best edge detector explains of each unit: (units, 784) → (units,), from 0 to 1."""
    places, angles, sizes = torch.arange(4.0, 24), torch.arange(8) * torch.pi / 8, torch.tensor([1.5, 2.5, 4])
    grid = torch.cartesian_prod(places, places, angles, sizes)  # (9600, 4)
    x, y, angle, size = (column.view(-1, 1, 1) for column in grid.T)
    right, down = torch.arange(28) - x, torch.arange(28)[:, None] - y  # (9600, 1, 28) and (9600, 28, 1)
    across = right * torch.cos(angle) + down * torch.sin(angle)
    edges = (across * torch.exp(-(right**2 + down**2) / (2 * size**2))).flatten(1)
    lengths = weight.norm(dim=1, keepdim=True) * edges.norm(dim=1)  # (units, 9600)
    return (weight @ edges.T / lengths.clamp(min=1e-9)).square().amax(1)  # (units, 784) @ (784, 9600)


@demo
def first_layer_images() -> Figure:
    """The first ten units, not chosen: noise, and what training added to it"""
    before, after = (model.params["0.weight"] for model in trained()[1:])
    weights = {"untrained": before, "trained": after, "what training added": after - before}
    figure, axis = new_figure(width=9.5, height=2.6)
    axis.imshow(
        sheet(torch.cat([w[:10] for w in weights.values()]), 10), cmap="PuOr_r", vmin=-0.12, vmax=0.12
    )
    names = [f"{name}:\nbest edge explains {edge_share(w).mean():.1%}" for name, w in weights.items()]
    axis.set(xticks=[], yticks=[14, 42, 70], yticklabels=names)
    return figure


@demo
def units_and_their_digits() -> Figure:
    """What excites units of layer 2 most, and what they answer to each digit on average"""
    data, _, model = trained()
    h = activations(model, data.val.x)["layer 2"]
    average = torch.stack([h[data.val.target == digit].mean(0) for digit in range(10)])  # (10, 64)
    share = average / average.amax(0).clamp(min=1e-9)
    firing = (h.amax(0) > 0).nonzero().flatten()[:7]
    favourites = h[:, firing].topk(9, dim=0).indices.T.flatten()
    figure, (left, right) = new_figure(1, 2, 4.6, 3.4)
    left.imshow(sheet(data.images(data.val.x[favourites]), 9), cmap="gray_r")
    left.set(title="nine favourites of seven units", ylabel="unit", xticks=[])
    left.set_yticks(range(14, 196, 28), firing.tolist())
    image = right.imshow(share[:, share.argmax(0).argsort()].numpy(), cmap="magma", aspect="auto")
    right.set(title="mean answer to each digit", xlabel="units, sorted", ylabel="digit", yticks=range(10))
    figure.colorbar(image, ax=right, label="the unit's largest = 1")
    return figure


# %% [markdown]
# ## See it: probes and a map
#
# A *linear probe* is one linear layer that must read the digit from a layer's answers, shifted and scaled to
# mean 0 and deviation 1. If it can, straight cuts part the digits there (Alain and Bengio 2016, arXiv
# 1610.01644). Every probe has the same budget: 10,000 training pictures, as many epochs as the network.
#
# 64 numbers per picture cannot be drawn. *Principal component analysis* lays a first axis where the points
# spread most, then a second. Heaps that overlap here may lie apart in 64 dimensions. TensorBoard's projector
# shows three: `write_embedding(Path("runs/map"))`, then `tensorboard --logdir runs/map`, then Projector.


# %%
def probe_accuracy(model: MLP) -> dict[str, float]:
    """Validation accuracy of a probe on each layer, in percent."""
    data, result = trained()[0], {}
    seen, unseen = activations(model, data.train.x[:10_000]), activations(model, data.val.x)
    for place, h in seen.items():
        mean, std, probe = h.mean(0), h.std(), network((h.shape[1], 10))
        examples = Split((h - mean) / std, data.train.target[:10_000])
        for _ in learn(scratch_step(probe), examples, epochs(), 64, 0.1, torch.Generator().manual_seed(0)):
            pass
        result[place] = 100 * accuracy(probe.forward((unseen[place] - mean) / std), data.val.target)
    return result


@demo
def probes_by_layer() -> Figure:
    """Trained, the digits get easier to read up to layer 2; untrained, harder"""
    figure, axis = new_figure(width=5.6)
    for name, model, colour in zip(("untrained", "trained"), trained()[1:], (OTHER[0], TORCH), strict=True):
        result = probe_accuracy(model)
        axis.plot(list(result), list(result.values()), "o-", color=colour, label=name)
        shift = 7 if name == "trained" else -15  # points above or below the dot
        for x, y in enumerate(result.values()):
            axis.annotate(f"{y:.1f}", (x, y), (0, shift), textcoords="offset points", ha="center")
    axis.set(title=f"linear probe, {trained()[0].name}", ylabel="accuracy, %", ylim=(25, 105))
    axis.legend(frameon=False, loc="lower left")
    return figure


def write_embedding(folder: Path, count: int = 1000) -> None:
    """Write layer 2's answers to `count` validation pictures, their digits and images, for the projector."""
    from torch.utils.tensorboard import SummaryWriter

    data, _, model = trained()
    x, target = data.val.x[:count], data.val.target[:count].tolist()
    with SummaryWriter(str(folder)) as writer:
        writer.add_embedding(activations(model, x)["layer 2"], target, 1 - data.images(x)[:, None])


@demo
def map_of_digits() -> Figure:
    """Two axes out of 784, and two out of 64: one point per picture"""
    data, _, model = trained()
    answers, target = activations(model, data.val.x[:1000]), data.val.target[:1000]
    figure, axes = new_figure(1, 2, 4.2, 3.8)
    for axis, place in zip(axes, ("pixels", "layer 2"), strict=True):
        h = answers[place] - answers[place].mean(0)
        _, spread, directions = torch.linalg.svd(h, full_matrices=False)  # h = U S Vᵀ, widest direction first
        points, share = h @ directions[:2].T, spread[:2].square().sum() / spread.square().sum()
        axis.scatter(*points.T, c=target, cmap="tab10", s=7)
        for digit in range(10):
            x, y = points[target == digit].median(0).values.tolist()
            axis.text(x, y, digit, ha="center", va="center", bbox={"facecolor": "white", "pad": 2})
        axis.set(title=f"{place}: {share:.0%} of the variance", xticks=[], yticks=[])
    return figure


# %% [markdown]
# Probes read about 91 % from pixels, 96 % from layer 1, 97 % from layer 2 and from the logits: most is
# gained in the first step. (The probe of the logits is trained too little: the largest logit alone reads
# 97.6 %.) Untrained, accuracy falls at every layer.
#
# ## See it: the slope of the answer, and what is missed
#
# The gradient of the largest logit with respect to the pixels is called *saliency* (Simonyan et al. 2013,
# arXiv 1312.6034). Amber: more ink here raises the logit. Purple: it lowers it. Wipe 20 pixels of
# each picture and read again. Picked at random: more than 97 % are still right. The most salient:
# about 91 %. Those with the largest slope times ink: about half. (Random picks are mostly blank: a
# weak rival.) Compare the map with that of an untrained network: some kinds of map hardly differ
# (Adebayo et al. 2018, arXiv 1810.03292).
#
# Then we take units away. Most of layer 2's 64 are not missed, the most needed costs half a point to
# one. Now half of them at once, drawn at random, twenty times: on average their single losses add up
# to less than 4 points, but together they cost about 11. Units stand in for each other.


# %%
@demo
def saliency_maps() -> Figure:
    """The first picture of each digit, its saliency, and that of the untrained network"""
    data, before, after = trained()
    x = torch.stack([data.val.x[data.val.target == digit][0] for digit in range(10)])
    slopes = [saliency(model, x, model.forward(x).argmax(1)) for model in (after, before)]
    rows = [2 * data.images(x).flatten(1) - 1, *(s / s.abs().amax(1, keepdim=True) for s in slopes)]
    figure, axes = new_figure(3, 1, 9, 1.05)
    for axis, row, name in zip(axes, rows, ("picture", "trained", "untrained"), strict=True):
        axis.imshow(sheet(row, 10), cmap="gray_r" if name == "picture" else "PuOr_r", vmin=-1, vmax=1)
        axis.set(xticks=[], yticks=[], ylabel=name)
    return figure


@functools.cache
def layer_2() -> Tensor:
    """What the trained network's layer 2 answers to the validation pictures, (pictures, 64)."""
    data, _, model = trained()
    return activations(model, data.val.x)["layer 2"]


def lost_without(units: Sequence[int]) -> float:
    """How many percentage points fewer are read right without these units of layer 2."""
    data, _, model = trained()
    h = layer_2()
    fewer = h.index_fill(1, torch.tensor(units, dtype=torch.int64), 0)
    right = [accuracy(model.layers[-1].forward(x), data.val.target) for x in (h, fewer)]
    return 100 * (right[0] - right[1])


@demo
def take_units_away() -> Figure:
    """Most units go unmissed when taken away one by one; half of them at once do not"""
    generator = torch.Generator().manual_seed(0)
    alone = torch.tensor([lost_without([unit]) for unit in range(SIZES[2])])
    halves = [torch.randperm(SIZES[2], generator=generator)[: SIZES[2] // 2] for _ in range(20)]
    added_up = [alone[half].sum().item() for half in halves]
    at_once = [lost_without(half.tolist()) for half in halves]
    most = 1.05 * max(at_once)
    figure, (left, right) = new_figure(1, 2, 4.4, 3.4)
    left.bar(range(SIZES[2]), sorted(alone.tolist(), reverse=True), color=TORCH)
    left.set(title="lost without one unit", xlabel="units of layer 2, sorted", ylabel="percentage points")
    right.plot([0, most], [0, most], color="0.7", linewidth=1)  # where both are equal
    right.plot(added_up, at_once, "o", color=TORCH)
    right.set(title="lost without half of the units, points", xlim=(0, most), ylim=(0, most))
    right.set(xlabel="unit by unit, added up", ylabel="all 32 at once")
    return figure


@demo
def mistakes() -> Figure:
    """Which digit is read as which, and the worst mistakes: highest loss first"""
    data, _, model = trained()
    logits, target = model.forward(data.val.x), data.val.target
    answer, worst = logits.argmax(1), CrossEntropyLoss("none").forward(logits, target).topk(16).indices
    wrong = confusion(answer, target).fill_diagonal_(0)
    figure, (left, right) = new_figure(1, 2, 4.4, 4.2)
    left.imshow(wrong.numpy(), cmap="Oranges", vmax=1.5 * wrong.max().item())
    for row, column in wrong.nonzero().tolist():
        left.text(column, row, wrong[row, column].item(), ha="center", va="center", fontsize=8)
    left.set(xlabel="read as", ylabel="is", xticks=range(10), yticks=range(10))
    left.set_title(f"{wrong.sum()} mistakes in {len(target):,} pictures")
    right.imshow(sheet(data.images(data.val.x[worst]), 4), cmap="gray_r")
    for place, index in enumerate(worst.tolist()):
        row, column, text = place // 4, place % 4, f"{answer[index]}, is {target[index]}"
        right.text(28 * column + 1, 28 * row + 3, text, fontsize=7, color=SCRATCH)
    right.set(title="the sixteen highest losses", xticks=[], yticks=[])
    return figure


# %% [markdown]
# ## What did it learn? Sometimes we can tell
#
# - Weights and favourites show a leaning towards strokes and digits. They do not show what a unit is *for*.
# - Probes show that a digit *can* be read off a layer, not that the network reads it so.
# - Saliency shows what one answer hangs on. Taking away shows that a unit was needed. Neither shows why.
# - The worst mistakes: some are hard for people too, some are plain digits. Nobody can say why those.
#
# ## They agree


# %%
def inside(model: Any, look: Any, slope: Any, case: Case) -> dict[str, Tensor]:
    """Everything this lesson reads off a network, with no, one and two units of layer 2 taken away."""
    x, digit = case.tensor("x", case.batch, case.n_in), case.classes("digit", case.batch, case.n_out)
    looks = [(silent, look(model, x, silent)) for silent in ((), (5,), (1, 2))]
    found = {f"{name} without {silent}": h for silent, answers in looks for name, h in answers.items()}
    return found | {"saliency": slope(model, x, digit)}


def inside_scratch(case: Case) -> dict[str, Tensor]:
    """By hand."""
    return inside(network((case.n_in, 7, 6, case.n_out)), activations, saliency, case)


def inside_torch(case: Case) -> dict[str, Tensor]:
    """By PyTorch's modules and autograd."""
    model = TorchMLP((case.n_in, 7, 6, case.n_out))
    model.load_state_dict(network((case.n_in, 7, 6, case.n_out)).params)
    return inside(model, torch_activations, torch_saliency, case)


LABELS = (lambda case: case.classes("answer", 50, 7), lambda case: case.classes("target", 50, 7), lambda _: 7)
PAIRS = [
    Pair("activations, ablation, saliency", inside_scratch, inside_torch),
    function_pair("confusion matrix", confusion, multiclass_confusion_matrix, *LABELS),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - For any module there is `register_forward_hook`: a function of yours that is shown its output.
# - `torchmetrics` has truth in rows and answers in columns, as here. Others turn it round.
#
# Next: lesson 21 follows the slope of the pixels to make the network fail.
