"""`curriculum new` writes a lesson that passes the generic checks, and says what is missing."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from curriculum import UserError, discover
from curriculum.authoring import new
from curriculum.grader import exercise as exercises
from curriculum.grader.judge import judge
from curriculum.pair import compare


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the two pages and nothing else."""
    (tmp_path / "lessons").mkdir()
    (tmp_path / "tests").mkdir()
    for page in ("README.md", "lessons/README.md", "pyproject.toml"):
        shutil.copyfile(discover.FOLDER.parent / page, tmp_path / page)
    return tmp_path


def load(path: Path):  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_installed_package_gets_no_lesson(house: Path) -> None:
    (house / "pyproject.toml").unlink()
    before = sorted(house.rglob("*"))
    with pytest.raises(UserError, match="is an installed package; a lesson is begun in a clone"):
        new.start("30_convolution", house)
    assert sorted(house.rglob("*")) == before


def test_the_skeleton_is_a_lesson_that_agrees(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lesson, test, *_ = new.start("30_convolution", house)
    assert (lesson.name, test.name) == ("lesson30_convolution.py", "test_lesson30.py")
    monkeypatch.setattr(discover, "FOLDER", house / "lessons")
    (found,) = discover.lessons()
    assert (found.number, found.minutes) == (30, 20)
    for pair in load(lesson).PAIRS:
        assert not any(difference.problem for difference in compare(pair))


def test_the_skeleton_has_an_exercise_that_is_graded(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    *_, stub, solution, planted = new.start("30_convolution", house)
    monkeypatch.setattr(discover, "FOLDER", house / "lessons")
    (exercise,) = exercises.exercises()
    assert (exercise.id, exercise.solution) == ("30a", solution)
    # The solution imports its stub, and the planted answers theirs, from the house that is being built.
    monkeypatch.setitem(sys.modules, f"lessons.exercises.{stub.stem}", load(stub))
    judged = load(solution)
    assert judge(load(stub).Negate, judged).kind == "not written"
    assert judge(judged.Negate, judged).passed
    answers = load(planted)
    assert all(judge(right, judged).passed for right in answers.RIGHT)
    assert [judge(wrong, judged).bug for _, wrong in answers.WRONG] == [name for name, _ in answers.WRONG]


def test_it_says_what_is_missing(house: Path) -> None:
    new.start("30_convolution", house)
    lines = list(new.missing("30_convolution", house))
    assert any(line.startswith("lessons/lesson30_convolution.py:2: Lesson 30 · TODO title") for line in lines)
    assert "README.md: no row for lesson 30 in its table" in lines
    assert "lessons/README.md: no row for lesson 30 in its table" in lines


def test_nothing_is_overwritten(house: Path) -> None:
    lesson, *_ = new.start("30_convolution", house)
    lesson.write_text("mine")
    assert new.start("30_convolution", house) == []
    assert lesson.read_text() == "mine"
    with pytest.raises(UserError, match="lesson 30 exists already"):
        new.start("30_other", house)


@pytest.mark.parametrize("name", ["convolution", "9_x", "19-x", "19_X", "../19_x", "19_"])
def test_a_bad_name_is_refused(house: Path, name: str) -> None:
    with pytest.raises(UserError, match="is not a lesson's name"):
        new.start(name, house)
