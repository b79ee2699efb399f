"""Read what a run wrote for TensorBoard, without torch and without a browser.

A run is a folder that itself holds event files (`events.out.tfevents.*`). Several files make one run. Reading
ends where a file is cut off or damaged, as TensorBoard's own does; `breaks_off` says whether it did.

Every function below that takes a run raises `UserError` where the folder holds no event file, where none can
be read, and where a tag is not in it.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from curriculum import UserError

EVENT_FILES = "events.out.tfevents.*"
# The checksum is computed in Python, 5 MB a second. Pictures and histograms would
# take seconds per run.
CHECKED = 1024  # bytes; longer records are believed


class Point(NamedTuple):
    """One value of a curve. `wall_time`: seconds since 1970."""

    step: int
    value: float
    wall_time: float


class Image(NamedTuple):
    """One picture, encoded as it was written: PNG where torch's SummaryWriter wrote it."""

    step: int
    png: bytes


def find(log_dir: Path) -> list[Path]:
    """Every run under `log_dir`, sorted by path, version_2 before version_10; empty where there is none."""
    return sorted({file.parent for file in log_dir.rglob(EVENT_FILES)}, key=natural)


def natural(path: Path) -> list[str | int]:
    """A key for sorting: numbers inside names count as numbers."""
    parts = re.split(r"([0-9]+)", path.as_posix())  # text and number take turns
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def tags(run: Path) -> dict[str, list[str]]:
    """Tags by kind (scalars, images, texts, histograms, tensors), in the order they were first written.

    `tensors` are all tensors that are neither scalars nor texts, for example PR curves.
    """
    log = _log(run)
    return {
        "scalars": [tag for tag, points in log.scalars.items() if points],
        "images": [tag for tag, images in log.images.items() if images],
        "texts": list(log.texts),
        "histograms": list(log.histograms),
        "tensors": list(log.tensors),
    }


def scalars(run: Path, tag: str) -> list[Point]:
    """All points of a curve, in the order they were written.

    As in TensorBoard, a run that was resumed without `purge_step` holds some steps twice.
    """
    return list(_of(_log(run).scalars, tag, run))


def final(run: Path) -> dict[str, float]:
    """The last value of every scalar tag."""
    return {tag: points[-1].value for tag, points in _log(run).scalars.items() if points}


def images(run: Path, tag: str) -> list[Image]:
    """All pictures under a tag, in the order they were written."""
    return list(_of(_log(run).images, tag, run))


def texts(run: Path) -> dict[str, str]:
    """The last text under every text tag."""
    return dict(_log(run).texts)


def hparams(run: Path) -> dict[str, float | bool | str]:
    """The hyperparameters that TensorBoard's HPARAMS tab shows; empty where none were written."""
    return dict(_log(run).hparams)


def written(run: Path) -> float:
    """When the newest event was written, in seconds since 1970."""
    return _log(run).wall_time


def breaks_off(run: Path) -> bool:
    """Whether a file ends within a record: someone still writes to it, or it is damaged."""
    return _log(run).breaks_off


# ---------------------------------------------------------------- one run in memory


@dataclass
class _Log:
    """What was read of one run, by tag. Histograms and other tensors are only counted by name."""

    scalars: dict[str, list[Point]] = field(default_factory=dict)
    images: dict[str, list[Image]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    histograms: dict[str, None] = field(default_factory=dict)
    tensors: dict[str, None] = field(default_factory=dict)
    hparams: dict[str, float | bool | str] = field(default_factory=dict)
    plugins: dict[str, str] = field(default_factory=dict)
    wall_time: float = 0.0
    breaks_off: bool = False

    def add(self, event: Event) -> None:
        self.wall_time = max(self.wall_time, event.wall_time)
        if event.session_log.status == SessionLog.START:
            self._forget(event.step)
        for value in event.summary.value:
            # Only a tag's first record has to say which plugin it belongs to.
            plugin = self.plugins.setdefault(value.tag, value.metadata.plugin_data.plugin_name)
            match value.WhichOneof("value"):
                case "simple_value":
                    self._point(event, value.tag, value.simple_value)
                case "image":
                    image = Image(event.step, value.image.encoded_image_string)
                    self.images.setdefault(value.tag, []).append(image)
                case "histo":
                    self.histograms[value.tag] = None
                case "tensor":
                    self._tensor(event, value, plugin)
            if plugin == "hparams":
                self.hparams |= _hparams(value.metadata.plugin_data.content)

    def _forget(self, step: int) -> None:
        """A writer that resumes at a step (`purge_step`) takes back what was written from there on."""
        for tag, points in self.scalars.items():
            self.scalars[tag] = [point for point in points if point.step < step]
        for tag, images in self.images.items():
            self.images[tag] = [image for image in images if image.step < step]

    def _point(self, event: Event, tag: str, value: float) -> None:
        self.scalars.setdefault(tag, []).append(Point(event.step, value, event.wall_time))

    def _tensor(self, event: Event, value: Any, plugin: str) -> None:
        if plugin == "text" and value.tensor.string_val:
            text = value.tensor.string_val[0].decode("utf-8", "replace")
            self.texts[value.tag.removesuffix("/text_summary")] = text  # add_text adds the suffix
        elif plugin == "scalars":
            from tensorboard.util.tensor_util import make_ndarray

            self._point(event, value.tag, make_ndarray(value.tensor).item())
        elif plugin != "hparams":
            self.tensors[value.tag] = None


Item = TypeVar("Item", Point, Image)


def _of(items: dict[str, list[Item]], tag: str, run: Path) -> list[Item]:
    if tag not in items:
        raise UserError(f"{run} has no '{tag}'; it has: {', '.join(items) or 'none of that kind'}")
    return items[tag]


def _hparams(content: bytes) -> dict[str, float | bool | str]:
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    values = HParamsPluginData.FromString(content).session_start_info.hparams
    # A leading underscore marks what Lightning notes for itself.
    return {
        name: getattr(values[name], values[name].WhichOneof("kind"))
        for name in sorted(values)
        if not name.startswith("_") and values[name].WhichOneof("kind")
    }


def _log(run: Path) -> _Log:
    try:
        files = [(file, file.stat()) for file in sorted(run.glob(EVENT_FILES), key=natural)]
        log = _read(tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in files))
    except OSError as error:
        raise UserError(f"cannot read the run {run} ({error.strerror})") from error
    if not files:
        raise UserError(f"{run} is no run: it holds no event files; see the runs there are: curriculum runs")
    if not log.wall_time:
        raise UserError(f"no event in {run} can be read, its files are empty or damaged; delete it")
    return log


@lru_cache(maxsize=4)
def _read(files: tuple[tuple[Path, int, int], ...]) -> _Log:
    """The files as one log. Size and time stand in the key, so that a file that grew is read again."""
    log = _Log()
    for path, size, _ in files:
        end = 0
        for end, event in _events(path):  # noqa: B007 (used after the loop)
            log.add(event)
        log.breaks_off = end < size  # an earlier one was cut off by a kill, and the run resumed
    return log


def _events(path: Path) -> Iterator[tuple[int, Event]]:
    """Each whole event of a file, with the place in the file where it ends."""
    with path.open("rb") as file:
        # A record: its length, the length's checksum, the event, the event's checksum.
        while len(head := file.read(12)) == 12:
            length, checksum = struct.unpack("<QI", head)
            if masked_crc32c(head[:8]) != checksum:
                return
            record, tail = file.read(length), file.read(4)
            if len(tail) < 4:
                return
            if length <= CHECKED and masked_crc32c(record) != int.from_bytes(tail, "little"):
                return
            try:
                event = Event.FromString(record)
            except DecodeError:
                return
            yield file.tell(), event
