"""What of many of a kind is tried by `make test`, and what by `make test-slow`."""

from collections.abc import Iterable
from typing import Any

import pytest


def fast(values: Iterable[Any], *chosen: Any) -> list[Any]:
    """Parameters for `pytest.mark.parametrize`: the chosen are among the fast tests, the others are slow.

    Raises:
        ValueError: one of the chosen is none of the values, so that it would be tried nowhere.
    """
    values = list(values)
    absent = [value for value in chosen if value not in values]
    if absent:
        raise ValueError(f"{absent} of {values}")
    return [value if value in chosen else pytest.param(value, marks=pytest.mark.slow) for value in values]
