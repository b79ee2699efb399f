"""Puts each mutation into a copy of the checkout, and runs there the tests that are to catch it."""

import argparse
import contextlib
import json
import multiprocessing
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.torture import mutations
from tests.torture.mutations.mutation import Mutation

ROOT = Path(__file__).parents[3]
SECONDS = 900.0  # for the tests of one mutation; generous, because machines are slow
MISSING = (4, 5)  # pytest's exit codes for tests that are not there
# Every run of pytest is a process that begins with these imported, where the system can fork: that takes most
# of the time of a short test. Nothing of ours is among them.
PRELOADED = [
    "lightning.pytorch.cli", "matplotlib.figure", "sklearn.datasets", "torch.utils.tensorboard",
    "torchmetrics.classification", "torchvision.datasets",
]  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """What became of one mutation, and by which test."""

    area: str
    name: str
    result: str
    by: str
    tests: str
    seconds: float


def try_out(area: str, mutation: Mutation, tests: str) -> Finding:
    """Put the mistake into a copy, and run the tests there."""
    begin = time.monotonic()
    with copy_of_the_checkout() as copy:
        file = copy / mutation.file
        right = file.read_text(encoding="utf-8") if file.is_file() else ""
        if right.count(mutation.find) == 1:
            file.write_text(right.replace(mutation.find, mutation.put), encoding="utf-8")
            result, by = verdict(copy, file, right, shlex.split(tests))
        else:
            result, by = "stale", f"{right.count(mutation.find)} places in {mutation.file}"
    return Finding(area, mutation.name, result, by, tests, round(time.monotonic() - begin, 1))


def verdict(copy: Path, file: Path, right: str, tests: list[str]) -> tuple[str, str]:
    """Run the tests on the mistake; where one fails, run that one again without it."""
    code, output = pytest_in(copy, tests)
    if code is None:
        return "timed out", ""
    if code == 0:
        return "survived", ""
    if code in MISSING:
        return "no tests", output.strip().splitlines()[-1]
    found = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", output, re.MULTILINE)
    by = found[1] if found else f"exit code {code}"
    file.write_text(right, encoding="utf-8")
    again, _ = pytest_in(copy, [by, "-m", ""] if found else tests)  # slow or not
    return ("caught" if again == 0 else "red anyway"), by


def pytest_in(copy: Path, arguments: list[str]) -> tuple[int | None, str]:
    """Exit code and output of pytest in the copy, up to the first failure; no code where it did not end."""
    printed = copy.parent / "printed"
    process = multiprocessing.Process(target=run_pytest, args=(copy, arguments, printed))
    process.start()
    process.join(SECONDS)
    code = process.exitcode
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid or 0, signal.SIGKILL)  # with all that the tests have started
    process.kill()
    process.join()
    return code, printed.read_text(encoding="utf-8", errors="replace")


def run_pytest(copy: Path, arguments: list[str], printed: Path) -> None:
    """What the process does: as `python -m pytest` in the copy, but for the imports that are made already."""
    with printed.open("w", encoding="utf-8") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    if hasattr(os, "setsid"):
        os.setsid()
    os.chdir(copy)
    os.environ.update(PYTHONPATH=str(copy), PYTHONDONTWRITEBYTECODE="1")
    sys.dont_write_bytecode = True  # else old bytecode could hide a mistake that was put in within a second
    sys.path.insert(0, str(copy))
    for name in [name for name in sys.modules if name.split(".")[0] == "tests"]:
        del sys.modules[name]  # those of the checkout

    import curriculum
    import lessons
    import models

    for package in (curriculum, lessons, models):
        assert Path(str(package.__file__)).is_relative_to(copy), f"{package} is not that of the copy"
    import pytest

    sys.argv = ["pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider", f"--basetemp={copy.parent}/tests"]
    sys.argv += arguments
    os._exit(int(pytest.main(sys.argv[1:])))  # a thread that a test has left does not hold us up


@contextlib.contextmanager
def copy_of_the_checkout() -> Iterator[Path]:
    """What git knows, and what is new and not ignored, in a folder of its own."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    with tempfile.TemporaryDirectory(prefix="mutation-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # some tests become another user
        copy = Path(folder) / "checkout"
        for name in filter(None, names):
            if (ROOT / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copy / name)
        yield copy


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture.mutations", description=(mutations.__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these mutations, or areas")
    parser.add_argument("--list", action="store_true", help="print the mutations and end")
    parser.add_argument(
        "--tests", metavar="ARGUMENTS", help="what pytest is told, instead of each one's tests"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="append each finding, one a line")
    options = parser.parse_args()
    try:
        chosen = choose(options.only)
    except ValueError as error:
        parser.error(str(error))
    if options.list:
        for area, mutation in chosen:
            print(f"{area:<9} {mutation.name:<32} {mutation.breaks}")
        return 0
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if "forkserver" in multiprocessing.get_all_start_methods():
        multiprocessing.set_start_method("forkserver")
        multiprocessing.set_forkserver_preload(PRELOADED)
    counts = Counter[tuple[str, str]]()
    for area, mutation in chosen:
        finding = try_out(area, mutation, options.tests or mutation.tests)
        counts[area, finding.result] += 1
        print(f"{finding.result:<10} {mutation.name:<32} {finding.by or mutation.breaks}", flush=True)
        if options.json:
            with options.json.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(finding), ensure_ascii=False) + "\n")
    for (area, result), count in counts.items():
        print(f"{area}: {count} {result}")
    return int(any(result != "caught" for _, result in counts))


def choose(names: list[str] | None) -> list[tuple[str, Mutation]]:
    """The mutations of these names or areas, each with its area; all where no names are given.

    Raises:
        ValueError: there is no mutation and no area of one of the names.
    """
    everything = [(area, mutation) for area, found in mutations.AREAS.items() for mutation in found]
    if names is None:
        return everything
    unknown = set(names) - mutations.AREAS.keys() - {mutation.name for _, mutation in everything}
    if unknown:
        raise ValueError(f"there is no {', '.join(sorted(unknown))} (see: --list)")
    return [(area, mutation) for area, mutation in everything if {area, mutation.name} & set(names)]
