"""One engine learns MNIST: plain loop or Lightning, from its start or from where it was stopped."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import Progress
from torch import Tensor

from curriculum import UserError
from curriculum.data import Data
from curriculum.files import sweep
from curriculum.quiet import quiet_lightning
from lessons.lesson09_training import accuracy
from lessons.lesson13_mnist import SIZES, learn
from models.networks.mine import MineEngine
from models.networks.scratch import ScratchEngine
from models.networks.torch_nn import TorchEngine
from models.records import checkpoint
from models.records.checkpoint import Stop
from models.records.log import EVERY, Level, RunLog, take_back

LAST = "last.ckpt"  # Lightning's checkpoint; the plain loops have checkpoint.NAME


@dataclass(frozen=True)
class Options:
    """What the command line says.

    engine: one of `ENGINES`, "all" of them, or "mine", the pieces of the file `mine`.
    dtype: "float32" or "float64".
    """

    engine: str = "all"
    data: str = "auto"
    data_dir: Path | None = None
    epochs: int = 15
    batch_size: int = 64
    lr: float = 0.2
    seed: int = 0
    dtype: str = "float32"
    device: str = "cpu"
    log: Level = "full"
    log_dir: Path = Path("runs")
    mine: Path = Path("exercises/final_project.py")


@dataclass(frozen=True)
class Run:
    """What one engine's training left behind. `train_seconds` includes validation and logging."""

    engine: str
    losses: Tensor
    weights: dict[str, Tensor]
    train_seconds: float
    val_acc: float
    test_acc: float
    folder: Path


def train(
    engine: str,
    start: dict[str, Tensor],
    data: Data,
    options: Options,
    folder: Path,
    progress: Progress,
    stop: Stop,
) -> Run:
    """One engine from its start, or from where it was stopped, to its result."""
    sweep(folder)
    steps = options.epochs * -(-len(data.train.x) // options.batch_size)
    task = progress.add_task(f"{engine:<9}", total=steps)
    if finished := _finished(engine, folder):
        progress.update(task, completed=steps)
        return finished

    def advance(step: int, loss: Tensor) -> None:
        if not loss.isfinite():
            where = _origin(engine, start, data, options, folder, step)
            raise UserError(
                f"{engine}: the loss of step {step} is {loss.item()}{where}; "
                f"the learning rate {options.lr} is too large, try --lr {options.lr / 10:g} (lesson 06)"
            )
        progress.update(task, completed=step + 1)

    if engine == "lightning":
        run = _with_lightning(start, data, options, folder, advance, stop)
    else:
        run = _with_loop(_make(engine, start, options), engine, data, options, folder, advance, stop)
    _keep(run.folder, run.losses, run.weights, run.val_acc, run.train_seconds, test_acc=run.test_acc)
    return run


def _make(engine: str, start: dict[str, Tensor], options: Options) -> ScratchEngine | TorchEngine:
    if engine == "mine":
        return MineEngine(options.mine, SIZES, start)
    return ScratchEngine(SIZES, start) if engine == "scratch" else TorchEngine(SIZES, start)


def _with_loop(
    engine: ScratchEngine | TorchEngine,
    name: str,
    data: Data,
    options: Options,
    folder: Path,
    advance: Callable[[int, Tensor], None],
    stop: Stop,
) -> Run:
    from torch.utils.tensorboard import SummaryWriter

    generator = torch.Generator().manual_seed(options.seed)
    per_epoch = -(-len(data.train.x) // options.batch_size)
    losses, val_acc, before = _go_on(engine, folder)
    take_back(folder, len(losses))
    writing: Any = contextlib.nullcontext()
    if options.log != "off":
        writing = SummaryWriter(str(folder))
    with writing as writer:
        log = RunLog(writer, options.log, data, hparams(name, options), min(EVERY, per_epoch))

        def logged_step(x: Tensor, target: Tensor, lr: float) -> Tensor:
            step = len(losses)
            log.before_step(step, engine)
            loss = engine.step(x, target, lr)
            log.after_step(step, engine)
            if log.is_due(step):
                log.scalars(step, train_loss=loss, lr=lr)
            return loss

        def keep() -> None:
            if writer:
                writer.flush()
            if name != "mine":  # what a learner's optimiser remembers is not known: such a run begins anew
                _keep(folder, torch.stack(losses), engine.weights(), val_acc, seconds())

        def seconds() -> float:
            return before + time.perf_counter() - begin

        log.start(engine)
        begin = time.perf_counter()
        for loss in learn(
            logged_step, data.train, options.epochs, options.batch_size, options.lr, generator, len(losses)
        ):
            losses.append(loss)
            advance(len(losses) - 1, loss)
            if len(losses) % per_epoch == 0:
                logits = engine.logits(data.val.x)
                val_acc = accuracy(logits, data.val.target)
                val_loss = torch.nn.functional.cross_entropy(logits, data.val.target)
                log.scalars(len(losses) - 1, val_loss=val_loss, val_acc=val_acc)
                log.after_epoch(len(losses) - 1, engine)
                keep()
            if stop.signal:
                keep()
                raise stop.stopped(_how_to_go_on(name, len(losses), options))
        train_seconds = seconds()
        test_acc = accuracy(engine.logits(data.test.x), data.test.target)
        log.scalars(len(losses), test_acc=test_acc)
        log.finish(len(losses), engine)
    return Run(name, torch.stack(losses), engine.weights(), train_seconds, val_acc, test_acc, folder)


def _with_lightning(
    start: dict[str, Tensor],
    data: Data,
    options: Options,
    folder: Path,
    advance: Callable[[int, Tensor], None],
    stop: Stop,
) -> Run:
    with quiet_lightning():
        import lightning as L
        from lightning.pytorch.callbacks import LearningRateMonitor
        from lightning.pytorch.loggers import TensorBoardLogger

        from models.lightning.checkpoint import KeepLast, last_step
        from models.lightning.data import MNISTDataModule
        from models.lightning.log import LogRun, SilentLogger
        from models.lightning.module import LitMLP

        losses: list[Tensor] = []

        class Watch(L.Callback):
            def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
                losses.append(outputs["loss"].detach())
                advance(len(losses) - 1, losses[-1])

            def state_dict(self) -> dict[str, Any]:
                return {"losses": torch.stack(losses)} if losses else {}

            def load_state_dict(self, state: dict[str, Any]) -> None:
                losses.extend(state.get("losses", torch.tensor([])))

        module = LitMLP(SIZES, lr=options.lr)
        module.model.load_state_dict(start)
        last = folder / LAST
        take_back(folder, last_step(last) if last.exists() else 0)
        kind = SilentLogger if options.log == "off" else TensorBoardLogger
        logger = kind(folder.parents[1], folder.parent.name, folder.name, default_hp_metric=False)
        log = LogRun(options.log, hparams("lightning", options))
        keep = KeepLast(last, stop, lambda step, path: _how_to_go_on("lightning", step, options))
        callbacks = [Watch(), LearningRateMonitor(), log, keep]
        trainer = plain_trainer(options.epochs, callbacks, logger, options.device)
        batches = MNISTDataModule(batch_size=options.batch_size, seed=options.seed)
        batches.data = data
        trainer.fit(module, batches, ckpt_path=last if last.exists() else None)
        (tested,) = trainer.test(module, batches, verbose=False)
    weights = {name: param.detach() for name, param in module.model.named_parameters()}
    results = log.train_seconds, log.measured["val_acc"], tested["test_acc"]
    return Run("lightning", torch.stack(losses), weights, *results, folder)


# ---------------------------------------------------------------- stopped runs


def _keep(
    folder: Path, losses: Tensor, weights: dict[str, Tensor], val_acc: float, seconds: float, **facts: float
) -> None:
    """Write the checkpoint of one engine. With a `test_acc`, the engine is through."""
    tensors = {"losses": losses, **{f"weight {name}": value for name, value in weights.items()}}
    facts |= {"val_acc": val_acc, "seconds": seconds}
    checkpoint.save(folder / checkpoint.NAME, tensors, facts)


def _kept(folder: Path) -> tuple[Tensor, dict[str, Tensor], dict[str, Any]] | None:
    """Losses, weights and facts of a checkpoint; None where there is none."""
    if not (folder / checkpoint.NAME).exists():
        return None
    saved = checkpoint.load(folder / checkpoint.NAME)
    losses = saved.tensors.pop("losses")
    return losses, {key.removeprefix("weight "): value for key, value in saved.tensors.items()}, saved.facts


def _go_on(engine: ScratchEngine | TorchEngine, folder: Path) -> tuple[list[Tensor], float, float]:
    """Bring the engine to where it was stopped. Its losses, last validation accuracy, seconds so far."""
    if (kept := _kept(folder)) is None:
        return [], 0.0, 0.0
    losses, weights, facts = kept
    engine.model.load_state_dict(weights)
    return list(losses.to(engine.weights()["0.bias"].device)), facts["val_acc"], facts["seconds"]


def _finished(engine: str, folder: Path) -> Run | None:
    """The result of an engine that was through before the run was stopped."""
    kept = _kept(folder)
    if kept is None or "test_acc" not in kept[2]:
        return None
    losses, weights, facts = kept
    return Run(engine, losses, weights, facts["seconds"], facts["val_acc"], facts["test_acc"], folder)


def _how_to_go_on(engine: str, steps: int, options: Options) -> str:
    command = f"curriculum mnist --resume --log-dir {options.log_dir}"
    if engine == "mine":
        return f"stopped: what your optimiser remembers is not known, so this begins the run anew: {command}"
    return f"stopped: {engine} has taken {steps:,} steps and all is saved; go on with: {command}"


def _origin(
    engine: str, start: dict[str, Tensor], data: Data, options: Options, folder: Path, step: int
) -> str:
    """Which layer was the first to give what is no number, in the words of a message.

    The step that showed it has spoilt all weights. So the steps since the last checkpoint are taken again:
    the same seed gives the same batches and the same bits.
    """
    again = _make(engine, start, options)
    losses, *_ = _go_on(again, folder)
    generator = torch.Generator().manual_seed(options.seed)
    found = ""

    def look_then_step(x: Tensor, target: Tensor, lr: float) -> Tensor:
        nonlocal found
        found = next((name for name, y in again.outputs(x).items() if not y.isfinite().all()), found)
        return again.step(x, target, lr)

    steps = learn(
        look_then_step, data.train, options.epochs, options.batch_size, options.lr, generator, len(losses)
    )
    for _ in range(step + 1 - len(losses)):
        next(steps)
    return f", and layer {found} gave the first value that is no number" if found else ""


# ---------------------------------------------------------------- for all who train


def plain_trainer(epochs: int, callbacks: list[Any], logger: Any = False, device: str = "cpu") -> Any:
    """Lightning's Trainer on one device, without checkpoints and without a word."""
    import lightning as L

    from models.lightning.checkpoint import SafeCheckpoints

    return L.Trainer(
        accelerator=torch.device(device).type, devices=1, max_epochs=epochs, callbacks=callbacks,
        logger=logger, log_every_n_steps=EVERY, num_sanity_val_steps=0, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, plugins=[SafeCheckpoints()],
    )  # fmt: skip


def hparams(engine: str, options: Options) -> dict[str, Any]:
    """What was chosen, by the names that TensorBoard shows."""
    names = ("epochs", "batch_size", "lr", "seed", "dtype", "device")
    return {"engine": engine, "sizes": SIZES, **{name: getattr(options, name) for name in names}}
