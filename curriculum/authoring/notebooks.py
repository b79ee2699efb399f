"""Lessons as notebooks: converted by jupytext, run by nbclient, never committed."""

import importlib
from pathlib import Path
from types import ModuleType

from curriculum import UserError
from curriculum.discover import Lesson


def convert(lesson: Lesson, folder: Path) -> Path:
    """Write the lesson to `folder` as a notebook of the same name, and return its path.

    Raises:
        UserError: jupytext is not installed, or `folder` cannot be written to.
    """
    jupytext = _installed("jupytext")
    notebook = jupytext.read(lesson.path)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = folder / f"{lesson.path.stem}.ipynb"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        jupytext.write(notebook, path)
    except OSError as error:
        raise UserError(f"cannot write to {folder} ({error.strerror}); choose another folder") from error
    return path


def execute(path: Path, times: int = 1) -> None:
    """Run all cells from top to bottom in a fresh kernel, `times` in a row. The first error is raised.

    Raises:
        UserError: nbclient is not installed.
    """
    nbclient = _installed("nbclient")
    nbformat = _installed("nbformat")
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}
    )
    with client.setup_kernel():
        for _ in range(times):
            for index, cell in enumerate(notebook.cells):
                client.execute_cell(cell, index)
    nbformat.write(notebook, path)


def _installed(package: str) -> ModuleType:
    """Only who makes notebooks needs these packages."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(
            f"{package} is not installed; install it with: pip install jupytext nbclient ipykernel"
        ) from error
