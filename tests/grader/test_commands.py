"""The commands for learners and teachers, in this process: what they print, write and exit with."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from curriculum.cli.main import app
from curriculum.grader import limits
from tests.support.double import MISTAKE, WRONG, answer

pytestmark = pytest.mark.usefixtures("here")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_learner_from_start_to_solution(house: Path) -> None:
    mine = house / "mine"
    done = run("start", mine)
    assert done.stdout == f"3 new files in {mine}; git ignores them. Open one, then: curriculum check\n"
    file = mine / "exercise01a_double.py"
    file.write_text(WRONG)

    done = run("check", "--dir", mine)
    assert done.exit_code == 1
    assert done.stdout.splitlines()[0] == f"01a Double, a: {MISTAKE}"
    assert "next: " not in done.stdout  # there is something to mend here
    assert run("hint", "01a", "--dir", mine).stdout == "hint 1 of 3: one\n"
    done = run("solution", "01a", "--dir", mine)
    assert "is not passed yet" in str(done.exception)

    file.write_text(answer())
    done = run("check", "01a", "--dir", mine)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == "01a Double, a: passed"
    assert "return 2 * grad_y" in run("solution", "01a", "--dir", mine).stdout
    states = [line.split()[-1] for line in run("exercises", "--dir", mine).stdout.splitlines()]
    assert states[-2:] == ["passed", "-"]

    done = run("reset", "01a", "--dir", mine)
    assert done.stdout == f"01a Double, a is as it was handed out; yours is {file}.bak-1\n"
    file.unlink()
    assert run("reset", "01a", "--dir", mine).stdout == "01a Double, a is as it was handed out\n"


def test_start_understands_an_exercise(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lessons say `curriculum start 01a`: that is no folder's name."""
    monkeypatch.chdir(house)
    done = run("start", "01a")
    assert done.stdout.splitlines() == [
        "3 new files in exercises; git ignores them.",
        f"open {Path('exercises') / 'exercise01a_double.py'}, then: curriculum check 01a",
    ]
    assert run("start", "01a").stdout.splitlines() == done.stdout.splitlines()[1:]
    assert not (house / "01a").exists()

    done = run("start", "1", "--dir", "mine")
    assert [line.rpartition("then: ")[2] for line in done.stdout.splitlines()[1:]] == [
        "curriculum check 01a --dir mine", "curriculum check 01b --dir mine",
    ]  # fmt: skip
    for unknown in ("77", "01z"):
        assert "there is no exercise" in str(run("start", unknown).exception)
        assert not (house / unknown).exists()


def test_check_for_other_programs(mine: Path) -> None:
    (mine / "exercise01a_double.py").write_text(answer())
    done = run("check", "1", "--json", "--junit", mine / "junit.xml", "--dir", mine)
    assert done.exit_code == 1
    assert [(row["exercise"], row["kind"]) for row in json.loads(done.stdout)] == [
        ("01a", "passed"), ("01b", "not begun"),
    ]  # fmt: skip
    assert ElementTree.parse(mine / "junit.xml").getroot().get("failures") == "1"


def test_grade_for_teachers(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = mine / "class" / "ada"
    learner.mkdir(parents=True)
    (learner / "exercise01a_double.py").write_text(WRONG)
    done = run("grade", mine / "class", "--junit", mine / "junit.xml", "--csv", mine / "marks.csv")
    assert done.exit_code == 0
    assert (mine / "marks.csv").read_text(encoding="utf-8-sig") == "learner,01a,passed,remarks\nada,0,0,\n"
    early = run("grade", mine / "class", "--csv", mine / "nowhere" / "marks.csv")
    assert str(early.exception).startswith(f"there is no folder {mine / 'nowhere'} for marks.csv; make it")
    assert done.stdout.splitlines()[1].split() == ["ada", "✗", "0"]
    assert done.stdout.splitlines()[-1] == "1 × 01a: activation derivative missing"
    assert ElementTree.parse(mine / "junit.xml").getroot().get("failures") == "1"
    (row,) = json.loads(run("grade", mine / "class", "--json").stdout)
    assert (row["learner"], row["bug"]) == ("ada", "activation derivative missing")
    monkeypatch.setattr(limits, "not_guarded", lambda: "nothing is bounded")
    assert "on this system nothing is bounded" in run("grade", mine / "class").stderr
