"""The command that reads a user's own pictures."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from curriculum import UserError
from curriculum.cli.options import RUNS, AsJson, DataDir, LogDir

if TYPE_CHECKING:
    from curriculum.picture import Prepared


def read(
    pictures: Annotated[list[Path], typer.Argument(help="Photographs, scans or drawings: PNG, JPEG, …")],
    run: Annotated[
        str | None,
        typer.Option(help="Whose network: a run's folder, or a part of its name (default: the newest run)."),
    ] = None,
    data_dir: DataDir = None,
    log_dir: LogDir = RUNS,
    as_json: AsJson = False,
) -> None:
    """Read the digits on your own pictures. Exit code 2 where a picture cannot be read."""
    from curriculum.picture import read_picture  # takes a moment to import

    found: dict[Path, list[Prepared]] = {}
    for path in pictures:
        try:
            found[path] = read_picture(path)
        except UserError as error:
            print(f"curriculum: {' '.join(str(error).split())}", file=sys.stderr)
    if found:
        _read(found, run, data_dir, log_dir, as_json)
    if len(found) < len(set(pictures)):
        raise typer.Exit(2)


def _read(
    found: "dict[Path, list[Prepared]]", run: str | None, data_dir: Path | None, log_dir: Path, as_json: bool
) -> None:
    from models.jobs import read

    say = Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print
    report = read.run(found, run, log_dir, data_dir, say)
    if as_json:
        print(json.dumps(report.plain(), indent=2))
        return
    unicode = "utf" in (sys.stdout.encoding or "").lower()
    print(f"network: {report.network}")
    for reading in report.readings:
        print()
        print("\n".join(reading.lines(Console().width, unicode)))
    print(f"\npage: {report.page}\nsheet: {report.sheet}")
