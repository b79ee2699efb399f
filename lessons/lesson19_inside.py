# %% [markdown]
# # Lesson 19 · Looking inside: what units see
#
# *A network reads digits. What did its units learn to see, and how would we know?*
#
# Needs: lessons 04, 08, 17 · Time: 15 minutes

# %%
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.data import OFFLINE_DIGITS, Data
from curriculum.demo import demo
from curriculum.draw import new_figure
from curriculum.drawings import sheet
from curriculum.pair import Case, Pair
from curriculum.table import Table
from lessons import lesson17_mnist as lesson17
from lessons.lesson17_mnist import MLP, SIZES, TorchMLP, first_weights

# %% [markdown]
# ## The idea
#
# A popular story says: the first layer of a network finds edges, the next one shapes,
# the last one objects. It comes from networks that slide small windows over
# photographs. Does it hold for our MLP on digits?
#
# It is easy to look at pictures and to see in them what one expects. So we keep a rule:
# **beside every picture stands a number, and beside every number a control**, the same
# number for something that cannot have learned what we look for.
#
# On paper. A *unit* is a neuron in a layer. One of the first layer has a weight per
# pixel. Take a picture of three pixels in a row, and two units:
#
# | unit | weights | on ink 0, 0, 1 | on ink 1, 1, 1 |
# |---|---|---|---|
# | A | −1, 0, 1 | 1 | 0 |
# | B | 1, 1, 1 | 1 | 3 |
#
# ```python
# >>> units = torch.tensor([[-1, 0, 1], [1, 1, 1]])
# >>> (torch.tensor([[0, 0, 1], [1, 1, 1]]) @ units.T).tolist()
# [[1, 1], [0, 3]]
# ```
#
# A answers to an *edge*: nothing on the left, ink on the right. B answers to ink. Of
# all pictures with the same sum of squares, the one that looks like the weights excites
# a unit most. So we can look at the weights as a picture. In the second layer we
# cannot: its weights belong to units and not to pixels. There we ask another way: which
# pictures excite the unit most?
#
# All pictures here are from the *validation* part. Whoever mends a network with the
# test pictures in view can no longer test it with them.
#
# ## From scratch
#
# We only need what lies between the layers. `silent` sets units of layer 2 to zero; it
# waits for lesson 20.


# %%
PLACES = {"layer 1": 1, "layer 2": 3, "logits": 4}  # behind which of `model.layers`


def activations(model: MLP, x: Tensor, silent: Sequence[int] = ()) -> dict[str, Tensor]:
    """What each layer answers to x (batch, n_in).

    Args:
        silent: units of layer 2 whose answers are set to zero.
    """
    answers = {"pixels": x}
    for index, layer in enumerate(model.layers):
        x = layer.forward(x)
        if index == PLACES["layer 2"]:
            x[:, list(silent)] = 0
        for place, behind in PLACES.items():
            if index == behind:
                answers[place] = x
    return answers


# %% [markdown]
# ## The same with PyTorch
#
# Module by module:


# %%
def torch_activations(
    model: nn.Sequential, x: Tensor, silent: Sequence[int] = ()
) -> dict[str, Tensor]:
    """The same."""
    linear1, relu1, linear2, relu2, linear3 = model
    first = relu1(linear1(x))
    second = relu2(linear2(first))
    without = second.index_fill(1, torch.tensor(silent, dtype=torch.int64), 0)
    return {
        "pixels": x,
        "layer 1": first,
        "layer 2": without,
        "logits": linear3(without),
    }


# %% [markdown]
# ## See it: first weights
#
# One network for all that follows: lesson 17's, after 3 epochs on MNIST. Beside it
# stands the same network untrained. (On the small offline digits it takes 39 epochs.
# **Numbers in the text are from MNIST.**)
#
# Here are the weights of the first ten units as pictures, blue above zero and orange
# below: before training, after, and the difference.


# %% tags=["hide-input"]
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


@demo
def first_layer_images() -> Figure:
    """The first ten units, not chosen, all on one scale"""
    _, before, after = trained()
    old, new = before.params["0.weight"], after.params["0.weight"]
    rows = torch.cat([old[:10], new[:10], (new - old)[:10]])
    figure, axis = new_figure(width=9.5, height=3.2)
    sheet(axis, rows.view(30, 28, 28), columns=10, signed=True)
    for row, name in enumerate(("untrained", "trained", "training\nadded")):
        axis.text(-6, 29 * row + 14, name, ha="right", va="center", fontsize=10)
    return figure


# %% [markdown]
# Are these edges? Do not answer by eye. We write down 9,600 edge detectors: light on
# one side, dark on the other, fading out, at 400 places, 8 angles and 3 sizes. Then we
# ask of each unit how much of its squared weights the best of the 9,600 explains.
#
# <details><summary>What do you expect? For an untrained unit, a trained one, what
# training added to it, and an edge that is not on our list?</summary>
#
# An untrained unit 1.4 %, a trained one 17 % on average and none as much as half. What
# training added: 31 %. A true edge that is not on our list: more than 80 %.
#
# </details>


# %%
def edge_cosines(weight: Tensor) -> Tensor:
    """How alike each unit is to each edge, −1 to 1: (units, 784) → (units, 9600)."""
    edges = edge_detectors()
    lengths = weight.norm(dim=1, keepdim=True) * edges.norm(dim=1)  # (units, 9600)
    return weight @ edges.T / lengths.clamp(min=1e-9)  # (units, 784) @ (784, 9600)


def edge_share(weight: Tensor) -> Tensor:
    """What the best edge detector explains of each unit: (units, 784) → (units,)."""
    return edge_cosines(weight).square().amax(1)


# %% tags=["hide-input"]
@functools.cache
def edge_detectors() -> Tensor:
    """9,600 edges, (9600, 784): 20 × 20 places, 8 angles, 3 sizes."""
    places = torch.arange(4.0, 24)
    angles = torch.arange(8) * torch.pi / 8
    sizes = torch.tensor([1.5, 2.5, 4])
    grid = torch.cartesian_prod(places, places, angles, sizes)  # (9600, 4)
    x, y, angle, size = (column.view(-1, 1, 1) for column in grid.T)
    right = torch.arange(28) - x  # (9600, 1, 28)
    down = torch.arange(28)[:, None] - y  # (9600, 28, 1)
    across = right * torch.cos(angle) + down * torch.sin(angle)
    fading = torch.exp(-(right**2 + down**2) / (2 * size**2))
    return (across * fading).flatten(1)


def random_mixes(count: int, pictures: int = 10) -> Tensor:
    """Sums of that many random digits with random factors: no unit has learned them."""
    data = trained()[0]
    generator = torch.Generator().manual_seed(0)
    images = data.images(data.train.x).flatten(1)
    rows = torch.randint(len(images), (count, pictures), generator=generator)
    factors = torch.randn(count, pictures, 1, generator=generator)
    return (images[rows] * factors).sum(1)


@functools.cache
def mean_digits() -> Tensor:
    """The mean picture of each digit, less the mean of these ten: (10, 784)."""
    data = trained()[0]
    images = data.images(data.train.x).flatten(1)
    means = torch.stack([images[data.train.target == d].mean(0) for d in range(10)])
    return means - means.mean(0)


def mixes_of_means(count: int, seed: int = 0) -> Tensor:
    """Sums of the ten mean digits with random factors: (count, 784)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 10, generator=generator) @ mean_digits()


def as_mix_of_means(weight: Tensor) -> Tensor:
    """The sum of mean digits that comes nearest to each row of weight (units, 784)."""
    # Ten rows that add up to zero lie in nine dimensions.
    axes = torch.linalg.svd(mean_digits(), full_matrices=False).Vh[:9]  # (9, 784)
    return weight @ axes.T @ axes


@demo
def units_beside_their_best_edges() -> Figure:
    """The first eight units and eight mixes, each above the edge that explains most"""
    _, before, after = trained()
    added = after.params["0.weight"] - before.params["0.weight"]
    groups = {
        "what training added": added[:8],
        "control: random mixes of the ten mean digits": mixes_of_means(8),
    }
    figure, axes = new_figure(2, 1, width=8.5, height=2)
    for axis, (name, weights) in zip(axes, groups.items(), strict=True):
        cosines = edge_cosines(weights)
        best = cosines.abs().argmax(1)
        signs = cosines.gather(1, best[:, None]).sign()
        edges = edge_detectors()[best] * signs
        pictures = torch.cat([weights, edges])
        pictures = pictures / pictures.abs().amax(1, keepdim=True)
        shares = [f"{100 * share:.0f} %" for share in edge_share(weights)]
        titles = [""] * 8 + shares
        sheet(axis, pictures.view(16, 28, 28), 8, titles, signed=True)
        axis.set_title(name, fontsize=10)
    return figure


@demo
def how_much_is_edge() -> Table:
    """What the best of 9,600 edge detectors explains of 128 units, percent"""
    _, before, after = trained()
    old, new = before.params["0.weight"], after.params["0.weight"]
    added = new - old
    mix = as_mix_of_means(added)
    weights = {
        "untrained units": old,
        "trained units": new,
        "what training added to them": added,
        "· its part that is a mix of mean digits": mix,
        "· the rest": added - mix,
        "control: random mixes of ten digits": random_mixes(len(old)),
        "control: random mixes of the ten mean digits": mixes_of_means(len(old)),
    }
    rows = []
    for name, group in weights.items():
        shares = 100 * edge_share(group)
        rows.append((name, f"{shares.mean():.1f}", f"{shares.max():.1f}"))
    return Table(("", "mean", "largest"), rows)


# %% [markdown]
# **This first layer does not become "edges".** But see how much hangs on the control.
# Beside random mixes of ten digits, in which nothing has been learned, the trained
# units look *less* like edges: 17 against 23 %. That is not fair to them, since half of
# their squared weights is still the noise of the start. What training added looks
# *more* like edges: 31 %. So is it on its way after all?
#
# Ask what training adds. Each step adds to a unit the pictures of its batch, each times
# the unit's blame (lesson 08's `grad_weight`). That is a mix of digits, too, but of
# thousands, and many pictures of one digit blur into their mean. So the second control
# mixes the ten *mean* digits (less the mean of all ten). It has 35 to 37 %, in four
# draws. Indeed nearly two fifths of what training added, counted in squares, are such a
# mix, and look like it: 38 %. The rest has 20 %, no more than the first control.
# Strokes have two edges, blurred strokes are smooth, and that is what the number saw.
# (After 15 epochs what was added has 27 %.)
#
# Why no edges? Nothing tells an MLP which pixels are neighbours. Shuffle the pixels of
# all pictures in one way, and the first weights along with them: every loss stays the
# same. Networks with sliding windows (*convolutional* ones) are told, and they do find
# edges.
#
# ## See it: favourites
#
# Now the second layer. For each unit we take the nine pictures that excite it most, and
# its mean answer to each digit.


# %% tags=["hide-input"]
@demo
def units_and_their_digits() -> Figure:
    """What excites units of layer 2 most, and their mean answer to each digit"""
    data, _, model = trained()
    h = activations(model, data.val.x)["layer 2"]
    average = torch.stack([h[data.val.target == digit].mean(0) for digit in range(10)])
    share = average / average.amax(0).clamp(min=1e-9)  # (10, 64)
    firing = (h.amax(0) > 0).nonzero().flatten()[:7]
    favourites = h[:, firing].topk(9, dim=0).indices.T.flatten()
    figure, (left, right) = new_figure(1, 2, 4.8, 3.6)
    sheet(left, data.images(data.val.x[favourites]), columns=9)
    left.set_title(f"nine favourites of units {', '.join(map(str, firing.tolist()))}")
    order = share.argmax(0).argsort()
    image = right.imshow(share[:, order].numpy(), cmap="magma", aspect="auto")
    right.set(title="mean answer to each digit", yticks=range(10))
    right.set(xlabel="units, sorted", ylabel="digit")
    figure.colorbar(image, ax=right, label="the unit's largest = 1")
    return figure


def purity(h: Tensor, target: Tensor) -> float:
    """The share of a unit's 20 favourites that show one digit; mean over units."""
    firing = h[:, h.amax(0) > 0]
    digits = target[firing.topk(20, dim=0).indices]  # (20, units)
    counts = torch.stack([(digits == digit).sum(0) for digit in range(10)])
    return (counts.amax(0) / 20).mean().item()


@demo
def how_pure_are_favourites() -> Table:
    """Of a unit's 20 favourites, how many show the same digit, percent"""
    data, before, after = trained()
    rows = []
    for place in ("layer 1", "layer 2"):
        found = [
            purity(activations(model, data.val.x)[place], data.val.target)
            for model in (before, after)
        ]
        rows.append((place, *(f"{100 * share:.0f}" for share in found)))
    random = torch.rand(len(data.val.x), 64, generator=torch.Generator().manual_seed(0))
    chance = f"{100 * purity(random, data.val.target):.0f}"
    return Table(
        ("", "untrained", "trained"), [*rows, ("control: random answers", chance, "")]
    )


# %% [markdown]
# Of a unit's favourites 72 to 74 % show one digit in layer 1, and 81 to 86 % in layer 2
# (five starts). Twenty random pictures have about 22 %. So units do lean towards a
# digit, and more so in the second layer. But look at the untrained column: about 50 %,
# without any learning. Pictures of one digit are alike, so whatever excites a random
# unit comes in kinds. Half of what looks like meaning was there before training.
#
# And leaning is not meaning. In the right panel 55 to 59 of the 64 units (five starts)
# answer to three digits or more with at least a fifth of their largest mean.
#
# ## See it: a map
#
# 64 numbers per picture cannot be drawn. *Principal component analysis* lays a first
# axis where the points spread most, then a second one, at right angles, where the rest
# does. Two heaps that overlap on the map may lie apart in 64 dimensions.
#
# TensorBoard's *projector* shows three axes, and you can turn them:
# `write_embedding(Path("runs/map"))`, then `curriculum tensorboard --log-dir runs`.
# Choose *Projector* at the top (reload the page if it is not there), and under
# *Color by* the label.


# %% tags=["hide-input"]
def write_embedding(folder: Path, count: int = 1000) -> None:
    """Write layer 2's answers to `count` validation pictures, for the projector."""
    from torch.utils.tensorboard import SummaryWriter

    data, _, model = trained()
    x = data.val.x[:count]
    target = data.val.target[:count].tolist()
    with SummaryWriter(str(folder)) as writer:
        h = activations(model, x)["layer 2"]
        writer.add_embedding(h, target, 1 - data.images(x)[:, None])


@demo
def map_of_digits() -> Figure:
    """Two axes out of 784, and two out of 64: one point per picture"""
    data, _, model = trained()
    answers = activations(model, data.val.x[:1000])
    target = data.val.target[:1000]
    figure, axes = new_figure(1, 2, 4.6, 4.2)
    for axis, place in zip(axes, ("pixels", "layer 2"), strict=True):
        h = answers[place] - answers[place].mean(0)
        # h = U S Vᵀ, the widest direction first
        _, spread, directions = torch.linalg.svd(h, full_matrices=False)
        points = h @ directions[:2].T
        share = spread[:2].square().sum() / spread.square().sum()
        axis.scatter(*points.T, c=target, cmap="tab10", s=7)
        for digit in range(10):
            x, y = points[target == digit].median(0).values.tolist()
            white = {"facecolor": "white", "pad": 2}
            axis.text(x, y, digit, ha="center", va="center", bbox=white)
        title = f"{place}: {share:.0%} of the variance"
        axis.set(title=title, xticks=[], yticks=[])
    return figure


# %% [markdown]
# ## They agree
#
# What every layer answers, with no, one and two units of layer 2 set to zero:


# %% tags=["hide-input"]
SILENT: tuple[tuple[int, ...], ...] = ((), (5,), (1, 2))


def looked_at(model: Any, look: Any, x: Tensor) -> dict[str, Tensor]:
    """Every answer, by place and by the units that are silent."""
    found = {}
    for silent in SILENT:
        for place, h in look(model, x, silent).items():
            found[f"{place} without {silent}"] = h
    return found


def inside_scratch(case: Case) -> dict[str, Tensor]:
    """By hand."""
    model = network((case.n_in, 7, 6, case.n_out))
    return looked_at(model, activations, case.tensor("x", case.batch, case.n_in))


def inside_torch(case: Case) -> dict[str, Tensor]:
    """By PyTorch's modules."""
    model = TorchMLP((case.n_in, 7, 6, case.n_out))
    model.load_state_dict(network((case.n_in, 7, 6, case.n_out)).params)
    return looked_at(model, torch_activations, case.tensor("x", case.batch, case.n_in))


PAIRS = [Pair("activations", inside_scratch, inside_torch)]

# %% [markdown]
# ## Where PyTorch differs
#
# - For any module there is `register_forward_hook`: a function of yours that is shown
#   its output. With it you need not take the network apart.
#
# ## You can now
#
# - show what a first-layer unit weighs, and what excites a deeper one;
# - measure what you believe to see, and put a control beside it;
# - open a map of any layer in TensorBoard's projector.
#
# Exercise: `curriculum start 19a`, then `curriculum check 19a`.
#
# Next: so far we looked. Lesson 20 interferes: it reads a layer with a probe, wipes
# pixels and takes units away.
