"""What all tests share."""

import os

# As the command line does it, and before torch is imported: so plain `pytest` gives the same bits.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from curriculum import mnist_files
from curriculum.discover import lessons

# Once more, for where a plugin has imported torch already.
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
LESSONS = lessons()
LESSON = re.compile(r"lesson\d\d")  # in the name of a test


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist; without it all tests run in one process anyway
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of one lesson, and else of one file, stay in one process: what they share is made once.

    xdist's own groups do the same by a mark; with pytest 9.2 they (3.8.0) do nothing.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByLesson(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            lesson = LESSON.search(nodeid)
            return lesson[0] if lesson else nodeid.partition("::")[0]

    return ByLesson(config, log)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `lesson` runs once per lesson: a new lesson is tested because its file exists."""
    if "lesson" in metafunc.fixturenames:
        assert LESSONS, "no lessons found"
        metafunc.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.path.stem)


# The demonstrations of these lessons take ten seconds and more.
LONG = ("lesson15", "lesson16", "lesson20", "lesson21", "lesson22", "lesson23", "lesson24")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        lesson = LESSON.search(item.nodeid)
        if lesson and lesson[0] in LONG and "test_demos_show_something" in item.nodeid:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for the internet: downloads go to a port where nobody listens."""
    from torchvision import datasets

    for known in (datasets.MNIST, datasets.FashionMNIST, datasets.KMNIST):
        monkeypatch.setattr(known, "mirrors", ["http://127.0.0.1:9/"])
    monkeypatch.setattr(datasets.EMNIST, "url", "http://127.0.0.1:9/gzip.zip")


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
