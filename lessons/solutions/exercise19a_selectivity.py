"""Solution of exercise 19a."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from curriculum.pair import Case, Pair, Results

ANSWER = "selectivity"
REREAD = ("lesson19_inside.py", "def units_and_their_digits")
HINTS = (
    "First the mean answers: a row per class, a column per unit. Which rows of h belong to class 3?",
    "h[target == digit].mean(0) is one row. With all rows stacked, the largest is amax(0). The mean of the "
    "others is (the sum − the largest) / (classes − 1).",
    "A unit that never answers gives 0 / 0. Divide by (a + b).clamp(min=1e-9).",
)
AFTER = (
    "An index of means says how much a unit leans to a class, not what it is for.",
    "Shuffle the labels and measure again: so much is chance.",
)


def selectivity(h: Tensor, target: Tensor, classes: int) -> Tensor:
    means = torch.stack(
        [h[target == digit].mean(0) for digit in range(classes)]
    )  # (classes, units)
    largest = means.amax(0)
    others = (means.sum(0) - largest) / (classes - 1)
    return (largest - others) / (largest + others).clamp(min=1e-9)


def pairs(answer: Callable[..., Any]) -> list[Pair]:
    def ours(case: Case) -> Results:
        return {"selectivity": answer(*_asked(case))}

    def torchs(case: Case) -> Results:
        h, target, classes = _asked(case)
        rows = target[:, None].expand_as(h)
        empty = torch.zeros(classes, h.shape[1], dtype=h.dtype)
        means = empty.scatter_reduce(0, rows, h, "mean", include_self=False)
        ordered = means.sort(0, descending=True).values
        largest, others = ordered[0], ordered[1:].mean(0)
        return {
            "selectivity": torch.nan_to_num((largest - others) / (largest + others))
        }

    return [Pair("selectivity", ours, torchs)]


def _asked(case: Case) -> tuple[Tensor, Tensor, int]:
    """Answers of n_in units, the last of them silent, to pictures of n_out + 1 classes, some more often."""
    classes = case.n_out + 1
    extra = case.classes("extra", case.batch, classes)
    target = torch.cat([torch.arange(classes), extra])
    h = case.tensor("h", len(target), case.n_in).clamp(min=0)
    return (
        torch.cat([h, torch.zeros(len(target), 1, dtype=h.dtype)], 1),
        target,
        classes,
    )


def _mean(rows: Tensor) -> Tensor:
    return rows.mean(0)


def _others(means: Tensor, largest: Tensor) -> Tensor:
    return (means.sum(0) - largest) / (len(means) - 1)


def _index(a: Tensor, b: Tensor) -> Tensor:
    return (a - b) / (a + b).clamp(min=1e-9)


def _with(
    mean: Callable[[Tensor], Tensor] = _mean,
    others: Callable[[Tensor, Tensor], Tensor] = _others,
    index: Callable[[Tensor, Tensor], Tensor] = _index,
) -> Callable[..., Tensor]:
    """The index with another mean of a class, of the others, or another formula."""

    def changed(h: Tensor, target: Tensor, classes: int) -> Tensor:
        means = torch.stack([mean(h[target == digit]) for digit in range(classes)])
        largest = means.amax(0)
        return index(largest, others(means, largest))

    return changed


MISTAKES = {
    "the largest counted among the others": _with(
        others=lambda means, largest: means.mean(0)
    ),
    "sum in place of the mean of a class": _with(mean=lambda rows: rows.sum(0)),
    "largest answer in place of the mean": _with(mean=lambda rows: rows.amax(0)),
    "divided by the largest alone": _with(
        index=lambda a, b: (a - b) / a.clamp(min=1e-9)
    ),
    "silent units are not a number": _with(index=lambda a, b: (a - b) / (a + b)),
    "divided by classes in place of classes − 1": _with(
        others=lambda means, largest: (means.sum(0) - largest) / len(means)
    ),
}
