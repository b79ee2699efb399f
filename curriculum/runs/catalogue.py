"""Which runs there are, how each ended, and which one a name means. No torch, no browser."""

import contextlib
import difflib
import math
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from curriculum import UserError
from curriculum.runs.events import EVENT_FILES, EventLog, natural
from curriculum.runs.facts import RESULTS

TRAINED = ("train_loss", "val_loss", "val_acc")  # test_acc stands at the number of steps, these at their step


def find(log_dir: Path) -> list[Path]:
    """Every run under `log_dir`, sorted by path, version_2 before version_10; empty where there is none."""
    return sorted({file.parent for file in log_dir.rglob(EVENT_FILES)}, key=natural)


def rows(log_dir: Path) -> list[dict[str, Any]]:
    """One row per run, the newest last: name, steps, the last of each of RESULTS, when, folder.

    Plain values for JSON. What a run lacks, and all of a run that cannot be read, is None. A number that JSON
    has no sign for is text: "nan", "inf". `when` is local time in ISO 8601.

    Raises:
        UserError: there is no run in `log_dir`.
    """
    return sorted((_row(run, log_dir) for run in _find(log_dir)), key=lambda row: row["when"])


def resolve(name: str, log_dir: Path) -> Path:
    """The run that `name` means: its path, its path inside `log_dir`, or a part of that path.

    A part that fits several versions of one run means the newest: "scratch" is mnist/scratch/version_7.

    Raises:
        UserError: there is no run at all, no run of that name, or more than one.
    """
    for path in (Path(name), log_dir / name):
        if any(path.glob(EVENT_FILES)):
            return path
    found = _find(log_dir)
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
    """The run's path inside `log_dir`; its last three names where it lies elsewhere."""
    whole = run.resolve()
    if not whole.is_relative_to(log_dir.resolve()):
        return "/".join(whole.parts[-3:])
    inside = whole.relative_to(log_dir.resolve()).as_posix()
    return whole.name if inside == "." else inside


def _find(log_dir: Path) -> list[Path]:
    found = find(log_dir)
    if not found:
        raise UserError(
            f"there are no runs in {log_dir}; make some first: curriculum mnist --log-dir {log_dir}"
        )
    return found


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
    row: dict[str, Any] = {"name": label(run, log_dir), "steps": None, **dict.fromkeys(RESULTS)}
    try:
        log = EventLog.read(run)
    except UserError:  # a run that cannot be read hides no other run
        when = max(file.lstat().st_mtime for file in run.glob(EVENT_FILES))
    else:
        when = log.wall_time
        final = log.final()
        row["steps"] = _steps(log)
        row |= {name: _for_json(final[name]) for name in RESULTS if name in final}
    return row | {"when": datetime.fromtimestamp(when).isoformat(), "folder": str(run)}


def _steps(log: EventLog) -> int | None:
    """How many steps the run has trained for. Steps count from 0; None where nothing was trained."""
    return max((log.scalars[tag][-1].step + 1 for tag in TRAINED if tag in log.scalars), default=None)


def _for_json(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
