"""Hostile surroundings: each command works there, or says in one clear line why not."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curriculum.cli.main import app
from models.jobs.options import ENGINES
from models.records.folder import RunFolder
from tests.support.commands import ROOT, clean_environment

# Users, their homes and their terminals as Unix has them.
pty = pytest.importorskip("pty", reason="needs Unix")
pwd = pytest.importorskip("pwd", reason="needs Unix")

MNIST = "mnist --data digits --epochs 1"
# Each is a process of its own, for the process is what is tested. The quick ones do not import torch.
QUICK = ("start", "exercises")
ALL = (
    *QUICK,
    "list",
    "check 01a",
    "run 1",
    MNIST,
    "runs",
    "runs show scratch",
    "compare 1",
    "doctor",
    "notebooks",
)
TABLES = ("list", "exercises", MNIST, "runs", "compare 1")


NOT_SOLVED = 1


@dataclass
class Surroundings:
    """Where commands run: the working folder, the code, and what is unusual."""

    place: Path
    code: Path = ROOT
    user: int | None = None
    variables: dict[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    stdin: int | None = subprocess.DEVNULL

    def run(self, *arguments: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[bytes]:
        variables = clean_environment() | {"PYTHONPATH": str(self.code)} | self.variables
        variables.pop("COVERAGE_PROCESS_CONFIG", None)  # its data file lies in a folder that may be read-only
        closed = (lambda: os.close(0)) if self.stdin is None else None
        return subprocess.run(
            [*as_user(self.user), sys.executable, "-m", "curriculum", *arguments],
            cwd=self.place,
            env={name: value for name, value in variables.items() if name not in self.without},
            stdin=self.stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            preexec_fn=closed,
            timeout=300,
        )

    def all_work(self, commands: tuple[str, ...], **codes: int) -> dict[str, str]:
        """Run one after the other; each must end as it should. Returns what they print.

        Args:
            codes: exit codes other than 0.
        """
        codes |= {"check 01a": NOT_SOLVED}
        printed = {}
        for command in commands:
            done = self.run(*command.split())
            assert b"Traceback" not in done.stderr, f"{command}: {done.stderr.decode()[-800:]}"
            assert done.returncode == codes.get(command, 0), f"{command}: {done.stderr.decode()}"
            printed[command] = done.stdout.decode()
        return printed


def here(*arguments: str, code: int = 0) -> str:
    """What a command prints that runs in this process and this folder."""
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == code, done.output
    return done.stdout


def as_user(user: int | None) -> list[str]:
    """How to run a command as another user. Root alone can, and root alone must: nothing is forbidden to it.

    The other user may read all files, for the folder of this Python may be root's own.
    """
    if user is None or os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root may write everywhere, and there is no setpriv to become another user")
    caps = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *caps]


@pytest.fixture(params=[QUICK, pytest.param(ALL, marks=pytest.mark.slow)], ids=["quick", "all"])
def commands(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return request.param


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may write to; those of pytest are closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def copy_of_the_code(folder: Path) -> Path:
    for name in ("curriculum", "lessons", "models"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def read_only(folder: Path) -> Path:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder


@pytest.fixture
def sealed(open_folder: Path) -> Iterator[Path]:
    """The code in a folder without write permission."""
    yield read_only(copy_of_the_code(open_folder / "sealed"))
    for path in (open_folder / "sealed").rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
    (open_folder / "sealed").chmod(0o755)


# ---------------------------------------------------------------- folders and homes


def test_a_read_only_checkout_and_home(open_folder: Path, sealed: Path, commands: tuple[str, ...]) -> None:
    place = open_folder / "work"
    place.mkdir()
    place.chmod(0o777)
    printed = Surroundings(place, sealed, 65534, {"HOME": str(sealed)}).all_work(commands, doctor=1)
    if commands == ALL:
        assert f"WRONG  MNIST's folder: {sealed} cannot be written to\n       mend: " in printed["doctor"]


def test_no_home_at_all(open_folder: Path, commands: tuple[str, ...]) -> None:
    user = next(number for number in range(12345, 65000) if not is_known(number))
    here = Surroundings(open_folder, user=user, without=("HOME",))
    if os.geteuid() != 0:  # then the list of users knows our home
        here.all_work(commands)
        return
    printed = here.all_work(commands, doctor=1)
    if commands == ALL:
        assert "WRONG  MNIST's folder: there is no home folder" in printed["doctor"]
        done = here.run("mnist", "--data", "mnist")
        assert "there is no home folder for ~/.cache" in one_line(done)
        done = here.run("mnist", "--epochs", "1", "--engine", "torch", "--log", "off")
        assert "no MNIST: there is no home folder" in " ".join(done.stdout.decode().split())


def is_known(user: int) -> bool:
    try:
        return bool(pwd.getpwuid(user))
    except KeyError:
        return False


def one_line(done: subprocess.CompletedProcess[bytes]) -> str:
    """The last line of a refused command: why."""
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    line = done.stderr.decode().strip().splitlines()[-1]
    assert line.startswith("curriculum: ")
    return line


@pytest.mark.parametrize(
    ("command", "folder"),
    [
        ("start", "exercises"),
        pytest.param("notebooks", "notebooks", marks=pytest.mark.slow),
        pytest.param("run 1", "runs", marks=pytest.mark.slow),
        pytest.param(MNIST, "runs", marks=pytest.mark.slow),
    ],
)
def test_a_folder_that_cannot_be_written_to_is_named(sealed: Path, command: str, folder: str) -> None:
    done = Surroundings(sealed, sealed, 65534, {"HOME": str(sealed)}).run(*command.split())
    line = one_line(done)
    assert f"cannot write to {folder}" in line
    assert "choose another" in line


def test_spaces_and_letters_beyond_ascii_in_every_path(tmp_path: Path, commands: tuple[str, ...]) -> None:
    here = tmp_path / "mein Ordner ü é"
    code = copy_of_the_code(here / "Lehrgang ß")
    place = here / "Läufe 1"
    place.mkdir()
    printed = Surroundings(place, code, variables={"HOME": str(here)}).all_work(commands)
    if commands == ALL:
        assert str(code / "lessons" / "lesson01_neuron.py") in printed["run 1"]
        done = Surroundings(here, code).run("runs", "show", "scratch", "--log-dir", "Läufe 1/runs")
        assert "page: Läufe 1/runs/mnist/scratch/version_0/run.html" in done.stdout.decode()


@pytest.mark.parametrize("command", ["start", pytest.param(f"{MNIST} --log-dir", marks=pytest.mark.slow)])
def test_a_name_that_is_no_text(tmp_path: Path, command: str) -> None:
    """Linux allows any bytes in a name; these are "Lä" in Latin-1."""
    done = Surroundings(tmp_path).run(*command.split(), os.fsdecode(b"L\xe4"))
    assert b"Traceback" not in done.stderr
    assert done.returncode in (0, 2)
    if done.returncode == 2:
        one_line(done)


# ---------------------------------------------------------------- terminals


def test_an_ascii_terminal(tmp_path: Path) -> None:
    printed = Surroundings(tmp_path, variables={"PYTHONIOENCODING": "ascii"}).all_work(QUICK)
    assert all(text.isascii() for text in printed.values())


def test_locale_c_without_pythons_help(tmp_path: Path, commands: tuple[str, ...]) -> None:
    """Files, too, are read and written in ASCII where the code does not say otherwise."""
    locale = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    printed = Surroundings(tmp_path, variables=locale).all_work(commands)
    assert all(text.isascii() for text in printed.values())
    if commands == ALL:
        assert accuracies(tmp_path) <= set(printed[MNIST].split())


def test_locale_c(tmp_path: Path) -> None:
    """Python itself turns it into UTF-8."""
    Surroundings(tmp_path, variables={"LC_ALL": "C"}).all_work(QUICK)


def accuracies(place: Path) -> set[str]:
    reports = [json.loads(path.read_text()) for path in place.glob("runs/mnist/*/version_0/report.json")]
    assert len(reports) == len(ENGINES)
    return {f"{report['test_acc']:.2%}" for report in reports}


def test_a_terminal_of_40_columns(
    tmp_path: Path, commands: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is cut off: rich marks that with an ellipsis."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PATH_DATASETS", raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    shown = ("list", *commands) if commands == QUICK else commands
    printed = {
        command: here(*command.split(), code=NOT_SOLVED if command == "check 01a" else 0) for command in shown
    }
    for command in set(TABLES) & set(shown):
        assert "…" not in printed[command], f"{command} cuts off: {printed[command]}"
    squeezed = {command: "".join(text.split()) for command, text in printed.items()}
    assert "anMLPthatreadsdigits" in re.sub(r"\d", "", squeezed["list"]).replace("An", "an")
    assert "Findthebug:cross-entropy" in squeezed["exercises"]
    if commands == ALL:
        assert all(value in squeezed[MNIST] for value in accuracies(tmp_path))
        for engine in ENGINES:
            assert f"mnist/{engine}/version_0" in squeezed["runs"]
        assert "neuronwithsigmoid" in squeezed["compare 1"]


@pytest.mark.parametrize("no_color", [False, True])
def test_no_color_is_obeyed(tmp_path: Path, no_color: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a real terminal; the line of a passed exercise is green there."""
    monkeypatch.chdir(tmp_path)
    here("start")
    (tmp_path / "exercises" / ".progress.json").write_text('{"01a": {"passed": true, "tries": 1}}')
    variables = {"TERM": "xterm", "NO_COLOR": "1"} if no_color else {"TERM": "xterm"}
    screen, terminal = pty.openpty()
    shown: list[bytes] = []
    reading = threading.Thread(target=lambda: shown.extend(read_all(screen)))
    reading.start()
    done = Surroundings(tmp_path, variables=variables).run("exercises", stdout=terminal)
    os.close(terminal)
    reading.join()
    assert (done.returncode, done.stderr) == (0, b"")
    assert (b"\x1b[32m" in b"".join(shown)) == (not no_color)


def read_all(screen: int) -> Iterator[bytes]:
    try:
        while part := os.read(screen, 4096):
            yield part
    except OSError as error:
        if error.errno != errno.EIO:  # this is how a terminal says that the other side is closed
            raise
    finally:
        os.close(screen)


@pytest.mark.parametrize(
    "command",
    [
        *QUICK,
        "--help",
        *(pytest.param(one, marks=pytest.mark.slow) for one in (*ALL[len(QUICK) :], "runs --json")),
    ],
)
def test_output_that_nobody_reads(tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `curriculum list | head -1`, but surely closed before the first line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PATH_DATASETS", raising=False)
    if command != "start":
        here("start")
    if command.startswith("runs"):
        here(*MNIST.split())
    reader, writer = os.pipe()
    os.close(reader)
    done = Surroundings(tmp_path).run(*command.split(), stdout=writer)
    os.close(writer)
    for complaint in (b"Traceback", b"Exception ignored", b"BrokenPipe"):
        assert complaint not in done.stderr, done.stderr.decode()


def test_input_is_closed(tmp_path: Path, commands: tuple[str, ...]) -> None:
    Surroundings(tmp_path, stdin=None).all_work(commands)


# ---------------------------------------------------------------- two at once


def test_runs_that_begin_at_once_have_folders_of_their_own(tmp_path: Path) -> None:
    """Sixteen at a time, half with three engines and half with one, and 20 times over."""
    for trial in range(20):
        found = begin_at_once(tmp_path / str(trial), [ENGINES, ENGINES[:1]] * 8)
        assert len(found) == len(set(found)) == 8 * 3 + 8 * 1


def begin_at_once(root: Path, runs: list[tuple[str, ...]]) -> list[RunFolder]:
    """Begin one run per thread, all in the same moment. Returns every folder that one of them got."""
    barrier = threading.Barrier(len(runs))
    found: list[RunFolder] = []

    def begin(engines: tuple[str, ...]) -> None:
        barrier.wait()
        found.extend(RunFolder.create(root, engines).values())

    threads = [threading.Thread(target=begin, args=(engines,)) for engines in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.slow
def test_two_trainings_at_once_in_one_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "curriculum", *MNIST.split()]

    def begin() -> "subprocess.Popen[str]":
        return subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    for process in [begin(), begin()]:
        _, stderr = process.communicate(timeout=300)
        assert process.returncode == 0, stderr
    for engine in ENGINES:
        assert len(list(tmp_path.glob(f"runs/mnist/{engine}/version_*/report.json"))) == 2
