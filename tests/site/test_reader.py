"""How a lesson becomes a page: what is folded, what stands below it, what a figure says in words."""

import pytest
from matplotlib.figure import Figure

from curriculum.discover import Lesson
from curriculum.draw import describe, for_page, new_figure
from curriculum.grader.exercise import exercises
from curriculum.site.reader import FOLDED, is_aside, read

SHOWN = (
    "class ReLU:\n    pass",
    "def step(x):\n    return x",
    "@demo\ndef see():\n    pass\n\n\ndef helper():\n    pass",
    "relu = ReLU()",
)
ASIDES = (
    "import math\n\nfrom torch import nn",
    "@demo\ndef see():\n    pass",
    "SEEDS = range(3)\n\n\n@demo\ndef see():\n    pass",
    "def scratch(case):\n    pass\n\n\nPAIRS = [scratch]",
    "PAIRS: list[int] = []",
)


@pytest.mark.parametrize("source", SHOWN)
def test_the_subject_of_a_lesson_is_shown(source: str) -> None:
    assert not is_aside(source)


@pytest.mark.parametrize("source", ASIDES)
def test_imports_drawings_and_pairs_are_folded(source: str) -> None:
    assert is_aside(source)


def test_every_lesson_is_read_with_its_exercises_below(lesson: Lesson) -> None:
    notebook = read(lesson.path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    folded = [cell for cell in code if FOLDED in cell.metadata.get("tags", [])]
    assert any("PAIRS" in cell.source for cell in folded)
    assert 0 < len(folded) < len(code)
    below = notebook.cells[-1].source
    for exercise in exercises():
        assert (f"`curriculum check {exercise.id}`" in below) == (exercise.lesson == lesson.number)
    assert f"compare{lesson.number:02}.md" in below


def drawing() -> Figure:
    figure, axis = new_figure()
    axis.plot([1, 2], label="by hand")
    axis.set(title=r"loss $\eta$", xlabel="step", ylabel="L")
    axis.legend()
    return figure


def test_a_drawing_is_sharp_and_the_same_every_time() -> None:
    content = for_page(drawing())
    assert list(content) == ["image/svg+xml"]
    assert content == for_page(drawing())
    assert ">step</text>" in str(content["image/svg+xml"])


def test_a_figure_with_pictures_keeps_its_ground() -> None:
    figure, axis = new_figure()
    axis.imshow([[0.0, 1.0]])
    assert list(for_page(figure)) == ["image/png"]


def test_a_figure_in_words() -> None:
    assert describe(drawing()) == "loss eta, across: step, upwards: L, shown: by hand"
    assert describe(new_figure(1, 2)[0]) == ""


def test_a_piece_is_placed_where_it_is_marked() -> None:
    marked = read("# %% [markdown]\n# Words.\n#\n# <!-- piece: slope -->\n#\n# More.\n")
    assert 'Words.\n\n<div class="piece" data-piece="slope"></div>\n\nMore.' in marked.cells[0].source
    assert 'src="playground/pieces.js"' in marked.cells[-1].source
    plain = read("# %% [markdown]\n# Words.\n")
    assert len(plain.cells) == 1
