"""Checkpoints of the plain loops, and the results of engines that are through.

A checkpoint is a safetensors file, so that reading it runs no code, with facts and a checksum in its header.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from curriculum import UserError
from curriculum.files import write_whole

WEIGHT = "weight "  # before a parameter's name: the losses lie beside them


@dataclass(frozen=True)
class TrainingState:
    """What one engine has learned so far, and what was measured.

    losses: (steps,), of every step so far.
    weights: the parameters by torch's names.
    val_acc: the share of validation digits that were right at the end of the last whole epoch.
    seconds: of training, with validation and logging.
    test_acc: the same share of the test digits; None until the engine is through.
    log: sizes of its event files, in bytes; None where a checkpoint does not tell.
    """

    losses: Tensor
    weights: dict[str, Tensor]
    val_acc: float
    seconds: float
    test_acc: float | None = None
    log: dict[str, int] | None = None


def save_state(path: Path, state: TrainingState) -> None:
    """Write a checkpoint, whole or not at all.

    Raises:
        UserError: there is no room, or no permission.
    """
    tensors = {"losses": state.losses}
    for name, value in state.weights.items():
        tensors[WEIGHT + name] = value
    facts: dict[str, Any] = {"val_acc": state.val_acc, "seconds": state.seconds}
    if state.test_acc is not None:
        facts["test_acc"] = state.test_acc
    if state.log is not None:
        facts["log"] = state.log
    save(path, tensors, facts)


def load_state(path: Path) -> TrainingState | None:
    """What `save_state` has written; None where there is no file.

    Raises:
        UserError: it cannot be read, is damaged, or is another kind of file.
    """
    if not path.exists():
        return None
    saved = load(path)
    return TrainingState(
        losses=saved.tensors["losses"],
        weights={
            key.removeprefix(WEIGHT): value for key, value in saved.tensors.items() if key.startswith(WEIGHT)
        },
        val_acc=saved.facts["val_acc"],
        seconds=saved.facts["seconds"],
        test_acc=saved.facts.get("test_acc"),
        log=saved.facts.get("log"),
    )


# ---------------------------------------------------------------- the file


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name, and facts that JSON can hold."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def save(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write tensors and facts, whole or not at all.

    Raises:
        UserError: there is no room, or no permission.
    """
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    text = json.dumps(facts)
    header = {"facts": text, "sha256": _digest(plain, text)}
    try:
        write_whole(path, safetensors.torch.save(plain, header))
    except OSError as error:
        raise UserError(
            f"cannot write {path} ({error.strerror}); make room, or choose another --log-dir"
        ) from error


def load(path: Path) -> Checkpoint:
    """Read what `save` has written.

    Raises:
        UserError: it cannot be read, is damaged, or is another kind of file.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dictionary)
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror}); expected a checkpoint") from error
    except safetensors.SafetensorError as error:
        raise UserError(
            f"{path} is damaged or no checkpoint of ours ({error}); move it elsewhere to begin anew"
        ) from error
    if header.get("sha256") != _digest(tensors, header.get("facts", "")):
        raise UserError(
            f"{path} is damaged or no checkpoint of ours (wrong checksum); move it elsewhere to begin anew"
        )
    return Checkpoint(tensors, json.loads(header["facts"]))


def _digest(tensors: dict[str, Tensor], text: str) -> str:
    return hashlib.sha256(safetensors.torch.save(tensors) + text.encode()).hexdigest()
