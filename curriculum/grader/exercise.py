"""What exercises there are: their stubs in `lessons/exercises`, found by name. Nothing here imports torch."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curriculum import UserError, discover

FILE_NAME = re.compile(r"exercise(?P<id>(?P<lesson>\d\d)[a-z])_(?P<name>[a-z0-9_]+)\.py")
HEADER = re.compile(
    r'"""Exercise (?P<id>\d\d[a-z]) · (?P<title>.+)\n'
    r"\n"
    r"Difficulty: (?P<difficulty>[123]) of 3 · Time: (?P<minutes>\d+) minutes · "
    r"After: lesson (?P<lesson>\d\d)\n"
)


@dataclass(frozen=True)
class Exercise:
    """One exercise: what the name of its stub and the first lines in it say."""

    id: str
    lesson: int
    name: str
    path: Path
    title: str
    difficulty: int
    minutes: int

    @property
    def solution(self) -> Path:
        return self.path.parents[1] / "solutions" / self.path.name

    def __str__(self) -> str:
        return f"{self.id} {self.title}"


def stubs() -> Path:
    """The folder of what is handed out."""
    return discover.FOLDER / "exercises"


def exercises() -> list[Exercise]:
    """All exercises, by id.

    Raises:
        UserError: A file there does not have the form of an exercise.
    """
    return [_read(path) for path in sorted(stubs().glob("exercise[0-9][0-9][a-z]_*.py"))]


def select(which: str) -> list[Exercise]:
    """The exercises that the user means: an id (03a), a lesson (03), a name, a file, or `all`.

    Raises:
        UserError: There is none.
    """
    key = Path(which).name.removesuffix(".py")
    chosen = [exercise for exercise in exercises() if _is_meant(exercise, key)]
    if not chosen:
        raise UserError(f"there is no exercise '{which}'; expected one like 03a (see: curriculum exercises)")
    return chosen


def is_number(name: str) -> bool:
    """Whether it has the form of an exercise's id (03a) or of a lesson's number, not of a folder's name."""
    return re.fullmatch(r"\d{1,2}[a-z]?", name) is not None


def select_one(which: str) -> Exercise:
    """The one exercise that the user means.

    Raises:
        UserError: There is none, or more than one.
    """
    chosen = select(which)
    if len(chosen) > 1:
        raise UserError(f"'{which}' means {len(chosen)} exercises; name one, like {chosen[0].id}")
    return chosen[0]


def constant(exercise: Exercise, name: str) -> Any:
    """A constant of the solution, read without running it: `ANSWER`, `REREAD`, `HINTS` or `AFTER`.

    Raises:
        UserError: The solution has no such constant.
    """
    for node in ast.parse(exercise.solution.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return ast.literal_eval(node.value)
    raise UserError(f"{exercise.solution} has no {name} (see: CONTRIBUTING.md)")


def _is_meant(exercise: Exercise, key: str) -> bool:
    if key.isdigit() and int(key) == exercise.lesson:
        return True
    short = exercise.id.removeprefix("0")  # 3a
    return key in ("all", exercise.id, short, exercise.name, exercise.path.stem)


def _read(path: Path) -> Exercise:
    name = FILE_NAME.fullmatch(path.name)
    header = HEADER.match(path.read_text(encoding="utf-8"))
    if not name or not header or name["id"] != header["id"] or name["lesson"] != header["lesson"]:
        raise UserError(
            f"{path.name}: its name or first lines are not those of an exercise (see: CONTRIBUTING.md)"
        )
    return Exercise(
        id=name["id"],
        lesson=int(name["lesson"]),
        name=name["name"],
        path=path,
        title=header["title"],
        difficulty=int(header["difficulty"]),
        minutes=int(header["minutes"]),
    )
