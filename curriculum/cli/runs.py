"""Commands that look at what runs have left: lists, curves, TensorBoard."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from curriculum import UserError
from curriculum.cli.options import RUNS, AsJson, LogDir

app = typer.Typer(help="List runs with their results, or show one.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def runs(context: typer.Context, log_dir: LogDir = RUNS, as_json: AsJson = False) -> None:
    """List the runs with their results; `curriculum runs show RUN` shows one."""
    context.obj = log_dir
    if context.invoked_subcommand:
        return
    from curriculum.runs import catalogue, terminal

    rows = catalogue.rows(log_dir)
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        Console().print(terminal.table(rows))


@app.command("show")
def show(
    context: typer.Context,
    run: Annotated[str, typer.Argument(help="A run's folder, or a part of its name: scratch.")],
    log_dir: Annotated[Path | None, typer.Option(help="Folder of all runs.", show_default="runs")] = None,
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


def tensorboard(
    log_dir: LogDir = RUNS,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes any that is free.")] = 0,
) -> None:
    """Open TensorBoard on the logs, on this machine only."""
    if not any(log_dir.glob("**/events.out.tfevents.*")):
        raise UserError(
            f"there are no logs in {log_dir}; make some first: curriculum mnist --log-dir {log_dir}"
        )
    from curriculum.runs.tensorboard import serve

    serve(log_dir, port)
