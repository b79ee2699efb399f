"""What a learner has done, in a file of the learner's folder. Nothing here imports torch."""

import itertools
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curriculum import UserError
from curriculum.files import write_whole
from curriculum.grader.exercise import Exercise, exercises

FILE_NAME = ".progress.json"


@dataclass
class Progress:
    """The progress in one folder. `entries`: `passed`, `tries` and `hints`, by the exercise's id."""

    folder: Path
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> "Progress":
        """What is written in `folder`. A damaged file is set aside, and one line says so.

        Raises:
            UserError: The file may not be read, or not be set aside.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            return cls(folder)
        try:
            return cls(folder, _entries(path))
        except ValueError:
            _set_aside(path)
            return cls(folder)
        except OSError as error:
            raise UserError(f"cannot read {path} ({error.strerror}); free the file") from error

    def passed(self, exercise: Exercise) -> bool:
        return bool(self._entry(exercise).get("passed"))

    def tries(self, exercise: Exercise) -> int:
        return int(self._entry(exercise).get("tries", 0))

    def hints(self, exercise: Exercise) -> int:
        """How many hints were shown."""
        return int(self._entry(exercise).get("hints", 0))

    def state(self, exercise: Exercise) -> str:
        """In one word: passed, tried or -."""
        if self.passed(exercise):
            return "passed"
        return "tried" if self.tries(exercise) else "-"

    def first_open(self) -> Exercise | None:
        """The first exercise that is not passed yet."""
        for exercise in exercises():
            if not self.passed(exercise):
                return exercise
        return None

    def change(self, exercise: Exercise, **changes: Any) -> None:
        """Write `changes` to the exercise's entry: all of it, or nothing.

        Raises:
            UserError: The folder cannot be written.
        """
        self.entries[exercise.id] = self._entry(exercise) | changes
        path = self.folder / FILE_NAME
        try:
            write_whole(path, json.dumps(self.entries, indent=2, sort_keys=True))
        except OSError as error:
            raise UserError(f"cannot write {path} ({error.strerror}); free the folder") from error

    def _entry(self, exercise: Exercise) -> dict[str, Any]:
        return self.entries.get(exercise.id, {})


def unused_name(path: Path) -> Path:
    """The first of `path`-1, `path`-2, … that does not exist."""
    for number in itertools.count(1):
        numbered = path.with_name(f"{path.name}-{number}")
        if not numbered.exists():
            return numbered
    raise AssertionError("counting does not end")


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    """Raises ValueError where the file does not hold what `change` writes."""
    entries = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise ValueError("not entries by exercise")
    return entries


def _set_aside(path: Path) -> None:
    aside = path.with_name(f"{path.name}.damaged")
    if aside.exists():
        aside = unused_name(aside)
    try:
        path.rename(aside)
    except OSError as error:
        raise UserError(f"{path} is damaged and cannot be renamed ({error.strerror}); remove it") from error
    print(
        f"{path} was damaged: it is now {aside}, and progress begins anew (curriculum check all)",
        file=sys.stderr,
    )
