"""Figures: their colours, an empty one to draw on, and the PNG that is made of one."""

import io
from typing import Any

from matplotlib.figure import Figure

# The two sides keep their colours in every figure.
SCRATCH = "#d1495b"
TORCH = "#00798c"
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
