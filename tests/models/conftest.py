"""What the tests of this wing share."""

from collections.abc import Iterator

import pytest
import torch

from curriculum import data

MADE: dict[tuple[str, torch.dtype], data.Data] = {}


@pytest.fixture(scope="module", autouse=True)
def _digits_once() -> Iterator[None]:
    """Bringing the offline digits to 28×28 takes longer than most trainings here: once for each dtype.

    Tests of other rooms make their own: these may come from inference mode, where autograd is off.
    """
    make = data._digits

    def digits(why: str) -> data.Data:
        key = why, torch.get_default_dtype()
        if key not in MADE:
            MADE[key] = make(why)
        return MADE[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "_digits", digits)
        yield
