"""Figures: their colours, an empty one to draw on, what a page gets of one, and what it shows in words."""

import io
import re
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# The two sides keep their colours in every figure.
SCRATCH = "#d1495b"
TORCH = "#00798c"
LARGEST_SVG = 300_000  # characters
POSITIVE = "#2b6cb0"  # weights, inputs and differences above zero
NEGATIVE = "#d9822b"  # and below
GRADIENT = "#f2c14e"  # what flows back; black is written on it
DATA = "#2e4057"
OTHER = ("#edae49", "#6a4c93", "#66a182", "#2e4057")


def new_figure(
    rows: int = 1, columns: int = 1, width: float = 4.0, height: float = 3.2
) -> tuple[Figure, Any]:
    """An empty figure and its axes (an array where there is more than one), `width` × `height` inches each.

    It is made without pyplot: nothing opens and nothing is left behind.
    """
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained", dpi=110)
    axes = figure.subplots(rows, columns)
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def png(figure: Figure) -> bytes:
    """The content of a PNG file of the figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def for_page(figure: Figure) -> dict[str, str | bytes]:
    """A drawing as SVG, sharp at any size; one that holds pictures, or is full of points, as PNG, finely.

    Returns:
        The content by its kind, as notebooks want it.
    """
    drawing = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "curriculum", "svg.fonttype": "none"}):
        figure.savefig(drawing, format="svg", transparent=True, metadata={"Date": None})
    if len(drawing.getvalue()) <= LARGEST_SVG and not any(axis.images for axis in figure.axes):
        return {"image/svg+xml": drawing.getvalue()}
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=2 * figure.dpi)
    return {"image/png": picture.getvalue()}


def describe(figure: Figure) -> str:
    """What a figure shows, for who cannot see it: its titles, axes and the names of its curves."""
    return ". ".join(filter(None, map(_words_of, figure.axes)))


def _words_of(axis: Axes) -> str:
    legend = axis.get_legend()
    names = ", ".join(text.get_text() for text in legend.get_texts()) if legend else ""
    labels = {
        "": axis.get_title(),
        "across: ": axis.get_xlabel(),
        "upwards: ": axis.get_ylabel(),
        "shown: ": names,
    }
    words = ", ".join(f"{label}{text}" for label, text in labels.items() if text)
    return " ".join(re.sub(r"[$\\{}]", "", words).split())
