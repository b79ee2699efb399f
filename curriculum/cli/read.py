"""The command that reads a user's own pictures."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from curriculum import UserError
from curriculum.cli.options import RUNS, AsJson, DataDir, LogDir

if TYPE_CHECKING:
    from curriculum.picture import Prepared, Whole

    Pictures = dict[Path, Sequence[Prepared | Whole]]


def read(
    pictures: Annotated[list[Path], typer.Argument(help="Photographs, scans or drawings: PNG, JPEG, …")],
    run: Annotated[
        str | None,
        typer.Option(help="Whose network: a run's folder, or a part of its name (default: the newest run)."),
    ] = None,
    as_is: Annotated[
        bool,
        typer.Option(
            "--as-is",
            help="Feed each picture whole, as those of your own data are: nothing is cut out or centred.",
        ),
    ] = False,
    data_dir: DataDir = None,
    log_dir: LogDir = RUNS,
    as_json: AsJson = False,
) -> None:
    """Read the digits on your own pictures. Exit code 2 where a picture cannot be read."""
    from curriculum.own_data import whole  # takes a moment to import
    from curriculum.picture import read_picture

    found: Pictures = {}
    for path in pictures:
        try:
            found[path] = [whole(path)] if as_is else read_picture(path)
        except UserError as error:
            print(f"curriculum: {' '.join(str(error).split())}", file=sys.stderr)
    if found:
        _read(found, run, data_dir, log_dir, as_json)
    if len(found) < len(set(pictures)):
        raise typer.Exit(2)


def _read(found: "Pictures", run: str | None, data_dir: Path | None, log_dir: Path, as_json: bool) -> None:
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
