# %% [markdown]
# # Lesson 22 · Fine-tuning
#
# *A network has learned one task. What does a new one gain from that, and what does the old one lose?*
#
# Needs: lessons 04, 05, 07, 11, 17 · Time: 20 minutes

# %%
import functools
import itertools
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.data import OFFLINE_DIGITS, Split, load
from curriculum.demo import demo
from curriculum.draw import OTHER, SCRATCH, TORCH, new_figure
from curriculum.pair import Case, training_pair
from curriculum.table import Table
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import SGD
from lessons.lesson11_training import accuracy, train_step
from lessons.lesson17_mnist import (
    MLP,
    SIZES,
    Step,
    TorchMLP,
    first_weights,
    learn,
    scratch_step,
)

# %% [markdown]
# ## The idea
#
# So far every network began with random weights. It had to find out from its examples alone what a stroke
# is. *Fine-tuning* begins with the weights of a network that has already learned another task with many
# examples. It was *pretrained*. A few examples of the new task then move the weights a little further.
#
# The new task here: the 1,797 digits of scikit-learn, of which we use only a few to learn from. The old
# task is MNIST: the same ten digits from other people, scanned in another way. Without MNIST, we make an
# old task: half of the scikit-learn training digits, slanted. Every table says which of the two it is.
#
# Must all weights move? A layer that keeps its weights is called *frozen*. Take two weights in a row,
# y = w₂ · h with h = w₁ · x. The slopes are ∂y/∂w₂ = h, ∂y/∂h = w₂ and ∂y/∂w₁ = w₂ · x. If only w₂ learns,
# one of the three is needed. The backward pass ends at the first layer that learns. The forward pass stays
# whole. Between frozen and free there is a middle way: a smaller learning rate for the old layers than for
# the last one, which is called the *head*.
#
# $$w_{old} \leftarrow w_{old} - s\,\eta\,\partial L/\partial w_{old}
# \qquad w_{head} \leftarrow w_{head} - \eta\,\partial L/\partial w_{head}$$
#
# η (`lr`) is the learning rate. s (`share`) is 0 for frozen layers and 1 for layers as fast as the head.
#
# ## From scratch


# %%
class Frozen:
    """An MLP whose first `frozen` linear layers do not learn. x: (batch, n_in) → logits: (batch, n_out).

    `params` and `grads` hold only what learns, under the model's names: no optimiser can touch the rest.

    >>> list(Frozen(MLP(SIZES), 2).params)
    ['4.weight', '4.bias']
    """

    def __init__(self, model: MLP, frozen: int = 0) -> None:
        self.model = model
        self.first = (
            2 * frozen
        )  # where learning begins: each linear layer but the last has a ReLU behind it

    @property
    def params(self) -> dict[str, Tensor]:
        return {
            n: p
            for n, p in self.model.params.items()
            if int(n.split(".")[0]) >= self.first
        }

    @property
    def grads(self) -> dict[str, Tensor]:
        return {
            n: g
            for n, g in self.model.grads.items()
            if int(n.split(".")[0]) >= self.first
        }

    def forward(self, x: Tensor) -> Tensor:
        return self.model.forward(x)

    def backward(self, grad_logits: Tensor) -> Tensor:
        """One number: with y = w₂h and h frozen, ∂L/∂w₂ = h · ∂L/∂y, and ∂L/∂h = w₂ · ∂L/∂y has no reader.

        So the chain rule runs from the last layer to the first one that learns, and stops before that
        layer's ∂L/∂input. Returns the gradient of that layer's output.
        """
        first, *others = self.model.layers[self.first :]
        for layer in reversed(others):
            grad_logits = layer.backward(grad_logits)
        first.backward_params(
            grad_logits
        )  # `params` only: what lies before does not learn
        return grad_logits


class TwoRates:
    """Gradient descent: rate `lr` for the last two of `params`, the head; `share` · `lr` for the others."""

    def __init__(
        self, params: dict[str, Tensor], lr: float, share: float = 1.0
    ) -> None:
        self.lr, self.share = lr, share
        *old, weight, bias = params.items()
        self.old, self.head = SGD(dict(old), lr), SGD(dict((weight, bias)), lr)

    def step(self, grads: dict[str, Tensor]) -> None:
        self.old.lr, self.head.lr = self.share * self.lr, self.lr
        self.old.step(grads)
        self.head.step(grads)


def tuning_step(model: MLP, frozen: int, share: float = 1.0) -> Step:
    """A training step in the form that lesson 17's `learn` takes."""
    learner, criterion = Frozen(model, frozen), CrossEntropyLoss()
    optimizer = TwoRates(learner.params, 0.0, share)

    def step(x: Tensor, target: Tensor, lr: float) -> Tensor:
        optimizer.lr = lr
        return train_step(learner, criterion, optimizer, x, target)

    return step


def operations(frozen: int) -> tuple[int, int]:
    """Multiplications and additions in the matrix products for one picture: forward, backward.

    >>> [sum(operations(frozen)) for frozen in (0, 1, 2)]
    [454400, 237312, 219648]
    """
    layers = [2 * n_in * n_out for n_in, n_out in itertools.pairwise(SIZES)]
    learning = layers[frozen:]
    return sum(layers), sum(learning) + sum(
        learning[1:]
    )  # weights of all that learn, inputs but the first


# %% [markdown]
# Freezing two of three layers saves about half, not more: 219,648 of 454,400 remain. There is a trick.
# What frozen layers say about a picture never changes. Compute it once, keep the 64 numbers, and train the
# last layer on them. A step then takes 2 · 64 · 10 = 1,280 forward and 1,280 backward: 454,400 / 177.
#
# ## The same with PyTorch
#
# `requires_grad_(False)` marks parameters that nobody will ask about. Autograd (lesson 09) follows the graph
# back only as far as someone asks. An optimiser takes *parameter groups*, each with a rate of its own.


# %%
def torch_tuning_step(model: TorchMLP, frozen: int, share: float = 1.0) -> Step:
    """The same step with autograd and two parameter groups. Freezes the first layers of `model`."""
    linear = [layer for layer in model if isinstance(layer, nn.Linear)]
    for layer in linear[:frozen]:
        layer.requires_grad_(False)
    old = [param for layer in linear[frozen:-1] for param in (layer.weight, layer.bias)]
    head = [linear[-1].weight, linear[-1].bias]
    optimizer = torch.optim.SGD([{"params": old}, {"params": head}], lr=0.0)

    def step(x: Tensor, target: Tensor, lr: float) -> Tensor:
        optimizer.param_groups[0]["lr"], optimizer.param_groups[1]["lr"] = (
            share * lr,
            lr,
        )
        loss = nn.functional.cross_entropy(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


# %% [markdown]
# ## See it: from a pretrained network or from nothing
#
# A network expects its inputs on the scale it was trained with. Each of our data sets was standardised with
# its own mean and deviation. With MNIST, the pretrained network reads 97.6 % of MNIST's validation
# part and some 80 % of the new digits' without one example of them. On MNIST's own scale it would be
# about as many, on raw pixels from 0 to 1 only 67 %. The two scales are close, so each set keeps its own.


# %%
class Tasks(NamedTuple):
    """The pretrained parameters, the old task's validation part, and the new task."""

    name: str
    params: dict[str, Tensor]
    old: Split
    pool: Split  # new digits to learn from
    val: Split


def slanted(part: Split) -> Split:
    """Digits in slanting handwriting: each row of pixels moved sideways, 0.35 pixels more per row."""
    rows = part.x.view(-1, 28, 28).unbind(1)  # 28 × (count, 28)
    moved = [
        row.roll(round(0.35 * (13.5 - number)), 1) for number, row in enumerate(rows)
    ]
    return Split(torch.stack(moved, 1).view(-1, 784), part.target)


@functools.cache
def tasks() -> Tasks:
    """Pretrain once for all demos: 3 epochs of MNIST as in lesson 17, or 30 of slanted digits."""
    old, new, model = load(), load("digits"), MLP(SIZES)
    name, train, val, pool, epochs, lr = "MNIST", old.train, old.val, new.train, 3, 0.2
    if old.name == OFFLINE_DIGITS:
        name, epochs, lr = "597 slanted digits, as MNIST is missing", 30, 0.1
        pool, rest = (
            Split(*(part[rows] for part in pool))
            for rows in (slice(600), slice(600, None))
        )
        train, val = slanted(rest), slanted(new.val)
    model.load_state_dict(first_weights(SIZES, 0))
    for _ in learn(
        scratch_step(model), train, epochs, 64, lr, torch.Generator().manual_seed(0)
    ):
        pass
    return Tasks(f"old task: {name}", model.params, val, pool, new.val)


# %% [markdown]
# Five ways, 300 steps each of up to 20 examples. For each way we chose a rate that does well on the
# validation part (the next section shows such runs). The examples are drawn anew for each of five seeds; a
# network "from nothing" also gets new first weights. The pretrained network is the same every time. Both
# tasks have the same ten classes, so the old last layer is kept, and learns on.


# %%
class Way(NamedTuple):
    """Where to start, how many linear layers to freeze, η, s, and the colour in figures."""

    pretrained: bool
    frozen: int
    lr: float
    share: float
    colour: str


WAYS = {
    "from nothing": Way(False, 0, 0.1, 1.0, SCRATCH),
    "last layer": Way(True, 2, 0.1, 1.0, OTHER[0]),
    "last two": Way(True, 1, 0.1, 1.0, OTHER[1]),
    "all, s = 0.1": Way(True, 0, 0.1, 0.1, OTHER[2]),
    "all": Way(True, 0, 0.05, 1.0, TORCH),
}
STEPS, BATCH_SIZE, SEEDS = 300, 20, range(5)


def few(part: Split, count: int, seed: int) -> Split:
    """`count` examples drawn at random, some classes more often than others."""
    rows = torch.randperm(
        len(part.x), generator=torch.Generator().manual_seed(seed), device="cpu"
    )[:count]
    return Split(part.x[rows], part.target[rows])


def percent(model: MLP, part: Split) -> float:
    """Accuracy in percent."""
    return 100 * accuracy(model.forward(part.x), part.target)


def tune(way: Way, count: int, seed: int, steps: int = STEPS) -> MLP:
    """Learn from `count` new digits in one of the ways."""
    model, part = MLP(SIZES), few(tasks().pool, count, seed)
    model.load_state_dict(
        tasks().params if way.pretrained else first_weights(SIZES, 100 + seed)
    )
    epochs, step = (
        steps // -(-count // BATCH_SIZE),
        tuning_step(model, way.frozen, way.share),
    )
    for _ in learn(
        step, part, epochs, BATCH_SIZE, way.lr, torch.Generator().manual_seed(seed)
    ):
        pass
    return model


@functools.cache
def results() -> dict[str, dict[tuple[int, int], Tensor]]:
    """Validation accuracy in percent, (seeds,), for each way and (number of examples, steps)."""
    val, everything = tasks().val, len(tasks().pool.x)
    runs = [(count, STEPS) for count in (20, 50, 100, 300, everything)] + [
        (everything, 4 * STEPS)
    ]

    def percents(way: Way, count: int, steps: int) -> Tensor:
        return torch.tensor(
            [percent(tune(way, count, seed, steps), val) for seed in SEEDS]
        )

    return {
        name: {run: percents(way, *run) for run in runs} for name, way in WAYS.items()
    }


@demo
def few_examples() -> Table:
    """Accuracy on the new digits, %: mean and standard deviation of five seeds"""
    columns = [
        [f"{a.mean():.1f}±{a.std():.1f}" for a in runs.values()]
        for runs in results().values()
    ]
    rows = [
        (*run, *cells)
        for run, *cells in zip(results()["from nothing"], *columns, strict=True)
    ]
    return Table(("examples", "steps", *WAYS), rows, tasks().name)


@demo
def the_head_start() -> Figure:
    """The head start is largest where examples are fewest"""
    figure, axis = new_figure(width=6.0, height=3.8)
    counts = [count for count, steps in results()["from nothing"] if steps == STEPS]
    for name, runs in results().items():
        values, colour = (
            torch.stack([runs[count, STEPS] for count in counts]),
            WAYS[name].colour,
        )
        axis.plot(
            counts, values.mean(1), "o-", color=colour, label=name
        )  # values: (counts, seeds)
        axis.fill_between(
            counts,
            values.amin(1),
            values.amax(1),
            color=colour,
            alpha=0.15,
            linewidth=0,
        )
    axis.set(
        xscale="log",
        xticks=counts,
        xticklabels=counts,
        xlabel="examples of the new task",
    )
    axis.minorticks_off()
    axis.set_ylabel("validation accuracy, %")
    axis.set_title(
        f"{tasks().name}; mean, lowest and highest of five seeds", fontsize=9
    )
    axis.legend(frameon=False, loc="lower right")
    return figure


# %% [markdown]
# With MNIST, 20 examples and a pretrained network do nearly as well as 100 from nothing: 86 % and 88 %.
# Training the last layer alone does well with few examples. At 300 it is no better than starting from
# nothing: it must work with what the frozen layers pass on. Does starting from nothing catch up? With all
# examples and four times the steps, nearly: about one point is missing, 3 of the 300 validation pictures.
#
# ## See it: forgetting
#
# Nobody shows the network its old digits any more. Does it still read them?


# %%
@demo
def forgetting() -> Table:
    """100 examples, four rates: accuracy in %, new digits / old task"""

    def cell(way: Way) -> str:
        models = [tune(way, 100, seed) for seed in range(5, 8)]
        return " / ".join(
            f"{sum(percent(m, part) for m in models) / 3:.1f}"
            for part in (old.val, old.old)
        )

    old, rates = tasks(), (0.02, 0.05, 0.1, 0.2)
    rows = [(lr, *(cell(way._replace(lr=lr)) for way in WAYS.values())) for lr in rates]
    return Table(("rate η", *WAYS), rows, f"{tasks().name}; mean of three seeds")


# %% [markdown]
# The rate decides. With MNIST, 97.6 % before: at 0.02 one or two points are lost. All layers at 0.2
# *diverge*: within 20 steps the loss grows more than tenfold, and most is lost, old task and new, though
# 0.2 trained this very network on MNIST (in batches of 64). Frozen layers prevent it. So does s = 0.1,
# where all layers learn: it forgives a rate that is too large for the old ones. It does not beat one
# well-chosen rate here. (Where a new task is learned well and the old one is lost, one speaks of
# *catastrophic forgetting*. Here most old digits are still read where the new ones are learned. We
# chose by these validation numbers. The test part was not touched.)
#
# ## They agree
#
# Ten epochs on 60 of the offline digits: every loss, the gradients of what learns, and all weights, the
# frozen ones too.


# %%
def tuned_scratch(
    case: Case, frozen: int, share: float
) -> tuple[list[float], dict[str, Tensor]]:
    """Fine-tune by hand; the losses, all parameters, and the last gradients of those that learn."""
    model = MLP(SIZES)
    model.load_state_dict(first_weights(SIZES, case.seed))
    losses = sixty_digits(tuning_step(model, frozen, share))
    return losses, model.params | {
        f"grad_{name}": grad for name, grad in model.grads.items()
    }


def tuned_torch(
    case: Case, frozen: int, share: float
) -> tuple[list[float], dict[str, Tensor]]:
    """The same with PyTorch."""
    model = TorchMLP(SIZES)
    model.load_state_dict(first_weights(SIZES, case.seed))
    losses, params = (
        sixty_digits(torch_tuning_step(model, frozen, share)),
        dict(model.named_parameters()),
    )
    return losses, params | {
        f"grad_{n}": p.grad for n, p in params.items() if p.grad is not None
    }


def sixty_digits(step: Step) -> list[float]:
    """Ten epochs on 60 of the offline digits; the losses."""
    digits = few(load("digits").train, 60, 0)
    part = Split(*(tensor.to(torch.get_default_device()) for tensor in digits))
    return [
        loss.item()
        for loss in learn(step, part, 10, 20, 0.1, torch.Generator().manual_seed(0))
    ]


PAIRS = [
    training_pair(
        f"fine-tuning, {frozen} frozen, share {share}",
        functools.partial(tuned_scratch, frozen=frozen, share=share),
        functools.partial(tuned_torch, frozen=frozen, share=share),
    )
    for frozen, share in ((0, 1.0), (1, 1.0), (2, 1.0), (0, 0.1))
]

# %% [markdown]
# ## Where PyTorch differs
#
# - PyTorch freezes single parameters, anywhere. A frozen layer behind one that learns passes gradients on.
# - A frozen parameter's `grad` stays `None`, and an optimiser skips it. But a gradient left from *before* the
#   freezing is still applied, unless `zero_grad()` clears it. Ours never hands frozen parameters out.
#
# Next: lesson 23 shares one training run among several machines.
