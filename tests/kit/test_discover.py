"""Lessons are found by their file names and told by their first cells."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from curriculum import UserError, discover
from curriculum.discover import Lesson, lessons, select

CELL = """# %% [markdown]
# # Lesson {number} · A title
#
# *A question?*
#
# Needs: nothing · Time: 20 minutes
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two lessons, written in the wrong order, and what is no lesson."""
    for number, name in (("12", "later"), ("03", "sooner")):
        (tmp_path / f"lesson{number}_{name}.py").write_text(CELL.format(number=number), encoding="utf-8")
    (tmp_path / "README.md").write_text("no lesson")
    (tmp_path / "helper.py").write_text("no lesson")
    monkeypatch.setattr(discover, "FOLDER", tmp_path)
    return tmp_path


def test_lessons_come_by_number(folder: Path) -> None:
    assert [lesson.number for lesson in lessons()] == [3, 12]
    assert lessons()[0] == Lesson(
        number=3,
        name="sooner",
        path=folder / "lesson03_sooner.py",
        title="A title",
        question="A question?",
        needs="nothing",
        minutes=20,
    )
    assert lessons()[0].module_name == "lessons.lesson03_sooner"
    assert lessons()[0].folder_name == "lesson03"


@pytest.mark.parametrize("which", ["3", "03", "sooner"])
def test_a_lesson_is_chosen_by_number_or_name(folder: Path, which: str) -> None:
    assert [lesson.number for lesson in select(which)] == [3]


def test_all_are_chosen(folder: Path) -> None:
    assert [lesson.number for lesson in select("all")] == [3, 12]


@pytest.mark.parametrize("which", ["2", "1", "late", "", "lesson03"])
def test_what_is_no_lesson_is_told_which_there_are(folder: Path, which: str) -> None:
    with pytest.raises(UserError, match=r"no lesson '.*'; expected all, a name, or one of 3, 12 \(see"):
        select(which)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("lesson04_x.py", CELL.format(number="05")),
        ("lesson04_X.py", CELL.format(number="04")),
        ("lesson04_x.py", "# %% [markdown]\n# # A lesson without a number\n"),
    ],
    ids=["another number", "capitals", "another first cell"],
)
def test_a_file_that_does_not_tell_is_named(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=f"{name}: its name or first cell"):
        lessons()


LESSON_OF_TWO = """
from curriculum.demo import demo
from lessons.lesson02_circuits import who_fires

@demo
def zebra(): ...

def helper(): ...

@demo
def ant(): ...
"""


def test_a_lesson_has_its_own_demos_in_their_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those that it imports from the lessons before."""
    lesson = lessons()[0]
    module = ModuleType(lesson.module_name)
    exec(LESSON_OF_TWO, vars(module))
    monkeypatch.setitem(sys.modules, lesson.module_name, module)
    assert [function.__name__ for function in lesson.demos()] == ["zebra", "ant"]
