"""The command that shows the network that learns in the browser."""

import functools
import urllib.parse
import webbrowser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any

import typer

from curriculum.cli.options import RUNS, DataDir, LogDir

ADDRESS = "127.0.0.1"
WEIGHTS = "/model.safetensors"


class Handler(SimpleHTTPRequestHandler):
    """Serves the pages, and the weights of a run beside them."""

    def __init__(self, *arguments: Any, weights: Path | None = None, **options: Any) -> None:
        self.weights = weights
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        if self.weights is None or urllib.parse.urlsplit(self.path).path != WEIGHTS:
            super().do_GET()
            return
        content = self.weights.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


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
    from curriculum import playground

    folder = str(Path(playground.__file__).parent)
    weights, told = (None, "") if run is None else _weights_of(run, log_dir, data_dir)
    handler = functools.partial(Handler, directory=folder, weights=weights)
    with ThreadingHTTPServer((ADDRESS, 0), handler) as server:
        page = f"http://{ADDRESS}:{server.server_port}/digits.html{told}"
        print(f"open: {page} (Ctrl-C ends it)", flush=True)
        if browser:
            webbrowser.open(page)
        server.serve_forever()


def _weights_of(run: str, log_dir: Path, data_dir: Path | None) -> tuple[Path, str]:
    """The file, and what the page's address says of it."""
    from models.jobs.play import weights_of  # imports torch

    found = weights_of(run, log_dir, data_dir)
    words = {"run": found.name, "mean": repr(found.mean), "std": repr(found.std)}
    return found.file, f"#{urllib.parse.urlencode(words)}"
