"""The house: arrows point one way, and the README tells the truth about the lessons."""

import ast
import re
from pathlib import Path

import pytest

from curriculum.discover import Lesson, lessons

ROOT = Path(__file__).parents[1]
ROOMS = ("curriculum", "lessons", "models", "tests")


def imports(path: Path) -> set[str]:
    """The first part of every imported name."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return {
        name.split(".")[0]
        for name in plain | {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}
    }


@pytest.mark.parametrize(
    "path",
    sorted(path for room in ROOMS for path in ROOT.glob(f"{room}/*.py")),
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_imports_point_one_way(path: Path) -> None:
    room = ROOMS.index(path.parent.name)
    later = set(ROOMS[room + 1 :])
    if path.name == "cli.py":
        later -= {"models"}  # the one door: the command line starts the main job
    assert not imports(path) & later


def test_the_machinery_knows_no_lesson_by_name() -> None:
    for path in (ROOT / "curriculum").glob("*.py"):
        assert not re.search(r"lesson\d\d", path.read_text(encoding="utf-8")), path.name


def test_the_readme_lists_the_lessons() -> None:
    """One row per lesson, in order: number, title, minutes, a link to the file."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d\d) \| \[(.+?)\]\((.+?)\) \| .+ \| (\d+) \|$", text, flags=re.M)
    assert rows == [_row(lesson) for lesson in lessons()]


def _row(lesson: Lesson) -> tuple[str, ...]:
    return f"{lesson.number:02}", lesson.title, f"lessons/{lesson.path.name}", str(lesson.minutes)


def test_links_in_the_documents_lead_somewhere() -> None:
    for document in (*ROOT.glob("*.md"), *ROOT.glob("lessons/*.md")):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_the_lessons_page_asks_every_question() -> None:
    text = (ROOT / "lessons" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\d\d)\]\((.+?)\) \| (.+) \|$", text, flags=re.M)
    assert rows == [(f"{lesson.number:02}", lesson.path.name, lesson.question) for lesson in lessons()]


def test_the_glossary_leads_to_classes_that_exist() -> None:
    """The page's words are those of lesson 01; each names a lesson and something that lesson uses."""
    glossary = next(demo for demo in lessons()[0].demos() if demo.__name__ == "glossary")
    text = (ROOT / "lessons" / "README.md").read_text(encoding="utf-8")
    by_number = {lesson.number: lesson for lesson in lessons()}
    for term, brain, number, where in glossary().rows:
        lesson = by_number[int(number)]
        assert f"| {term} | {brain} | [{lesson.number:02}]({lesson.path.name}) | `{where}` |" in text
        thing = lesson.load()
        for part in where.split("."):
            thing = getattr(thing, part)


def test_every_idea_leads_to_a_demo_and_a_test() -> None:
    """Each row of the index of ideas names a lesson, a demo of that lesson, and a test of that lesson."""
    text = (ROOT / "lessons" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| [^|]+ \| [^|]+ \| \[(\d\d)\]\((.+?)\) \| `(.+?)` \| `(.+?)` \|$", text, flags=re.M
    )
    by_number = {f"{lesson.number:02}": lesson for lesson in lessons()}
    assert {number for number, *_ in rows} == by_number.keys()
    for number, file, demo, test in rows:
        lesson = by_number[number]
        assert file == lesson.path.name
        assert demo in [function.__name__ for function in lesson.demos()], demo
        source = (ROOT / "tests" / f"test_lesson{number}.py").read_text(encoding="utf-8")
        assert f"def {test}(" in source, test
