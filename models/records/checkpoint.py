"""Runs that can be stopped: checkpoints of the plain loops, and Ctrl-C between two steps.

A checkpoint is a safetensors file, so that reading it runs no code, with facts and a checksum in its header.
"""

import hashlib
import json
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from curriculum import Stopped, UserError
from curriculum.files import write_whole

NAME = "checkpoint.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name, and facts that JSON can hold."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


def save(path: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all."""
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
    """Read a checkpoint that `save` has written.

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
            f"{path} is damaged or no checkpoint of ours ({error}); delete it to begin anew"
        ) from error
    if header.get("sha256") != _digest(tensors, header.get("facts", "")):
        raise UserError(
            f"{path} is damaged or no checkpoint of ours (wrong checksum); delete it to begin anew"
        )
    return Checkpoint(tensors, json.loads(header["facts"]))


def _digest(tensors: dict[str, Tensor], text: str) -> str:
    return hashlib.sha256(safetensors.torch.save(tensors) + text.encode()).hexdigest()


class Stop:
    """Takes note of Ctrl-C and SIGTERM, so that a run ends between two steps. A second one ends it at once.

    Works in the main thread, where Python hears signals; elsewhere it changes nothing.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Stop":
        self.listen()
        return self

    def __exit__(self, *_: Any) -> None:
        self.restore()

    def listen(self) -> None:
        """Take the signals over, also from a library that has taken them meanwhile."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before.setdefault(number, signal.getsignal(number))
                signal.signal(number, self._note)

    def restore(self) -> None:
        """Let the signals do again what they did before."""
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._before.items():
                signal.signal(number, handler or signal.SIG_DFL)  # Python has no name for another language's

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            os.write(sys.stderr.fileno(), b"\ncurriculum: interrupted again, ended at once\n")
            os._exit(128 + number)
        self.signal = number

    def stopped(self, message: str) -> Stopped:
        """What to raise when all is saved. The exit code is the shell's for that signal."""
        return Stopped(message, 128 + (self.signal or 0))
