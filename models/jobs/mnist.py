"""The main job: the same MLP learns MNIST three ways, from the same start, on the same batches.

Every engine writes the same tags at the same steps to `<log_dir>/mnist/<engine>/version_N`. Beside the logs
lie `manifest.json` (what the run was made of) and, at the end, `model.safetensors` (the weights) and
`report.json` (the results). Until then a checkpoint lies there, a new one after every epoch. A run that was
stopped goes on from it and ends with the same bits as if it had not been stopped.
"""

import contextlib
import importlib.metadata
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from curriculum import UserError
from curriculum.data import Data, load
from curriculum.device import usable
from curriculum.files import write_whole
from curriculum.runs.events import natural
from curriculum.table import Table
from lessons.lesson13_mnist import SIZES, first_weights
from models.jobs.train import LAST, Options, Run, train
from models.networks.mine import MineEngine
from models.records import checkpoint, manifest
from models.records.checkpoint import Stop
from models.records.log import PACKAGES

ENGINES = ("scratch", "torch", "lightning")


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


def run(options: Options, say: Callable[[str], None], folders: dict[str, Path] | None = None) -> list[Report]:
    """Train and test every chosen engine; write logs, weights and reports. `say` gets lines for the user.

    `folders`: those of a run that was stopped, to go on with it (see `unfinished`).

    Raises:
        Stopped: by Ctrl-C or SIGTERM; the run is saved.
    """
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
        start = {name: value.to(device) for name, value in first_weights(SIZES, options.seed).items()}
        if options.engine == "mine":  # a file that cannot be used is refused before a run begins
            MineEngine(options.mine, SIZES, start)
        if folders is None:
            folders = make_folders(options.log_dir / "mnist", engines)
            for engine, folder in folders.items():
                chosen = asdict(options) | {"engine": engine, "engines": engines}
                manifest.write(folder, "mnist", chosen, data, options.seed, options.device)
        with _progress() as progress, device, Stop() as stop:
            runs = [
                train(engine, start, data, options, folders[engine], progress, stop) for engine in engines
            ]
    reports = _compare(runs, data, options)
    for run, report in zip(runs, reports, strict=True):
        weights = {key: value.contiguous() for key, value in run.weights.items()}
        write_whole(run.folder / "model.safetensors", safetensors.torch.save(weights))
        write_whole(run.folder / "report.json", json.dumps(asdict(report), indent=2, default=str) + "\n")
    for run in runs:  # not before all have their reports: until then a kill leaves a run to be resumed
        for name in (checkpoint.NAME, LAST):
            (run.folder / name).unlink(missing_ok=True)
    return reports


def unfinished(log_dir: Path) -> tuple[Options, dict[str, Path]]:
    """The newest run of `log_dir` that was stopped: its options, and its folders.

    Raises:
        UserError: there is none.
    """
    found = [path.parent for path in (log_dir / "mnist").glob(f"*/version_*/{manifest.NAME}")]
    found = [folder for folder in found if not (folder / "report.json").exists()]
    if not found:
        raise UserError(
            f"no run in {log_dir} was stopped; begin one with: curriculum mnist --log-dir {log_dir}"
        )
    newest = max(found, key=lambda folder: natural(Path(folder.name)))
    known = manifest.read(newest)
    options, engines = from_manifest(known, log_dir), known["options"].get("engines")
    if not engines:
        raise UserError(
            f"{newest / manifest.NAME} does not tell the run's engines; begin anew: curriculum mnist"
        )
    folders = {engine: newest.parents[1] / engine / newest.name for engine in engines}
    return replace(options, engine=engines[0] if len(engines) == 1 else "all"), folders


def from_manifest(known: dict[str, Any], log_dir: Path) -> Options:
    """The options that a run's manifest holds, of this one engine."""
    paths = ("data_dir", "log_dir", "mine")
    names = {field.name for field in fields(Options)}
    options = {name: value for name, value in known["options"].items() if name in names}
    options |= {name: Path(options[name]) for name in paths if options.get(name)}
    return Options(**options | {"log_dir": log_dir})


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


# ---------------------------------------------------------------- before and after


def make_folders(root: Path, engines: tuple[str, ...]) -> dict[str, Path]:
    """`root/<engine>/version_N` with one N, the first that no engine has used."""
    try:
        while True:
            used = [int(n) for p in root.glob("*/version_*") if (n := p.name[len("version_") :]).isdigit()]
            folders = {engine: root / engine / f"version_{max(used, default=-1) + 1}" for engine in engines}
            try:
                for folder in folders.values():
                    folder.mkdir(parents=True)
                    if not os.access(folder, os.W_OK):
                        raise PermissionError(13, "Permission denied")
                break
            except FileExistsError:
                if not folder.is_dir():
                    raise  # else another run that begins now has taken this number: take the next
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
