"""Run the tests of the lessons as other machines compute: with fewer vector instructions, with more threads.

    python -m tests.support.cpus               every setting, one after the other
    python -m tests.support.cpus --extremes    no vectors and one thread; all vectors and two threads
    python -m tests.support.cpus --record      every setting; then tests/lessons/recorded.json is made anew

What follows goes to pytest, in place of tests/lessons: `python -m tests.support.cpus -- -n 2 tests/lessons`.

A sum of the same numbers is rounded otherwise when it is added up in another order, and the order depends on
vector instructions and threads. Training can make such a difference grow.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.recorded import FIGURES_GO_TO, remake

ROOT = Path(__file__).parents[2]
# What PyTorch and the libraries under it (MKL, oneDNN) read when they start; without: all that the CPU has.
VECTORS = {
    "no vectors": {
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_CBWR": "COMPATIBLE",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
    },
    "AVX2": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
    },
    "all vectors": {},
}
# Threads that wait sleep: awake, they would take the cores from the other tests for minutes.
THREADS = {
    "1 thread": {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"},
    "2 threads": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"},
}
SETTINGS = {
    f"{name}, {threads}": vectors | variables
    for name, vectors in VECTORS.items()
    for threads, variables in THREADS.items()
}
EXTREMES = ("no vectors, 1 thread", "all vectors, 2 threads")


def environment(setting: str) -> dict[str, str]:
    """This process's environment, with the variables of the setting and no other setting's."""
    names = {name for variables in SETTINGS.values() for name in variables}
    others = {name: value for name, value in os.environ.items() if name not in names}
    return others | SETTINGS[setting]


def run_tests(setting: str, arguments: list[str], figures: Path | None) -> tuple[bool, str]:
    """Run pytest under one setting. Returns whether it is green, and pytest's last line."""
    variables = environment(setting)
    if figures:
        variables[FIGURES_GO_TO] = str(figures)
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    lines = []
    with subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    summary = next(
        (line for line in reversed(lines) if re.search(r"\d+ (passed|failed|error)", line)), "none"
    )
    return process.returncode == 0, summary.strip().strip("=").strip()


def main() -> int:
    parser = argparse.ArgumentParser(description="The tests of the lessons under the settings of other CPUs.")
    parser.add_argument("--extremes", action="store_true", help="only the two settings farthest apart")
    parser.add_argument("--record", action="store_true", help="make tests/lessons/recorded.json anew")
    parser.add_argument("pytest", nargs="*", default=["tests/lessons"], help="arguments for pytest, after --")
    options = parser.parse_args()
    if options.record and options.extremes:
        parser.error("--record needs every setting: leave out --extremes")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        figures = {name: Path(folder) / name for name in SETTINGS} if options.record else {}
        for setting in EXTREMES if options.extremes else SETTINGS:
            print(f"\n{setting}: {' '.join(f'{k}={v}' for k, v in SETTINGS[setting].items())}", flush=True)
            start = time.monotonic()
            green, summary = run_tests(setting, options.pytest, figures.get(setting))
            rows.append((setting, green, f"{summary} ({time.monotonic() - start:.0f} s)"))
        if options.record:
            remake(figures)
    print()
    for setting, green, summary in rows:
        print(f"{'ok  ' if green else 'FAIL'} {setting:24} {summary}")
    return 0 if all(green for _, green, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
