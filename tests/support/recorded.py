"""Figures of trained networks, as they were under every setting of `tests/support/cpus.py`.

They differ a little from CPU to CPU, so `tests/lessons/recorded.json` holds one value for each setting, and
a test compares with their range. `python -m tests.support.cpus --record` makes the file anew.
"""

import json
import os
import platform
from datetime import date
from pathlib import Path

import torch

FILE = Path(__file__).parents[1] / "lessons" / "recorded.json"
# The environment variable that names a file: figures are then written there instead of being compared.
FIGURES_GO_TO = "CURRICULUM_RECORD_FIGURES"


def recorded(lesson: str, figure: str, value: float, room: float) -> None:
    """A figure of a trained network must lie in its recorded range, or outside of it by at most `room`.

    `room` is the precision at which the lesson's text states the figure, in the figure's own unit. A text may
    not be more exact than the CPUs agree: `room` is at least as large as the range is wide.
    """
    if path := os.environ.get(FIGURES_GO_TO):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps([lesson, figure, value]) + "\n")
        return
    by_setting = json.loads(FILE.read_text(encoding="utf-8"))["figures"][lesson][figure]
    low, high = min(by_setting.values()), max(by_setting.values())
    assert high - low <= room, f"{figure}: {low} to {high} by CPU, stated to {room}"
    assert low - room <= value <= high + room, f"{figure}: {value}, recorded {low} to {high}, room {room}"


def remake(figures: dict[str, Path]) -> None:
    """Make the file from what the tests wrote under each setting. What no test wrote stays as it is."""
    kept = json.loads(FILE.read_text(encoding="utf-8"))["figures"] if FILE.exists() else {}
    found: dict[tuple[str, str], dict[str, float]] = {}
    for setting, path in figures.items():
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            lesson, figure, value = json.loads(line)
            found.setdefault((lesson, figure), {})[setting] = float(f"{value:.4g}")
    for (lesson, figure), by_setting in found.items():
        kept.setdefault(lesson, {})[figure] = by_setting
    machine = {
        "cpu": processor(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "date": date.today().isoformat(),
    }
    content = {"remake": "python -m tests.support.cpus --record", "machine": machine}
    content["figures"] = {lesson: dict(sorted(kept[lesson].items())) for lesson in sorted(kept)}
    FILE.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for lesson, of_lesson in kept.items():
        for figure in of_lesson:
            if (lesson, figure) not in found:
                print(f"kept as it was, no test wrote it: {lesson}, {figure}")


def processor() -> str:
    """The name of the CPU, as far as the system tells."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
