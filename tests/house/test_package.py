"""What the two distributions hold: the wheel what runs, the source distribution a checkout."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.commands import ROOT

PACKAGES = ("curriculum", "lessons", "models")
# Read in a checkout, not by the code.
ONLY_IN_A_CHECKOUT = ("lessons/README.md", "lessons/pictures/", "lessons/ruff.toml")
BUILD = """
from setuptools import build_meta
build_meta.build_sdist("dist")
build_meta.build_wheel("dist")
"""


@dataclass
class Built:
    """Names of files, as they lie in the checkout and in the two distributions."""

    checkout: set[str]
    wheel: set[str]
    source: set[str]
    unpacked: Path


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built from a copy, for building leaves folders behind."""
    copy = tmp_path_factory.mktemp("checkout")
    for path in ROOT.iterdir():
        if path.is_file() and (not path.name.startswith(".") or path.name == ".pre-commit-config.yaml"):
            shutil.copy(path, copy)
    for name in (*PACKAGES, "tests", ".github"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.ipynb"))
    shutil.rmtree(copy / "lessons" / "runs", ignore_errors=True)  # figures that a lesson wrote
    checkout = files_below(copy)
    done = subprocess.run([sys.executable, "-c", BUILD], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = (copy / "dist").glob("*.whl")
    (source,) = (copy / "dist").glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    with tarfile.open(source) as archive:
        archive.extractall(copy / "unpacked", filter="data")
    (unpacked,) = (copy / "unpacked").iterdir()
    return Built(checkout, names, files_below(unpacked), unpacked)


def test_the_wheel_holds_all_that_runs(built: Built) -> None:
    """Every file of the packages, whatever its kind: recipes, templates, py.typed."""
    expected = {
        name
        for name in built.checkout
        if name.startswith(tuple(f"{package}/" for package in PACKAGES))
        and not name.startswith(ONLY_IN_A_CHECKOUT)
    }
    assert {f"{package}/py.typed" for package in PACKAGES} <= expected
    assert "models/recipes/default.yaml" in expected
    assert {name for name in built.wheel if ".dist-info/" not in name} == expected


def test_the_source_distribution_is_a_checkout(built: Built) -> None:
    assert built.checkout - built.source == set()
    assert {"tests/conftest.py", "tests/planted/planted01a.py", "tests/support/commands.py"} <= built.source
    assert {"Makefile", "constraints.txt", "requirements.lock"} <= built.source


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [("--collect-only",), ("tests/house/test_structure.py", "tests/lessons/test_lesson01.py")]
)
def test_the_tests_run_in_the_source_distribution(built: Built, arguments: tuple[str, ...]) -> None:
    """All are found, with what they import; those of the house and of a lesson pass."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=built.unpacked, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
