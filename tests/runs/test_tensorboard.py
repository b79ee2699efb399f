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
import sys
from pathlib import Path
from curriculum.runs import tensorboard
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
tensorboard.start = lambda log_dir, port, host: f"http://{host}:1/"  # the real one takes seconds
try:
    tensorboard.serve(Path("runs"), 0, sys.argv[1])
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signals to one process")
@pytest.mark.parametrize(("number", "said"), [(signal.SIGINT, "interrupted\n"), (signal.SIGTERM, "")])
def test_it_serves_until_it_is_told_to_end(number: int, said: str) -> None:
    command = [sys.executable, "-c", SERVE, "localhost"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            for line in process.stdout:
                if line == "Stop it with Ctrl-C.\n":
                    break
            process.send_signal(number)
            assert process.communicate(timeout=60) == (said, "")
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


@pytest.mark.parametrize(
    ("host", "warned"),
    [
        ("localhost", False),
        ("127.0.0.2", False),
        ("::1", False),
        ("0.0.0.0", True),
        ("::", True),
        ("a", True),
    ],
)
def test_who_opens_it_to_the_network_is_told(
    host: str, warned: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def end(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tensorboard, "start", lambda log_dir, port, host: f"http://{host}/")
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("time.sleep", end)
    with pytest.raises(KeyboardInterrupt):
        tensorboard.serve(Path("runs"), 0, host)
    printed = capsys.readouterr()
    assert printed.err.startswith("curriculum: everybody who reaches this machine") == warned
    assert printed.out.startswith(f"TensorBoard: http://{host}/\n")


def test_it_listens_where_it_is_told_to(log_dir: Path) -> None:
    port = int(tensorboard.start(log_dir, host="127.0.0.1").rpartition(":")[2].strip("/"))
    with socket.create_connection(("127.0.0.1", port), timeout=60):
        pass
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", port), timeout=60)


@pytest.mark.parametrize("host", ["", "no address", "192.0.2.77", "a" * 80])
def test_an_address_that_is_not_of_this_machine_is_one_clear_line(log_dir: Path, host: str) -> None:
    with pytest.raises(UserError, match=f"cannot listen at '{host}' .*; expected an address of this"):
        tensorboard.start(log_dir, host=host)


def test_a_port_that_is_taken_is_one_clear_line(log_dir: Path) -> None:
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on port {port} .*; try --port 0"):
            tensorboard.start(log_dir, port)
