# %% [markdown]
# # Lesson 18 · Lightning and TensorBoard
#
# *Who runs the loop when we no longer write it, and how do we see what it did?*
#
# Needs: lessons 06, 09, 11, 13, 17 · Time: 25 minutes

# %%
import copy
import functools
import inspect
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from curriculum import UserError
from curriculum.data import Split, load
from curriculum.demo import demo, output_folder
from curriculum.draw import DATA, OTHER, SCRATCH, TORCH, new_figure
from curriculum.pair import Case, Pair, Results, compare, training_pair
from curriculum.quiet import quiet_lightning
from curriculum.runs.events import EventLog, event_files
from curriculum.table import Table
from lessons import lesson17_mnist as lesson17
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson11_training import accuracy, minibatches
from lessons.lesson13_rates import linear_decay
from lessons.lesson17_mnist import MLP, Step, TorchMLP, first_weights, learn

# %% [markdown]
# ## The idea
#
# Lesson 11's loop is five lines. Real projects wrap a lot around it: validation, logs,
# checkpoints, several GPUs. *Lightning* is a library with that loop inside. You write
# what is yours, in a `LightningModule`; its `Trainer` runs the loop and calls you.
#
# | lesson 11's loop | under Lightning | who |
# |---|---|---|
# | `for _ in range(epochs)` | `Trainer(max_epochs=…)` | Trainer |
# | `for rows in minibatches(…)` | the training dataloader | Trainer |
# | `criterion.forward(model.forward(x), target)` | `training_step` | you |
# | `model.backward(…)` | `loss.backward()` | Trainer |
# | `optimizer.step(…)` | `optimizer.step()` | Trainer |
# | choose optimiser and rate | `configure_optimizers` | you |
# | `accuracy(…)` on validation digits | `validation_step` | you |
#
# Handing over a loop means trusting one that you do not see. So this lesson proves that
# the run is ours, with *our* gradients under it.
#
# ## On paper: a memory for each call
#
# Lightning calls `loss.backward()`, which is autograd. To hand it gradients derived by
# hand we need a bridge, and a bridge has one trap. Take $y = w \cdot x$. The slope
# $\partial y/\partial w$ is $x$, so `backward` needs the $x$ that `forward` saw. Our
# layers keep it in themselves. Now let two examples go forward, 2 and then 5, and only
# then go back, once for each:
#
# | | first `backward` | second | sum |
# |---|---|---|---|
# | right: each call has its own $x$ | 2 | 5 | 7 |
# | one memory, overwritten by 5 | 5 | 5 | 10 |
#
# In lesson 11's loop forward and backward take turns. Under autograd they need not:
# `(loss(x1) + loss(x2)).backward()` is allowed. So each call gets a memory of its own.
# `torch.autograd.Function` is PyTorch's way to say "do not work out
# the gradient of this, I have it". It hands `forward` and `backward` of one call a
# common object, `ctx`, to keep things in.
#
# ## From scratch


# %%
def with_own_memory(part: Any) -> Any:
    """A copy of a layer, model or loss: same tensors, a memory of its own."""
    if isinstance(part, tuple):
        return tuple(with_own_memory(piece) for piece in part)
    if not hasattr(part, "forward"):
        return part
    twin = copy.copy(part)
    for name, value in vars(part).items():
        setattr(twin, name, with_own_memory(value))
    return twin


class TorchBridge(torch.autograd.Function):
    """loss = TorchBridge.apply(x, target, model, criterion, *params of the model)"""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, target: Tensor, model: Any, criterion: Any, *params: Tensor
    ) -> Tensor:
        ctx.model = with_own_memory(model)
        ctx.criterion = with_own_memory(criterion)
        ctx.save_for_backward(*params)  # PyTorch then notices if somebody changes them
        device = x.device.type  # from here on for lesson 24's half precision
        enabled = torch.is_autocast_enabled(device)
        ctx.precision = (device, torch.get_autocast_dtype(device), enabled)
        return ctx.criterion.forward(ctx.model.forward(x), target)

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
        """Our gradients, times the one from above: the chain rule once more."""
        _ = ctx.saved_tensors  # raises if a parameter was changed since `forward`
        with torch.autocast(*ctx.precision):  # mixed precision holds for both passes
            ctx.model.backward(ctx.criterion.backward() * grad_loss)
        return None, None, None, None, *ctx.model.grads.values()


# %% [markdown]
# The `None`s say: no gradient for x, target, model and criterion. `Batches`, folded
# below, gives lesson 11's mini-batches to Lightning.


# %% tags=["hide-input"]
class Batches:
    """Mini-batches of a split in memory. With a generator, each pass has a new order.

    >>> nine = Split(torch.zeros(9, 2), torch.zeros(9))
    >>> [len(target) for _, target in Batches(nine, 4)]
    [4, 4, 1]
    """

    def __init__(
        self, split: Split, batch_size: int, generator: torch.Generator | None = None
    ) -> None:
        self.split = split
        self.batch_size = batch_size
        self.generator = generator

    def __len__(self) -> int:
        return -(-len(self.split.x) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        x, target = self.split
        if self.generator is None:
            parts = (x.split(self.batch_size), target.split(self.batch_size))
            yield from zip(*parts, strict=True)
        else:
            for rows in minibatches(len(x), self.batch_size, self.generator):
                yield x[rows], target[rows]


# %% [markdown]
# ## The same with PyTorch Lightning


# %%
class LitMLP(L.LightningModule):
    """engine: "torch" takes autograd's gradients, "scratch" those derived by hand."""

    def __init__(
        self, sizes: tuple[int, ...], lr: float = 0.2, engine: str = "torch"
    ) -> None:
        super().__init__()
        if engine not in ("torch", "scratch"):
            raise ValueError(f"engine is '{engine}'; expected 'torch' or 'scratch'")
        self.save_hyperparameters()  # sizes, lr and engine go into each checkpoint
        self.lr = lr
        self.engine = engine
        self.model = TorchMLP(sizes)
        self.by_hand = MLP(sizes)
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)

    def loss(self, x: Tensor, target: Tensor) -> Tensor:
        if self.engine == "torch":
            return self.criterion(self.model(x), target)
        params = dict(self.model.named_parameters())
        self.by_hand.share(params)
        ours = (self.by_hand, CrossEntropyLoss())
        return TorchBridge.apply(x, target, *ours, *params.values())

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(*batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        x, target = batch
        logits = self(x)
        self.log("val_loss", self.criterion(logits, target), batch_size=len(x))
        self.log("val_acc", accuracy(logits, target), batch_size=len(x))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.model.parameters(), lr=self.lr)
        steps = int(self.trainer.estimated_stepping_batches)

        def factor(step: int) -> float:  # what the rate is multiplied by
            return linear_decay(1.0, step, steps)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]  # not epoch


# %% [markdown]
# ## See it: who calls whom
#
# One epoch with one training batch and one validation batch. We let Python report each
# call of your methods, of four of PyTorch's, and of Lightning's *hooks*: methods that
# do nothing, or the usual, until you write your own.
#
# <details><summary>What do you expect? Which is called first, `training_step` or
# `optimizer.step`?</summary>
#
# `optimizer.step`. It gets a function that runs `training_step` and `backward`, calls
# it, and then moves the weights. Some optimisers must measure the loss several times
# before they move, and this way they can.
#
# </details>


# %% tags=["hide-input"]
class Call(NamedTuple):
    """One call: how deep inside others, whose function it is, and its name."""

    depth: int
    whose: str
    name: str


# Getters and what writes down; they say nothing about the order.
UNSEEN = {"log", "to", "cpu", "print", "clip_gradients", "configure_callbacks"}


def watched_in_torch() -> dict[CodeType, tuple[str, str]]:
    """The code of each function that we look at: whose it is, and its name."""
    found: dict[CodeType, tuple[str, str]] = {}
    for cls in L.LightningModule.__mro__:
        for name, function in vars(cls).items():
            plain = (
                inspect.isfunction(function) and name[0] != "_" and name not in UNSEEN
            )
            if plain and cls.__module__.startswith("lightning"):
                found.setdefault(inspect.unwrap(function).__code__, ("hook", name))
    for cls in (LitMLP, Batches):
        for name, function in vars(cls).items():
            if inspect.isfunction(function) and name not in ("__init__", "__len__"):
                shown = "next batch" if name == "__iter__" else name
                found[function.__code__] = ("yours", shown)
    for name, function in (
        ("optimizer.step", torch.optim.SGD.step),
        ("optimizer.zero_grad", torch.optim.Optimizer.zero_grad),
        ("loss.backward", Tensor.backward),
        ("schedule.step", torch.optim.lr_scheduler.LRScheduler.step),
    ):
        found[inspect.unwrap(function).__code__] = ("PyTorch", name)
    return found


def calls_of(run: Callable[[], Any]) -> list[Call]:
    """Every watched call while `run` runs, in order."""
    codes = watched_in_torch()
    calls: list[Call] = []
    open_calls: list[int] = []

    def note(frame: FrameType, event: str, result: Any) -> None:
        if frame.f_code not in codes:
            return
        if event == "call":
            open_calls.append(len(calls))
            calls.append(Call(len(open_calls) - 1, *codes[frame.f_code]))
        elif event == "return":
            index = open_calls.pop()
            if calls[index].name == "next batch" and result is None:
                del calls[index]  # there was no further batch

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(before)
    return calls


class Diary(L.Callback):
    """Writes down the loss of every step."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_train_batch_end(
        self, trainer: Any, module: Any, outputs: Any, *_: Any
    ) -> None:
        self.losses.append(outputs["loss"].item())


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
            accelerator="cpu", devices=1, max_epochs=epochs, logger=logger,
            callbacks=[diary], log_every_n_steps=1, num_sanity_val_steps=0,
            enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(module, train, val)
    return diary


@functools.cache
def one_small_epoch() -> list[Call]:
    """All calls of a run with one training batch and one validation batch."""
    x, target = load("digits").train
    few = Batches(Split(x[:20], target[:20]), 20)
    with torch.random.fork_rng(devices=[]):
        module = LitMLP((784, 8, 10))
    return calls_of(functools.partial(train_lit, module, few, few, 1))


LANES = {"Trainer": 0, "hook": 1, "yours": 2, "PyTorch": 3}
LANE_COLOURS = {"hook": "0.45", "yours": SCRATCH, "PyTorch": TORCH}


@demo
def who_calls_whom() -> Figure:
    """One training step under Lightning, from top to bottom"""
    calls = one_small_epoch()
    names = [call.name for call in calls]
    first = names.index("next batch")
    last = names.index("on_train_batch_end")
    step = calls[first : last + 1]
    figure, axis = new_figure(width=8, height=6.2)
    for name, lane in LANES.items():
        axis.axvline(lane, color="0.85", zorder=0)
        words = {"hook": "hooks (may be yours)", "yours": "you"}.get(name, name)
        axis.text(lane, -1.3, words, ha="center", weight="bold", color=DATA)
    callers = ["Trainer"]
    for row, call in enumerate(step):
        callers = [*callers[: call.depth - step[0].depth + 1], call.whose]
        start, end = LANES[callers[-2]], LANES[call.whose]
        colour = LANE_COLOURS[call.whose]
        if start != end:
            arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.2}
            axis.annotate("", xy=(end, row), xytext=(start, row), arrowprops=arrow)
        axis.plot(end, row, "o", color=colour, markersize=5)
        side, shift = ("right", -0.06) if start > end else ("left", 0.06)
        place = {"ha": side, "va": "center", "fontsize": 9}
        paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        axis.text(end + shift, row, call.name, color=colour, bbox=paper, **place)
    axis.text(-0.25, 0, "time\n↓", ha="center", va="top", color=DATA)
    axis.set(xlim=(-0.4, 3.9), ylim=(len(step) - 0.3, -1.8), yticks=[], xticks=[])
    axis.spines[:].set_visible(False)
    return figure


@demo
def what_the_trainer_calls() -> Table:
    """Every call of one small epoch, in order; indented: called from inside"""
    rows = []
    for order, call in enumerate(one_small_epoch(), start=1):
        rows.append((order, "· " * call.depth + call.name, call.whose))
    return Table(("order", "call", "whose"), rows)


# %% [markdown]
# An arrow begins at the lane that calls. The old gradients are cleared between the
# forward pass and `backward`; ours are replaced by each `backward`.
#
# ## Show it failing once: one memory for all calls
#
# Without the copy the bridge looks right, and trains right, until two forward passes
# come before a backward.


# %%
class ForgetfulTorchBridge(TorchBridge):
    """Wrong on purpose."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        loss = TorchBridge.forward(ctx, *inputs)
        x, target, ctx.model, ctx.criterion = inputs[:4]
        ctx.criterion.forward(ctx.model.forward(x), target)
        return loss


# %% tags=["hide-input"]
def two_losses(case: Case, loss_of: Callable[..., Tensor]) -> Results:
    """Two forward passes, then one backward pass through both losses."""
    model = TorchMLP((case.n_in, 6, case.n_out))
    model.load_state_dict(first_weights((case.n_in, 6, case.n_out), case.seed))
    losses = []
    for name in ("first", "second"):
        x = case.tensor(name, case.batch, case.n_in)
        target = case.classes(f"target {name}", case.batch, case.n_out)
        losses.append(loss_of(model, x, target))
    (3 * losses[0] + losses[1]).backward()
    results: Results = {"loss_first": losses[0], "loss_second": losses[1]}
    for name, param in model.named_parameters():
        assert param.grad is not None
        results[f"grad_{name}"] = param.grad
    return results


def torch_loss(model: TorchMLP, x: Tensor, target: Tensor) -> Tensor:
    """Autograd's."""
    return nn.functional.cross_entropy(model(x), target)


def torch_bridge_pair(name: str, bridge: type[TorchBridge]) -> Pair:
    """Two forward passes before one backward: through a bridge, and with autograd."""

    def over_the_bridge(case: Case) -> Results:
        by_hand = MLP((case.n_in, 6, case.n_out))
        criterion = CrossEntropyLoss()

        def loss_of(model: TorchMLP, x: Tensor, target: Tensor) -> Tensor:
            params = dict(model.named_parameters())
            by_hand.share(params)
            return bridge.apply(x, target, by_hand, criterion, *params.values())

        with torch.inference_mode(False), torch.enable_grad():
            return two_losses(case, loss_of)

    return Pair(name, over_the_bridge, lambda case: two_losses(case, torch_loss))


@demo
def one_memory_for_all_calls() -> Table:
    """Two forward passes, one backward: both bridges held against autograd"""
    rows = []
    for bridge in (TorchBridge, ForgetfulTorchBridge):
        found = compare(torch_bridge_pair(bridge.__name__, bridge))
        losses = [result.largest for result in found if "loss" in result.name]
        grads = [result.largest for result in found if "grad" in result.name]
        wrong = [result for result in found if result.problem]
        rows.append((bridge.__name__, max(losses), max(grads), len(wrong)))
    names = ("bridge", "losses apart", "gradients apart", "results that differ")
    return Table(names, rows)


# %% [markdown]
# The losses are right with either: a test of losses would have passed.
#
# ## What else the Trainer does
#
# A `LightningDataModule` keeps the data and their batches in one place: `setup` loads
# them, `train_dataloader`, `val_dataloader` and so on give batches. It is folded below,
# beside `test_step` and `predict_step`, which `test` and `predict` call. *Callbacks*
# are called at the hooks. `ModelCheckpoint` saves the weights (a *checkpoint*) whenever
# `val_loss` is lowest; `EarlyStopping` ends the run when three epochs did not lower it.


# %% tags=["hide-input"]
QUIET: dict[str, Any] = {
    "logger": False,
    "accelerator": "cpu",
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


class LitReader(LitMLP):
    """`LitMLP` with what `test` and `predict` call."""

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        x, target = batch
        self.log("test_acc", accuracy(self(x), target), batch_size=len(x))

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self(batch[0]).argmax(1)


class Digits(L.LightningDataModule):
    """The offline digits: batches for each purpose."""

    def setup(self, stage: str) -> None:
        self.digits = load("digits")

    def train_dataloader(self) -> Batches:
        return Batches(self.digits.train, 64, torch.Generator().manual_seed(0))

    def val_dataloader(self) -> Batches:
        return Batches(self.digits.val, 300)

    def test_dataloader(self) -> Batches:
        return Batches(self.digits.test, 300)

    predict_dataloader = test_dataloader


# %%
def fit_test_predict(module: LitReader, folder: Path) -> tuple[Any, ...]:
    """Train with callbacks, test the best weights, load them anew, predict."""
    best = ModelCheckpoint(folder, monitor="val_loss")
    stop = EarlyStopping("val_loss", patience=3)
    trainer = L.Trainer(max_epochs=100, callbacks=[best, stop], **QUIET)
    trainer.fit(module, datamodule=Digits())
    tested = trainer.test(ckpt_path="best", datamodule=Digits(), verbose=False)
    again = LitReader.load_from_checkpoint(best.best_model_path)
    answers = trainer.predict(again, datamodule=Digits())
    return trainer, best, tested[0]["test_acc"], again, answers


# %% tags=["hide-input"]
@functools.cache
def fitted() -> dict[str, Any]:
    """What `fit_test_predict` found, from start 0."""
    module = LitReader((784, 32, 10), lr=0.05)
    module.model.load_state_dict(first_weights((784, 32, 10), 0))
    with tempfile.TemporaryDirectory() as folder, quiet_lightning():
        trainer, best, right, again, answers = fit_test_predict(module, Path(folder))
    return {
        "epochs before it stopped": trainer.current_epoch,
        "saved as": Path(best.best_model_path).name,
        "test: read rightly": f"{right:.1%}",
        "loaded module's sizes": again.hparams["sizes"],
        "predict: first answers": torch.cat(answers)[:8].tolist(),
        "right were": load("digits").test.target[:8].tolist(),
    }


@demo
def what_else_it_does() -> Table:
    """Checkpoint, early stopping, test, load_from_checkpoint, predict"""
    rows = [(name, str(value)) for name, value in fitted().items()]
    return Table(("what", "result"), rows)


# %% [markdown]
# `load_from_checkpoint` builds the module with the arguments that
# `save_hyperparameters` wrote down, and fills in the weights.
#
# *Several devices* are two arguments: `Trainer(accelerator="gpu", devices=4)` starts a
# process for each and averages their gradients (lesson 23). PyTorch's `DataLoader` then
# gets a share of the examples for each process. Our `Batches` Lightning does not know:
# every process would learn from the same digits.
#
# ## See it: three engines, one curve
#
# *TensorBoard* draws curves from the *event files* that a run writes. We write one run
# three times: lesson 17's loop by hand, the same with PyTorch, and Lightning. Each
# point has a name, its *tag*: `train_loss` at every step, `val_acc` after each epoch. A
# fourth run, `spoilt`, is for you to look at.

# %% tags=["hide-input"]
SIZES = (784, 32, 10)
EPOCHS = 8
BATCH_SIZE = 64
LR = 0.2
RUNS = ("torch", "lightning", "scratch", "spoilt")


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


def run_by_hand(folder: Path, lr: float) -> list[float]:
    """The loop with our gradients at a rate of choice; earlier logs in `folder` go."""
    for old in event_files(folder):
        old.unlink()
    model = MLP(SIZES)
    model.load_state_dict(first_weights(SIZES, 0))
    return run_loop(folder, lesson17.scratch_step(model), model.forward, lr)


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
    """The four runs by name, their event files below `folder`."""
    for name in RUNS:
        for old in event_files(folder / name):
            old.unlink()
    by_torch = TorchMLP(SIZES)
    by_torch.load_state_dict(first_weights(SIZES, 0))
    return {
        "torch": run_loop(
            folder / "torch", lesson17.torch_step(by_torch), by_torch, LR
        ),
        "lightning": run_lightning(folder / "lightning"),
        "scratch": run_by_hand(folder / "scratch", LR),
        "spoilt": run_by_hand(folder / "spoilt", 20 * LR),
    }


@demo
def three_runs_one_curve() -> Figure:
    """Three engines, one curve"""
    figure, axis = new_figure(width=6.5)
    styles = {
        "torch": (TORCH, 7.0),
        "lightning": (OTHER[0], 3.5),
        "scratch": (SCRATCH, 1),
    }
    runs = four_runs(output_folder() / "lesson18")
    for name, (colour, width) in styles.items():
        axis.plot(runs[name], color=colour, linewidth=width, label=name)
    axis.set(xlabel="step", ylabel="train_loss", ylim=(0, None))
    axis.legend(frameon=False)
    return figure


# %% [markdown]
# ## Your turn: look in TensorBoard
#
# `curriculum run 18` has written the runs into `runs/lesson18`, or below the folder
# that you gave it with `--log-dir`. Type
#
#     curriculum tensorboard --log-dir runs/lesson18
#
# and open the address that it prints. You are in the tab *Time Series*, and all runs on
# the left are ticked (the dot is the folder itself, with this lesson's pictures). Type
# `train_loss|val_acc` into *Filter tags*, and Escape: a list covers the cards. In
# *Settings* on the right set *Smoothing* to 0: otherwise the curve is an average that
# no step had. (No settings? The button is above the cards.) You see two curves: three
# runs lie on each other. The table below a card has each run's last value; the arrow
# under it shows all rows.
#
# 1. How many steps did each run take? (The first is step 0.)
# 2. What is `val_acc` of `scratch` at the end, in per cent?
# 3. At which step is `val_acc` of `torch` above 0.8 for the first time? Hover over the
#    curve.
# 4. Click the uppermost box on the left, which unticks all, and tick `spoilt`. At which
#    step is its `train_loss` largest? The top is cut off until you untick *Ignore
#    outliers in chart scaling* in *Settings*. Drag a box around the peak to enlarge it
#    and hover; a double click brings all back.
# 5. What is the last `train_loss` of `spoilt`?
# 6. Make a run of your own. Is half the rate better, or one and a half times?
#
#        python -c "from lessons.lesson18_lightning import *; try_rate(0.1)"
#
#    Press the round arrow at the top. Now there is a run `mine`. What is its `val_acc`
#    at the end, in per cent?
#
# <details><summary>What do you expect? Which rate is best: 0.1, 0.2 or 0.3?</summary>
#
# 0.2 lies near an edge. Five starts read 94 to 95 % with 0.1, 92 to 96 % with 0.2, and
# 19 to 91 % with 0.3.
#
# </details>
#
# To check an answer, here 100 for question 1:
#
#     python -c "from lessons.lesson18_lightning import *; print(check_answer(1, 100))"
#
# With another folder: `check_answer(1, 100, "X/lesson18")`.


# %% tags=["hide-input"]
def try_rate(lr: float, folder: str | Path = "") -> None:
    """Question 6: the run `mine`, beside the others, by hand with another rate."""
    run_by_hand(Path(folder or output_folder() / "lesson18") / "mine", lr)


def scalars(run: Path, tag: str) -> Tensor:
    """Every point that a run's event files hold under `tag`: (points, 2), step, value.

    Raises:
        UserError: there are no event files.
    """
    if not event_files(run):
        raise UserError(
            f"no event files in {run}; 'curriculum run 18' makes the runs, "
            "try_rate(0.1) makes 'mine', and check_answer(1, 100, 'X/lesson18') looks "
            "in another folder"
        )
    points = EventLog.read(run).points(tag)
    return torch.tensor([(point.step, point.value) for point in points])


def true_answer(question: int, folder: Path) -> tuple[float, float, str]:
    """The answer, how far another may be away from it, and what it tells."""
    if question == 1:
        last = scalars(folder / "scratch", "train_loss")[-1, 0].item()
        return last + 1, 1, "8 epochs of 19 steps"
    if question == 2:
        share = scalars(folder / "scratch", "val_acc")[-1, 1].item()
        return 100 * share, 0.5, "and the same for torch and lightning"
    if question == 3:
        points = scalars(folder / "torch", "val_acc")
        step = points[points[:, 1] > 0.8][0, 0].item()
        return step, 1, f"after epoch {(step + 1) / 19:.0f} of 8"
    if question == 4:
        points = scalars(folder / "spoilt", "train_loss")
        worst = points[points[:, 1].argmax()]
        return (
            worst[0].item(),
            0.5,
            f"a loss of {worst[1]:,.0f}: the first steps overshot",
        )
    if question == 5:
        last = scalars(folder / "spoilt", "train_loss")[-1, 1].item()
        return last, 0.02, "near ln 10 = 2.303: every digit gets about a tenth"
    if question == 6:
        share = scalars(folder / "mine", "val_acc")[-1, 1].item()
        return 100 * share, 0.5, "one start: five would tell whether it is better"
    raise ValueError(f"question is {question}; expected 1 to 6")


def check_answer(question: int, answer: float, folder: str | Path = "") -> str:
    """Whether `answer` is right, read from the event files in `folder`."""
    place = Path(folder or output_folder() / "lesson18")
    true, room, meaning = true_answer(question, place)
    return f"right ({meaning})" if abs(true - answer) <= room else "look again"


# %% [markdown]
# ## They agree
#
# In float64: Lightning with both engines against lesson 17's loop from scratch, every
# loss of two epochs, every weight. And the bridge against autograd, with two forward
# passes before one backward.


# %% tags=["hide-input"]
def loop_run(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """Two epochs on the offline digits with lesson 17's loop, from scratch."""
    model = MLP(SIZES)
    model.load_state_dict(first_weights(SIZES, case.seed))
    generator = torch.Generator().manual_seed(0)
    train = load("digits").train
    steps = learn(lesson17.scratch_step(model), train, 2, BATCH_SIZE, LR, generator)
    return [loss.item() for loss in steps], model.params


def torch_lightning_run(
    case: Case, engine: str
) -> tuple[list[float], dict[str, Tensor]]:
    """The same under Lightning."""
    module = LitMLP(SIZES, LR, engine)
    module.model.load_state_dict(first_weights(SIZES, case.seed))
    generator = torch.Generator().manual_seed(0)
    batches = Batches(load("digits").train, BATCH_SIZE, generator)
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
    torch_bridge_pair("bridge, two forwards", TorchBridge),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - Autograd keeps a memory for each call, so one `nn.ReLU` may stand in two places of a
#   network. One of ours may not.
# - Lightning's hooks cost time: about three quarters of an epoch more on a network this
#   small (README, "How fast"), nothing beside large matrix products.
# - After an epoch Lightning logs under its last step's number. So do we.
#
# ## You can now
#
# - say what of a Lightning run is yours, and when it is called,
# - put gradients of your own behind autograd,
# - save, stop early, test, load and predict with the Trainer,
# - read a run in TensorBoard.
#
# Exercises: `curriculum start 18a` (a loss behind autograd) and `curriculum start 18b`
# (find the bug: some digits twice, some never); `curriculum check 18a` says how far you
# are.
#
# Next: lesson 19 looks inside the network.
