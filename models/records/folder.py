"""A run's folder: what lies in it, which one is next, and which one was stopped."""

import contextlib
import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from curriculum import UserError
from curriculum.files import write_whole
from curriculum.runs.events import natural
from models.records import manifest

VERSION = "version_"


@dataclass(frozen=True)
class RunFolder:
    """`<root>/<name>/version_N`: the logs and `manifest.json`; while it learns a checkpoint; at the end
    `model.safetensors`, the weights, and `report.json`, the results.

    A run with a manifest and without a report was stopped.
    """

    path: Path

    @classmethod
    def create(cls, root: Path, names: tuple[str, ...]) -> dict[str, "RunFolder"]:
        """A folder for each name, with one number for all of them: the first that no name in `root` has used.

        Raises:
            UserError: `root` cannot be written to.
        """
        try:
            while True:
                version = f"{VERSION}{_next_number(root)}"
                folders = {name: cls(root / name / version) for name in names}
                if all(_make(folder.path) for folder in folders.values()):
                    return folders
        except OSError as error:
            raise UserError(f"cannot write to {root} ({error.strerror}); choose another --log-dir") from error

    @classmethod
    def newest_stopped(cls, root: Path, job: str) -> "RunFolder | None":
        """Of the runs of that job anywhere below `root` that were stopped, the one that began last.

        A folder whose manifest cannot be read is passed over.
        """
        stopped = []
        for path in root.rglob(manifest.NAME):
            folder = cls(path.parent)
            with contextlib.suppress(UserError):
                if not folder.is_finished and folder.manifest["job"] == job:
                    stopped.append(folder)
        return max(stopped, key=cls._begun, default=None)

    @classmethod
    def finished(cls, root: Path) -> list["RunFolder"]:
        """The finished runs anywhere below `root`, the one that began last first.

        What other programs have left there, and what cannot be read, is passed over.
        """
        found = []
        for path in root.rglob(manifest.NAME):
            folder = cls(path.parent)
            with contextlib.suppress(UserError):
                if folder.is_finished and folder.weights.exists():
                    found.append((folder._begun(), folder))
        found.sort(key=lambda pair: pair[0], reverse=True)
        return [folder for _, folder in found]

    def _begun(self) -> tuple[str, list[str | int]]:
        """When it began, for sorting. Runs older than that entry count by their number, before the others.

        What the run wrote, and not the folder's own time: that changes with every file that comes or goes.
        """
        return self.manifest.get("begun", ""), natural(Path(self.path.name))

    @property
    def manifest(self) -> dict[str, Any]:
        """What the run was made of (`models.records.manifest`).

        Raises:
            UserError: there is none, or it cannot be read.
        """
        return manifest.read(self.path)

    @property
    def is_finished(self) -> bool:
        return self.report.exists()

    @property
    def report(self) -> Path:
        return self.path / "report.json"

    @property
    def weights(self) -> Path:
        return self.path / "model.safetensors"

    @property
    def config(self) -> Path:
        """The options of a run of `fit`."""
        return self.path / "config.yaml"

    @property
    def checkpoint(self) -> Path:
        """Of a plain loop, or the result of an engine that is through (`models.records.checkpoint`)."""
        return self.path / "checkpoint.safetensors"

    @property
    def lightning_checkpoint(self) -> Path:
        """Of Lightning in `curriculum mnist`."""
        return self.path / "last.ckpt"

    @property
    def fit_checkpoint(self) -> Path:
        """The last one of a run of `fit`, which keeps its checkpoints."""
        return self.path / "checkpoints" / "last.ckpt"

    def beside(self, name: str) -> "RunFolder":
        """The folder of the same number under another name: another engine of the same run."""
        return RunFolder(self.path.parents[1] / name / self.path.name)

    def finish(self, weights: Mapping[str, Tensor], report: Mapping[str, Any]) -> None:
        """Write weights and results; the run is finished from here on."""
        plain = {name: value.contiguous() for name, value in weights.items()}
        write_whole(self.weights, safetensors.torch.save(plain))
        write_whole(self.report, json.dumps(dict(report), indent=2, default=str) + "\n")

    def load_weights(self) -> dict[str, Tensor]:
        """The parameters by torch's names, as `finish` has written them.

        Raises:
            UserError: they cannot be read.
        """
        try:
            return safetensors.torch.load_file(self.weights)
        except (OSError, safetensors.SafetensorError) as error:
            raise UserError(
                f"{self.weights} cannot be read ({error}); expected the weights as the run wrote them"
            ) from error

    def drop_checkpoints(self) -> None:
        """Remove what a finished run of `mnist` no longer needs."""
        self.checkpoint.unlink(missing_ok=True)
        self.lightning_checkpoint.unlink(missing_ok=True)


def _next_number(root: Path) -> int:
    """The first that no run in `root/<name>` has; names that end in no number do not count."""
    numbers = [path.name.removeprefix(VERSION) for path in root.glob(f"*/{VERSION}*")]
    return max((int(number) for number in numbers if number.isdigit()), default=-1) + 1


def _make(folder: Path) -> bool:
    """Make a folder; False where another run, that begins at this moment, has just made it.

    Raises:
        OSError: it cannot be made, or not be written to.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        if folder.is_dir():
            return False
        raise
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, "Permission denied")
    return True
