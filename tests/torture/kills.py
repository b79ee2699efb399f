"""Runs that are killed and resumed until they are through: the same as a run in peace?

    python -m tests.torture.kills --configurations 60 --kills 5

Configurations are drawn: some of `curriculum mnist`, most of `curriculum fit`. SIGKILL or SIGTERM comes at a
random moment, or while a file is written: with half of it on the disk, before it has its name, and after.
Then `--resume`, at times with the folder of all runs moved in between, perhaps killed again. In the end every
weight, every file that is kept, and all that TensorBoard's own server shows over HTTP must be as in the run
that nobody killed. A seed draws the same configurations and moments again; how far a run is by then hangs on
the machine.
"""

import argparse
import importlib.util
import json
import os
import random
import re
import shlex
import shutil
import signal
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from curriculum import files
from curriculum.cli.main import main as curriculum
from curriculum.runs import tensorboard
from models.jobs import lightning_loop, mnist  # noqa: F401 (imported once, for all victims)
from models.jobs.rerun import differences
from models.lightning import cli as fit  # noqa: F401 (imported once, for all victims)
from tests.torture import end_without_fork

KILLED = (-signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM)
AT_A_FILE = ("half written", "not yet named", "named")
MOMENTS = ("random", "terminated", *AT_A_FILE)
MOST_TRIES = 30  # of one run
PLUGINS = ("scalars", "images", "histograms", "pr_curves", "text")
# Of `mnist`, where a run dies between its report and the end. It is finished then, and nobody takes them up.
TEMPORARY = ("checkpoint.safetensors", "version_0/last.ckpt")


# ---------------------------------------------------------------- what is drawn

MNIST = {
    "engine": ("scratch", "torch", "lightning", "all"),
    "epochs": ("2", "4"),
    "dtype": ("float32", "float64"),
    "batch-size": ("50", "64", "301"),
    "log": ("off", "basic", "full"),
}
# The first of each comes more often than the others. Several words make one thing together.
FIT = {
    "model": (
        "engine=torch", "engine=scratch", "dropout=0.3", "batch_norm=true",
        "batch_norm=true dropout=0.2 max_norm=1 engine=scratch",
    ),
    "trainer, precision": (
        "", "precision=64-true", "precision=bf16-true", "precision=bf16-mixed",
    ),
    "optimizer": (
        "--model.optimizer=adam --model.lr=0.01",
        "--model.momentum=0.9 --model.lr=0.05 --model.nesterov=true",
        "--model.optimizer=adamw --model.lr=0.01 --model.weight_decay=0.1",
        "--model.schedule=one_cycle",
        "--optimizer=Adam --optimizer.lr=0.01 --lr_scheduler=StepLR --lr_scheduler.step_size=1 "
        "--lr_scheduler.gamma=0.5",
        "--optimizer=SGD --optimizer.lr=0.1 --lr_scheduler=ReduceLROnPlateau --lr_scheduler.monitor=val_loss "
        "--lr_scheduler.patience=0 --lr_scheduler.threshold=0.5",
        "--optimizer=RMSprop --optimizer.lr=0.01 --lr_scheduler=CosineAnnealingLR --lr_scheduler.T_max=5",
    ),
    "data": ("", "augment=affine", "augment=elastic", "batch_size=50", "drop_last=true"),
    "trainer, steps": (
        "", "accumulate_grad_batches=3", "gradient_clip_val=0.5", "max_steps=50", "limit_train_batches=7",
        "accumulate_grad_batches=2 max_steps=20", "min_epochs=2",
    ),
    "trainer, validation": (
        "", "val_check_interval=0.5", "check_val_every_n_epoch=2", "limit_val_batches=0",
        "val_check_interval=7", "num_sanity_val_steps=2",
        "val_check_interval=25 check_val_every_n_epoch=null",
    ),
    "checkpoint": (
        "", "save_top_k=2", "save_top_k=-1", "monitor=train_loss mode=min",
        "every_n_train_steps=8 monitor=null", "save_last=true",
    ),
    "patience": ("", "--patience=1"),
    "trainer, callbacks": (
        "", "callbacks=LearningRateMonitor", "callbacks=ModelSummary",
        "callbacks=StochasticWeightAveraging callbacks.swa_lrs=0.01", "callbacks=EMAWeightAveraging",
        "callbacks=EarlyStopping callbacks.monitor=val_acc callbacks.mode=max",
        "callbacks=ModelCheckpoint callbacks.monitor=val_loss callbacks.filename=low",
    ),
    "name": ("", "--name=named"),
    "trainer, logger": (
        "", "logger=CSVLogger logger.save_dir=runs/csv",
        "logger=TensorBoardLogger logger.save_dir=runs logger.name=own logger.version=mine",
    ),
    "log": ("level=basic", "level=full", "level=off"),
    "trainer, processes": ("", "", "", "", "", "strategy=ddp devices=2"),
}  # fmt: skip
ALWAYS = [
    "fit", "--data.dataset=digits", "--model.sizes=[784,16,10]", "--trainer.enable_progress_bar=false",
]  # fmt: skip


def drawn_mnist(draw: random.Random) -> list[str]:
    """A command line of `curriculum mnist`."""
    line = ["mnist", "--data", "digits"]
    for name, values in MNIST.items():
        line += [f"--{name}", draw.choice(values)]
    return line


def drawn_fit(draw: random.Random) -> list[str]:
    """A command line of `curriculum fit`."""
    line = [*ALWAYS, f"--trainer.max_epochs={draw.choice((2, 3, 4))}"]
    for name, values in FIT.items():
        value = values[0] if draw.random() < 0.4 else draw.choice(values)
        group = name.partition(",")[0]
        line += [word if word.startswith("--") else f"--{group}.{word}" for word in shlex.split(value)]
    return line


# ---------------------------------------------------------------- runs, harmed


def campaign(configurations: int, kills: int, seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """How often was killed, by moment, and how many were refused; what was wrong in the end."""
    draw, counts, wrong = random.Random(seed), Counter[str](), list[str]()
    for number in range(configurations):
        line = drawn_mnist(draw) if draw.random() < 0.15 else drawn_fit(draw)
        own = random.Random(f"{seed} {number}")  # a configuration does not change those after it
        place = folder / str(number)
        begin = time.monotonic()
        if attempt(line, place / "whole"):
            counts["refused"] += 1
            print(f"{number}: {said_in(place / 'whole')[-300:]}", flush=True)
            continue
        found = harm(line, place, time.monotonic() - begin, own, kills, counts)
        if found:
            wrong.append("\n    ".join((f"{number}: {shlex.join(['curriculum', *line])}", *found)))
            print(wrong[-1], flush=True)
        print(f"{number}: {sum(counts[m] for m in MOMENTS)} kills, {len(wrong)} runs are wrong", flush=True)
    return counts, wrong


def harm(
    line: Sequence[str], place: Path, seconds: float, draw: random.Random, kills: int, counts: Counter[str]
) -> list[str]:
    """A run, killed up to `kills` times, until it is through; what is not as in the run in peace."""
    harmed = place / "harmed"
    logs = "runs"
    log_dir = "--log-dir" if line[0] == "mnist" else "--log_dir"
    resume, times = False, 0
    for _ in range(MOST_TRIES):
        moment = draw.choice(MOMENTS) if times < kills else ""
        words = [line[0], "--resume", log_dir, logs] if resume else line
        code = attempt(words, harmed, moment, draw.uniform(0.1, 1) * seconds, draw.randint(1, 9))
        said = said_in(harmed)
        if "Traceback" in said:
            return [f"a traceback: {said[-1500:]}"]
        if is_through(harmed / logs):
            return list(unequal(place / "whole" / "runs", harmed / logs))
        if code in KILLED:
            counts[moment] += 1
            times, resume = times + 1, True
        elif resume and "was stopped; begin one with" in said.splitlines()[-1]:
            # It was killed before there was anything to go on with.
            shutil.rmtree(harmed / logs, ignore_errors=True)
            resume, logs = False, "runs"
        else:
            return [f"ended with {code}: {said[-600:]}"]
        is_movable = resume and (harmed / "runs").is_dir() and "=runs" not in " ".join(line)
        if is_movable and draw.random() < 0.1:
            (harmed / "runs").rename(harmed / "moved")
            logs = "moved"
    return ["it does not come to an end"]


def said_in(place: Path) -> str:
    return (place / "said").read_text(errors="replace")


def is_through(logs: Path) -> bool:
    """Whether every run has its report: it may die when all is done."""
    begun = {path.parent for path in logs.rglob("manifest.json")}
    return bool(begun) and begun == {path.parent for path in logs.rglob("report.json")}


def attempt(line: Sequence[str], place: Path, moment: str = "", seconds: float = 0, writes: int = 0) -> int:
    """Begin or go on with a run in its own process, and kill it. The exit code, negative for a signal."""
    place.mkdir(parents=True, exist_ok=True)
    child = os.fork()
    if child == 0:
        os.setsid()  # so that a second process of DDP dies with it
        os.chdir(place)
        for stream in (1, 2):
            os.dup2(os.open("said", os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        sys.modules["__main__"].__spec__ = importlib.util.find_spec("curriculum.__main__")  # for DDP
        sys.argv = ["curriculum", *line]
        if moment in AT_A_FILE:
            die_while_writing(moment, writes)
        try:
            curriculum()
        finally:
            sys.stdout.flush()
            os._exit(int(getattr(sys.exc_info()[1], "code", 1) or 0))
    if moment in ("random", "terminated"):
        time.sleep(seconds)
        os.killpg(child, signal.SIGKILL if moment == "random" else signal.SIGTERM)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_while_writing(moment: str, writes: int) -> None:
    """Let this process die in its `writes`th whole file."""
    count = 0

    def counted(function: Callable[..., Any], before: bool, half: bool = False) -> Callable[..., Any]:
        def inner(*arguments: Any) -> None:
            nonlocal count
            count += 1
            if count == writes and half:
                os.ftruncate(arguments[0], os.fstat(arguments[0]).st_size // 2)
            if count != writes or not before:
                function(*arguments)
            if count == writes:
                os.killpg(0, signal.SIGKILL)

        return inner

    name = "fsync" if moment == "half written" else "replace"
    setattr(files.os, name, counted(getattr(os, name), moment != "named", name == "fsync"))


# ---------------------------------------------------------------- as the run in peace?


def unequal(whole: Path, harmed: Path) -> Iterator[str]:
    """What differs between two folders of finished runs: bits, files, and what TensorBoard's server shows."""
    ours, theirs = runs_in(whole), runs_in(harmed)
    if ours.keys() != theirs.keys():
        yield f"the runs {sorted(theirs)}, in peace {sorted(ours)}"
        return
    for name, run in ours.items():
        yield from differences(run, theirs[name])
    missing, more = kept(whole) - kept(harmed), kept(harmed) - kept(whole)
    if missing or more:
        yield f"files: {sorted(missing)} are missing, and {sorted(more)} are there"
    shown, now = over_http(whole), over_http(harmed)
    for what in sorted(shown.keys() | now.keys()):
        if shown.get(what) != now.get(what):
            yield f"TensorBoard: {what} is {str(now.get(what))[:300]}, in peace {str(shown.get(what))[:300]}"


def runs_in(logs: Path) -> dict[str, Path]:
    """The finished runs by their names below the folder."""
    return {str(path.parent.relative_to(logs)): path.parent for path in logs.rglob("report.json")}


def kept(logs: Path) -> set[str]:
    """The names of all files of runs, event files by their kind: their names hold times."""
    files_of_runs = (path for run in runs_in(logs).values() for path in run.rglob("*") if path.is_file())
    names = (path.relative_to(logs).as_posix() for path in files_of_runs)
    return {re.sub(r"events\.out\..*", "events", name) for name in names if not name.endswith(TEMPORARY)}


def over_http(logs: Path) -> dict[str, Any]:
    """What TensorBoard's own server gives a browser: every curve, the pictures' steps, and all other tags."""
    shown: dict[str, Any] = {}
    if not list(logs.rglob("events.out.*")):
        return shown
    with served(logs) as url:
        wait_until_read(url)
        for plugin in PLUGINS:
            shown[plugin] = ask(url, f"plugin/{plugin}/tags")
        for run, tags in shown["scalars"].items():
            for tag in tags:
                points = ask(url, "plugin/scalars/scalars", run=run, tag=tag)
                shown[f"{run}, curve {tag}"] = [point[1:] for point in points]  # without the time
        for run, tags in shown["images"].items():
            for tag in tags:
                pictures = ask(url, "plugin/images/images", run=run, tag=tag, sample=0)
                shown[f"{run}, picture {tag}"] = [picture["step"] for picture in pictures]
    return shown


@contextmanager
def served(logs: Path) -> Iterator[str]:
    """The address of a TensorBoard in a process of its own."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.write(write, tensorboard.start(logs).encode())
        while True:
            signal.pause()
    os.close(write)
    try:
        yield os.read(read, 200).decode()
    finally:
        os.close(read)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def wait_until_read(url: str) -> None:
    """It reads in the background: until two looks, half a second apart, see the same."""
    before = None
    for _ in range(200):
        now = [ask(url, f"plugin/{plugin}/tags") for plugin in PLUGINS]
        if now == before and any(now):
            return
        before = now
        time.sleep(0.5)


def ask(url: str, path: str, **asked: Any) -> Any:
    """What the server answers, from JSON."""
    query = urllib.parse.urlencode(asked)
    with urllib.request.urlopen(f"{url}data/{path}?{query}", timeout=60) as answer:
        return json.load(answer)


if __name__ == "__main__":
    end_without_fork()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configurations", type=int, default=60)
    parser.add_argument("--kills", type=int, default=5, help="of each, at most")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)  # a fork must not find threads in this process
    with tempfile.TemporaryDirectory() as temporary:
        survived, different = campaign(options.configurations, options.kills, options.seed, Path(temporary))
    print(f"kills, by moment: {dict(survived)}")
    print(f"{len(different)} runs are wrong", *different, sep="\n")
    sys.exit(bool(different))
