"""The command line as its user meets it: its output and its exit code, from a process or from this one."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

from curriculum.cli.main import main

ROOT = Path(__file__).parents[2]  # of the checkout


def clean_environment() -> dict[str, str]:
    """The environment for a command that must not find MNIST by the environment variable.

    And not that of a machine which prints every line at once: that would hide what fails at the end.
    """
    left_out = ("PATH_DATASETS", "PYTHONUNBUFFERED")
    return {key: value for key, value in os.environ.items() if key not in left_out}


def curriculum(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "curriculum", *arguments]
    variables = clean_environment() | environment
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=600)


def curriculum_here(*arguments: str, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    """Run a command in this process, in its folder and environment: torch need not be imported once more."""
    # As a terminal's: a file of bytes behind it, and an encoding.
    stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    stderr = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            main(list(arguments))
        except SystemExit as end:
            code = end.code
    assert isinstance(code, int)
    for stream in (stdout, stderr):
        stream.seek(0)
    return subprocess.CompletedProcess(arguments, code, stdout.read(), stderr.read())


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one clear line that a refused command prints."""
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("curriculum: ")
    return line
