"""Start a lesson: `curriculum new 20_name` writes its skeleton and says what is missing.

The skeletons are the files in `templates/`, with `$number` and `$name` where those of the lesson belong.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from string import Template

from curriculum import UserError
from curriculum.discover import FOLDER
from curriculum.files import write_whole

TEMPLATES = Path(__file__).parent / "templates"


def start(which: str, root: Path = FOLDER.parent) -> list[Path]:
    """Write the skeleton of lesson `NN_name`: the lesson, its test, an exercise. Returns the new files.

    Nothing that exists is overwritten.

    Raises:
        UserError: `which` is not a lesson's name, or the number is taken.
    """
    number, name = _parse(which)
    if not (root / "pyproject.toml").exists():
        raise UserError(f"{root} is an installed package; a lesson is begun in a clone of the repository")
    files = _files(number, name, root)
    others = [path for path in (root / "lessons").glob(f"lesson{number}_*.py") if path not in files]
    if others:
        raise UserError(f"lesson {number} exists already ({others[0].name}); choose another number")
    fresh = [path for path in files if not path.exists()]
    for path in fresh:
        template = Template((TEMPLATES / files[path]).read_text(encoding="utf-8"))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, template.substitute(number=number, name=name))
    return fresh


def missing(which: str, root: Path = FOLDER.parent) -> Iterator[str]:
    """What lesson `NN_name` still lacks: every TODO in its files, and its rows in the two tables.

    Raises:
        UserError: `which` is not a lesson's name.
    """
    number, name = _parse(which)
    for path in _files(number, name, root):
        for line_number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if "TODO" in line:
                yield f"{path.relative_to(root)}:{line_number}: {line.strip(' #')}"
    for page in ("README.md", "lessons/README.md"):
        if f"lesson{number}_{name}.py" not in (root / page).read_text(encoding="utf-8"):
            yield f"{page}: no row for lesson {number} in its table"


def _parse(which: str) -> tuple[str, str]:
    """`25_convolution` → its number and its name."""
    match = re.fullmatch(r"(\d\d)_([a-z][a-z_]*)", which)
    if not match:
        raise UserError(f"'{which}' is not a lesson's name; expected one like 25_convolution")
    return match[1], match[2]


def _files(number: str, name: str, root: Path) -> dict[Path, str]:
    """The files of a lesson and of its first exercise, each with the template that it starts from."""
    exercise = f"exercise{number}a_{name}.py"
    return {
        root / "lessons" / f"lesson{number}_{name}.py": "lesson.py.template",
        root / "tests" / "lessons" / f"test_lesson{number}.py": "test.py.template",
        root / "lessons" / "exercises" / exercise: "exercise.py.template",
        root / "lessons" / "solutions" / exercise: "solution.py.template",
        root / "tests" / "planted" / f"planted{number}a.py": "planted.py.template",
    }
