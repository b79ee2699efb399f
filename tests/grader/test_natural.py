"""Mistakes that learners make are named, and nobody is accused of another one."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from curriculum.grader import child, repair
from curriculum.grader.verdict import Verdict
from tests.natural import Slip, right_answers, slips
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
