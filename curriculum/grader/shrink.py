"""The smallest example: few and plain numbers with which a pair still fails, to be followed on paper.

hypothesis comes to the same numbers (a test compares). It takes seconds where this takes a tenth of one.
"""

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from curriculum.pair import Case, Pair

SIZES = sorted(itertools.product((1, 2, 3), repeat=3), key=math.prod)
DRAWS = 5  # of each pair and size
TRIES = 200  # in all
SECONDS = 2.0  # for all

# The plainest first. 0 comes last, where many a function has its kink, and twice, because some mistakes
# are at the kink alone.
VALUES = (1, -1, 2, -2, 3, -3, 0, 0)


@dataclass(frozen=True)
class Whole(Case):
    """A case of small whole numbers. `known` keeps what a side has asked for, by name and shape."""

    known: dict[tuple[str, tuple[int, ...]], Tensor] = field(default_factory=dict, compare=False)

    def tensor(self, name: str, *shape: int) -> Tensor:
        return self._whole_numbers(name, shape, VALUES)

    def upstream(self, name: str, shape: torch.Size) -> Tensor:
        return self._whole_numbers(name, shape, VALUES[:-2])

    def classes(self, name: str, count: int, n_classes: int) -> Tensor:
        key = (name, (count,))
        if key not in self.known:
            self.known[key] = super().classes(name, count, n_classes)
        return self.known[key].clone()

    def _whole_numbers(self, name: str, shape: tuple[int, ...], values: tuple[int, ...]) -> Tensor:
        key = (name, tuple(shape))
        if key not in self.known:
            chosen = torch.randint(len(values), shape, generator=self._generator(name))
            self.known[key] = torch.tensor(values, dtype=self.dtype)[chosen]
        return self.known[key].clone()  # a side may change its own


def smallest(pairs: list[Pair], fails: Callable[[Pair, Case], bool]) -> tuple[Pair, Case] | None:
    """The pair and the case of whole numbers that are easiest to follow, where `fails` holds for some."""
    end = time.monotonic() + SECONDS
    tries = itertools.islice(itertools.product(SIZES, pairs, range(DRAWS)), TRIES)
    for (batch, n_in, n_out), pair, seed in tries:
        case = Whole(batch, n_in, n_out, seed)
        if fails(pair, case):
            return pair, _plainest(pair, case, fails, end)
        if time.monotonic() > end:
            return None
    return None


def _plainest(pair: Pair, case: Whole, fails: Callable[[Pair, Case], bool], end: float) -> Whole:
    """One number after the other becomes the plainest one with which the pair still fails, until `end`."""
    for key, value in case.known.items():
        if not value.is_floating_point():
            continue
        for entry in range(value.numel()):
            for plainer in _with_plainer_numbers(case, key, entry):
                if time.monotonic() >= end:
                    return case
                if fails(pair, plainer):
                    case = plainer
                    break
    return case


def _with_plainer_numbers(case: Whole, key: tuple[str, tuple[int, ...]], entry: int) -> Iterator[Whole]:
    """The case with each number in the place of one entry that is plainer than what is there."""
    value = case.known[key]
    number = int(value.flatten()[entry])
    for plainer in VALUES[: VALUES.index(number)]:
        changed = value.clone()
        changed.view(-1)[entry] = plainer
        yield replace(case, known=case.known | {key: changed})
