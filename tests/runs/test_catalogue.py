"""Which runs there are, how each ended, and which one a name means."""

import json
import math
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from torch.utils.tensorboard import SummaryWriter

from curriculum import UserError
from curriculum.runs import terminal
from curriculum.runs.catalogue import find, label, resolve, rows
from curriculum.runs.events import EventLog
from curriculum.runs.facts import RESULTS, RecordedRun
from tests.support.runs import write


def test_runs_are_found_in_the_order_of_their_numbers(log_dir: Path) -> None:
    inside = [run.relative_to(log_dir).as_posix() for run in find(log_dir)]
    assert inside == [
        "fit/version_0",
        "lesson03",
        "mnist/scratch/version_2",
        "mnist/scratch/version_10",
        "mnist/torch/version_2",
        "mnist/torch_old/version_0",
    ]
    assert find(log_dir / "nowhere") == []


# ---------------------------------------------------------------- rows


def test_one_row_per_run_newest_last(tmp_path: Path) -> None:
    write(tmp_path / "mnist/torch/version_0", [2.0, 1.0], val_loss=0.5, val_acc=0.25)
    write(tmp_path / "lesson03")
    write(tmp_path / "a", [math.nan])
    found = rows(tmp_path)
    assert [row["name"] for row in found] == sorted(
        (row["name"] for row in found), key=lambda name: EventLog.read(tmp_path / name).wall_time
    )
    by_name = {row["name"]: row for row in found}
    trained = by_name["mnist/torch/version_0"]
    assert [trained[name] for name in ("steps", *RESULTS)] == [3, 1.0, 0.5, 0.25, None]
    assert by_name["a"]["train_loss"] == "nan"
    assert {by_name["lesson03"][name] for name in ("steps", *RESULTS)} == {None}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_steps_count_what_was_trained_not_where_the_test_stands(tmp_path: Path) -> None:
    write(tmp_path / "tested", [1.0] * 7, test_acc=0.5)
    write(tmp_path / "running", [1.0] * 7)
    assert [row["steps"] for row in rows(tmp_path)] == [7, 7]


def test_newest_is_by_time_not_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"a": 3e8, "b": 1e8, "c": 2e8}
    for name in times:
        write(tmp_path / name)

    def at_its_time(run: Path) -> EventLog:
        return EventLog(run, wall_time=times[run.name])

    monkeypatch.setattr(EventLog, "read", at_its_time)
    found = rows(tmp_path)
    assert [row["name"] for row in found] == ["b", "c", "a"]
    assert found[0]["when"].startswith("1973-03-03")


def test_a_run_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    write(tmp_path / "good", [1.0])
    for name in ("bad", "gone"):
        (tmp_path / name).mkdir()
    (tmp_path / "bad" / "events.out.tfevents.1").write_bytes(b"damaged")
    (tmp_path / "gone" / "events.out.tfevents.1").symlink_to("nowhere")
    steps = {row["name"]: row["steps"] for row in rows(tmp_path)}
    assert steps == {"good": 1, "bad": None, "gone": None}


def test_a_folder_that_nobody_may_look_into_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "good", [1.0])
    (tmp_path / "closed").mkdir()
    listdir = os.listdir

    def closed(folder: Path) -> list[str]:  # the superuser may look into every folder
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied")
        return listdir(folder)

    monkeypatch.setattr("os.listdir", closed)
    found = {row["name"]: row for row in rows(tmp_path)}
    assert found["good"]["note"] is None
    assert found["closed"]["note"].startswith(f"the folder {tmp_path / 'closed'} cannot be read; make it")


# ---------------------------------------------------------------- runs without event files, and foreign ones


def test_a_run_without_event_files_is_told_by_its_report(tmp_path: Path) -> None:
    write(tmp_path / "logged", [1.0])
    quiet = tmp_path / "mnist/scratch/version_0"
    quiet.mkdir(parents=True)
    (quiet / "manifest.json").write_text('{"job": "mnist", "begun": "2020-05-01T12:00:00+00:00"}')
    (quiet / "report.json").write_text('{"val_acc": 0.75, "test_acc": NaN, "val_loss": "low", "sizes": [1]}')
    first, second = rows(tmp_path)
    assert (first["name"], second["name"]) == ("mnist/scratch/version_0", "logged")
    assert [first[name] for name in ("steps", *RESULTS)] == [None, None, None, 0.75, "nan"]
    begun = datetime(2020, 5, 1, 12, tzinfo=UTC).astimezone()
    assert first["when"] == begun.replace(tzinfo=None).isoformat()
    assert resolve("scratch", tmp_path) == quiet
    shown = terminal.show(RecordedRun.read(quiet, "quiet"))
    assert "val_acc 75.00%, test_acc nan\nno curves: it wrote no event files for TensorBoard" in shown
    (quiet / "manifest.json").unlink()  # an older run
    assert rows(tmp_path)[-1]["name"] == "mnist/scratch/version_0", "by the date of its files"


@pytest.mark.parametrize("content", ["", "[1, 2]", "{", '{"begun": 7}', '{"begun": "soon"}', "[" * 9999])
def test_broken_files_beside_a_run_hide_nothing(tmp_path: Path, content: str) -> None:
    write(tmp_path / "good", [1.0])
    (tmp_path / "bad").mkdir()
    for name in ("manifest.json", "report.json"):
        (tmp_path / "bad" / name).write_text(content)
    assert {row["name"]: row["steps"] for row in rows(tmp_path)} == {"good": 1, "bad": None}
    assert terminal.show(RecordedRun.read(tmp_path / "bad", "bad")).startswith("bad\n")


def test_what_is_no_run_is_not_listed(tmp_path: Path) -> None:
    """Empty folders, other programs' files, a folder that is called like an event file."""
    write(tmp_path / "good", [1.0])
    for name in ("wandb/run-1/files", "fit/version_0", "good/events.out.tfevents.0"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "wandb/run-1/files/wandb-summary.json").write_text('{"val_acc": 0.5}')
    (tmp_path / "fit/version_0/junk").write_bytes(b"\x00\xff" * 100)
    assert [(row["name"], row["steps"]) for row in rows(tmp_path)] == [("good", 1)]


def test_a_clock_of_another_age_hides_no_run(tmp_path: Path) -> None:
    for name, time in (("far", 1e300), ("broken", math.inf)):
        with SummaryWriter(str(tmp_path / name)) as writer:
            writer.add_scalar("train_loss", 1.0, 0, walltime=time)
    assert [row["when"][:4] for row in rows(tmp_path)] == [str(datetime.now().year)] * 2


def test_runs_behind_links_are_found_once(tmp_path: Path) -> None:
    """A link into the log folder is another way to a run that has its own place; loops end."""
    elsewhere = write(tmp_path / "disk/deep/version_0", [1.0])
    (elsewhere / "back").symlink_to(tmp_path / "disk")
    log_dir = tmp_path / "runs"
    own = write(log_dir / "mnist/torch/version_0", [1.0])
    (log_dir / "a_link_to_all").symlink_to(log_dir)
    (log_dir / "latest").symlink_to(own)
    (log_dir / "linked").symlink_to(tmp_path / "disk")
    (log_dir / "once more").symlink_to(tmp_path / "disk/deep")
    (log_dir / "dangling").symlink_to("nowhere")
    (log_dir / "circle").symlink_to("circle")
    assert find(log_dir) == [own, log_dir / "once more/version_0"]
    assert sorted(row["name"] for row in rows(log_dir)) == ["mnist/torch/version_0", "once more/version_0"]
    assert resolve("once more", log_dir).resolve() == elsewhere
    assert [row["name"] for row in rows(log_dir / "linked")] == ["deep/version_0"]


def test_no_runs_says_how_to_make_some(tmp_path: Path) -> None:
    for tell in (rows, lambda folder: resolve("x", folder)):
        with pytest.raises(
            UserError, match=f"no runs in {tmp_path}; .*curriculum mnist --log-dir {tmp_path}"
        ):
            tell(tmp_path)


# ---------------------------------------------------------------- which run is meant


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("{log_dir}/mnist/torch/version_2", "mnist/torch/version_2"),
        ("mnist/scratch/version_2", "mnist/scratch/version_2"),
        ("mnist/scratch/version_2/", "mnist/scratch/version_2"),
        ("scratch/version_2", "mnist/scratch/version_2"),
        ("scratch", "mnist/scratch/version_10"),
        ("{log_dir}/mnist/scratch", "mnist/scratch/version_10"),
        ("version_10", "mnist/scratch/version_10"),
        ("torch", "mnist/torch/version_2"),
        ("lesson03", "lesson03"),
    ],
)
def test_a_run_by_path_or_part(log_dir: Path, name: str, meant: str) -> None:
    assert resolve(name.format(log_dir=log_dir), log_dir) == log_dir / meant


def test_an_unknown_run_names_the_nearest(log_dir: Path) -> None:
    with pytest.raises(UserError, match=r"no run 'scrach' in .*; the nearest: mnist/scratch/version_"):
        resolve("scrach", log_dir)


@pytest.mark.parametrize("name", ["mnist", "version_2"])
def test_a_part_of_several_runs_asks_which(log_dir: Path, name: str) -> None:
    with pytest.raises(
        UserError, match=r"more than one run .*mnist/scratch/version_\d+, mnist/torch/version_2"
    ):
        resolve(name, log_dir)


def test_a_run_elsewhere_is_called_by_its_last_names(log_dir: Path, tmp_path: Path) -> None:
    run = log_dir / "mnist/torch/version_2"
    assert label(run, log_dir) == "mnist/torch/version_2"
    assert label(run, log_dir / "mnist") == "torch/version_2"
    assert label(run, tmp_path) == "mnist/torch/version_2"
    assert label(run, run) == "version_2"
