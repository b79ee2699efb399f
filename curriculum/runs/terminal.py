"""Runs in a terminal: the list as a table, one run in lines of text with its curves."""

import math
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from datetime import datetime
from itertools import pairwise
from typing import Any

from rich.markup import escape

from curriculum.runs.events import Point
from curriculum.runs.facts import COUNTERS, CURVES, RESULTS, RecordedRun, measured_in_words, number
from curriculum.table import TerminalTable

FEW_FACTS = (
    "engine", "data", "pictures", "parameters", "sizes", "activation", "optimizer", "lr", "epochs",
    "max_epochs", "batch_size", "seed", "dtype", "torch",
)  # fmt: skip
LINES = 5  # of a curve
NAMED = 3  # runs, where many share a data set
# The bit of each of the eight dots in a braille character, by row and column.
BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def table(rows: Sequence[Mapping[str, Any]]) -> TerminalTable:
    """The rows of `catalogue.rows`, a dash where a run lacks a number."""
    result = TerminalTable(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    result.add_column("\nrun", overflow="fold")
    result.add_column("\nsteps", justify="right", no_wrap=True)
    for name in RESULTS:
        result.add_column(name.replace("_", "\n"), justify="right", no_wrap=True)
    result.add_column("\nwhen", no_wrap=True)
    for row in rows:
        numbers = [_cell(name, row[name]) for name in ("steps", *RESULTS)]
        result.add_row(escape(printable(row["name"])), *numbers, _when(row["when"]))
    return result


def measured_on(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each data set: results on different ones do not compare."""
    names: dict[tuple[str, str | None], list[str]] = {}
    for row in rows:
        if row["data"]:
            names.setdefault((measured_in_words(row), row["data_sha256"]), []).append(row["name"])
    same_words = Counter(words for words, _ in names)
    for (data, sha256), runs in names.items():
        if same_words[data] > 1 and sha256:
            data = f"{data} (SHA-256 {sha256[:8]}…)"
        some = ", ".join(runs[:NAMED]) + (f" and {len(runs) - NAMED} more" if len(runs) > NAMED else "")
        yield printable(f"measured on {data}: {'all' if len(runs) == len(rows) else some}")


def notes(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What the table cannot tell: a line for each run that cannot be read."""
    for row in rows:
        if row["note"]:
            yield printable(f"{row['name']}: {row['note']}")


def show(run: RecordedRun, width: int = 80, unicode: bool = True) -> str:
    """The run in lines of at most `width` characters: what was run, its curves, what else is in its log.

    Without `unicode`, curves are drawn in ASCII. Names and values are always as they stand.
    """
    drawn = _drawn(run)
    facts = [f"{name} {run.facts[name]}" for name in FEW_FACTS if name in run.facts]
    results = [f"{tag} {number(tag, value)}" for tag, value in run.results.items()]
    lines = [run.name, *_fill(facts, width), *_fill(results, width)]
    lines += _fill([run.warning], width)
    for tag, points in drawn.items():
        lines += ["", *_curve(tag, points, width, unicode)]
    lines += ["", *_fill(_others(run, drawn), width)]
    return "\n".join(printable(line)[:width].rstrip() for line in lines).rstrip()


def plot(points: Sequence[tuple[float, float]], columns: int, lines: int, unicode: bool) -> list[str]:
    """A curve in `lines` lines of `columns` characters: braille with its eight dots each, or stars.

    Args:
        points: (x, y), at least one, all finite.
    """
    wide, high = (2, 4) if unicode else (1, 1)  # dots in a character
    across = _onto([x for x, _ in points], columns * wide - 1)
    down = _onto([-y for _, y in points], lines * high - 1)
    corners = list(zip(across, down, strict=True))
    cells = [[0] * columns for _ in range(lines)]
    for start, end in pairwise([corners[0], *corners]):
        for x, y in _dots(start, end):
            cells[y // high][x // wide] |= BRAILLE[y % high][x % wide]
    return ["".join(_character(cell, unicode) for cell in row) for row in cells]


def printable(text: str) -> str:
    """Tags and texts come from files: nothing in them may steer the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


# ---------------------------------------------------------------- parts of the table


def _cell(name: str, value: float | str | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else number(name, value)


def _when(when: str) -> str:
    then = datetime.fromisoformat(when)
    return then.strftime("%d %b %H:%M" if then.year == datetime.now().year else "%d %b %Y")


# ---------------------------------------------------------------- parts of one run


def _drawn(run: RecordedRun) -> dict[str, list[Point]]:
    """The main curves; where it has none of them, the first few others."""
    curves = run.curves()
    main = [tag for tag in curves if tag in CURVES]
    return {tag: curves[tag] for tag in main or list(curves)[: len(CURVES)]}


def _curve(tag: str, points: list[Point], width: int, unicode: bool) -> list[str]:
    """A heading with the first and the last value, the curve, highest and lowest value and step beside it."""
    finite = [(point.step, point.value) for point in points if math.isfinite(point.value)]
    arrow, bar = ("→", "│") if unicode else ("->", "|")
    heading = f"{tag}  {number(tag, points[0].value)} {arrow} {number(tag, points[-1].value)}"
    if len(finite) < len(points):
        heading += f"  ({len(points) - len(finite)} not finite)"
    if not finite:
        return [heading]
    values = [value for _, value in finite]
    labels = [number(tag, max(values)), *[""] * (LINES - 2), number(tag, min(values))]
    margin = max(map(len, labels))
    drawn = plot(finite, width - margin - 2, LINES, unicode)
    rows = [f"{label:>{margin}} {bar}{row}" for label, row in zip(labels, drawn, strict=True)]
    first = f"{finite[0][0]:,}"
    last = f"{finite[-1][0]:,}"
    return [heading, *rows, f"{'':{margin}} {first}{last:>{width - margin - 1 - len(first)}}"]


def _onto(values: list[float], last: int) -> list[float]:
    """Stretch the values over 0 … last; values that are all equal go to the middle."""
    low, high = min(values), max(values)
    if low == high:
        return [last / 2 for _ in values]
    return [(value - low) / (high - low) * last for value in values]


def _dots(start: tuple[float, float], end: tuple[float, float]) -> Iterator[tuple[int, int]]:
    """The places (x, y) on the line from `start` to `end`, both included, without a gap."""
    across = end[0] - start[0]
    down = end[1] - start[1]
    count = math.ceil(max(abs(across), abs(down), 1))
    for part in range(count + 1):
        yield round(start[0] + across * part / count), round(start[1] + down * part / count)


def _character(cell: int, unicode: bool) -> str:
    if unicode:
        return chr(0x2800 + cell)
    return "*" if cell else " "


def _others(run: RecordedRun, drawn: Mapping[str, Any]) -> Iterator[str]:
    """What the log holds besides, counted: grad_norm/… (6), 3 images, 11 histograms."""
    log = run.log
    left = [tag for tag in log.scalars if tag not in (*drawn, *RESULTS, *COUNTERS)]
    for prefix, count in Counter(tag.partition("/")[0] for tag in left).items():
        yield prefix if prefix in left else f"{prefix}/ ({count})"
    kinds: dict[str, Sized] = {
        "image": log.images,
        "text": log.texts,
        "histogram": log.histograms,
        "tensor": log.tensors,
    }
    for kind, tags in kinds.items():
        if tags:
            yield f"{len(tags)} {kind}{'s' if len(tags) > 1 else ''}"


def _fill(parts: Iterable[str], width: int) -> list[str]:
    return textwrap.wrap(", ".join(parts), width, break_on_hyphens=False)
