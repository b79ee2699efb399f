"""Mistakes as learners make them, written from the stubs alone, each with the words that would help.

A file per exercise. After `=== right` comes an answer that passes, made from the stub: the lines after
`@name` take the place of its `raise NotImplementedError("write name")`. After every other `===` comes one
mistake: lines of that answer that begin with `-`, in a row, become those that begin with `+`; `says:` is what
has to be said.

The grader was made better on the files of this folder. Those in `fresh/` were written afterwards, without a
look at it: `python -m tests.natural` measures how it fares on them. Those in `right/` are unusual right
answers, each after a line `=== right: NAME`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from curriculum.grader.exercise import Exercise, select_one
from curriculum.grader.process import Children
from curriculum.grader.verdict import Verdict

FOLDER = Path(__file__).parent
FRESH = FOLDER / "fresh"
UNUSUAL = FOLDER / "right"
NAMING = ("mistake", "pattern", "diagnosis")  # the kinds of verdict that say what the mistake is


@dataclass(frozen=True)
class Slip:
    """One wrong answer. `says`: what the verdict's words have to match to name it."""

    exercise: Exercise
    name: str
    text: str
    says: str

    def fared(self, verdict: Verdict) -> str:
        """named, located, nothing, false (it accuses of something else) or passed."""
        if verdict.passed:
            return "passed"
        if verdict.kind == "values":
            return "located"
        if re.search(self.says, verdict.message, re.IGNORECASE):
            return "named"
        return "false" if verdict.kind in NAMING else "nothing"


def slips(folder: Path = FOLDER) -> list[Slip]:
    """All of them."""
    return [slip for path in sorted(folder.glob("*.txt")) for slip in _of(path) if slip.says]


def measured(folder: Path) -> Iterator[tuple[Slip, str, Verdict]]:
    """How the grader fares on each, as a learner meets it: one after the other, by one warm process."""
    with TemporaryDirectory() as made, Children(warm=True) as children:
        for slip in slips(folder):
            file = Path(made) / slip.exercise.path.name
            file.write_text(slip.text, encoding="utf-8")
            verdict = children.grade(slip.exercise, file, seconds=30, more=True)
            yield slip, slip.fared(verdict), verdict


def right_answers(folder: Path = FOLDER) -> list[Slip]:
    """The answers that they were made from."""
    return [slip for path in sorted(folder.glob("*.txt")) for slip in _of(path) if not slip.says]


def _of(path: Path) -> Iterator[Slip]:
    exercise = select_one(path.stem)
    parts = re.split(r"^=== (.*)\n", path.read_text(encoding="utf-8"), flags=re.M)[1:]
    right = ""
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name == "right" or name.startswith("right: "):
            right = exercise.path.read_text(encoding="utf-8")
            for written in re.finditer(r"^@(\w+)\n((?: +.*\n)+)", body, re.M):
                right = _written(right, written[1], written[2])
            right = _edited(right, body)
            yield Slip(exercise, name, right, "")
        else:
            says = re.search(r"^says: (.*)$", body, re.M)
            assert says, f"{path.name}: {name} has no says:"
            yield Slip(exercise, name, _edited(right, body), says[1])


def _written(text: str, name: str, body: str) -> str:
    """`body` in the place of what is not written yet."""
    found = re.search(rf'^( *)raise NotImplementedError\("write {name}"\)\n', text, re.M)
    assert found, f"nothing is to be written as {name}"
    return text.replace(found[0], _indented(body.splitlines(), found[1]), 1)


def _edited(text: str, body: str) -> str:
    for edit in re.finditer(r"((?:^- .*\n)+)((?:^\+ .*\n)+)", body, re.M):
        old = [line[2:] for line in edit[1].splitlines()]
        new = [line[2:] for line in edit[2].splitlines()]
        pattern = r"^( *)" + r"\n *".join(re.escape(line.strip()) for line in old) + "$"
        found = re.search(pattern, text, re.M)
        assert found, f"no such lines: {old}"
        margin = found[1][: len(found[1]) - (len(old[0]) - len(old[0].lstrip()))]
        written = "\n".join(margin + line for line in new)
        text = text[: found.start()] + written + text[found.end() :]
    return text


def _indented(lines: list[str], by: str) -> str:
    least = min(len(line) - len(line.lstrip()) for line in lines)
    return "".join(f"{by}{line[least:]}\n" for line in lines)
