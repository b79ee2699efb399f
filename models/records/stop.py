"""Ctrl-C and SIGTERM between two steps."""

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import Any

from curriculum import Stopped

STDERR = 2  # as the system counts files: `sys.stderr` may be anything


class Stop:
    """Takes note of Ctrl-C and SIGTERM, so that a run ends between two steps. A second one ends it at once.

    Works in the main thread, where Python hears signals; elsewhere it changes nothing. Windows sends no
    SIGTERM: there Ctrl-C alone is heard.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Stop":
        self.listen()
        return self

    def __exit__(self, *_: Any) -> None:
        self.restore()

    def listen(self) -> None:
        """Take the signals over, also from a library that has taken them meanwhile."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before.setdefault(number, signal.getsignal(number))
                signal.signal(number, self._note)

    def restore(self) -> None:
        """Let the signals do again what they did before."""
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._before.items():
                signal.signal(number, handler or signal.SIG_DFL)  # Python has no name for another language's

    def stopped(self, message: str) -> Stopped:
        """What to raise when all is saved. The exit code is the shell's for that signal."""
        return Stopped(message, 128 + (self.signal or 0))

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            with contextlib.suppress(OSError):  # nobody may listen any more
                os.write(STDERR, b"\ncurriculum: interrupted again, ended at once\n")
            os._exit(128 + number)
        self.signal = number
