"""Trials: each pair of an exercise on each case, the answer beside torch, whatever the answer raises."""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import TOLERANCE, Case, Difference, Pair, Results, differences

CASES = (
    Case(),
    Case(batch=1),
    Case(batch=7, n_in=3, n_out=5, seed=1),
    Case(dtype=torch.float32),
)


@dataclass(frozen=True)
class Outcome:
    """What one side gave: named results, or what it raised. `inputs` names those that were only read."""

    results: Results = field(default_factory=dict)
    error: Exception | None = None
    inputs: frozenset[str] = frozenset()

    def same_as(self, other: "Outcome") -> bool:
        """Whether both gave the same numbers, or raised the same."""
        if self.error or other.error:
            return _error_in_words(self) == _error_in_words(other)
        if self.results.keys() != other.results.keys():
            return False
        return all(nearly_equal(value, other.results[name]) for name, value in self.results.items())


@dataclass(frozen=True)
class Trial:
    """One pair on one case: what the answer gave, and what torch gave."""

    pair: Pair
    case: Case
    got: Outcome
    wanted: Outcome
    _of_kinds: dict[type[Case], Results] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def problems(self) -> list[Difference]:
        found = differences(self.got.results, self.wanted.results)
        return [difference for difference in found if difference.problem]

    @property
    def failed(self) -> bool:
        return bool(self.got.error or self.problems)

    def torch_given(self, kind: type[Case]) -> Results:
        """torch's results on a case of that kind and of the same sizes. They are computed once."""
        if kind not in self._of_kinds:
            self._of_kinds[kind] = run_side(self.pair.run_torch, kind(**vars(self.case))).results
        return self._of_kinds[kind]


def run_side(side: Callable[[Case], Results], case: Case) -> Outcome:
    """`side` is `run_scratch` or `run_torch` of a pair. What it raises is part of the outcome."""
    torch.default_generator.manual_seed(0)  # faster than torch.manual_seed, which looks for every device
    try:
        results = side(case)
        for name, value in results.items():
            if type(value) not in (Tensor, nn.Parameter):  # a kind of its own could say that it equals all
                raise TypeError(f"{name} is {_type_in_words(value)}; expected a tensor")
        inputs = {name for name in ("x", "prediction") if name in results and results[name].requires_grad}
        kept = {name: value.detach().clone() for name, value in results.items()}
    except Exception as error:
        return Outcome(error=error)
    return Outcome(kept, inputs=frozenset(inputs))


def try_out(pairs: list[Pair], cases: Iterable[Case]) -> Iterator[Trial]:
    """Each pair on each case, but for those that torch itself refuses."""
    for pair, case in itertools.product(pairs, cases):
        wanted = run_side(pair.run_torch, case)
        if not wanted.error:
            yield Trial(pair, case, run_side(pair.run_scratch, case), wanted)


def nearly_equal(one: Tensor, other: Tensor) -> bool:
    """The same shape, dtype and numbers. Infinite or undefined ones have to be so on both sides.

    Another order of the same sums is no other mistake: this is looser than the comparison with torch.
    """
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    finite = one.isfinite()
    if not torch.equal(finite, other.isfinite()):
        return False
    rtol, atol = (1e-6, 1e-9) if one.dtype != torch.float32 else TOLERANCE[torch.float32]
    return torch.allclose(one[finite].double(), other[finite].double(), rtol=rtol, atol=atol)


def _error_in_words(outcome: Outcome) -> tuple[type, str]:
    """Sizes in the message may differ, the words may not."""
    return type(outcome.error), re.sub(r"\d+", "", str(outcome.error))


def _type_in_words(value: Any) -> str:
    return "None; is a return missing?" if value is None else f"of type {type(value).__name__}"
