"""The machinery around the lessons. It knows no lesson by name."""

from importlib import import_module
from typing import Any


class UserError(Exception):
    """Something the user can mend: one line that says what is wrong, what was expected and what to do."""


class Stopped(Exception):  # noqa: N818 (nothing went wrong)
    """The user stopped a run, and it is saved. One line that says how to go on; `code` is the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def __getattr__(name: str) -> Any:
    """`from curriculum import check`, for notebooks. Found when it is asked for: it lies higher up."""
    if name == "check":
        return import_module("curriculum.grader.notebook").check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
