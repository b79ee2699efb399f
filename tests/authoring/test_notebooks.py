"""Every lesson opens as a notebook and runs from top to bottom in a fresh kernel, twice in a row."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curriculum import UserError
from curriculum.authoring.notebooks import convert, execute, is_edited, path_of
from curriculum.cli.main import app
from curriculum.discover import Lesson, lessons


@pytest.mark.slow
def test_a_lesson_runs_as_a_notebook(lesson: Lesson, tmp_path: Path) -> None:
    import nbformat

    path = convert(lesson, tmp_path)
    execute(path, times=2)
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].source.startswith(f"# Lesson {lesson.number:02}")
    kinds = {kind for cell in cells for output in cell.get("outputs", []) for kind in output.get("data", {})}
    assert kinds & {"image/svg+xml", "image/png"}, "the figure shows on the spot"
    errors = [line for cell in cells for line in cell.get("outputs", []) if line.output_type == "error"]
    assert errors == []


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jupytext", None)
    with pytest.raises(UserError, match="jupytext is not installed; install it with: pip install jupytext"):
        convert(lessons()[0], tmp_path)


def edit(path: Path, index: int, source: str | list[str]) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["cells"][index]["source"] = source
    path.write_text(json.dumps(notebook), encoding="utf-8")


def notebooks(*arguments: str | Path) -> list[str]:
    done = CliRunner().invoke(app, ["notebooks", *map(str, arguments)])
    assert done.exit_code == 0, done.exception
    return done.stdout.splitlines()


def test_cells_of_the_user_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made again, what was edited stays and is told; the rest is made anew."""
    monkeypatch.setattr("curriculum.cli.lessons.lessons", lambda: lessons()[:3])
    first, second, third = map(Path, notebooks(tmp_path))
    fresh = second.read_text(encoding="utf-8")
    edit(first, 1, "my = 'own'")
    second.write_text(fresh.replace('"outputs": []', '"outputs": [{"output_type": "stream"}]', 1))
    third.write_text("no notebook")
    mine = first.read_text(encoding="utf-8")
    assert notebooks(tmp_path) == [
        f"{first} is kept, for you have edited it; --overwrite makes it anew",
        str(second),
        f"{third} is kept, for you have edited it; --overwrite makes it anew",
    ]
    assert first.read_text(encoding="utf-8") == mine
    assert third.read_text(encoding="utf-8") == "no notebook"
    assert notebooks(tmp_path, "--overwrite") == [str(first), str(second), str(third)]
    assert not is_edited(lessons()[0], tmp_path)
    assert "my = 'own'" not in first.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"cells": 7, "metadata": {}}',
        '{"cells": [{}], "metadata": {}}',
        '{"cells": [], "metadata": 7}',
        '{"cells": [], "metadata": {}}',
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_the_users(tmp_path: Path, content: str) -> None:
    path_of(lessons()[0], tmp_path).write_text(content)
    assert is_edited(lessons()[0], tmp_path)


def test_what_is_no_edit(tmp_path: Path) -> None:
    """A cell as lines, an empty cell, an older version's notebook, one of a lesson that has changed since."""
    lesson = lessons()[0]
    assert not is_edited(lesson, tmp_path), "there is none"
    path = convert(lesson, tmp_path)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["cells"][0]["source"] = "".join(notebook["cells"][0]["source"]).splitlines(keepends=True)
    notebook["cells"].append({"cell_type": "code", "source": "\n"})
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert not is_edited(lesson, tmp_path)
    del notebook["metadata"]["curriculum"]
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert not is_edited(lesson, tmp_path)
    newer = tmp_path / lesson.path.name
    newer.write_text(lesson.path.read_text(encoding="utf-8") + "\n# %%\nmore = 1\n", encoding="utf-8")
    assert is_edited(replace(lesson, path=newer), tmp_path), "without the mark it cannot be told"
    convert(lesson, tmp_path)
    assert not is_edited(replace(lesson, path=newer), tmp_path)


def test_a_lesson_becomes_a_notebook_with_a_kernel(tmp_path: Path) -> None:
    path = convert(lessons()[0], tmp_path / "new")
    assert path == tmp_path / "new" / "lesson00_slopes.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert "".join(notebook["cells"][0]["source"]).startswith("# Lesson 00")
    assert {cell["cell_type"] for cell in notebook["cells"]} == {"markdown", "code"}
