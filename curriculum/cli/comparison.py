"""What `curriculum compare` does: every pair of some lessons, compared on one case."""

from typing import Any

import torch

from curriculum.device import usable
from curriculum.discover import Lesson
from curriculum.pair import Case, Difference, Pair, compare
from curriculum.table import TerminalTable


def compare_lessons(chosen: list[Lesson], dtype: str, device: str) -> list[dict[str, Any]]:
    """Every pair of the lessons: its named results with their largest differences.

    Args:
        dtype: "float32" or "float64".

    Raises:
        UserError: the device cannot be used.
    """
    usable(device)
    case = Case(dtype=getattr(torch, dtype), device=device)
    return [_row(lesson, pair, case) for lesson in chosen for pair in lesson.pairs()]


def _row(lesson: Lesson, pair: Pair, case: Case) -> dict[str, Any]:
    try:
        results = compare(pair, case)
    except Exception as error:
        results = [Difference("pair", float("inf"), f"{type(error).__name__}: {error}")]
    return {
        "lesson": lesson.number,
        "pair": pair.name,
        "ok": not any(result.problem for result in results),
        "largest": max(result.largest for result in results),
        "results": [vars(result) for result in results],
    }


def comparison_table(rows: list[dict[str, Any]]) -> TerminalTable:
    """One row a pair: how far its results are apart, and what is wrong with those that differ."""
    table = TerminalTable("lesson", "pair", "results", "largest difference", "verdict", box=None)
    for row in rows:
        problems = [
            f"{result['name']}: {result['problem']}" for result in row["results"] if result["problem"]
        ]
        table.add_row(
            f"{row['lesson']:02}",
            row["pair"],
            str(len(row["results"])),
            f"{row['largest']:.1e}",
            "; ".join(problems) or "equal",
            style="bold red" if problems else None,
        )
    return table
