"""The judge: holds an answer to an exercise against torch, and says which mistake explains what differs.

Three attempts, the most telling first: a mistake from the solution's list that gives the same numbers; a
relation to torch's numbers that holds everywhere (`relations`); else the smallest example, and what finite
differences of the answer's own forward give there (`example`).
"""

import functools
from pathlib import Path
from types import ModuleType
from typing import Any

from curriculum.from_scratch import FORBIDDEN, forbidden_names
from curriculum.grader.example import example, extent
from curriculum.grader.explain import explain
from curriculum.grader.relations import pattern
from curriculum.grader.trials import CASES, Trial, run_side, try_out
from curriculum.grader.verdict import Verdict


def judge(answer: Any, solution: ModuleType, file: str = "") -> Verdict:
    """Hold `answer` against torch on every pair of `solution`. `file` is where the learner wrote it."""
    trials = list(try_out(solution.pairs(answer), CASES))
    assert trials, f"{solution.__name__} has no pair that torch's side can run"
    failed = [trial for trial in trials if trial.failed]
    if not failed:
        return _by_hand(answer, solution)
    errors = [trial.got.error for trial in failed if trial.got.error]
    unwritten = [error for error in errors if isinstance(error, NotImplementedError)]
    if unwritten:
        return explain(unwritten[0], file)
    bug = _bug(solution, trials)
    if bug:
        # In a find-the-bug, the mistake's name would be the answer: the one that was handed out is not told.
        told = "the bug is still there" if _is_as_handed_out(solution, trials) else f"it looks like: {bug}"
        details = (extent(trials), *example(trials), _reread(solution))
        return Verdict("mistake", told, bug=bug, details=details)
    if errors:
        return explain(errors[0], file)
    related = pattern(failed)
    if related:
        details = (extent(trials), *example(trials), _reread(solution))
        return Verdict("pattern", related, details=details)
    message, *more = example(trials, slope=True)
    return Verdict("values", message, details=(extent(trials), *more, _reread(solution)))


# ---------------------------------------------------------------- right numbers


def _by_hand(answer: Any, solution: ModuleType) -> Verdict:
    """Passed, unless torch has found the gradient."""
    names = _forbidden(answer)
    if names and not is_about_torch(solution):
        return Verdict("not by hand", f"right numbers, but it uses {', '.join(names)}: write it by hand")
    return Verdict("passed", "passed")


@functools.cache  # the guard asks before it closes the solutions
def is_about_torch(solution: ModuleType) -> bool:
    """Whether the solution or its stub use what is forbidden elsewhere."""
    stub = getattr(getattr(solution, "stub", None), solution.ANSWER, None)
    return bool(_forbidden(getattr(solution, solution.ANSWER)) or _forbidden(stub))


def _forbidden(thing: Any) -> list[str]:
    """What finds the gradient for it. A sigmoid or a ReLU of torch may be a part of an answer."""
    try:
        return sorted(FORBIDDEN.intersection(forbidden_names(thing)))
    except (OSError, TypeError, SyntaxError):  # has no source of its own
        return []


# ---------------------------------------------------------------- a mistake of the solution's list


def _bug(solution: ModuleType, trials: list[Trial]) -> str:
    """The name of the first mistake that explains what differs; empty where there is none."""
    for name, mistake in solution.MISTAKES.items():
        if explains(mistake, solution, trials):
            return str(name)
    return ""


def _is_as_handed_out(solution: ModuleType, trials: list[Trial]) -> bool:
    """Whether the bug that a find-the-bug was handed out with is still in the answer."""
    stub = getattr(solution, "stub", None)
    if stub is None or "Find the bug" not in (stub.__doc__ or "").partition("\n")[0]:
        return False
    return explains(getattr(stub, solution.ANSWER), solution, trials)


def explains(mistake: Any, solution: ModuleType, trials: list[Trial]) -> bool:
    """Whether `mistake` gives the answer's results wherever one of the two differs from torch."""
    pairs = {pair.name: pair for pair in solution.pairs(mistake)}
    for trial in trials:
        got = run_side(pairs[trial.pair.name].run_scratch, trial.case)
        other = Trial(trial.pair, trial.case, got, trial.wanted)
        if (trial.failed or other.failed) and not trial.got.same_as(got):
            return False
    return True


def _reread(solution: ModuleType) -> str:
    """Where to read again: the line of the lesson that has the text of `REREAD`."""
    file, text = solution.REREAD
    source = Path(str(solution.__file__)).parents[1] / file
    place = f"read again: {source.parent.name}/{file}"
    for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), start=1):
        if text in line:
            return f"{place}:{number}"
    return f"{place}:1"
