"""The judge: holds an answer to an exercise against torch, and says which mistake explains what differs.

Attempts, the most telling first: what it does that the exercise forbids, or that alone makes numbers wrong
(`diagnosis`); a mistake from the solution's list that gives the same numbers; what it raises; a relation to
torch's numbers that holds everywhere (`relations`); what else was seen by watching, or in the law of its
update (`diagnosis`); the one change of its source that makes it right (`repair`). Else the smallest example,
and what finite differences of the answer's own forward give there (`example`).
"""

import functools
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from curriculum.from_scratch import FORBIDDEN, forbidden_names
from curriculum.grader.diagnosis import diagnose
from curriculum.grader.example import example, extent
from curriculum.grader.explain import explain
from curriculum.grader.relations import pattern
from curriculum.grader.repair import repair
from curriculum.grader.trials import CASES, Outcome, Trial, run_side, try_out
from curriculum.grader.verdict import Verdict


def judge(answer: Any, solution: ModuleType, file: str = "") -> Verdict:
    """Hold `answer` against torch on every pair of `solution`. `file` is where the learner wrote it."""
    trials = list(try_out(solution.pairs(answer), CASES))
    assert trials, f"{solution.__name__} has no pair that torch's side can run"
    failed = [trial for trial in trials if trial.failed]
    if not failed:
        return _as_asked(answer, solution)
    errors = [trial.got.error for trial in failed if trial.got.error]
    unwritten = [error for error in errors if isinstance(error, NotImplementedError)]
    if unwritten:
        return explain(unwritten[0], file)
    bug = _bug(solution, trials)
    # In a find-the-bug, the mistake's name would be the answer: the one that was handed out is not told.
    if bug and _is_as_handed_out(solution, trials):
        return Verdict("mistake", "the bug is still there", bug=bug, details=_shown(trials, solution))
    seen = diagnose(answer, solution)
    related = "" if errors or bug else pattern(failed)
    fact = seen.cause or (None if bug or related else seen.explanation())
    if fact:
        details = (fact.look, fact.where, *_shown(trials, solution))
        return Verdict("diagnosis", fact.words, bug=bug, details=details)
    if bug:
        return Verdict("mistake", f"it looks like: {bug}", bug=bug, details=_shown(trials, solution))
    if errors:
        return explain(errors[0], file)
    if related:
        return Verdict("pattern", related, details=_shown(trials, solution))
    found = repair(file, solution, trials) if file and not _is_find_the_bug(solution) else None
    if found:
        words = f"line {found.line}: {found.words}"
        return Verdict("diagnosis", words, details=_shown(trials, solution))
    message, *more = example(trials, slope=True)
    return Verdict("values", message, details=(extent(trials), *more, _reread(solution)))


def _shown(trials: list[Trial], solution: ModuleType) -> tuple[str, ...]:
    """How far it reaches, the smallest example, and where to read again."""
    return extent(trials), *example(trials), _reread(solution)


# ---------------------------------------------------------------- right numbers


def _as_asked(answer: Any, solution: ModuleType) -> Verdict:
    """Passed, if it does all that the exercise asks for."""
    fact = diagnose(answer, solution).breaking
    if fact:
        details = ("the numbers are right", fact.look, fact.where, _reread(solution))
        return Verdict("diagnosis", fact.words, details=details)
    return _by_hand(answer, solution)


def _by_hand(answer: Any, solution: ModuleType) -> Verdict:
    """Passed, unless torch has found the gradient."""
    names = _forbidden(answer)
    if names and not is_about_torch(solution):
        return Verdict("not by hand", f"right numbers, but it uses {', '.join(names)}: write it by hand")
    return Verdict("passed", "passed", details=_afterwards(solution))


def _afterwards(solution: ModuleType) -> tuple[str, ...]:
    """What to take along, and where to go on."""
    if not hasattr(solution, "AFTER"):
        return ()
    idea, harder = solution.AFTER
    return f"the idea: {idea}", f"harder: {harder}"


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
    return _is_find_the_bug(solution) and explains(getattr(solution.stub, solution.ANSWER), solution, trials)


def _is_find_the_bug(solution: ModuleType) -> bool:
    stub = getattr(solution, "stub", None)
    return stub is not None and "Find the bug" in (stub.__doc__ or "").partition("\n")[0]


def explains(mistake: Any, solution: ModuleType, trials: list[Trial]) -> bool:
    """Whether `mistake` gives the answer's results wherever one of the two differs from torch."""
    pairs = {pair.name: pair for pair in solution.pairs(mistake)}
    for trial in trials:
        got = run_side(pairs[trial.pair.name].run_scratch, trial.case)
        other = Trial(trial.pair, trial.case, got, trial.wanted)
        if (trial.failed or other.failed) and not (trial.got.same_as(got) and _is_closer(trial, got)):
            return False
    return True


def _is_closer(trial: Trial, got: Outcome) -> bool:
    """Whether the answer is a hundred times closer to the mistake than torch is.

    1e-6 forgotten and 1e-6 inside the root are both close to what is right.
    """
    for problem in trial.problems:
        if problem.problem != "values differ" or not trial.got.results[problem.name].is_floating_point():
            continue
        value, wanted = trial.got.results[problem.name], trial.wanted.results[problem.name]
        near = (value - got.results[problem.name]).abs().max()
        rounding = 100 * torch.finfo(value.dtype).eps * (1 + wanted.abs().max())
        if near > (value - wanted).abs().max() / 100 + rounding:
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
