"""The verdicts as JUnit XML, which continuous integration and learning platforms read."""

import re
from pathlib import Path
from xml.etree import ElementTree

from curriculum import UserError
from curriculum.grader.verdict import Grade


def write_junit(grades: list[Grade], path: Path) -> None:
    """One test case per grade; its failure tells what the grade's lines tell.

    Raises:
        UserError: The file cannot be written.
    """
    failures = sum(not grade.verdict.passed for grade in grades)
    suite = ElementTree.Element("testsuite", name="exercises", tests=str(len(grades)), failures=str(failures))
    for grade in grades:
        case = ElementTree.SubElement(
            suite, "testcase", classname=grade.learner or "exercises", name=grade.name
        )
        if not grade.verdict.passed:
            failure = ElementTree.SubElement(case, "failure", message=_printable(grade.headline))
            failure.text = _printable("\n".join(grade.lines()))
    try:
        ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise UserError(f"cannot write {path} ({error.strerror}); choose another --junit FILE") from error


def _printable(text: str) -> str:
    """XML has no place for control characters, which a learner's code may well print."""
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd]", "?", text)
