"""The grader withstands what learners write, and the learner's folder loses nothing.

One tiny exercise, y = 2x, lies in a folder of its own. Real child processes grade it where a process, a limit
or a signal is what is tested; elsewhere the tests do what a child does.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from curriculum import UserError, discover
from curriculum.grader import child as grade_child
from curriculum.grader import exercise as exercises
from curriculum.grader import session as grade
from curriculum.grader.session import Child, Children, Grade, Verdict

STUB = '''"""Exercise 01{letter} · Double, {letter}

Difficulty: 1 of 3 · Time: 5 minutes · After: lesson 01

y = 2x.
"""

from torch import Tensor


class Double:
    def __init__(self) -> None:
        self.params, self.grads = {{}}, {{}}

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError("write forward")

    def backward(self, grad_y: Tensor) -> Tensor:
        raise NotImplementedError("write backward")
'''
SOLUTION = '''"""Solution of exercise 01a."""

import torch
from torch import nn

from curriculum.pair import layer_pair

ANSWER = "Double"
REREAD = ("lesson01_neuron.py", "class Neuron")
HINTS = ("one", "two", "three")


class Double:
    def __init__(self):
        self.params, self.grads = {}, {}

    def forward(self, x):
        return 2 * x

    def backward(self, grad_y):
        return 2 * grad_y


class _TorchDouble(nn.Module):
    def forward(self, x):
        return 2 * x


def pairs(answer):
    return [layer_pair("double", lambda case: answer(), lambda case: _TorchDouble())]


class _Forgotten(Double):
    def backward(self, grad_y):
        return grad_y


MISTAKES = {"activation derivative missing": _Forgotten}
'''


def answer(forward: str = "return 2 * x", backward: str = "return 2 * grad_y", top: str = "") -> str:
    """A learner's file. The body of forward stands in line 11, that of backward in line 14."""
    lines = ["import math, os, sys, time", "import torch", "from torch import nn", top, "", "class Double:"]
    lines += [
        "    params, grads = {}, {}",
        "",
        "    def forward(self, x):",
        "        self.x = x",
        f"        {forward}",
    ]
    return "\n".join([*lines, "", "    def backward(self, grad_y):", f"        {backward}", ""])


WRONG = answer(backward="return grad_y")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of lessons with two tiny exercises."""
    folder = tmp_path / "lessons"
    for name in ("exercises", "solutions"):
        (folder / name).mkdir(parents=True)
    (folder / "lesson01_neuron.py").write_text("\n\nclass Neuron: ...\n")
    for letter in "ab":
        (folder / "exercises" / f"exercise01{letter}_double.py").write_text(STUB.format(letter=letter))
        (folder / "solutions" / f"exercise01{letter}_double.py").write_text(SOLUTION)
    (folder / "exercises" / "final_project.py").write_text("Activation = None\n")
    monkeypatch.setattr(discover, "FOLDER", folder)
    return tmp_path


@pytest.fixture
def mine(house: Path) -> Path:
    """The learner's own folder, started."""
    exercises.start(house / "mine")
    return house / "mine"


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    with Children() as children:
        yield children


@pytest.fixture
def give(mine: Path, children: Children) -> Callable[..., Verdict]:
    """Hand in a text to a child process, get the verdict. The next child gets ready meanwhile."""

    def graded(text: str, seconds: float = 60) -> Verdict:
        file = mine / "exercise01a_double.py"
        file.write_text(text, encoding="utf-8")
        return children.grade(exercises.select_one("01a"), file, seconds, more=True)

    return graded


class Here(Child):
    """Does in this process what a child does."""

    def __init__(self) -> None: ...

    def grade(self, exercise: exercises.Exercise, file: Path, seconds: float = 60) -> Verdict:
        return grade_child.grade(str(file.resolve()), grade_child.load(str(exercise.solution), "solution"))

    def close(self) -> None: ...


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """No processes are started."""
    monkeypatch.setattr(grade, "Child", Here)


@pytest.fixture
def say(mine: Path) -> Callable[[str], Verdict]:
    """Hand in a text, get the verdict of this process."""

    def graded(text: str) -> Verdict:
        (mine / "exercise01a_double.py").write_text(text, encoding="utf-8")
        return Here().grade(exercises.select_one("01a"), mine / "exercise01a_double.py")

    return graded


# ---------------------------------------------------------------- what learners write

MISBEHAVIOURS = {
    "syntax error": ("def broken(:\n", "error", r"line 1 is not Python, .+: def broken\(:"),
    "import error": ("import nowhere_to_be_found\n", "error", r"ModuleNotFoundError \(line 1\): No module"),
    "missing name": ("class Duoble: ...\n", "error", r"it defines no Double; expected that name"),
    "not written": (answer('raise NotImplementedError("write forward")'), "not written",
                    r"not written yet: write forward \(line 11\)"),
    "exception": (answer("return x @ x"), "error", r"RuntimeError \(line 11\): mat1 and mat2"),
    "forgotten return": (answer("2 * x"), "error", r"is a return missing\?"),
    "forgotten return of backward": (answer(backward="2 * grad_y"), "error",
                                     r"grad_x is None; is a return missing\?"),
    "number": (answer(backward="return 2.0"), "error", r"grad_x is of type float; expected a tensor"),
    "no gradients": (answer(top="", forward="self.params = {'w': x[0]}; return 2 * x"), "error",
                     r"it does not fit the exercise: grads are \[\], params are \['w'\]"),
    "deep recursion": (answer("return self.forward(x)"), "error", r"RecursionError \(line 1[01]\)"),
    "sys.exit": (answer("sys.exit(0)"), "error", r"it calls sys.exit \(line 11\)"),
    "sys.exit at the top": (answer(top="sys.exit()"), "error", r"it calls sys.exit \(line 4\)"),
    "autograd": (answer(backward="return torch.autograd.grad((2 * self.x).sum(), self.x)[0]"), "not by hand",
                 r"it asks autograd for the gradient \(line 14\)"),
    "torch.nn": (answer("return nn.functional.leaky_relu(2 * x, 1.0)"), "not by hand",
                 r"right numbers, but it uses functional, nn"),
    "long message": (answer("raise ValueError('no' * 4000)"), "error",
                     r"ValueError \(line 11\): nono.{295}…$"),
    "null bytes": ("\0", "error", r"null bytes"),
}  # fmt: skip
MISBEHAVIOURS_OF_A_PROCESS = {
    "huge tensor": (answer("return torch.empty(3 << 30, dtype=torch.uint8)"), "memory",
                    r"it asks for more than 2 GiB of memory \(line 11\)"),
    "huge bytes": (answer("return bytearray(3 << 30)"), "memory",
                  r"it asks for more than 2 GiB of memory \(line 11\)"),
    "sys.exit": (answer("sys.exit(0)"), "error", r"it calls sys.exit \(line 11\)"),
    "os._exit": (answer("os._exit(0)"), "died", r"it ended the whole process \(exit code 0\)"),
    "segmentation fault": (answer("import ctypes; ctypes.string_at(0)"), "died",
                           r"it crashed Python itself: SIGSEGV \(line 11, in forward\)"),
    "killed": (answer("os.kill(os.getpid(), 9)"), "died", r"it crashed Python itself: SIGKILL"),
    "input": (answer("input()"), "error", r"EOFError \(line 11\)"),
}  # fmt: skip


def assert_one_clear_line(verdict: Verdict, kind: str, message: str) -> None:
    assert (verdict.kind, verdict.passed) == (kind, False)
    assert re.search(message, verdict.message), verdict.message
    assert "\n" not in verdict.message
    assert "Traceback" not in verdict.message


@pytest.mark.parametrize(("text", "kind", "message"), MISBEHAVIOURS.values(), ids=MISBEHAVIOURS.keys())
def test_misbehaviour_is_one_clear_line(
    say: Callable[[str], Verdict], text: str, kind: str, message: str
) -> None:
    assert_one_clear_line(say(text), kind, message)


@pytest.mark.parametrize(
    ("text", "kind", "message"), MISBEHAVIOURS_OF_A_PROCESS.values(), ids=MISBEHAVIOURS_OF_A_PROCESS.keys()
)
def test_misbehaviour_of_a_process_is_one_clear_line(
    give: Callable[..., Verdict], text: str, kind: str, message: str
) -> None:
    assert_one_clear_line(give(text), kind, message)


DEEP = "return (lambda f: f(f, 90))(lambda f, n: f(f, n - 1) if n else time.sleep(1e6))"


@pytest.mark.parametrize(("loop", "place"), [("while True: pass", "forward"), (DEEP, "<lambda>")])
def test_an_endless_loop_is_ended_and_located(give: Callable[..., Verdict], loop: str, place: str) -> None:
    verdict = give(answer(loop), seconds=1)
    assert verdict.kind == "time"
    assert f"it does not end within 1 seconds (line 11, in {place})" in verdict.message


def test_what_is_printed_is_kept_apart(give: Callable[..., Verdict]) -> None:
    """Neither does it disturb the verdict, nor is it lost: not even when the process ends in between."""
    verdict = give(answer("print('seen', x.shape[0]); return 2 * x"))
    assert verdict.passed
    assert verdict.printed.startswith("seen 5\n")
    grade_ = Grade(exercises.select_one("01a"), verdict)
    assert [line for line in grade_.lines() if "| seen 5" in line]
    assert give(answer("print('last words', flush=True); os._exit(3)")).printed == "last words\n"


def test_threads_and_started_programs_do_not_hold_it_up(give: Callable[..., Verdict], tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    thread = "import threading; threading.Thread(target=time.sleep, args=(1e6,)).start()"
    begin = f"{thread}; import subprocess; f = open({str(pipe)!r}, 'w'); print('begun', file=f, flush=True)"
    assert give(answer(top=f"{begin}; subprocess.Popen(['sleep', '1000'], stdout=f)")).passed
    seen = [os.read(reader, 100) for _ in range(2) if select.select([reader], [], [], 60)[0]]
    os.close(reader)
    assert seen == [b"begun\n", b""]  # the end: no program holds the pipe any more


def test_nothing_is_left_behind(mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    with Children() as children:
        (mine / "exercise01a_double.py").write_text(answer("open('litter', 'w').close(); return 2 * x"))
        assert children.grade(exercises.select_one("01a"), mine / "exercise01a_double.py", 60).passed
    assert list((tmp_path / "temp").iterdir()) == []
    assert not (mine / "litter").exists()


# ---------------------------------------------------------------- what the numbers say

NUMBERS = {
    "a mistake of the list": (answer(backward="return 1 * grad_y"), "mistake",
                              "it looks like: activation derivative missing"),
    "sign": (answer(backward="return -2 * grad_y"), "pattern", "sign: it is torch's with the opposite sign"),
    "batch": (answer(backward="return 2 * grad_y * len(grad_y)"), "pattern", "mean forgotten"),
    "batch twice": (answer(backward="return 2 * grad_y / len(grad_y)"), "pattern", "mean taken twice"),
    "transposed": (answer(backward="return 2 * grad_y.T"), "pattern", "transposed"),
    "factor": (answer("return 3 * x"), "pattern", "it is 1.5 times torch's"),
    "upstream": (answer(backward="return 2 * torch.ones_like(grad_y)"), "pattern",
                 "upstream gradient ignored"),
    "zeros": (answer(backward="return 0 * grad_y"), "pattern", "it is zero everywhere"),
    "in place": (answer("return x.mul_(2)"), "pattern", "input changed in place: x is another one"),
    "dtype": (answer("return (2 * x).double()"), "pattern", "dtype lost: output has dtype torch.float64"),
    "one number": (answer("return 2 * x + (x == 0)"), "values",
                   "double, batch 1, n_in 1, n_out 1: output[0, 0] is 1, torch has 0"),
    "shape": (answer(backward="return 2 * grad_y.flatten()"), "values",
              "grad_x: shape (1,) instead of (1, 1)"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "message"), NUMBERS.values(), ids=NUMBERS.keys())
def test_the_bug_is_named(say: Callable[[str], Verdict], text: str, kind: str, message: str) -> None:
    verdict = say(text)
    assert (verdict.kind, verdict.passed) == (kind, False)
    assert message in verdict.message
    assert verdict.details[0].startswith("differs: ")
    assert verdict.details[-1] == "read again: lessons/lesson01_neuron.py:3"


def test_a_failure_in_some_cases_only_says_which(say: Callable[[str], Verdict]) -> None:
    verdict = say(answer("return 2 * x if len(x) > 1 else 2 * x + x ** 2"))
    assert verdict.details[0] == "differs: output (only with batch 1, n_in 4, n_out 3) · agrees: grad_x, x"
    assert verdict.message.startswith("double, batch 1, n_in 1, n_out 1: output[0, 0] is ")
    assert verdict.details[1].startswith("there, x is [[")


def test_the_example_can_be_done_on_paper_and_what_it_printed_is_read(
    say: Callable[[str], Verdict], capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = say(answer(backward="print('seen', grad_y.tolist()); return 2 * grad_y + (self.x < -1)"))
    assert verdict.message == "double, batch 1, n_in 1, n_out 1: grad_x[0, 0] is 3, torch has 2"
    assert verdict.details[1:3] == (
        "finite differences of your forward: 2; backward does not fit forward",
        "there, x is [[-2]], grad_output is [[1]]",
    )
    printed = capsys.readouterr().out.splitlines()
    assert printed[-2:] == ["seen [[1.0]]", "seen [[1.0]]"]  # in the step before and in the one shown
    assert len(printed) == 4 * 2 + 2  # in the four cases and in the example, not in the search for it


def test_lines_are_at_most_80_wide(say: Callable[[str], Verdict]) -> None:
    verdict = say(answer("return 2 * x + (x == 0)"))
    lines = Grade(exercises.select_one("01a"), verdict).lines()
    assert lines[:2] == [
        "01a Double, a: double, batch 1, n_in 1, n_out 1: output[0, 0] is 1, torch has 0",
        "  differs: output · agrees: grad_x, x",
    ]
    wide = replace(verdict, details=("word " * 40,))
    rows = Grade(exercises.select_one("01a"), wide).lines()
    assert max(map(len, rows)) <= 80
    assert " ".join(rows).count("word") == 40


# ---------------------------------------------------------------- the learner's folder


def test_start_copies_all_and_overwrites_nothing(house: Path) -> None:
    names = ["exercise01a_double.py", "exercise01b_double.py", "final_project.py"]
    assert [path.name for path in exercises.start(house / "mine")] == names
    assert (house / "mine" / ".gitignore").read_text() == "*\n"
    (house / "mine" / names[0]).write_text("mine")
    (house / "mine" / names[1]).unlink()
    assert [path.name for path in exercises.start(house / "mine")] == [names[1]]
    assert (house / "mine" / names[0]).read_text() == "mine"


def test_the_originals_are_refused_and_a_missing_folder_says_how_to_make_it(house: Path) -> None:
    with pytest.raises(UserError, match="holds the originals"):
        exercises.start(discover.FOLDER / "exercises")
    with pytest.raises(UserError, match=r"make it with: curriculum start .*elsewhere"):
        list(grade.check([], house / "elsewhere"))
    (house / "file").write_text("no folder")
    with pytest.raises(UserError, match="cannot write to"):
        exercises.start(house / "file")


@pytest.mark.parametrize("which", ["01a", "1a", "exercise01a_double.py", "mine/exercise01a_double.py"])
def test_an_exercise_is_chosen_by_id_or_file(house: Path, which: str) -> None:
    assert exercises.select_one(which).id == "01a"


def test_a_lesson_or_a_name_can_mean_several(house: Path) -> None:
    for which in ("01", "1", "double", "all"):
        assert [exercise.id for exercise in exercises.select(which)] == ["01a", "01b"]
    with pytest.raises(UserError, match="means 2 exercises; name one, like 01a"):
        exercises.select_one("1")
    with pytest.raises(UserError, match="there is no exercise '99z'"):
        exercises.select("99z")


@pytest.mark.usefixtures("here")
def test_from_start_to_solution(mine: Path) -> None:
    """check without arguments takes the first open exercise; progress, hints and the solution follow."""
    first = exercises.select_one("01a")
    (only,) = grade.check([], mine)
    assert (only.exercise, only.verdict.kind) == (first, "not begun")
    assert [row[-1] for row in exercises.rows(mine)] == ["-", "-"]

    (mine / first.path.name).write_text(WRONG)
    (only,) = grade.check([], mine)
    assert only.verdict.bug == "activation derivative missing"
    assert [row[-1] for row in exercises.rows(mine)] == ["tried", "-"]
    with pytest.raises(UserError, match="is not passed yet"):
        exercises.solution(first, mine)
    hints = [exercises.hint(first, mine) for _ in range(4)]
    assert hints == ["hint 1 of 3: one", "hint 2 of 3: two", "hint 3 of 3: three", "hint 3 of 3: three"]
    given_up = exercises.solution(first, mine, give_up=True)
    assert "return 2 * grad_y" in given_up
    assert not re.search("HINTS|MISTAKES|REREAD|ANSWER|def pairs", given_up)

    (mine / first.path.name).write_text(answer())
    (only,) = grade.check([], mine)
    assert only.verdict.passed
    assert exercises.solution(first, mine) == given_up
    assert exercises.rows(mine)[0] == ("01a", "Double, a", "1 of 3", "5", "passed")
    assert grade.what_next(mine).startswith("next: 01b Double, b · ")
    assert [found.exercise.id for found in grade.check([], mine)] == ["01b"]
    kinds = [(found.exercise.id, found.verdict.kind) for found in grade.check(["1"], mine)]
    assert kinds == [("01a", "passed"), ("01b", "not begun")]


def test_reset_keeps_what_was_written(mine: Path) -> None:
    first = exercises.select_one("01a")
    file = mine / first.path.name
    for text, name in (("one", "bak-1"), ("two", "bak-2")):
        file.write_text(text)
        kept = exercises.reset(first, mine)
        assert kept == mine / f"{file.name}.{name}"
        assert kept.read_text() == text
    assert file.read_bytes() == first.path.read_bytes()
    file.unlink()
    (missing,) = grade.check(["01a"], mine)
    assert "put it there with: curriculum reset 01a" in missing.verdict.message
    assert exercises.reset(first, mine) is None
    assert file.exists()


@pytest.mark.parametrize("damage", ["{", "[]", '{"01a": 3}', b"\xff\xfe"])
def test_damaged_progress_is_set_aside(
    mine: Path, capsys: pytest.CaptureFixture[str], damage: str | bytes
) -> None:
    path, first = mine / ".progress.json", exercises.select_one("01a")
    for kept in (".progress.json.damaged", ".progress.json.damaged-1"):
        path.write_bytes(damage if isinstance(damage, bytes) else damage.encode())
        exercises.hint(first, mine)
        assert (mine / kept).read_bytes() == (damage if isinstance(damage, bytes) else damage.encode())
        assert len(capsys.readouterr().err.splitlines()) == 1
        assert json.loads(path.read_text()) == {"01a": {"hints": 1}}


def test_progress_is_written_whole_or_not_at_all(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = exercises.select_one("01a")
    exercises.update_progress(mine, first, passed=True)
    monkeypatch.setattr(
        os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(UserError, match="No space left on device"):
        exercises.update_progress(mine, first, passed=False)
    assert exercises.read_progress(mine) == {"01a": {"passed": True}}


# ---------------------------------------------------------------- a class, other programs


@pytest.mark.usefixtures("here")
def test_a_class_is_graded(house: Path) -> None:
    """One row per learner; files lie anywhere in a learner's folder; the mistakes are counted."""
    for learner, letter, text in (("ada", "a", answer()), ("ada", "b", WRONG), ("bob", "a", WRONG)):
        (house / "class" / learner / "deep").mkdir(parents=True, exist_ok=True)
        (house / "class" / learner / "deep" / f"exercise01{letter}_double.py").write_text(text)
    (house / "class" / "eve").mkdir()
    (house / "class" / "eve" / "exercise01a_double.py").write_text(STUB.format(letter="a"))
    grades = list(grade.grade_class(house / "class"))
    console = Console(width=80)
    with console.capture() as capture:
        console.print(grade.class_table(grades))
    rows = [line.split() for line in capture.get().splitlines()]
    assert rows == [
        ["learner", "01a", "01b", "passed"],
        ["ada", "✓", "✗", "1"],
        ["bob", "✗", "0"],
        ["eve", "·", "0"],
    ]
    assert grade.class_mistakes(grades) == [
        "1 × 01b: activation derivative missing", "1 × 01a: activation derivative missing",
    ]  # fmt: skip
    assert grades[0].row()["learner"] == "ada"
    with pytest.raises(UserError, match="expected one per learner"):
        list(grade.grade_class(house / "nowhere"))


def test_the_rows_are_json_and_the_junit_file_is_xml(house: Path) -> None:
    exercise = exercises.select_one("01a")
    good = Grade(exercise, Verdict("passed", "passed"))
    bad = Grade(exercise, Verdict("values", "<&> differ", "", ("more",), "printed \x00 \x1b[31m ü"), "ada")
    assert json.loads(json.dumps([good.row(), bad.row()]))[1]["printed"] == bad.verdict.printed
    grade.write_junit([good, bad], house / "junit.xml")
    suite = ElementTree.parse(house / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failure = suite.findall("testcase")[1].find("failure")
    assert failure is not None
    assert failure.get("message") == "01a Double, a: <&> differ"
    with pytest.raises(UserError, match="choose another --junit FILE"):
        grade.write_junit([good], house / "nowhere" / "junit.xml")


# ---------------------------------------------------------------- watch, in a terminal

WATCH = """
import sys
from pathlib import Path
from curriculum import discover
from curriculum.grader import session as grade
discover.FOLDER = Path(sys.argv[1])
grade.watch(Path(sys.argv[2]))
"""


def test_watch_checks_what_is_saved(mine: Path) -> None:
    pty = pytest.importorskip("pty")
    first = exercises.select_one("01a").path.name
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", WATCH, str(discover.FOLDER), str(mine)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    try:
        assert "next: 01a Double, a" in _read_until(ours, "Ctrl-C to stop")
        _save_until_seen(
            mine / first, WRONG, ours, "01a Double, a: it looks like: activation derivative missing"
        )
        _save_until_seen(mine / first, answer(), ours, "next: 01b Double, b")
        os.killpg(process.pid, signal.SIGINT)
        assert "stopped" in _read_until(ours, "stopped")
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read_until(terminal: int, text: str, seconds: float = 120) -> str:
    seen, end = "", time.monotonic() + seconds
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
