"""A learner at work in one folder: answers checked, on demand or as they are saved, and progress kept."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from curriculum.grader.exercise import Exercise, exercises, select
from curriculum.grader.learner import LEARNER_FOLDER, require_started
from curriculum.grader.limits import SECONDS
from curriculum.grader.process import Children
from curriculum.grader.progress import Progress
from curriculum.grader.verdict import Grade, Verdict


class Session:
    """Checks in one folder, `seconds` for each answer. `warm`: by a process that outlives this one.

    Raises:
        UserError: The folder is not started.
    """

    def __init__(self, folder: Path = LEARNER_FOLDER, seconds: float = SECONDS, warm: bool = False) -> None:
        self.folder = require_started(folder)
        self.warm = warm
        self.seconds = seconds
        self.progress = Progress.read(folder)

    def check(self, which: list[str]) -> Iterator[Grade]:
        """Grade the chosen exercises, or the first that is not passed yet, and keep the progress.

        Raises:
            UserError: There is no such exercise, or the progress cannot be written.
        """
        chosen = self._chosen(which)
        with Children(self.warm) as children:
            for number, exercise in enumerate(chosen, start=1):
                yield self._grade(exercise, children, more=number < len(chosen))

    def check_file(self, exercise: Exercise, file: Path) -> Grade:
        """Grade an answer that lies elsewhere, and keep the progress.

        Raises:
            UserError: The progress cannot be written.
        """
        with Children(self.warm) as children:
            return self._graded(exercise, file, children, more=False)

    def watch(self, say: Callable[[str], Any], show: Callable[[Grade], Any]) -> None:
        """Check an exercise each time it is saved, until Ctrl-C. `show` tells a grade, `say` all else.

        Raises:
            UserError: The progress cannot be written.
        """
        from watchfiles import watch

        by_name = {exercise.path.name: exercise for exercise in exercises()}
        with Children(self.warm) as children, contextlib.suppress(KeyboardInterrupt):
            children.prepare()
            say(self.what_next())
            say(f"watching {self.folder}: save an exercise to have it checked, Ctrl-C to stop")
            for changes in watch(self.folder, recursive=False):
                saved = {Path(path).name for _, path in changes}
                for name in sorted(saved & by_name.keys()):
                    if (self.folder / name).is_file():
                        grade = self._grade(by_name[name], children, more=True)
                        show(grade)
                        if grade.verdict.passed:
                            say(self.what_next())
        say("stopped")

    def what_next(self) -> str:
        """One line: the first exercise that is not passed yet."""
        exercise = self.progress.first_open()
        if exercise is None:
            return "all exercises are passed"
        return f"next: {exercise} · {self.folder / exercise.path.name}"

    def _chosen(self, which: list[str]) -> list[Exercise]:
        if which:
            return [exercise for one in which for exercise in select(one)]
        exercise = self.progress.first_open()
        return [exercise] if exercise else []

    def _grade(self, exercise: Exercise, children: Children, more: bool) -> Grade:
        return self._graded(exercise, self.folder / exercise.path.name, children, more)

    def _graded(self, exercise: Exercise, file: Path, children: Children, more: bool) -> Grade:
        verdict = children.grade(exercise, file, self.seconds, more)
        if verdict.was_tried:
            self._keep(exercise, verdict)
        return Grade(exercise, verdict)

    def _keep(self, exercise: Exercise, verdict: Verdict) -> None:
        self.progress = Progress.read(self.folder)  # meanwhile a hint may have been asked for elsewhere
        tries = self.progress.tries(exercise) + 1
        passed = verdict.passed or self.progress.passed(exercise)  # who plays with it keeps it
        self.progress.change(exercise, passed=passed, tries=tries)
