"""The main job: the same MLP learns MNIST three ways, from the same start, on the same batches.

Every engine writes the same tags at the same steps to `<log_dir>/mnist/<engine>/version_N`, with its
weights (`model.safetensors`) and its results (`report.json`) beside them.
"""

import contextlib
import importlib.metadata
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from safetensors.torch import save_file
from torch import Tensor

from curriculum import UserError
from curriculum.data import Data, load
from curriculum.demo import Table
from curriculum.device import usable
from curriculum.quiet import quiet_lightning
from lessons.lesson09_training import accuracy
from lessons.lesson13_mnist import SIZES, first_weights, learn
from models.logs import EVERY, PACKAGES, Level, RunLog
from models.mine import MineEngine
from models.scratch import ScratchEngine
from models.torch_nn import TorchEngine

ENGINES = ("scratch", "torch", "lightning")


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


@dataclass(frozen=True)
class Report:
    """One engine's results; the differences are against the torch engine, None where it did not run."""

    engine: str
    data: str
    data_sha256: str
    parameters: int
    epochs: int
    train_seconds: float
    val_acc: float
    test_acc: float
    loss_difference: float | None
    loss_difference_first_20: float | None
    weight_difference: float | None
    options: dict[str, Any]
    versions: dict[str, str]
    folder: str


def run(options: Options, say: Callable[[str], None]) -> list[Report]:
    """Train and test every chosen engine; write logs, weights and reports. `say` gets lines for the user."""
    engines = ENGINES if options.engine == "all" else (options.engine,)
    device = usable(options.device)
    with default_dtype(options.dtype):
        data = load(options.data, options.data_dir).to(device)
        say(f"data: {data.name}, {len(data.train.x):,} to train, {len(data.val.x):,} to validate, "
            f"{len(data.test.x):,} to test ({data.source})")  # fmt: skip
        if options.batch_size > len(data.train.x):
            raise UserError(
                f"--batch-size {options.batch_size} is more than the {len(data.train.x):,} examples"
            )
        folders = make_folders(options.log_dir / "mnist", engines)
        start = {name: value.to(device) for name, value in first_weights(SIZES, options.seed).items()}
        with _progress() as progress, device:
            runs = [_train(engine, start, data, options, folders[engine], progress) for engine in engines]
    reports = _compare(runs, data, options)
    for run, report in zip(runs, reports, strict=True):
        save_file(
            {key: value.contiguous() for key, value in run.weights.items()}, run.folder / "model.safetensors"
        )
        (run.folder / "report.json").write_text(json.dumps(asdict(report), indent=2, default=str) + "\n")
    return reports


def table(reports: list[Report]) -> Table:
    """The reports side by side."""

    def gap(value: float | None) -> str:
        return "–" if value is None else f"{value:.1e}"

    first = reports[0]
    columns = ("engine", "train", "val_acc", "test_acc", "Δ 20 losses", "Δ losses", "Δ weights")
    rows = [
        (
            report.engine,
            f"{report.train_seconds:.1f} s",
            f"{report.val_acc:.2%}",
            f"{report.test_acc:.2%}",
            gap(report.loss_difference_first_20),
            gap(report.loss_difference),
            gap(report.weight_difference),
        )
        for report in reports
    ]
    title = (
        f"{first.data} · {'–'.join(map(str, SIZES))}, {first.parameters:,} parameters · "
        f"{first.epochs} epochs · {first.options['dtype']} · seed {first.options['seed']}\n"
        "Δ: largest difference from torch, in the first 20 losses, in all, in the weights"
    )
    return Table(columns, rows, title)


# ---------------------------------------------------------------- one engine


def _train(
    engine: str, start: dict[str, Tensor], data: Data, options: Options, folder: Path, progress: Progress
) -> Run:
    steps = options.epochs * -(-len(data.train.x) // options.batch_size)
    task = progress.add_task(f"{engine:<9}", total=steps)

    def advance(step: int, loss: Tensor) -> None:
        if not loss.isfinite():
            raise UserError(
                f"{engine}: the loss of step {step} is {loss.item()}; "
                f"the learning rate {options.lr} is too large, try --lr {options.lr / 10:g} (lesson 06)"
            )
        progress.advance(task)

    if engine == "lightning":
        return _with_lightning(start, data, options, folder, advance)
    if engine == "mine":
        return _with_loop(MineEngine(options.mine, SIZES, start), engine, data, options, folder, advance)
    make = ScratchEngine if engine == "scratch" else TorchEngine
    return _with_loop(make(SIZES, start), engine, data, options, folder, advance)


def _with_loop(
    engine: ScratchEngine | TorchEngine,
    name: str,
    data: Data,
    options: Options,
    folder: Path,
    advance: Callable[[int, Tensor], None],
) -> Run:
    from torch.utils.tensorboard import SummaryWriter

    generator = torch.Generator().manual_seed(options.seed)
    per_epoch = -(-len(data.train.x) // options.batch_size)
    losses: list[Tensor] = []
    val_acc = 0.0
    writing: Any = contextlib.nullcontext() if options.log == "off" else SummaryWriter(str(folder))
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

        log.start(engine)
        begin = time.perf_counter()
        for loss in learn(logged_step, data.train, options.epochs, options.batch_size, options.lr, generator):
            advance(len(losses), loss)
            losses.append(loss)
            if len(losses) % per_epoch == 0:
                logits = engine.logits(data.val.x)
                val_acc = accuracy(logits, data.val.target)
                val_loss = torch.nn.functional.cross_entropy(logits, data.val.target)
                log.scalars(len(losses) - 1, val_loss=val_loss, val_acc=val_acc)
                log.after_epoch(len(losses) - 1, engine)
        seconds = time.perf_counter() - begin
        test_acc = accuracy(engine.logits(data.test.x), data.test.target)
        log.scalars(len(losses), test_acc=test_acc)
        log.finish(len(losses), engine)
    return Run(name, torch.stack(losses), engine.weights(), seconds, val_acc, test_acc, folder)


def _with_lightning(
    start: dict[str, Tensor],
    data: Data,
    options: Options,
    folder: Path,
    advance: Callable[[int, Tensor], None],
) -> Run:
    with quiet_lightning():
        import lightning as L
        from lightning.pytorch.callbacks import LearningRateMonitor
        from lightning.pytorch.loggers import TensorBoardLogger

        from models.lit import LitMLP, LogRun, MNISTDataModule, SilentLogger

        losses: list[Tensor] = []

        class Watch(L.Callback):
            def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
                losses.append(outputs["loss"].detach())
                advance(len(losses) - 1, losses[-1])

        module = LitMLP(SIZES, lr=options.lr)
        module.model.load_state_dict(start)
        kind = SilentLogger if options.log == "off" else TensorBoardLogger
        logger = kind(folder.parents[1], folder.parent.name, folder.name, default_hp_metric=False)
        log = LogRun(options.log, hparams("lightning", options))
        trainer = plain_trainer(options.epochs, [Watch(), LearningRateMonitor(), log], logger, options.device)
        batches = MNISTDataModule(batch_size=options.batch_size, seed=options.seed)
        batches.data = data
        trainer.fit(module, batches)
        val_acc = trainer.callback_metrics["val_acc"].item()
        test_acc = trainer.test(module, batches, verbose=False)[0]["test_acc"]
    weights = {name: param.detach() for name, param in module.model.named_parameters()}
    return Run("lightning", torch.stack(losses), weights, log.train_seconds, val_acc, test_acc, folder)


# ---------------------------------------------------------------- before and after


def plain_trainer(epochs: int, callbacks: list[Any], logger: Any = False, device: str = "cpu") -> Any:
    """Lightning's Trainer on one device, without checkpoints and without a word."""
    import lightning as L

    return L.Trainer(
        accelerator=torch.device(device).type, devices=1, max_epochs=epochs, callbacks=callbacks,
        logger=logger, log_every_n_steps=EVERY, num_sanity_val_steps=0, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip


def hparams(engine: str, options: Options) -> dict[str, Any]:
    """What was chosen, by the names that TensorBoard shows."""
    names = ("epochs", "batch_size", "lr", "seed", "dtype", "device")
    return {"engine": engine, "sizes": SIZES, **{name: getattr(options, name) for name in names}}


def make_folders(root: Path, engines: tuple[str, ...]) -> dict[str, Path]:
    """`root/<engine>/version_N` with one N, the first that no engine has used."""
    try:
        used = [int(n) for p in root.glob("*/version_*") if (n := p.name.removeprefix("version_")).isdigit()]
        folders = {engine: root / engine / f"version_{max(used, default=-1) + 1}" for engine in engines}
        for folder in folders.values():
            folder.mkdir(parents=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise UserError(f"cannot write to {root} ({error.strerror}); choose another --log-dir") from error
    return folders


def _compare(runs: list[Run], data: Data, options: Options) -> list[Report]:
    reference = next((run for run in runs if run.engine == "torch"), None)
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}

    def report(run: Run) -> Report:
        losses = weights = None
        if reference is not None:
            losses = (run.losses - reference.losses).abs()
            weights = max(
                (run.weights[key] - value).abs().max().item() for key, value in reference.weights.items()
            )
        return Report(
            engine=run.engine,
            data=data.name,
            data_sha256=data.sha256,
            parameters=sum(weight.numel() for weight in run.weights.values()),
            epochs=options.epochs,
            train_seconds=run.train_seconds,
            val_acc=run.val_acc,
            test_acc=run.test_acc,
            loss_difference=None if losses is None else losses.max().item(),
            loss_difference_first_20=None if losses is None else losses[:20].max().item(),
            weight_difference=weights,
            options=asdict(options),
            versions=versions,
            folder=str(run.folder),
        )

    return [report(run) for run in runs]


@contextlib.contextmanager
def default_dtype(name: str) -> Iterator[None]:
    """Every new tensor inside is of this dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, name))
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _progress() -> Progress:
    from rich.console import Console

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
