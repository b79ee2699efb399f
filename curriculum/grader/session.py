"""The grader: runs each answer in a process of its own, with limits, and says in a few lines how it went.

The child (`curriculum.grader.child`) imports torch first and then waits for its job. So the next child gets
ready while the learner thinks, and the time limit counts the learner's code only.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from curriculum import UserError
from curriculum.grader.exercise import (
    DIR,
    Exercise,
    exercises,
    first_open,
    own,
    read_progress,
    select,
    update_progress,
)
from curriculum.table import TerminalTable

SECONDS = 30.0  # for the learner's code; generous, because machines are slow
START = 300.0  # for the child to import torch
MEMORY = 2 << 30  # bytes on top of what torch takes
PRINTED = 4000  # how many characters of the learner's output are kept


@dataclass(frozen=True)
class Verdict:
    """How an answer fared. `bug` is the mistake's name, where it is one of the solution's list."""

    kind: str  # passed, mistake, pattern, values, not written, not by hand, error, memory, time, died, …
    message: str
    bug: str = ""
    details: tuple[str, ...] = ()
    printed: str = ""

    @property
    def passed(self) -> bool:
        return self.kind == "passed"


@dataclass(frozen=True)
class Grade:
    """One verdict, on one exercise of one learner."""

    exercise: Exercise
    verdict: Verdict
    learner: str = ""

    def lines(self) -> list[str]:
        """What there is to read: the verdict, what supports it, and what the learner's code printed."""
        printed = [f"  | {line}" for line in self.verdict.printed.splitlines()[-20:]]
        details = [f"  {line}" for line in self.verdict.details if line]
        said = [row for line in [self.headline, *details] for row in _rows(line)]
        return [*said, *(["  it printed:"] if printed else []), *printed]

    @property
    def headline(self) -> str:
        return f"{self.exercise}: {self.verdict.message}"

    def row(self) -> dict[str, Any]:
        """The same for `--json`."""
        about = {"learner": self.learner} if self.learner else {}
        about |= {"exercise": self.exercise.id, "title": self.exercise.title}
        return {**about, "passed": self.verdict.passed, **asdict(self.verdict)}


def _rows(line: str) -> list[str]:
    """The line in rows of at most 80, where words allow it."""
    return textwrap.wrap(line, 80, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


# ---------------------------------------------------------------- a process for the learner's code


class Child:
    """A process that is ready to grade one file."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="curriculum-", ignore_cleanup_errors=True)
        self.path = Path(self.folder.name)
        (self.path / "work").mkdir()
        root = str(Path(__file__).parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        with (self.path / "printed").open("ab") as printed:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "curriculum.grader.child", str(self.path)],
                stdin=subprocess.PIPE, stdout=printed, stderr=printed, cwd=self.path / "work",
                env={"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=True,  # Ctrl-C is for the parent; what the child starts ends with it
            )  # fmt: skip

    def grade(self, exercise: Exercise, file: Path, seconds: float = SECONDS) -> Verdict:
        """The verdict on `file`, after which the process is gone."""
        job = {"file": str(file.resolve()), "solution": str(exercise.solution), "seconds": seconds}
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.communicate(json.dumps(job).encode(), timeout=START + seconds)
            printed = self._read("printed")[-PRINTED:]
            return replace(self._verdict(str(file.resolve()), seconds), printed=printed)
        finally:
            self.close()

    def _verdict(self, file: str, seconds: float) -> Verdict:
        if result := self._read("result"):
            verdict = json.loads(result)
            return Verdict(**verdict | {"details": tuple(verdict["details"])})
        if not (self.path / "begun").exists():
            last = self._read("printed").strip().splitlines()[-1:] or ["no word"]
            raise UserError(
                f"the grader itself failed: {last[0]}; see what is installed with: curriculum doctor"
            )
        # Written by faulthandler, the innermost call first.
        place = re.search(rf'File "{re.escape(file)}", line (\d+) in (\S+)', trace := self._read("trace"))
        where = f" (line {place[1]}, in {place[2]})" if place else ""
        code = self.process.poll()
        if code is None or trace.startswith("Timeout"):
            return Verdict(
                "time", f"it does not end within {seconds:g} seconds{where}; is there an endless loop?"
            )
        if code < 0:
            return Verdict("died", f"it crashed Python itself: {signal.Signals(-code).name}{where}")
        return Verdict(
            "died",
            f"it ended the whole process (exit code {code}) before it was graded; is there an os._exit?",
        )

    def _read(self, name: str) -> str:
        try:
            return (self.path / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def close(self) -> None:
        """End the process, and what it has started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL) if hasattr(os, "killpg") else self.process.kill()
        self.process.wait()
        if self.process.stdin:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        self.folder.cleanup()


class Children:
    """Gives one child after the other; the next one gets ready while this one works."""

    def __init__(self) -> None:
        self.spare: Child | None = None

    def grade(self, exercise: Exercise, file: Path, seconds: float, more: bool = False) -> Verdict:
        """The verdict on `file`. `more`: another file will follow. What was not touched needs no process."""
        if not file.is_file():
            return Verdict(
                "missing", f"there is no {file.name}; put it there with: curriculum reset {exercise.id}"
            )
        if file.read_bytes() == exercise.path.read_bytes():
            return Verdict("not begun", f"not begun: {file} is as it was handed out")
        child, self.spare = self.spare or Child(), None
        self.spare = Child() if more else None
        return child.grade(exercise, file, seconds)

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, *_: Any) -> None:
        if self.spare:
            self.spare.close()


# ---------------------------------------------------------------- check, watch, and a whole class


def check(which: list[str], folder: Path = DIR, seconds: float = SECONDS) -> Iterator[Grade]:
    """Grade the chosen exercises, or the first that is not passed yet, and keep the progress."""
    own(folder)
    chosen = [exercise for one in which for exercise in select(one)]
    if not which:
        chosen = list(filter(None, [first_open(folder)]))
    with Children() as children:
        for left, exercise in zip(range(len(chosen) - 1, -1, -1), chosen, strict=True):
            yield _check(exercise, folder, seconds, children, more=left > 0)


def _check(exercise: Exercise, folder: Path, seconds: float, children: Children, more: bool) -> Grade:
    grade = Grade(exercise, children.grade(exercise, folder / exercise.path.name, seconds, more))
    if grade.verdict.kind not in ("missing", "not begun"):
        tries = read_progress(folder).get(exercise.id, {}).get("tries", 0) + 1
        update_progress(folder, exercise, passed=grade.verdict.passed, tries=tries)
    return grade


def what_next(folder: Path = DIR) -> str:
    """One line: the first exercise that is not passed yet."""
    following = first_open(folder)
    return f"next: {following} · {folder / following.path.name}" if following else "all exercises are passed"


def watch(folder: Path = DIR, seconds: float = SECONDS, say: Callable[[str], Any] = print) -> None:
    """Check an exercise each time it is saved, until Ctrl-C."""
    from watchfiles import watch as changes

    own(folder)
    by_name = {exercise.path.name: exercise for exercise in exercises()}
    with Children() as children, contextlib.suppress(KeyboardInterrupt):
        children.spare = Child()
        say(f"{what_next(folder)}\nwatching {folder}: save an exercise to have it checked, Ctrl-C to stop")
        for saved in changes(folder, recursive=False):
            for name in sorted({Path(path).name for _, path in saved} & by_name.keys()):
                if (folder / name).is_file():
                    grade = _check(by_name[name], folder, seconds, children, more=True)
                    say("\n" + "\n".join(grade.lines()))
                    if grade.verdict.passed:
                        say(what_next(folder))
    say("stopped")


def grade_class(folder: Path, seconds: float = SECONDS) -> Iterator[Grade]:
    """Grade what each learner handed in: one folder per learner, the files anywhere in it."""
    learners = sorted(path for path in folder.glob("[!.]*") if path.is_dir()) if folder.is_dir() else []
    if not learners:
        raise UserError(
            f"{folder} holds no folders; expected one per learner, with their exercise files in it"
        )
    with Children() as children:
        for learner in learners:
            for exercise in exercises():
                file = min(learner.rglob(exercise.path.name), key=lambda path: len(path.parts), default=None)
                if file:
                    yield Grade(exercise, children.grade(exercise, file, seconds, more=True), learner.name)


def class_table(grades: list[Grade]) -> TerminalTable:
    """Learner × exercise: ✓ passed, ✗ not, · as it was handed out, empty where nothing was handed in."""
    ids = sorted({grade.exercise.id for grade in grades})
    table = TerminalTable("learner", *ids, "passed", box=None)
    for learner in dict.fromkeys(grade.learner for grade in grades):
        own_grades = {grade.exercise.id: grade.verdict for grade in grades if grade.learner == learner}
        marks = {"passed": "✓", "not begun": "·"}
        cells = [marks.get(own_grades[i].kind, "✗") if i in own_grades else "" for i in ids]
        table.add_row(learner, *cells, str(cells.count("✓")))
    return table


def class_mistakes(grades: list[Grade]) -> list[str]:
    """The named mistakes by exercise, the most frequent first."""
    counts = Counter((grade.exercise.id, grade.verdict.bug) for grade in grades if grade.verdict.bug)
    return [f"{count} × {name}: {bug}" for (name, bug), count in counts.most_common()]


# ---------------------------------------------------------------- for other programs


def write_junit(grades: list[Grade], path: Path) -> None:
    """The verdicts as JUnit XML, which continuous integration and learning platforms read."""
    failed = [grade for grade in grades if not grade.verdict.passed]
    suite = ElementTree.Element(
        "testsuite", name="exercises", tests=str(len(grades)), failures=str(len(failed))
    )
    for grade in grades:
        names = {"classname": grade.learner or "exercises", "name": str(grade.exercise)}
        case = ElementTree.SubElement(suite, "testcase", names)
        if grade in failed:
            # XML has no place for control characters, which a learner's code may well print.
            head, body = (
                re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd]", "?", text)
                for text in (grade.headline, "\n".join(grade.lines()))
            )
            ElementTree.SubElement(case, "failure", message=head).text = body
    try:
        ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}); choose another --junit FILE") from error
