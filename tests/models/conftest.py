"""What the tests of this wing share."""

from collections.abc import Iterator

import pytest
import torch

from curriculum import data


@pytest.fixture(scope="session", autouse=True)
def _digits_once() -> Iterator[None]:
    """Bringing the offline digits to 28×28 takes longer than most trainings here: once for each dtype."""
    made: dict[tuple[str, torch.dtype], data.Data] = {}
    make = data._digits

    def digits(why: str) -> data.Data:
        key = why, torch.get_default_dtype()
        if key not in made:
            made[key] = make(why)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "_digits", digits)
        yield
