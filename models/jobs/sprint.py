"""The shortest ways to an accuracy: `LeanMLP`, momentum, label smoothing, principal components in."""

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from curriculum.data import Data
from lessons.lesson11_training import accuracy
from lessons.lesson17_mnist import first_weights
from models.networks.augment import Augment
from models.networks.components import Components, LinearDistortions, principal_components
from models.networks.lean import LeanMLP, RunningAverage, shares, triangle

CLASSES = 10
FOUND_FROM = 5_000  # training digits, for the principal components
AVERAGED_EVERY = 10  # steps


@dataclass(frozen=True)
class Sprint:
    """A recipe: SGD on the cross-entropy, a rate that rises to `lr` over the share `warm` and falls to 0.

    target: the accuracy on the validation digits that it is for.
    epochs: need not be whole.
    components: how many numbers a digit becomes; 0 leaves the pixels. power: see `principal_components`.
    distort: with components, see `LinearDistortions`; 0 is none.
    elastic: with pixels, every digit distorted anew by `Augment("elastic")`.
    average: decay of a running average of the weights, taken at every tenth step; 0 is none.
    bfloat16: the first layer's products, see `LeanMLP`.
    """

    target: float
    hidden: tuple[int, ...] = (128, 64)
    epochs: float = 2.0
    batch_size: int = 128
    lr: float = 0.4
    warm: float = 0.2
    momentum: float = 0.9
    nesterov: bool = False
    smoothing: float = 0.1
    components: int = 80
    power: float = 0.1
    distort: float = 0.0
    elastic: bool = False
    average: float = 0.0
    bfloat16: bool = False

    def __post_init__(self) -> None:
        if self.distort and not self.components:
            raise ValueError("distort needs components; this recipe has none")
        if self.elastic and self.components:
            raise ValueError("elastic needs pixels; this recipe has components")

    def __str__(self) -> str:
        """The recipe in a few words, as the tables have it."""
        network = "–".join(map(str, (784, *self.hidden, CLASSES)))
        inputs = f"{self.components} components" if self.components else "pixels"
        words = [network, inputs, f"{self.epochs:g} epochs, batch {self.batch_size}, lr {self.lr:g}"]
        extras = {
            "distorted": self.distort,
            "elastic": self.elastic,
            "averaged": self.average,
            "bf16": self.bfloat16,
        }
        return ", ".join(words + [word for word, used in extras.items() if used])


class Race(NamedTuple):
    """One seed on one recipe: seconds of training and a last look at the validation digits; shares right."""

    seed: int
    seconds: float
    val_acc: float
    test_acc: float


# Chosen on the validation digits (two or three of the seeds 0 to 2, some 40 settings).
SPRINTS = (
    Sprint(0.980),
    Sprint(0.980, components=0, epochs=3, batch_size=192, lr=0.3),
    Sprint(0.980, components=0, epochs=2.5, batch_size=192, lr=0.25, bfloat16=True),
    Sprint(0.985, hidden=(256, 64), epochs=4),
    Sprint(0.987, hidden=(400, 100), epochs=6, distort=1.0),
    Sprint(0.990, hidden=(512, 256), epochs=14, components=64, distort=1.0),
)
# What each piece of the first recipe brings: the recipe without it, the rate chosen anew
# for each (three seeds, two to eight rates; without momentum from 0.4 to 5).
ABLATIONS = {
    "all of it": SPRINTS[0],
    "without components": replace(SPRINTS[0], components=0, lr=0.2),
    "without scaling them": replace(SPRINTS[0], power=0.0),
    "whitened": replace(SPRINTS[0], power=0.5),
    "without momentum": replace(SPRINTS[0], momentum=0.0, lr=2.4),
    "without smoothing": replace(SPRINTS[0], smoothing=0.0, lr=0.15),
    "without warm-up": replace(SPRINTS[0], warm=0.001),
    "with averaged weights": replace(SPRINTS[0], average=0.9),
    "with bf16": replace(SPRINTS[0], bfloat16=True),
}
# The ladder's widest rung, see README: 800 hidden units, elastic distortions, float32 master weights.
LADDER = Sprint(
    0.994,
    hidden=(800,),
    epochs=120,
    batch_size=256,
    lr=0.15,
    warm=0.05,
    nesterov=True,
    smoothing=0.0,
    components=0,
    elastic=True,
    average=0.995,
    bfloat16=True,
)


@torch.inference_mode()
def sprint(data: Data, recipe: Sprint, seed: int) -> Race:
    """Train by the recipe, then judge an ordinary MLP on pixels. The clock stops before the test digits.

    Finding the components, turning the digits into them and the way back to pixels are inside the time.
    """
    begin = time.perf_counter()
    state = learn(data, recipe, seed)
    model = LeanMLP((data.train.x.shape[1], *recipe.hidden, CLASSES))
    model.load_state_dict(state)
    val_acc = accuracy(model.forward(data.val.x), data.val.target)
    seconds = time.perf_counter() - begin
    return Race(seed, seconds, val_acc, accuracy(model.forward(data.test.x), data.test.target))


def learn(data: Data, recipe: Sprint, seed: int) -> dict[str, Tensor]:
    """The trained parameters of the MLP on pixels, by torch's names. Same seed, same bits."""
    generator = torch.Generator().manual_seed(seed)
    x = data.train.x
    components = None
    if recipe.components:
        components = principal_components(x[:FOUND_FROM], recipe.components, recipe.power, generator)
        x = components.project(x)
    distort = _distortion(recipe, data, components, generator)
    if recipe.bfloat16 and distort is None:
        x = x.bfloat16()
    model = LeanMLP(
        (x.shape[1], *recipe.hidden, CLASSES),
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        bfloat16=recipe.bfloat16,
    )
    model.load_state_dict(first_weights(model.sizes, seed))
    average = RunningAverage(model.flat, recipe.average)
    targets = shares(data.train.target, CLASSES, recipe.smoothing, torch.float32)
    for done, total, rows, target in _batches(x, targets, recipe, generator):
        batch = distort(rows) if distort else rows
        model.step(batch, target, recipe.lr * triangle(done / total, recipe.warm))
        if recipe.average and done % AVERAGED_EVERY == 0:
            average.update(model.flat)
    if recipe.average:
        model.flat.copy_(average.flat)
    return components.fold(model.params) if components else model.params


def _distortion(
    recipe: Sprint, data: Data, components: Components | None, generator: torch.Generator
) -> Callable[[Tensor], Tensor] | None:
    """What is done to each batch before it is learned, if anything."""
    if recipe.elastic:
        augment = Augment("elastic", data.mean, data.std)
        return functools.partial(augment, generator=generator)
    if recipe.distort and components is not None:
        background = torch.full((data.train.x.shape[1],), -data.mean / data.std)
        distortions = LinearDistortions(components, background, recipe.distort)
        return functools.partial(distortions, generator=generator)
    return None


def _batches(
    x: Tensor, targets: Tensor, recipe: Sprint, generator: torch.Generator
) -> Iterator[tuple[int, int, Tensor, Tensor]]:
    """Steps behind, steps in all, rows of x and their targets. Each epoch in a new order."""
    total = round(recipe.epochs * -(-len(x) // recipe.batch_size))
    done = 0
    while done < total:
        order = torch.randperm(len(x), generator=generator)
        for rows in order.split(recipe.batch_size):
            if done == total:
                return
            yield done, total, x[rows], targets[rows]
            done += 1
