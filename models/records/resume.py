"""What a run that goes on needs: to be alone, the surroundings of its beginning, and nothing from after its
checkpoint."""

import contextlib
import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter

from curriculum import UserError
from curriculum.runs.events import EVENT_FILES, end_before
from models.records.manifest import this_machine

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PROJECTOR = "projector_config.pbtxt"


@contextlib.contextmanager
def alone(run: Path) -> Iterator[None]:
    """Hold a run's folder, so that no second process writes to it. The hold ends with the process.

    On Windows, which holds no folders, it does nothing.

    Raises:
        UserError: another process holds it.
    """
    if fcntl is None:
        yield
        return
    folder = os.open(run, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(folder)
        raise UserError(
            f"another process is at work on {run}; wait until it has ended, or stop it with Ctrl-C"
        ) from error
    except OSError:  # a file system without locks
        pass
    try:
        yield
    finally:
        os.close(folder)


def restore_surroundings(known: dict[str, Any], say: Callable[[str], None]) -> None:
    """Compute with as many threads as the run began with, and say what else is not as it was.

    Args:
        known: the run's manifest.
        say: gets a line for each thing that has changed and may change the last bits.
    """
    torch.set_num_threads(known["threads"])
    now = this_machine()
    for name, before in known.items():
        if name in now and now[name] != before:
            say(f"note: the last bits may differ: the run began with {name} {before}, now it is {now[name]}")


@dataclass(frozen=True)
class Mark:
    """How far a run was when its checkpoint was written.

    step: how many steps it had taken.
    sizes: of its event files by name, in bytes; None in checkpoints that do not tell.
    """

    step: int
    sizes: Mapping[str, int] | None


BEGINNING = Mark(0, {})


def log_sizes(run: Path) -> dict[str, int]:
    """What a `Mark` keeps of a log that was brought to the disk."""
    return {file.name: file.stat().st_size for file in run.glob(EVENT_FILES)}


def take_back(run: Path, mark: Mark) -> None:
    """Take back what a stopped run has logged since its checkpoint was written.

    The event files are cut, so that every reader sees the same. A TensorBoard that is open forgets what it
    has read only where a second mark of a new session follows a first; so two are written.

    Raises:
        UserError: a log cannot be changed, because another program holds it open (on Windows).
    """
    files = list(run.glob(EVENT_FILES))
    for file in files:
        try:
            keep = end_before(file, mark.step) if mark.sizes is None else mark.sizes.get(file.name, 0)
            if keep:
                os.truncate(file, keep)
            else:
                file.unlink()
        except OSError as error:
            raise UserError(
                f"{file} cannot be changed ({error.strerror}) to go on with the run; close TensorBoard first"
            ) from error
    if mark.step and files:
        for _ in range(2):
            SummaryWriter(str(run), purge_step=mark.step).close()
    _take_back_projector(run)


def _take_back_projector(run: Path) -> None:
    """It is written once, at the end, beside a folder that bears the step."""
    (run / PROJECTOR).unlink(missing_ok=True)
    for tensors in run.glob("*/*/tensors.tsv"):
        shutil.rmtree(tensors.parents[1])


def remove_unknown(folder: Path, known: Collection[str]) -> None:
    """Of a folder's checkpoints, remove those that the last one does not know: they were made after it.

    Args:
        folder: where `last.ckpt` lies.
        known: the names of the files that it knows.
    """
    for path in folder.glob("*.ckpt"):
        if path.name != "last.ckpt" and path.name not in known:
            path.unlink()
