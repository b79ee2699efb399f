"""What one run's folder tells, as plain values: its log, what was run, how its numbers are written.

The views (`terminal`, `page`) are given a `RecordedRun` and read no file themselves.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from curriculum.data_names import PARTS, counted, in_words
from curriculum.runs.events import EventLog, Point, event_files

OF_DATA = ("data", "data_sha256", "pictures")
RESULTS = ("train_loss", "val_loss", "val_acc", "test_acc")
CURVES = ("train_loss", "val_loss", "train_acc", "val_acc", "lr")  # shown first, in this order
COUNTERS = ("epoch",)  # Lightning writes it; its curve tells nothing
BREAKS_OFF = "the log breaks off: the run is still going on, or a file is damaged"
NO_LOG = "no curves: it wrote no event files for TensorBoard"

REPORT = "report.json"
MANIFEST = "manifest.json"
CONFIG = "config.yaml"
# Of the machine or of the whole command, not of this run.
LEFT_OUT = ("folder", "log_dir", "data_dir", "engines")
# The command line and the commit stay in the manifest: a page is mailed to others.
FROM_MANIFEST = (*OF_DATA, "device", "threads", "seed", "options", "versions")
LARGEST = 16 << 20  # bytes; a file that is larger tells of no run
FROM_CONFIG = {  # where the facts that are in no other file stand in config.yaml
    "seed_everything": ("seed_everything",),
    "max_epochs": ("trainer", "max_epochs"),
    "batch_size": ("data", "batch_size"),
    "augment": ("data", "augment"),
    "patience": ("patience",),
}


@dataclass(frozen=True)
class RecordedRun:
    """One run, read once.

    Attributes:
        folder: where it lies.
        name: what it is called, for example its path inside the log folder.
        log: its event files; empty where it wrote none.
        results: the last of each of `RESULTS` that the run has.
        facts: what was run, name and value as text.
        config: config.yaml as it stands; empty where there is none.
    """

    folder: Path
    name: str
    log: EventLog
    results: dict[str, float]
    facts: dict[str, str]
    config: str

    @classmethod
    def read(cls, folder: Path, name: str) -> "RecordedRun":
        """Read the run in `folder`.

        Raises:
            UserError: it has event files, and no event in them can be read.
        """
        log = read_log(folder)
        results = read_results(folder, log)
        return cls(folder, name, log, results, read_facts(folder, log), _text(folder / CONFIG))

    @property
    def warning(self) -> str:
        """What a reader of its curves has to know; empty where there is nothing."""
        if not self.log.wall_time:
            return NO_LOG
        return BREAKS_OFF if self.log.breaks_off else ""

    def curves(self) -> dict[str, list[Point]]:
        """The curves of more than one point: first the main ones, then in the order of writing."""
        found = {tag: points for tag, points in self.log.scalars.items() if len(points) > 1}
        main = [tag for tag in CURVES if tag in found]
        others = [tag for tag in found if tag not in CURVES + COUNTERS]
        return {tag: found[tag] for tag in main + others}


def number(tag: str, value: float) -> str:
    """A value as its reader wants it: accuracies in per cent, all else to four digits."""
    if tag.endswith("_acc") and math.isfinite(value):
        return f"{value:.2%}"
    return f"{value:.4g}"


# ---------------------------------------------------------------- the log, or what stands for it


def read_log(folder: Path) -> EventLog:
    """The run's log, empty where it wrote none: with `--log off`, or with another logger.

    Raises:
        UserError: it has event files, and no event in them can be read.
    """
    return EventLog.read(folder) if event_files(folder) else EventLog(folder)


def read_results(folder: Path, log: EventLog) -> dict[str, float]:
    """The last of each of `RESULTS`: from the log, and what is not in it from the report."""
    known = {name: value for name, value in read_report(folder).items() if isinstance(value, float)}
    known |= log.final()
    return {name: known[name] for name in RESULTS if name in known}


def read_report(folder: Path) -> dict[str, Any]:
    """What stands in report.json; empty where there is none, a note where it cannot be read."""
    return _parsed(folder / REPORT, json.loads)


def read_manifest(folder: Path) -> dict[str, Any]:
    """What stands in manifest.json; empty where there is none, a note where it cannot be read."""
    return _parsed(folder / MANIFEST, json.loads)


def data_of(folder: Path) -> dict[str, Any]:
    """What the run learned from and was measured on, from its report, else from its manifest.

    Returns:
        `data`, what it is called; `data_sha256`; `pictures`, how many in each part. None where no file tells.
    """
    report = read_report(folder)
    known = report if report.get("data") else read_manifest(folder)
    told = {name: known.get(name) for name in OF_DATA}
    if told["data"] is not None:
        told["data"] = str(told["data"])
    told["pictures"] = _counts(told["pictures"])
    return told


def measured_in_words(told: Mapping[str, Any]) -> str:
    """What `data_of` tells, without what was only learned from: MNIST, 10,000 to validate, 10,000 to test."""
    counts = told["pictures"] or {}
    return counted(told["data"], {part: count for part, count in counts.items() if part != "train"})


def _counts(pictures: Any) -> dict[str, int] | None:
    """How many pictures of each part, as a file tells it; None where it tells something else."""
    if not isinstance(pictures, dict):
        return None
    return {part: count for part, count in pictures.items() if part in PARTS and isinstance(count, int)}


# ---------------------------------------------------------------- what was run


def read_facts(folder: Path, log: EventLog) -> dict[str, str]:
    """What was run, from the files beside the log and from the log. The first to name a fact wins.

    A run that goes on has no report yet, and a run of an older version or of somebody's own program no
    manifest: then the log is what tells of it. A file that cannot be read is a fact, too.
    """
    sources = (
        _in_words(read_report(folder)),
        _in_words(_from_manifest(read_manifest(folder))),
        _from_config(_parsed(folder / CONFIG, yaml.safe_load)),
        _from_table(log.texts.get("run", "")),
        log.hparams,  # last: TensorBoard keeps numbers as floats
    )
    known: dict[str, str] = {}
    for source in sources:
        for name, value in _flat(source):
            known.setdefault(name, value)
    return {name: value for name, value in known.items() if name not in LEFT_OUT}


def _parsed(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    """A file's dictionary; empty where there is no file, and a note where it is damaged."""
    try:
        found = parse(path.read_text(encoding="utf-8")) if path.stat().st_size <= LARGEST else None
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        found = None
    return found if isinstance(found, dict) else {path.name: "cannot be read"}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _in_words(known: dict[str, Any]) -> dict[str, Any]:
    """The same, the pictures of each part in words."""
    counts = _counts(known.get("pictures"))
    return known | {"pictures": in_words(counts)} if counts else known


def _from_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {name: manifest[name] for name in (*FROM_MANIFEST, MANIFEST) if name in manifest}


def _from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The plain values of `FROM_CONFIG`."""
    found = {name: config[name] for name in (CONFIG,) if name in config}
    for name, place in FROM_CONFIG.items():
        value: Any = config
        for key in place:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, int | float | str):
            found[name] = value
    return found


def _from_table(text: str) -> dict[str, str]:
    """The rows of the two-column table that `RunLog` writes as text, without its head and the line below."""
    rows = {}
    for line in text.splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 2:
            rows[cells[0]] = cells[1]
    return rows


def _flat(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values as text, those of inner dictionaries last; None is left out."""
    inner = [values for values in facts.values() if isinstance(values, dict)]
    for values in (facts, *inner):
        for name, value in values.items():
            if value is None or isinstance(value, dict) or name.startswith("_"):  # Lightning's own notes
                continue
            yield name, _readable(value)


def _readable(value: Any) -> str:
    """A value as a run's log writes it: sizes become 784–128–64–10."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "–".join(map(str, value))
    return str(value)
