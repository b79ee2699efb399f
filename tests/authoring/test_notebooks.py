"""Every lesson opens as a notebook and runs from top to bottom in a fresh kernel, twice in a row."""

from pathlib import Path

import pytest

from curriculum.authoring.notebooks import convert, execute
from curriculum.discover import Lesson


@pytest.mark.slow
def test_a_lesson_runs_as_a_notebook(lesson: Lesson, tmp_path: Path) -> None:
    import nbformat

    path = convert(lesson, tmp_path)
    execute(path, times=2)
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].source.startswith(f"# Lesson {lesson.number:02}")
    kinds = {kind for cell in cells for output in cell.get("outputs", []) for kind in output.get("data", {})}
    assert "image/png" in kinds, "the figure shows on the spot"
    errors = [line for cell in cells for line in cell.get("outputs", []) if line.output_type == "error"]
    assert errors == []
