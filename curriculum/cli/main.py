"""The command line. It imports torch, lessons and models inside the commands: `--help` answers at once."""

import codecs
import io
import json
import logging
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from curriculum import Stopped, UserError
from curriculum.discover import lessons, select
from curriculum.table import Table

app = typer.Typer(
    name="curriculum",
    help="From one neuron to an MLP that reads MNIST, by hand and with PyTorch.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class Engine(StrEnum):
    all = "all"
    scratch = "scratch"
    torch = "torch"
    lightning = "lightning"
    mine = "mine"


class DataChoice(StrEnum):
    auto = "auto"
    mnist = "mnist"
    digits = "digits"


class Dtype(StrEnum):
    float32 = "float32"
    float64 = "float64"


class LogLevel(StrEnum):
    off = "off"
    basic = "basic"
    full = "full"


Which = Annotated[str, typer.Argument(help="A lesson's number or name, or all.", show_default=False)]
DataDir = Annotated[
    Path | None, typer.Option(help="Folder that holds MNIST/raw, or that it is downloaded to.")
]
Seed = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="Decides first weights and order of the digits.")
]
Device = Annotated[str, typer.Option(help="Where to compute: cpu, cuda, …")]
LogDir = Annotated[Path, typer.Option(help="Folder for TensorBoard logs and figures.")]


def main() -> None:
    """Run the command line. What the user can mend is one line on stderr and exit code 2."""
    # The networks here are so small that threads wait for each other longer than they work. Beside other
    # programs two threads were up to 60 times slower than one, on a quiet machine hardly faster.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Said on machines with CUDA's compiler but no GPU; it changes nothing here.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    # Said where the home folder cannot be written to; it makes do without.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    _in_any_encoding()
    try:
        code = app(standalone_mode=False)
    except UserError as error:
        _fail(str(error))
    except Stopped as stopped:
        _fail(str(stopped), stopped.code)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted", code=130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        # Typer's own complaints about arguments know how to print themselves as one line.
        if not hasattr(error, "format_message"):
            raise
        context = getattr(error, "ctx", None)
        _fail(f"{error.format_message()} (see: {context.command_path if context else 'curriculum'} --help)")
    sys.exit(code if isinstance(code, int) else 0)


# What a terminal that knows ASCII alone gets instead.
PLAIN = str.maketrans({"–": "-", "−": "-", "·": "|", "Δ": "d", "→": "->", "×": "x", "÷": "/", "µ": "u"})


def _in_any_encoding() -> None:
    """Print in plain letters what the encoding of the terminal lacks; refuse names that are no text."""

    def plain(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeEncodeError)
        part = error.object[error.start : error.end].translate(PLAIN)
        return part.encode("ascii", "replace").decode(), error.end

    codecs.register_error("plain", plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where it is closed
            stream.reconfigure(errors="plain")
    for argument in sys.argv[1:]:
        if argument != argument.encode("utf-8", "ignore").decode():
            _fail(f"{argument!r} is no text in UTF-8; give another name, or set PYTHONUTF8=1")


def _fail(message: str, code: int = 2) -> None:
    print(f"curriculum: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)


@app.command("list")
def list_lessons() -> None:
    """List the lessons."""
    table = Table("lesson", "title", "minutes", box=None)
    for lesson in lessons():
        table.add_row(f"{lesson.number:02}", lesson.title, str(lesson.minutes))
    Console().print(table)


@app.command()
def run(which: Which, log_dir: LogDir = Path("runs")) -> None:
    """Show every demonstration of a lesson; figures go to PNG files and to TensorBoard."""
    chosen = select(which)
    from curriculum.show import show_lesson

    for lesson in chosen:
        show_lesson(lesson, log_dir, Console())


@app.command()
def compare(
    which: Which,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    dtype: Annotated[Dtype, typer.Option(help="Precision of the comparison.")] = Dtype.float64,
    device: Device = "cpu",
) -> None:
    """Compare scratch with PyTorch: every pair, its largest difference. Exit code 1 on a mismatch."""
    chosen = select(which)
    from curriculum.show import compare_lessons

    rows = compare_lessons(chosen, dtype, device)
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        table = Table("lesson", "pair", "results", "largest difference", "verdict", box=None)
        for row in rows:
            problems = [
                f"{result['name']}: {result['problem']}" for result in row["results"] if result["problem"]
            ]
            verdict = "equal" if row["ok"] else "; ".join(problems)
            cells = (
                f"{row['lesson']:02}",
                row["pair"],
                str(len(row["results"])),
                f"{row['largest']:.1e}",
                verdict,
            )
            table.add_row(*cells, style=None if row["ok"] else "bold red")
        Console().print(table)
        equal, results = sum(row["ok"] for row in rows), sum(len(row["results"]) for row in rows)
        print(f"\n{equal} of {len(rows)} pairs equal, {results} results compared")
    if not all(row["ok"] for row in rows):
        raise typer.Exit(1)


@app.command()
def mnist(
    context: typer.Context,
    engine: Annotated[Engine, typer.Option(help="Which engines to train.")] = Engine.all,
    data: Annotated[DataChoice, typer.Option(help="auto takes MNIST where it can be had.")] = DataChoice.auto,
    data_dir: DataDir = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training digits.")] = 15,
    batch_size: Annotated[int, typer.Option(min=1, help="Digits per step.")] = 64,
    lr: Annotated[float, typer.Option(help="Learning rate of the first step; it falls to 0.")] = 0.2,
    seed: Seed = 0,
    dtype: Annotated[Dtype, typer.Option(help="Precision.")] = Dtype.float32,
    device: Device = "cpu",
    log: Annotated[LogLevel, typer.Option(help="How much to write for TensorBoard.")] = LogLevel.full,
    log_dir: LogDir = Path("runs"),
    mine: Annotated[Path, typer.Option(help="Your own pieces, for --engine mine.")] = Path(
        "exercises/final_project.py"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the reports as JSON.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that was stopped.")] = False,
) -> None:
    """Train 784–128–64–10 from scratch, with torch.nn and with Lightning, and compare them."""
    _check_lr(lr)
    if resume:
        _refuse_others(context, ("resume", "log_dir", "as_json"))
    from dataclasses import asdict

    from models.jobs import mnist as job

    folders = None
    options = job.Options(
        engine.value, data.value, data_dir, epochs, batch_size, lr, seed, dtype.value, device, log.value,
        log_dir, mine,
    )  # fmt: skip
    say = Console(stderr=as_json, highlight=False, soft_wrap=True).print
    if resume:
        options, folders = job.unfinished(log_dir)
    reports = job.run(options, say, folders)
    if as_json:
        print(json.dumps([asdict(report) for report in reports], indent=2, default=str))
        return
    say("")
    Console().print(job.table(reports))
    say(f"\nweights, results and logs: {', '.join(report.folder for report in reports)}")
    say(f"look at the curves:        curriculum tensorboard --log-dir {log_dir}")


@app.command()
def parity(
    data: Annotated[DataChoice, typer.Option(help="auto takes MNIST where it can be had.")] = DataChoice.auto,
    data_dir: DataDir = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training digits.")] = 1,
    batch_size: Annotated[int, typer.Option(min=1, help="Digits per step.")] = 64,
    lr: Annotated[float, typer.Option(help="Learning rate of the first step; it falls to 0.")] = 0.2,
    seed: Seed = 0,
    dtype: Annotated[Dtype, typer.Option(help="Precision.")] = Dtype.float64,
    bound: Annotated[
        float | None, typer.Option(help="Largest difference that passes (1e-9, in float32 1e-4).")
    ] = None,
    log_dir: LogDir = Path("runs"),
) -> None:
    """Train the engines side by side and compare every step. Exit code 1 where one leaves the bound."""
    _check_lr(lr)
    from models.jobs import parity as job
    from models.jobs.mnist import Options

    options = Options("all", data.value, data_dir, epochs, batch_size, lr, seed, dtype.value, log_dir=log_dir)
    say = Console(highlight=False, soft_wrap=True).print
    records = job.run(options, say, bound)
    say(job.table(records))
    for record in records:
        say(job.verdict(record, job.BOUNDS[dtype] if bound is None else bound))
    say(f"\nlook at the differences: curriculum tensorboard --log-dir {log_dir}")
    if any(record.first is not None for record in records):
        raise typer.Exit(1)


class Part(StrEnum):
    step = "step"
    epoch = "epoch"
    accuracy = "accuracy"
    start = "start"


@app.command()
def bench(
    what: Annotated[list[Part] | None, typer.Argument(help="Which parts; all of them by default.")] = None,
    data: Annotated[DataChoice, typer.Option(help="auto takes MNIST where it can be had.")] = DataChoice.auto,
    data_dir: DataDir = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each contender of a step has its turn.")] = 15,
    seeds: Annotated[int, typer.Option(min=1, help="How many runs to each accuracy.")] = 5,
    device: Device = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
) -> None:
    """Measure speed: a step, an epoch, the time to an accuracy, starting and memory. All takes minutes."""
    from models.jobs import bench as job

    parts = tuple(part.value for part in what or Part)
    options = job.Options(parts, data.value, data_dir, rounds, seeds, device)
    report = job.run(options, Console(stderr=True, highlight=False).print)
    if as_json:
        print(json.dumps(report, indent=2))
        return
    for table in job.tables(report):
        print(f"{table._repr_markdown_()}\n") if markdown else Console().print(table)
    Console(highlight=False).print(", ".join(f"{name} {value}" for name, value in report["machine"].items()))


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


def _lightning(context: typer.Context) -> None:
    from models.lightning.cli import main as lightning_cli

    lightning_cli([context.command.name or "fit", *context.args])


# Lightning's own command line parses what follows, `--help` too.
for name, does in (
    ("fit", "Train under Lightning; --config default takes models/recipes/default.yaml."),
    ("validate", "Measure a checkpoint on the validation digits."),
    ("test", "Measure a checkpoint on the test digits."),
    ("predict", "Read the test digits with a checkpoint."),
):
    app.command(
        name,
        help=does,
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(_lightning)


@app.command()
def notebooks(
    folder: Annotated[Path, typer.Argument(help="Where to write them.")] = Path("notebooks"),
    run: Annotated[bool, typer.Option("--run", help="Also run every cell, so that results show.")] = False,
) -> None:
    """Make a notebook of every lesson."""
    from curriculum.authoring.notebooks import convert, execute

    for lesson in lessons():
        path = convert(lesson, folder)
        if run:
            execute(path)
        print(path)


OwnDir = Annotated[Path, typer.Option("--dir", help="Your own folder of exercises.")]
OneExercise = Annotated[str, typer.Argument(help="An exercise: 03a.", show_default=False)]
Seconds = Annotated[float, typer.Option(min=1, help="How long an answer may take.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JUnit = Annotated[Path | None, typer.Option(help="Also write the verdicts to this file, as JUnit XML.")]


@app.command()
def start(folder: Annotated[Path, typer.Argument(help="Your own folder.")] = Path("exercises")) -> None:
    """Copy the exercises into a folder of your own. What is there is never overwritten."""
    from curriculum.grader import exercise as job

    fresh = job.start(folder)
    print(f"{len(fresh)} new files in {folder}; git ignores them. Open one, then: curriculum check")


@app.command("exercises")
def list_exercises(folder: OwnDir = Path("exercises")) -> None:
    """List the exercises with your progress."""
    from curriculum.grader import exercise as job

    table = Table("", "exercise", "difficulty", "minutes", "", box=None)
    for row in job.rows(folder):
        table.add_row(*row, style="green" if row[-1] == "passed" else None)
    Console().print(table)


@app.command()
def check(
    which: Annotated[list[str] | None, typer.Argument(help="03a, 03, all; else the next one.")] = None,
    folder: OwnDir = Path("exercises"),
    seconds: Seconds = 30,
    as_json: AsJson = False,
    junit: JUnit = None,
) -> None:
    """Grade your answers with PyTorch, and name the mistake. Exit code 1 where one is not passed."""
    from curriculum.grader import session as job

    grades = []
    for grade in job.check(which or [], folder, seconds):
        grades.append(grade)
        if not as_json:
            print("\n".join(grade.lines()), flush=True)
    if as_json:
        print(json.dumps([grade.row() for grade in grades], indent=2))
    else:
        print(f"\n{job.what_next(folder)}")
    if junit:
        job.write_junit(grades, junit)
    if not all(grade.verdict.passed for grade in grades):
        raise typer.Exit(1)


@app.command()
def watch(folder: OwnDir = Path("exercises"), seconds: Seconds = 30) -> None:
    """Check each exercise as you save it."""
    from curriculum.grader.session import watch as job

    job(folder, seconds, lambda text: print(text, flush=True))


@app.command()
def hint(which: OneExercise, folder: OwnDir = Path("exercises")) -> None:
    """A hint; each time one step further."""
    from curriculum.grader import exercise as job

    print(job.hint(job.select_one(which), folder))


@app.command()
def solution(
    which: OneExercise,
    folder: OwnDir = Path("exercises"),
    give_up: Annotated[bool, typer.Option("--give-up", help="Show it although yours is not passed.")] = False,
) -> None:
    """Show the solution of an exercise that you have passed."""
    from curriculum.grader import exercise as job

    print(job.solution(job.select_one(which), folder, give_up))


@app.command()
def reset(which: OneExercise, folder: OwnDir = Path("exercises")) -> None:
    """Put an exercise back as it was handed out; your file is kept beside it."""
    from curriculum.grader import exercise as job

    exercise = job.select_one(which)
    kept = job.reset(exercise, folder)
    print(f"{exercise} is as it was handed out" + (f"; yours is {kept}" if kept else ""))


@app.command()
def grade(
    folder: Annotated[Path, typer.Argument(help="One folder per learner, with their files in it.")],
    seconds: Seconds = 30,
    as_json: AsJson = False,
    junit: JUnit = None,
) -> None:
    """For teachers: grade what a class has handed in."""
    from curriculum.grader import session as job

    grades = list(job.grade_class(folder, seconds))
    if as_json:
        print(json.dumps([one.row() for one in grades], indent=2))
    else:
        Console().print(job.class_table(grades))
        print("\n".join(job.class_mistakes(grades)))
    if junit:
        job.write_junit(grades, junit)


@app.command()
def new(
    which: Annotated[str, typer.Argument(help="Number and name of the lesson, like 20_convolution.")],
) -> None:
    """Start a lesson: write its skeleton, or say what it still lacks."""
    from curriculum.authoring.new import missing, start

    for path in start(which):
        print(f"new: {os.path.relpath(path)}")
    for line in missing(which):
        print(f"missing: {line}")


@app.command()
def rerun(
    run: Annotated[str, typer.Argument(help="A finished run's folder, or a part of its name: scratch.")],
    log_dir: LogDir = Path("runs"),
) -> None:
    """Do a run again as its manifest says. Exit code 1 unless weights and logs are the same bits."""
    from curriculum.runs.catalogue import resolve

    folder = resolve(run, log_dir)
    from models.jobs.rerun import rerun as job

    differences = job(folder, log_dir, Console(stderr=True, highlight=False, soft_wrap=True).print)
    if differences:
        print(f"not identical: {'; '.join(differences)}")
        raise typer.Exit(1)
    print("identical: every weight and every point of every curve")


runs_app = typer.Typer(help="List runs with their results, or show one.", rich_markup_mode=None)
app.add_typer(runs_app, name="runs")


@runs_app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    log_dir: LogDir = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the runs with their results; `curriculum runs show RUN` shows one."""
    context.obj = log_dir
    if context.invoked_subcommand:
        return
    from curriculum.runs import catalogue as job

    if as_json:
        print(json.dumps(job.rows(log_dir), indent=2))
    else:
        Console().print(job.table(log_dir))


@runs_app.command("show")
def show_run(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="A run's folder, or a part of its name: scratch.")],
    log_dir: Annotated[Path | None, typer.Option(help="Folder of all runs.", show_default="runs")] = None,
) -> None:
    """Draw a run's curves, and write it as one page, run.html in its folder."""
    from curriculum.runs import catalogue as job
    from curriculum.runs import page

    log_dir = log_dir or context.obj
    folder = job.resolve(run, log_dir)
    unicode = "utf" in (sys.stdout.encoding or "").lower()
    print(job.show(folder, log_dir, Console().width, unicode))
    print(f"\npage: {page.write(folder, job.label(folder, log_dir))}")


@app.command()
def tensorboard(
    log_dir: LogDir = Path("runs"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 0,
) -> None:
    """Open TensorBoard on the logs, on this machine only."""
    if not any(log_dir.glob("**/events.out.tfevents.*")):
        raise UserError(
            f"there are no logs in {log_dir}; make some first: curriculum mnist --log-dir {log_dir}"
        )
    from curriculum.runs.tensorboard import serve

    serve(log_dir, port)


@app.command()
def doctor(data_dir: DataDir = None, log_dir: LogDir = Path("runs")) -> None:
    """Say what is installed and used, and what mends each fault. Exit code 1 where something is wrong."""
    from curriculum.doctor import report

    if not report(data_dir, log_dir):
        raise typer.Exit(1)
