"""A small sheet: each symbol from photograph to what the network sees, and its probabilities."""

from typing import Any

from matplotlib.figure import Figure

from curriculum import draw
from models.jobs.reading import Reading, Symbol

MOST = 40  # rows; a sheet of more could not be looked at


def png(readings: list[Reading]) -> bytes:
    """The sheet as a PNG file: a row for each of the first symbols."""
    return draw.png(sheet(readings))


def sheet(readings: list[Reading]) -> Figure:
    """A row for each symbol, of the first `MOST`."""
    rows = [(reading.path.name, symbol) for reading in readings for symbol in reading.symbols][:MOST]
    titles = list(rows[0][1].prepared.stages)  # the same for all: one run prepares in one way
    figure, axes = draw.new_figure(len(rows), len(titles) + 1, 1.5, 1.6)
    axes = axes.reshape(len(rows), len(titles) + 1)
    for row, (name, symbol) in zip(axes, rows, strict=True):
        for axis, picture in zip(row, symbol.prepared.stages.values(), strict=False):
            axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
        _bars(row[-1], symbol)
        row[0].set_ylabel(name if len(name) <= 18 else f"{name[:15]}…", fontsize=7, parse_math=False)
    for axis, title in zip(axes[0], titles, strict=False):
        axis.set_title(title, fontsize=8)
    return figure


def _bars(axis: Any, symbol: Symbol) -> None:
    shares = symbol.shares
    first, second = (symbol.classes[number] for number in symbol.ranking[:2])
    colours = [draw.TORCH if name == first else draw.OTHER[0] for name in shares]
    places = range(len(shares))
    axis.bar(places, shares.values(), color=colours)
    axis.set(ylim=(0, 1), yticks=[], xticks=places)
    are_long = max(map(len, shares)) > 2
    axis.set_xticklabels([name[:12] for name in shares], rotation=90 * are_long, parse_math=False)
    axis.tick_params(labelsize=5 if are_long else 7, length=0)
    title = f"reads {first}, second {second}"
    if symbol.is_strange:
        title = f"{title}\n{symbol.doubt}"
    axis.set_title(title, fontsize=7, color=_colour(symbol), parse_math=False)


def _colour(symbol: Symbol) -> str:
    return draw.SCRATCH if symbol.is_strange else "black"
