"""Every lesson keeps the promises of the format. Lessons are found by their file names."""

import ast
import doctest
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from torch import nn

from curriculum.discover import Lesson, lessons
from curriculum.from_scratch import forbidden_names
from curriculum.grader.exercise import exercises
from curriculum.pair import Case, compare
from curriculum.table import Table
from tests.support.lessons import prose, run_pairs, shown

FEWEST_LINES = 100  # no cap: a limit squeezes the code
WIDEST = 88  # columns: what a page shows without scrolling
LONGEST = 25  # minutes
WORDS_A_MINUTE, LINES_A_MINUTE = 130, 5  # of prose, and of code that is read, not skimmed


def own(module: ModuleType) -> list[Any]:
    """The public classes and functions that the lesson itself defines."""
    values = vars(module).items()
    return [v for name, v in values if getattr(v, "__module__", "") == module.__name__ and name[0] != "_"]


def is_torch_side(thing: Any) -> bool:
    return "torch" in thing.__name__.lower() or (isinstance(thing, type) and issubclass(thing, nn.Module))


def scratch_side(module: ModuleType) -> list[Any]:
    """All that is neither a demo nor on the torch side."""
    things = [thing for thing in own(module) if isinstance(thing, type | FunctionType)]
    return [
        t for t in things if not is_torch_side(t) and not hasattr(t, "is_demo") and t.__name__ != "<lambda>"
    ]


def test_all_pairs_agree(lesson: Lesson) -> None:
    differences = run_pairs(lesson).differences
    assert differences, "a lesson without pairs proves nothing"
    for name, found in differences.items():
        assert found, f"{name} compares nothing"
        assert [d for d in found if d.problem] == [], name


def test_pair_names_are_unique(lesson: Lesson) -> None:
    names = [pair.name for pair in lesson.pairs()]
    assert len(names) == len(set(names))


@settings(max_examples=15, deadline=None)
@given(
    case=st.builds(
        Case,
        batch=st.integers(1, 9),
        n_in=st.integers(1, 9),
        n_out=st.integers(1, 9),
        seed=st.integers(0, 2**31),
    )
)
def test_pairs_agree_on_drawn_shapes(lesson: Lesson, case: Case) -> None:
    for pair in lesson.pairs():
        if pair.drawn:
            assert [d for d in compare(pair, case) if d.problem] == [], pair.name


def test_every_scratch_method_is_proven(lesson: Lesson) -> None:
    """The code of each `forward`, `backward` and `step` runs inside some pair of the lesson."""
    ran = run_pairs(lesson).code
    methods = [
        f"{cls.__name__}.{name}"
        for cls in scratch_side(lesson.load())
        if isinstance(cls, type)
        for name in ("forward", "backward", "step")
        if name in vars(cls) and vars(cls)[name].__code__ not in ran
    ]
    assert methods == [], "in no pair"


def test_scratch_is_from_scratch(lesson: Lesson) -> None:
    found = {thing.__name__: forbidden_names(thing) for thing in scratch_side(lesson.load())}
    assert {name: names for name, names in found.items() if names} == {}


def test_docstrings_and_prose_are_true(lesson: Lesson) -> None:
    """Every `>>>` in docstrings and markdown cells gives what the text says."""
    module = lesson.load()
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    text = re.sub(r"^```.*$", "", prose(lesson), flags=re.M)
    tests = [t for t in doctest.DocTestFinder().find(module) if t.examples]
    tests.append(parser.get_doctest(text, dict(vars(module)), f"{lesson.path.stem} prose", None, None))
    for test in tests:
        runner.run(test)
    assert runner.tries, "no number in this lesson is a doctest"
    assert runner.failures == 0


def test_demos_show_something(lesson: Lesson) -> None:
    demos = lesson.demos()
    assert demos, "nothing to see"
    results = [shown(demo) for demo in demos]
    assert all(isinstance(result, Table | Figure | str) for result in results)
    assert all(result.rows for result in results if isinstance(result, Table))
    assert any(isinstance(result, Figure) for result in results), "no figure worth looking at"


def test_demos_are_documented(lesson: Lesson) -> None:
    for demo in lesson.demos():
        assert demo.__doc__, demo.__name__
        assert len(demo.__doc__.strip().splitlines()[0]) <= 90, demo.__name__


def test_lesson_has_its_parts(lesson: Lesson) -> None:
    text = prose(lesson)
    for part in ("## From scratch", "## They agree", "## Where PyTorch differs"):
        assert part in text, f"'{part}' is missing"
    assert "__main__" not in lesson.path.read_text(encoding="utf-8")
    assert len(lesson.path.read_text(encoding="utf-8").splitlines()) >= FEWEST_LINES


def test_lesson_imports_only_lessons_before_it(lesson: Lesson) -> None:
    tree = ast.parse(lesson.path.read_text(encoding="utf-8"))
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    assert not any(name.startswith(("models", "tests")) for name in imported)
    numbers = [int(match[1]) for name in imported if (match := re.match(r"lessons\.lesson(\d\d)", name))]
    assert all(number < lesson.number for number in numbers), numbers
    needed = [int(number) for number in re.findall(r"\d\d", lesson.needs)]
    assert set(numbers) <= set(needed), "the first cell names what the lesson needs"
    assert needed == sorted(number for number in needed if number < lesson.number)


def test_a_lesson_ends_with_its_exercises_and_the_next_lesson(lesson: Lesson) -> None:
    """Each command in the text names this lesson or an exercise of it; the last words name the next one."""
    text = prose(lesson)
    own = {exercise.id for exercise in exercises() if exercise.lesson == lesson.number}
    named = set(re.findall(r"curriculum (?:start|check|hint) (\w+)", text))
    assert named <= own
    closing = text[text.index("## You can now") :]
    assert set(re.findall(r"(?<=[ `])\d\d[a-z](?=`)", closing)) == own
    for number in re.findall(r"curriculum\s+(?:run|compare)\s+(\d+)", text):
        assert int(number) == lesson.number
    last = text.strip().split("\n\n")[-1]
    if lesson.number < lessons()[-1].number:
        assert "Next" in last
        assert f"esson {lesson.number + 1:02}" in last


def reading_minutes(text: str) -> float:
    """How long it takes to read a lesson: its words, docstrings too, and its lines of code.

    What the page folds is not counted: `<details>`, and cells with the tag `hide-input`.
    """
    cells = [cell.partition("\n") for cell in re.split(r"^# %%", text, flags=re.M)]
    prose = "\n".join(body for head, _, body in cells if "[markdown]" in head)
    told = re.sub(r"<details>.*?</details>|```.*?```|\$\$.*?\$\$", "", prose, flags=re.S)
    code = "\n".join(body for head, _, body in cells if "[markdown]" not in head and "hide-input" not in head)
    docstring = re.compile(r'"""(.*?)"""', re.S)
    words = re.findall(r"[^\W_]{2,}", told + " ".join(docstring.findall(code)))
    lines = [line for line in docstring.sub("", code).splitlines() if re.search(r"\w", line)]
    read = [line for line in lines if not line.startswith(("import ", "from ", "#"))]
    return len(words) / WORDS_A_MINUTE + len(read) / LINES_A_MINUTE


def test_a_lesson_takes_the_minutes_that_it_says(lesson: Lesson) -> None:
    minutes = reading_minutes(lesson.path.read_text(encoding="utf-8"))
    assert minutes <= LONGEST
    assert abs(minutes - lesson.minutes) <= 5, f"it takes {minutes:.0f}"


def test_a_lesson_fits_on_a_page(lesson: Lesson) -> None:
    lines = lesson.path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > WIDEST] == []


def ideas_of_tests(lesson: Lesson) -> dict[str, set[str]]:
    """Each test of the lesson's own file → the ideas that it is marked with."""
    path = Path(__file__).parent / f"test_lesson{lesson.number:02}.py"
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            marks = [mark for mark in node.decorator_list if isinstance(mark, ast.Call)]
            ideas = [mark for mark in marks if ast.unparse(mark.func) == "pytest.mark.idea"]
            found[node.name] = {ast.literal_eval(code) for mark in ideas for code in mark.args}
    return found


def test_marked_ideas_stand_in_the_index(lesson: Lesson) -> None:
    """lessons/README.md names each idea of a lesson and one test that holds it; that test bears its mark."""
    text = (lesson.path.parent / "README.md").read_text(encoding="utf-8")
    rows = re.findall(rf"^\| ([^|]+) \| .+\]\({lesson.path.name}\) \| `.+` \| `(.+)` \|$", text, flags=re.M)
    in_index = {test: set(re.findall(r"[A-E]\d+", codes)) for codes, test in rows}
    marked = ideas_of_tests(lesson)
    assert {test: marked[test] for test in in_index} == in_index
    assert set().union(*marked.values()) == set().union(*in_index.values())


def test_public_things_are_documented(lesson: Lesson) -> None:
    for thing in own(lesson.load()):
        if isinstance(thing, type | FunctionType):
            assert inspect.getdoc(thing), thing.__name__


def test_importing_the_lessons_does_nothing(tmp_path: Path) -> None:
    code = "\n".join(f"import {lesson.module_name}" for lesson in lessons())
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr, list(tmp_path.iterdir())) == ("", "", [])
