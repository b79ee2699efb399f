"""The command that shows the network that learns in the browser."""

import functools
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

ADDRESS = "127.0.0.1"


def play(
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")] = True,
) -> None:
    """Watch a network learn in the browser: this machine alone serves it, until Ctrl-C."""
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    from curriculum import playground

    folder = str(Path(playground.__file__).parent)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer((ADDRESS, 0), handler) as server:
        page = f"http://{ADDRESS}:{server.server_port}/digits.html"
        print(f"open: {page} (Ctrl-C ends it)", flush=True)
        if browser:
            webbrowser.open(page)
        server.serve_forever()
