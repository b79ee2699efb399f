"""Runs that are killed at random moments and resumed until they are through: the bits of a run in peace?

    python -m tests.torture.kills --count 100

SIGKILL comes at a random moment, or while a checkpoint is written: with half of it on the disk, before it has
its name, and after. Then `--resume`, perhaps killed again. In the end every weight and every point of every
curve must be that of the run that nobody killed.
"""

import argparse
import importlib.util
import itertools
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from curriculum import files
from curriculum.cli.main import main as curriculum
from models.jobs import lightning_loop, mnist  # noqa: F401 (imported once, for all victims)
from models.jobs.rerun import differences
from models.lightning import cli as fit  # noqa: F401 (imported once, for all victims)
from tests.torture import end_without_fork

MNIST = ["mnist", "--data", "digits", "--epochs", "4", "--log", "basic", "--engine"]
FIT = [
    "fit", "--data.dataset=digits", "--data.augment=elastic", "--model.sizes=[784,16,10]",
    "--model.dropout=0.3", "--model.optimizer=adam", "--model.lr=0.01", "--model.max_norm=1",
    "--trainer.max_epochs=4", "--log.level=basic", "--trainer.enable_progress_bar=false",
]  # fmt: skip
JOBS = {
    "scratch": [*MNIST, "scratch"],
    "torch": [*MNIST, "torch"],
    "lightning": [*MNIST, "lightning"],
    "fit": FIT,
    "fit, two processes": [*FIT, "--trainer.strategy=ddp", "--trainer.devices=2"],
}
SHARES = {"scratch": 0.28, "torch": 0.24, "lightning": 0.2, "fit": 0.2, "fit, two processes": 0.08}
MOMENTS = ("random", "half written", "not yet named", "named")
ENOUGH = 4  # kills of one run


def campaign(count: int, seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """Kill `count` times. How often by engine and by moment, and what was wrong in the end."""
    draw, kills, wrong = random.Random(seed), Counter[str](), list[str]()
    for job in JOBS:
        assert attempt(job, folder / job / "warm", False) == 0, f"{job} fails by itself"
        begin = time.monotonic()
        attempt(job, folder / job / "whole", False)
        seconds = time.monotonic() - begin
        for number in itertools.count():
            if kills[job] >= count * SHARES[job]:
                break
            place = folder / job / str(number)
            harm_it(job, place, seconds, draw, kills)
            found = differences(finished(folder / job / "whole"), finished(place))
            wrong += [f"{job}: {difference}" for difference in found]
            print(f"{job}: {kills[job]} kills, {len(wrong)} differences", flush=True)
    return kills, wrong


def harm_it(job: str, place: Path, seconds: float, draw: random.Random, kills: Counter[str]) -> None:
    """One run, killed up to `ENOUGH` times, until it is through."""
    resume, times = False, 0
    while True:
        moment = draw.choice(MOMENTS) if times < ENOUGH else ""
        code = attempt(job, place, resume, moment, draw.uniform(0.1, 1) * seconds, draw.randint(1, 6))
        if code == 0 or any(place.glob("runs/*/**/report.json")):  # it may die when all is done
            return
        if code == -signal.SIGKILL:
            kills.update((job, moment))
            times, resume = times + 1, True
        else:
            assert resume, f"{job} ended with {code}: {(place / 'said').read_text()}"
            resume = False  # it was killed before there was anything to go on with


def attempt(
    job: str, place: Path, resume: bool, moment: str = "", seconds: float = 0, writes: int = 0
) -> int:
    """Begin or go on with a run in its own process, and kill it. The exit code, negative for a signal."""
    place.mkdir(parents=True, exist_ok=True)
    if (child := os.fork()) == 0:
        os.setsid()  # so that a second process of DDP dies with it
        os.chdir(place)
        for stream in (1, 2):
            os.dup2(os.open("said", os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        sys.modules["__main__"].__spec__ = importlib.util.find_spec("curriculum.__main__")  # for DDP
        sys.argv = ["curriculum", *([JOBS[job][0], "--resume"] if resume else JOBS[job])]
        if moment not in ("", "random"):
            die_while_writing(moment, writes)
        try:
            curriculum()
        finally:
            sys.stdout.flush()
            os._exit(int(getattr(sys.exc_info()[1], "code", 1) or 0))
    if moment == "random":
        time.sleep(seconds)
        os.killpg(child, signal.SIGKILL)
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


def finished(place: Path) -> Path:
    """The one run below `place` that has its report."""
    (report,) = place.glob("runs/*/**/report.json")
    return report.parent


if __name__ == "__main__":
    end_without_fork()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many kills")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)  # a fork must not find threads in this process
    with tempfile.TemporaryDirectory() as temporary:
        survived, different = campaign(options.count, options.seed, Path(temporary))
    print(f"kills, by engine and by moment: {dict(survived)}")
    print(f"{len(different)} differences {different}")
    sys.exit(bool(different))
