"""MNIST's four files: small ones of the same form, what can be wrong with them, and a server."""

import contextlib
import functools
import gzip
import hashlib
import http.server
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from curriculum import mnist_files

NAMES = list(mnist_files.SHA256)
IMAGES, LABELS = "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"

TRAIN_COUNT = 200  # digits in the small files; the largest of them has 157 kB
TEST_COUNT = 50


def write_small_files(folder: Path) -> dict[str, str]:
    """Write four files of MNIST's form (IDX) with few digits in them. Returns the SHA-256 of each."""
    rng = np.random.default_rng(0)
    sums = {}
    for name in NAMES:
        count = TRAIN_COUNT if name.startswith("train") else TEST_COUNT
        if "images" in name:
            values = rng.integers(256, size=(count, 28, 28), dtype=np.uint8)
        else:
            values = np.arange(count, dtype=np.uint8) % 10
        header = bytes((0, 0, 8, values.ndim)) + b"".join(size.to_bytes(4, "big") for size in values.shape)
        content = header + values.tobytes()
        (folder / name).write_bytes(content)
        sums[name] = hashlib.sha256(content).hexdigest()
    return sums


def changed(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """A fault: the file's content is another."""

    def put(path: Path) -> None:
        content = change(path.read_bytes())
        path.unlink()
        path.write_bytes(content)

    return put


def instead(make: Callable[[Path], Any]) -> Callable[[Path], None]:
    """A fault: something else lies where the file was."""

    def put(path: Path) -> None:
        path.unlink()
        make(path)

    return put


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def huge(path: Path) -> None:
    """A file of 1 TB, of which nothing lies on the disk: to read it would fill the memory."""
    with path.open("wb") as file:
        file.truncate(10**12)


FAULTS = {
    "bit flipped": changed(flipped),
    "last byte missing": changed(lambda content: content[:-1]),
    "cut off in the header": changed(lambda content: content[:6]),
    "one byte more": changed(lambda content: content + b"\0"),
    "empty": changed(lambda content: b""),
    "wrong magic": changed(lambda content: b"\1" + content[1:]),
    "no dimensions": changed(lambda content: content[:3] + b"\0" + content[4:]),
    "one count less": changed(lambda content: content[:7] + bytes([content[7] - 1]) + content[8:]),
    "signed bytes": changed(lambda content: content[:2] + b"\x09" + content[3:]),
    "unknown type": changed(lambda content: content[:2] + b"\x0a" + content[3:]),
    "doubles": changed(lambda content: content[:2] + b"\x0e" + content[3:]),
    "packed": changed(lambda content: gzip.compress(content[:1000])),
    "another of the four": instead(
        lambda path: path.symlink_to(
            path.with_name("t10k-images-idx3-ubyte" if "images" in path.name else "train-labels-idx1-ubyte")
        )
    ),
    "a folder": instead(Path.mkdir),
    "a link to nothing": instead(lambda path: path.symlink_to("nowhere")),
    "a link to itself": instead(lambda path: path.symlink_to(path.name)),
    "1 TB": instead(huge),
}
if hasattr(os, "mkfifo"):
    FAULTS["a pipe"] = instead(os.mkfifo)


@functools.cache
def archives(folder: Path) -> dict[str, bytes]:
    return {
        f"{name}.gz": gzip.compress((folder / name).read_bytes(), compresslevel=1, mtime=0) for name in NAMES
    }


class Server:
    """Serves MNIST's archives from memory.

    `spoil` says by name what is sent instead: a status code; another content, announced as long as the
    right one; "half" of it; "reset" in the middle; or "stall" there, until `go_on` is set.
    It serves until the end of a `with` block.
    """

    def __init__(self, folder: Path) -> None:
        self.spoil: dict[str, bytes | int | str] = {}
        self.asked: list[str] = []
        self.stalled = threading.Event()
        self.go_on = threading.Event()
        self.files = archives(folder)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with contextlib.suppress(OSError):  # the client may hang up
                    self.answer()

            def answer(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                outer.asked.append(name)
                whole = outer.files[name]
                content = outer.spoil.get(name, whole)
                if isinstance(content, int):
                    return self.send_error(content)
                self.send_response(200)
                self.send_header("Content-Length", str(len(whole)))
                self.end_headers()
                self.wfile.write(whole[: len(whole) // 2] if isinstance(content, str) else content)
                if content == "stall":
                    outer.stalled.set()
                    outer.go_on.wait(30)
                if content == "reset":
                    self.wfile.flush()
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    os.close(self.connection.detach())

            def log_message(self, *_: object) -> None: ...

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # It looks so often, in seconds, whether it is to end.
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self.http.shutdown()
        self.http.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/"

    @property
    def resources(self) -> list[tuple[str, str]]:
        """The archives are packed anew, so their MD5 differs; the SHA-256 of the content is still checked."""
        return [(f"{name}.gz", hashlib.md5(self.files[f"{name}.gz"]).hexdigest()) for name in NAMES]


DOWNLOAD = """
import sys
from pathlib import Path
from torchvision.datasets import MNIST
from curriculum import data, mnist_files
MNIST.mirrors, MNIST.resources = [sys.argv[1]], eval(sys.argv[2])
mnist_files.TIMEOUT = 60
print(data.load("mnist", Path(sys.argv[3])).name)
"""


def download(server: Server, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DOWNLOAD, server.url, repr(server.resources), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
