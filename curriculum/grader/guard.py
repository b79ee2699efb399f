"""What an answer may not do to pass: read or run the solution, change what it is held against.

The guard remembers torch's numbers from before the learner's file is loaded. An answer that has passed is
held against those once more, so that it helps nobody to change torch.

This sees what learners try. It is no prison: an answer runs in the process that grades it. What goes below
Python (ctypes), through another program or through the memory of the grader, and a solution that was copied
into the file by hand, are not seen.
"""

import contextlib
import io
import linecache
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from math import isclose, isnan
from pathlib import Path
from sys import setprofile
from types import FrameType, FunctionType, ModuleType
from typing import Any

from torch import Tensor

from curriculum.grader.judge import is_about_torch
from curriculum.grader.trials import CASES, Outcome, run_side
from curriculum.grader.verdict import SolutionsClosedError, Verdict
from curriculum.pair import TOLERANCE, Case, Pair

# What stands in the grader and in Python's own functions has to stay.
WHOLE = ("curriculum.grader", "curriculum.pair", "curriculum.from_scratch")
BUILTINS = "builtins"

Numbers = dict[str, tuple[str, tuple[int, ...], list[float]]]  # by name: dtype, shape, values
to_list = Tensor.tolist  # as it is before an answer can change it


class Guard:
    """Remembers what an answer to the exercise of `solution` is held against, as it is now."""

    def __init__(self, solution: ModuleType) -> None:
        self.solution = solution
        self.is_about_torch = is_about_torch(solution)
        ours = getattr(solution, solution.ANSWER)
        self.wanted = [numbers(run_side(pair.run_torch, case)) for pair, case in _trials(solution, ours)]
        self.tolerance = {str(dtype): tolerance for dtype, tolerance in TOLERANCE.items()}
        self.of_torch = _of_torch(self._ran(ours))
        self.modules = {name: module for name, module in sys.modules.items() if _is_watched(name)}
        self.modules[solution.__name__] = solution
        self.before = self._contents()

    def hidden_numbers(self, file: str, seed: int) -> list[Numbers]:
        """What the answer in `file`, which is loaded, gives on a case that it could not know before."""
        answer = getattr(sys.modules[Path(file).stem], self.solution.ANSWER)
        cases = [(pair, replace(CASES[0], seed=seed)) for pair in self.solution.pairs(answer)]
        with contextlib.redirect_stdout(io.StringIO()):
            return [numbers(run_side(pair.run_scratch, case)) for pair, case in cases]

    def confirms(self, handed_over: list[Numbers], seed: int) -> bool:
        """Whether those are torch's numbers, asked in a process that no answer runs in."""
        ours = getattr(self.solution, self.solution.ANSWER)
        cases = [(pair, replace(CASES[0], seed=seed)) for pair in self.solution.pairs(ours)]
        wanted = [numbers(run_side(pair.run_torch, case)) for pair, case in cases]
        return len(handed_over) == len(wanted) and all(
            not right or self._equal(_from_json(got), right)
            for got, right in zip(handed_over, wanted, strict=True)
        )

    def close_solutions(self) -> None:
        """From here on, this process opens no solution. There is no way back.

        Whatever tries, import, open or inspect, gets a `SolutionsClosedError`.
        """
        linecache.clearcache()
        file = str(self.solution.__file__)
        # Who writes down a stack, as torch.cuda does, would read the source of whatever is on it.
        linecache.cache[file] = (0, None, [], file)
        sys.modules.pop(self.solution.__name__, None)
        _close(Path(str(self.solution.__file__)).parent)

    def look(self, answer: Any, verdict: Verdict) -> Verdict:
        """The judge's `verdict`, unless the answer came to it by something that it may not do."""
        replaced = self._replaced()
        if replaced:
            return Verdict("replaced", f"it replaces {replaced}, by which it is graded: leave that as it is")
        if not verdict.passed:
            return verdict
        if not self._agrees(answer):
            return Verdict(
                "replaced", "it agrees only with a torch that it has changed: leave torch as it is"
            )
        ran = self._ran(answer)
        if (self.solution.__file__, self.solution.ANSWER) in ran:
            return Verdict("not its own", "right numbers, but it runs the solution: write it yourself")
        if not self.is_about_torch and _of_torch(ran) - self.of_torch:
            return Verdict("not by hand", "right numbers, but it runs torch.nn or autograd: write it by hand")
        return verdict

    def _agrees(self, answer: Any) -> bool:
        """Whether the answer's numbers are those that torch had."""
        trials = _trials(self.solution, answer)
        for (pair, case), wanted in zip(trials, self.wanted, strict=True):
            if wanted and not self._equal(numbers(run_side(pair.run_scratch, case)), wanted):
                return False
        return True

    def _equal(self, got: Numbers, wanted: Numbers) -> bool:
        if got.keys() != wanted.keys():
            return False
        for name, (dtype, shape, values) in wanted.items():
            if got[name][:2] != (dtype, shape):
                return False
            relative, absolute = self.tolerance.get(dtype, (0.0, 0.0))
            if not all(map(partial(_close_to, relative, absolute), got[name][2], values)):
                return False
        return True

    def _ran(self, answer: Any) -> set[tuple[str, str]]:
        """What runs when the answer is held against torch: files, and the class or function in them."""
        ran = set()

        def note(frame: FrameType, event: str, argument: Any) -> None:
            ran.add((frame.f_code.co_filename, frame.f_code.co_qualname.partition(".")[0]))

        pairs = self.solution.pairs(answer)
        setprofile(note)
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # what the answer prints was read once
                for pair in pairs:
                    run_side(pair.run_scratch, CASES[0])
        finally:
            setprofile(None)
        return ran

    # ------------------------------------------------------------ what stands in the grader

    def _replaced(self) -> str:
        """The name of something that is not what it was; empty where there is no such thing."""
        now = self._contents()
        changed = [name for name, known in self.before.items() if now.get(name) != known]
        # A new name can hide a function of Python's. Python's own may get more, by gettext for example.
        added = [name for name in now if name not in self.before and not name.startswith(BUILTINS)]
        return min(changed + added, key=len, default="")

    def _contents(self) -> dict[str, tuple[Any, ...]]:
        """What each name stands for, as numbers and text that can be compared."""
        found = {}
        for module_name, module in self.modules.items():
            for name, value in list(vars(module).items()):
                if name in ("__builtins__", "__warningregistry__"):  # Python writes there
                    continue
                found[f"{module_name}.{name}"] = _fingerprint(value)
                if isinstance(value, type) and value.__module__ == module_name != BUILTINS:
                    for attribute, inner in list(vars(value).items()):
                        found[f"{module_name}.{name}.{attribute}"] = _fingerprint(inner)
        return found


def numbers(outcome: Outcome) -> Numbers:
    """Results as plain numbers, which no change of torch reaches any more; empty where there are none."""
    return {
        name: (str(value.dtype), tuple(value.shape), to_list(value.reshape(-1)))
        for name, value in outcome.results.items()
    }


def _from_json(got: Any) -> Numbers:
    return {name: (dtype, tuple(shape), values) for name, (dtype, shape, values) in got.items()}


def _close_to(relative: float, absolute: float, one: float, other: float) -> bool:
    """At least as loose as the judge, whose bound is the sum of the two and not the larger one."""
    if isnan(one) or isnan(other):
        return isnan(one) and isnan(other)
    return isclose(one, other, rel_tol=2 * relative, abs_tol=2 * absolute)


def _trials(solution: ModuleType, answer: Any) -> list[tuple[Pair, Case]]:
    return [(pair, case) for pair in solution.pairs(answer) for case in CASES]


def _of_torch(ran: set[tuple[str, str]]) -> set[str]:
    """Those of torch's files that find an output or a gradient for it."""
    return {
        file for file, _ in ran if re.search(r"torch.nn.(modules|functional)|torch.autograd.__init__", file)
    }


def _is_watched(name: str) -> bool:
    return name == BUILTINS or any(name == whole or name.startswith(f"{whole}.") for whole in WHOLE)


def _fingerprint(value: Any) -> tuple[Any, ...]:
    if isinstance(value, FunctionType):
        return id(value), id(value.__code__), id(value.__defaults__)
    if isinstance(value, dict | list | set | tuple):
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
