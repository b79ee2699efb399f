"""Runs that several tests read are written once."""

import shutil
from pathlib import Path

import pytest

from tests.support import runs

NAMES = (
    "fit/version_0",
    "lesson03",
    "mnist/scratch/version_2",
    "mnist/scratch/version_10",
    "mnist/torch/version_2",
    "mnist/torch_old/version_0",
)


@pytest.fixture(scope="session")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log folder with the runs of `NAMES`: the first has something of every kind. For reading only."""
    folder = tmp_path_factory.mktemp("recorded") / "runs"
    runs.write_full(folder / NAMES[0])
    for name in reversed(NAMES[1:]):
        runs.write(folder / name)
    return folder


@pytest.fixture(scope="session")
def full(log_dir: Path) -> Path:
    """The run with something of every kind. For reading only."""
    return log_dir / NAMES[0]


@pytest.fixture
def own(full: Path, tmp_path: Path) -> Path:
    """A copy of `full` that a test may change."""
    return Path(shutil.copytree(full, tmp_path / "runs" / NAMES[0]))
