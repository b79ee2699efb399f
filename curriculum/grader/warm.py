"""A warm process, that has imported torch: `python -m curriculum.grader.warm SOCKET`.

It outlives the command that has started it, and ends by itself when nobody asks for `IDLE` seconds. It never
runs an answer. For each it forks a keeper, and the keeper forks the process that does. The keeper holds the
time, ends what the answer has started, and confirms what has passed: on a case that the answer could not know
before, its numbers have to be those that torch has here, where no answer has changed anything.
"""

import contextlib
import ctypes
import json
import os
import secrets
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import torch

from curriculum.grader import limits
from curriculum.grader.child import guard_of, work
from curriculum.grader.guard import Guard

IDLE = 600.0  # seconds
SUBREAPER = 36  # prctl's PR_SET_CHILD_SUBREAPER: what the answer leaves behind becomes the keeper's


def main() -> None:
    """Listen until nobody asks any more."""
    torch.ones(1, requires_grad=True).backward(torch.ones(1))  # the first one imports sympy and more
    path = Path(sys.argv[1])
    with socket.socket(socket.AF_UNIX) as listening:
        name = path.with_name(f"{path.name}.{os.getpid()}")
        listening.bind(str(name))
        listening.listen()
        name.rename(path)  # whoever sees it can connect
        listening.settimeout(IDLE)
        try:
            _serve(listening, {})
        finally:
            path.unlink(missing_ok=True)


def _serve(listening: socket.socket, guards: dict[str, tuple[float, Guard]]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are not waited for
    while True:
        try:
            asked, _ = listening.accept()
        except TimeoutError:
            return
        with asked:
            job = _job(asked)
            if job is None:
                continue
            try:
                guard = _guard(job["solution"], guards)
            except Exception as error:  # the solution is at fault: the cold way will say so
                _tell(asked, {"failed": str(error)})
                continue
            if os.fork() == 0:
                listening.close()
                _keep(asked, job, guard)


def _guard(solution: str, guards: dict[str, tuple[float, Guard]]) -> Guard:
    changed = os.stat(solution).st_mtime
    if solution not in guards or guards[solution][0] != changed:
        guards[solution] = changed, guard_of(solution)
    return guards[solution][1]


def _job(asked: socket.socket) -> dict[str, Any] | None:
    asked.settimeout(5)
    with contextlib.suppress(OSError, ValueError), asked.makefile("r", encoding="utf-8") as lines:
        job = json.loads(lines.readline())
        return job if isinstance(job, dict) else None
    return None


def _tell(asked: socket.socket, said: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        asked.sendall(json.dumps(said).encode() + b"\n")


# ---------------------------------------------------------------- the keeper of one answer


def _keep(asked: socket.socket, job: dict[str, Any], guard: Guard) -> None:
    """Have the answer graded by a process of its own, say how it ended, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    folder = Path(job["folder"])
    job["seed"] = secrets.randbelow(1 << 30)
    answer = os.fork()
    if answer == 0:
        asked.close()
        _become_the_answer(folder, job, guard)
    code = _wait(answer, job["seconds"], asked)
    _end_what_is_left(answer)
    said: dict[str, Any] = {"code": code}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        result = json.loads((folder / "result").read_text(encoding="utf-8"))
        if result["token"] == job["token"] and result["verdict"]["kind"] == "passed":
            said["confirmed"] = guard.confirms(result["numbers"], job["seed"])
    _tell(asked, said)
    os._exit(0)


def _become_the_answer(folder: Path, job: dict[str, Any], guard: Guard) -> None:
    os.setsid()
    os.chdir(folder / "work")
    printed = os.open(folder / "printed", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for new, old in ((nothing, 0), (printed, 1), (printed, 2)):
        os.dup2(new, old)
    try:
        work(folder, job, guard)
    finally:
        os._exit(1)


def _wait(answer: int, seconds: float, asked: socket.socket) -> int | None:
    """Its exit code, negative for a signal; None where it had to be ended."""
    latest = time.monotonic() + seconds + limits.SECONDS_TO_END
    pause = 0.002
    while time.monotonic() < latest and not _has_gone(asked):
        done, status = os.waitpid(answer, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(pause)
        pause = min(pause * 1.2, 0.05)
    return None


def _has_gone(asked: socket.socket) -> bool:
    """Whether nobody waits for the verdict any more."""
    asked.setblocking(False)
    try:
        return not asked.recv(1)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        asked.setblocking(True)


def _end_what_is_left(answer: int) -> None:
    """The answer's session, and whatever has left that: it is a child of the keeper by now."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(answer, signal.SIGKILL)
    end = time.monotonic() + limits.SECONDS_TO_END
    while time.monotonic() < end:
        for child in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.005)
        except ChildProcessError:
            return


def _children() -> list[int]:
    own = os.getpid()
    with contextlib.suppress(OSError):
        return list(map(int, Path(f"/proc/{own}/task/{own}/children").read_text().split()))
    return []


if __name__ == "__main__":
    main()
