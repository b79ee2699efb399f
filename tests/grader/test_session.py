"""A session: what is checked, what is kept of it, and a terminal that watches."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curriculum import UserError, discover
from curriculum.grader import learner
from curriculum.grader.exercise import select_one
from curriculum.grader.progress import Progress
from curriculum.grader.session import Session
from tests.support.double import AFTER, MISTAKE, WRONG, answer


@pytest.mark.usefixtures("here")
def test_from_start_to_the_next_exercise(mine: Path) -> None:
    """check without arguments takes the first open exercise; progress follows."""
    first = select_one("01a")
    session = Session(mine)
    (only,) = session.check([])
    assert (only.exercise, only.verdict.kind) == (first, "not begun")
    assert [row[-1] for row in learner.rows(mine)] == ["-", "-"]

    (mine / first.path.name).write_text(WRONG)
    (only,) = session.check([])
    assert only.verdict.bug == "activation derivative missing"
    assert [row[-1] for row in learner.rows(mine)] == ["tried", "-"]

    (mine / first.path.name).write_text(answer())
    (only,) = session.check([])
    assert only.verdict.passed
    assert learner.rows(mine)[0] == ("01a", "Double, a", "1 of 3", "5", "passed")
    assert Progress.read(mine).tries(first) == 2
    assert session.what_next() == f"next: 01b Double, b · {mine / 'exercise01b_double.py'}"
    assert [found.id for found in session.check([])] == ["01b"]
    kinds = [(found.id, found.verdict.kind) for found in session.check(["1"])]
    assert kinds == [("01a", "passed"), ("01b", "not begun")]

    (mine / "exercise01b_double.py").write_text(answer())
    assert [found.verdict.passed for found in Session(mine).check(["01b"])] == [True]
    assert Session(mine).what_next() == "all exercises are passed"
    assert list(Session(mine).check([])) == []


@pytest.mark.usefixtures("here")
def test_what_is_missing_is_not_counted_as_a_try(mine: Path) -> None:
    (mine / "exercise01a_double.py").unlink()
    (missing,) = Session(mine).check(["01a"])
    assert "put it there with: curriculum reset 01a" in missing.verdict.message
    assert Progress.read(mine).entries == {}


@pytest.mark.usefixtures("here")
def test_a_hint_asked_for_meanwhile_is_not_lost(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress is read to choose, and once more to add to it: a check takes seconds."""
    reads = []
    read = Progress.read.__func__  # type: ignore[attr-defined]

    def counted(cls: type[Progress], folder: Path) -> Progress:
        reads.append(folder)
        return read(cls, folder)

    first = select_one("01a")
    (mine / first.path.name).write_text(answer())
    session = Session(mine)
    learner.hint(first, mine)
    monkeypatch.setattr(Progress, "read", classmethod(counted))
    (only,) = session.check([])
    assert session.what_next().startswith("next: 01b")
    assert len(reads) == 1
    assert session.progress.entries == {"01a": {"hints": 1, "passed": True, "tries": 1}}
    assert only.verdict.passed


def test_a_folder_has_to_be_started(house: Path) -> None:
    with pytest.raises(UserError, match=r"make it with: curriculum start .*elsewhere"):
        Session(house / "elsewhere")


# ---------------------------------------------------------------- watch


@pytest.mark.usefixtures("here")
def test_watch_says_what_each_save_is_worth(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (mine / f"exercise01{letter}_double.py" for letter in "ab")

    def saves(*_: object, **__: object) -> Iterator[set[tuple[int, str]]]:
        first.write_text(WRONG)
        yield {(1, str(first)), (1, str(mine / "notes.txt"))}
        first.write_text(answer())
        yield {(1, str(first)), (2, str(first))}
        second.unlink()
        yield {(3, str(second))}
        raise KeyboardInterrupt

    monkeypatch.setattr("watchfiles.watch", saves)
    said: list[str] = []
    Session(mine).watch(said.append, lambda grade: said.append("\n".join(grade.lines())))
    assert said == [
        f"next: 01a Double, a · {first}",
        f"watching {mine}: save an exercise to have it checked, Ctrl-C to stop",
        f"01a Double, a: {MISTAKE}\n" + "\n".join(said[2].splitlines()[1:]),
        "\n".join(["01a Double, a: passed", *AFTER]),
        f"next: 01b Double, b · {second}",
        "stopped",
    ]
    assert "read again: lessons/lesson01_neuron.py:3" in said[2]


WATCH = """
import signal
import sys
from pathlib import Path
from curriculum import discover
from curriculum.grader.session import Session
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
discover.FOLDER = Path(sys.argv[1])
Session(Path(sys.argv[2])).watch(print, print)
"""


def test_watch_in_a_terminal_until_ctrl_c(mine: Path) -> None:
    """Real files, a real process for the answer, and Ctrl-C as the terminal sends it."""
    pty = pytest.importorskip("pty")
    first = mine / select_one("01a").path.name
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", WATCH, str(discover.FOLDER), str(mine)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    try:
        assert "next: 01a Double, a" in _read_until(ours, "Ctrl-C to stop")
        _save_until_seen(first, answer(), ours, "next: 01b Double, b")
        os.killpg(process.pid, signal.SIGINT)
        assert "stopped" in _read_until(ours, "stopped")
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read_until(terminal: int, text: str, seconds: float = 120) -> str:
    seen = ""
    end = time.monotonic() + seconds
    while text not in seen and time.monotonic() < end:
        if select.select([terminal], [], [], 0.5)[0]:
            seen += os.read(terminal, 4096).decode(errors="replace")
    return seen


def _save_until_seen(path: Path, text: str, terminal: int, wanted: str) -> None:
    """An editor saves through another file. The watcher may not have begun: then it is saved once more."""
    seen = ""
    for _ in range(24):
        path.with_suffix(".tmp").write_text(text)
        os.replace(path.with_suffix(".tmp"), path)
        seen += _read_until(terminal, wanted, 5)
        if wanted in seen:
            return
    pytest.fail(f"{wanted!r} is not in {seen!r}")
