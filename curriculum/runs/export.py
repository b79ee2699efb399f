"""Curves for other programs: CSV in long format, or JSON with what is known of each run. No torch."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curriculum.runs.catalogue import for_json
from curriculum.runs.events import EventLog, Point
from curriculum.runs.facts import (
    data_of,
    measured_in_words,
    read_log,
    read_manifest,
    read_report,
    read_results,
)

COLUMNS = ("run", "tag", "step", "wall_time", "value", "data")


@dataclass(frozen=True)
class Exported:
    """One run to be written: its name, its folder, and its log, which is empty where it wrote none."""

    name: str
    folder: Path
    log: EventLog

    @classmethod
    def read(cls, folder: Path, name: str) -> "Exported":
        """Read the run in `folder`.

        Raises:
            UserError: it has event files, and no event in them can be read.
        """
        return cls(name, folder, read_log(folder))


def as_csv(runs: list[Exported]) -> str:
    """A head line, and a line for each point as it was logged. What is not finite is nan, inf or -inf."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in runs:
        writer.writerows(_points(run))
    return text.getvalue()


def as_json(runs: list[Exported]) -> str:
    """A list of runs. Each curve has its steps, times and values as lists of one length.

    JSON has no sign for numbers without an end: they are text, "nan", "inf", "-inf", which `float` takes.
    """
    return json.dumps([for_json(_run(run)) for run in runs], allow_nan=False) + "\n"


def _points(run: Exported) -> Iterator[tuple[str, str, int, float, float, str]]:
    """With what the run was measured on; empty where no file tells."""
    told = data_of(run.folder)
    data = measured_in_words(told) if told["data"] else ""
    for tag, points in run.log.scalars.items():
        for point in points:
            yield run.name, tag, point.step, point.wall_time, point.value, data


def _run(run: Exported) -> dict[str, Any]:
    return {
        "run": run.name,
        "folder": str(run.folder),
        "results": read_results(run.folder, run.log),
        "hparams": run.log.hparams,
        "manifest": read_manifest(run.folder),
        "report": read_report(run.folder),
        "curves": {tag: _columns(run.log.scalars[tag]) for tag in run.log.scalars},
    }


def _columns(points: list[Point]) -> dict[str, list[float]]:
    return {
        "step": [point.step for point in points],
        "wall_time": [point.wall_time for point in points],
        "value": [point.value for point in points],
    }
