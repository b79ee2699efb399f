"""Exercises in notebooks: handed out, filled in and checked in a real kernel."""

import json
from pathlib import Path
from typing import Any

import pytest

import curriculum
from curriculum import UserError
from curriculum.grader import notebook
from curriculum.grader.exercise import select_one
from curriculum.grader.progress import Progress
from tests.support.double import AFTER, MISTAKE, WRONG, answer

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
FIRST = "exercise01a_double.ipynb"


def test_what_is_there_is_kept(house: Path) -> None:
    """A notebook for each exercise; made again, no file is touched."""
    fresh = notebook.start(house / "mine")
    assert [path.name for path in fresh] == [FIRST, "exercise01b_double.ipynb"]
    fresh[0].write_text("my work")
    fresh[1].unlink()
    assert notebook.start(house / "mine") == [fresh[1]]
    assert fresh[0].read_text() == "my work"
    assert (house / "mine" / ".gitignore").read_text() == "*\n"
    with pytest.raises(UserError, match="holds the originals"):
        notebook.start(house / "lessons")


def test_it_has_the_words_the_stub_and_the_check(house: Path) -> None:
    path = notebook.start(house / "mine")[0]
    nbformat.validate(nbformat.read(path, as_version=4))
    words, stub, check = (cell["source"] for cell in json.loads(path.read_text())["cells"])
    assert "".join(words).startswith("# Exercise 01a · Double, a\n")
    assert "class Double:" in "".join(stub)
    assert '"""Exercise' not in "".join(stub)
    assert "".join(check) == 'from curriculum import check\n\ncheck("01a")'


def test_the_newest_cell_counts(house: Path) -> None:
    """One that mentions the class, or imports it, is none; an assignment is one."""
    exercise = select_one("01a")
    cells = [
        "class Double: old",
        "class Double: new",
        "print(Double())",
        "from x import Double",
        "class Doubles: 1",
    ]
    assert notebook.answer_among(cells, exercise) == "class Double: new\n"
    assert notebook.answer_among([*cells, "Double = 3"], exercise) == "Double = 3\n"
    magics = "%time 1\n!ls\nx = (7\n    % 2)\nclass Double: ..."
    assert notebook.answer_among([magics], exercise) == "\n\nx = (7\n    % 2)\nclass Double: ...\n"
    with pytest.raises(UserError, match="no cell defines Double"):
        notebook.answer_among(cells[2:], exercise)


def test_in_a_terminal_it_names_the_command() -> None:
    shown = curriculum.check("01a")
    assert (repr(shown), shown.passed) == (
        "check() is for notebooks; in a terminal: curriculum check 01a",
        False,
    )
    with pytest.raises(AttributeError, match="no attribute 'chekc'"):
        curriculum.chekc  # noqa: B018


def test_what_a_learner_prints_is_no_html() -> None:
    shown = notebook.Shown(("01a: <b>wrong</b>", "  | <script>"), passed=False)
    assert shown._repr_html_() == (
        '<b style="color:#cf222e">✗ 01a: &lt;b&gt;wrong&lt;/b&gt;</b><pre>  | &lt;script&gt;</pre>'
    )


PREPARED = """
from pathlib import Path
from curriculum import discover
discover.FOLDER = Path({lessons!r})
"""


def test_in_a_kernel_the_verdict_is_that_of_the_command(house: Path) -> None:
    """As handed out, wrong, right, and asked for what does not exist; progress lies beside the notebook."""
    path = notebook.start(house / "mine")[0]
    book = nbformat.read(path, as_version=4)
    _, stub, check = book.cells
    code = nbformat.v4.new_code_cell
    unknown = code('check("99z")')
    prepared = code(PREPARED.format(lessons=str(house / "lessons")))
    book.cells = [
        prepared,
        stub,
        check,
        code(WRONG),
        code(check.source),
        code(answer()),
        code(check.source),
        unknown,
    ]
    client = nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(path.parent)}})
    client.execute()
    first, wrong, right, absent = (_said(book.cells[number]) for number in (2, 4, 6, 7))
    assert first["text/plain"] == "01a Double, a: not begun, the cell is as it was handed out"
    assert wrong["text/plain"].startswith(f"01a Double, a: {MISTAKE}")
    assert f"✗ 01a Double, a: {MISTAKE}" in wrong["text/html"]
    assert right["text/plain"] == "\n".join(["01a Double, a: passed", *AFTER, "next: 01b Double, b"])
    assert "there is no exercise '99z'" in absent["text/plain"]
    assert Progress.read(house / "mine").passed(select_one("01a"))


def _said(cell: Any) -> dict[str, str]:
    (output,) = cell.outputs
    return dict(output["data"])
