"""Notebooks to take away: the lessons with the results that the site shows, ready for Colab and Kaggle."""

from collections.abc import Sequence
from pathlib import Path

import nbformat

from curriculum.discover import Lesson
from curriculum.files import write_whole
from curriculum.site.reader import folded

INSTALL = """import importlib.util

# On Colab and Kaggle. Where the lessons are installed already, this does nothing.
if importlib.util.find_spec("lessons") is None:
    %pip install --quiet "scratch-to-mnist @ git+{repository}"
"""


def publish(lessons: Sequence[Lesson], folder: Path, cells: Path | None, repository: str | None) -> None:
    """Write each lesson to `folder` as a notebook.

    Args:
        cells: where MyST-NB keeps what cells have shown; None for notebooks that have not run.
        repository: an address to install the lessons from, as git knows it; None for no such cell.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for lesson in lessons:
        notebook = folded(lesson.path.read_text(encoding="utf-8"))
        if cells is not None:
            from jupyter_cache import get_cache

            _, notebook = get_cache(cells).merge_match_into_notebook(notebook)
        if repository:
            install = nbformat.v4.new_code_cell(INSTALL.format(repository=repository))
            notebook.cells.insert(1, install)  # below the title
        write_whole(folder / f"{lesson.path.stem}.ipynb", nbformat.writes(notebook))
