"""Every lesson opens as a notebook and runs from top to bottom in a fresh kernel, twice in a row."""

import json
import sys
from pathlib import Path

import pytest

from curriculum import UserError
from curriculum.authoring.notebooks import convert, execute
from curriculum.discover import Lesson, lessons


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


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jupytext", None)
    with pytest.raises(UserError, match="jupytext is not installed; install it with: pip install jupytext"):
        convert(lessons()[0], tmp_path)


def test_a_lesson_becomes_a_notebook_with_a_kernel(tmp_path: Path) -> None:
    path = convert(lessons()[0], tmp_path / "new")
    assert path == tmp_path / "new" / "lesson01_neuron.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "".join(notebook["cells"][0]["source"]).startswith("# Lesson 01")
    assert {cell["cell_type"] for cell in notebook["cells"]} == {"markdown", "code"}
