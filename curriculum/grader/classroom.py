"""For teachers: what a whole class has handed in, graded and counted. Nothing here imports torch."""

import csv
import io
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.markup import escape

from curriculum import UserError
from curriculum.files import write_whole
from curriculum.grader.exercise import Exercise
from curriculum.grader.handed_in import HandedIn, handed_in
from curriculum.grader.limits import SECONDS
from curriculum.grader.notebook import answer_of_file
from curriculum.grader.process import Children
from curriculum.grader.verdict import Grade, Verdict, as_text
from curriculum.table import TerminalTable

PASSED, WRONG, NOT_BEGUN, NOT_GRADED = "✓", "✗", "·", "?"
MARKS = {"passed": PASSED, "not begun": NOT_BEGUN, "not graded": NOT_GRADED}
POINTS = {PASSED: "1", WRONG: "0", NOT_BEGUN: "0"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would compute


def grade_class(folder: Path, seconds: float = SECONDS) -> Iterator[Grade]:
    """Grade what each learner handed in (`handed_in`), and tell what is not graded. Each learner has a grade.

    Raises:
        UserError: `folder` is none, or empty.
    """
    with tempfile.TemporaryDirectory(prefix="curriculum-", ignore_cleanup_errors=True) as made:
        desk = Path(made)
        with Children() as children:
            for entry in handed_in(folder, desk / "unpacked"):
                yield _graded(entry, folder, desk, children, seconds)


def _graded(entry: HandedIn, folder: Path, desk: Path, children: Children, seconds: float) -> Grade:
    """The grade of what a learner handed in in `folder`; `desk` is a folder for what has to be unpacked."""
    if entry.exercise is None or entry.file is None:
        return Grade(entry.exercise, Verdict("not graded", entry.note), entry.learner)
    unpacked = desk / "unpacked"
    inside = unpacked if entry.file.is_relative_to(unpacked) else folder
    file = entry.file.relative_to(inside).as_posix()
    try:
        answer = _answer(entry.file, entry.exercise, desk)
        verdict = children.grade(entry.exercise, answer, seconds, more=True)
    except UserError as error:
        verdict = Verdict("not graded", str(error))
    return Grade(entry.exercise, verdict, entry.learner, file, entry.note)


def _answer(file: Path, exercise: Exercise, folder: Path) -> Path:
    """What is to be graded: the file, or the answer in a notebook, which is written to `folder`.

    Raises:
        UserError: No answer is in the notebook.
    """
    if file.suffix.lower() != ".ipynb":
        return file
    answer = folder / exercise.path.name
    answer.write_text(answer_of_file(file, exercise), encoding="utf-8")
    return answer


def class_table(grades: list[Grade]) -> TerminalTable:
    """Learner × exercise: ✓ passed, ✗ not, · as it was handed out, ? not graded, empty where nothing is."""
    ids = _ids(grades)
    table = TerminalTable("learner", *ids, "passed", box=None)
    for learner, marks in _marks(grades).items():
        cells = [marks.get(exercise_id, "") for exercise_id in ids]
        table.add_row(escape(as_text(learner)), *cells, str(cells.count(PASSED)))
    return table


def class_remarks(grades: list[Grade]) -> list[str]:
    """What a teacher should know of a file or a folder, a line each."""
    return [as_text(f"{grade.learner}: {remark}") for grade in grades for remark in _remarks(grade)]


def class_mistakes(grades: list[Grade]) -> list[str]:
    """The named mistakes by exercise, the most frequent first."""
    counts = Counter((grade.id, grade.verdict.bug) for grade in grades if grade.verdict.bug)
    return [f"{count} × {exercise_id}: {bug}" for (exercise_id, bug), count in counts.most_common()]


def write_marks(grades: list[Grade], path: Path) -> None:
    """A CSV file with one row per learner: 1 passed, 0 not, empty where nothing was graded; the sum; remarks.

    Raises:
        UserError: The file cannot be written.
    """
    ids = _ids(grades)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["learner", *ids, "passed", "remarks"])
    for learner, marks in _marks(grades).items():
        points = [POINTS.get(marks.get(exercise_id, ""), "") for exercise_id in ids]
        own = [grade for grade in grades if grade.learner == learner]
        remarks = "; ".join(remark for grade in own for remark in _remarks(grade))
        writer.writerow([_as_text(learner), *points, points.count("1"), _as_text(remarks)])
    try:
        # The mark at the beginning tells spreadsheets the encoding.
        write_whole(path, text.getvalue().encode("utf-8-sig", errors="replace"))
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}); choose another --csv FILE") from error


def _ids(grades: list[Grade]) -> list[str]:
    return sorted({grade.id for grade in grades if grade.id})


def _marks(grades: list[Grade]) -> dict[str, dict[str, str]]:
    """The marks of each learner by exercise."""
    marks: dict[str, dict[str, str]] = {}
    for grade in grades:
        of_learner = marks.setdefault(grade.learner, {})
        if grade.id:
            of_learner[grade.id] = MARKS.get(grade.verdict.kind, WRONG)
    return marks


def _remarks(grade: Grade) -> Iterator[str]:
    about = f"{grade.id}, " if grade.id else ""
    if grade.note:
        yield about + grade.note
    if grade.verdict.kind == "not graded":
        yield about + grade.verdict.message


def _as_text(cell: str) -> str:
    """Learners choose the names of files and folders: none is a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
