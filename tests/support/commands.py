"""The command line as its user meets it: a process, its output, its exit code."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]  # of the checkout


def clean_environment() -> dict[str, str]:
    """The environment for a command that must not find MNIST by the environment variable."""
    return {key: value for key, value in os.environ.items() if key != "PATH_DATASETS"}


def curriculum(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "curriculum", *arguments]
    variables = clean_environment() | environment
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=170)


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one clear line that a refused command prints."""
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("curriculum: ")
    return line
