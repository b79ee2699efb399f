"""What an answer may not do to pass: read or run the solution, replace what it is held against.

This sees what learners try. It is no prison: an answer runs in the process that grades it. What goes below
Python (ctypes, a kernel registered with torch.library) or through another program, and a solution that was
copied into the file by hand, are not seen.
"""

import contextlib
import io
import linecache
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any

from torch.overrides import _get_current_function_mode_stack
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from curriculum.grader.judge import is_about_torch
from curriculum.grader.trials import CASES, run_side
from curriculum.grader.verdict import SolutionsClosedError, Verdict

# Every function and class in these and below has to stay as it is.
WATCHED = (
    "torch.nn", "torch.optim", "torch.autograd", "torch._C", "curriculum", "lessons", "importlib",
)  # fmt: skip
WATCHED_ALONE = (
    "torch", "torch._tensor", "torch.functional", "builtins", "math", "operator", "functools", "itertools",
    "contextlib", "dataclasses", "inspect", "ast", "re", "json", "os", "sys", "linecache", "traceback",
)  # fmt: skip
# And in these every value: what the grader holds an answer to, and hooks into all modules of torch.
WHOLE = ("curriculum.grader", "curriculum.pair", "curriculum.from_scratch", "torch.nn.modules.module")


class Guard:
    """Remembers what an answer to the exercise of `solution` is held against, as it is now."""

    def __init__(self, solution: ModuleType) -> None:
        self.solution = solution
        self._settle()
        self.modules = {name: module for name, module in sys.modules.items() if _is_watched(name)}
        self.modules[solution.__name__] = solution
        self.before = self._contents()

    def close_solutions(self) -> None:
        """From here on, this process opens no solution. There is no way back.

        Whatever tries, import, open or inspect, gets a `SolutionsClosedError`.
        """
        linecache.clearcache()
        sys.modules.pop(self.solution.__name__, None)
        _close(Path(str(self.solution.__file__)).parent)

    def look(self, answer: Any, verdict: Verdict) -> Verdict:
        """The judge's `verdict`, unless the answer came to it by something that it may not do."""
        replaced = self._replaced()
        if replaced:
            return Verdict(
                "replaced", f"it replaces {replaced}, which it is held against: leave that as it is"
            )
        if not verdict.passed:
            return verdict
        ran = self._ran(answer)
        if (self.solution.__file__, self.solution.ANSWER) in ran:
            return Verdict("not its own", "right numbers, but it runs the solution: write it yourself")
        if not is_about_torch(self.solution) and _of_torch(ran) - self.of_torch:
            return Verdict("not by hand", "right numbers, but it runs torch.nn or autograd: write it by hand")
        return verdict

    def _settle(self) -> None:
        """Let torch and the judge do once what changes them the first time only."""
        is_about_torch(self.solution)
        ours = getattr(self.solution, self.solution.ANSWER)
        for pair in self.solution.pairs(ours):
            for case in CASES:
                run_side(pair.run_torch, case)
        self.of_torch = _of_torch(self._ran(ours))

    def _replaced(self) -> str:
        """The name of something that is not what it was; empty where there is no such thing."""
        if _get_current_function_mode_stack() or _get_current_dispatch_mode_stack():
            return "torch's functions, by a mode that is on"
        now = self._contents()
        changed = [name for name, known in self.before.items() if now.get(name) != known]
        added = [name for name in now if name not in self.before and self._is_whole(name)]
        return min(changed + added, key=len, default="")

    def _is_whole(self, name: str) -> bool:
        """Whether nothing may be added there: a global of the grader's can hide a built-in function."""
        return name.startswith((*(f"{whole}." for whole in WHOLE), f"{self.solution.__name__}."))

    def _contents(self) -> dict[str, tuple[Any, ...]]:
        """What each name stands for, as numbers and text that can be compared."""
        found = {}
        for module_name, module in self.modules.items():
            whole = self._is_whole(f"{module_name}.")
            for name, value in list(vars(module).items()):
                if name == "__warningregistry__":
                    continue
                if whole or callable(value) or isinstance(value, ModuleType):
                    found[f"{module_name}.{name}"] = _fingerprint(value, whole)
                if isinstance(value, type) and value.__module__ == module_name:
                    for attribute, inner in list(vars(value).items()):
                        found[f"{module_name}.{name}.{attribute}"] = _fingerprint(inner, whole=False)
        return found

    def _ran(self, answer: Any) -> set[tuple[str, str]]:
        """What runs when the answer is held against torch: files, and the class or function in them."""
        ran = set()

        def note(frame: FrameType, event: str, argument: Any) -> None:
            ran.add((frame.f_code.co_filename, frame.f_code.co_qualname.partition(".")[0]))

        pairs = self.solution.pairs(answer)
        sys.setprofile(note)
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # what the answer prints was read once
                for pair in pairs:
                    run_side(pair.run_scratch, CASES[0])
        finally:
            sys.setprofile(None)
        return ran


def _of_torch(ran: set[tuple[str, str]]) -> set[str]:
    """Those of torch's files that find an output or a gradient for it."""
    return {
        file for file, _ in ran if re.search(r"torch.nn.(modules|functional)|torch.autograd.__init__", file)
    }


def _is_watched(name: str) -> bool:
    return name in WATCHED_ALONE or any(name == room or name.startswith(f"{room}.") for room in WATCHED)


def _fingerprint(value: Any, whole: bool) -> tuple[Any, ...]:
    if isinstance(value, FunctionType):
        return id(value), id(value.__code__), id(value.__defaults__)
    if isinstance(value, type):
        return id(value), tuple(vars(value))  # what is added to a class hides what it inherits
    if whole and isinstance(value, dict | list | set | tuple):
        return id(value), repr(value)
    return (id(value),)


def _close(folder: Path) -> None:
    """No `folder` of that name opens, lessons/solutions, wherever a copy of this package lies."""
    closed = f"{os.sep}{folder.parent.name}{os.sep}{folder.name}{os.sep}".casefold()

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" and not event.startswith("os."):
            return
        if any(closed in path for path in _places(arguments)):
            raise SolutionsClosedError("it reads the solutions: write it yourself")

    sys.addaudithook(refuse)


def _places(arguments: tuple[Any, ...]) -> Iterator[str]:
    """The paths among the arguments, behind links, in one spelling: some systems take any case for a name."""
    for argument in arguments:
        if isinstance(argument, str | bytes | os.PathLike):
            yield f"{os.path.realpath(os.fsdecode(argument))}{os.sep}".casefold()
