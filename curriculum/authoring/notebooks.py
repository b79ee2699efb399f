"""Lessons as notebooks: converted by jupytext, run by nbclient, never committed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from curriculum import UserError
from curriculum.discover import Lesson
from curriculum.files import write_whole
from curriculum.optional import installed

MARK = "curriculum"  # in a notebook's metadata: which cells were written


def path_of(lesson: Lesson, folder: Path) -> Path:
    """Where the lesson's notebook lies."""
    return folder / f"{lesson.path.stem}.ipynb"


def is_edited(lesson: Lesson, folder: Path) -> bool:
    """Whether its notebook has cells, or is a file, that nobody but the user can have put there."""
    path = path_of(lesson, folder)
    if not path.exists():
        return False
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        cells = _cells(known)
        written = known["metadata"].get(MARK)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return True
    return written != _digest(cells) and cells != _cells(_read(lesson))


def convert(lesson: Lesson, folder: Path) -> Path:
    """Write the lesson to `folder` as a notebook of the same name, and return its path.

    What is there is replaced: ask `is_edited` before.

    Raises:
        UserError: jupytext is not installed, or `folder` cannot be written to.
    """
    notebook = _read(lesson)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata[MARK] = _digest(_cells(notebook))
    path = path_of(lesson, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, installed("jupytext").writes(notebook, fmt="ipynb"))
    except OSError as error:
        raise UserError(f"cannot write to {folder} ({error.strerror}); choose another folder") from error
    return path


def execute(path: Path, times: int = 1) -> None:
    """Run all cells from top to bottom in a fresh kernel, `times` in a row. The first error is raised.

    Raises:
        UserError: nbclient is not installed.
    """
    nbclient = installed("nbclient")
    nbformat = installed("nbformat")
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}
    )
    with client.setup_kernel():
        for _ in range(times):
            for index, cell in enumerate(notebook.cells):
                client.execute_cell(cell, index)
    write_whole(path, nbformat.writes(notebook))


def _read(lesson: Lesson) -> Any:
    return installed("jupytext").read(lesson.path)


def _cells(notebook: Mapping[str, Any]) -> list[str]:
    """What stands in the cells, results apart. A file holds a cell as text or as a list of lines."""
    cells = ["".join(cell["source"]) for cell in notebook["cells"]]
    return [cell for cell in cells if cell.strip()]  # Jupyter likes to add an empty one


def _digest(cells: list[str]) -> str:
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()
