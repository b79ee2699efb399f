"""The command that shows the network that learns in the browser."""

import functools
import urllib.parse
import webbrowser
from collections.abc import Callable
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
    from curriculum.playground import mnist
    from curriculum.playground.server import ADDRESS, MNIST, WEIGHTS, server

    served: dict[str, Callable[[], bytes]] = {}
    words = {}
    if mnist.is_there(data_dir):
        served[MNIST] = functools.partial(mnist.as_json, data_dir)
        words["mnist"] = "1"
    if run is not None:
        weights, about = _weights_of(run, log_dir, data_dir)
        served[WEIGHTS] = weights.read_bytes
        words |= about
    told = f"#{urllib.parse.urlencode(words)}" if words else ""
    with server(served) as serving:
        page = f"http://{ADDRESS}:{serving.server_port}/digits.html{told}"
        print(f"open: {page} (Ctrl-C ends it)", flush=True)
        if browser:
            webbrowser.open(page)
        serving.serve_forever()


def _weights_of(run: str, log_dir: Path, data_dir: Path | None) -> tuple[Path, dict[str, str]]:
    """The file, and what the page's address says of it."""
    from models.jobs.play import weights_of  # imports torch

    found = weights_of(run, log_dir, data_dir)
    return found.file, {"run": found.name, "mean": repr(found.mean), "std": repr(found.std)}
