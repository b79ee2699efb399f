"""For teachers: what a whole class has handed in, graded and counted."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from curriculum import UserError
from curriculum.grader.exercise import Exercise, exercises
from curriculum.grader.limits import SECONDS
from curriculum.grader.process import Children
from curriculum.grader.verdict import Grade
from curriculum.table import TerminalTable

MARKS = {"passed": "✓", "not begun": "·"}


def grade_class(folder: Path, seconds: float = SECONDS) -> Iterator[Grade]:
    """Grade what each learner handed in: one folder per learner, the files anywhere in it.

    Raises:
        UserError: `folder` holds no folders.
    """
    learners = _learners(folder)
    with Children() as children:
        for learner in learners:
            for exercise in exercises():
                file = _handed_in(exercise, learner)
                if file:
                    verdict = children.grade(exercise, file, seconds, more=True)
                    yield Grade(exercise, verdict, learner.name)


def class_table(grades: list[Grade]) -> TerminalTable:
    """Learner × exercise: ✓ passed, ✗ not, · as it was handed out, empty where nothing was handed in."""
    ids = sorted({grade.exercise.id for grade in grades})
    marks: dict[str, dict[str, str]] = {}
    for grade in grades:
        marks.setdefault(grade.learner, {})[grade.exercise.id] = MARKS.get(grade.verdict.kind, "✗")
    table = TerminalTable("learner", *ids, "passed", box=None)
    for learner, by_exercise in marks.items():
        cells = [by_exercise.get(exercise_id, "") for exercise_id in ids]
        table.add_row(learner, *cells, str(cells.count(MARKS["passed"])))
    return table


def class_mistakes(grades: list[Grade]) -> list[str]:
    """The named mistakes by exercise, the most frequent first."""
    counts = Counter((grade.exercise.id, grade.verdict.bug) for grade in grades if grade.verdict.bug)
    return [f"{count} × {exercise_id}: {bug}" for (exercise_id, bug), count in counts.most_common()]


def _learners(folder: Path) -> list[Path]:
    learners = sorted(path for path in folder.glob("[!.]*") if path.is_dir()) if folder.is_dir() else []
    if not learners:
        raise UserError(
            f"{folder} holds no folders; expected one per learner, with their exercise files in it"
        )
    return learners


def _handed_in(exercise: Exercise, learner: Path) -> Path | None:
    """The learner's file for the exercise: of several, the one that lies least deep."""
    return min(learner.rglob(exercise.path.name), key=lambda path: len(path.parts), default=None)
