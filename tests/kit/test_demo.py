"""Demonstrations: marked, shown, and each figure drawn once, for the folder and for TensorBoard."""

import io
import runpy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from curriculum import UserError
from curriculum.demo import demo, heading, output_folder, set_output_folder, show, show_lesson
from curriculum.discover import Lesson
from curriculum.draw import SCRATCH, TORCH, new_figure, png


@demo
def a_line() -> Figure:
    """A line rises

    This is said elsewhere.
    """
    figure, axis = new_figure()
    axis.plot([0, 1], [0, 1], color=SCRATCH)
    return figure


@demo
def a_word() -> str:
    """[A word] stands alone"""
    return "[bold]four"


@dataclass(frozen=True)
class Shown(Lesson):
    """A lesson of these two demonstrations."""

    def demos(self):  # type: ignore[no-untyped-def]
        return [a_line, a_word]


LESSON = Shown(8, "shown", Path("a file"), "A title", "A question?", "nothing", 5)


@pytest.fixture(autouse=True)
def the_folder_stays() -> None:  # type: ignore[misc]
    before = output_folder()
    yield
    set_output_folder(before)


def console(paper: io.StringIO) -> Console:
    return Console(file=paper, width=80)


def test_the_first_line_is_the_heading() -> None:
    assert heading(a_line) == "A line rises"
    assert heading(lambda: None) == "<lambda>"


def test_a_figure_is_saved_and_returned(tmp_path: Path) -> None:
    paper = io.StringIO()
    picture = show(a_line, tmp_path / "new", console(paper))
    path = tmp_path / "new" / "a_line.png"
    assert path.read_bytes() == picture
    assert Image.open(path).size == (440, 352), "4 × 3.2 inches of 110 dots"
    assert "A line rises" in paper.getvalue()
    assert f"figure: {path}" in paper.getvalue()


def test_a_text_is_shown_as_it_is(tmp_path: Path) -> None:
    paper = io.StringIO()
    assert show(a_word, tmp_path, console(paper)) == b""
    assert "[A word] stands alone" in paper.getvalue()
    assert "[bold]four" in paper.getvalue()
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_shows_that_a_demo_is_at_work_and_a_file_does_not(tmp_path: Path) -> None:
    terminal, paper = io.StringIO(), io.StringIO()
    show(a_word, tmp_path, Console(file=terminal, width=80, force_terminal=True))
    show(a_word, tmp_path, console(paper))
    assert "working" in terminal.getvalue()
    assert "stands alone" in terminal.getvalue()
    assert "working" not in paper.getvalue()


def test_a_lesson_is_shown_and_tensorboard_has_the_same_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []

    def counted(figure: Figure) -> bytes:
        drawn.append(figure)
        return png(figure)

    monkeypatch.setattr("curriculum.demo.png", counted)
    for _ in range(2):  # the second time replaces the first
        paper = io.StringIO()
        show_lesson(LESSON, tmp_path, console(paper))
    assert len(drawn) == 2, "each figure is drawn once"
    assert "A title" in paper.getvalue()
    assert "A question?" in paper.getvalue()
    assert output_folder() == tmp_path
    (log,) = (tmp_path / "lesson08").glob("events.out.tfevents.*")
    events = EventAccumulator(str(log)).Reload()
    (logged,) = events.Images("a_line")
    saved = np.array(Image.open(tmp_path / "lesson08" / "a_line.png"))
    assert np.array_equal(np.array(Image.open(io.BytesIO(logged.encoded_image_string))), saved)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot write to .*choose another --log-dir"):
        show_lesson(LESSON, tmp_path / "file", console(io.StringIO()))


SCRIPT = '''
from curriculum.demo import demo

@demo
def a_word() -> str:
    """Said at once"""
    return "four"
'''


def test_a_script_shows_its_demos_as_it_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "lesson08_words.py"
    script.write_text(SCRIPT)
    runpy.run_path(str(script), run_name="imported")
    assert capsys.readouterr().out == ""
    runpy.run_path(str(script), run_name="__main__")
    printed = capsys.readouterr().out
    assert "Said at once" in printed
    assert "four" in printed


def test_several_axes_come_as_an_array() -> None:
    figure, axes = new_figure(2, 3, width=1.0, height=2.0)
    assert axes.shape == (2, 3)
    assert figure.get_size_inches().tolist() == [3, 4]
    assert SCRATCH != TORCH
