"""An answer's process: whatever it does is a verdict, and nothing of it is left behind.

A process takes seconds to import torch. So one answer does all that can be seen in one process, and what
needs no real process is told to a `Child` without one.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from curriculum import UserError
from curriculum.grader import limits, package, process
from curriculum.grader.exercise import select_one
from curriculum.grader.process import Child, Children
from curriculum.grader.verdict import Verdict
from tests.support.double import answer

BUSY = """
import subprocess, threading
pipe = open({pipe!r}, 'w')
subprocess.Popen(['sleep', '1000'], stdout=pipe)
threading.Thread(target=time.sleep, args=(1e6,)).start()
open('litter', 'w').close()
print('begun', file=pipe, flush=True)
"""


def test_what_an_answer_prints_starts_and_writes_ends_with_its_process(
    give: Callable[..., Verdict], mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither does it disturb the verdict, nor is what it printed lost."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    (tmp_path / "sitecustomize.py").write_text("print('a warning from an import')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    verdict = give(answer("print('seen', x.shape[0]); return 2 * x", top=BUSY.format(pipe=str(pipe))))
    assert verdict.passed
    assert verdict.printed.startswith("seen 5\n")  # and nothing of what is said while torch is imported
    seen = [os.read(reader, 100) for _ in range(2) if select.select([reader], [], [], 60)[0]]
    os.close(reader)
    assert seen == [b"begun\n", b""]  # the end: no program holds the pipe any more
    assert list(temporary.iterdir()) == []
    assert not (mine / "litter").exists()


BESIDE = """
from pathlib import Path
import models
from tools import double
from helper import doubled
data = Path(__file__).with_name('data.txt').read_text()
if __name__ == '__main__': sys.exit('not here')
"""


def test_what_lies_beside_an_answer_is_found(give: Callable[..., Verdict], mine: Path) -> None:
    """Modules, also of a name that this project uses; packages; data. Nothing is written there."""
    (mine / "helper.py").write_text("def doubled(x): return 2 * x")
    (mine / "models.py").write_text("factor = 2")
    (mine / "tools").mkdir()
    (mine / "tools" / "__init__.py").write_text("from .inner import double")
    (mine / "tools" / "inner.py").write_text("double = 2")
    (mine / "data.txt").write_text("2")
    before = sorted(mine.rglob("*"))
    verdict = give(answer("return doubled(x)", "return models.factor * grad_y * int(data) / double", BESIDE))
    assert verdict.passed, verdict.message
    assert sorted(mine.rglob("*")) == before


ALONE = """
try: input()
except EOFError: print('nobody answers')
"""


def test_an_answer_that_ends_the_process_keeps_its_last_words(give: Callable[..., Verdict]) -> None:
    verdict = give(answer("print('last words', flush=True); os._exit(3)", top=ALONE))
    assert verdict.kind == "died"
    assert verdict.message == (
        "it ended the whole process (exit code 3) before it was graded; is there an os._exit?"
    )
    assert verdict.printed == "nobody answers\nlast words\n"


def test_a_crash_of_python_itself_is_located(give: Callable[..., Verdict]) -> None:
    verdict = give(answer("import ctypes; ctypes.string_at(0)"))
    assert verdict.kind == "died"
    assert verdict.message == "it crashed Python itself: SIGSEGV (line 11, in forward)"


GREEDY = """
def ask():
    try: return bytearray(3 << 30)
    except MemoryError: print('no bytes')
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds memory")
def test_memory_is_bounded(give: Callable[..., Verdict]) -> None:
    verdict = give(answer("return torch.empty(3 << 30, dtype=torch.uint8)", "ask()", top=GREEDY + "ask()"))
    assert verdict.kind == "memory"
    assert re.fullmatch(r"it asks for more than 2 GiB of memory \(line \d+\)", verdict.message)
    assert verdict.printed == "no bytes\n"


DAEMON = """
import faulthandler, os, signal, subprocess, sys
faulthandler.cancel_dump_traceback_later()
sleeper = [sys.executable, '-S', '-c', "import time; print('alive', flush=True); time.sleep(1000)"]
subprocess.Popen(sleeper, stdout=open({pipe!r}, 'w'), start_new_session=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows what belongs to whom")
@pytest.mark.slow
def test_a_stopped_clock_and_a_daemon_end_from_outside(
    give: Callable[..., Verdict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It switches the time limit off, starts a program in a session of its own, and stops itself."""
    monkeypatch.setattr(limits, "SECONDS_TO_END", 0.5)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    verdict = give(
        answer("os.kill(os.getpid(), signal.SIGSTOP)", top=DAEMON.format(pipe=str(pipe))), seconds=2
    )
    assert (verdict.kind, verdict.message[:33]) == ("time", "it does not end within 2 seconds;")
    seen = [os.read(reader, 100) for _ in range(2) if select.select([reader], [], [], 60)[0]]
    os.close(reader)
    assert seen == [b"alive\n", b""]  # the end: the daemon has gone


DEEP = """
def dive(n):
    if n: return dive(n - 1)
    while True: pass
"""


def test_an_endless_loop_deep_in_calls_is_ended_and_located(give: Callable[..., Verdict]) -> None:
    verdict = give(answer("return dive(90)", top=DEEP), seconds=1)
    assert verdict.kind == "time"
    assert "it does not end within 1 seconds (line 7, in dive); is there" in verdict.message


# ---------------------------------------------------------------- how a process ended


@pytest.fixture
def ended(mine: Path) -> Callable[..., Verdict]:
    """The verdict on an answer whose process has begun and left a `trace` and an exit code."""

    def verdict(code: int | None, trace: str = "", begun: bool = True) -> Verdict:
        child = Child.__new__(Child)
        child.path = mine
        child.token = "known to the grader"
        child.process = SimpleNamespace(poll=lambda: code)  # type: ignore[assignment]
        if begun:
            (mine / "begun").touch()
        (mine / "trace").write_text(trace)
        (mine / "printed").write_text("a warning\nno module named torch\n")
        return child._verdict(mine / "exercise01a_double.py", 5)

    return verdict


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-9, "it crashed Python itself: SIGKILL"),
        (-40, "it crashed Python itself: signal 40"),
        (0xC0000005, "it crashed Python itself: 0xc0000005"),  # Windows: an access violation
        (1, "it ended the whole process (exit code 1) before it was graded; is there an os._exit?"),
        (None, "it does not end within 5 seconds; is there an endless loop?"),
    ],
)
def test_the_exit_code_tells_how_it_ended(
    ended: Callable[..., Verdict], code: int | None, message: str
) -> None:
    assert ended(code).message == message


def test_a_verdict_that_the_answer_wrote_is_none(ended: Callable[..., Verdict], mine: Path) -> None:
    for forged in ('{"token": "guessed", "verdict": {"kind": "passed"}}', "[]", "{", "7"):
        (mine / "result").write_text(forged)
        assert ended(0).message.startswith("it ended the whole process (exit code 0) before it was graded")
    (mine / "result").write_text(
        '{"token": "known to the grader", "verdict": {"kind": "passed", "message": "passed", "details": []}}'
    )
    assert ended(0).passed


def test_the_trace_tells_where_it_ended(ended: Callable[..., Verdict], mine: Path) -> None:
    file = mine / "exercise01a_double.py"
    trace = f'Timeout (0:00:05)!\n  File "elsewhere.py", line 1 in f\n  File "{file}", line 9 in g\n'
    assert ended(1, trace).message.startswith("it does not end within 5 seconds (line 9, in g); is")


def test_a_process_that_cannot_begin_is_no_fault_of_the_learner(ended: Callable[..., Verdict]) -> None:
    with pytest.raises(UserError, match="the grader itself failed: no module named torch; see"):
        ended(1, begun=False)


# ---------------------------------------------------------------- one child after the other


class Counted(Child):
    """No process. `alive` are those that were made and not closed."""

    alive: list["Counted"]

    def __init__(self) -> None:
        self.alive.append(self)

    def grade(self, *_: object) -> Verdict:
        assert self in self.alive
        self.alive_while_graded = len(self.alive)
        self.close()
        return Verdict("passed", str(self.alive_while_graded))

    def close(self) -> None:
        self.alive.remove(self)


def test_the_next_child_gets_ready_while_one_works(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counted, "alive", [], raising=False)
    monkeypatch.setattr(process, "Child", Counted)
    exercise = select_one("01a")
    file = mine / exercise.path.name
    with Children() as children:
        assert children.grade(exercise, file, 60).kind == "not begun"
        assert Counted.alive == []  # what was not touched needs no process
        file.write_text(answer())
        assert children.grade(exercise, file, 60, more=True).message == "2"
        (spare,) = Counted.alive
        children.prepare()
        assert Counted.alive == [spare]
        assert children.grade(exercise, file, 60).message == "1"
        assert Counted.alive == []
        children.prepare()
        assert len(Counted.alive) == 1
        file.unlink()
        assert children.grade(exercise, file, 60).message == (
            "there is no exercise01a_double.py; put it there with: curriculum reset 01a"
        )
    assert Counted.alive == []


def test_a_file_that_may_not_be_read_is_told(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", closed)  # the superuser may read every file
    exercise = select_one("01a")
    verdict = Children().grade(exercise, mine / exercise.path.name, 60)
    assert verdict.message == "exercise01a_double.py cannot be read (Permission denied); make it readable"


def test_what_an_answer_changes_in_the_package_is_put_back(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the next one's wrong answer does not pass. Another program may have done it for the answer."""
    root = tmp_path / "installed"
    for name in ("curriculum/pair.py", "curriculum/grader/judge.py", "lessons/lesson01.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("right = True\n")
    monkeypatch.setattr(package, "ROOT", root)

    def spoil(child: Child, *_: object) -> Verdict:
        (root / "curriculum/pair.py").write_text("right = 1e9\n")
        (root / "lessons/lesson01.py").unlink()
        (root / "curriculum/torch.py").write_text("")
        return Verdict("passed", "passed")

    monkeypatch.setattr(process, "Child", Counted)
    monkeypatch.setattr(Counted, "alive", [], raising=False)
    monkeypatch.setattr(Counted, "grade", spoil)
    exercise = select_one("01a")
    file = mine / exercise.path.name
    file.write_text("other\n")
    verdict = Children().grade(exercise, file, 60)
    assert (verdict.kind, verdict.bug) == ("replaced", "")
    assert verdict.message == "it changes curriculum/pair.py, by which it is graded: leave that as it is"
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.py"))
    assert names == ["curriculum/grader/judge.py", "curriculum/pair.py", "lessons/lesson01.py"]
    assert {path.read_text() for path in root.rglob("*.py")} == {"right = True\n"}
    monkeypatch.setattr(Counted, "grade", lambda *_: Verdict("passed", "passed"))
    assert Children().grade(exercise, file, 60).passed


# ---------------------------------------------------------------- what a system does not hold it to


def test_it_says_what_is_not_guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {}
    for platform in ("linux", "darwin", "win32"):
        monkeypatch.setattr(sys, "platform", platform)
        said[platform] = limits.not_guarded()
    assert said["linux"] == ""
    assert said["darwin"] == "an answer's memory is not limited"
    assert said["win32"].startswith("an answer's memory and files are not limited, and programs")


def test_without_the_modules_of_unix_a_process_still_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows: one process is ended, and nothing is bounded, without a word."""
    monkeypatch.setitem(sys.modules, "resource", None)
    limits.bound_this_process()
    monkeypatch.delattr(os, "killpg")
    sleeper = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(1000)"])
    limits.end(sleeper, "no such mark")
    assert sleeper.returncode == -signal.SIGKILL
    limits.end(sleeper, "no such mark")  # it has gone


BOUND = """
import json, resource
from curriculum.grader.limits import bound_this_process
bound_this_process()
print(json.dumps([resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE)]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such bounds")
def test_files_are_bounded() -> None:
    done = subprocess.run([sys.executable, "-c", BOUND], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [0, limits.FILE_SIZE]


def test_what_the_command_line_needs_is_free_of_torch() -> None:
    """So its answer to a wrong name comes at once."""
    rooms = (
        "classroom exercise explain handed_in junit learner limits process progress session solution verdict"
    )
    imports = "; ".join(f"import curriculum.grader.{name}" for name in rooms.split())
    program = f"import sys; {imports}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes with names")
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(give: Callable[..., Verdict]) -> None:
    """The answer works in a folder beside the files that are read when it has ended."""
    piped = "os.remove('../printed') or os.mkfifo('../printed')"
    assert give(answer(top=piped), seconds=5).passed
