"""What is wrong with an answer, from watching it beside the solution: facts, then the law of an update."""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from curriculum.grader.facts import Fact, facts
from curriculum.grader.laws import difference
from curriculum.grader.watch import Run, record


@dataclass
class Diagnosis:
    """One answer and the solution, both under watch on the same cases."""

    mine: list[Run]
    ours: list[Run]
    facts: list[Fact]

    @property
    def cause(self) -> Fact | None:
        """What explains wrong numbers better than any list."""
        return next((fact for fact in self.facts if fact.breaks or fact.is_cause), None)

    @property
    def breaking(self) -> Fact | None:
        """What fails the answer even where its numbers are right."""
        return next((fact for fact in self.facts if fact.breaks), None)

    def explanation(self) -> Fact | None:
        """The first fact; where there is none, what the update does differently."""
        if self.facts:
            return self.facts[0]
        found = difference(self.mine, self.ours)
        return Fact(*found) if found else None


def diagnose(answer: Any, solution: ModuleType) -> Diagnosis:
    """Watch both."""
    mine = record(solution, answer)
    ours = record(solution, getattr(solution, solution.ANSWER))
    return Diagnosis(mine, ours, facts(mine, ours, _asked(solution)))


def _asked(solution: ModuleType) -> str:
    """What the exercise says."""
    path = Path(str(solution.__file__))
    stub = path.parents[1] / "exercises" / path.name
    return stub.read_text(encoding="utf-8") if stub.is_file() else ""
