"""A small sheet: each symbol from photograph to what the network sees, and its ten probabilities."""

from typing import Any

from matplotlib.figure import Figure

from curriculum import draw
from curriculum.picture import Picture
from models.jobs.reading import STRANGE, Reading, Symbol

STAGES = ("as photographed", "ink alone", "20×20 box", "28×28, centred")
MOST = 40  # rows; a sheet of more could not be looked at


def stages(symbol: Symbol) -> list[Picture]:
    """The pictures under `STAGES`, each from 0 (black) to 1."""
    prepared = symbol.prepared
    return [prepared.crop, prepared.ink, prepared.small, prepared.digit]


def png(readings: list[Reading]) -> bytes:
    """The sheet as a PNG file: a row for each of the first symbols."""
    return draw.png(sheet(readings))


def sheet(readings: list[Reading]) -> Figure:
    """A row for each symbol, of the first `MOST`."""
    rows = [(reading.path.name, symbol) for reading in readings for symbol in reading.symbols][:MOST]
    figure, axes = draw.new_figure(len(rows), len(STAGES) + 1, 1.5, 1.6)
    axes = axes.reshape(len(rows), len(STAGES) + 1)
    for row, (name, symbol) in zip(axes, rows, strict=True):
        for axis, picture in zip(row, stages(symbol), strict=False):
            axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
        _bars(row[-1], symbol)
        row[0].set_ylabel(name if len(name) <= 18 else f"{name[:15]}…", fontsize=7, parse_math=False)
    for axis, title in zip(axes[0], STAGES, strict=False):
        axis.set_title(title, fontsize=8)
    return figure


def _bars(axis: Any, symbol: Symbol) -> None:
    colours = [draw.TORCH if digit == symbol.answer else draw.OTHER[0] for digit in range(10)]
    axis.bar(range(10), symbol.probabilities, color=colours)
    axis.set(ylim=(0, 1), yticks=[], xticks=range(10))
    axis.tick_params(labelsize=7, length=0)
    title = f"reads {symbol.answer}, second {symbol.second}"
    axis.set_title(f"{title}\n{STRANGE}" if symbol.is_strange else title, fontsize=7, color=_colour(symbol))


def _colour(symbol: Symbol) -> str:
    return draw.SCRATCH if symbol.is_strange else "black"
