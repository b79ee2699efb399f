"""Commands that train: the three engines, Lightning's own command line, and what measures them."""

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from curriculum import UserError
from curriculum.cli.options import (
    RUNS,
    AsJson,
    Data,
    DataDir,
    Device,
    Dtype,
    LogDir,
    Seed,
    data_set,
)
from curriculum.data_names import OF_DIGITS, counted
from curriculum.shell import quoted


class Engine(StrEnum):
    all = "all"
    scratch = "scratch"
    torch = "torch"
    lightning = "lightning"
    mine = "mine"


class LogLevel(StrEnum):
    off = "off"
    basic = "basic"
    full = "full"


class Part(StrEnum):
    step = "step"
    epoch = "epoch"
    accuracy = "accuracy"
    start = "start"
    ablation = "ablation"
    ladder = "ladder"


USUAL_PARTS = (Part.step, Part.epoch, Part.accuracy, Part.start)
Epochs = Annotated[int, typer.Option(min=1, help="Passes over the training digits.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Digits per step.")]
LearningRate = Annotated[float, typer.Option(help="Learning rate of the first step; it falls to 0.")]
Precision = Annotated[Dtype, typer.Option(help="Precision.")]


def mnist(
    context: typer.Context,
    engine: Annotated[Engine, typer.Option(help="Which engines to train.")] = Engine.all,
    data: Data = "auto",
    data_dir: DataDir = None,
    epochs: Epochs = 15,
    batch_size: BatchSize = 64,
    lr: LearningRate = 0.2,
    seed: Seed = 0,
    dtype: Precision = Dtype.float32,
    device: Device = "cpu",
    log: Annotated[LogLevel, typer.Option(help="How much to write for TensorBoard.")] = LogLevel.full,
    log_dir: LogDir = RUNS,
    mine: Annotated[Path, typer.Option(help="Your own pieces, for --engine mine.")] = Path(
        "exercises/final_project.py"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the reports as JSON.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that was stopped.")] = False,
) -> None:
    """Train 784–128–64–10 (or as many as your data has classes) from scratch, with torch.nn and Lightning."""
    _check_lr(lr)
    data = data_set(data)
    if resume:
        _refuse_others(context, ("resume", "log_dir", "as_json"))
    from models.jobs.mnist import run, unfinished
    from models.jobs.options import Options
    from models.jobs.report import table

    say = Console(stderr=as_json, highlight=False, soft_wrap=True).print
    if resume:
        options, folders = unfinished(log_dir)
        reports = run(options, say, folders)
    else:
        options = Options(
            engine=engine.value,
            data=data,
            data_dir=data_dir,
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            seed=seed,
            dtype=dtype.value,
            device=device,
            log=log.value,
            log_dir=log_dir,
            mine=mine,
        )
        reports = run(options, say)
    if as_json:
        print(json.dumps([asdict(report) for report in reports], indent=2, default=str))
        return
    say("")
    Console().print(table(reports))
    first = reports[0]
    of_what = counted(first.data, first.pictures)
    say(f"\nmeasured on: {of_what} ({first.data_source}), SHA-256 {first.data_sha256}")
    say(f"weights, results and logs: {', '.join(report.folder for report in reports)}")
    say(f"look at the curves:        curriculum tensorboard --log-dir {quoted(log_dir)}")


def _refuse_others(context: typer.Context, allowed: tuple[str, ...]) -> None:
    """A run that goes on keeps its options: to be told others would mean another run."""
    for name in context.params.keys() - set(allowed):
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"--resume goes on with the options that the run began with; leave {option} out")


def _check_lr(lr: float) -> None:
    if not 0 < lr < float("inf"):
        raise UserError(f"--lr is {lr}; expected a number above 0, for example --lr 0.2")


def parity(
    data: Data = "auto",
    data_dir: DataDir = None,
    epochs: Epochs = 1,
    batch_size: BatchSize = 64,
    lr: LearningRate = 0.2,
    seed: Seed = 0,
    dtype: Precision = Dtype.float64,
    bound: Annotated[
        float | None, typer.Option(help="Largest difference that passes (1e-9, in float32 1e-4).")
    ] = None,
    log_dir: LogDir = RUNS,
) -> None:
    """Train the engines side by side and compare every step. Exit code 1 where one leaves the bound."""
    _check_lr(lr)
    from models.jobs.options import Options
    from models.jobs.parity import BOUNDS, run, table, verdict

    options = Options(
        engine="all",
        data=data_set(data),
        data_dir=data_dir,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        seed=seed,
        dtype=dtype.value,
        log_dir=log_dir,
    )
    say = Console(highlight=False, soft_wrap=True).print
    records = run(options, say, bound)
    say(table(records))
    for record in records:
        say(verdict(record, BOUNDS[dtype] if bound is None else bound))
    say(f"\nlook at the differences: curriculum tensorboard --log-dir {quoted(log_dir)}")
    if any(record.first is not None for record in records):
        raise typer.Exit(1)


def bench(
    what: Annotated[
        list[Part] | None, typer.Argument(help="Which parts; by default all but ablation and ladder.")
    ] = None,
    data: Data = "auto",
    data_dir: DataDir = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each contender of a step has its turn.")] = 15,
    seeds: Annotated[int, typer.Option(min=1, help="How many runs to each accuracy.")] = 5,
    device: Device = "cpu",
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
) -> None:
    """Measure speed: a step, an epoch, the time to an accuracy, starting and memory. All takes minutes."""
    if data not in OF_DIGITS:
        raise UserError(
            f"the recipes of bench are for digits, not for {data}; expected {', '.join(OF_DIGITS)}"
        )
    from models.jobs.bench import BenchOptions, run
    from models.jobs.bench_tables import tables

    options = BenchOptions(
        what=tuple(part.value for part in what or USUAL_PARTS),
        data=data,
        data_dir=data_dir,
        rounds=rounds,
        seeds=seeds,
        device=device,
    )
    report = run(options, Console(stderr=True, highlight=False).print)
    if as_json:
        print(json.dumps(report, indent=2))
        return
    for table in tables(report):
        if markdown:
            print(f"{table._repr_markdown_()}\n")
        else:
            Console().print(table)
    Console(highlight=False).print(", ".join(f"{name} {value}" for name, value in report["machine"].items()))


def fit(context: typer.Context) -> None:
    """Train under Lightning; --config default takes models/recipes/default.yaml."""
    _lightning("fit", context)


def validate(context: typer.Context) -> None:
    """Measure a checkpoint on the validation digits."""
    _lightning("validate", context)


def test(context: typer.Context) -> None:
    """Measure a checkpoint on the test digits."""
    _lightning("test", context)


def predict(context: typer.Context) -> None:
    """Read the test digits with a checkpoint."""
    _lightning("predict", context)


def _lightning(command: str, context: typer.Context) -> None:
    from models.lightning.cli import main

    main([command, *context.args])


def rerun(
    run: Annotated[str, typer.Argument(help="A finished run's folder, or a part of its name: scratch.")],
    log_dir: LogDir = RUNS,
) -> None:
    """Do a run again as its manifest says. Exit code 1 unless weights and logs are the same bits."""
    from curriculum.runs.catalogue import resolve

    folder = resolve(run, log_dir)
    from models.jobs.rerun import rerun as do_again

    differences = do_again(folder, log_dir, Console(stderr=True, highlight=False, soft_wrap=True).print)
    if differences:
        print(f"not identical: {'; '.join(differences)}")
        raise typer.Exit(1)
    print("identical: every weight and every point of every curve")
