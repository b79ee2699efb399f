"""The exercises: where they are, the learner's own folder, hints and progress. Nothing here imports torch."""

import ast
import itertools
import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curriculum import UserError, discover
from curriculum.files import write_whole

DIR = Path("exercises")  # the learner's own folder, where no other is named
PROGRESS = ".progress.json"
GRADERS = {"ANSWER", "REREAD", "HINTS"}  # what a solution tells the grader, not the learner

FILE_NAME = re.compile(r"exercise(?P<id>(?P<lesson>\d\d)[a-z])_(?P<name>[a-z0-9_]+)\.py")
HEADER = re.compile(
    r'"""Exercise (?P<id>\d\d[a-z]) · (?P<title>.+)\n'
    r"\n"
    r"Difficulty: (?P<difficulty>[123]) of 3 · Time: (?P<minutes>\d+) minutes · "
    r"After: lesson (?P<lesson>\d\d)\n"
)


@dataclass(frozen=True)
class Exercise:
    """One exercise: what the name of its stub and the first lines in it say."""

    id: str
    lesson: int
    name: str
    path: Path
    title: str
    difficulty: int
    minutes: int

    @property
    def solution(self) -> Path:
        return self.path.parents[1] / "solutions" / self.path.name

    def __str__(self) -> str:
        return f"{self.id} {self.title}"


def exercises() -> list[Exercise]:
    """All exercises, by id."""
    return [_read(path) for path in sorted(_stubs().glob("exercise[0-9][0-9][a-z]_*.py"))]


def select(which: str) -> list[Exercise]:
    """The exercises that the user means: an id (03a), a lesson (03), a name, a file, or `all`.

    Raises `UserError` where there is none.
    """
    found, key = exercises(), Path(which).name.removesuffix(".py")
    chosen = [
        exercise
        for exercise in found
        if key in ("all", exercise.id, exercise.id.lstrip("0"), exercise.name, exercise.path.stem)
        or (key.isdigit() and int(key) == exercise.lesson)
    ]
    if not chosen:
        raise UserError(f"there is no exercise '{which}'; expected one like 03a (see: curriculum exercises)")
    return chosen


def select_one(which: str) -> Exercise:
    """The one exercise that the user means. Raises `UserError` where there is none, or more than one."""
    chosen = select(which)
    if len(chosen) > 1:
        raise UserError(f"'{which}' means {len(chosen)} exercises; name one, like {chosen[0].id}")
    return chosen[0]


def constant(exercise: Exercise, name: str) -> Any:
    """A constant of the solution, read without running it: `ANSWER`, `REREAD` or `HINTS`."""
    for node in ast.parse(exercise.solution.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return ast.literal_eval(node.value)
    raise UserError(f"{exercise.solution} has no {name} (see: CONTRIBUTING.md)")


def _stubs() -> Path:
    return discover.FOLDER / "exercises"


def _read(path: Path) -> Exercise:
    name = FILE_NAME.fullmatch(path.name)
    header = HEADER.match(path.read_text(encoding="utf-8"))
    if not name or not header or name["id"] != header["id"] or name["lesson"] != header["lesson"]:
        raise UserError(
            f"{path.name}: its name or first lines are not those of an exercise (see: CONTRIBUTING.md)"
        )
    return Exercise(
        id=name["id"],
        lesson=int(name["lesson"]),
        name=name["name"],
        path=path,
        title=header["title"],
        difficulty=int(header["difficulty"]),
        minutes=int(header["minutes"]),
    )


# ---------------------------------------------------------------- the learner's own folder


def start(folder: Path = DIR) -> list[Path]:
    """Copy what is in `lessons/exercises` to `folder`, which git will ignore. Returns the new files.

    Nothing that exists is overwritten. Raises `UserError` where the folder cannot be written.
    """
    _refuse_the_originals(folder)
    fresh = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / ".gitignore").exists():
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        for stub in sorted(_stubs().glob("[!_]*.py")):
            if not (folder / stub.name).exists():
                fresh.append(Path(shutil.copyfile(stub, folder / stub.name)))
    except OSError as error:
        raise UserError(f"cannot write to {folder} ({error.strerror}); choose another folder") from error
    return fresh


def own(folder: Path) -> Path:
    """`folder`, if it is a folder that the learner has started. Raises `UserError` else."""
    _refuse_the_originals(folder)
    if not folder.is_dir():
        name = "" if folder == DIR else f" {folder}"
        raise UserError(f"there is no folder {folder}; make it with: curriculum start{name}")
    return folder


def _refuse_the_originals(folder: Path) -> None:
    if folder.resolve().is_relative_to(discover.FOLDER.resolve()):
        raise UserError(f"{folder} holds the originals; choose a folder of your own, for example {DIR}")


def reset(exercise: Exercise, folder: Path = DIR) -> Path | None:
    """Put the stub back. Returns where the learner's file is kept (`NAME.py.bak-1`, …), if there was one."""
    path, kept = own(folder) / exercise.path.name, None
    if path.exists():
        kept = _unused(path.with_name(f"{path.name}.bak"))
        path.rename(kept)
    shutil.copyfile(exercise.path, path)
    update_progress(folder, exercise, passed=False)
    return kept


def hint(exercise: Exercise, folder: Path = DIR) -> str:
    """The next hint; after the last one, the last one again."""
    hints = constant(exercise, "HINTS")
    level = min(read_progress(own(folder)).get(exercise.id, {}).get("hints", 0) + 1, len(hints))
    update_progress(folder, exercise, hints=level)
    return f"hint {level} of {len(hints)}: {hints[level - 1]}"


def solution(exercise: Exercise, folder: Path = DIR, give_up: bool = False) -> str:
    """The solution's source, without what only the grader needs.

    Raises `UserError` where the exercise is not passed and the learner has not given up.
    """
    if not give_up and not read_progress(own(folder)).get(exercise.id, {}).get("passed"):
        raise UserError(
            f"{exercise} is not passed yet; try: curriculum hint {exercise.id}, "
            f"or see the solution with: curriculum solution {exercise.id} --give-up"
        )
    source = exercise.solution.read_text(encoding="utf-8")
    shown, _ = re.split(r"^def pairs\(", source, maxsplit=1, flags=re.M)
    lines, tree = shown.splitlines(), ast.parse(shown)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in reversed(tree.body):
        lines[node.lineno - 1 : node.end_lineno] = _for_learners(node, lines, used)
    text = re.sub(r"\n{3,}(?=from |import )", "\n\n", "\n".join(lines))
    return re.sub(r"\n{4,}", "\n\n\n", text).strip()


def _for_learners(node: ast.stmt, lines: list[str], used: set[str]) -> list[str]:
    """The lines of a statement, without the grader's constants and the names that only the grader imports."""
    if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in GRADERS:
        return []
    if isinstance(node, ast.Import | ast.ImportFrom):
        kept = [name for name in node.names if (name.asname or name.name).partition(".")[0] in used]
        if kept != node.names:
            node.names = kept
            return [ast.unparse(node)] if kept else []
    return lines[node.lineno - 1 : node.end_lineno]


# ---------------------------------------------------------------- progress


def read_progress(folder: Path) -> dict[str, dict[str, Any]]:
    """What the learner has done, by id: `passed`, `tries`, `hints`.

    A damaged file is set aside, and one line says so.
    """
    path = folder / PROGRESS
    try:
        progress = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(progress, dict) or not all(isinstance(done, dict) for done in progress.values()):
            raise ValueError("not what was written there")
    except FileNotFoundError:
        return {}
    except ValueError:
        aside = path.with_name(f"{PROGRESS}.damaged")
        aside = _unused(aside) if aside.exists() else aside
        path.rename(aside)
        said = f"{path} was damaged: it is now {aside}, and progress begins anew (curriculum check all)"
        print(said, file=sys.stderr)
        return {}
    return progress


def update_progress(folder: Path, exercise: Exercise, **changes: Any) -> None:
    """Write `changes` to the exercise's entry: all of it, or nothing."""
    progress = read_progress(folder)
    progress[exercise.id] = progress.get(exercise.id, {}) | changes
    try:
        write_whole(folder / PROGRESS, json.dumps(progress, indent=2, sort_keys=True))
    except OSError as error:
        raise UserError(f"cannot write {folder / PROGRESS} ({error.strerror}); free the folder") from error


def first_open(folder: Path) -> Exercise | None:
    """The first exercise that is not passed yet."""
    progress = read_progress(folder)
    return next((one for one in exercises() if not progress.get(one.id, {}).get("passed")), None)


def rows(folder: Path = DIR) -> list[tuple[str, str, str, str, str]]:
    """Every exercise with its progress: id, title, difficulty, minutes, and passed, tried or -."""
    progress = read_progress(folder) if folder.is_dir() else {}

    def state(exercise: Exercise) -> str:
        done = progress.get(exercise.id, {})
        return "passed" if done.get("passed") else "tried" if done.get("tries") else "-"

    return [(e.id, e.title, f"{e.difficulty} of 3", str(e.minutes), state(e)) for e in exercises()]


def _unused(path: Path) -> Path:
    return next(new for n in itertools.count(1) if not (new := path.with_name(f"{path.name}-{n}")).exists())
