"""TensorBoard is started, and ends when it is asked to. What it shows is in tests/models/test_logs.py."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from torch.utils.tensorboard import SummaryWriter

from curriculum import UserError
from curriculum.runs import tensorboard

SERVE = """
import signal
from pathlib import Path
from curriculum.runs import tensorboard
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
tensorboard.start = lambda log_dir, port: "http://localhost:1/"  # the real one takes seconds
try:
    tensorboard.serve(Path("runs"), 0)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signals to one process")
@pytest.mark.parametrize(("number", "said"), [(signal.SIGINT, "interrupted\n"), (signal.SIGTERM, "")])
def test_it_serves_until_it_is_told_to_end(number: int, said: str) -> None:
    with subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                if line == "Stop it with Ctrl-C.\n":
                    break
            process.send_signal(number)
            assert process.communicate(timeout=60) == (said, None)
        finally:
            process.kill()
    assert process.returncode == 0


def test_every_point_of_a_long_curve_is_served(tmp_path: Path) -> None:
    """TensorBoard by itself would draw 1,000 of them by lot."""
    with SummaryWriter(str(tmp_path / "long")) as writer:
        for step in range(1500):
            writer.add_scalar("curve", 0.0, step)
    address = f"{tensorboard.start(tmp_path)}data/plugin/scalars/scalars?run=long&tag=curve"
    deadline = time.monotonic() + 60
    points: list[object] = []
    while not points:
        assert time.monotonic() < deadline, "TensorBoard does not read the run"
        with (
            contextlib.suppress(HTTPError),
            urlopen(address, timeout=60) as answer,
        ):  # not found until it is read
            points = json.load(answer)
        time.sleep(0.1)
    assert len(points) == 1500


def test_a_port_that_is_taken_is_one_clear_line(log_dir: Path) -> None:
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on port {port} .*; try --port 0"):
            tensorboard.start(log_dir, port)
