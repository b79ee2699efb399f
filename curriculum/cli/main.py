"""The command line `curriculum`: every command with the function that it calls, and what a failure prints.

The commands import torch, lessons and models inside of their functions: `--help` answers at once.
"""

import codecs
import contextlib
import errno
import io
import logging
import os
import sys
import threading
from typing import Any, NoReturn

import typer

from curriculum import Stopped, UserError
from curriculum.cli import data, exercises, lessons, play, read, runs, site, training
from curriculum.cli.options import RUNS, DataDir, LogDir

app = typer.Typer(
    name="curriculum",
    help="From one neuron to an MLP that reads MNIST, by hand and with PyTorch.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk, the user's share of it, a file
# Lightning's own command line parses what follows these commands, `--help` too.
PASSED_ON: dict[str, Any] = {
    "add_help_option": False,
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
}


def doctor(data_dir: DataDir = None, log_dir: LogDir = RUNS) -> None:
    """Say what is installed and used, and what mends each fault. Exit code 1 where something is wrong."""
    from curriculum.doctor import report

    if not report(data_dir, log_dir):
        raise typer.Exit(1)


# In the order of `curriculum --help`.
app.command("list")(lessons.list_lessons)
app.command("run")(lessons.run)
app.command("compare")(lessons.compare)
app.command("mnist")(training.mnist)
app.command("parity")(training.parity)
app.command("bench")(training.bench)
app.command("fit", **PASSED_ON)(training.fit)
app.command("validate", **PASSED_ON)(training.validate)
app.command("test", **PASSED_ON)(training.test)
app.command("predict", **PASSED_ON)(training.predict)
app.command("read")(read.read)
app.command("data")(data.data)
app.command("notebooks")(lessons.notebooks)
app.command("site")(site.site)
app.command("play")(play.play)
app.command("start")(exercises.start)
app.command("exercises")(exercises.list_exercises)
app.command("check")(exercises.check)
app.command("watch")(exercises.watch)
app.command("hint")(exercises.hint)
app.command("solution")(exercises.solution)
app.command("reset")(exercises.reset)
app.command("grade")(exercises.grade)
app.command("new")(lessons.new)
app.command("rerun")(training.rerun)
app.command("tensorboard")(runs.tensorboard)
app.command("doctor")(doctor)
app.add_typer(runs.app, name="runs")


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line on `arguments`, or on those of the process, and exit.

    What the user can mend is one line on stderr and exit code 2.
    """
    # The networks here are so small that threads wait for each other longer than they work. Beside other
    # programs two threads were up to 60 times slower than one, on a quiet machine hardly faster.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Said on machines with CUDA's compiler but no GPU; it changes nothing here.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    # Said where the home folder cannot be written to; it makes do without.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    threading.excepthook = _say_in_main_thread
    _print_in_any_encoding()
    _refuse_names_that_are_no_text(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(arguments, standalone_mode=False)
        if sys.stdout is not None:  # None where it is closed
            sys.stdout.flush()  # here, where a closed pipe can be told
    except UserError as error:
        _fail(str(error))
    except Stopped as stopped:
        _fail(str(stopped), stopped.code)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted", code=130)
    except Exception as error:
        if _is_a_closed_pipe(error):
            # Python flushes once more at the end: that, too, must find something to write to.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        if _is_a_full_disk(error):
            _fail_at_once(f"{error}; make room. What was saved is whole, and a run goes on with --resume")
        # Typer's own complaints about arguments know how to print themselves as one line.
        if not hasattr(error, "format_message"):
            raise
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "curriculum"
        _fail(f"{error.format_message()} (see: {command} --help)")
    sys.exit(code if isinstance(code, int) else 0)


def _is_a_closed_pipe(error: Exception) -> bool:
    """Nobody reads what we print, as in `curriculum list | head -1`."""
    if isinstance(error, BrokenPipeError):
        return True
    # Windows' word for it.
    return os.name == "nt" and isinstance(error, OSError) and error.errno == errno.EINVAL


def _say_in_main_thread(told: threading.ExceptHookArgs) -> None:
    """TensorBoard writes in a thread of its own; that a disk is full is raised again where the run waits."""
    if not _is_a_full_disk(told.exc_value):
        threading.__excepthook__(told)


def _is_a_full_disk(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno in FULL


def _fail_at_once(message: str) -> NoReturn:
    """As `_fail`, without what else would be written at the end, and fail again."""
    with contextlib.suppress(OSError):
        print(f"curriculum: {message}", file=sys.stderr, flush=True)
    os._exit(2)


# What a terminal that knows ASCII alone gets instead.
PLAIN = str.maketrans({"–": "-", "−": "-", "·": "|", "Δ": "d", "→": "->", "×": "x", "÷": "/", "µ": "u"})


def _print_in_any_encoding() -> None:
    """Print in plain letters what the encoding of the terminal lacks."""

    def plain(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeEncodeError)
        part = error.object[error.start : error.end].translate(PLAIN)
        return part.encode("ascii", "replace").decode(), error.end

    codecs.register_error("plain", plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where it is closed
            stream.reconfigure(errors="plain")


def _refuse_names_that_are_no_text(arguments: list[str]) -> None:
    """Linux allows any bytes in a name; what prints or stores the name would fail later."""
    for argument in arguments:
        if argument != argument.encode("utf-8", "ignore").decode():
            _fail(f"{argument!r} is no text in UTF-8; give another name, or set PYTHONUTF8=1")


def _fail(message: str, code: int = 2) -> NoReturn:
    print(f"curriculum: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
