"""What an answer may take, and how the system holds it to that. Nothing here imports torch.

Linux does all of it. macOS has no bound on memory; Windows bounds neither memory nor files, and ends the
process itself but not what that process has started. `not_guarded` says so.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SECONDS = 30.0  # for the learner's code; generous, because machines are slow
SECONDS_TO_START = 300.0  # for the process to import torch
MEMORY = 2 << 30  # bytes, on top of what torch takes
FILE_SIZE = 64 << 20  # bytes, of each file that is written
SECONDS_TO_END = 5.0  # for the process to say where it was when its time was over
SECONDS_OF_A_LOOK = 0.5
MARK = "CURRICULUM_ANSWER"  # in the environment of an answer's process
PRINTED = 4000  # characters of the output that are kept


def not_guarded() -> str:
    """What this system does not hold an answer to, in words; empty where all is held."""
    if sys.platform == "linux":
        return ""
    if sys.platform == "win32":
        return "an answer's memory and files are not limited, and programs that it starts may go on"
    return "an answer's memory is not limited"


def bound_this_process() -> None:
    """Bound memory and files, where the system can: `MEMORY` on top of what is in use now."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        allowed = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))


def apart() -> dict[str, Any]:
    """How `Popen` starts a process that Ctrl-C does not reach: it is for the parent."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}  # what the child starts is in it, too, and ends with it


def end(process: "subprocess.Popen[bytes]", mark: str) -> None:
    """End a process that was started `apart`, and where the system can, what it has started.

    mark: the value of `MARK` in its environment. On Linux it leads to those, too, that have left the
    process's session.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()
    left = _marked(mark)
    while left:
        for number in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.01)
        left = _marked(mark)


def _marked(mark: str) -> list[int]:
    """The processes that have the mark in their environment; empty where the system does not show it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
    return found


def crash(code: int) -> str:
    """The name of the crash that an exit code stands for; empty where the process ended by itself."""
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:  # a real-time signal has no name
            return f"signal {-code}"
    return hex(code) if code >= 0xC0000000 else ""  # an NTSTATUS: Windows has no signals
