"""Find the lessons by their file names and read their headers, without importing them."""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from curriculum import UserError

if TYPE_CHECKING:
    from curriculum.pair import Pair

FOLDER = Path(__file__).parents[1] / "lessons"

FILE_NAME = re.compile(r"lesson(\d\d)_([a-z_]+)\.py")
HEADER = re.compile(
    r"# %% \[markdown\]\n"
    r"# # Lesson (?P<number>\d\d) · (?P<title>.+)\n"
    r"#\n"
    r"# \*(?P<question>.+)\*\n"
    r"#\n"
    r"# Needs: (?P<needs>.+) · Time: (?P<minutes>\d+) minutes\n"
)


@dataclass(frozen=True)
class Lesson:
    """One lesson: what its file name and its first cell say."""

    number: int
    name: str
    path: Path
    title: str
    question: str
    needs: str
    minutes: int

    @property
    def module_name(self) -> str:
        return f"lessons.{self.path.stem}"

    @property
    def folder_name(self) -> str:
        """Where its figures go, below `runs/`."""
        return f"lesson{self.number:02}"

    def load(self) -> ModuleType:
        return importlib.import_module(self.module_name)

    def pairs(self) -> "list[Pair]":
        return list(self.load().PAIRS)

    def demos(self) -> list[Callable[[], Any]]:
        """The lesson's own demos, in the order of the text."""
        marked = [value for value in vars(self.load()).values() if getattr(value, "is_demo", False)]
        return [function for function in marked if function.__module__ == self.module_name]


def lessons() -> list[Lesson]:
    """All lessons, by number.

    Raises:
        UserError: the name or the first cell of a file is not that of a lesson.
    """
    return [_read(path) for path in sorted(FOLDER.glob("lesson[0-9][0-9]_*.py"))]


def select(which: str) -> list[Lesson]:
    """The lessons that the user means: a number, a name, or `all`.

    Raises:
        UserError: there is no such lesson.
    """
    found = lessons()
    if which == "all":
        return found
    for lesson in found:
        if which in (str(lesson.number), f"{lesson.number:02}", lesson.name):
            return [lesson]
    numbers = ", ".join(str(lesson.number) for lesson in found)
    raise UserError(
        f"there is no lesson '{which}'; expected all, a name, or one of {numbers} (see: curriculum list)"
    )


def _read(path: Path) -> Lesson:
    name = FILE_NAME.fullmatch(path.name)
    header = HEADER.match(path.read_text(encoding="utf-8"))
    if not name or not header or name[1] != header["number"]:
        raise UserError(f"{path.name}: its name or first cell is not that of a lesson (see: CONTRIBUTING.md)")
    return Lesson(
        number=int(name[1]),
        name=name[2],
        path=path,
        title=header["title"],
        question=header["question"],
        needs=header["needs"],
        minutes=int(header["minutes"]),
    )
