"""Lessons as notebooks: converted by jupytext, run by nbclient, never committed."""

from pathlib import Path

from curriculum import UserError
from curriculum.discover import Lesson


def convert(lesson: Lesson, folder: Path) -> Path:
    """Write `folder/lessonNN_name.ipynb`."""
    try:
        import jupytext
    except ImportError as error:
        raise UserError(
            "jupytext is not installed; install it with: pip install jupytext ipykernel"
        ) from error

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to {folder} ({error.strerror}); choose another folder") from error
    path = folder / f"{lesson.path.stem}.ipynb"
    notebook = jupytext.read(lesson.path)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    jupytext.write(notebook, path)
    return path


def execute(path: Path, times: int = 1) -> None:
    """Run all cells from top to bottom in a fresh kernel, `times` in a row. The first error is raised."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}})
    with client.setup_kernel():
        for _ in range(times):
            for index, cell in enumerate(notebook.cells):
                client.execute_cell(cell, index)
    nbformat.write(notebook, path)
