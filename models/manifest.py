"""What a run was made of, written beside its logs, and `curriculum rerun`: the same again, bit for bit."""

import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from curriculum import UserError, events
from curriculum.data import Data
from curriculum.files import write_whole
from models.logs import PACKAGES

NAME = "manifest.json"
NEEDED = {"job": str, "options": dict, "threads": int}  # to do a run again; the rest is told, not used


def write(folder: Path, job: str, options: dict[str, Any], data: Data, seed: int, device: str) -> None:
    """Write `manifest.json`. `job`: "mnist" or "fit"; `options`: what is needed to do it again."""
    commit = _git("rev-parse", "HEAD")
    manifest = {
        "job": job,
        "options": options,
        "command": ["curriculum", *sys.argv[1:]],
        "seed": seed,
        "data": data.name,
        "data_sha256": data.sha256,
        "device": device,
        "threads": torch.get_num_threads(),
        "deterministic algorithms only": torch.are_deterministic_algorithms_enabled(),
        "commit": commit,
        "changed since the commit": bool(_git("status", "--porcelain")) if commit else None,
        "machine": f"{platform.machine()}, {platform.platform()}",
        "versions": {"Python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in (*PACKAGES, "numpy")},
    }
    write_whole(folder / NAME, json.dumps(manifest, indent=2, default=str) + "\n")


def read(run: Path) -> dict[str, Any]:
    """A run's manifest. Raises `UserError` where it has none that can be read."""
    try:
        known = json.loads((run / NAME).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(
            f"{run} has no {NAME}, so it is not known how it was made; expected a run of mnist or fit"
        ) from error
    except (OSError, ValueError) as error:
        raise UserError(f"{run / NAME} cannot be read ({error}); expected JSON") from error
    for name, kind in NEEDED.items():
        if not isinstance(known, dict) or not isinstance(known.get(name), kind):
            raise UserError(f"{run / NAME} does not tell the run's {name}; expected it as the run wrote it")
    return known


def _git(*arguments: str) -> str | None:
    """What git says about this package's source; None where it is no checkout or there is no git."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


# ---------------------------------------------------------------- the same again


def rerun(run: Path, log_dir: Path, say: Callable[[str], None]) -> list[str]:
    """Do a run again, as its manifest says; returns what differs, an empty list where all is identical."""
    manifest = read(run)
    if not (run / "report.json").exists():
        raise UserError(f"{run} is not finished; go on with it first: curriculum {manifest['job']} --resume")
    torch.set_num_threads(manifest["threads"])
    again = _mnist(manifest, log_dir, say) if manifest["job"] == "mnist" else _fit(run, log_dir)
    say(f"compared: {run} and {again}")
    found = differences(run, again)
    return [*found, *(changes(manifest, read(again)) if found else [])]


def _mnist(manifest: dict[str, Any], log_dir: Path, say: Callable[[str], None]) -> Path:
    from models import mnist

    options = mnist.from_manifest(manifest, log_dir)
    (report,) = mnist.run(options, say)
    return Path(report.folder)


def _fit(run: Path, log_dir: Path) -> Path:
    from models import fit

    again = fit.main(["fit", "--config", str(run / "config.yaml"), "--log_dir", str(log_dir)])
    assert again is not None  # the first one had a folder, and this one has its configuration
    return again


def differences(one: Path, other: Path) -> list[str]:
    """What differs between two finished runs: weights, bit by bit, and every point of every curve."""
    weights = [safetensors.torch.load_file(run / "model.safetensors") for run in (one, other)]
    found = [] if weights[0].keys() == weights[1].keys() else ["the names of the weights"]
    for name, value in weights[0].items():
        if name in weights[1] and not torch.equal(value, weights[1][name]):
            gap = (value - weights[1][name]).abs().max().item()
            found.append(f"{name} by up to {gap:.1e}")
    curves = [_curves(run) for run in (one, other)]
    for tag in sorted(curves[0].keys() | curves[1].keys()):
        if curves[0].get(tag) != curves[1].get(tag):
            found.append(f"the curve {tag}, {_where(curves[0].get(tag, []), curves[1].get(tag, []))}")
    return found


def _curves(run: Path) -> dict[str, list[tuple[int, str]]]:
    """Steps and values as text, in which not-a-number equals itself; empty for a run without a log."""
    if not any(run.glob(events.EVENT_FILES)):
        return {}
    tags = events.tags(run)["scalars"]
    return {tag: [(point.step, repr(point.value)) for point in events.scalars(run, tag)] for tag in tags}


def _where(one: list[tuple[int, str]], other: list[tuple[int, str]]) -> str:
    for left, right in zip(one, other, strict=False):
        if left != right:
            return f"first at step {left[0]}"
    return f"{len(one)} points and {len(other)}"


def changes(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What the manifests of two runs say that could explain a difference."""
    told = ("versions", "machine", "threads", "device", "data_sha256", "commit", "changed since the commit")
    return [
        f"({name}: {one.get(name)}, then {other.get(name)})"
        for name in told
        if one.get(name) != other.get(name)
    ]
