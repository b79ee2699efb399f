"""Read what a run wrote for TensorBoard, without torch and without a browser.

A run is a folder that itself holds event files (`events.out.tfevents.*`). Several files make one run.

TensorBoard's own reader (`EventAccumulator`) is not used. It checks every record with a checksum that it
computes in Python; for the log of one short training (1 MB) that takes 120 to 210 ms, and this here 2 to 4.
Almost all of a log is pictures and histograms, so long records are believed. A test holds both readers equal.
"""

import os
import re
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary

from curriculum import UserError

EVENT_FILES = "events.out.tfevents.*"
CHECKED = 1024  # bytes; longer records are believed


class Point(NamedTuple):
    """One value of a curve. `wall_time`: seconds since 1970."""

    step: int
    value: float
    wall_time: float


class Image(NamedTuple):
    """One picture, `encoded` as it was written: PNG where torch's SummaryWriter wrote it."""

    step: int
    encoded: bytes


@dataclass
class EventLog:
    """All that one run has logged, in the order in which it was written; tags in that of their first record.

    Attributes:
        run: the run's folder.
        scalars: every curve by its tag. As in TensorBoard, a run that was resumed without `purge_step` holds
            some steps twice.
        images: all pictures by tag.
        texts: the last text under every tag.
        histograms: how many histograms each tag has; what is in them is not kept.
        tensors: the same for tensors that are neither scalars nor texts, for example PR curves.
        hparams: what TensorBoard's HPARAMS tab shows; empty where none were written.
        wall_time: when the newest event was written, in seconds since 1970.
        breaks_off: the last file ends within a record: someone still writes to it, or it is damaged.
    """

    run: Path
    scalars: dict[str, list[Point]] = field(default_factory=dict)
    images: dict[str, list[Image]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    histograms: Counter[str] = field(default_factory=Counter)
    tensors: Counter[str] = field(default_factory=Counter)
    hparams: dict[str, float | bool | str] = field(default_factory=dict)
    wall_time: float = 0.0
    breaks_off: bool = False

    @classmethod
    def read(cls, run: Path) -> "EventLog":
        """Read a run's event files, each once. Reading ends where one is cut off or damaged.

        Raises:
            UserError: the folder holds no event file, or no event can be read.
        """
        files = event_files(run)
        if not files:
            raise UserError(
                f"{run} is no run: it holds no event files; see the runs there are: curriculum runs"
            )
        reader = _Reader(cls(run))
        try:
            for path in files:
                reader.read(path)
        except OSError as error:
            raise UserError(f"cannot read the run {run} ({error.strerror})") from error
        except (MemoryError, OverflowError) as error:  # its length may be any 64 bits
            raise UserError(f"cannot read the run {run}: a record does not fit into memory") from error
        log = reader.finished()
        if not log.wall_time:
            raise UserError(
                f"no event in {run} can be read, its files are empty or damaged; move it elsewhere"
            )
        return log

    def points(self, tag: str) -> list[Point]:
        """The curve under a tag that the caller names.

        Raises:
            UserError: there is none; the message names those there are.
        """
        if tag not in self.scalars:
            known = ", ".join(self.scalars) or "no curves"
            raise UserError(f"{self.run} has no '{tag}'; it has: {known}")
        return self.scalars[tag]

    def final(self) -> dict[str, float]:
        """The last value of every curve."""
        return {tag: points[-1].value for tag, points in self.scalars.items()}


def event_files(run: Path) -> list[Path]:
    """The files that a run's log lies in, in the order of writing; empty where it has none."""
    found = [path for path in run.glob(EVENT_FILES) if os.path.isfile(path) or os.path.islink(path)]
    return sorted(found, key=natural)


def natural(path: Path) -> list[str | int]:
    """A key for sorting: numbers inside names count as numbers."""
    parts = re.split(r"([0-9]+)", path.as_posix())  # text and number take turns
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def end_before(path: Path, step: int) -> int:
    """Where in an event file the first event of that step, or of a later one, begins, in bytes.

    Where there is none: where the last whole event ends. Raises `OSError` where the file cannot be read.
    """
    whole = 0
    with path.open("rb") as file:
        for event in _events(file):
            if event.step >= step:
                return whole
            whole = file.tell()
    return whole


# ---------------------------------------------------------------- from events to a log


class _Reader:
    """Puts event after event into a log."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.plugins: dict[str, str] = {}  # by tag: only its first record has to say which it belongs to

    def read(self, path: Path) -> None:
        """All whole events of one file. Raises `OSError` where it cannot be read."""
        size = path.stat().st_size  # before reading: what is appended meanwhile breaks nothing off
        whole = 0
        with path.open("rb") as file:
            for event in _events(file):
                try:
                    self._event(event)
                except DecodeError:  # a long record, which was believed
                    break
                whole = file.tell()
        self.log.breaks_off = whole < size  # an earlier file was cut off by a kill, and the run resumed

    def finished(self) -> EventLog:
        """The log, without tags of which all points or pictures were taken back."""
        self.log.scalars = {tag: points for tag, points in self.log.scalars.items() if points}
        self.log.images = {tag: images for tag, images in self.log.images.items() if images}
        return self.log

    def _event(self, event: Event) -> None:
        self.log.wall_time = max(self.log.wall_time, event.wall_time)
        if event.session_log.status == SessionLog.START:
            self._forget(event.step)
        for value in event.summary.value:
            self._value(event, value)

    def _forget(self, step: int) -> None:
        """A writer that resumes at a step (`purge_step`) takes back what was written from there on."""
        for tag, points in self.log.scalars.items():
            self.log.scalars[tag] = [point for point in points if point.step < step]
        for tag, images in self.log.images.items():
            self.log.images[tag] = [image for image in images if image.step < step]

    def _value(self, event: Event, value: Summary.Value) -> None:
        plugin = self.plugins.setdefault(value.tag, value.metadata.plugin_data.plugin_name)
        if plugin == "hparams":
            self.log.hparams |= _hparams(value.metadata.plugin_data.content)
            return
        match value.WhichOneof("value"):
            case "simple_value":
                self._point(event, value.tag, value.simple_value)
            case "image":
                image = Image(event.step, value.image.encoded_image_string)
                self.log.images.setdefault(value.tag, []).append(image)
            case "histo":
                self.log.histograms[value.tag] += 1
            case "tensor":
                self._tensor(event, value, plugin)

    def _point(self, event: Event, tag: str, value: float) -> None:
        self.log.scalars.setdefault(tag, []).append(Point(event.step, value, event.wall_time))

    def _tensor(self, event: Event, value: Summary.Value, plugin: str) -> None:
        if plugin == "text" and value.tensor.string_val:
            text = value.tensor.string_val[0].decode("utf-8", "replace")
            self.log.texts[value.tag.removesuffix("/text_summary")] = text  # add_text adds the suffix
        elif plugin == "scalars":
            self._scalar(event, value)
        else:
            self.log.tensors[value.tag] += 1

    def _scalar(self, event: Event, value: Summary.Value) -> None:
        """A point that was written as a tensor, if it is a number."""
        from tensorboard.util.tensor_util import make_ndarray  # imports NumPy; few runs need it

        try:
            self._point(event, value.tag, float(make_ndarray(value.tensor).item()))
        except (TypeError, ValueError):  # another program's text, list or kind of number
            self.log.tensors[value.tag] += 1


def _hparams(content: bytes) -> dict[str, float | bool | str]:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    values = HParamsPluginData.FromString(content).session_start_info.hparams
    kinds = {name: values[name].WhichOneof("kind") for name in sorted(values)}
    return {name: getattr(values[name], kind) for name, kind in kinds.items() if kind}


# ---------------------------------------------------------------- from bytes to events


def _events(file: BinaryIO) -> Iterator[Event]:
    """Each whole event of a file. Ends before the first that is cut off or damaged."""
    # A record: its length, the length's checksum, the event, the event's checksum.
    while len(head := file.read(12)) == 12:
        length, checksum = struct.unpack("<QI", head)
        if masked_crc32c(head[:8]) != checksum:
            return
        record = file.read(length)
        tail = file.read(4)
        if len(tail) < 4:
            return
        if length <= CHECKED and masked_crc32c(record) != int.from_bytes(tail, "little"):
            return
        try:
            event = Event.FromString(record)
        except DecodeError:
            return
        yield event


def _remainders() -> list[int]:
    """For each byte, what is left of it after division by CRC-32C's polynomial."""
    table = []
    for byte in range(256):
        rest = byte
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
        table.append(rest)
    return table


REMAINDERS = _remainders()


def masked_crc32c(content: bytes) -> int:
    """The checksum of a record. TensorBoard's own function would import NumPy and fsspec, 0.4 s."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc = crc >> 8 ^ REMAINDERS[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
