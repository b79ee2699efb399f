"""Event files are read as they were written, as TensorBoard does it, and only as far as they are whole."""

import os
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from tensorboard.util.tensor_util import make_tensor_proto
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import scalar

from curriculum import UserError
from curriculum.runs import events
from curriculum.runs.events import EventLog
from tests.support.runs import NASTY, add_hparams, event_file, record_ends, write

# ---------------------------------------------------------------- what was written


def test_all_points_come_back_as_they_were_written(tmp_path: Path) -> None:
    values = torch.rand(500, generator=torch.Generator().manual_seed(0)).tolist()
    log = EventLog.read(write(tmp_path / "run", values, test_acc=0.75))
    points = log.scalars["train_loss"]
    assert [(point.step, point.value) for point in points] == list(enumerate(values))
    assert log.final() == {"train_loss": values[-1], "test_acc": 0.75}
    assert points[0].wall_time <= points[-1].wall_time <= log.wall_time
    assert not log.breaks_off


@pytest.mark.parametrize("purge_step", [None, 29, 25, 0])
def test_the_log_is_that_of_tensorboard(own: Path, purge_step: int | None) -> None:
    """Also that of a run that goes on in a second file: at the end, at a step, from the beginning."""
    with SummaryWriter(str(own), purge_step=purge_step, filename_suffix=".resumed") as writer:
        for step in range(25, 35):
            writer.add_scalar("train_loss", -step, step)
    theirs = EventAccumulator(str(own)).Reload()
    log = EventLog.read(own)
    kept = {tag: theirs.Scalars(tag) for tag in theirs.Tags()["scalars"] if theirs.Scalars(tag)}
    assert list(log.scalars) == list(kept)
    for tag, points in log.scalars.items():
        assert [tuple(point) for point in points] == [(p.step, p.value, p.wall_time) for p in kept[tag]]
    images = {tag: theirs.Images(tag) for tag in theirs.Tags()["images"] if theirs.Images(tag)}
    assert list(log.images) == list(images)
    for tag, pictures in log.images.items():
        assert [tuple(one) for one in pictures] == [(i.step, i.encoded_image_string) for i in images[tag]]
    assert len(log.scalars["train_loss"]) == {None: 40, 29: 39, 25: 35, 0: 10}[purge_step]
    assert ("test_acc" in log.scalars) == (purge_step is None)


def test_scalars_written_as_tensors_are_scalars(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(3):
            writer.add_scalar("loss", step / 4, step, new_style=True)
    log = EventLog.read(tmp_path)
    assert [(p.step, p.value) for p in log.scalars["loss"]] == [(0, 0.0), (1, 0.25), (2, 0.5)]
    assert not log.tensors


def test_only_the_first_record_of_a_tag_has_to_say_what_it_is(tmp_path: Path) -> None:
    """TensorFlow's writers leave it out afterwards."""
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(2):
            summary = scalar("loss", step / 4, new_style=True)
            if step:
                summary.value[0].ClearField("metadata")
            writer._get_file_writer().add_summary(summary, step)
    assert [point.value for point in EventLog.read(tmp_path).scalars["loss"]] == [0.0, 0.25]


def test_the_newest_event_counts_where_a_clock_was_set_back(tmp_path: Path) -> None:
    later = time.time() + 3600
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("a", 1.0, 0, walltime=later)
        writer.add_scalar("a", 2.0, 1)
    log = EventLog.read(tmp_path)
    assert log.wall_time == later
    assert log.final() == {"a": 2.0}


def test_every_kind_of_tag(full: Path) -> None:
    log = EventLog.read(full)
    assert list(log.scalars) == [
        "train_loss", "epoch", "grad_norm/0.weight", "grad_norm/0.bias", "val_acc", "test_acc",
    ]  # fmt: skip
    assert (list(log.images), dict(log.histograms), dict(log.tensors)) == (["answers"], {"weights": 3}, {})
    assert list(log.texts) == ["run", "note"]
    assert log.texts["note"] == f"second {NASTY}"
    assert log.hparams == {"lr": 0.25, "optimizer": "sgd"}


def test_images_are_the_bytes_that_were_written(full: Path, tmp_path: Path) -> None:
    images = EventLog.read(full).images["answers"]
    assert [image.step for image in images] == [9, 19, 29]
    path = tmp_path / "picture.png"
    path.write_bytes(images[0].encoded)
    written = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))
    assert np.array_equal(np.asarray(Image.open(path)), (written * 255).byte().permute(1, 2, 0).numpy())


def test_an_unknown_curve_names_those_there_are(full: Path) -> None:
    log = EventLog.read(full)
    assert log.points("val_acc") == log.scalars["val_acc"]
    with pytest.raises(UserError, match=r"no 'loss'; it has: train_loss, epoch"):
        log.points("loss")


def test_every_file_is_read_once(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(own, [1.0])
    read = events._events
    opened: list[str] = []

    def note(file: object) -> object:
        opened.append(file.name)  # type: ignore[attr-defined]
        return read(file)  # type: ignore[arg-type]

    monkeypatch.setattr(events, "_events", note)
    EventLog.read(own)
    assert sorted(opened) == sorted(map(str, own.glob(events.EVENT_FILES)))


def test_a_log_that_has_grown_is_read_again(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        for value in (1.0, 2.0):
            writer.add_scalar("a", value, 0)
            writer.flush()
            assert EventLog.read(tmp_path).final() == {"a": value}


# ---------------------------------------------------------------- what is damaged


def test_a_cut_file_is_read_up_to_the_cut(tmp_path: Path) -> None:
    file = event_file(write(tmp_path, [0.5, 1.5, 2.5]))
    whole = file.read_bytes()
    ends = record_ends(whole)
    for cut in range(ends[-2] + 1, ends[-1]):
        file.write_bytes(whole[:cut])
        log = EventLog.read(tmp_path)
        assert [point.value for point in log.scalars["train_loss"]] == [0.5, 1.5]
        assert log.breaks_off
    file.write_bytes(whole[: ends[-2]])
    assert not EventLog.read(tmp_path).breaks_off


def test_a_run_that_went_on_after_a_kill_does_not_break_off(tmp_path: Path) -> None:
    file = event_file(write(tmp_path, [0.5, 1.5]))
    file.write_bytes(file.read_bytes()[:-1])
    with SummaryWriter(str(tmp_path), filename_suffix=".resumed") as writer:
        writer.add_scalar("train_loss", 2.5, 2)
    log = EventLog.read(tmp_path)
    assert [point.value for point in log.scalars["train_loss"]] == [0.5, 2.5]
    assert not log.breaks_off


def test_no_damaged_value_is_believed(tmp_path: Path) -> None:
    """Every single byte of the second last point, turned over, ends the reading before that point."""
    file = event_file(write(tmp_path, [0.5, 1.5, 2.5]))
    whole = file.read_bytes()
    *_, start, end, _ = record_ends(whole)
    for place in range(start, end):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        file.write_bytes(damaged)
        log = EventLog.read(tmp_path)
        assert [point.value for point in log.scalars["train_loss"]] == [0.5]
        assert log.breaks_off


def test_damage_in_a_long_record_ends_the_reading(tmp_path: Path) -> None:
    """Nobody computes its checksum, so it may be found out when it is taken apart."""
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("a", 1.0, 0)
        add_hparams(writer, {f"name{n}": "value " * 20 for n in range(20)})
    file = event_file(tmp_path)
    whole = file.read_bytes()
    place = whole.rindex(b"value ")  # a byte that begins no character of UTF-8
    file.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
    log = EventLog.read(tmp_path)
    assert (log.final(), log.hparams, log.breaks_off) == ({"a": 1.0}, {}, True)


def test_the_checksum_is_tensorboards() -> None:
    for length in (0, 1, 8, 300):
        content = os.urandom(length)
        assert events.masked_crc32c(content) == masked_crc32c(content), content


@pytest.mark.parametrize("content", [b"", b"nothing of the kind" * 50])
def test_files_without_an_event_are_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "events.out.tfevents.1").write_bytes(content)
    with pytest.raises(UserError, match="empty or damaged; move it elsewhere"):
        EventLog.read(tmp_path)


@pytest.mark.parametrize("length", [2**62, 2**64 - 1])
def test_a_record_longer_than_memory_is_one_clear_line(tmp_path: Path, length: int) -> None:
    head = struct.pack("<Q", length)
    checksum = struct.pack("<I", events.masked_crc32c(head))
    (tmp_path / "events.out.tfevents.1").write_bytes(head + checksum + b"short")
    with pytest.raises(UserError, match="a record does not fit into memory"):
        EventLog.read(tmp_path)


def test_scalars_of_other_programs_that_are_no_numbers_are_passed_over(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        for tag, value in (("text", "words"), ("list", [1.0, 2.0]), ("number", 0.5)):
            summary = Summary()
            metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="scalars"))
            summary.value.add(tag=tag, tensor=make_tensor_proto(value), metadata=metadata)
            writer._get_file_writer().add_summary(summary, 3)
    log = EventLog.read(tmp_path)
    assert log.final() == {"number": 0.5}
    assert set(log.tensors) == {"text", "list"}


def test_a_folder_without_events_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no run"):
        EventLog.read(tmp_path)
