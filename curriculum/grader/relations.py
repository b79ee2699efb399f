"""Relations: what the numbers of an answer have to do with torch's, wherever the two differ.

Each relation says what the answer would have given if it were the mistake: the opposite sign, torch's numbers
for the last example alone. The one that holds for every result that differs is told.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from curriculum.grader.trials import Trial, nearly_equal
from curriculum.pair import Case, Difference


@dataclass(frozen=True)
class Wrong:
    """One result that differs."""

    trial: Trial
    name: str

    @property
    def got(self) -> Tensor:
        """What the answer gave, of any shape."""
        return self.trial.got.results[self.name]

    @property
    def wanted(self) -> Tensor:
        """What torch gave."""
        return self.trial.wanted.results[self.name]

    @property
    def batch(self) -> int:
        return self.trial.case.batch


@dataclass(frozen=True)
class Relation:
    """`would_be` gives what the answer's result would be, or None where there is no such thing."""

    words: str
    would_be: Callable[[Wrong], Tensor | None]
    by_batch_size: bool = False


def pattern(failed: list[Trial]) -> str:
    """What all differing results have in common, in words; empty where nothing explains all of them."""
    problems = [(trial, problem) for trial in failed for problem in trial.problems]
    changed = _changed_input(problems)
    if changed:
        return f"input changed in place: {changed} is another one after the call"
    if all(problem.problem.startswith("dtype") for _, problem in problems):
        first = problems[0][1]
        return f"dtype lost: {first.name} has {first.problem}"
    if any(problem.problem.startswith("missing") for _, problem in problems):
        return ""
    wrongs = [Wrong(trial, problem.name) for trial, problem in problems]
    return _relation(wrongs) or _factor(wrongs)


def _changed_input(problems: list[tuple[Trial, Difference]]) -> str:
    """The name of an input that is another one after the call."""
    changed = {problem.name for trial, problem in problems if problem.name in trial.wanted.inputs}
    return min(changed, default="")


def _relation(wrongs: list[Wrong]) -> str:
    one_batch_size = len({wrong.batch for wrong in wrongs}) == 1
    for relation in RELATIONS:
        if relation.by_batch_size and one_batch_size:
            continue  # it could as well be that number itself
        if all(_holds(relation, wrong) for wrong in wrongs):
            return relation.words
    return ""


def _holds(relation: Relation, wrong: Wrong) -> bool:
    result = relation.would_be(wrong)
    if result is None or nearly_equal(result, wrong.wanted):
        return False  # where it makes no difference, it explains none
    return nearly_equal(wrong.got, result)


def _factor(wrongs: list[Wrong]) -> str:
    got = wrongs[0].got
    wanted = wrongs[0].wanted
    if got.shape != wanted.shape or not wanted.numel():
        return ""
    if sum(wrong.wanted.numel() for wrong in wrongs) <= 4:
        return ""  # one number is always a multiple of another
    largest = wanted.abs().argmax()
    factor = (got.flatten()[largest] / wanted.flatten()[largest]).item()
    if not math.isfinite(factor) or math.isclose(factor, 1, rel_tol=1e-4):
        return ""
    if not all(nearly_equal(wrong.got, wrong.wanted * factor) for wrong in wrongs):
        return ""
    return f"it is {factor:.4g} times torch's"


# ---------------------------------------------------------------- what the result would be


def opposite(wrong: Wrong) -> Tensor | None:
    return None if wrong.wanted.dtype == torch.bool else -wrong.wanted


def times_batch_size(wrong: Wrong) -> Tensor:
    return wrong.wanted * wrong.batch


def divided_by_batch_size(wrong: Wrong) -> Tensor:
    return wrong.wanted / wrong.batch


def transposed(wrong: Wrong) -> Tensor | None:
    return wrong.wanted.T if wrong.wanted.dim() == 2 else None


def zero(wrong: Wrong) -> Tensor:
    return torch.zeros_like(wrong.wanted)


class UpstreamOfOnes(Case):
    def upstream(self, name: str, shape: torch.Size) -> Tensor:
        return torch.ones_like(super().upstream(name, shape))


class FirstExample(Case):
    """The upstream gradient of all other examples is 0."""

    def upstream(self, name: str, shape: torch.Size) -> Tensor:
        upstream = super().upstream(name, shape)
        upstream[1:] = 0
        return upstream


class LastExample(Case):
    """The upstream gradient of all other examples is 0."""

    def upstream(self, name: str, shape: torch.Size) -> Tensor:
        upstream = super().upstream(name, shape)
        upstream[:-1] = 0
        return upstream


class StepBefore(Case):
    """What a layer pair gives its layer in the first of two steps."""

    def tensor(self, name: str, *shape: int) -> Tensor:
        return super().tensor("x_before" if name == "x" else name, *shape)

    def upstream(self, name: str, shape: torch.Size) -> Tensor:
        return super().upstream("grad_output_before" if name == "grad_output" else name, shape)


def for_upstream_of_ones(wrong: Wrong) -> Tensor | None:
    return wrong.trial.torch_given(UpstreamOfOnes).get(wrong.name)


def for_first_example(wrong: Wrong) -> Tensor | None:
    return wrong.trial.torch_given(FirstExample).get(wrong.name)


def for_last_example(wrong: Wrong) -> Tensor | None:
    return wrong.trial.torch_given(LastExample).get(wrong.name)


def with_step_before(wrong: Wrong) -> Tensor | None:
    before = wrong.trial.torch_given(StepBefore).get(wrong.name)
    return None if before is None else before + wrong.wanted


# The first that holds is told.
RELATIONS = (
    Relation("sign: it is torch's with the opposite sign", opposite),
    Relation("mean forgotten: it is torch's times the batch size", times_batch_size, by_batch_size=True),
    Relation(
        "mean taken twice: it is torch's divided by the batch size",
        divided_by_batch_size,
        by_batch_size=True,
    ),
    Relation("transposed: it is torch's with rows and columns exchanged", transposed),
    Relation(
        "upstream gradient ignored: it is torch's for an incoming gradient of ones", for_upstream_of_ones
    ),
    Relation("gradient not accumulated: it is torch's for the first example alone", for_first_example),
    Relation("gradient not accumulated: it is torch's for the last example alone", for_last_example),
    Relation("gradient not reset: that of the step before is still in it", with_step_before),
    Relation("it is zero everywhere", zero),
)
