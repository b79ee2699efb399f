"""One browser for all tests of a file."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.playground import browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started
