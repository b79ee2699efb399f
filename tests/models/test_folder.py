"""A run's folder: its number, what lies in it, and which run was stopped last."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from curriculum import UserError
from models.records import manifest
from models.records.folder import RunFolder


def stopped(path: Path, job: str = "fit", **entries: Any) -> RunFolder:
    """A run that has begun and was not finished."""
    path.mkdir(parents=True)
    known = {"job": job, "options": {}, "threads": 1} | entries
    (path / manifest.NAME).write_text(json.dumps(known))
    return RunFolder(path)


def test_one_number_for_all_that_no_name_has_used(tmp_path: Path) -> None:
    (tmp_path / "torch" / "version_3").mkdir(parents=True)
    (tmp_path / "torch" / "version_best").mkdir()
    folders = RunFolder.create(tmp_path, ("scratch", "torch"))
    assert [folder.path for folder in folders.values()] == [
        tmp_path / "scratch" / "version_4",
        tmp_path / "torch" / "version_4",
    ]
    assert folders["scratch"].beside("torch") == folders["torch"]


def test_two_runs_that_begin_at_once_take_two_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process makes the folder between our look and our mkdir."""
    mkdir = Path.mkdir

    def late(path: Path, *arguments: Any, **options: Any) -> None:
        monkeypatch.setattr(Path, "mkdir", mkdir)
        mkdir(path, parents=True)
        mkdir(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", late)
    folders = RunFolder.create(tmp_path, ("scratch", "torch"))
    assert {folder.path.name for folder in folders.values()} == {"version_1"}


def test_a_file_in_the_way_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "scratch").write_text("not a folder")
    with pytest.raises(UserError, match=r"cannot write to .*; choose another --log-dir"):
        RunFolder.create(tmp_path, ("scratch",))


def test_the_newest_is_the_one_that_began_last(tmp_path: Path) -> None:
    """Neither the one whose folder was touched last, nor the one with the highest number."""
    many = stopped(tmp_path / "many" / "version_10", begun="2026-11-01T09:00:00+00:00")
    last = stopped(tmp_path / "few" / "version_1", begun="2026-11-02T09:00:00+00:00")
    os.utime(last.path, (0, 0))
    assert RunFolder.newest_stopped(tmp_path, "fit") == last
    last.report.write_text("{}")
    assert RunFolder.newest_stopped(tmp_path, "fit") == many


def test_runs_from_before_that_entry_count_by_their_number(tmp_path: Path) -> None:
    older = stopped(tmp_path / "fit" / "version_10")
    stopped(tmp_path / "fit" / "version_9")
    assert RunFolder.newest_stopped(tmp_path, "fit") == older
    newer = stopped(tmp_path / "fit" / "version_2", begun="2026-11-02T09:00:00+00:00")
    assert RunFolder.newest_stopped(tmp_path, "fit") == newer


def test_a_run_of_another_job_is_not_gone_on_with(tmp_path: Path) -> None:
    stopped(tmp_path / "test" / "version_0", job="mnist")
    assert RunFolder.newest_stopped(tmp_path, "fit") is None


def test_what_is_written_at_the_end_can_be_read_again(tmp_path: Path) -> None:
    run = stopped(tmp_path / "fit" / "version_0")
    weight = torch.arange(6.0).view(2, 3)
    run.finish({"0.weight": weight.T}, {"test_acc": 0.5})
    assert run.is_finished
    assert torch.equal(run.load_weights()["0.weight"], weight.T)
    assert json.loads(run.report.read_text()) == {"test_acc": 0.5}
