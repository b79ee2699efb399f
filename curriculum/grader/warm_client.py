"""Reaches the warm process (`warm`), and starts it where there is none. Nothing here imports torch."""

import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from curriculum.grader import limits

ROOT = Path(__file__).parents[2]
LOOK = 0.02  # seconds between two looks whether it is ready
SHAPING = ("PYTHONPATH", "OMP_NUM_THREADS", "ATEN_CPU_CAPABILITY", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA")


def connected() -> socket.socket:
    """A connection to the warm process of this user, this Python and this state of the package.

    Only Linux has one: elsewhere a process that has loaded torch cannot safely be forked, or not at all.

    Raises:
        OSError: There is none, and none can be started.
    """
    if sys.platform != "linux":
        raise OSError("only Linux has a warm process")
    path = place()
    try:
        return _connect(path)
    except OSError:
        path.unlink(missing_ok=True)
    started = _start(path)
    end = time.monotonic() + limits.SECONDS_TO_START
    while time.monotonic() < end and started.poll() is None:
        try:
            return _connect(path)
        except OSError:
            time.sleep(LOOK)
    raise OSError("the warm process does not start")


def place() -> Path:
    """Where its socket lies: in a folder that is this user's alone."""
    folder = Path(tempfile.gettempdir()) / f"curriculum-warm-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.stat()
    if state.st_uid != os.getuid() or state.st_mode & 0o077 or folder.is_symlink():
        raise OSError(f"{folder} is not this user's alone")
    return folder / _fingerprint()


def _fingerprint() -> str:
    """Another one where the package, the Python or what shapes its numbers is another."""
    told = [sys.executable, str(ROOT), *(os.environ.get(name, "") for name in SHAPING)]
    for part in ("curriculum", "lessons"):
        for found in sorted((ROOT / part).rglob("*.py")):
            told.append(f"{found}{found.stat().st_mtime_ns}")
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:20]


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def _start(path: Path) -> "subprocess.Popen[bytes]":
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.Popen(
        [sys.executable, "-m", "curriculum.grader.warm", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=path.parent,
        env=environment,
        start_new_session=True,
    )
