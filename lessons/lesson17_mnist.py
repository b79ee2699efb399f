# %% [markdown]
# # Lesson 17 · An MLP that reads digits
#
# *Do the pieces of the earlier lessons, put together, read handwriting, and exactly as well as PyTorch?*
#
# Needs: lessons 03, 04, 05, 07, 11 · Time: 20 minutes

# %%
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.contracts import copy_into
from curriculum.data import Data, Split, load
from curriculum.demo import demo
from curriculum.draw import SCRATCH, TORCH, new_figure
from curriculum.pair import Case, layer_pair, training_pair
from curriculum.table import Table
from lessons.lesson03_activations import ReLU
from lessons.lesson04_layers import Linear, Sequential
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import SGD
from lessons.lesson11_training import accuracy, minibatches, train_step
from lessons.lesson13_rates import linear_decay

# %% [markdown]
# ## The idea
#
# MNIST is a set of 70,000 handwritten digits, each a grey picture of 28×28 pixels with the right answer
# beside it. The network gets the 784 pixels as one row and gives ten numbers, one per digit. The largest
# is its answer.
#
# $$784 \to 128 \to 64 \to 10$$
#
# Between the layers stands a ReLU. After the last one stands nothing: the ten numbers are logits, and
# `CrossEntropyLoss` expects them raw. (A ReLU there is a common mistake. It turns every negative logit
# into 0, and a network that cannot say "surely not" learns worse.)
#
# Such a stack of linear layers and activations is called a *multilayer perceptron*, MLP for short.
#
# The 70,000 digits are split in three. 50,000 are for training. 10,000 are for looking at while we choose
# learning rate and epochs; they are called the validation set. The last 10,000, the test set, are used
# once, at the very end. Nothing was chosen by looking at them, so they tell how well the network reads
# digits that nobody tuned it for.
#
# MNIST is not bundled. Without it this lesson runs on 1,797 smaller scans that come with scikit-learn,
# enlarged to 28×28.
#
# ## From scratch
#
# Everything is here already. We stack the layers, and leave one thing out: the gradient of the pixels.
# Nobody is going to change the pixels, and that product, (batch, 128) @ (128, 784), costs as much as the
# first layer's whole forward pass.

# %%
SIZES = (784, 128, 64, 10)


class MLP(Sequential):
    """Linear, ReLU, Linear, ReLU, …, Linear. x: (batch, sizes[0]) → logits: (batch, sizes[-1]).

    Parameters are called as in `TorchMLP`: "0.weight" (128, 784), "0.bias" (128,), "2.weight", …
    `input_grad`: also compute ∂L/∂x. Training does not need it.

    >>> sum(param.numel() for param in MLP(SIZES).params.values())
    109386
    """

    def __init__(self, sizes: tuple[int, ...], input_grad: bool = False) -> None:
        layers: list[Linear | ReLU] = []
        for n_in, n_out in itertools.pairwise(sizes):
            layers += [Linear(n_in, n_out), ReLU()]
        super().__init__(*layers[:-1])
        self.input_grad = input_grad

    def backward(self, grad_logits: Tensor) -> Tensor:
        """The chain rule from the last layer to the first, which then needs only its own gradients.

        Returns ∂L/∂x where it was asked for, else the gradient of the first layer's output.
        """
        if self.input_grad:
            return super().backward(grad_logits)
        first, *others = self.layers
        for layer in reversed(others):
            grad_logits = layer.backward(grad_logits)
        first.backward_params(grad_logits)
        return grad_logits

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Copy parameters from a dictionary with the same names and shapes, this side's or PyTorch's."""
        copy_into(self.params, state)

    def share(self, params: Mapping[str, Tensor]) -> None:
        """Use these tensors from now on, without a copy: what changes them changes this model."""
        for index, layer in enumerate(self.layers):
            layer.params = {name: params[f"{index}.{name}"] for name in layer.params}


# A step of training: it takes x, target and the learning rate, and returns the loss.
Step = Callable[[Tensor, Tensor, float], Tensor]


def scratch_step(model: MLP) -> Step:
    """Lesson 11's `train_step` with the learning rate of the moment."""
    criterion, optimizer = CrossEntropyLoss(), SGD(model.params, lr=0.0)

    def step(x: Tensor, target: Tensor, lr: float) -> Tensor:
        optimizer.lr = lr
        return train_step(model, criterion, optimizer, x, target)

    return step


# %% [markdown]
# ## The same with PyTorch


# %%
class TorchMLP(nn.Sequential):
    """The same network; its `state_dict` has the same keys."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        layers: list[nn.Module] = []
        for n_in, n_out in itertools.pairwise(sizes):
            layers += [nn.Linear(n_in, n_out), nn.ReLU()]
        super().__init__(*layers[:-1])


def torch_step(model: nn.Module) -> Step:
    """The same step with autograd."""
    criterion, optimizer = (
        nn.CrossEntropyLoss(),
        torch.optim.SGD(model.parameters(), lr=0.0),
    )

    def step(x: Tensor, target: Tensor, lr: float) -> Tensor:
        optimizer.param_groups[0]["lr"] = lr
        loss = criterion(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


# %% [markdown]
# ## One loop for both
#
# The loop does not know which side it trains. Same first weights, same batches, same learning rates: then
# the losses must be the same too. The learning rate falls in a straight line to 0, as in lesson 11.


# %%
def learn(
    step: Step,
    examples: Split,
    epochs: int,
    batch_size: int,
    lr: float,
    generator: torch.Generator,
    done: int = 0,
) -> Iterator[Tensor]:
    """Train; gives the loss of every step as it happens.

    `done`: how many steps a run had taken when it was stopped. Their batches are drawn and passed over.
    """
    steps = epochs * -(-len(examples.x) // batch_size)
    count = 0
    for _ in range(epochs):
        for rows in minibatches(len(examples.x), batch_size, generator):
            if count >= done:
                yield step(
                    examples.x[rows],
                    examples.target[rows],
                    linear_decay(lr, count, steps),
                )
            count += 1


def first_weights(sizes: tuple[int, ...], seed: int) -> dict[str, Tensor]:
    """The weights that every run with this seed starts from. They leave PyTorch's global generator alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MLP(sizes).params


# %% [markdown]
# ## See it
#
# We train both sides for 3 epochs, so that the lesson stays short. `curriculum mnist` runs 15 and adds
# Lightning; its results stand in the README.


# %%
class Trained(NamedTuple):
    """A model's answers for any x, the loss of every step, and the accuracy before and after each epoch."""

    logits: Callable[[Tensor], Tensor]
    params: dict[str, Tensor]
    losses: Tensor
    val_acc: list[float]


EPOCHS, BATCH_SIZE, LR, SEED = 3, 64, 0.2, 0


data_set = functools.cache(load)  # read once


def run(
    step: Step,
    logits: Callable[[Tensor], Tensor],
    params: dict[str, Tensor],
    epochs: int,
) -> Trained:
    """Train one side and look at the validation set before the first epoch and after each."""
    data = data_set()
    generator = torch.Generator().manual_seed(SEED)
    per_epoch = -(-len(data.train.x) // BATCH_SIZE)
    losses: list[Tensor] = []
    val_acc = [accuracy(logits(data.val.x), data.val.target)]
    for loss in learn(step, data.train, epochs, BATCH_SIZE, LR, generator):
        losses.append(loss)
        if len(losses) % per_epoch == 0:
            val_acc.append(accuracy(logits(data.val.x), data.val.target))
    return Trained(logits, params, torch.stack(losses), val_acc)


@functools.cache
def trained_by_hand(epochs: int = EPOCHS) -> Trained:
    """The scratch run, trained once for all demos. Later lessons look at its network."""
    model = MLP(SIZES)
    model.load_state_dict(first_weights(SIZES, SEED))
    return run(scratch_step(model), model.forward, model.params, epochs)


@functools.cache
def trained_by_torch() -> Trained:
    """The PyTorch run, trained once for all demos."""
    model = TorchMLP(SIZES)
    model.load_state_dict(first_weights(SIZES, SEED))
    return run(torch_step(model), model, dict(model.named_parameters()), EPOCHS)


def trained_both() -> tuple[Data, Trained, Trained]:
    """The data, the scratch run and the PyTorch run."""
    return data_set(), trained_by_hand(), trained_by_torch()


@demo
def the_first_losses() -> Table:
    """The first five losses: both sides see the same digits and make the same mistakes"""
    _, scratch, reference = trained_both()
    rows = [
        (step, f"{ours:.7f}", f"{theirs:.7f}", abs(ours - theirs))
        for step, (ours, theirs) in enumerate(
            zip(scratch.losses[:5].tolist(), reference.losses[:5].tolist(), strict=True)
        )
    ]
    return Table(
        ("step", "scratch", "torch", "difference"), rows, trained_both()[0].name
    )


@demo
def learning_curves() -> Figure:
    """Two curves that lie on top of each other"""
    data, scratch, reference = trained_both()
    figure, (left, right) = new_figure(1, 2)
    window = max(1, len(scratch.losses) // 60)
    for run, colour, width, name in (
        (reference, TORCH, 5, "torch"),
        (scratch, SCRATCH, 1.5, "scratch"),
    ):
        smooth = (
            run.losses[: len(run.losses) // window * window].view(-1, window).mean(1)
        )
        steps = torch.arange(len(smooth)) * window
        left.plot(steps, smooth, color=colour, linewidth=width, label=name)
        right.plot(
            [100 * value for value in run.val_acc],
            color=colour,
            linewidth=width,
            label=name,
        )
    left.set(
        title=f"training loss (mean of {window} steps)", xlabel="step", ylim=(0, None)
    )
    right.set(
        title="validation accuracy",
        xlabel="epoch",
        ylabel="%",
        xticks=range(EPOCHS + 1),
    )
    left.legend(frameon=False)
    figure.suptitle(f"784–128–64–10 on {data.name}", fontsize=10)
    return figure


@demo
def final_exam() -> Table:
    """The test set, looked at once"""
    data, scratch, reference = trained_both()
    rows = [
        (
            name,
            EPOCHS,
            f"{side.val_acc[-1]:.2%}",
            f"{accuracy(side.logits(data.test.x), data.test.target):.2%}",
        )
        for name, side in (("scratch", scratch), ("torch", reference))
    ]
    return Table(
        ("side", "epochs", "validation accuracy", "test accuracy"), rows, data.name
    )


@demo
def what_it_reads() -> Figure:
    """Twelve test digits, and twelve that it misreads"""
    data, scratch, _ = trained_both()
    answer = scratch.logits(data.test.x).argmax(1)
    wrong = (answer != data.test.target).nonzero().flatten().tolist()
    figure, axes = new_figure(2, 12, 0.8, 1.05)
    for axis in axes.flat:
        axis.axis("off")
    for row, chosen in enumerate((range(12), wrong[:12])):
        for axis, index in zip(axes[row], chosen, strict=False):
            axis.imshow(data.images(data.test.x[index])[0].numpy(), cmap="gray_r")
            truth = data.test.target[index].item()
            title = (
                f"{answer[index].item()}"
                if row == 0
                else f"{answer[index].item()}, is {truth}"
            )
            axis.set_title(title, fontsize=9, color="black" if row == 0 else SCRATCH)
    return figure


# %% [markdown]
# ## They agree
#
# In float64 the two sides stay equal through a whole run: every loss and every weight at the end, to one
# part in a billion. The pair below trains on the offline digits for two epochs, so that it runs anywhere.
# `curriculum mnist --dtype float64 --epochs 1` does the same on all of MNIST.
#
# In float32 numbers have seven digits, and the two sides add them up in different orders. They start equal
# and drift apart, at first in the last digits. At the end a few answers may differ: see the table.


# %%
def digits_run_scratch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """Two epochs on the offline digits by hand; losses and parameters."""
    model = MLP(SIZES)
    model.load_state_dict(first_weights(SIZES, case.seed))
    return short_run(scratch_step(model)), model.params


def digits_run_torch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """The same with PyTorch."""
    model = TorchMLP(SIZES)
    model.load_state_dict(first_weights(SIZES, case.seed))
    return short_run(torch_step(model)), dict(model.named_parameters())


def short_run(step: Step) -> list[float]:
    """Two epochs on the offline digits; the losses."""
    digits = load("digits").train
    on_device = Split(
        digits.x.to(torch.get_default_device()),
        digits.target.to(torch.get_default_device()),
    )
    generator = torch.Generator().manual_seed(0)
    return [
        loss.item() for loss in learn(step, on_device, 2, BATCH_SIZE, LR, generator)
    ]


PAIRS = [
    layer_pair(
        "mlp",
        lambda case: MLP((case.n_in, 7, 6, case.n_out), input_grad=True),
        lambda case: TorchMLP((case.n_in, 7, 6, case.n_out)),
    ),
    training_pair("digits, two epochs", digits_run_scratch, digits_run_torch),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - PyTorch, too, leaves out the gradient of the pixels: `x.requires_grad` is false, and nobody asks.
# - `nn.Sequential` and our `Sequential` number their layers alike, so a checkpoint of one loads into the
#   other: the same names, shapes and order of rows and columns.
# - PyTorch's loop must call `zero_grad()`. Ours replaces the gradients at every step.
#
# What does a published accuracy mean? Little, without the model, the split, the seeds and the way the best
# epoch was chosen. Ours are: 50,000 training digits, last epoch, test set once.
#
# To have your own handwriting read, photograph it and type `curriculum read PHOTO`.
#
# Next: lesson 18 lets Lightning run the loop, and looks at the runs in TensorBoard.
