"""`curriculum rerun`: a run again, as its manifest says, and compared bit by bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from curriculum import UserError
from curriculum.runs.events import EVENT_FILES, EventLog
from models.jobs import mnist
from models.records import manifest


def rerun(run: Path, log_dir: Path, say: Callable[[str], None]) -> list[str]:
    """Do a run again, as its manifest says; returns what differs, an empty list where all is identical."""
    known = manifest.read(run)
    if not (run / "report.json").exists():
        raise UserError(f"{run} is not finished; go on with it first: curriculum {known['job']} --resume")
    _weights(run)  # what cannot be compared is said before the training, not after
    torch.set_num_threads(known["threads"])
    again = _mnist(known, log_dir, say) if known["job"] == "mnist" else _fit(run, log_dir)
    say(f"compared: {run} and {again}")
    found = differences(run, again)
    return [*found, *(changes(known, manifest.read(again)) if found else [])]


def _mnist(known: dict[str, Any], log_dir: Path, say: Callable[[str], None]) -> Path:
    options = mnist.from_manifest(known, log_dir)
    (report,) = mnist.run(options, say)
    return Path(report.folder)


def _fit(run: Path, log_dir: Path) -> Path:
    from models.lightning import cli as fit  # takes seconds to import

    again = fit.main(["fit", "--config", str(run / "config.yaml"), "--log_dir", str(log_dir)])
    assert again is not None  # the first one had a folder, and this one has its configuration
    return again


def differences(one: Path, other: Path) -> list[str]:
    """What differs between two finished runs: weights, bit by bit, and every point of every curve."""
    weights = [_weights(run) for run in (one, other)]
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


def _weights(run: Path) -> dict[str, torch.Tensor]:
    path = run / "model.safetensors"
    try:
        return safetensors.torch.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise UserError(
            f"{path} cannot be read ({error}); expected the weights as the run wrote them"
        ) from error


def _curves(run: Path) -> dict[str, list[tuple[int, str]]]:
    """Steps and values as text, in which not-a-number equals itself; empty for a run without a log."""
    if not any(run.glob(EVENT_FILES)):
        return {}
    curves = EventLog.read(run).scalars
    return {tag: [(point.step, repr(point.value)) for point in points] for tag, points in curves.items()}


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
