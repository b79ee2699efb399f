# %% [markdown]
# # Lesson 18 · Lightning and TensorBoard
#
# *Who runs the loop when we no longer write it, and how do we see what it did?*
#
# Needs: lessons 11, 17 · Time: 20 minutes

# %%
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from curriculum.data import Split, load
from curriculum.demo import demo, output_folder
from curriculum.draw import OTHER, SCRATCH, TORCH, new_figure
from curriculum.pair import Case, training_pair
from curriculum.quiet import quiet_lightning
from curriculum.runs.events import EventLog
from curriculum.table import Table
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson11_training import accuracy, minibatches
from lessons.lesson13_rates import linear_decay
from lessons.lesson17_mnist import (
    MLP,
    Step,
    TorchMLP,
    first_weights,
    learn,
    scratch_step,
    torch_step,
)

# %% [markdown]
# ## The idea
#
# Lesson 11's loop is five lines. Real projects wrap a lot around it: validation after every epoch, logs,
# checkpoints, several GPUs. *Lightning* is a library with that loop inside. You write what is yours, in a
# `LightningModule`; its `Trainer` runs the loop and calls you.
#
# | lesson 11's loop | under Lightning | who |
# |---|---|---|
# | `for _ in range(epochs):` | `Trainer(max_epochs=…)` | Trainer |
# | `for rows in minibatches(…):` | `for batch in train_dataloader` | Trainer |
# | `loss = criterion.forward(model.forward(x), target)` | `training_step(batch)` | you |
# | `model.backward(…)` | `loss.backward()` | Trainer |
# | `optimizer.step(…)` | `optimizer.step()` | Trainer |
# | `optimizer.lr = linear_decay(…)` | what `configure_optimizers` returned | you, called by Trainer |
# | `accuracy(…)` on the validation part | `validation_step(batch)` | you |
#
# Handing over a loop means trusting one that you do not see. So this lesson proves that the run is ours.
# And it looks at runs with *TensorBoard*, which draws curves from the *event files* that a run writes.
#
# ## From scratch
#
# Two pieces stay ours. The first gives Lightning its batches; the digits lie in memory.


# %%
class Batches:
    """Mini-batches of a split in memory: in a fresh order at each pass with a generator, else in order.

    >>> [len(target) for _, target in Batches(Split(torch.zeros(10, 784), torch.zeros(10)), 4)]
    [4, 4, 2]
    """

    def __init__(
        self, split: Split, batch_size: int, generator: torch.Generator | None = None
    ) -> None:
        self.split, self.batch_size, self.generator = split, batch_size, generator

    def __len__(self) -> int:
        return -(-len(self.split.x) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        x, target = self.split
        if self.generator is None:
            yield from zip(
                x.split(self.batch_size), target.split(self.batch_size), strict=True
            )
        else:
            for rows in minibatches(len(x), self.batch_size, self.generator):
                yield x[rows], target[rows]


# %% [markdown]
# The second hands our gradients to PyTorch. `torch.autograd.Function` is the official way to say "do not work
# out the gradient of this, I have it". With it Lightning trains on the gradients that we derived.


# %%
class TorchBridge(torch.autograd.Function):
    """The gradients of a model and a loss of ours behind PyTorch's interface.

    `loss = TorchBridge.apply(x, target, model, criterion, *params)`; `params` are the model's, in order.
    A model by hand remembers one forward pass: `backward` must come before the next one, else `RuntimeError`.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, target: Tensor, model: Any, criterion: Any, *params: Tensor
    ) -> Tensor:
        ctx.model, ctx.criterion = model, criterion
        ctx.turn = model.turn = object()  # whose numbers the model remembers
        ctx.precision = (
            torch.is_autocast_enabled(x.device.type),
            torch.get_autocast_dtype(x.device.type),
        )
        return criterion.forward(model.forward(x), target)

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
        """The chain rule once more: our gradients times the one that comes from above."""
        if ctx.model.turn is not ctx.turn:
            raise RuntimeError(
                "the model has seen another batch since; call backward after each forward"
            )
        enabled, dtype = ctx.precision  # mixed precision holds for both passes
        with torch.autocast(grad_loss.device.type, dtype, enabled):
            ctx.model.backward(ctx.criterion.backward() * grad_loss)
        return None, None, None, None, *ctx.model.grads.values()


# %% [markdown]
# ## The same with PyTorch Lightning


# %%
class LitMLP(L.LightningModule):
    """Lesson 17's MLP under Lightning: SGD with a learning rate that falls in a straight line to 0.

    sizes: neurons per layer, input first. lr: learning rate of the first step.
    engine: "torch" takes autograd's gradients, "scratch" those derived by hand.
    """

    def __init__(
        self, sizes: tuple[int, ...], lr: float = 0.2, engine: str = "torch"
    ) -> None:
        super().__init__()
        if engine not in ("torch", "scratch"):
            raise ValueError(f"engine is '{engine}'; expected 'torch' or 'scratch'")
        self.save_hyperparameters()
        self.lr, self.engine = lr, engine
        self.model, self.by_hand = TorchMLP(sizes), MLP(sizes)
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, sizes[0]) → logits: (batch, sizes[-1])."""
        return self.model(x)

    def loss(self, x: Tensor, target: Tensor) -> Tensor:
        """Mean cross-entropy, with the engine's gradients behind it."""
        if self.engine == "torch":
            return self.criterion(self.model(x), target)
        params = dict(self.model.named_parameters())
        self.by_hand.share(params)
        return TorchBridge.apply(
            x, target, self.by_hand, CrossEntropyLoss(), *params.values()
        )

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Guess and measure. The Trainer does the rest with what is returned."""
        loss = self.loss(*batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        x, target = batch
        logits = self(x)
        self.log("val_loss", self.criterion(logits, target), batch_size=len(x))
        self.log("val_acc", accuracy(logits, target), batch_size=len(x))

    def configure_optimizers(self) -> Any:
        """The optimiser, and the factor on its rate at every step."""
        optimizer = torch.optim.SGD(self.model.parameters(), lr=self.lr)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: linear_decay(1.0, step, steps)
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


# %% [markdown]
# ## See it: what the Trainer calls, and when
#
# One epoch of two batches, every call written down.


# %%
class Diary(L.Callback):
    """Writes down what the Trainer does; the loss of every step is in `losses`."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.losses: list[float] = []

    def on_train_batch_start(self, *_: Any) -> None:
        self.calls.append("batch comes")

    def on_before_zero_grad(self, *_: Any) -> None:
        self.calls.append("old gradients cleared")

    def on_before_backward(self, *_: Any) -> None:
        self.calls.append("backward")

    def on_before_optimizer_step(self, *_: Any) -> None:
        self.calls.append("optimiser steps")

    def on_train_batch_end(
        self, trainer: Any, module: Any, outputs: Any, *_: Any
    ) -> None:
        self.losses.append(outputs["loss"].item())

    def on_validation_batch_start(self, *_: Any) -> None:
        self.calls.append("validation batch comes")


def train_lit(
    module: LitMLP,
    train: Batches,
    val: Batches | None,
    epochs: int,
    logger: Any = False,
) -> Diary:
    """Let a Trainer train `module` on this machine's CPU. Returns what it did."""
    diary = Diary()
    with quiet_lightning():
        trainer = L.Trainer(
            accelerator="cpu", devices=1, max_epochs=epochs, logger=logger, callbacks=[diary],
            log_every_n_steps=1, num_sanity_val_steps=0, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(module, train, val)
    return diary


@demo
def what_the_trainer_calls() -> Table:
    """One epoch of two batches, as the Trainer ran it"""
    digits = load("digits")
    few = Split(digits.train.x[:40], digits.train.target[:40])
    with torch.random.fork_rng(devices=[]):
        diary = train_lit(
            LitMLP((784, 8, 10)), Batches(few, 20), Batches(few, 40), epochs=1
        )
    return Table(("order", "what happens"), list(enumerate(diary.calls, start=1)))


# %% [markdown]
# ## See it: three runs, one curve
#
# Now the whole run, three times, on the offline digits: lesson 17's loop with our gradients, the same loop
# with PyTorch's, and Lightning. All write event files with two names, called *tags*: `train_loss` at every
# step, `val_acc` after each epoch. (Lightning adds some.) A fourth is spoilt on purpose.

# %%
SIZES, EPOCHS, BATCH_SIZE, LR = (784, 32, 10), 8, 64, 0.2


def run_loop(
    folder: Path, step: Step, logits: Callable[[Tensor], Tensor], lr: float
) -> list[float]:
    """Lesson 17's loop with a `SummaryWriter` beside it."""
    digits = load("digits")
    losses: list[float] = []
    per_epoch = -(-len(digits.train.x) // BATCH_SIZE)
    with SummaryWriter(str(folder)) as writer:
        generator = torch.Generator().manual_seed(0)
        for loss in learn(step, digits.train, EPOCHS, BATCH_SIZE, lr, generator):
            writer.add_scalar("train_loss", loss.item(), len(losses))
            losses.append(loss.item())
            if len(losses) % per_epoch == 0:
                share = accuracy(logits(digits.val.x), digits.val.target)
                writer.add_scalar("val_acc", share, len(losses) - 1)
    return losses


def run_lightning(folder: Path) -> list[float]:
    """The same run under Lightning, with its own logger."""
    digits = load("digits")
    module = LitMLP(SIZES, LR)
    module.model.load_state_dict(first_weights(SIZES, 0))
    train = Batches(digits.train, BATCH_SIZE, torch.Generator().manual_seed(0))
    logger = TensorBoardLogger(folder.parent, "", folder.name, default_hp_metric=False)
    return train_lit(module, train, Batches(digits.val, 1000), EPOCHS, logger).losses


@functools.cache
def four_runs(folder: Path) -> dict[str, list[float]]:
    """scratch, torch, lightning and the spoilt run, their event files below `folder`."""
    for old in folder.glob("*/events.out.tfevents.*"):
        old.unlink()
    by_hand, by_torch, spoilt = MLP(SIZES), TorchMLP(SIZES), MLP(SIZES)
    for model in (by_hand, by_torch, spoilt):
        model.load_state_dict(first_weights(SIZES, 0))
    return {
        "torch": run_loop(folder / "torch", torch_step(by_torch), by_torch, LR),
        "lightning": run_lightning(folder / "lightning"),
        "scratch": run_loop(
            folder / "scratch", scratch_step(by_hand), by_hand.forward, LR
        ),
        "spoilt": run_loop(
            folder / "spoilt", scratch_step(spoilt), spoilt.forward, 20 * LR
        ),
    }


@demo
def three_runs_one_curve() -> Figure:
    """Three engines, one curve, and a fourth run that is not like them"""
    figure, axis = new_figure(width=6.5)
    styles = ((TORCH, 6.0), (OTHER[0], 3.0), (SCRATCH, 1.0), ("0.7", 1.0))
    runs = four_runs(output_folder() / "lesson18")
    for (name, losses), (colour, width) in zip(runs.items(), styles, strict=True):
        axis.plot(losses, color=colour, linewidth=width, label=name)
    axis.set(xlabel="step", ylabel="train_loss", ylim=(0, 4))
    axis.legend(frameon=False)
    return figure


# %% [markdown]
# ## Look in TensorBoard
#
# The four runs now lie in `runs/lesson18`. Type `curriculum tensorboard`, open the address that it prints,
# choose *Scalars*, tick the runs of lesson 18, and set *Smoothing* to 0. Then answer:
#
# 1. How many steps did each run take? (Hover over the right end of `train_loss`.)
# 2. What is the validation accuracy of the run `scratch` at the end, in per cent?
# 3. How many of the runs `torch`, `lightning`, `spoilt` follow the curve of `scratch`?
# 4. At which step is the loss of `spoilt` largest?
#
# `check_answer(2, 60)` tells whether 60 is right for question 2: it looks into the event files, too.


# %%
def scalars(run: str, tag: str) -> Tensor:
    """Every point that a run's event files hold under `tag`: (points, 2), columns step and value."""
    four_runs(
        output_folder() / "lesson18"
    )  # writes the files, where they are not there yet
    points = EventLog.read(output_folder() / "lesson18" / run).points(tag)
    return torch.tensor([(point.step, point.value) for point in points])


def true_answer(question: int) -> float:
    """The answer to question 1, 2, 3 or 4."""
    loss = {
        run: scalars(run, "train_loss")
        for run in ("scratch", "torch", "lightning", "spoilt")
    }
    if question == 1:
        return loss["scratch"][-1, 0].item() + 1  # the first step is step 0
    if question == 2:
        return 100 * scalars("scratch", "val_acc")[-1, 1].item()
    if question == 3:
        return (
            sum(
                torch.allclose(other, loss["scratch"], atol=0.01)
                for other in loss.values()
            )
            - 1
        )
    return loss["spoilt"][loss["spoilt"][:, 1].argmax(), 0].item()


def check_answer(question: int, answer: float) -> str:
    """Whether `answer` is right. A step or a per cent more or less counts as right."""
    return (
        "right"
        if abs(true_answer(question) - answer) <= (question != 3)
        else "look again"
    )


@demo
def the_answers() -> Table:
    """The answers, read from the event files (look for yourself first)"""
    return Table(
        ("question", "answer"),
        [(question, true_answer(question)) for question in (1, 2, 3, 4)],
    )


# %% [markdown]
# ## They agree
#
# Lightning against lesson 17's loop from scratch, in float64: every loss of two epochs and every weight.


# %%
def loop_run(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """Two epochs on the offline digits with lesson 17's loop, from scratch; losses and parameters."""
    model, generator = MLP(SIZES), torch.Generator().manual_seed(0)
    model.load_state_dict(first_weights(SIZES, case.seed))
    steps = learn(
        scratch_step(model), load("digits").train, 2, BATCH_SIZE, LR, generator
    )
    return [loss.item() for loss in steps], model.params


def torch_lightning_run(
    case: Case, engine: str
) -> tuple[list[float], dict[str, Tensor]]:
    """The same under Lightning."""
    module = LitMLP(SIZES, LR, engine)
    module.model.load_state_dict(first_weights(SIZES, case.seed))
    batches = Batches(
        load("digits").train, BATCH_SIZE, torch.Generator().manual_seed(0)
    )
    diary = train_lit(module, batches, None, epochs=2)
    return diary.losses, dict(module.model.named_parameters())


PAIRS = [
    training_pair(
        "Lightning, autograd", loop_run, lambda case: torch_lightning_run(case, "torch")
    ),
    training_pair(
        "Lightning, by hand",
        loop_run,
        lambda case: torch_lightning_run(case, "scratch"),
    ),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - Lightning clears the old gradients *after* the forward pass and before `backward`. Ours are replaced. The
#   weights do not notice.
# - Lightning's step costs more: it calls dozens of hooks that nobody here asked for. On a network this small
#   they add about three quarters to an epoch (README, "How fast"); beside large matrix products they vanish.
# - A point that Lightning logs after an epoch carries the number of the epoch's last step. Ours do too.
#
# `models/lightning/module.py`, the module behind `curriculum fit`, is built on this bridge and these batches.
# Next: lesson 19 looks inside.
