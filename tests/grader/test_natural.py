"""Mistakes that learners make are named, and nobody is accused of another one."""

import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from curriculum.grader import child, repair
from curriculum.grader.verdict import Verdict
from tests.natural import FRESH, UNUSUAL, Slip, measured, right_answers, slips
from tests.support.speed import fast

IDS = sorted({slip.exercise.id for slip in slips()})


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a busy machine gives up looking for is found here."""
    monkeypatch.setattr(repair, "SECONDS", 60.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("natural")


def graded(slip: Slip, folder: Path) -> Verdict:
    name = "".join(letter if letter.isalnum() else "_" for letter in slip.name)
    file = folder / name / slip.exercise.path.name
    file.parent.mkdir(exist_ok=True)
    file.write_text(slip.text, encoding="utf-8")
    return child.grade(str(file), solution(slip))


@cache
def _solution(path: str) -> object:
    return child.load(path, f"solution_{Path(path).stem}")


def solution(slip: Slip):  # type: ignore[no-untyped-def]
    return _solution(str(slip.exercise.solution))


@pytest.mark.parametrize("slip", right_answers(), ids=lambda slip: slip.exercise.id)
def test_the_right_answers_pass(slip: Slip, folder: Path) -> None:
    found = graded(slip, folder)
    assert found.passed, found


@pytest.mark.parametrize("exercise", fast(IDS, "01a", "08a", "18a"))
def test_mistakes_are_named_as_what_they_are(exercise: str, folder: Path) -> None:
    """None passes and none gets a wrong name; nine of ten are named, the others are shown where they are."""
    counts: Counter[str] = Counter()
    for slip in _of(exercise):
        found = graded(slip, folder)
        how = slip.fared(found)
        assert how in ("named", "located"), (slip.name, found)
        counts[how] += 1
    assert counts["located"] <= 1 + counts.total() // 10, counts


def _of(exercise: str) -> Iterator[Slip]:
    return (slip for slip in slips() if slip.exercise.id == exercise)


# ---------------------------------------------------------------- written without a look at the grader


@pytest.mark.slow
@pytest.mark.parametrize("slip", right_answers(UNUSUAL), ids=lambda slip: f"{slip.exercise.id}-{slip.name}")
def test_unusual_right_answers_pass(slip: Slip, folder: Path) -> None:
    found = graded(slip, folder)
    assert found.passed, found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="without a warm process it takes twenty minutes")
def test_on_fresh_mistakes_it_is_as_good_as_contributing_says() -> None:
    """Named, located, nothing, false, passed: measured 170, 112, 8, 36 and 7 of 333. With room."""
    counts = Counter(how for _, how, _ in measured(FRESH))
    assert counts.total() == 333
    assert counts["named"] >= 160
    assert counts["named"] + counts["located"] >= 275
    assert counts["false"] <= 40
    assert counts["passed"] <= 7
