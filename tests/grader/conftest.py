"""The tiny exercise of `tests.support.double`, and ways to hand in an answer to it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from curriculum import discover
from curriculum.grader import child, learner, process
from curriculum.grader.exercise import Exercise, select_one
from curriculum.grader.process import Child
from curriculum.grader.verdict import Verdict
from tests.support import double


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose `lessons` hold two tiny exercises."""
    double.build(tmp_path / "lessons")
    monkeypatch.setattr(discover, "FOLDER", tmp_path / "lessons")
    return tmp_path


@pytest.fixture
def mine(house: Path) -> Path:
    """The learner's own folder, started."""
    learner.start(house / "mine")
    return house / "mine"


class Here(Child):
    """Does in this process what a child does."""

    def __init__(self) -> None: ...

    def grade(self, exercise: Exercise, file: Path, seconds: float = 60) -> Verdict:
        return child.grade(str(file.resolve()), child.load(str(exercise.solution), "solution"))

    def close(self) -> None: ...


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """No processes are started."""
    monkeypatch.setattr(process, "Child", Here)


@pytest.fixture
def say(mine: Path) -> Callable[[str], Verdict]:
    """Hand in a text, get the verdict of this process."""

    def graded(text: str) -> Verdict:
        file = mine / "exercise01a_double.py"
        file.write_text(text, encoding="utf-8")
        return Here().grade(select_one("01a"), file)

    return graded


@pytest.fixture
def give(mine: Path) -> Callable[..., Verdict]:
    """Hand in a text to a process of its own, get the verdict. Seconds of computing: for few tests."""

    def graded(text: str, seconds: float = 60) -> Verdict:
        file = mine / "exercise01a_double.py"
        file.write_text(text, encoding="utf-8")
        return Child().grade(select_one("01a"), file, seconds)

    return graded
