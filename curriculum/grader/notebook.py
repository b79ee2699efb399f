"""Exercises in notebooks: handed out as one, and the cell with the answer graded as a file would be.

One rule: the newest cell that defines what the exercise asks for is the answer, by itself. So its imports and
helpers stand in the same cell, and the line numbers of a verdict are those of the cell. Nothing here imports
torch.
"""

import ast
import json
import re
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from curriculum import UserError
from curriculum.files import write_whole
from curriculum.grader.exercise import Exercise, constant, exercises, select_one
from curriculum.grader.learner import LEARNER_FOLDER, own_folder
from curriculum.grader.limits import SECONDS
from curriculum.grader.session import Session
from curriculum.optional import installed

TO_CHECK = 'from curriculum import check\n\ncheck("{id}")'
ANSWER_HERE = "# The answer is this cell alone: what it needs stands in it, too.\n"
PASSED, WRONG = "#1a7f37", "#cf222e"  # readable on white and on black


@dataclass(frozen=True)
class Shown:
    """What a check says, as text and as what a notebook shows.

    Attributes:
        lines: the first is the verdict.
    """

    lines: tuple[str, ...]
    passed: bool

    def __repr__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        sign, colour = ("✓", PASSED) if self.passed else ("✗", WRONG)
        first, *others = (escape(line) for line in self.lines)
        more = "\n".join(others)
        return f'<b style="color:{colour}">{sign} {first}</b><pre>{more}</pre>'


def check(which: str, seconds: float = SECONDS) -> Shown:
    """Grade the answer in this notebook, as `curriculum check` grades a file; e.g. `check("03a")`.

    Progress is kept in the notebook's folder. What is wrong with the call is told like a verdict.
    """
    try:
        exercise = select_one(which)
        answer = answer_among(_cells_that_ran(which), exercise)
        if answer == _handed_out(exercise):
            return Shown((f"{exercise}: not begun, the cell is as it was handed out",), passed=False)
        session = Session(Path(), seconds, warm=True)
        with tempfile.TemporaryDirectory(prefix="curriculum-") as folder:
            file = Path(folder) / exercise.path.name
            file.write_text(answer, encoding="utf-8")
            grade = session.check_file(exercise, file)
    except UserError as error:
        return Shown((str(error),), passed=False)
    lines = grade.lines()
    if grade.verdict.passed:
        lines.append(f"next: {session.progress.first_open() or 'all exercises are passed'}")
    return Shown(tuple(lines), grade.verdict.passed)


def answer_among(cells: Iterable[str], exercise: Exercise) -> str:
    """The newest of the cells that defines what the exercise asks for. Lines for the notebook are left empty.

    Raises:
        UserError: There is none.
    """
    name = constant(exercise, "ANSWER")
    defines = re.compile(rf"^(?:(?:class|def)\s+{name}\b|{name}\s*[:=])", re.MULTILINE)
    answers = [cell for cell in cells if defines.search(cell)]
    if not answers:
        raise UserError(
            f"no cell defines {name}, which {exercise} asks for; expected a cell with all of it, that has run"
        )
    answer = re.sub(r"^[%!].*$", "", answers[-1], flags=re.MULTILINE) + "\n"
    return _handed_out(exercise) if answer.strip() == _stub(exercise).strip() else answer


def answer_of_file(notebook: Path, exercise: Exercise) -> str:
    """The answer in a notebook that was handed in.

    Raises:
        UserError: It is no notebook, or no cell of it defines what the exercise asks for.
    """
    try:
        found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        cells = ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{notebook.name} is no notebook that can be read; save it again as .ipynb"
        ) from error
    return answer_among(cells, exercise)


def start(folder: Path = LEARNER_FOLDER) -> list[Path]:
    """Write each exercise to `folder` as a notebook. What is there is kept. Returns the new files.

    Raises:
        UserError: The folder holds the originals or cannot be written, or nbformat is not installed.
    """
    fresh = []
    with own_folder(folder):
        for exercise in exercises():
            path = folder / f"{exercise.path.stem}.ipynb"
            if not path.exists():
                write_whole(path, _notebook(exercise))
                fresh.append(path)
    return fresh


def _notebook(exercise: Exercise) -> str:
    """Three cells: the words, the stub without them, and the check."""
    nbformat = installed("nbformat")
    words = ast.get_docstring(ast.parse(_handed_out(exercise))) or ""
    title, _, text = words.partition("\n")
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell(f"# {title}\n{text}"),
        v4.new_code_cell(_stub(exercise)),
        v4.new_code_cell(TO_CHECK.format(id=exercise.id)),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"{exercise.id}-{number}"  # the same in every copy
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    written: str = nbformat.writes(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}))
    return written


def _stub(exercise: Exercise) -> str:
    """The cell to be filled in: the file without its words."""
    lines = _handed_out(exercise).splitlines(keepends=True)
    words = ast.parse("".join(lines)).body[0]
    return ANSWER_HERE + "".join(lines[words.end_lineno :]).strip()


def _handed_out(exercise: Exercise) -> str:
    return exercise.path.read_text(encoding="utf-8")


def _cells_that_ran(which: str) -> list[str]:
    """What has been entered in this notebook, the oldest first.

    Raises:
        UserError: This is no notebook.
    """
    ipython = sys.modules.get("IPython")  # whoever is in a notebook has it
    shell = ipython.get_ipython() if ipython else None
    if shell is None:
        raise UserError(f"check() is for notebooks; in a terminal: curriculum check {which}")
    return list(shell.user_ns["In"])
