"""Exercises whose answer is numbers found on paper: `predictions()` gives each a name."""

from collections.abc import Callable

import torch

from curriculum.pair import Case, Pair, Results

Predictions = Callable[[], dict[str, float]]


def predicted(name: str, answer: Predictions, measured: Callable[[Case], Results]) -> Pair:
    """The numbers of `answer` beside those that are `measured`; a `...` is a number not yet written."""

    def told(case: Case) -> Results:
        numbers = answer()
        for what, value in numbers.items():
            if value is ...:
                raise NotImplementedError(f"{what} is still missing")
        return {what: torch.tensor(float(value)) for what, value in numbers.items()}

    return Pair(name, told, measured)


def otherwise(right: Predictions, changed: dict[str, float]) -> Predictions:
    """The right numbers, but for those that are changed: what one mistake would give.

    Raises:
        KeyError: a changed number has no such name.
    """

    unknown = changed.keys() - right().keys()
    if unknown:
        raise KeyError(f"no number is called {min(unknown)}")

    def numbers() -> dict[str, float]:
        return right() | changed

    return numbers
