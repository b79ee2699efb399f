"""One run as one web page: a file that needs no server, no script and no network. What `runs show` writes.

This module prepares the values, `page.html` has the words and the markup. Jinja2 escapes every value, and the
page forbids scripts and outside addresses.
"""

import base64
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.ticker import MaxNLocator

from curriculum import UserError
from curriculum.draw import OTHER, SCRATCH, TORCH
from curriculum.files import write_whole
from curriculum.runs.events import EventLog, Image, Point
from curriculum.runs.facts import COUNTERS, RecordedRun, number

COLOURS = (TORCH, SCRATCH, *OTHER)
DASHES = ("none", "6 3", "2 3")  # when the colours are used up
WIDTH, HEIGHT = 360, 200  # of a chart, in SVG units: about pixels
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 10, 24  # the margins that hold the numbers
BUCKETS = 400  # of steps: more points than two in each cannot be told apart


def write(run: RecordedRun) -> Path:
    """Write `run.html` into the run's folder, whole or not at all, and return its path.

    Raises:
        UserError: the folder cannot be written to.
    """
    target = run.folder / "run.html"
    text = html(run)
    try:
        write_whole(target, text)
    except OSError as error:
        raise UserError(f"cannot write {target} ({error.strerror}); make its folder writable") from error
    return target


def html(run: RecordedRun) -> str:
    """The page as text."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        name=run.name,
        warning=run.warning,
        results={tag: number(tag, value) for tag, value in run.results.items()},
        charts=_charts(run.curves()),
        last_values=_last_values(run.log),
        pictures=[_picture(tag, images[-1]) for tag, images in run.log.images.items()],
        facts=run.facts,
        texts={tag: text for tag, text in run.log.texts.items() if tag != "run"},  # it stands among the facts
        config=run.config,
        left_out=_left_out(run.log),
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        styles=[{"colour": colour, "dash": dash} for dash in DASHES for colour in COLOURS],
    )


def _last_values(log: EventLog) -> dict[str, str]:
    last = {tag: points[-1] for tag, points in log.scalars.items() if tag not in COUNTERS}
    return {tag: f"{number(tag, point.value)} at step {point.step:,}" for tag, point in last.items()}


def _left_out(log: EventLog) -> list[str]:
    kinds = {"histograms": log.histograms, "PR curves and other tensors": log.tensors}
    return [f"{kind} ({len(tags)})" for kind, tags in kinds.items() if tags]


@dataclass(frozen=True)
class Picture:
    """`source`: the picture itself, in the place of its address."""

    caption: str
    source: str


def _picture(tag: str, image: Image) -> Picture:
    kind = "gif" if image.encoded.startswith(b"GIF8") else "png"
    content = base64.b64encode(image.encoded).decode()
    return Picture(f"{tag} at step {image.step:,}", f"data:image/{kind};base64,{content}")


# ---------------------------------------------------------------- charts


@dataclass(frozen=True)
class Mark:
    """A number beside an axis. `at`: its place, in SVG units."""

    at: float
    text: str


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` lie between the places `begin` and `end`."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Where a value lies."""
        return round(self.begin + (value - self.low) / (self.high - self.low) * (self.end - self.begin), 1)


@dataclass(frozen=True)
class Drawing:
    """What is in the frame of a chart. `paths`: the points of each curve, as SVG writes them."""

    paths: list[str]
    x_marks: list[Mark]
    y_marks: list[Mark]


@dataclass(frozen=True)
class Chart:
    """All curves of one prefix.

    Attributes:
        heading: what stands above.
        legend: name and last value of each curve.
        drawing: None where no value is finite.
    """

    heading: str
    legend: list[tuple[str, str]]
    drawing: Drawing | None


def _charts(curves: Mapping[str, list[Point]]) -> list[Chart]:
    groups: defaultdict[str, dict[str, list[Point]]] = defaultdict(dict)
    for tag, points in curves.items():
        groups[tag.partition("/")[0]][tag] = points
    return [_chart(prefix, group) for prefix, group in groups.items()]


def _chart(prefix: str, curves: Mapping[str, list[Point]]) -> Chart:
    heading = next(iter(curves)) if len(curves) == 1 else f"{prefix}/…"
    legend = [(tag.partition("/")[2] or tag, number(tag, points[-1].value)) for tag, points in curves.items()]
    return Chart(heading, legend, _drawing([_finite(points) for points in curves.values()]))


def _drawing(lines: list[list[tuple[int, float]]]) -> Drawing | None:
    steps = [step for line in lines for step, _ in line]
    values = [value for line in lines for _, value in line]
    if not values:
        return None
    x_axis, x_marks = _step_axis(steps)
    y_axis, y_marks = _value_axis(values)
    return Drawing([_path(line, x_axis, y_axis) for line in lines], x_marks, y_marks)


def _step_axis(steps: Sequence[int]) -> tuple[Axis, list[Mark]]:
    """It ends at the first and the last step; marks at whole round ones."""
    low, high = _apart(min(steps), max(steps))
    axis = Axis(low, high, LEFT, WIDTH - RIGHT)
    ticks = [tick for tick in _round_values(low, high, whole=True) if low <= tick <= high]
    return axis, [Mark(axis.at(tick), f"{tick:,.0f}") for tick in ticks]


def _value_axis(values: Sequence[float]) -> tuple[Axis, list[Mark]]:
    """It ends at round values, the lowest at the bottom."""
    ticks = _round_values(*_apart(min(values), max(values)))
    axis = Axis(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    return axis, [Mark(axis.at(tick), f"{tick:.4g}") for tick in ticks]


def _apart(low: float, high: float) -> tuple[float, float]:
    """An axis needs two ends, where all values are equal, too."""
    return (low - 0.5, high + 0.5) if low == high else (low, high)


def _round_values(low: float, high: float, whole: bool = False) -> list[float]:
    locator = MaxNLocator(4, integer=whole, steps=[1, 2, 2.5, 5, 10])
    return [float(value) for value in locator.tick_values(low, high)]


def _finite(points: Sequence[Point]) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in points if math.isfinite(point.value)]


def _path(points: list[tuple[int, float]], x_axis: Axis, y_axis: Axis) -> str:
    return " ".join(f"{x_axis.at(step)},{y_axis.at(value)}" for step, value in _thinned(points))


def _thinned(line: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most the lowest and the highest point of each bucket, so that no spike is lost, and both ends."""
    size = math.ceil(len(line) / BUCKETS)
    if size < 3:
        return line
    kept = {0, len(line) - 1}
    for start in range(0, len(line), size):
        bucket = range(start, min(start + size, len(line)))
        kept.add(min(bucket, key=lambda index: line[index][1]))
        kept.add(max(bucket, key=lambda index: line[index][1]))
    return [line[index] for index in sorted(kept)]
