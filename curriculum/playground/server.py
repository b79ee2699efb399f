"""Serves the pages to this machine alone, and beside them a run's weights and MNIST."""

import functools
import urllib.parse
from collections.abc import Callable, Mapping
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from curriculum import UserError

ADDRESS = "127.0.0.1"
WEIGHTS = "/model.safetensors"
MNIST = "/mnist.json"
Served = Mapping[str, Callable[[], bytes]]


def server(served: Served) -> ThreadingHTTPServer:
    """At a free port; `served` makes what the page of digits may ask for besides, by its path."""
    folder = str(Path(__file__).parent)
    return ThreadingHTTPServer((ADDRESS, 0), functools.partial(Handler, directory=folder, served=served))


class Handler(SimpleHTTPRequestHandler):
    """Serves the pages, and what else there is."""

    def __init__(self, *arguments: Any, served: Served, **options: Any) -> None:
        self.served = served
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        make = self.served.get(urllib.parse.urlsplit(self.path).path)
        if make is None:
            super().do_GET()
            return
        try:
            content = make()
        except UserError as error:  # a file that was whole when the page was opened
            self.send_error(500, explain=str(error))
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Nothing is said of what goes well."""
