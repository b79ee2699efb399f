"""What all tests share."""

import os

# As the command line does it, and before torch is imported: so plain `pytest` gives the same bits.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import re
from pathlib import Path

import pytest
import torch

from curriculum import mnist_files
from curriculum.discover import lessons

# Once more, for where a plugin has imported torch already.
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
LESSONS = lessons()


def pytest_configure(config: pytest.Config) -> None:
    """pytest-xdist has this marker. Without it all tests run in one process anyway."""
    config.addinivalue_line("markers", "xdist_group(name): tests that stay in one process")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `lesson` runs once per lesson: a new lesson is tested because its file exists."""
    if "lesson" in metafunc.fixturenames:
        assert LESSONS, "no lessons found"
        metafunc.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.path.stem)


# The demonstrations of these lessons train for half a minute and more.
LONG = ("lesson12", "lesson16", "lesson17", "lesson18")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one lesson stay in one process, so that what they share is trained once."""
    for item in items:
        if lesson := re.search(r"lesson\d\d", item.nodeid):
            item.add_marker(pytest.mark.xdist_group(lesson[0]))
            if lesson[0] in LONG and "test_demos_show_something" in item.nodeid:
                item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for the internet: downloads go to a port where nobody listens."""
    from torchvision.datasets import MNIST

    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])


@pytest.fixture
def mnist_dir() -> Path:
    """Where MNIST lies; tests that need it are skipped, and say so, where it is absent."""
    folder, missing = mnist_files.locate()
    if missing:
        pytest.skip("needs MNIST: set PATH_DATASETS to the folder that holds MNIST/raw")
    return folder.parents[1]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without MNIST and without network. Returns its cache folder."""
    monkeypatch.delenv("PATH_DATASETS", raising=False)
    monkeypatch.setattr(mnist_files, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"
