"""Every exercise keeps its form, can be solved, and names the mistakes that learners make in it."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from curriculum import discover
from curriculum.grader.child import load
from curriculum.grader.exercise import Exercise, constant, exercises
from curriculum.grader.judge import judge
from curriculum.grader.learner import solution
from curriculum.grader.verdict import Verdict
from tests.support.speed import fast

EXERCISES = exercises()
# Of these each wrong answer takes a second and more to judge: they are watched over many steps.
LONG = ("11b", "12a", "12b", "12c", "21a", "21b", "23b", "24b", "24d")
SHORT = [exercise for exercise in EXERCISES if exercise.id not in LONG]


def name_of(exercise: Exercise) -> str:
    return exercise.path.stem


each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=name_of)


def solution_of(exercise: Exercise) -> ModuleType:
    return importlib.import_module(f"lessons.solutions.{exercise.path.stem}")


def planted(exercise: Exercise) -> ModuleType:
    path = Path(__file__).parents[1] / "planted" / f"planted{exercise.id}.py"
    assert path.is_file(), f"{exercise} has no {path.name}"
    return load(str(path), path.stem)


def verdict(exercise: Exercise, answer: Any) -> Verdict:
    return judge(answer, solution_of(exercise))


@each_exercise
def test_it_has_the_form(exercise: Exercise) -> None:
    """Known answer, a place to read again that exists, three hints, and what to say in the end."""
    assert exercise.solution.is_file()
    solution = solution_of(exercise)
    assert hasattr(solution, constant(exercise, "ANSWER"))
    hints = constant(exercise, "HINTS")
    assert len(hints) == 3
    assert all(hints)
    idea, harder = constant(exercise, "AFTER")
    assert all(20 < len(text) <= 200 and text[-1] in ".?)" for text in (idea, harder)), exercise
    file, text = constant(exercise, "REREAD")
    assert text in (discover.FOLDER / file).read_text(encoding="utf-8")
    assert len(solution.MISTAKES) >= 4
    names = [pair.name for pair in solution.pairs(getattr(solution, solution.ANSWER))]
    assert len(set(names)) == len(names)
    by_number = {lesson.number: lesson for lesson in discover.lessons()}
    assert exercise.lesson in by_number
    assert 5 <= exercise.minutes <= 60


@each_exercise
def test_the_stub_imports_no_solution_and_no_later_lesson(exercise: Exercise) -> None:
    nodes = list(ast.walk(ast.parse(exercise.path.read_text(encoding="utf-8"))))
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    assert not [name for name in names if "solutions" in name or "exercises" in name]
    numbers = re.findall(r"lesson(\d\d)", " ".join(names))
    assert all(int(number) <= exercise.lesson for number in numbers)


@each_exercise
def test_the_stub_does_not_pass(exercise: Exercise) -> None:
    """As handed out it is unwritten; a find-the-bug has one of the mistakes, and does not give it away."""
    stub = importlib.import_module(f"lessons.exercises.{exercise.path.stem}")
    found = verdict(exercise, getattr(stub, constant(exercise, "ANSWER")))
    if "Find the bug" in exercise.title:
        assert (found.kind, found.message) == ("mistake", "the bug is still there"), found
    else:
        assert found.kind == "not written", found


@each_exercise
def test_the_solution_passes(exercise: Exercise) -> None:
    assert verdict(exercise, getattr(solution_of(exercise), constant(exercise, "ANSWER"))).passed


@each_exercise
def test_right_answers_of_another_kind_pass(exercise: Exercise) -> None:
    answers = planted(exercise).RIGHT
    assert answers
    for answer in answers:
        found = verdict(exercise, answer)
        assert found.passed, (answer, found)


@each_exercise
@pytest.mark.slow
def test_every_mistake_is_found_out_and_named_as_itself(exercise: Exercise) -> None:
    for name, mistake in solution_of(exercise).MISTAKES.items():
        found = verdict(exercise, mistake)
        assert (found.passed, found.bug) == (False, name), found


@pytest.mark.parametrize("exercise", fast(EXERCISES, *SHORT), ids=name_of)
def test_wrong_answers_get_the_name_of_their_mistake_and_no_other(exercise: Exercise) -> None:
    answers = planted(exercise).WRONG
    assert len(answers) >= 4
    assert any(not name for name, _ in answers), "one has to be wrong in a way that has no name"
    for name, answer in answers:
        found = verdict(exercise, answer)
        assert (found.passed, found.bug) == (False, name), (answer, found)


def test_each_lesson_has_an_exercise(lesson: discover.Lesson) -> None:
    own = [exercise.id for exercise in EXERCISES if exercise.lesson == lesson.number]
    assert own, f"lesson {lesson.number:02} has none"


def test_solutions_that_are_shown_are_whole_and_have_nothing_to_spare(tmp_path: Path) -> None:
    for exercise in EXERCISES:
        shown = solution(exercise, tmp_path, give_up=True)
        names: dict[str, Any] = {}
        exec(compile(shown, exercise.name, "exec"), names)
        assert constant(exercise, "ANSWER") in names
        (tmp_path / f"{exercise.name}.py").write_text(shown)
    ruff = (sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F401", str(tmp_path))
    done = subprocess.run(ruff, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
