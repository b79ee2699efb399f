"""The pictures that lessons share show what they were given."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from curriculum import drawings
from curriculum.draw import NEGATIVE, POSITIVE, describe, new_figure


def texts(axis) -> list[str]:  # type: ignore[no-untyped-def]
    return [text.get_text() for text in axis.texts]


def test_a_network_shows_its_numbers_and_the_signs_of_its_weights() -> None:
    _, axis = new_figure()
    names = [["x₁", "x₂"], ["y"]]
    drawings.network(axis, names, [[[0.5, -2.0]]], [[1, 3], [-5.5]], [[4, 6], [1]], [[[7, 8]]])
    assert {"0.5", "−2", "x₁\n1", "x₂\n3", "y\n−5.5", "4", "6", "1", "7", "8"} <= set(texts(axis))
    arrows = [text.arrow_patch for text in axis.texts if getattr(text, "arrow_patch", None)]
    assert [to_hex(arrow.get_edgecolor()) for arrow in arrows] == [POSITIVE, NEGATIVE]
    assert arrows[1].get_linewidth() > arrows[0].get_linewidth()


def test_a_network_can_be_bare() -> None:
    _, axis = new_figure()
    drawings.network(axis, [["x"], ["y"]])
    assert [text for text in texts(axis) if text] == ["x", "y"]


def test_curves_are_counted_from_one_and_named() -> None:
    figure, axis = new_figure()
    drawings.curves(axis, {"a": [3.0, 2.0], "b": ([0, 5], [1.0, 1.0])}, "step", "loss")
    assert [line.get_xdata().tolist() for line in axis.lines] == [[1, 2], [0, 5]]
    assert len({line.get_linestyle() for line in axis.lines}) == 2
    assert describe(figure) == "across: step, upwards: loss, shown: a, b"


def test_pictures_keep_their_places_and_signs() -> None:
    _, axis = new_figure()
    pictures = np.stack([np.full((2, 3), value) for value in (1.0, -2.0, 0.5)])
    drawings.sheet(axis, pictures, columns=2, titles=["a", "b", "c"], signed=True)
    (image,) = axis.images
    assert image.get_clim() == (-2.0, 2.0)
    paper = np.asarray(image.get_array())
    assert (paper[0, 0], paper[0, 4], paper[6, 0]) == (1.0, -2.0, 0.5)
    assert texts(axis) == ["a", "b", "c"]


def test_regions_follow_the_answer() -> None:
    _, axis = new_figure()
    points = np.array([[-1.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    drawings.regions(axis, lambda x: (x[:, 0] > 0).astype(int), points, [0, 1, 1])
    assert [len(dots.get_offsets()) for dots in axis.collections[-2:]] == [1, 2]


def test_a_path_begins_at_a_ring_and_ends_at_a_dot() -> None:
    _, axis = new_figure()
    path = [[3.0, 2.0], [1.0, -1.0], [0.5, 0.25]]
    drawings.landscape(axis, lambda a, b: a**2 + b**2, {"walk": path}, [1, 4], (-4, 4, -4, 4))
    ring, dot = axis.lines[-2:]
    assert (ring.get_xydata().tolist(), ring.get_markerfacecolor()) == ([[3.0, 2.0]], "none")
    assert dot.get_xydata().tolist() == [[0.5, 0.25]]


def test_paired_differences_have_students_interval() -> None:
    _, axis = new_figure()
    drawings.paired(axis, {"more data": [1.0, 2.0, 3.0], "less": [-1.0, -1.5, -2.0]}, "points")
    (interval,) = axis.containers[0].lines[2]
    low, high = interval.get_segments()[0][:, 0]
    assert (low, high) == pytest.approx((2 - 2.484, 2 + 2.484), abs=1e-3)  # t(2) = 4.303, 1 / sqrt(3)
    assert [to_hex(bar.lines[0].get_color()) for bar in axis.containers] == [POSITIVE, NEGATIVE]
