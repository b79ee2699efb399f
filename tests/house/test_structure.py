"""The house: arrows point one way, and the README tells the truth about the lessons."""

import ast
import re
from pathlib import Path

import pytest

from curriculum.discover import Lesson, lessons

ROOT = Path(__file__).parents[2]
WINGS = ("curriculum", "lessons", "models", "tests")
# Rooms by floor. A room uses its own floor's files and the floors below it, never a neighbour on its floor.
FLOORS = (
    {"curriculum"},  # the kit: files directly in curriculum/
    {"curriculum.authoring", "curriculum.grader", "curriculum.playground", "curriculum.runs"},
    {"lessons"},
    {"lessons.exercises"},
    {"lessons.solutions"},
    {"models.networks"},
    {"models.records"},
    {"models.lightning"},
    {"models.jobs"},
    {"curriculum.site"},
    {"curriculum.cli"},  # the door: the command line starts whatever there is
    {"curriculum.__main__"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(path for wing in WINGS[:-1] for path in (ROOT / wing).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every imported module, by its whole name; of `from a import b` both a and a.b."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(module: str) -> str:
    """The room that a module lies in: `models.jobs.train` lies in `models.jobs`."""
    parts = module.split(".")
    inner = ".".join(parts[:2])
    return inner if inner in FLOOR_OF else parts[0]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def test_every_folder_is_a_room_that_is_known() -> None:
    """A new folder gets its place in FLOORS, or nothing would hold it."""
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in FILES}
    assert folders - {"models"} == FLOOR_OF.keys() - {"curriculum.__main__"}
    assert [path.name for path in (ROOT / "models").glob("*.py")] == ["__init__.py"]


def test_the_picture_of_the_house_is_true() -> None:
    """CONTRIBUTING.md lists every room, in its wing; what it names exists."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    house = text.partition("## The house")[2].partition("### Commands")[0]
    listing = house.split("```")[1]
    listed: set[str] = set()
    wing = ""
    for indent, folder in re.findall(r"^( *)(\w+)/ ", listing, re.MULTILINE):
        wing = wing if indent else folder
        listed.add(f"{wing}/{folder}" if indent else folder)
    rooms = {room.replace(".", "/") for room in FLOOR_OF if room != "curriculum.__main__"}
    own_of_tests = {f"tests/{name}" for name in ("house", "planted", "support", "torture")}
    assert listed == rooms | own_of_tests | {"models", "models/recipes", "tests"}
    for path in re.findall(r"`((?:curriculum|lessons|models|tests)/[\w./]*)`", house):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_point_one_way(path: Path) -> None:
    """To the own room or to a lower floor; so no circle of rooms can be."""
    room = room_of(module_of(path))
    for name in imports(path):
        other = room_of(name)
        if other in FLOOR_OF and other != room:
            assert FLOOR_OF[other] < FLOOR_OF[room], f"{module_of(path)} imports {name}"
        assert name.split(".")[0] != "tests"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Inside a room, too. Imports inside of functions count: they hide a circle, they do not mend it."""
    modules = {module_of(path).removesuffix(".__init__"): path for path in FILES}
    arrows = {name: imports(path) & modules.keys() - {name} for name, path in modules.items()}
    # A package's own __init__ holds a sentence or errors; it imports nothing of its rooms.
    done: set[str] = set()

    def visit(name: str, road: tuple[str, ...]) -> None:
        assert name not in road, " → ".join((*road[road.index(name) :], name))
        if name not in done:
            for other in sorted(arrows[name]):
                visit(other, (*road, name))
            done.add(name)

    for name in modules:
        visit(name, ())


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=module_of)
def test_tests_do_not_import_tests(path: Path) -> None:
    """What several tests need lies in tests/support."""
    assert not [name for name in imports(path) if re.search(r"(^|\.)(test_\w+|conftest)$", name)]


def test_the_machinery_knows_no_lesson_by_name() -> None:
    for path in (ROOT / "curriculum").rglob("*.py"):
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
    by_number = {lesson.number: lesson for lesson in lessons()}
    glossary = next(demo for demo in by_number[1].demos() if demo.__name__ == "glossary")
    text = (ROOT / "lessons" / "README.md").read_text(encoding="utf-8")
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
        source = (ROOT / "tests" / "lessons" / f"test_lesson{number}.py").read_text(encoding="utf-8")
        assert f"def {test}(" in source, test
