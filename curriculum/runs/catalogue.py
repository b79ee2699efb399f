"""What the commands `runs` and `runs show` tell about runs in a terminal. No torch, no browser."""

import contextlib
import difflib
import json
import math
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.markup import escape

from curriculum import UserError
from curriculum.runs import events
from curriculum.runs.events import Point
from curriculum.table import TerminalTable

RESULTS = ("train_loss", "val_loss", "val_acc", "test_acc")
CURVES = ("train_loss", "val_loss", "train_acc", "val_acc", "lr")  # shown first, in this order
PATHS = ("folder", "log_dir", "data_dir")  # of the machine, not of the run
COUNTERS = ("epoch",)  # Lightning writes it; its curve tells nothing
FEW_FACTS = (
    "engine", "data", "parameters", "sizes", "activation", "optimizer", "lr", "epochs", "max_epochs",
    "batch_size", "seed", "dtype", "torch",
)  # fmt: skip
CONFIG_FACTS = ("max_epochs", "patience", "batch_size", "augment", "seed_everything")
BREAKS_OFF = "the log breaks off: the run is still going on, or a file is damaged"
LINES = 5  # of a curve in the terminal
# The bit of each of the eight dots in a braille character, by row and column.
BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))

# ---------------------------------------------------------------- which runs there are


def rows(log_dir: Path) -> list[dict[str, Any]]:
    """One row per run, the newest last: name, steps, the last of each of RESULTS, when, folder.

    Plain values for JSON. What a run lacks, and all of a run that cannot be read, is None. A number that JSON
    has no sign for is text: "nan", "inf". `when` is local time in ISO 8601.

    Raises:
        UserError: there is no run in `log_dir`.
    """
    return sorted((_row(run, log_dir) for run in _find(log_dir)), key=lambda row: row["when"])


def table(log_dir: Path) -> TerminalTable:
    """The rows for the terminal, a dash where a run lacks a number. Raises as `rows` does."""
    result = TerminalTable(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    result.add_column("\nrun", overflow="fold")
    for column in ("\nsteps", *(name.replace("_", "\n") for name in RESULTS)):
        result.add_column(column, justify="right", no_wrap=True)
    result.add_column("\nwhen", no_wrap=True)
    for row in rows(log_dir):
        numbers = (_cell(name, row[name]) for name in ("steps", *RESULTS))
        result.add_row(escape(printable(row["name"])), *numbers, _when(row["when"]))
    return result


def resolve(name: str, log_dir: Path) -> Path:
    """The run that `name` means: its path, its path inside `log_dir`, or a part of that path.

    A part that fits several versions of one run means the newest: "scratch" is mnist/scratch/version_7.

    Raises:
        UserError: there is no run at all, no run of that name, or more than one.
    """
    for path in (Path(name), log_dir / name):
        if any(path.glob(events.EVENT_FILES)):
            return path
    versions: dict[str, Path] = {}  # of each run the last, which is the newest
    found = _find(log_dir)
    for run in found:
        inside = label(run, log_dir)
        if _is_part(_inside(name, log_dir), inside):
            versions[inside.rpartition("/version_")[0] or inside] = run
    if len(versions) == 1:
        return versions.popitem()[1]
    names = [label(run, log_dir) for run in versions.values() or found]
    if not versions:
        by_likeness = difflib.get_close_matches(name, names, n=3, cutoff=0.0)
        raise UserError(f"there is no run '{name}' in {log_dir}; the nearest: {', '.join(by_likeness)}")
    raise UserError(f"'{name}' fits more than one run in {log_dir}: {', '.join(names)}; say which one")


def label(run: Path, log_dir: Path) -> str:
    """The run's path inside `log_dir`; its last three names where it lies elsewhere."""
    with contextlib.suppress(ValueError):
        inside = run.resolve().relative_to(log_dir.resolve()).as_posix()
        return inside if inside != "." else run.resolve().name
    return "/".join(run.resolve().parts[-3:])


def _find(log_dir: Path) -> list[Path]:
    found = events.find(log_dir)
    if not found:
        raise UserError(
            f"there are no runs in {log_dir}; make some first: curriculum mnist --log-dir {log_dir}"
        )
    return found


def _inside(name: str, log_dir: Path) -> str:
    """`name` without the log_dir that a shell's completion put before it."""
    with contextlib.suppress(ValueError):
        return Path(name).resolve().relative_to(log_dir.resolve()).as_posix()
    return name


def _is_part(name: str, inside: str) -> bool:
    """Whole names only: "torch" is part of mnist/torch/version_0, not of mnist/torch_old/version_0."""
    return name == "." or f"/{name.strip('/')}/" in f"/{inside}/"


def _row(run: Path, log_dir: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"name": label(run, log_dir), "steps": None, **dict.fromkeys(RESULTS)}
    when = max(file.stat().st_mtime for file in run.glob(events.EVENT_FILES))
    with contextlib.suppress(UserError):  # a run that cannot be read hides no other run
        final = events.final(run)
        row |= {name: _for_json(final[name]) for name in RESULTS if name in final}
        row["steps"], when = _steps(run), events.written(run)
    return row | {"when": datetime.fromtimestamp(when).isoformat(), "folder": str(run)}


def _steps(run: Path) -> int | None:
    """How many steps the run has trained for. Steps count from 0; None where nothing was trained."""
    # test_acc stands at the number of steps, these at the step that they belong to.
    trained = [tag for tag in events.tags(run)["scalars"] if tag in ("train_loss", "val_loss", "val_acc")]
    return max((events.scalars(run, tag)[-1].step + 1 for tag in trained), default=None)


def _for_json(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _cell(name: str, value: float | str | None) -> str:
    if value is None or isinstance(value, str):
        return value or "-"
    return f"{value:,}" if isinstance(value, int) else number(name, value)


def _when(when: str) -> str:
    then = datetime.fromisoformat(when)
    return then.strftime("%d %b %H:%M" if then.year == datetime.now().year else "%d %b %Y")


# ---------------------------------------------------------------- one run


def show(run: Path, log_dir: Path, width: int = 80, unicode: bool = True) -> str:
    """The run in lines of at most `width` characters: what was run, its curves, what else is in its log.

    Raises:
        UserError: the run cannot be read.
    """
    known, final = facts(run), events.final(run)
    lines = [label(run, log_dir)]
    lines += _fill((f"{name} {known[name]}" for name in FEW_FACTS if name in known), width)
    lines += _fill((f"{tag} {number(tag, final[tag])}" for tag in RESULTS if tag in final), width)
    if events.breaks_off(run):
        lines += _fill([BREAKS_OFF], width)
    drawn = curves(run)
    drawn = [tag for tag in drawn if tag in CURVES] or drawn[: len(CURVES)]
    for tag in drawn:
        lines += ["", *_curve(tag, events.scalars(run, tag), width, unicode)]
    lines += ["", *_fill(_others(run, drawn), width)]
    text = "\n".join(printable(line)[:width].rstrip() for line in lines).rstrip()
    return text if unicode else text.encode("ascii", "replace").decode()


def facts(run: Path) -> dict[str, str]:
    """What was run: report.json, the text "run", hyperparameters, config.yaml. The first to name one wins."""
    known: dict[str, str] = {}
    text = _table_rows(events.texts(run).get("run", ""))
    for source in (_report(run), text, events.hparams(run), _config(run)):
        for name, value in _flat(source):
            known.setdefault(name, value)
    return {name: value for name, value in known.items() if name not in PATHS}


def curves(run: Path) -> list[str]:
    """The scalar tags with more than one point: first the main ones, then in the order of writing."""
    found = [tag for tag in events.tags(run)["scalars"] if len(events.scalars(run, tag)) > 1]
    return [tag for tag in CURVES if tag in found] + [tag for tag in found if tag not in CURVES + COUNTERS]


def number(tag: str, value: float) -> str:
    """A value as its reader wants it: accuracies in per cent, all else to four digits."""
    return f"{value:.2%}" if tag.endswith("_acc") and math.isfinite(value) else f"{value:.4g}"


def printable(text: str) -> str:
    """Tags and texts come from files: nothing in them may steer the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def plot(points: Sequence[tuple[float, float]], columns: int, lines: int, unicode: bool) -> list[str]:
    """A curve in `lines` lines of `columns` characters: braille with its eight dots each, or stars.

    Args:
        points: (x, y), at least one, all finite.
    """
    wide, high = (2, 4) if unicode else (1, 1)  # dots in a character
    across = _onto([x for x, _ in points], columns * wide - 1)
    down = _onto([-y for _, y in points], lines * high - 1)
    dots = list(zip(across, down, strict=True))
    cells = [[0] * columns for _ in range(lines)]
    for (x0, y0), (x1, y1) in pairwise([dots[0], *dots]):
        count = math.ceil(max(abs(x1 - x0), abs(y1 - y0), 1))
        for part in range(count + 1):
            x, y = round(x0 + (x1 - x0) * part / count), round(y0 + (y1 - y0) * part / count)
            cells[y // high][x // wide] |= BRAILLE[y % high][x % wide]
    return ["".join(chr(0x2800 + cell) if unicode else " *"[cell > 0] for cell in row) for row in cells]


def _onto(values: list[float], last: int) -> list[float]:
    """Stretch the values over 0 … last; values that are all equal go to the middle."""
    low, high = min(values), max(values)
    return [(value - low) / (high - low) * last if high > low else last / 2 for value in values]


def _curve(tag: str, points: list[Point], width: int, unicode: bool) -> list[str]:
    """A heading with the first and the last value, the curve, highest and lowest value and step beside it."""
    finite = [(point.step, point.value) for point in points if math.isfinite(point.value)]
    arrow, bar = ("→", "│") if unicode else ("->", "|")
    heading = f"{tag}  {number(tag, points[0].value)} {arrow} {number(tag, points[-1].value)}"
    if len(finite) < len(points):
        heading += f"  ({len(points) - len(finite)} not finite)"
    if not finite:
        return [heading]
    values = [value for _, value in finite]
    labels = [number(tag, max(values)), *[""] * (LINES - 2), number(tag, min(values))]
    margin = max(map(len, labels))
    drawn = plot(finite, width - margin - 2, LINES, unicode)
    rows = [f"{label:>{margin}} {bar}{row}" for label, row in zip(labels, drawn, strict=True)]
    first, last = (f"{finite[index][0]:,}" for index in (0, -1))
    return [heading, *rows, f"{'':{margin}} {first}{last:>{width - margin - 1 - len(first)}}"]


def _others(run: Path, drawn: list[str]) -> Iterator[str]:
    """What the log holds besides, counted: grad_norm/… (6), 3 images, 11 histograms."""
    tags = events.tags(run)
    left = [tag for tag in tags.pop("scalars") if tag not in (*drawn, *RESULTS, *COUNTERS)]
    for prefix, count in Counter(tag.partition("/")[0] for tag in left).items():
        yield prefix if prefix in left else f"{prefix}/ ({count})"
    yield from (
        f"{len(names)} {kind if len(names) > 1 else kind[:-1]}" for kind, names in tags.items() if names
    )


def _fill(parts: Iterable[str], width: int) -> list[str]:
    return textwrap.wrap(", ".join(parts), width, break_on_hyphens=False)


def _report(run: Path) -> dict[str, Any]:
    """report.json; a damaged one is a fact of the run too."""
    try:
        found = json.loads((run / "report.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        found = None
    return found if isinstance(found, dict) else {"report.json": "cannot be read"}


def config(run: Path) -> str:
    """config.yaml as it stands; empty where there is none."""
    with contextlib.suppress(OSError):
        return (run / "config.yaml").read_text(encoding="utf-8", errors="replace")
    return ""


def _config(run: Path) -> dict[str, str]:
    lines = re.findall(r"^ *(\w+): (\S.*)$", config(run), re.MULTILINE)
    return {name: value for name, value in lines if name in CONFIG_FACTS and value != "null"}


def _table_rows(text: str) -> dict[str, str]:
    """The rows of a Markdown table of two columns, without the line under its head."""
    rows = re.findall(r"^\|([^|\n]*)\|([^|\n]*)\|$", text, re.MULTILINE)
    return {name.strip(): value.strip() for name, value in rows if name.strip(" -:")}


def _flat(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values, those of inner dictionaries last; None is left out."""
    inner = [value for value in facts.values() if isinstance(value, dict)]
    for name, value in facts.items():
        if isinstance(value, float):
            yield name, f"{value:.6g}"
        elif value is not None and not isinstance(value, dict):
            yield name, str(value)
    for values in inner:
        yield from _flat(values)
