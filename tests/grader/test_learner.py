"""The learner's folder: it is started, chosen from, reset, and loses nothing."""

import json
import os
import re
from pathlib import Path

import pytest

from curriculum import UserError, discover
from curriculum.grader import learner
from curriculum.grader.exercise import select, select_one
from curriculum.grader.progress import Progress


def test_start_copies_all_and_overwrites_nothing(house: Path) -> None:
    names = ["exercise01a_double.py", "exercise01b_double.py", "final_project.py"]
    assert [path.name for path in learner.start(house / "mine")] == names
    assert (house / "mine" / ".gitignore").read_text() == "*\n"
    (house / "mine" / names[0]).write_text("mine")
    (house / "mine" / names[1]).unlink()
    assert [path.name for path in learner.start(house / "mine")] == [names[1]]
    assert (house / "mine" / names[0]).read_text() == "mine"


def test_the_originals_are_refused_and_a_missing_folder_says_how_to_make_it(house: Path) -> None:
    with pytest.raises(UserError, match="holds the originals"):
        learner.start(discover.FOLDER / "exercises")
    with pytest.raises(UserError, match=r"make it with: curriculum start .*elsewhere"):
        learner.require_started(house / "elsewhere")
    (house / "file").write_text("no folder")
    with pytest.raises(UserError, match="cannot write to"):
        learner.start(house / "file")


@pytest.mark.parametrize("which", ["01a", "1a", "exercise01a_double.py", "mine/exercise01a_double.py"])
def test_an_exercise_is_chosen_by_id_or_file(house: Path, which: str) -> None:
    assert select_one(which).id == "01a"


def test_a_lesson_or_a_name_can_mean_several(house: Path) -> None:
    for which in ("01", "1", "double", "all"):
        assert [exercise.id for exercise in select(which)] == ["01a", "01b"]
    with pytest.raises(UserError, match="means 2 exercises; name one, like 01a"):
        select_one("1")
    with pytest.raises(UserError, match="there is no exercise '99z'"):
        select("99z")


def test_hints_go_one_step_further_each_time(mine: Path) -> None:
    first = select_one("01a")
    hints = [learner.hint(first, mine) for _ in range(4)]
    assert hints == ["hint 1 of 3: one", "hint 2 of 3: two", "hint 3 of 3: three", "hint 3 of 3: three"]


def test_the_solution_is_shown_to_who_has_passed_or_given_up(mine: Path) -> None:
    first = select_one("01a")
    with pytest.raises(UserError, match="is not passed yet"):
        learner.solution(first, mine)
    given_up = learner.solution(first, mine, give_up=True)
    assert "return 2 * grad_y" in given_up
    assert not re.search("HINTS|MISTAKES|REREAD|ANSWER|def pairs", given_up)
    Progress.read(mine).change(first, passed=True)
    assert learner.solution(first, mine) == given_up


def test_reset_keeps_what_was_written(mine: Path) -> None:
    first = select_one("01a")
    file = mine / first.path.name
    Progress.read(mine).change(first, passed=True)
    for text, name in (("one", "bak-1"), ("two", "bak-2")):
        file.write_text(text)
        kept = learner.reset(first, mine)
        assert kept == mine / f"{file.name}.{name}"
        assert kept.read_text() == text
        assert not Progress.read(mine).passed(first)
    assert file.read_bytes() == first.path.read_bytes()
    file.unlink()
    assert learner.reset(first, mine) is None
    assert file.exists()


# ---------------------------------------------------------------- progress


@pytest.mark.parametrize("damage", ["{", "[]", '{"01a": 3}', b"\xff\xfe"])
def test_damaged_progress_is_set_aside(
    mine: Path, capsys: pytest.CaptureFixture[str], damage: str | bytes
) -> None:
    path, first = mine / ".progress.json", select_one("01a")
    for kept in (".progress.json.damaged", ".progress.json.damaged-1"):
        path.write_bytes(damage if isinstance(damage, bytes) else damage.encode())
        learner.hint(first, mine)
        assert (mine / kept).read_bytes() == (damage if isinstance(damage, bytes) else damage.encode())
        assert len(capsys.readouterr().err.splitlines()) == 1
        assert json.loads(path.read_text()) == {"01a": {"hints": 1}}


def test_progress_is_written_whole_or_not_at_all(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    first = select_one("01a")
    Progress.read(mine).change(first, passed=True)
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(UserError, match="No space left on device"):
        Progress.read(mine).change(first, passed=False)
    assert Progress.read(mine).entries == {"01a": {"passed": True}}


def test_what_the_system_refuses_is_one_clear_line(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (mine / ".progress.json").write_text("{")
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(UserError, match=r"is damaged and cannot be renamed \(Permission denied\)"):
        Progress.read(mine)
    with pytest.raises(UserError, match=r"cannot write .*exercise01a_double.py \(Permission denied\)"):
        learner.reset(select_one("01a"), mine)
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(UserError, match=r"cannot read .*progress.json \(Permission denied\)"):
        Progress.read(mine)
