"""What a failed exercise shows: which results differ in which cases, and the plainest example of it."""

import contextlib
import io
import math
import time
from collections.abc import Iterator

import torch

from curriculum.grader import shrink
from curriculum.grader.finite_differences import finite_difference, which_half_is_wrong
from curriculum.grader.trials import Trial, try_out
from curriculum.pair import Case, Difference, Pair

SMALL_CASES = [Case(batch, n_in, n_out) for batch, n_in, n_out in shrink.SIZES]


def extent(trials: list[Trial]) -> str:
    """Which results differ, which agree, and in which cases, where it is not all."""
    names = _unique(name for trial in trials for name in trial.wanted.results)
    differing = {problem.name for trial in trials for problem in trial.problems}
    wrong = [name for name in names if name in differing]
    right = [name for name in names if name not in differing]
    said = f"differs: {_first_six(wrong)}"
    bad = _unique(_sizes(trial.case) for trial in trials if trial.failed)
    if len(bad) < len(_unique(_sizes(trial.case) for trial in trials)):
        said += f" (only with {'; '.join(bad)})"
    if right:
        said += f" · agrees: {_first_six(right)}"
    return said


def example(trials: list[Trial], slope: bool = False) -> list[str]:
    """The first difference of the smallest case that shows one, with its inputs.

    `slope`: also what the gradient there is by finite differences. Empty where no case shows numbers.
    """
    trial = next(filter(_shows_numbers, _candidates(trials)), None)
    if trial is None:
        return []
    first = f"{trial.pair.name}, {_sizes(trial.case)}: {_in_words(trial, trial.problems[0])}"
    return [first, *(_slope(trial) if slope else []), *_inputs(trial)]


def _candidates(trials: list[Trial]) -> Iterator[Trial]:
    """The easiest to follow first: whole numbers, small sizes, the trials as they were."""
    pairs = list({trial.pair.name: trial.pair for trial in trials if _shows_numbers(trial)}.values())
    end = time.monotonic() + shrink.SECONDS  # a long training is shown as it was found
    yield from _whole_numbers(pairs, trials)
    for trial in try_out(pairs, SMALL_CASES):
        if time.monotonic() >= end:
            break
        yield trial
    yield from trials


def _whole_numbers(pairs: list[Pair], trials: list[Trial]) -> Iterator[Trial]:
    """The pair and the whole numbers that are easiest to follow on paper, where such show what differs."""
    names = {problem.name for trial in trials for problem in trial.problems}

    def fails(pair: Pair, case: Case) -> bool:
        return any(_is_plain(trial, names) for trial in try_out([pair], [case]))

    drawn = [pair for pair in pairs if pair.drawn]
    with contextlib.redirect_stdout(io.StringIO()):  # what the answer prints is read of the example alone
        found = shrink.smallest(drawn, fails)
    if found:
        pair, case = found
        yield from try_out([pair], [case])


def _shows_numbers(trial: Trial) -> bool:
    return bool(trial.problems and not trial.got.error)


def _is_plain(trial: Trial, names: set[str]) -> bool:
    """Whether it shows a difference in one of `names`, in numbers that can be followed."""
    if not _shows_numbers(trial) or trial.problems[0].name not in names:
        return False
    return all(bool(value.isfinite().all()) for value in trial.wanted.results.values())


def _in_words(trial: Trial, difference: Difference) -> str:
    if difference.problem.startswith("missing"):
        return f"{difference.name} is missing in {'yours' if 'scratch' in difference.problem else 'torch'}"
    if difference.problem not in ("values differ", "not finite"):
        return f"{difference.name}: {difference.problem}"
    index, got, wanted = _furthest_off(trial, difference.name)
    place = f"[{', '.join(map(str, index))}]" if index else ""
    digits = 6 if f"{got:.6g}" != f"{wanted:.6g}" else 17
    return f"{difference.name}{place} is {got:.{digits}g}, torch has {wanted:.{digits}g}"


def _furthest_off(trial: Trial, name: str) -> tuple[tuple[int, ...], float, float]:
    """Where the result is furthest off, what the answer has there, and what torch has."""
    got = trial.got.results[name].double()
    wanted = trial.wanted.results[name].double()
    gap = (got - wanted).abs().nan_to_num(math.inf)
    index = tuple(int(i) for i in torch.unravel_index(gap.argmax(), gap.shape))
    return index, got[index].item(), wanted[index].item()


def _slope(trial: Trial) -> list[str]:
    """What finite differences say of the first gradient that differs, where they can say something."""
    gradients = [problem for problem in trial.problems if problem.name.startswith("grad_")]
    if not gradients or any(problem.problem != "values differ" for problem in trial.problems):
        return []
    gradient = gradients[0]
    index, got, wanted = _furthest_off(trial, gradient.name)
    slope = finite_difference(trial, gradient.name.removeprefix("grad_"), index)
    if slope is None:
        return []
    said = which_half_is_wrong(slope, got, wanted)
    if not said:
        return []
    line = f"finite differences of your forward: {slope:.6g}; {said}"
    return [line] if gradient is trial.problems[0] else [_in_words(trial, gradient), line]


def _inputs(trial: Trial) -> list[str]:
    """The tensors that the example was computed from, where they are short."""
    given = {name: trial.wanted.results[name].tolist() for name in sorted(trial.wanted.inputs)}
    if isinstance(trial.case, shrink.Whole):
        for (name, _), value in trial.case.known.items():
            if not name.endswith("_before"):  # the step before is of no use on paper
                given[name.removeprefix("parameter ")] = value.long().tolist()
    short = [f"{name} is {value}" for name, value in given.items() if str(value).count(",") < 6]
    return [f"there, {', '.join(short)}"] if 0 < len(short) <= 8 else []


def _sizes(case: Case) -> str:
    kind = ", float32" if case.dtype == torch.float32 else ""
    return f"batch {case.batch}, n_in {case.n_in}, n_out {case.n_out}{kind}"


def _first_six(names: list[str]) -> str:
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return ", ".join(names[:6]) + more


def _unique(words: Iterator[str]) -> list[str]:
    """Each word once, in the order of the first."""
    return list(dict.fromkeys(words))
