"""The pictures that lessons share, each drawn on axes that are given: a picture costs a lesson a few lines.

    figure, axis = new_figure()
    curves(axis, {"batches of 32": losses}, across="step", upwards="loss")

One visual language: blue is above zero and orange below; a path begins at a ring and ends at a dot; lines
differ in their dashes, too, for who cannot tell the colours apart.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from statistics import mean, stdev
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Circle
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from curriculum.draw import DATA, GRADIENT, NEGATIVE, OTHER, POSITIVE, SCRATCH, TORCH

Floats = NDArray[np.float64]
Curve = ArrayLike | tuple[ArrayLike, ArrayLike]  # heights alone, or places across and heights
Names = Sequence[Sequence[str]]  # of the nodes, column by column

LINES = (TORCH, SCRATCH, OTHER[1], OTHER[2], OTHER[0], OTHER[3])
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)), (0, (3, 1)), (0, (8, 3)))
SIGNED = LinearSegmentedColormap.from_list("signed", [NEGATIVE, "white", POSITIVE])
RADIUS = 0.36  # of a node
ACROSS, DOWN = 3.0, 1.9  # from one node's centre to the next
MOST_NUMBERS = 6  # connections of a gap; more numbers would cover each other
GREY = "0.6"


def curves(
    axis: Axes,
    series: Mapping[str, Curve],
    across: str,
    upwards: str,
    colors: Mapping[str, str] | None = None,
) -> None:
    """Labelled curves over the same axis.

    Args:
        series: the name of each curve, and its heights (n,), counted from 1, or places and heights (n,) each.
        across, upwards: what the axes count.
        colors: of curves that have a meaning (SCRATCH, TORCH); the others differ.
    """
    for (name, curve), color, dashes in zip(series.items(), LINES, DASHES, strict=False):
        x, y = curve if isinstance(curve, tuple) else (1 + np.arange(len(np.asarray(curve))), curve)
        own = (colors or {}).get(name, color)
        axis.plot(np.asarray(x), np.asarray(y), color=own, linestyle=dashes, label=name)
    axis.set(xlabel=across, ylabel=upwards)
    if len(series) > 1:
        axis.legend(frameon=False)


def sheet(
    axis: Axes, pictures: ArrayLike, columns: int, titles: Sequence[str] = (), signed: bool = False
) -> None:
    """Pictures in rows, like stamps, all on one scale.

    Args:
        pictures: (n, height, width); dark is much, or with `signed` blue above zero and orange below.
        titles: one for each, written beneath it; or none.
    """
    stamps = np.asarray(pictures, dtype=np.float64)
    count, height, width = stamps.shape
    rows = -(-count // columns)
    down, right = height + (4 if titles else 1), width + 1
    paper = np.full((rows * down, columns * right), np.nan)
    for index, stamp in enumerate(stamps):
        top, left = index // columns * down, index % columns * right
        paper[top : top + height, left : left + width] = stamp
        if titles:
            axis.text(left + width / 2, top + height, titles[index], ha="center", va="top", fontsize=8)
    largest = np.abs(stamps).max() or 1.0
    low, cmap = (-largest, SIGNED) if signed else (0.0, "gray_r")
    axis.imshow(paper, cmap=cmap, vmin=low, vmax=largest, interpolation="nearest")
    axis.axis("off")


def regions(
    axis: Axes,
    answer: Callable[[Floats], ArrayLike],
    points: ArrayLike,
    classes: ArrayLike,
    margin: float = 0.5,
) -> None:
    """Which class is answered where, and the points with the class that is theirs.

    Args:
        answer: places (n, 2) as float64 → classes (n,), counted from 0.
        points: (n, 2).
        classes: (n,), counted from 0.
    """
    spots, owns = np.asarray(points, dtype=np.float64), np.asarray(classes)
    low, high = spots.min(0) - margin, spots.max(0) + margin
    x, y = np.meshgrid(np.linspace(low[0], high[0], 200), np.linspace(low[1], high[1], 200))
    answers = np.asarray(answer(np.stack([x.ravel(), y.ravel()], 1))).reshape(x.shape)
    count = int(max(owns.max(), answers.max())) + 1
    edges = np.arange(count + 1) - 0.5
    axis.contourf(x, y, answers, levels=edges, colors=LINES[:count], alpha=0.18)
    for number, color, marker in zip(range(count), LINES, "osD^vP", strict=False):
        own = spots[owns == number]
        axis.scatter(own[:, 0], own[:, 1], s=22, color=color, marker=marker, label=f"class {number}")
    axis.set_aspect("equal")


def landscape(
    axis: Axes,
    height: Callable[[Floats, Floats], ArrayLike],
    paths: Mapping[str, ArrayLike],
    levels: Sequence[float],
    side: tuple[float, float, float, float],
) -> None:
    """A loss over two weights as contours, and ways that were walked on it: from a ring to a dot.

    Args:
        height: two weights, (rows, columns) each → the loss, of the same shape.
        paths: name → (steps + 1, 2), the start first.
        side: the least and the largest first weight, the least and the largest second.
    """
    x, y = np.meshgrid(np.linspace(*side[:2], 160), np.linspace(*side[2:], 160))
    axis.contour(x, y, np.asarray(height(x, y)), levels=levels, colors=GREY, linewidths=0.7)
    for (name, path), color, dashes in zip(paths.items(), LINES, DASHES, strict=False):
        east, north = np.asarray(path, dtype=np.float64).T
        axis.plot(east, north, color=color, linestyle=dashes, linewidth=1.3, label=name)
        axis.plot(east, north, ".", color=color, markersize=3)
        axis.plot(east[0], north[0], "o", color=color, markerfacecolor="none", markersize=8)
        axis.plot(east[-1], north[-1], "o", color=color, markersize=6)
    axis.set(xlim=side[:2], ylim=side[2:], xlabel="first weight", ylabel="second weight")
    axis.legend(frameon=False)


def paired(axis: Axes, differences: Mapping[str, Sequence[float]], across: str) -> None:
    """What each change brought, seed by seed: a ring a seed, and the mean with its 95 % interval.

    The interval is Student's, for the mean of the differences; it needs two seeds or more.

    Args:
        differences: name of the change → with it minus without it, one number a seed.
    """
    names = list(differences)
    axis.axvline(0, color=GREY, linewidth=1)
    for row, name in enumerate(names):
        found = list(differences[name])
        middle = mean(found)
        reach = stats.t.ppf(0.975, len(found) - 1) * stdev(found) / len(found) ** 0.5
        axis.plot(found, [row + 0.18] * len(found), "o", color=GREY, markerfacecolor="none", markersize=4)
        color = POSITIVE if middle > 0 else NEGATIVE
        axis.errorbar(middle, row, xerr=reach, fmt="o", color=color, capsize=3)
    axis.set(yticks=range(len(names)), yticklabels=names, xlabel=across, ylim=(len(names) - 0.5, -0.5))


def network(
    axis: Axes,
    names: Names,
    weights: Sequence[ArrayLike] = (),
    values: Sequence[ArrayLike] = (),
    gradients: Sequence[ArrayLike] = (),
    weight_gradients: Sequence[ArrayLike] = (),
) -> None:
    """A network from left to right. What is not given is not drawn.

    Lines are connections: blue above zero, orange below, thick where the weight is large. Values stand in the
    nodes. Gradients stand on yellow: below their node, or beside their weight.

    Args:
        names: of the nodes, column by column.
        weights: of each gap, (nodes on the right, nodes on the left), as `nn.Linear` keeps them.
        values, gradients: of each column, one number a node.
        weight_gradients: of each gap, like the weights.
    """
    places = [_column(number, len(column), max(map(len, names))) for number, column in enumerate(names)]
    for gap, (left, right) in enumerate(itertools.pairwise(places)):
        lines = (
            np.asarray(weights[gap], dtype=np.float64)
            if weights
            else np.full((len(right), len(left)), np.nan)
        )
        blame = np.asarray(weight_gradients[gap], dtype=np.float64) if weight_gradients else None
        _connections(axis, left, right, lines, blame)
    for column, (spots, own) in enumerate(zip(places, names, strict=True)):
        inside = np.asarray(values[column], dtype=np.float64).ravel() if values else None
        beneath = np.asarray(gradients[column], dtype=np.float64).ravel() if gradients else None
        for node, (x, y) in enumerate(spots):
            _node(axis, x, y, own[node], None if inside is None else inside[node])
            if beneath is not None:
                _on_yellow(axis, x, y - RADIUS - 0.2, beneath[node])
    half = DOWN * (max(map(len, names)) - 1) / 2
    axis.set(xlim=(-0.6, ACROSS * (len(names) - 1) + 0.6), ylim=(-half - 0.8, half + 0.5))
    axis.set_aspect("equal")
    axis.axis("off")


def _column(number: int, count: int, tallest: int) -> list[tuple[float, float]]:
    """Where its nodes lie, from the top; shorter columns spread out."""
    step = DOWN if count == tallest else DOWN * (tallest - 0.5) / count
    return [(ACROSS * number, ((count - 1) / 2 - row) * step) for row in range(count)]


def _connections(
    axis: Axes,
    left: list[tuple[float, float]],
    right: list[tuple[float, float]],
    weights: Floats,
    blame: Floats | None,
) -> None:
    largest = np.nanmax(np.abs(weights), initial=1e-9)
    for to, (x1, y1) in enumerate(right):
        for source, (x0, y0) in enumerate(left):
            weight = weights[to, source]
            color = GREY if np.isnan(weight) else POSITIVE if weight > 0 else NEGATIVE
            thick = 0.8 if np.isnan(weight) else 0.5 + 2.5 * abs(weight) / largest
            _arrow(axis, (x0, y0), (x1, y1), color, thick)
            if len(left) * len(right) > MOST_NUMBERS:
                continue
            at = 0.32 if len(left) > 1 else 0.5  # near its start, where lines lie apart
            x, y = x0 + at * (x1 - x0), y0 + at * (y1 - y0)
            if not np.isnan(weight):
                axis.text(x, y + 0.1, _short(weight), ha="center", color=color, fontsize=9, zorder=3)
            if blame is not None:
                _on_yellow(axis, x, y - 0.17, blame[to, source])


def _arrow(
    axis: Axes, start: tuple[float, float], end: tuple[float, float], color: str, thick: float
) -> None:
    """From the rim of one node to the rim of another."""
    (x0, y0), (x1, y1) = start, end
    rim = RADIUS / np.hypot(x1 - x0, y1 - y0)
    near = (x0 + rim * (x1 - x0), y0 + rim * (y1 - y0))
    far = (x1 - rim * (x1 - x0), y1 - rim * (y1 - y0))
    look = {"arrowstyle": "-|>", "color": color, "linewidth": thick, "shrinkA": 0, "shrinkB": 0}
    axis.annotate("", xy=far, xytext=near, arrowprops=look, zorder=1)


def _node(axis: Axes, x: float, y: float, name: str, value: float | None) -> None:
    axis.add_patch(Circle((x, y), RADIUS, facecolor="white", edgecolor=DATA, zorder=3))
    text = name if value is None else f"{name}\n{_short(value)}"
    axis.text(x, y, text, ha="center", va="center", fontsize=9, color=DATA, zorder=4)


def _on_yellow(axis: Axes, x: float, y: float, value: float) -> None:
    box = {"boxstyle": "round,pad=0.15", "facecolor": GRADIENT, "edgecolor": "none"}
    axis.text(x, y, _short(value), ha="center", va="center", fontsize=8, color="black", bbox=box, zorder=5)


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")
