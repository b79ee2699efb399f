"""What `curriculum doctor` looks at, and the command that mends each fault it finds.

    python -m curriculum.doctor

does the same where even the command line's own packages are broken: this file imports the standard library
only, and the rest where it is needed. All packages are tried in a process of their own, which may crash.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from packaging.requirements import Requirement

US = "scratch-to-mnist"
ROOT = Path(__file__).parents[1]
MODULES = {"scikit-learn": "sklearn"}  # packages whose module has another name
# Their code steals passwords and keys as soon as it is imported (advisory GHSA-w37p-236h-pfx3).
MALICIOUS = [(name, bad) for name in ("lightning", "pytorch-lightning") for bad in ("2.6.2", "2.6.3")]
# The others build on these, so they come first. The last one is how runs are written.
FIRST = ("torch", "torchvision", "tensorboard.program", "torch.utils.tensorboard")
MEMINFO = Path("/proc/meminfo")
GB, GIB = 10**9, 2**30
LEAST_DISK, LEAST_MEMORY = 1 * GB, 2 * GIB  # bytes


class Finding(NamedTuple):
    """What was looked at, what was found, and what mends it (empty where all is well)."""

    what: str
    found: str
    mend: str = ""


def report(data_dir: Path | None = None, log_dir: Path = Path("runs")) -> bool:
    """Print every finding as soon as it is known. Returns whether all is well."""
    healthy = True
    for what, found, mend in diagnose(data_dir, log_dir):
        print(f"{'WRONG' if mend else 'ok':5}  {what}: {' '.join(found.split())}", flush=True)
        if mend:
            print(f"       mend: {mend}", flush=True)
        healthy = healthy and not mend
    return healthy


def diagnose(data_dir: Path | None = None, log_dir: Path = Path("runs")) -> Iterator[Finding]:
    """Every check in turn. One that fails in an unforeseen way is itself a finding."""
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "Python": _python,
        "packages": _packages,
        "imports": _imports,
        "device": _device,
        "MNIST": lambda: _mnist(data_dir),
        "runs": lambda: _place("runs", log_dir, "choose another folder with --log-dir DIR"),
        "memory": _memory,
    }
    for what, check in checks.items():
        try:
            yield from check()
        except Exception as error:
            yield Finding(
                what,
                f"not known ({type(error).__name__}: {error})",
                "mend what is WRONG above, then: curriculum doctor",
            )


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    mend = "" if sys.version_info >= (3, 11) else "make clean, then: make PYTHON=python3.12"
    yield Finding("Python", f"{version}, {sys.executable}", mend)


# ---------------------------------------------------------------- packages


def _packages() -> Iterator[Finding]:
    """Is each package there, in a version that pyproject.toml allows?"""
    try:
        needed = _needed()
    except metadata.PackageNotFoundError:
        yield Finding(US, "not installed", f"{_pip()} --editable {shlex.quote(str(ROOT))}")
        return
    except ImportError:
        yield Finding("packaging", "not installed", f"{_pip()} packaging")
        return
    for requirement in needed:
        version = _version(requirement.name)
        mend = f"{_pip()} {shlex.quote(str(requirement))}"
        if version is None:
            yield Finding(requirement.name, "not installed", mend)
        elif not requirement.specifier.contains(version, prereleases=True):
            yield Finding(requirement.name, f"{version}; expected {requirement.specifier}", mend)
        else:
            yield Finding(requirement.name, version)
    for name, version in MALICIOUS:
        if _version(name) == version:
            mend = (
                f"{shlex.quote(sys.executable)} -m pip uninstall {name}; change every password, key, token "
                "that this machine holds (advisory GHSA-w37p-236h-pfx3); then: make clean, make"
            )
            yield Finding(
                name, f"{version} is a MALICIOUS release: it steals passwords when it is imported", mend
            )


def _needed() -> "list[Requirement]":
    from packaging.requirements import Requirement

    found = [Requirement(line) for line in metadata.requires(US) or ()]
    return [one for one in found if one.marker is None or one.marker.evaluate({"extra": ""})]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


# Says the name of each module before it is imported.
IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    print("\\0" + name, flush=True)
    importlib.import_module(name)
"""


def _imports() -> Iterator[Finding]:
    """Can they be imported? Stops at the first that cannot: what builds on it fails for the same reason."""
    names = [requirement.name for requirement in _needed() if _version(requirement.name)]
    if any(_version(name) == version for name, version in MALICIOUS):
        yield Finding("imports", "not tried, because of the malicious release")
        return
    modules = [MODULES.get(name, name.replace("-", "_")) for name in names]
    order = [one for one in FIRST if one.split(".")[0] in modules]
    order += [one for one in modules if one not in order]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, *order], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode == 0:
        yield Finding("imports", f"all {len(modules)} packages can be imported")
        return
    module = done.stdout.rpartition("\0")[2].split()[0]
    errors = re.findall(r"^\w[\w.]*(?:Error|Exception|Exit)\b.*$", done.stderr, re.MULTILINE)
    crash = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"
    said = errors[-1] if errors else f"crashed ({crash})"
    yield Finding(f"import {module}", said, _mend_import(module, said))


def _mend_import(module: str, said: str) -> str:
    """What to reinstall. torch and torchvision are built for each other: always both, from one place."""
    if "pkg_resources" in said:
        return f"{_pip()} 'setuptools<81'"
    package = module.split(".")[0]
    package = {value: key for key, value in MODULES.items()}.get(package, package)
    if module not in ("torch", "torchvision"):
        return f"{_pip()} --force-reinstall {package}"
    # PyTorch's own index has the small builds for machines without GPU; PyPI does not.
    cpu = any("+cpu" in (_version(one) or "") for one in ("torch", "torchvision"))
    where = " --index-url https://download.pytorch.org/whl/cpu" if cpu else ""
    return f"{_pip()} --force-reinstall torch torchvision{where}"


def _pip() -> str:
    """pip of this environment, held to the versions that are tested."""
    tested = ROOT / "constraints.txt"
    constraint = f" --constraint {shlex.quote(str(tested))}" if tested.exists() else ""
    return f"{shlex.quote(sys.executable)} -m pip install{constraint}"


# ---------------------------------------------------------------- the machine


def _device() -> Iterator[Finding]:
    import torch

    yield Finding(
        "device", "cuda" if torch.cuda.is_available() else f"cpu, {torch.get_num_threads()} threads"
    )


def _mnist(data_dir: Path | None) -> Iterator[Finding]:
    """Is it there, and whole? If it must be downloaded: is there room?"""
    from curriculum import UserError, mnist_files

    try:
        folder, missing = mnist_files.locate(data_dir)
    except UserError as error:
        yield Finding("MNIST", *str(error).split("; ", 1))
        return
    wrong = [name for name in mnist_files.damaged(folder) if name not in missing]
    if wrong:
        mend = f"rm -r {' '.join(shlex.quote(str(folder / name)) for name in wrong)}, then: curriculum mnist"
        yield Finding("MNIST", f"damaged in {folder}: {', '.join(wrong)}", mend)
    elif not missing:
        yield Finding("MNIST", f"{folder}, whole")
    elif len(missing) < len(mnist_files.SHA256):
        mend = f"connect, then: curriculum mnist --data-dir {shlex.quote(str(folder.parents[1]))}"
        yield Finding("MNIST", f"{folder} lacks {', '.join(missing)}", mend)
    else:
        yield Finding("MNIST", f"not on this machine; will be downloaded to {folder}, else digits are used")
    if missing:
        yield from _place("MNIST's folder", folder, "choose another folder with --data-dir DIR")


def _place(what: str, folder: Path, elsewhere: str) -> Iterator[Finding]:
    """Can it be written to, and is there room?"""
    if str(folder).startswith("~"):
        yield Finding(what, f"there is no home folder for {folder}", f"set HOME, or {elsewhere}")
        return
    folder = folder.absolute()
    there = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    free = shutil.disk_usage(there).free
    found = f"{folder}, {free / GB:.1f} GB free"
    if not there.is_dir():
        yield Finding(what, f"{there} is not a folder", elsewhere)
    elif not os.access(there, os.W_OK | os.X_OK):
        yield Finding(what, f"{there} cannot be written to", elsewhere)
    elif free < LEAST_DISK:
        mend = f"make room (what is large: du -h {shlex.quote(str(there))} | sort -h | tail), or {elsewhere}"
        yield Finding(what, f"{found}; expected {LEAST_DISK / GB:.0f} GB", mend)
    else:
        yield Finding(what, found)


def _memory() -> Iterator[Finding]:
    if not MEMINFO.exists():
        yield Finding("memory", "not known on this system")
        return
    (kib,) = re.findall(r"^MemAvailable: +(\d+) kB$", MEMINFO.read_text(), re.MULTILINE)
    available = int(kib) * 1024
    few = available < LEAST_MEMORY
    yield Finding(
        "memory",
        f"{available / GIB:.1f} GiB available" + (f"; expected {LEAST_MEMORY / GIB:.0f} GiB" if few else ""),
        "close other programs (what is large: ps aux --sort -rss | head)" if few else "",
    )


if __name__ == "__main__":
    sys.exit(0 if report() else 1)
