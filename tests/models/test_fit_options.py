"""A short form of the campaign over the options of `fit`; `make torture` runs the whole."""

import inspect
import itertools
import os
from pathlib import Path

import lightning
import pytest

from tests.torture.fit_options import (
    OPTIONS,
    campaign,
    command_line,
    drawn,
    one_by_one,
    problem_with,
    stumble,
)

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the campaign copies its process")


def test_every_option_of_the_trainer_is_tried() -> None:
    there = set(inspect.signature(lightning.Trainer).parameters)
    assert {name.removeprefix("trainer.") for name in OPTIONS if name.startswith("trainer.")} >= there


def test_the_same_seed_draws_the_same_lines() -> None:
    assert list(drawn(5, 1)) == list(drawn(5, 1)) != list(drawn(5, 2))
    assert command_line({"test": "false"})[-1] == "--test=false"
    assert not any(word.startswith("--test=") for word in command_line({"test": "false"}, "predict"))


def test_what_is_left_behind_is_judged(tmp_path: Path) -> None:
    assert problem_with(tmp_path, 2, ["fit"]) == ""
    assert "0 runs" in problem_with(tmp_path, 0, ["fit"])
    (tmp_path / "config.yaml").touch()
    assert "refused, and left ['config.yaml']" in problem_with(tmp_path, 2, ["fit"])
    assert problem_with(tmp_path, 1, ["fit"]) == "exit code 1"
    assert "Python's words" in stumble("curriculum: int object is not iterable; see: curriculum fit --help")
    assert stumble("curriculum: trainer.max_steps is 0; expected 1 or more") == ""


@needs_fork
@pytest.mark.slow
def test_options_work_or_are_refused() -> None:
    """Every twentieth of those that are tried alone, and ten lines of several."""
    ends = campaign(itertools.chain(itertools.islice(one_by_one(), 0, None, 20), drawn(10, 1)))
    assert ends.wrong == []
    assert len(ends.worked) > 10
    assert len(ends.refused) > 5
