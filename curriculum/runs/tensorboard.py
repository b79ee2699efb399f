"""Start TensorBoard on this machine, with all data and with a word on where to look."""

import ipaddress
import logging
import signal
import socket
import sys
import time
import warnings
from pathlib import Path
from types import FrameType

from curriculum import UserError

HERE = "localhost"
ALL_DATA = (
    # TensorBoard shows a sample of long curves and few pictures unless told otherwise.
    "--samples_per_plugin=scalars=100000,images=100,histograms=500,pr_curves=100,text=100",
    # A run that was tested after training, or resumed, has several event files.
    "--reload_multifile=true",
    "--reload_interval=5",
)
WHERE_TO_LOOK = """\
  Time Series     the curves of all runs; tick the runs on the left, set Smoothing to 0
  Custom Scalars  the engines on one chart; layer by layer; scratch beside PyTorch
  Images          first-layer weights, confusion matrix, misread digits
  Distributions, Histograms  weights, gradients, activations over the epochs
  Text, PR Curves, HParams, Projector are further right in the bar
Stop it with Ctrl-C."""


OPEN = """\
curriculum: everybody who reaches this machine over the network can read these logs, without a password"""


def serve(log_dir: Path, port: int, host: str = HERE) -> None:
    """Serve `log_dir` until Ctrl-C or SIGTERM. Port 0 takes one that is free.

    Raises:
        UserError: the port is taken, or the machine has no such address.
    """
    signal.signal(signal.SIGTERM, _exit)  # Windows ends a process without asking: there it never comes
    url = start(log_dir, port, host)
    if not _is_this_machine_only(host):
        print(OPEN, file=sys.stderr, flush=True)
    print(f"TensorBoard: {url}\n{WHERE_TO_LOOK}", flush=True)
    while True:
        time.sleep(60)  # Ctrl-C ends a sleep on Windows, too; waiting for a threading.Event it would not


def start(log_dir: Path, port: int = 0, host: str = HERE) -> str:
    """Serve in the background, as long as this process lives. Returns the address.

    Raises:
        UserError: the port is taken, or the machine has no such address.
    """
    _refuse_no_address(host)
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about its own use of pkg_resources
        from tensorboard import program

        server = program.TensorBoard()
        server.configure(
            (
                "tensorboard",
                f"--logdir={log_dir}",
                f"--host={host}",
                f"--port={port}",
                "--load_fast=false",
                *ALL_DATA,
            )
        )
        try:
            return server.launch()
        except program.TensorBoardServerException as error:
            raise UserError(
                f"TensorBoard cannot listen on port {port} ({error.msg}); try --port 0"
            ) from error


def _refuse_no_address(host: str) -> None:
    """TensorBoard would end the process with a word of its own.

    Raises:
        UserError: one cannot listen at `host`.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as tried:
            tried.bind(address)
    except (OSError, UnicodeError) as error:
        raise UserError(
            f"cannot listen at '{host}' ({error}); expected an address of this machine, "
            "like --host localhost or --host 0.0.0.0"
        ) from error


def _is_this_machine_only(host: str) -> bool:
    try:
        return host.lower() == HERE or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(0)
