"""Commands that look at what runs have left: lists, curves, their export, TensorBoard."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from curriculum import UserError
from curriculum.cli.options import RUNS, AsJson, LogDir
from curriculum.files import write_whole
from curriculum.shell import quoted

if TYPE_CHECKING:
    from curriculum.runs.export import Exported

app = typer.Typer(help="List runs with their results, show one, or export curves.", rich_markup_mode=None)
SameLogDir = Annotated[
    Path | None, typer.Option("--log-dir", help="Folder of all runs.", show_default="runs")
]


class ExportFormat(StrEnum):
    csv = "csv"
    json = "json"


@app.callback(invoke_without_command=True)
def runs(context: typer.Context, log_dir: LogDir = RUNS, as_json: AsJson = False) -> None:
    """List the runs with their results; `runs show RUN` shows one, `runs export` writes curves."""
    context.obj = log_dir
    if context.invoked_subcommand:
        return
    from curriculum.runs import catalogue, terminal

    rows = catalogue.rows(log_dir)
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        Console().print(terminal.table(rows))
        for line in (*terminal.measured_on(rows), *terminal.notes(rows)):
            print(line)


@app.command("show")
def show(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="A run's folder, or a part of its name: scratch.")],
    log_dir: SameLogDir = None,
) -> None:
    """Draw a run's curves, and write it as one page, run.html in its folder."""
    from curriculum.runs import catalogue, page, terminal
    from curriculum.runs.facts import RecordedRun

    log_dir = log_dir or context.obj
    folder = catalogue.resolve(run, log_dir)
    recorded = RecordedRun.read(folder, catalogue.label(folder, log_dir))
    unicode = "utf" in (sys.stdout.encoding or "").lower()
    print(terminal.show(recorded, Console().width, unicode))
    print(f"\npage: {page.write(recorded)}")


@app.command("export")
def export(
    context: typer.Context,
    which: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Runs, as for show; all if none is named.")
    ] = None,
    file_format: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="By default that of --out FILE.json, else csv.", show_default=False),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write to this file.")] = None,
    log_dir: SameLogDir = None,
) -> None:
    """Write all curves of one run or several: CSV, a line for each point, or JSON with the runs' facts."""
    from curriculum.runs import export as exporting

    log_dir = log_dir or context.obj
    runs = _read_for_export(which or [], log_dir)
    if file_format is None:
        file_format = ExportFormat.json if out and out.suffix.lower() == ".json" else ExportFormat.csv
    text = exporting.as_csv(runs) if file_format == ExportFormat.csv else exporting.as_json(runs)
    if out is None:
        sys.stdout.write(text)
        return
    try:
        write_whole(out, text)
    except OSError as error:
        raise UserError(f"cannot write {out} ({error.strerror}); choose another --out FILE") from error


def _read_for_export(which: list[str], log_dir: Path) -> "list[Exported]":
    """The named runs; without names all there are, but for those that cannot be read: a line tells them."""
    from curriculum.runs import catalogue
    from curriculum.runs.export import Exported

    named = [catalogue.resolve(name, log_dir) for name in which]
    runs = []
    for folder, name in catalogue.names(named or catalogue.find_some(log_dir), log_dir).items():
        try:
            runs.append(Exported.read(folder, name))
        except UserError as error:
            if named:
                raise
            print(f"curriculum: left out: {error}", file=sys.stderr)
    without = [run.name for run in runs if not run.log.scalars]
    if without:
        print(f"curriculum: no curves in {', '.join(without)}", file=sys.stderr)
    return runs


def tensorboard(
    log_dir: LogDir = RUNS,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 0,
    host: Annotated[
        str, typer.Option(help="The address to listen at; with 0.0.0.0 other machines can look, too.")
    ] = "localhost",
) -> None:
    """Open TensorBoard on the logs, on this machine only unless --host says otherwise."""
    from curriculum.runs import catalogue
    from curriculum.runs.events import event_files

    if not any(event_files(run) for run in catalogue.find(log_dir)):
        raise UserError(
            f"there are no logs in {log_dir}; make some first: curriculum mnist --log-dir {quoted(log_dir)}"
        )
    from curriculum.runs.tensorboard import serve

    serve(log_dir, port, host)
