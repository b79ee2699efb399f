"""A class is graded, and other programs can read the verdicts."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from curriculum import UserError
from curriculum.grader.classroom import class_mistakes, class_remarks, class_table, grade_class, write_marks
from curriculum.grader.exercise import select_one
from curriculum.grader.junit import write_junit
from curriculum.grader.notebook import start
from curriculum.grader.verdict import Grade, Verdict
from tests.support.double import STUB, WRONG, answer


@pytest.mark.usefixtures("here")
def test_a_class_is_graded(house: Path) -> None:
    """One row per learner; files lie anywhere in a learner's folder; the mistakes are counted."""
    for learner, letter, text in (("ada", "a", answer()), ("ada", "b", WRONG), ("bob", "a", WRONG)):
        (house / "class" / learner / "deep").mkdir(parents=True, exist_ok=True)
        (house / "class" / learner / "deep" / f"exercise01{letter}_double.py").write_text(text)
    (house / "class" / "ada" / "deep" / "older").mkdir()  # of several files, the one that lies least deep
    (house / "class" / "ada" / "deep" / "older" / "exercise01a_double.py").write_text(WRONG)
    (house / "class" / "eve").mkdir()
    (house / "class" / "eve" / "exercise01a_double.py").write_text(STUB.format(letter="a"))
    grades = list(grade_class(house / "class"))
    console = Console(width=80)
    with console.capture() as capture:
        console.print(class_table(grades))
    rows = [line.split() for line in capture.get().splitlines()]
    assert rows == [
        ["learner", "01a", "01b", "passed"],
        ["ada", "✓", "✗", "1"],
        ["bob", "✗", "0"],
        ["eve", "·", "0"],
    ]
    assert class_mistakes(grades) == [
        "1 × 01b: activation derivative missing", "1 × 01a: activation derivative missing",
    ]  # fmt: skip
    assert grades[0].row()["learner"] == "ada"
    with pytest.raises(UserError, match="expected one folder per learner"):
        list(grade_class(house / "nowhere"))


@pytest.mark.usefixtures("here")
def test_who_has_handed_in_nothing_that_can_be_graded_is_in_every_list(house: Path) -> None:
    handed_in = {
        "ada/exercise01a_double (1).py": answer(),
        "ada/exercise01b_double.py": WRONG,
        "bob/exercise01a_double.py.txt": answer(),
        "=HYPERLINK(1) [b]/notes.docx": "",
    }
    for name, text in handed_in.items():
        (house / "class" / name).parent.mkdir(parents=True, exist_ok=True)
        (house / "class" / name).write_text(text)
    (house / "class" / "Eve Müller").mkdir()
    grades = list(grade_class(house / "class"))
    console = Console(width=80)
    with console.capture() as capture:
        console.print(class_table(grades))
    assert [line.split() for line in capture.get().splitlines()] == [
        ["learner", "01a", "01b", "passed"],
        ["=HYPERLINK(1)", "[b]", "0"],
        ["Eve", "Müller", "0"],
        ["ada", "✓", "✗", "1"],
        ["bob", "?", "0"],
    ]
    nothing = "nothing was handed in, the folder is empty"
    assert class_remarks(grades) == [
        "=HYPERLINK(1) [b]: no exercise's name: notes.docx",
        f"Eve Müller: {nothing}",
        "ada: 01a, graded exercise01a_double (1).py",
        "bob: 01a, no .py file and no notebook: exercise01a_double.py.txt",
    ]
    write_marks(grades, house / "marks.csv")
    assert (house / "marks.csv").read_bytes().startswith("\ufefflearner,01a".encode())
    with (house / "marks.csv").open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [
            ["learner", "01a", "01b", "passed", "remarks"],
            ["'=HYPERLINK(1) [b]", "", "", "0", "no exercise's name: notes.docx"],
            ["Eve Müller", "", "", "0", nothing],
            ["ada", "1", "0", "1", "01a, graded exercise01a_double (1).py"],
            ["bob", "", "", "0", "01a, no .py file and no notebook: exercise01a_double.py.txt"],
        ]
    rows = {(row["learner"], row["exercise"]): row for row in (grade.row() for grade in grades)}
    assert rows["ada", "01a"]["file"] == "ada/exercise01a_double (1).py"
    assert rows["Eve Müller", ""]["message"] == nothing
    write_junit(grades, house / "junit.xml")
    suite = ElementTree.parse(house / "junit.xml").getroot()
    assert {case.get("classname") for case in suite} == {grade.learner for grade in grades}
    with pytest.raises(UserError, match="choose another --csv FILE"):
        write_marks(grades, house / "nowhere" / "marks.csv")


def test_the_most_frequent_mistake_is_told_first(house: Path) -> None:
    """Not the first that was met; what has no name is not counted."""
    exercise = select_one("01a")
    bugs = ["sign", "factor", "factor", ""]
    grades = [Grade(exercise, Verdict("mistake", "it looks like …", bug=bug)) for bug in bugs]
    assert class_mistakes(grades) == ["2 × 01a: factor", "1 × 01a: sign"]


def test_the_rows_are_json_and_the_junit_file_is_xml(house: Path) -> None:
    exercise = select_one("01a")
    good = Grade(exercise, Verdict("passed", "passed"))
    wrong = Verdict("values", "<&> \x07 differ", details=("more",), printed="printed \x00 \x1b[31m ü")
    bad = Grade(exercise, wrong, "ada")
    assert json.loads(json.dumps([good.row(), bad.row()]))[1]["printed"] == bad.verdict.printed
    write_junit([good, bad], house / "junit.xml")
    suite = ElementTree.parse(house / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    cases = suite.findall("testcase")
    assert [case.get("classname") for case in cases] == ["exercises", "ada"]
    assert cases[0].find("failure") is None
    failure = cases[1].find("failure")
    assert failure is not None
    assert failure.get("message") == "01a Double, a: <&> ? differ"
    assert failure.text is not None
    assert failure.text.splitlines()[-1] == "  | printed \\x00 \\x1b[31m ü"
    with pytest.raises(UserError, match="choose another --junit FILE"):
        write_junit([good], house / "nowhere" / "junit.xml")


def notebook(*cells: str) -> str:
    return json.dumps({"cells": [{"cell_type": "code", "source": cell.splitlines(True)} for cell in cells]})


@pytest.mark.usefixtures("here")
def test_notebooks_are_graded_as_files_are(house: Path) -> None:
    """The newest cell that defines the class; what is no answer is told, and costs nobody else."""
    as_handed_out = start(house / "mine")[0]
    handed_in = {
        "ada": notebook(WRONG, "%matplotlib inline\n" + answer(), "Double().forward(1)"),
        "bob": notebook("1 + 1"),
        "cyd": "no notebook",
        "dan": as_handed_out.read_text(),
    }
    for name, text in handed_in.items():
        (house / "class" / name).mkdir(parents=True)
        (house / "class" / name / "exercise01a_double.ipynb").write_text(text)
    ada, bob, cyd, dan = grade_class(house / "class")
    assert (ada.verdict.kind, ada.file, ada.note) == ("passed", "ada/exercise01a_double.ipynb", "")
    assert bob.verdict.kind == cyd.verdict.kind == "not graded"
    assert "no cell defines Double, which 01a Double, a asks for" in bob.verdict.message
    assert (
        cyd.verdict.message
        == "exercise01a_double.ipynb is no notebook that can be read; save it again as .ipynb"
    )
    assert dan.verdict.kind == "not begun"
