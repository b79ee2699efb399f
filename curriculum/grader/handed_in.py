"""What a class has handed in: which file of a learner's is meant for which exercise, and what else there is.

One rule. A file is meant for an exercise if `exercise03a`, or what that exercise's number is, stands in its
name and the name ends in .py or .ipynb, in capitals or not: so the names that learning platforms and copies
make are understood. Of several, the one that is named as it was handed out goes first, then the one that lies
least deep. What is packed as a zip file is unpacked. Everything else is told. Nothing here imports torch.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curriculum import UserError
from curriculum.grader.exercise import Exercise, exercises, stubs
from curriculum.grader.packed import unpack

NAMED = re.compile(r"exercise[ _-]*(?P<lesson>\d{1,2})(?P<letter>[a-z])(?![a-z0-9])", re.IGNORECASE)
ADVICE = {
    **dict.fromkeys((".zip", ".7z", ".rar", ".tar", ".gz", ".tgz"), "packed: unpack it"),
}
GRADED = (".py", ".ipynb")
NAMES_TOLD = 6  # of the files that are meant for no exercise


@dataclass(frozen=True)
class HandedIn:
    """One learner's file for one exercise, or what there is in its place.

    Attributes:
        exercise: None where `note` tells of what is meant for no exercise.
        file: what is to be graded; None where nothing is.
        note: what a teacher should know: a name that is not the one handed out, or why nothing is graded.
    """

    learner: str
    exercise: Exercise | None
    file: Path | None
    note: str


def handed_in(folder: Path, unpacked: Path) -> list[HandedIn]:
    """All that lies in `folder`, at least one entry per learner, by their names.

    A learner is a folder, or what stands before `exercise03a` in the names of files that lie in none. What is
    packed is written below the folder `unpacked`.

    Raises:
        UserError: `folder` is none, or empty.
    """
    found = [path for path in sorted(folder.iterdir()) if _is_visible(path.name)] if folder.is_dir() else []
    if not found:
        raise UserError(
            f"{folder} holds no folders and no files; expected one folder per learner, with exercises in it"
        )
    entries = []
    loose: dict[str, list[Path]] = {}
    for path in found:
        if path.is_dir():
            entries += _of_folder(path, unpacked / path.name)
        else:
            files = loose.setdefault(_learner_of(path, folder), [])
            files += _unpacked(path, unpacked / path.name)
    for learner, files in loose.items():
        entries += _of_files(learner, files)
    return sorted(entries, key=lambda entry: entry.learner)


def _of_folder(folder: Path, unpacked: Path) -> list[HandedIn]:
    learner = _without_moodles_words(folder.name)
    files = []
    try:
        for file in _files(folder):
            files += _unpacked(file, unpacked / file.relative_to(folder))
    except OSError as error:
        return [HandedIn(learner, None, None, f"{error.filename} cannot be read ({error.strerror})")]
    return _of_files(learner, files)


def _files(folder: Path) -> Iterator[Path]:
    """Every file below `folder`, but those that systems and Python leave there.

    Raises:
        OSError: a folder cannot be read.
    """
    for place, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = sorted(filter(_is_visible, folders))
        yield from (Path(place) / name for name in sorted(filter(_is_visible, names)))


def _unpacked(file: Path, into: Path) -> list[Path]:
    """The file; if it is packed, what it holds."""
    if file.suffix.lower() != ".zip" or unpack(file, into):
        return [file]
    return list(_files(into))


def _raise(error: OSError) -> None:
    raise error


def _is_visible(name: str) -> bool:
    return not name.startswith((".", "__"))  # .DS_Store, __MACOSX, __pycache__


def _learner_of(file: Path, folder: Path) -> str:
    """Who has handed in a file that lies in no folder. A packed one is as good as a folder.

    Canvas names it `lovelaceada_123_456_exercise03a-1.py`; 123 is the learner's number, 456 the file's.
    """
    named = NAMED.search(file.name)
    if not named:
        packed = file.suffix.lower() == ".zip"
        return _without_moodles_words(file.stem) if packed else file.name
    before = _without_moodles_words(file.name[: named.start()]).rstrip(" _-")
    return re.sub(r"(?:_LATE)?(_\d+)_\d+$", r"\1", before) or folder.resolve().name


def _without_moodles_words(name: str) -> str:
    """`Ada Lovelace_12345_assignsubmission_file_` is Ada Lovelace_12345."""
    return name.partition("_assignsubmission")[0]


# ---------------------------------------------------------------- one learner's files


def _of_files(learner: str, files: list[Path]) -> list[HandedIn]:
    entries = []
    left = [file for file in files if not (stubs() / file.name).exists()]
    for exercise in exercises():
        candidates = [file for file in files if _is_meant(file, exercise)]
        left = [file for file in left if file not in candidates]
        if candidates:
            entries.append(_for_exercise(learner, exercise, candidates))
    if not files:
        entries.append(HandedIn(learner, None, None, "nothing was handed in, the folder is empty"))
    elif left:
        entries.append(HandedIn(learner, None, None, f"no exercise's name: {_told(left)}"))
    elif not entries:
        entries.append(HandedIn(learner, None, None, f"no exercise is among {_told(files)}"))
    return entries


def _is_meant(file: Path, exercise: Exercise) -> bool:
    named = NAMED.search(file.name)
    return named is not None and f"{int(named['lesson']):02}{named['letter'].lower()}" == exercise.id


def _for_exercise(learner: str, exercise: Exercise, candidates: list[Path]) -> HandedIn:
    def rank(file: Path) -> tuple[bool, int]:
        return _is_renamed(file, exercise), len(file.parts)

    answers = [file for file in candidates if file.suffix.lower() in GRADED and file.is_file()]
    if not answers:
        return HandedIn(learner, exercise, None, f"no .py file and no notebook: {_told(candidates)}")
    first = min(map(rank, answers))
    best = [file for file in answers if rank(file) == first]
    if _differ(best):
        return HandedIn(learner, exercise, None, f"several files, keep one: {_told(best)}")
    note = f"graded {best[0].name}" if _is_renamed(best[0], exercise) else ""
    return HandedIn(learner, exercise, best[0], note)


def _is_renamed(file: Path, exercise: Exercise) -> bool:
    """Whether its name is not the one that was handed out, as a file or as a notebook."""
    return file.stem != exercise.path.stem or file.suffix not in GRADED


def _differ(files: list[Path]) -> bool:
    try:
        return len({file.read_bytes() for file in files}) > 1
    except OSError:  # one of them cannot be read
        return len(files) > 1


def _told(files: list[Path]) -> str:
    names = []
    for file in files[:NAMES_TOLD]:
        advice = ADVICE.get(file.suffix.lower())
        names.append(f"{file.name} ({advice})" if advice else file.name)
    more = len(files) - NAMES_TOLD
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
