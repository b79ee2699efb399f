"""What a run was made of, written beside its logs. `models/jobs/rerun.py` does it again."""

import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from curriculum import UserError
from curriculum.data import Data
from curriculum.files import write_whole
from models.records.versions import versions

NAME = "manifest.json"
NEEDED = {"job": str, "options": dict, "threads": int}  # to do a run again; the rest is told, not used


def write(folder: Path, job: str, options: dict[str, Any], data: Data, seed: int, device: str) -> None:
    """Write `manifest.json`.

    Args:
        folder: the run's.
        job: "mnist" or "fit".
        options: what is needed to do it again.
        data: what is learned.
        seed: of the first weights and of the order of the digits.
        device: "cpu", "cuda:0" and so on.
    """
    commit = _git("rev-parse", "HEAD") if _is_checkout() else None
    manifest = {
        "job": job,
        "options": options,
        "command": ["curriculum", *sys.argv[1:]],
        "begun": datetime.now(UTC).isoformat(),
        "seed": seed,
        **of_data(data, data.pictures),
        "device": device,
        "threads": torch.get_num_threads(),
        "deterministic algorithms only": torch.are_deterministic_algorithms_enabled(),
        "commit": commit,
        "changed since the commit": _is_changed() if commit else None,
        **this_machine(),
    }
    write_whole(folder / NAME, json.dumps(manifest, indent=2, default=str) + "\n")


def this_machine() -> dict[str, Any]:
    """What decides about the last bits, besides the number of threads."""
    return {"machine": f"{platform.machine()}, {platform.platform()}", "versions": versions()}


def of_data(data: Data, pictures: Mapping[str, int]) -> dict[str, Any]:
    """What manifests, reports and predictions say of the data.

    Args:
        pictures: how many of each part were learned from, or looked at.
    """
    return {
        "data": data.name,
        "data_sha256": data.sha256,
        "data_source": data.source,
        "pictures": dict(pictures),
    }


def read(run: Path) -> dict[str, Any]:
    """A run's manifest; it has at least the keys of `NEEDED`.

    Raises:
        UserError: there is none, or it cannot be read.
    """
    try:
        known = json.loads((run / NAME).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"{run} has no {NAME}, so it is not known how it was made; expected a run of mnist or fit"
        ) from error
    except (OSError, ValueError) as error:
        raise UserError(f"{run / NAME} cannot be read ({error}); expected JSON") from error
    if not isinstance(known, dict):
        known = {}
    for name, kind in NEEDED.items():
        if not isinstance(known.get(name), kind):
            raise UserError(f"{run / NAME} does not tell the run's {name}; expected it as the run wrote it")
    return known


def data_dir_of(known: dict[str, Any]) -> Path | None:
    """Where the run of a manifest found a data set that has a name, as `--data-dir` takes it.

    None where that folder is not there any more: then the set is looked for where all are.
    """
    source = Path(str(known.get("data_source", "")))
    return source.parents[1] if source.name == "raw" and source.is_dir() else None


def refuse_other_data(known: dict[str, Any], sha256: str) -> None:
    """`known`: a run's manifest; `sha256`: of the data that lies at the same place now.

    Raises:
        UserError: the run learned from other data.
    """
    before = known.get("data_sha256", sha256)
    if before != sha256:
        raise UserError(
            f"the run learned from {known.get('data')} with the SHA-256 {before}, "
            f"and what lies there now has {sha256}; bring the same data back, or begin a new run"
        )


def _is_changed() -> bool | None:
    """Whether files differ from the commit; None where git cannot say."""
    said = _git("status", "--porcelain")
    return None if said is None else bool(said)


def _is_checkout() -> bool:
    """Whether git knows this package as a clone, and not as a file of somebody else's repository."""
    top = _git("rev-parse", "--show-toplevel")
    return bool(top) and Path(str(top)).resolve() == Path(__file__).resolve().parents[2]


def _git(*arguments: str) -> str | None:
    """What git says about this package's source; None where it is no checkout or there is no git."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
