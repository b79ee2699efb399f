"""Commands for who reads lessons, and for who writes them."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from curriculum.cli.options import RUNS, AsJson, Device, Dtype, LogDir
from curriculum.discover import lessons, select
from curriculum.table import TerminalTable

Which = Annotated[str, typer.Argument(help="A lesson's number or name, or all.", show_default=False)]


def list_lessons() -> None:
    """List the lessons."""
    table = TerminalTable("lesson", "title", "minutes", box=None)
    for lesson in lessons():
        table.add_row(f"{lesson.number:02}", lesson.title, str(lesson.minutes))
    Console().print(table)


def run(which: Which, log_dir: LogDir = RUNS) -> None:
    """Show every demonstration of a lesson; figures go to PNG files and to TensorBoard."""
    chosen = select(which)
    from curriculum.demo import show_lesson

    for lesson in chosen:
        show_lesson(lesson, log_dir, Console())


def compare(
    which: Which,
    as_json: AsJson = False,
    dtype: Annotated[Dtype, typer.Option(help="Precision of the comparison.")] = Dtype.float64,
    device: Device = "cpu",
) -> None:
    """Compare scratch with PyTorch: every pair, its largest difference. Exit code 1 on a mismatch."""
    chosen = select(which)
    from curriculum.cli.comparison import compare_lessons, comparison_table

    rows = compare_lessons(chosen, dtype, device)
    equal = sum(row["ok"] for row in rows)
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        Console().print(comparison_table(rows))
        results = sum(len(row["results"]) for row in rows)
        print(f"\n{equal} of {len(rows)} pairs equal, {results} results compared")
    if equal < len(rows):
        raise typer.Exit(1)


def notebooks(
    folder: Annotated[Path, typer.Argument(help="Where to write them.")] = Path("notebooks"),
    run: Annotated[bool, typer.Option("--run", help="Also run every cell, so that results show.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Also replace those that you edited.")
    ] = False,
) -> None:
    """Make a notebook of every lesson. Those that you have edited are kept."""
    from curriculum.authoring.notebooks import convert, execute, is_edited, path_of

    for lesson in lessons():
        if not overwrite and is_edited(lesson, folder):
            print(f"{path_of(lesson, folder)} is kept, for you have edited it; --overwrite makes it anew")
            continue
        path = convert(lesson, folder)
        if run:
            execute(path)
        print(path)


def new(
    which: Annotated[str, typer.Argument(help="Number and name of the lesson, like 25_convolution.")],
) -> None:
    """Start a lesson: write its skeleton, or say what it still lacks."""
    from curriculum.authoring.new import missing, start

    for path in start(which):
        print(f"new: {os.path.relpath(path)}")
    for line in missing(which):
        print(f"missing: {line}")
