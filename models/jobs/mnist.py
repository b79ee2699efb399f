"""The main job: the same MLP learns MNIST three ways, from the same start, on the same batches.

Every engine writes the same tags at the same steps to `<log_dir>/mnist/<engine>/version_N`. Beside the logs
lie `manifest.json` (what the run was made of) and, at the end, `model.safetensors` (the weights) and
`report.json` (the results). Until then a checkpoint lies there, a new one after every epoch. A run that was
stopped goes on from it and ends with the same bits as if it had not been stopped.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor

from curriculum import UserError
from curriculum.data import Data, load
from curriculum.data_names import counted
from curriculum.device import usable
from curriculum.files import sweep
from curriculum.shell import quoted
from lessons.lesson17_mnist import first_weights
from models.jobs.loop import Training
from models.jobs.options import ENGINES, Options, options_of, refuse_large_batches, sizes_for
from models.jobs.report import Report, make_reports
from models.jobs.train import train
from models.networks.engine import LoopEngine, make_engine
from models.records import manifest
from models.records.folder import RunFolder
from models.records.resume import alone, restore_surroundings
from models.records.stop import Stop

JOB = "mnist"  # its name in manifests, and its folder's


def run(
    options: Options, say: Callable[[str], None], folders: dict[str, RunFolder] | None = None
) -> list[Report]:
    """Train and test every chosen engine; write logs, weights and reports. `say` gets lines for the user.

    `folders`: those of a run that was stopped, to go on with it (see `unfinished`).

    Raises:
        Stopped: by Ctrl-C or SIGTERM; the run is saved.
        UserError: the data, the device, a file or an option cannot be used, or a loss is not finite.
    """
    device = usable(options.device)
    for folder in (folders or {}).values():
        restore_surroundings(folder.manifest, say)
    with contextlib.ExitStack() as holds, default_dtype(options.dtype):
        data = load(options.data, options.data_dir).to(device)
        say(f"data: {counted(data.name, data.pictures)} ({data.source})")
        for remark in data.remarks:
            say(f"note: {remark}")
        refuse_large_batches(options, data)
        for folder in (folders or {}).values():
            manifest.refuse_other_data(folder.manifest, data.sha256)
        sizes = sizes_for(data)
        start = {name: value.to(device) for name, value in first_weights(sizes, options.seed).items()}
        with device:
            engines = _make_engines(options, sizes, start)  # a file that cannot be used is refused here
        if folders is None:
            folders = _begin(options, data)
        for folder in folders.values():
            holds.enter_context(alone(folder.path))
            sweep(folder.path)
        steps = options.epochs * options.steps_per_epoch(len(data.train.x))
        states = {}
        with _progress() as progress, device, Stop() as stop:
            for name in options.engines:
                bar = Bar(progress, name, steps)
                training = Training(name, start, data, options, folders[name], stop, on_step=bar)
                states[name] = train(training, engines.get(name))
    reports = make_reports(states, data, options, folders)
    for report in reports:
        folders[report.engine].finish(states[report.engine].weights, asdict(report))
    # Not before all have their reports: until then a kill leaves a run that can be resumed.
    for name in states:
        folders[name].drop_checkpoints()
    return reports


def unfinished(log_dir: Path) -> tuple[Options, dict[str, RunFolder]]:
    """The newest run of `log_dir` that was stopped: its options, and its folders by engine.

    Raises:
        UserError: there is none, or its manifest cannot be used.
    """
    newest = RunFolder.newest_stopped(log_dir / JOB, JOB)
    if newest is None:
        raise UserError(
            f"no run in {log_dir} was stopped; begin one with: curriculum mnist --log-dir {quoted(log_dir)}"
        )
    known = newest.manifest
    engines = known["options"].get("engines")
    if not isinstance(engines, list) or not engines or not {*engines} <= {*ENGINES, "mine"}:
        raise UserError(
            f"{newest.path / manifest.NAME} does not tell the run's engines; begin anew: curriculum mnist"
        )
    options = replace(options_of(known, log_dir), engine=engines[0] if len(engines) == 1 else "all")
    return options, {engine: newest.beside(engine) for engine in engines}


@contextlib.contextmanager
def default_dtype(name: str) -> Iterator[None]:
    """Every new tensor inside is of this dtype ("float32" or "float64")."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, name))
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _make_engines(
    options: Options, sizes: tuple[int, ...], start: dict[str, Tensor]
) -> dict[str, LoopEngine]:
    """Those that a plain loop drives, by name; Lightning makes its own."""
    names = [name for name in options.engines if name != "lightning"]
    return {name: make_engine(name, sizes, start, options.mine) for name in names}


def _begin(options: Options, data: Data) -> dict[str, RunFolder]:
    """The folders of a new run, each with its manifest."""
    folders = RunFolder.create(options.log_dir / JOB, options.engines)
    for engine, folder in folders.items():
        manifest.write(
            folder.path,
            job=JOB,
            options=asdict(options) | {"engine": engine, "engines": options.engines},
            data=data,
            seed=options.seed,
            device=options.device,
        )
    return folders


class Bar:
    """One engine's line below the others, with how many steps are done."""

    def __init__(self, progress: Progress, engine: str, steps: int) -> None:
        self.progress = progress
        self.task = progress.add_task(f"{engine:<9}", total=steps)

    def __call__(self, done: int) -> None:
        self.progress.update(self.task, completed=done)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
