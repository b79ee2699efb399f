"""Right numbers are not enough: an answer may not use the solution, nor replace what it is held against."""

import importlib
import json
import re
import subprocess
import sys

import pytest

from curriculum.grader import child
from curriculum.grader.exercise import Exercise, exercises
from curriculum.grader.guard import Guard
from curriculum.grader.verdict import Verdict
from tests.support.foul import CHANGES, READS, REPLACES, ROOT, RUNS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")


def said_to(*names: str) -> dict[str, str]:
    """What the grader says to those of `FOUL`: a kind and a message each."""
    command = [sys.executable, "-m", "tests.support.foul", *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    verdicts: dict[str, str] = json.loads(done.stdout)
    return verdicts


WANTED = {
    **{
        f"reads {way}": r"not its own: it reads the solutions: write it yourself \(line \d+\)"
        for way in READS
    },
    **{
        f"runs {way}": "not its own: right numbers, but it runs the solution: write it yourself"
        for way in RUNS
    },
    **{
        f"changes {way}": "replaced: it agrees only with a torch that it has changed: leave torch as it is"
        for way in CHANGES
    },
    **{
        f"replaces {name}": f"replaced: it replaces {name}, by which it is graded: leave that as it is"
        for name in REPLACES
    },
    "hides": "replaced: it replaces curriculum.grader.judge.forbidden_names, by .*",
    "other name": "not by hand: right numbers, but it runs torch.nn or autograd: write it by hand",
    "out of sys.modules": "error: KeyError .*",
    "through inspect": "error: TypeError .*",
    "allclose": "pattern: it is 3 times torch's",
    "caught": "values: .*",
    "liar": "error: it does not fit the exercise: TypeError: output is of type Liar; expected a tensor",
    "right": "passed: passed",
    "right, with a check of its own": "passed: passed",
}
FEW = (
    "reads through a helper",
    "runs inherited",
    "changes a class",
    "replaces curriculum.pair.TOLERANCE",
    "other name",
    "right",
)


def test_who_reads_runs_or_replaces_does_not_pass() -> None:
    for name, said in said_to(*FEW).items():
        assert re.fullmatch(WANTED[name], said), name


@pytest.mark.slow
def test_every_way_is_seen_and_told() -> None:
    said = said_to()
    assert said.keys() == WANTED.keys()
    assert {name for name in said if not re.fullmatch(WANTED[name], said[name])} == set()


@pytest.mark.slow
@pytest.mark.parametrize("exercise", exercises(), ids=lambda exercise: exercise.id)
def test_no_right_answer_is_accused_and_each_solution_is_known(exercise: Exercise) -> None:
    solution = child.load(str(exercise.solution), f"solution_{exercise.path.stem}")
    guard = Guard(solution)
    planted = importlib.import_module(f"tests.planted.planted{exercise.id}")
    passed = Verdict("passed", "passed")
    assert all(guard.look(answer, passed).passed for answer in planted.RIGHT)
    assert guard.look(getattr(solution, solution.ANSWER), passed).kind == "not its own"
