"""Commands for who does the exercises, and for who teaches a class."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from curriculum import UserError
from curriculum.cli.options import EXERCISES, AsJson
from curriculum.table import TerminalTable

if TYPE_CHECKING:
    from curriculum.grader.verdict import Grade

OwnDir = Annotated[Path, typer.Option("--dir", help="Your own folder of exercises.")]
OneExercise = Annotated[str, typer.Argument(help="An exercise: 03a.", show_default=False)]
Seconds = Annotated[float, typer.Option(min=1, help="How long an answer may take.")]
JUnit = Annotated[Path | None, typer.Option(help="Also write the verdicts to this file, as JUnit XML.")]

Marks = Annotated[
    Path | None, typer.Option("--csv", help="Also write the marks to this file: a row per learner.")
]


def start(
    what: Annotated[str | None, typer.Argument(help="An exercise, 03a: says its file. Or a folder.")] = None,
    folder: OwnDir = EXERCISES,
    notebooks: Annotated[bool, typer.Option("--notebooks", help="As notebooks, for Jupyter.")] = False,
) -> None:
    """Copy the exercises into a folder of your own. What is there is never overwritten."""
    from curriculum.grader import exercise, learner, notebook

    chosen = exercise.select(what) if what and exercise.is_number(what) else []
    if what and not chosen:
        folder = Path(what)
    fresh = notebook.start(folder) if notebooks else learner.start(folder)
    then = "its last cell checks it" if notebooks else "then: curriculum check"
    if fresh or not chosen:
        first = "" if chosen else f" Open one, {then}"
        print(f"{len(fresh)} new files in {folder}; git ignores them.{first}")
    elsewhere = "" if folder == EXERCISES else f" --dir {folder}"
    for one in chosen:
        file = folder / one.path.with_suffix(".ipynb" if notebooks else ".py").name
        print(f"open {file}, {then}" + ("" if notebooks else f" {one.id}{elsewhere}"))


def list_exercises(folder: OwnDir = EXERCISES) -> None:
    """List the exercises with your progress."""
    from curriculum.grader import learner

    table = TerminalTable("", "exercise", "difficulty", "minutes", "", box=None)
    for row in learner.rows(folder):
        table.add_row(*row, style="green" if row[-1] == "passed" else None)
    Console().print(table)


def check(
    which: Annotated[list[str] | None, typer.Argument(help="03a, 03, all; else the next one.")] = None,
    folder: OwnDir = EXERCISES,
    seconds: Seconds = 30,
    as_json: AsJson = False,
    junit: JUnit = None,
) -> None:
    """Grade your answers with PyTorch, and name the mistake. Exit code 1 where one is not passed."""
    from curriculum.grader.junit import write_junit
    from curriculum.grader.session import Session

    session = Session(folder, seconds, warm=True)
    grades = []
    for grade in session.check(which or []):
        grades.append(grade)
        if not as_json:
            _show(grade)
    if as_json:
        print(json.dumps([grade.row() for grade in grades], indent=2))
    elif all(grade.verdict.passed for grade in grades):
        print(f"\n{session.what_next()}")
    if junit:
        write_junit(grades, junit)
    if not all(grade.verdict.passed for grade in grades):
        raise typer.Exit(1)


def watch(folder: OwnDir = EXERCISES, seconds: Seconds = 30) -> None:
    """Check each exercise as you save it."""
    from curriculum.grader.session import Session

    def show(grade: "Grade") -> None:
        print()
        _show(grade)

    Session(folder, seconds, warm=True).watch(say=partial(print, flush=True), show=show)


def hint(which: OneExercise, folder: OwnDir = EXERCISES) -> None:
    """A hint; each time one step further."""
    from curriculum.grader import exercise, learner

    print(learner.hint(exercise.select_one(which), folder))


def solution(
    which: OneExercise,
    folder: OwnDir = EXERCISES,
    give_up: Annotated[bool, typer.Option("--give-up", help="Show it although yours is not passed.")] = False,
) -> None:
    """Show the solution of an exercise that you have passed."""
    from curriculum.grader import exercise, learner

    print(learner.solution(exercise.select_one(which), folder, give_up))


def reset(which: OneExercise, folder: OwnDir = EXERCISES) -> None:
    """Put an exercise back as it was handed out; your file is kept beside it."""
    from curriculum.grader import exercise, learner

    chosen = exercise.select_one(which)
    kept = learner.reset(chosen, folder)
    print(f"{chosen} is as it was handed out" + (f"; yours is {kept}" if kept else ""))


def grade(
    folder: Annotated[Path, typer.Argument(help="One folder per learner, with their files in it.")],
    marks: Marks = None,
    seconds: Seconds = 30,
    as_json: AsJson = False,
    junit: JUnit = None,
) -> None:
    """For teachers: grade what a class has handed in."""
    from curriculum.grader import classroom, limits
    from curriculum.grader.junit import write_junit

    for file in filter(None, (marks, junit)):
        if not file.parent.is_dir():  # now, not when all is graded
            raise UserError(
                f"there is no folder {file.parent} for {file.name}; make it, or choose another file"
            )
    unguarded = limits.not_guarded()
    if unguarded:
        print(f"curriculum: on this system {unguarded}", file=sys.stderr)
    grades = list(classroom.grade_class(folder, seconds))
    if as_json:
        print(json.dumps([one.row() for one in grades], indent=2))
    else:
        Console().print(classroom.class_table(grades))
        for line in classroom.class_remarks(grades) + classroom.class_mistakes(grades):
            print(line)
    if marks:
        classroom.write_marks(grades, marks)
    if junit:
        write_junit(grades, junit)


def _show(grade: "Grade") -> None:
    """What there is to read; in a terminal that has colours the verdict is green or red."""
    console = Console(highlight=False, soft_wrap=True)
    first, *others = grade.lines()
    console.print(Text(first, style="bold green" if grade.verdict.passed else "bold red"))
    for line in others:
        console.print(Text(line))
