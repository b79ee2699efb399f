"""The command that shows the network that learns in the browser."""

import urllib.parse
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from curriculum.cli.options import RUNS, DataDir, LogDir


def play(
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")] = True,
    run: Annotated[
        str | None,
        typer.Option(help="Begin with the weights of a run: its folder, or a part of its name: scratch."),
    ] = None,
    data_dir: DataDir = None,
    log_dir: LogDir = RUNS,
) -> None:
    """Watch a network learn in the browser: this machine alone serves it, until Ctrl-C."""
    from curriculum.playground.server import ADDRESS, server

    weights, told = (None, "") if run is None else _weights_of(run, log_dir, data_dir)
    with server(weights) as serving:
        page = f"http://{ADDRESS}:{serving.server_port}/digits.html{told}"
        print(f"open: {page} (Ctrl-C ends it)", flush=True)
        if browser:
            webbrowser.open(page)
        serving.serve_forever()


def _weights_of(run: str, log_dir: Path, data_dir: Path | None) -> tuple[Path, str]:
    """The file, and what the page's address says of it."""
    from models.jobs.play import weights_of  # imports torch

    found = weights_of(run, log_dir, data_dir)
    words = {"run": found.name, "mean": repr(found.mean), "std": repr(found.std)}
    return found.file, f"#{urllib.parse.urlencode(words)}"
