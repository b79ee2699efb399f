"""A lesson's file as the notebook that a page is made of."""

import ast
import re
from typing import Any

import jupytext
import nbformat

from curriculum.discover import FOLDER
from curriculum.grader.exercise import exercises

# A lesson marks the place of a live piece (`curriculum/playground/pieces.js`) with <!-- piece: NAME -->.
PIECE = re.compile(r"^<!-- piece: (\w+) -->$", re.MULTILINE)
PIECE_HERE = '<div class="piece" data-piece="{name}"></div>'
PIECES = "\n".join(
    [
        '<link rel="stylesheet" href="playground/pieces.css">',
        *(
            f'<script src="playground/{name}.js" defer></script>'
            for name in ("random", "engine", "points", "session", "pieces")
        ),
    ]
)
FOLDED = "hide-input"  # MyST-NB's tag for code that opens on a click
LESSON = re.compile(r"# Lesson (\d\d) · ")


def read(text: str) -> Any:
    """The lesson with what one can do next below it.

    Args:
        text: a lesson in percent format.
    """
    notebook = folded(text)
    _place_pieces(notebook)
    found = LESSON.search(text)
    if found:
        notebook.cells.append(nbformat.v4.new_markdown_cell(what_next(int(found[1]))))
    return notebook


def _place_pieces(notebook: Any) -> None:
    """Where a piece is marked there is a place for it, and the page loads what fills it.

    Without JavaScript the place is empty and not seen.
    """
    marked = [cell for cell in notebook.cells if cell.cell_type == "markdown" and PIECE.search(cell.source)]
    for cell in marked:
        cell.source = PIECE.sub(lambda found: PIECE_HERE.format(name=found[1]), cell.source)
    if marked:
        notebook.cells.append(nbformat.v4.new_markdown_cell(PIECES))


def folded(text: str) -> Any:
    """The lesson as a notebook whose code is folded where it is not the lesson's subject."""
    notebook = jupytext.reads(text, fmt="py:percent")
    for cell in notebook.cells:
        if cell.cell_type == "code" and is_aside(cell.source) and FOLDED not in cell.metadata.get("tags", []):
            cell.metadata.setdefault("tags", []).append(FOLDED)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


def what_next(number: int) -> str:
    """The lesson's exercises, its comparison with PyTorch, and its files, as Markdown."""
    (path,) = FOLDER.glob(f"lesson{number:02}_*.py")
    stars = ("", "easy", "medium", "hard")
    rows = [
        f"| {exercise.id} | {exercise.title} | {stars[exercise.difficulty]} | {exercise.minutes} "
        f"| `curriculum check {exercise.id}` |"
        for exercise in exercises()
        if exercise.lesson == number
    ]
    table = [
        "| exercise | what | how hard | minutes | when you have written it |",
        "|---|---|---|---|---|",
        *rows,
    ]
    practice = ["`curriculum start` hands them out.", "", *table, ""] if rows else []
    return "\n".join(
        [
            "## Now you",
            "",
            *practice,
            f"- `curriculum run {number}` shows every table and figure of this lesson on your machine.",
            f"- [Scratch beside PyTorch](compare{number:02}.md): every result, and how far apart.",
            f"- The lesson as a <a href='notebooks/{path.stem}.ipynb' download>notebook</a>, "
            f"and its <a href='_modules/lessons/{path.stem}.html'>source</a> with every line.",
        ]
    )


def is_aside(source: str) -> bool:
    """Whether a cell only imports, only draws and tabulates, or lists the pairs."""
    statements = ast.parse(source).body
    lists_pairs = any(_names(statement) == ["PAIRS"] for statement in statements)
    return lists_pairs or all(map(_is_import, statements)) or all(map(_only_shows, statements))


def _is_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import | ast.ImportFrom)


def _only_shows(statement: ast.stmt) -> bool:
    """A demonstration, or a constant that one uses."""
    if isinstance(statement, ast.FunctionDef):
        return any(isinstance(mark, ast.Name) and mark.id == "demo" for mark in statement.decorator_list)
    return any(_names(statement)) and all(name.isupper() for name in _names(statement))


def _names(statement: ast.stmt) -> list[str]:
    """What an assignment gives a value to."""
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    else:
        return []
    return [target.id for target in targets if isinstance(target, ast.Name)]
