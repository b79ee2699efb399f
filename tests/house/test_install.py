"""The Makefile's installation: what it says beforehand, and which commands it runs.

No environment is made here: a script stands in for Python, and writes down how it was called.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from curriculum import doctor

ROOT = Path(__file__).parents[2]
STAND_IN = """#!/bin/sh
echo "$PIP_EXTRA_INDEX_URL|$@" >> calls.txt
if [ "$2" = venv ]; then
    mkdir -p "$3/bin"
    cp "$0" "$3/bin/python"
    printf '#!/bin/sh\\n' > "$3/bin/curriculum"
    chmod +x "$3/bin/curriculum"
fi
case "$*" in *--index-url*) echo "no route to host"; exit "${UNREACHABLE:-0}";; esac
"""

pytestmark = pytest.mark.skipif(
    os.name == "nt" or shutil.which("make") is None, reason="needs make and a Unix shell"
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / "python"
    python.write_text(STAND_IN)
    python.chmod(0o755)
    return tmp_path


def make(checkout: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = ["make", "--no-print-directory", f"PYTHON={checkout / 'python'}", *arguments]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True)


def installations(checkout: Path) -> list[str]:
    """The calls of pip since the last look, without the options that keep it silent."""
    calls = checkout / "calls.txt"
    lines = calls.read_text().splitlines() if calls.exists() else []
    calls.unlink(missing_ok=True)
    found = (re.search(r"-m pip install (?:--quiet )?(.*)", line) for line in lines)
    return [match[1] for match in found if match]


EVERYTHING = "--constraint constraints.txt --editable .[dev]"
WITHOUT_CUDA = f"--no-deps --force-reinstall --index-url {doctor.CPU_INDEX}"
CPU_BUILDS = f"--constraint constraints.txt {WITHOUT_CUDA} torch torchvision"


def test_it_says_beforehand_what_it_installs(checkout: Path) -> None:
    said = make(checkout, "run").stdout.splitlines()
    assert said[0].startswith("Installing into .venv: PyTorch ")
    assert installations(checkout) == [EVERYTHING]
    assert "Installing" not in make(checkout, "run").stdout, "it is there already"


@pytest.mark.parametrize(("system", "size"), [("Linux", "6.5 GB"), ("Darwin", "1.6 GB")])
def test_only_linux_has_a_large_and_a_small_installation(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, system: str, size: str
) -> None:
    uname = checkout / "uname"
    uname.write_text(f"#!/bin/sh\necho {system}\n")
    uname.chmod(0o755)
    monkeypatch.setenv("PATH", str(checkout), prepend=os.pathsep)
    line = make(checkout, "run").stdout.splitlines()[0]
    assert f"about {size}" in line
    assert ("make CPU=1 run, about 1.6 GB" in line) == (system == "Linux")


def test_the_small_installation_takes_pytorch_first_and_from_its_own_index(checkout: Path) -> None:
    done = make(checkout, "CPU=1", "run")
    assert done.returncode == 0
    assert f"PyTorch comes from {doctor.CPU_INDEX}" in done.stdout
    calls = (checkout / "calls.txt").read_text().splitlines()
    (from_index,) = [line for line in calls if "--index-url" in line]
    assert from_index.startswith(" |"), "further indexes of pip's configuration are out of the way"
    assert installations(checkout) == [CPU_BUILDS, EVERYTHING]


def test_a_small_installation_stays_one(checkout: Path) -> None:
    make(checkout, "CPU=1", "run")
    installations(checkout)
    assert make(checkout, "run").stdout.splitlines() == [".venv/bin/curriculum mnist"]
    stamp = checkout / ".venv" / "installed-cpu"
    os.utime(stamp, (0, 0))  # older than constraints.txt, whatever the machine's clock did meanwhile
    make(checkout, "run")
    assert installations(checkout) == [CPU_BUILDS, EVERYTHING]
    assert stamp.stat().st_mtime > 0


def test_a_large_installation_becomes_small(checkout: Path) -> None:
    make(checkout, "run")
    installations(checkout)
    make(checkout, "CPU=1", "run")
    assert installations(checkout) == [CPU_BUILDS, EVERYTHING]


def test_an_index_that_cannot_be_reached_is_one_clear_line(checkout: Path) -> None:
    done = make(checkout, "CPU=1", "UNREACHABLE=1", "run")
    assert done.returncode != 0
    assert done.stdout.splitlines()[-1] == (
        f"No PyTorch from {doctor.CPU_INDEX} (.venv/pip.log says why). From PyPI, with CUDA: make CPU= run"
    )
    assert "no route to host" in (checkout / ".venv" / "pip.log").read_text()
    assert "no route to host" not in done.stdout + done.stderr
    assert installations(checkout) == [CPU_BUILDS], "nothing large comes instead"
    assert not list((checkout / ".venv").glob("installed*"))


def test_the_lock_has_no_small_builds(checkout: Path) -> None:
    done = make(checkout, "CPU=1", "locked")
    assert done.returncode != 0
    assert done.stderr.strip().endswith("without CPU=1: make CPU= locked.  Stop.")
    assert installations(checkout) == []


def test_the_readme_installs_as_make_does() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\.venv/bin/pip install (.+)$", text, re.MULTILINE)
    assert [line.replace("'", "") for line in lines] == [
        CPU_BUILDS.replace(" --force-reinstall", ""),
        EVERYTHING,
    ]
