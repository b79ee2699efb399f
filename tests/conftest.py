"""What all tests share."""

import pytest

from curriculum.discover import Lesson, lessons

LESSONS = lessons()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `lesson` runs once per lesson: a new lesson is tested because its file exists."""
    if "lesson" in metafunc.fixturenames:
        metafunc.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.path.stem)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse to pass when no lesson was found."""
    assert LESSONS, "no lessons found"


__all__ = ["Lesson"]
