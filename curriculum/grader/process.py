"""A process of its own for each answer, with limits, so that whatever an answer does is a verdict.

The child (`curriculum.grader.child`) imports torch first and then waits for its job. So the next child gets
ready while the learner thinks, and the time limit counts the learner's code only.
"""

import contextlib
import json
import os
import re
import secrets
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from curriculum import UserError
from curriculum.grader import limits
from curriculum.grader.exercise import Exercise
from curriculum.grader.package import Package
from curriculum.grader.verdict import Verdict
from curriculum.grader.warm_client import connected

ROOT = Path(__file__).parents[2]


class Child:
    """A process that is ready to grade one file."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="curriculum-", ignore_cleanup_errors=True)
        self.path = Path(self.folder.name)
        self.token = secrets.token_hex()  # the answer does not know it, and so writes no verdict of its own
        work = self.path / "work"
        work.mkdir()
        self.mark = secrets.token_hex()  # in the environment of all that the answer starts
        with (self.path / "printed").open("ab") as printed:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "curriculum.grader.child", str(self.path)],
                stdin=subprocess.PIPE,
                stdout=printed,
                stderr=printed,
                cwd=work,
                env=_environment() | {limits.MARK: self.mark},
                **limits.apart(),
            )

    def grade(self, exercise: Exercise, file: Path, seconds: float = limits.SECONDS) -> Verdict:
        """The verdict on `file`, after which the process is gone.

        Raises:
            UserError: The child could not begin, which is no fault of the learner's.
        """
        file = file.resolve()
        job = {"file": str(file), "solution": str(exercise.solution), "seconds": seconds, "token": self.token}
        try:
            self._wait(json.dumps(job).encode(), seconds)
            printed = self._read("printed")[-limits.PRINTED :]
            return replace(self._verdict(file, seconds), printed=printed)
        finally:
            self.close()

    def close(self) -> None:
        """End the process, and what it has started."""
        limits.end(self.process, self.mark)
        if self.process.stdin:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        self.folder.cleanup()

    def _wait(self, job: bytes, seconds: float) -> None:
        """Until the process has ended, or has had its time: it may have switched off its own clock."""
        begun_at: float | None = None
        latest = time.monotonic() + limits.SECONDS_TO_START
        said: bytes | None = job
        while time.monotonic() < latest:
            try:
                self.process.communicate(said, timeout=limits.SECONDS_OF_A_LOOK)
                return
            except subprocess.TimeoutExpired:
                said = None  # it was sent
            if begun_at is None and (self.path / "begun").exists():
                begun_at = time.monotonic()
                latest = begun_at + seconds + limits.SECONDS_TO_END

    def _exit_code(self) -> int | None:
        """None where it had to be ended."""
        return self.process.poll()

    def _verdict(self, file: Path, seconds: float) -> Verdict:
        with contextlib.suppress(ValueError, TypeError, KeyError):  # no result, or one that the answer wrote
            result = json.loads(self._read("result"))
            if result["token"] == self.token:
                verdict = result["verdict"]
                return Verdict(**verdict | {"details": tuple(verdict["details"])})
        if not (self.path / "begun").exists():
            said = self._read("printed").strip().splitlines()
            last = said[-1] if said else "no word"
            raise UserError(
                f"the grader itself failed: {last}; see what is installed with: curriculum doctor"
            )
        return self._ended_early(file, seconds)

    def _ended_early(self, file: Path, seconds: float) -> Verdict:
        """The verdict on an answer that ran into the time limit or ended its process."""
        trace = self._read("trace")  # by faulthandler, the innermost call first
        place = re.search(rf'File "{re.escape(str(file))}", line (\d+) in (\S+)', trace)
        where = f" (line {place[1]}, in {place[2]})" if place else ""
        code = self._exit_code()
        if code is None or trace.startswith("Timeout"):
            return Verdict(
                "time", f"it does not end within {seconds:g} seconds{where}; is there an endless loop?"
            )
        crash = limits.crash(code)
        if crash:
            return Verdict("died", f"it crashed Python itself: {crash}{where}")
        return Verdict(
            "died",
            f"it ended the whole process (exit code {code}) before it was graded; is there an os._exit?",
        )

    def _read(self, name: str) -> str:
        """A file of the child's; nothing where the answer has put something in its place that is no file."""
        try:
            # A pipe would be waited for.
            descriptor = os.open(self.path / name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError:
            return ""
        with open(descriptor, encoding="utf-8", errors="replace") as file:
            return file.read() if stat.S_ISREG(os.fstat(descriptor).st_mode) else ""


class WarmChild(Child):
    """The same from the warm process: nothing has to be imported. It is started where there is none.

    Raises:
        OSError: The system has no such thing, or it does not answer.
    """

    def __init__(self) -> None:
        self.connection = connected()
        self.folder = tempfile.TemporaryDirectory(prefix="curriculum-", ignore_cleanup_errors=True)
        self.path = Path(self.folder.name)
        self.token = secrets.token_hex()
        (self.path / "work").mkdir()
        self.said: dict[str, Any] = {}

    def grade(self, exercise: Exercise, file: Path, seconds: float = limits.SECONDS) -> Verdict:
        verdict = super().grade(exercise, file, seconds)
        if verdict.passed and not self.said.get("confirmed"):
            return Verdict(
                "replaced", "its numbers are right only where it runs: leave what grades it as it is"
            )
        return verdict

    def close(self) -> None:
        self.connection.close()
        self.folder.cleanup()

    def _wait(self, job: bytes, seconds: float) -> None:
        whole = json.loads(job) | {"folder": str(self.path)}
        self.connection.settimeout(seconds + 4 * limits.SECONDS_TO_END)
        with contextlib.suppress(ValueError):
            self.connection.sendall(json.dumps(whole).encode() + b"\n")
            with self.connection.makefile("r", encoding="utf-8") as lines:
                self.said = json.loads(lines.readline())
        if "code" not in self.said:
            raise OSError(self.said.get("failed", "the warm process has ended"))

    def _exit_code(self) -> int | None:
        code: int | None = self.said["code"]
        return code


def _environment() -> dict[str, str]:
    """The child finds this package wherever it runs, and computes with one thread, if nothing else is set."""
    paths = [str(ROOT)]
    if os.environ.get("PYTHONPATH"):
        paths.append(os.environ["PYTHONPATH"])
    return {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": os.pathsep.join(paths)}


class Children:
    """Gives one child after the other; the next one gets ready while this one works.

    What an answer has changed in this package is put back before the next one is graded.
    """

    def __init__(self, warm: bool = False) -> None:
        self.warm = warm
        self.spare: Child | None = None
        self.package: Package | None = None  # not read before there is an answer

    def prepare(self) -> None:
        """Start a child before there is something to grade."""
        if self.warm:
            with contextlib.suppress(OSError):
                connected().close()
                return
        self.spare = self.spare or Child()

    def grade(self, exercise: Exercise, file: Path, seconds: float, more: bool = False) -> Verdict:
        """The verdict on `file`. `more`: another file will follow. What was not touched needs no process.

        Raises:
            UserError: The child could not begin, which is no fault of the learner's.
        """
        if not file.is_file():
            return Verdict(
                "missing", f"there is no {file.name}; put it there with: curriculum reset {exercise.id}"
            )
        try:
            begun = file.read_bytes() != exercise.path.read_bytes()
        except OSError as error:
            return Verdict("missing", f"{file.name} cannot be read ({error.strerror}); make it readable")
        if not begun:
            return Verdict("not begun", f"not begun: {file} is as it was handed out")
        self.package = self.package or Package()
        verdict = self._from_warm(exercise, file, seconds) or self._from_cold(exercise, file, seconds, more)
        changed = self.package.restore()
        if not changed:
            return verdict
        if self.spare:  # it may have imported what was changed
            self.spare.close()
            self.spare = Child()
        return Verdict("replaced", f"it changes {changed[0]}, by which it is graded: leave that as it is")

    def _from_warm(self, exercise: Exercise, file: Path, seconds: float) -> Verdict | None:
        """None where there is no warm process. Then it is not asked for again."""
        if self.warm:
            try:
                return WarmChild().grade(exercise, file, seconds)
            except OSError:
                self.warm = False
        return None

    def _from_cold(self, exercise: Exercise, file: Path, seconds: float, more: bool) -> Verdict:
        child = self.spare or Child()
        self.spare = Child() if more else None
        return child.grade(exercise, file, seconds)

    def __enter__(self) -> "Children":
        return self

    def __exit__(self, *_: Any) -> None:
        if self.spare:
            self.spare.close()
