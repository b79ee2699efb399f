"""The learner's own folder: its start, hints, solutions, and a stub put back. Nothing here imports torch."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from curriculum import UserError, discover
from curriculum.files import write_whole
from curriculum.grader.exercise import Exercise, constant, exercises, stubs
from curriculum.grader.progress import Progress, unused_name
from curriculum.grader.solution import for_learners

LEARNER_FOLDER = Path("exercises")  # where no other is named


def start(folder: Path = LEARNER_FOLDER) -> list[Path]:
    """Copy what is in `lessons/exercises` to `folder`, which git will ignore. Returns the new files.

    Nothing that exists is overwritten.

    Raises:
        UserError: The folder holds the originals, or cannot be written.
    """
    fresh = []
    with own_folder(folder):
        for stub in sorted(stubs().glob("[!_]*.py")):
            copy = folder / stub.name
            if not copy.exists():
                write_whole(copy, stub.read_bytes())
                fresh.append(copy)
    return fresh


@contextlib.contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """While files are written to a folder of the learner's own, which is made where it is not there.

    Raises:
        UserError: The folder holds the originals, or cannot be written.
    """
    _refuse_the_originals(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            write_whole(ignore, "*\n")
        yield
    except OSError as error:
        raise UserError(f"cannot write to {folder} ({error.strerror}); choose another folder") from error


def require_started(folder: Path) -> Path:
    """`folder`, if it is one that the learner has started.

    Raises:
        UserError: It is not, or it holds the originals.
    """
    _refuse_the_originals(folder)
    if not folder.is_dir():
        name = "" if folder == LEARNER_FOLDER else f" {folder}"
        raise UserError(f"there is no folder {folder}; make it with: curriculum start{name}")
    return folder


def reset(exercise: Exercise, folder: Path = LEARNER_FOLDER) -> Path | None:
    """Put the stub back. Returns where the learner's file is kept (`NAME.py.bak-1`, …), if there was one.

    Raises:
        UserError: The folder is not started, or cannot be written.
    """
    path = require_started(folder) / exercise.path.name
    kept = None
    try:
        if path.exists():
            kept = unused_name(path.with_name(f"{path.name}.bak"))
            path.rename(kept)
        write_whole(path, exercise.path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}); free the folder") from error
    Progress.read(folder).change(exercise, passed=False)
    return kept


def hint(exercise: Exercise, folder: Path = LEARNER_FOLDER) -> str:
    """The next hint; after the last one, the last one again.

    Raises:
        UserError: The folder is not started, or cannot be written.
    """
    hints = constant(exercise, "HINTS")
    progress = Progress.read(require_started(folder))
    level = min(progress.hints(exercise) + 1, len(hints))
    progress.change(exercise, hints=level)
    return f"hint {level} of {len(hints)}: {hints[level - 1]}"


def solution(exercise: Exercise, folder: Path = LEARNER_FOLDER, give_up: bool = False) -> str:
    """The solution's source, without what only the grader needs.

    Raises:
        UserError: The exercise is not passed and the learner has not given up.
    """
    if not give_up and not Progress.read(require_started(folder)).passed(exercise):
        raise UserError(
            f"{exercise} is not passed yet; try: curriculum hint {exercise.id}, "
            f"or see the solution with: curriculum solution {exercise.id} --give-up"
        )
    return for_learners(exercise.solution.read_text(encoding="utf-8"))


def rows(folder: Path = LEARNER_FOLDER) -> list[tuple[str, str, str, str, str]]:
    """Every exercise with its progress: id, title, difficulty, minutes, and passed, tried or -.

    Raises:
        UserError: The progress may not be read.
    """
    progress = Progress.read(folder)
    return [
        (
            exercise.id,
            exercise.title,
            f"{exercise.difficulty} of 3",
            str(exercise.minutes),
            progress.state(exercise),
        )
        for exercise in exercises()
    ]


def _refuse_the_originals(folder: Path) -> None:
    if folder.resolve().is_relative_to(discover.FOLDER.resolve()):
        raise UserError(
            f"{folder} holds the originals; choose a folder of your own, for example {LEARNER_FOLDER}"
        )
