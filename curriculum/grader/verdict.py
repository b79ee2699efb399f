"""How an answer fared, and how that is told. Nothing here imports torch."""

import textwrap
from dataclasses import asdict, dataclass
from typing import Any

from curriculum.grader.exercise import Exercise

LINES_SHOWN = 20  # of what the learner's code printed, the last ones
WIDTH = 80


class SolutionsClosedError(Exception):
    """An answer reached for the solutions."""


@dataclass(frozen=True)
class Verdict:
    """How an answer fared. `bug` is the mistake's name, where it is one of the solution's list."""

    kind: str  # passed, mistake, pattern, values, not written, not by hand, error, memory, time, died, …
    message: str
    bug: str = ""
    details: tuple[str, ...] = ()
    printed: str = ""

    @property
    def passed(self) -> bool:
        return self.kind == "passed"

    @property
    def was_tried(self) -> bool:
        """Whether there was anything to grade."""
        return self.kind not in ("missing", "not begun")


@dataclass(frozen=True)
class Grade:
    """One verdict, on one exercise of one learner.

    Attributes:
        exercise: None where a class has handed in what is meant for none.
        file: what was graded, inside the folder of the class.
        note: what a teacher should know of the file.
    """

    exercise: Exercise | None
    verdict: Verdict
    learner: str = ""
    file: str = ""
    note: str = ""

    @property
    def id(self) -> str:
        return self.exercise.id if self.exercise else ""

    @property
    def name(self) -> str:
        return str(self.exercise or "no exercise")

    @property
    def headline(self) -> str:
        return f"{self.name}: {self.verdict.message}"

    def lines(self) -> list[str]:
        """What there is to read: the verdict, what supports it, and what the learner's code printed."""
        said = _wrapped(self.headline)
        for detail in self.verdict.details:
            said += _wrapped(f"  {detail}") if detail else []
        printed = self.verdict.printed.splitlines()[-LINES_SHOWN:]
        if printed:
            said.append("  it printed:")
        said += [f"  | {line}" for line in printed]
        return [as_text(line) for line in said]

    def row(self) -> dict[str, Any]:
        """The same for `--json`."""
        about = {"learner": self.learner, "file": self.file, "note": self.note} if self.learner else {}
        about |= {"exercise": self.id, "title": self.exercise.title if self.exercise else ""}
        return {**about, "passed": self.verdict.passed, **asdict(self.verdict)}


def as_text(said: str) -> str:
    """What a learner's code or file name says, without codes that a terminal would obey."""
    return "".join(
        letter if letter.isprintable() or letter == "\t" else repr(letter)[1:-1] for letter in said
    )


def _wrapped(line: str) -> list[str]:
    """The line in rows of at most `WIDTH`, where words allow it."""
    return textwrap.wrap(
        line, WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
