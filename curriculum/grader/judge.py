"""The judge: holds an answer to an exercise against torch, and says which mistake explains what differs.

Three attempts, the most telling first: a mistake from the solution's list that gives the same numbers; a
relation to torch's numbers that holds everywhere (sign, mean, transposed, …); else the smallest example, and
what finite differences of the answer's own forward give there.
"""

import contextlib
import io
import itertools
import math
import re
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from curriculum.from_scratch import FORBIDDEN, forbidden_names
from curriculum.grader.session import MEMORY, Verdict
from curriculum.grader.shrink import SECONDS, SIZES, Whole, smallest
from curriculum.pair import TOLERANCE, Case, Difference, Pair, Results, compare

CASES = (Case(), Case(batch=1), Case(batch=7, n_in=3, n_out=5, seed=1), Case(dtype=torch.float32))
SMALL_CASES = [Case(batch, n_in, n_out) for batch, n_in, n_out in SIZES]


@dataclass(frozen=True)
class Outcome:
    """What one side gave: named results, or what it raised. `inputs` names those that were only read."""

    results: Results
    error: Exception | None = None
    inputs: frozenset[str] = frozenset()


def run(side: Callable[[Case], Results], case: Case, by_hand: bool = True) -> Outcome:
    """One side on one case, by hand without autograd. What it raises is part of the outcome."""
    torch.default_generator.manual_seed(0)  # faster than torch.manual_seed, which looks for every device
    try:
        with case.defaults(), torch.inference_mode() if by_hand else torch.enable_grad():
            results = side(case)
        for name, value in results.items():
            if not isinstance(value, Tensor):
                raise TypeError(f"{name} is {_a(value)}; expected a tensor")
        inputs = {name for name in ("x", "prediction") if name in results and results[name].requires_grad}
        return Outcome({n: value.detach().clone() for n, value in results.items()}, None, frozenset(inputs))
    except Exception as error:
        return Outcome({}, error)


@dataclass(frozen=True)
class Trial:
    """One pair on one case: what the answer gave, and what torch gave."""

    pair: Pair
    case: Case
    got: Outcome
    wanted: Outcome

    @cached_property
    def problems(self) -> list[Difference]:
        found = compare(Pair("", lambda _: self.got.results, lambda _: self.wanted.results), self.case)
        return [difference for difference in found if difference.problem]

    @property
    def failed(self) -> bool:
        return bool(self.got.error or self.problems)


def try_out(pairs: list[Pair], cases: Any) -> Iterator[Trial]:
    """Each pair on each case, but for those that torch itself refuses."""
    for pair, case in itertools.product(pairs, cases):
        wanted = run(pair.torch, case, by_hand=False)
        if not wanted.error:
            yield Trial(pair, case, run(pair.scratch, case), wanted)


def judge(answer: Any, solution: ModuleType, file: str = "") -> Verdict:
    """Hold `answer` against torch on every pair of `solution`. `file` is where the learner wrote it."""
    trials = list(try_out(solution.pairs(answer), CASES))
    assert trials, f"{solution.__name__} has no pair that torch's side can run"
    failed = [trial for trial in trials if trial.failed]
    errors = [trial.got.error for trial in failed if trial.got.error]
    if not failed:
        return _by_hand(answer, solution)
    if unwritten := [error for error in errors if isinstance(error, NotImplementedError)]:
        return explain(unwritten[0], file)
    extent, reread = _extent(trials), _reread(solution)
    if bug := _bug(solution, trials):
        # In a find-the-bug, the mistake's name would be the answer: the one that was handed out is not told.
        told = "the bug is still there" if _is_as_handed_out(solution, trials) else f"it looks like: {bug}"
        return Verdict("mistake", told, bug, (extent, *_example(trials), reread))
    if errors:
        return explain(errors[0], file)
    if found := _pattern(failed):
        return Verdict("pattern", found, details=(extent, *_example(trials), reread))
    example, *rest = _example(trials, slope=True)
    return Verdict("values", example, details=(extent, *rest, reread))


def _by_hand(answer: Any, solution: ModuleType) -> Verdict:
    stub = getattr(getattr(solution, "stub", None), solution.ANSWER, None)
    # Where the exercise itself is about torch.nn, its solution or its stub uses it.
    allowed = any(_forbidden(model) for model in (getattr(solution, solution.ANSWER), stub))
    if names := [] if allowed else _forbidden(answer):
        return Verdict("not by hand", f"right numbers, but it uses {', '.join(names)}: write it by hand")
    return Verdict("passed", "passed")


def _forbidden(thing: Any) -> list[str]:
    """What finds the gradient for it. A sigmoid or a ReLU of torch may be a part of an answer."""
    try:
        return sorted(FORBIDDEN & {*forbidden_names(thing)})
    except (OSError, TypeError, SyntaxError):  # has no source of its own
        return []


# ---------------------------------------------------------------- 1. a mistake of the solution's list


def _bug(solution: ModuleType, trials: list[Trial]) -> str:
    mistakes = solution.MISTAKES.items()
    return next((name for name, mistake in mistakes if explains(mistake, solution, trials)), "")


def _is_as_handed_out(solution: ModuleType, trials: list[Trial]) -> bool:
    stub = getattr(solution, "stub", None)
    find_the_bug = stub and "Find the bug" in (stub.__doc__ or "").partition("\n")[0]
    return bool(find_the_bug) and explains(getattr(stub, solution.ANSWER), solution, trials)


def explains(mistake: Any, solution: ModuleType, trials: list[Trial]) -> bool:
    """Whether `mistake` gives the answer's results wherever one of the two differs from torch."""
    pairs = {pair.name: pair for pair in solution.pairs(mistake)}
    for trial in trials:
        other = Trial(trial.pair, trial.case, run(pairs[trial.pair.name].scratch, trial.case), trial.wanted)
        if (trial.failed or other.failed) and not _same(trial.got, other.got):
            return False
    return True


def _same(one: Outcome, other: Outcome) -> bool:
    if one.error or other.error:
        # Sizes in the message may differ, the words may not.
        kinds = [(type(o.error), re.sub(r"\d+", "", str(o.error))) for o in (one, other)]
        return kinds[0] == kinds[1]
    return one.results.keys() == other.results.keys() and all(
        _equal(value, other.results[name]) for name, value in one.results.items()
    )


def _equal(one: Tensor, other: Tensor) -> bool:
    """The same shape, dtype and numbers. Infinite or undefined ones have to be so on both sides."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    finite = one.isfinite()
    if not torch.equal(finite, other.isfinite()):
        return False
    # Another order of the same sums is no other mistake: this is looser than the comparison with torch.
    rtol, atol = (1e-6, 1e-9) if one.dtype != torch.float32 else TOLERANCE[torch.float32]
    one, other = one[finite].double(), other[finite].double()
    return torch.allclose(one, other, rtol=rtol, atol=atol)


# ---------------------------------------------------------------- 2. a relation that holds everywhere


@dataclass(frozen=True)
class Wrong:
    """One result that differs: where, what the answer gave, what torch gave."""

    trial: Trial
    name: str
    got: Tensor
    wanted: Tensor


class _Ones(Case):
    def upstream(self, name: str, shape: torch.Size) -> Tensor:
        return torch.ones_like(super().upstream(name, shape))


class _FirstExample(Case):
    def upstream(self, name: str, shape: torch.Size) -> Tensor:
        upstream = super().upstream(name, shape)
        upstream[1:] = 0
        return upstream


class _LastExample(Case):
    def upstream(self, name: str, shape: torch.Size) -> Tensor:
        upstream = super().upstream(name, shape)
        upstream[:-1] = 0
        return upstream


class _StepBefore(Case):
    """What a layer pair gives its layer in the first of two steps."""

    def tensor(self, name: str, *shape: int) -> Tensor:
        return super().tensor("x_before" if name == "x" else name, *shape)

    def upstream(self, name: str, shape: torch.Size) -> Tensor:
        return super().upstream("grad_output_before" if name == "grad_output" else name, shape)


def _given(kind: type[Case]) -> Callable[[Wrong], Tensor | None]:
    """torch's result on a case of that kind."""

    def result(wrong: Wrong) -> Tensor | None:
        case = kind(**vars(wrong.trial.case))
        return run(wrong.trial.pair.torch, case, by_hand=False).results.get(wrong.name)

    return result


def _not_reset(wrong: Wrong) -> Tensor | None:
    before = _given(_StepBefore)(wrong)
    return None if before is None else before + wrong.wanted


# What the learner's result would be if this were the mistake.
RELATIONS: dict[str, Callable[[Wrong], Tensor | None]] = {
    "sign: it is torch's with the opposite sign": lambda wrong: -wrong.wanted,
    "mean forgotten: it is torch's times the batch size": lambda wrong: wrong.wanted * wrong.trial.case.batch,
    "mean taken twice: it is torch's divided by the batch size": lambda wrong: (
        wrong.wanted / wrong.trial.case.batch
    ),
    "transposed: it is torch's with rows and columns exchanged": lambda wrong: (
        wrong.wanted.T if wrong.wanted.dim() == 2 else None
    ),
    "upstream gradient ignored: it is torch's for an incoming gradient of ones": _given(_Ones),
    "gradient not accumulated: it is torch's for the first example alone": _given(_FirstExample),
    "gradient not accumulated: it is torch's for the last example alone": _given(_LastExample),
    "gradient not reset: that of the step before is still in it": _not_reset,
    "it is zero everywhere": lambda wrong: torch.zeros_like(wrong.wanted),
}


def _pattern(failed: list[Trial]) -> str:
    """What all differing results have in common, in words; empty where nothing explains all of them."""
    if changed := sorted({p.name for t in failed for p in t.problems if p.name in t.wanted.inputs}):
        return f"input changed in place: {changed[0]} is another one after the call"
    problems = [(trial, problem) for trial in failed for problem in trial.problems]
    if all(problem.problem.startswith("dtype") for _, problem in problems):
        return f"dtype lost: {problems[0][1].name} has {problems[0][1].problem}"
    if any(problem.problem.startswith("missing") for _, problem in problems):
        return ""
    wrongs = [
        Wrong(trial, problem.name, trial.got.results[problem.name], trial.wanted.results[problem.name])
        for trial, problem in problems
    ]
    for words, relation in RELATIONS.items():
        if "batch size" in words and len({wrong.trial.case.batch for wrong in wrongs}) == 1:
            continue  # it could as well be that number itself
        if all((would := relation(wrong)) is not None and _equal(wrong.got, would) for wrong in wrongs):
            return words
    return _factor(wrongs)


def _factor(wrongs: list[Wrong]) -> str:
    got, wanted = wrongs[0].got, wrongs[0].wanted
    if got.shape != wanted.shape or not wanted.numel():
        return ""
    largest = wanted.abs().argmax()
    factor = (got.flatten()[largest] / wanted.flatten()[largest]).item()
    holds = math.isfinite(factor) and all(_equal(wrong.got, wrong.wanted * factor) for wrong in wrongs)
    # One number is always a multiple of another.
    return f"it is {factor:.4g} times torch's" if holds and sum(w.wanted.numel() for w in wrongs) > 4 else ""


# ---------------------------------------------------------------- 3. the smallest example


def _extent(trials: list[Trial]) -> str:
    """Which results differ, which agree, and in which cases, where it is not all."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.wanted.results))
    wrong = [name for name in names if any(name == p.name for trial in trials for p in trial.problems)]
    right = [name for name in names if name not in wrong]
    bad = list(dict.fromkeys(_words(trial.case) for trial in trials if trial.failed))
    good = [case for case in dict.fromkeys(_words(trial.case) for trial in trials) if case not in bad]
    where = f" (only with {'; '.join(bad)})" if good else ""
    return f"differs: {_few(wrong)}{where}{f' · agrees: {_few(right)}' if right else ''}"


def _example(trials: list[Trial], slope: bool = False) -> list[str]:
    """The first difference of the smallest case that shows one, with its inputs.

    `slope`: also what the gradient there is by finite differences.
    """
    pairs = list({trial.pair.name: trial.pair for trial in trials if _shows(trial)}.values())
    end = time.monotonic() + SECONDS  # a long training is shown as it was found
    small = itertools.takewhile(lambda _: time.monotonic() < end, try_out(pairs, SMALL_CASES))
    candidates = itertools.chain(_simplest(pairs, trials), small, trials)
    if not (trial := next(filter(_shows, candidates), None)):
        return []
    first = f"{trial.pair.name}, {_words(trial.case)}: {_difference(trial, trial.problems[0])}"
    return [first, *(_slope(trial) if slope else []), *_inputs(trial)]


def _shows(trial: Trial) -> bool:
    return bool(trial.problems and not trial.got.error)


def _simplest(pairs: list[Pair], trials: list[Trial]) -> Iterator[Trial]:
    """The pair and the whole numbers that are easiest to follow on paper, where such show what differs."""
    drawn, names = [pair for pair in pairs if pair.drawn], {p.name for t in trials for p in t.problems}

    def fails(pair: Pair, case: Case) -> bool:
        return any(
            _shows(trial)
            and trial.problems[0].name in names
            and all(value.isfinite().all() for value in trial.wanted.results.values())
            for trial in try_out([pair], [case])
        )

    with contextlib.redirect_stdout(io.StringIO()):  # what the answer prints is read of the example alone
        found = smallest(drawn, fails) if drawn else None
    return try_out([found[0]], [found[1]]) if found else iter(())


def _difference(trial: Trial, first: Difference) -> str:
    if first.problem not in ("values differ", "not finite"):
        return f"{first.name}: {first.problem}"
    index, *both = _worst(trial, first.name)
    place = f"[{', '.join(map(str, index))}]" if index else ""
    numbers = [f"{value:.6g}" for value in both]
    if numbers[0] == numbers[1]:
        numbers = [f"{value:.17g}" for value in both]
    return f"{first.name}{place} is {numbers[0]}, torch has {numbers[1]}"


def _worst(trial: Trial, name: str) -> tuple[tuple[int, ...], float, float]:
    """Where the result is furthest off, what the answer has there, and what torch has."""
    got, wanted = trial.got.results[name].double(), trial.wanted.results[name].double()
    gap = (got - wanted).abs().nan_to_num(math.inf)
    index = tuple(int(i) for i in torch.unravel_index(gap.argmax(), gap.shape))
    return index, got[index].item(), wanted[index].item()


def _slope(trial: Trial) -> list[str]:
    """What finite differences say of the first gradient that differs, where they can say something."""
    gradients = [problem for problem in trial.problems if problem.name.startswith("grad_")]
    if not gradients or any(problem.problem != "values differ" for problem in trial.problems):
        return []
    index, got, wanted = _worst(trial, gradients[0].name)
    slope = _finite_difference(trial, gradients[0].name.removeprefix("grad_"), index)
    if slope is None:
        return []
    fits, right = (math.isclose(slope, value, rel_tol=1e-5, abs_tol=1e-6) for value in (got, wanted))
    if fits and right:  # too small a difference for this measure
        return []
    said = "backward does not fit forward" if right else "backward fits it: mend forward"
    said = said if right or fits else "forward is wrong, and backward does not fit it"
    gradient = [_difference(trial, gradients[0])] if gradients[0] is not trial.problems[0] else []
    return [*gradient, f"finite differences of your forward: {slope:.6g}; {said}"]


def _finite_difference(trial: Trial, name: str, entry: tuple[int, ...]) -> float | None:
    """The slope of the answer's own forward along one entry of an input or a parameter.

    None where the pair has no such number, float32 is too coarse for it, the answer raises, or the slopes to
    the left and right differ.
    """
    if not trial.pair.objective or trial.case.dtype != torch.float64:
        return None
    eps, heights = 1e-5, []
    for by in (-eps, 0.0, eps):
        case = replace(trial.case, moved=(name, entry, by))
        with contextlib.redirect_stdout(io.StringIO()):
            outcome = run(trial.pair.scratch, case)
        if outcome.error:
            return None
        heights.append(trial.pair.objective(case, outcome.results).item())
    left, right = (heights[1] - heights[0]) / eps, (heights[2] - heights[1]) / eps
    return (left + right) / 2 if math.isclose(left, right, rel_tol=1e-3, abs_tol=1e-3) else None


def _inputs(trial: Trial) -> list[str]:
    """The tensors that the example was computed from, where they are short."""
    given = {name: trial.wanted.results[name].tolist() for name in sorted(trial.wanted.inputs)}
    if isinstance(trial.case, Whole):
        known = {name.removeprefix("parameter "): value for (name, _), value in trial.case.known.items()}
        # What a layer meets in the step before is of no use on paper.
        given |= {n: value.long().tolist() for n, value in known.items() if not n.endswith("_before")}
    short = [f"{name} is {value}" for name, value in given.items() if str(value).count(",") < 6]
    return [f"there, {', '.join(short)}"] if 0 < len(short) <= 8 else []


def _words(case: Case) -> str:
    kind = ", float32" if case.dtype == torch.float32 else ""
    return f"batch {case.batch}, n_in {case.n_in}, n_out {case.n_out}{kind}"


def _few(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def _reread(solution: ModuleType) -> str:
    file, text = solution.REREAD
    source = Path(str(solution.__file__)).parents[1] / file
    lines = source.read_text(encoding="utf-8").splitlines()
    number = next((n for n, line in enumerate(lines, start=1) if text in line), 1)
    return f"read again: {source.parent.name}/{file}:{number}"


# ---------------------------------------------------------------- what was raised


def explain(error: BaseException, file: str) -> Verdict:
    """One line for what the learner's code raised, with the line of `file` that it came from."""
    name, said = type(error).__name__, " ".join(str(error).split())
    said = said if len(said) <= 300 else f"{said[:299]}…"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = f" (line {lines[-1]})" if lines else ""
    if isinstance(error, NotImplementedError):
        return Verdict("not written", f"not written yet: {said or 'a body'}{where}")
    if isinstance(error, SystemExit):
        return Verdict("error", f"it calls sys.exit{where}: let it return instead")
    if isinstance(error, MemoryError) or re.search("can't allocate|not enough memory|bad_alloc", said):
        return Verdict("memory", f"it asks for more than {MEMORY >> 30} GiB of memory{where}")
    if isinstance(error, SyntaxError) and error.filename == file:
        text = f": {error.text.strip()}" if error.text else ""
        return Verdict("error", f"line {error.lineno} is not Python, {error.msg}{text}")
    if "inference" in said.lower() or "does not require grad" in said:
        return Verdict("not by hand", f"it asks autograd for the gradient{where}: write it by hand")
    if not lines and "NoneType" in said:
        return Verdict(
            "error", f"something that should return a tensor returns nothing; is a return missing? ({said})"
        )
    if not lines:
        kind = "" if isinstance(error, AssertionError) else f"{name}: "
        return Verdict("error", f"it does not fit the exercise: {kind}{said}")
    return Verdict("error", f"{name}{where}: {said}")


def _a(value: Any) -> str:
    return "None; is a return missing?" if value is None else f"of type {type(value).__name__}"
