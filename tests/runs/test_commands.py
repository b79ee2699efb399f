"""`curriculum runs` and `curriculum runs show` as a user meets them whose terminal knows ASCII alone."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

# Both commands in one process, which also tells what each has read and imported.
BOTH = """
import json
import sys
from curriculum.cli.main import main
from curriculum.runs import events

read = events._events
opened = []

def noted(file):
    opened.append(file.name)
    return read(file)

def told(*arguments):
    opened.clear()
    try:
        main(["runs", "--log-dir", ".", *arguments])
    except SystemExit as done:
        return {"code": done.code, "opened": len(opened), "modules": list(sys.modules)}

events._events = noted
print(json.dumps([told(), told("show", "fit")]), file=sys.stderr)
"""


@dataclass(frozen=True)
class Done:
    """What one command did. `opened`: how many times an event file was opened."""

    code: int
    opened: int
    modules: list[str]


@dataclass(frozen=True)
class Both:
    """What both print, and what each did."""

    printed: str
    listed: Done
    shown: Done


@pytest.fixture(scope="module")
def both(full: Path, tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("commands")
    run = Path(shutil.copytree(full, folder / "fit" / "version_0"))
    (run / "report.json").write_text(json.dumps({"sizes": "784–10"}), encoding="utf-8")
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "COLUMNS": "80"}
    command = [sys.executable, "-c", BOTH]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (run / "run.html").exists()
    return Both(done.stdout, *(Done(**one) for one in json.loads(done.stderr)))


def test_each_reads_each_file_once(both: Both) -> None:
    assert (both.listed.code, both.listed.opened) == (0, 1)
    assert (both.shown.code, both.shown.opened) == (0, 1)


def test_neither_loads_torch(both: Both) -> None:
    """The list loads neither NumPy nor Matplotlib, which take longer than all the rest of it."""
    assert not {"torch", "numpy", "matplotlib", "jinja2"} & set(both.listed.modules)
    assert not {"torch", "lightning", "lessons", "models"} & set(both.shown.modules)


def test_a_terminal_without_unicode_gets_plain_letters(both: Both) -> None:
    lines = both.printed.splitlines()
    assert lines[2].startswith("fit/version_0    30 0.0666")
    head = lines.index("fit/version_0")
    assert lines[head + 1] == "data digits, sizes 784-10, optimizer sgd, lr 0.25, max_epochs 3, torch 2"
    curve = lines.index("train_loss  2 -> 0.06667")
    assert lines[curve + 1].startswith("      2 |*")
    assert lines[-1] == "page: fit/version_0/run.html"
