"""Serves the pages to this machine alone, and the weights of a run beside them."""

import functools
import urllib.parse
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ADDRESS = "127.0.0.1"
WEIGHTS = "/model.safetensors"


def server(weights: Path | None) -> ThreadingHTTPServer:
    """At a free port; `weights` is the file of a run that the page of digits may ask for."""
    folder = str(Path(__file__).parent)
    return ThreadingHTTPServer((ADDRESS, 0), functools.partial(Handler, directory=folder, weights=weights))


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
