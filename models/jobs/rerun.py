"""`curriculum rerun`: a run again, as its manifest says, and compared bit by bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from curriculum import UserError
from curriculum.data import load
from curriculum.data_names import OF_DIGITS
from curriculum.runs.events import EVENT_FILES, EventLog
from models.jobs import mnist
from models.jobs.options import options_of
from models.records import manifest
from models.records.folder import RunFolder

# Entries of a manifest that could explain a difference.
EXPLAIN = ("versions", "machine", "threads", "device", "data_sha256", "commit", "changed since the commit")
Curve = list[tuple[int, str]]  # steps and values


def rerun(run: Path, log_dir: Path, say: Callable[[str], None]) -> list[str]:
    """Do a run again, as its manifest says; returns what differs, an empty list where all is identical.

    Raises:
        UserError: the run is not finished, its manifest, weights or data cannot be read, or a data set of
            one's own has changed.
    """
    folder = RunFolder(run)
    known = folder.manifest
    if not folder.is_finished:
        raise UserError(f"{run} is not finished; go on with it first: curriculum {known['job']} --resume")
    folder.load_weights()  # what cannot be compared is said before the training, not after
    torch.set_num_threads(known["threads"])
    _refuse_other_data_of_ones_own(folder)
    again = _mnist(known, log_dir, say) if known["job"] == "mnist" else _fit(run, log_dir)
    say(f"compared: {run} and {again}")
    found = differences(run, again)
    if found:
        found += changes(known, manifest.read(again))
    return found


def _refuse_other_data_of_ones_own(folder: RunFolder) -> None:
    known = folder.manifest
    which, data_dir = (known["options"].get(name) for name in ("data", "data_dir"))
    if known["job"] == "fit":
        config = yaml.safe_load(folder.config.read_text(encoding="utf-8")) if folder.config.exists() else {}
        which, data_dir = (config.get("data", {}).get(name) for name in ("dataset", "data_dir"))
    if which and which not in OF_DIGITS:
        manifest.refuse_other_data(known, load(which, Path(data_dir) if data_dir else None).sha256)


def _mnist(known: dict[str, Any], log_dir: Path, say: Callable[[str], None]) -> Path:
    (report,) = mnist.run(options_of(known, log_dir), say)
    return Path(report.folder)


def _fit(run: Path, log_dir: Path) -> Path:
    from models.lightning import cli as fit  # takes seconds to import

    again = fit.main(["fit", "--config", str(run / "config.yaml"), "--log_dir", str(log_dir)])
    assert again is not None  # the first one had a folder, and this one has its configuration
    return again


def differences(one: Path, other: Path) -> list[str]:
    """What differs between two finished runs: weights, bit by bit, and every point of every curve.

    Raises:
        UserError: weights or a log cannot be read.
    """
    return [*_differing_weights(one, other), *_differing_curves(one, other)]


def _differing_weights(one: Path, other: Path) -> list[str]:
    ours = RunFolder(one).load_weights()
    theirs = RunFolder(other).load_weights()
    found = []
    if ours.keys() != theirs.keys():
        found.append("the names of the weights")
    for name in sorted(ours.keys() & theirs.keys()):
        if not torch.equal(ours[name], theirs[name]):
            gap = (ours[name] - theirs[name]).abs().max().item()
            found.append(f"{name} by up to {gap:.1e}")
    return found


def _differing_curves(one: Path, other: Path) -> list[str]:
    ours = _curves(one)
    theirs = _curves(other)
    return [
        f"the curve {tag}, {_where(ours.get(tag, []), theirs.get(tag, []))}"
        for tag in sorted(ours.keys() | theirs.keys())
        if ours.get(tag) != theirs.get(tag)
    ]


def _curves(run: Path) -> dict[str, Curve]:
    """Steps and values as text, in which not-a-number equals itself; empty for a run without a log."""
    if not any(run.glob(EVENT_FILES)):
        return {}
    curves = EventLog.read(run).scalars
    return {tag: [(point.step, repr(point.value)) for point in points] for tag, points in curves.items()}


def _where(one: Curve, other: Curve) -> str:
    for left, right in zip(one, other, strict=False):
        if left != right:
            return f"first at step {left[0]}"
    return f"{len(one)} points and {len(other)}"


def changes(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """What the manifests of two runs say that could explain a difference."""
    return [
        f"({name}: {one.get(name)}, then {other.get(name)})"
        for name in EXPLAIN
        if one.get(name) != other.get(name)
    ]
