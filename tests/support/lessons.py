"""What tests of lessons share: a demonstration and a lesson's pairs run once a session."""

import contextlib
import functools
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from curriculum.discover import Lesson
from curriculum.pair import Difference, compare

Shown = TypeVar("Shown")

_shown: dict[Callable[[], Any], Any] = {}
# What a demonstration writes below runs/ lands here and stays until the session ends.
_folder = tempfile.TemporaryDirectory()


def shown(demo: Callable[[], Shown]) -> Shown:
    """What a demonstration returns. Whoever asks again gets the same result: look at it, do not change it."""
    if demo not in _shown:
        with contextlib.chdir(_folder.name):
            _shown[demo] = demo()
    return _shown[demo]


def xs(line: Line2D) -> np.ndarray:
    """Where a drawn line's points lie: (points,), numbers or the names on the axis."""
    return np.asarray(line.get_xdata())


def ys(line: Line2D) -> np.ndarray:
    """How high a drawn line's points lie: (points,), floats."""
    return np.asarray(line.get_ydata(), dtype=float)


def bars(axis: Axes) -> list[Rectangle]:
    """The bars of a diagram, from left to right or from below."""
    return [patch for patch in axis.patches if isinstance(patch, Rectangle)]


@dataclass(frozen=True)
class PairsRun:
    """What running all pairs of a lesson gave: the differences by pair, and all code that ran on the way."""

    differences: dict[str, list[Difference]]
    code: set[CodeType]


@functools.cache
def run_pairs(lesson: Lesson) -> PairsRun:
    """Run every pair of the lesson, once a session: some pairs train."""
    code: set[CodeType] = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        code.add(frame.f_code)

    sys.setprofile(note)
    try:
        differences = {pair.name: compare(pair) for pair in lesson.pairs()}
    finally:
        sys.setprofile(None)
    return PairsRun(differences, code)


def prose(lesson: Lesson) -> str:
    """The text of the markdown cells."""
    cells = re.split(r"^# %%", lesson.path.read_text(encoding="utf-8"), flags=re.M)
    markdown = [cell.partition("\n")[2] for cell in cells if cell.startswith(" [markdown]")]
    return re.sub(r"^# ?", "", "\n".join(markdown), flags=re.M)
