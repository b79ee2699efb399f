"""Which runs there are, how each ended, and which one a name means. No torch, no browser.

A run is a folder that holds event files, or the manifest or the report of `mnist` and `fit`. So runs with
`--log off` are listed, and those of other programs that write for TensorBoard.
"""

import contextlib
import difflib
import math
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from curriculum import UserError
from curriculum.runs.events import EventLog, event_files, natural
from curriculum.runs.facts import (
    MANIFEST,
    OF_DATA,
    REPORT,
    RESULTS,
    data_of,
    read_log,
    read_manifest,
    read_results,
)
from curriculum.shell import quoted

TRAINED = ("train_loss", "val_loss", "val_acc")  # test_acc stands at the number of steps, these at their step


def find(log_dir: Path) -> list[Path]:
    """Every run under `log_dir`, sorted by path, version_2 before version_10; empty where there is none.

    Links are followed. A run that lies in `log_dir` is found at its own place alone.
    """
    return sorted((folder for folder in _folders(log_dir) if is_run(folder)), key=natural)


def is_run(folder: Path) -> bool:
    return bool(_files_of_a_run(folder))


def rows(log_dir: Path) -> list[dict[str, Any]]:
    """One row per run, the newest last: name, steps, the last of each of RESULTS, when, note, folder.

    Plain values for JSON. What a run lacks is None. A number that JSON has no sign for is text: "nan", "inf".
    `when` is local time in ISO 8601. `note` says what cannot be read, a run's log or a whole folder.

    Raises:
        UserError: there is no run in `log_dir`.
    """
    found = [_row(run, log_dir) for run in find(log_dir)]
    found += [_closed(folder, log_dir) for folder in _folders(log_dir) if not _may_be_read(folder)]
    if not found:
        raise _no_runs(log_dir)
    return sorted(found, key=lambda row: row["when"])


def resolve(name: str, log_dir: Path) -> Path:
    """The run that `name` means: its path, its path inside `log_dir`, or a part of that path.

    A part that fits several versions of one run means the newest: "scratch" is mnist/scratch/version_7.

    Raises:
        UserError: there is no run at all, no run of that name, or more than one.
    """
    for path in (Path(name), log_dir / name):
        if is_run(path):
            return path
    found = find_some(log_dir)
    newest: dict[str, Path] = {}  # of each run the last version, which is the newest
    for run in found:
        inside = label(run, log_dir)
        if _is_part(_inside(name, log_dir), inside):
            newest[inside.rpartition("/version_")[0] or inside] = run
    if len(newest) == 1:
        return newest.popitem()[1]
    if newest:
        names = ", ".join(label(run, log_dir) for run in newest.values())
        raise UserError(f"'{name}' fits more than one run in {log_dir}: {names}; say which one")
    names = ", ".join(_nearest(name, [label(run, log_dir) for run in found]))
    raise UserError(f"there is no run '{name}' in {log_dir}; the nearest: {names}")


def label(run: Path, log_dir: Path) -> str:
    """The run's path inside `log_dir`; its last three names where it lies elsewhere.

    A run that a link in `log_dir` leads to is called by the link.
    """
    whole = run.resolve()
    if whole.is_relative_to(log_dir.resolve()):
        inside = whole.relative_to(log_dir.resolve()).as_posix()
        return whole.name if inside == "." else inside
    if run.is_relative_to(log_dir):
        return run.relative_to(log_dir).as_posix()
    return "/".join(whole.parts[-3:])


def names(runs: list[Path], log_dir: Path) -> dict[Path, str]:
    """Each run once, with its label; with its path where two have the same label."""
    labels = {run: label(run, log_dir) for run in runs}
    if len(set(labels.values())) < len(labels):
        return {run: run.as_posix() for run in runs}
    return labels


def find_some(log_dir: Path) -> list[Path]:
    """What `find` finds.

    Raises:
        UserError: there is no run in `log_dir`.
    """
    found = find(log_dir)
    if not found:
        raise _no_runs(log_dir)
    return found


def _no_runs(log_dir: Path) -> UserError:
    return UserError(
        f"there are no runs in {log_dir}; make some first: curriculum mnist --log-dir {quoted(log_dir)}"
    )


def _folders(log_dir: Path) -> Iterator[Path]:
    """`log_dir` and every folder below it, each once, through links, too."""
    root = Path(os.path.realpath(log_dir))
    seen = set()
    waiting = [log_dir]
    for folder in waiting:  # which grows
        place = Path(os.path.realpath(folder))
        is_a_way_back = place.is_relative_to(root) and place != root / folder.relative_to(log_dir)
        if place in seen or is_a_way_back or not os.path.isdir(place):
            continue
        seen.add(place)
        yield folder
        with contextlib.suppress(OSError):  # `_closed` tells it
            waiting += [path for path in sorted(folder.iterdir()) if os.path.isdir(path)]


def _may_be_read(folder: Path) -> bool:
    try:
        os.listdir(folder)
    except OSError:
        return False
    return True


def _files_of_a_run(folder: Path) -> list[Path]:
    """The files that make a folder a run."""
    ours = [path for path in (folder / MANIFEST, folder / REPORT) if os.path.isfile(path)]
    return event_files(folder) + ours


def _inside(name: str, log_dir: Path) -> str:
    """`name` with slashes, without the log_dir that a shell's completion put before it."""
    with contextlib.suppress(ValueError):
        return Path(name).resolve().relative_to(log_dir.resolve()).as_posix()
    return name.replace(os.sep, "/")


def _is_part(name: str, inside: str) -> bool:
    """Whole names only: "torch" is part of mnist/torch/version_0, not of mnist/torch_old/version_0."""
    return name == "." or f"/{name.strip('/')}/" in f"/{inside}/"


def _nearest(name: str, names: list[str]) -> list[str]:
    return difflib.get_close_matches(name, names, n=3, cutoff=0.0)


# ---------------------------------------------------------------- one row


def _row(run: Path, log_dir: Path) -> dict[str, Any]:
    note = None
    try:
        log = read_log(run)
    except UserError as error:  # a run that cannot be read hides no other run
        log = EventLog(run)
        note = str(error)
    results = {name: for_json(value) for name, value in read_results(run, log).items()}
    known = {"steps": _steps(log), **dict.fromkeys(RESULTS), **results}
    about = {
        **data_of(run),
        "when": _when(run, log).isoformat(),
        "note": note,
        "folder": str(run),
    }
    return {"name": label(run, log_dir), **known, **about}


def _closed(folder: Path, log_dir: Path) -> dict[str, Any]:
    """The row of a folder that nobody can look into: there may be runs in it."""
    known = dict.fromkeys(("steps", *RESULTS, *OF_DATA))
    when = datetime.fromtimestamp(os.lstat(folder).st_mtime).isoformat()
    note = f"the folder {folder} cannot be read; make it readable to see what is in it"
    return {"name": label(folder, log_dir), **known, "when": when, "note": note, "folder": str(folder)}


def _when(run: Path, log: EventLog) -> datetime:
    """Local time: of the newest event; where there is no log, when it began; else of its newest file."""
    with contextlib.suppress(ValueError, OverflowError, OSError):  # another program's clock
        if log.wall_time:
            return datetime.fromtimestamp(log.wall_time)
    with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError):
        return datetime.fromisoformat(read_manifest(run)["begun"]).astimezone().replace(tzinfo=None)
    return datetime.fromtimestamp(max(os.lstat(file).st_mtime for file in _files_of_a_run(run)))


def _steps(log: EventLog) -> int | None:
    """How many steps the run has trained for. Steps count from 0; None where nothing was trained."""
    return max((log.scalars[tag][-1].step + 1 for tag in TRAINED if tag in log.scalars), default=None)


def for_json(value: Any) -> Any:
    """The value with text in the place of the numbers that JSON has no sign for: "nan", "inf", "-inf"."""
    if isinstance(value, dict):
        return {name: for_json(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [for_json(inner) for inner in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
