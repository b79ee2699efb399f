"""What `curriculum doctor` looks at, and the command that mends each fault it finds.

    python -m curriculum.doctor

does the same where even the command line's own packages are broken: this file imports the standard library
only, and the rest where it is needed. All packages are tried in a process of their own, which may crash.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from curriculum import shell

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PROJECT = "scratch-to-mnist"
ROOT = Path(__file__).parents[1]
MEMINFO = Path("/proc/meminfo")
# PyTorch's builds for machines without GPU. PyPI's for Linux bring CUDA's libraries everywhere.
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# Packages whose module has another name.
MODULE_OF = {"pillow": "PIL", "pyyaml": "yaml", "scikit-learn": "sklearn"}
# Their code steals passwords and keys as soon as it is imported (advisory GHSA-w37p-236h-pfx3).
MALICIOUS = [(name, bad) for name in ("lightning", "pytorch-lightning") for bad in ("2.6.2", "2.6.3")]
# The others build on these, so they are imported first. The last one is how runs are written.
IMPORTED_FIRST = ("torch", "torchvision", "tensorboard.program", "torch.utils.tensorboard")
GB = 10**9
GIB = 2**30
LEAST_DISK = 1 * GB
LEAST_MEMORY = 2 * GIB


class Finding(NamedTuple):
    """What was looked at, what was found, and what mends it (empty where all is well).

    A `tip` is a command that makes something better that is no fault.
    """

    what: str
    found: str
    mend: str = ""
    tip: str = ""


def report(data_dir: Path | None = None, log_dir: Path = Path("runs")) -> bool:
    """Print every finding as soon as it is known. Returns whether all is well."""
    healthy = True
    for finding in diagnose(data_dir, log_dir):
        word = "WRONG" if finding.mend else "ok"
        print(f"{word:5}  {finding.what}: {' '.join(finding.found.split())}", flush=True)
        if finding.mend:
            print(f"       mend: {finding.mend}", flush=True)
            healthy = False
        if finding.tip:
            print(f"       tip: {finding.tip}", flush=True)
    return healthy


def diagnose(data_dir: Path | None = None, log_dir: Path = Path("runs")) -> Iterator[Finding]:
    """Every check in turn. One that fails in an unforeseen way is itself a finding."""
    # Generators: a check begins when its first finding is asked for.
    checks = {
        "Python": _python(),
        "packages": _packages(),
        "imports": _imports(),
        "device": _device(),
        "MNIST": _mnist(data_dir),
        "runs": _folder("runs", log_dir, "choose another folder with --log-dir DIR"),
        "memory": _memory(),
    }
    for what, findings in checks.items():
        try:
            yield from findings
        except Exception as error:
            found = f"not known ({type(error).__name__}: {error})"
            yield Finding(what, found, "mend what is WRONG above, then: curriculum doctor")


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    mend = "" if sys.version_info >= (3, 11) else "make clean, then: make PYTHON=python3.12"
    yield Finding("Python", f"{version}, {sys.executable}", mend)


# ---------------------------------------------------------------- packages


def _packages() -> Iterator[Finding]:
    """Is each package there, in a version that pyproject.toml allows?"""
    try:
        needed = _requirements()
    except metadata.PackageNotFoundError:
        yield Finding(PROJECT, "not installed", f"{_pip_install()} --editable {shell.quoted(ROOT)}")
        return
    except ImportError:
        yield Finding("packaging", "not installed", f"{_pip_install()} packaging")
        return
    for requirement in needed:
        version = _version(requirement.name)
        mend = f"{_pip_install()} {shell.quoted(str(requirement))}"
        if version is None:
            yield Finding(requirement.name, "not installed", mend)
        elif not requirement.specifier.contains(version, prereleases=True):
            yield Finding(requirement.name, f"{version}; expected {requirement.specifier}", mend)
        else:
            yield Finding(requirement.name, version)
    yield from _malicious()


def _malicious() -> Iterator[Finding]:
    for name, version in MALICIOUS:
        if _version(name) == version:
            found = f"{version} is a MALICIOUS release: it steals passwords when it is imported"
            mend = (
                f"{_pip()} uninstall {name}; change every password, key, token "
                "that this machine holds (advisory GHSA-w37p-236h-pfx3); then: make clean, make"
            )
            yield Finding(name, found, mend)


def _requirements() -> "list[Requirement]":
    """What pyproject.toml demands of every user.

    Raises:
        metadata.PackageNotFoundError: this project is not installed.
        ImportError: the package that reads requirements is missing.
    """
    from packaging.requirements import Requirement

    found = [Requirement(line) for line in metadata.requires(PROJECT) or ()]
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
    names = [requirement.name for requirement in _requirements() if _version(requirement.name)]
    if any(_malicious()):
        yield Finding("imports", "not tried, because of the malicious release")
        return
    modules = [_module(name) for name in names]
    order = [name for name in IMPORTED_FIRST if name.split(".")[0] in modules]
    order += [name for name in modules if name not in order]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, *order],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode == 0:
        yield Finding("imports", f"all {len(modules)} packages can be imported")
        return
    module = done.stdout.rpartition("\0")[2].split()[0]
    errors = re.findall(r"^\w[\w.]*(?:Error|Exception|Exit)\b.*$", done.stderr, re.MULTILINE)
    said = errors[-1] if errors else f"crashed ({_end_of_process(done.returncode)})"
    yield Finding(f"import {module}", said, _mend_import(module, said))


def _module(package: str) -> str:
    return MODULE_OF.get(package, package.replace("-", "_"))


def _end_of_process(code: int) -> str:
    """A negative code is a signal; Windows knows none and tells a crash by a large number."""
    if code >= 0:
        return f"exit code {code}"
    return signal.Signals(-code).name


def _mend_import(module: str, said: str) -> str:
    """What to reinstall. torch and torchvision are built for each other: always both, from one place."""
    if "pkg_resources" in said:
        return f"{_pip_install()} {shell.quoted('setuptools<81')}"
    if module not in ("torch", "torchvision"):
        top = module.split(".")[0]
        package_of = {name: package for package, name in MODULE_OF.items()}
        return f"{_pip_install()} --force-reinstall {package_of.get(top, top)}"
    if any("+cpu" in (_version(package) or "") for package in ("torch", "torchvision")):
        return _install_cpu_builds()
    return f"{_pip_install()} --force-reinstall torch torchvision"


def _install_cpu_builds() -> str:
    """Without what they need, which PyTorch's index has in other versions than those tested."""
    return f"{_pip_install()} --no-deps --force-reinstall --index-url {CPU_INDEX} torch torchvision"


def _pip() -> str:
    return f"{shell.quoted(sys.executable)} -m pip"


def _pip_install() -> str:
    """pip of this environment, held to the versions that are tested."""
    tested = ROOT / "constraints.txt"
    constraint = f" --constraint {shell.quoted(tested)}" if tested.exists() else ""
    return f"{_pip()} install{constraint}"


# ---------------------------------------------------------------- the machine


def _device() -> Iterator[Finding]:
    import torch

    if torch.cuda.is_available():
        yield Finding("device", "cuda")
        return
    yield Finding("device", f"cpu, {torch.get_num_threads()} threads")
    libraries = _cuda_libraries()
    if libraries:
        size = sum(libraries.values()) / GB
        tip = f"{_install_cpu_builds()} && {_pip()} uninstall --yes {' '.join(libraries)}"
        yield Finding("CUDA's libraries", f"{size:.1f} GB, and torch finds no GPU; they could go", tip=tip)


def _cuda_libraries() -> dict[str, int]:
    """The packages that a build of torch for NVIDIA's GPUs brings, by name, and their bytes on the disk."""
    sizes = {}
    for package in metadata.distributions():
        name = package.metadata["Name"]
        if re.fullmatch(r"nvidia-.+|cuda-.+|triton", name):
            sizes[name] = sum(file.size or 0 for file in package.files or ())
    return dict(sorted(sizes.items()))


def _mnist(data_dir: Path | None) -> Iterator[Finding]:
    """Is it there, and whole? If it must be downloaded: is there room?"""
    from curriculum import UserError, mnist_files

    elsewhere = "choose another folder with --data-dir DIR"
    try:
        folder, missing = mnist_files.locate(data_dir)
    except UserError as error:
        found, _, mend = str(error).partition("; ")
        yield Finding("MNIST", found, mend or elsewhere)
        return
    damaged = [name for name in mnist_files.damaged(folder) if name not in missing]
    if damaged:
        files = " ".join(shell.quoted(str(folder / name)) for name in damaged)
        if folder.is_relative_to(mnist_files.CACHE):
            mend = f"{'del' if shell.WINDOWS else 'rm -r'} {files}, then: curriculum mnist"
        else:
            mend = f"move {files} elsewhere, or use them: curriculum mnist --data {shell.quoted(folder)}"
        yield Finding("MNIST", f"damaged or not MNIST's in {folder}: {', '.join(damaged)}", mend)
    elif not missing:
        yield Finding("MNIST", f"{folder}, whole")
    elif len(missing) < len(mnist_files.SHA256):
        mend = f"connect, then: curriculum mnist --data-dir {shell.quoted(folder.parents[1])}"
        yield Finding("MNIST", f"{folder} lacks {', '.join(missing)}", mend)
    else:
        yield Finding("MNIST", f"not on this machine; will be downloaded to {folder}, else digits are used")
    if missing:
        yield from _folder("MNIST's folder", folder, elsewhere)


def _folder(what: str, folder: Path, elsewhere: str) -> Iterator[Finding]:
    """Can it be written to, and is there room?"""
    if str(folder).startswith("~"):
        yield Finding(what, f"there is no home folder for {folder}", f"set HOME, or {elsewhere}")
        return
    folder = folder.absolute()
    existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    free = shutil.disk_usage(existing).free
    found = f"{folder}, {free / GB:.1f} GB free"
    if not existing.is_dir():
        yield Finding(what, f"{existing} is not a folder", elsewhere)
    elif not os.access(existing, os.W_OK | os.X_OK):
        yield Finding(what, f"{existing} cannot be written to", elsewhere)
    elif free < LEAST_DISK:
        look = "Settings, Storage" if shell.WINDOWS else f"du -h {shell.quoted(existing)} | sort -h | tail"
        mend = f"make room (what is large: {look}), or {elsewhere}"
        yield Finding(what, f"{found}; expected {LEAST_DISK / GB:.0f} GB", mend)
    else:
        yield Finding(what, found)


def _memory() -> Iterator[Finding]:
    """How much can still be had? Linux alone says it in a file."""
    if not MEMINFO.exists():
        yield Finding("memory", "not known on this system")
        return
    (kib,) = re.findall(r"^MemAvailable: +(\d+) kB$", MEMINFO.read_text(), re.MULTILINE)
    available = int(kib) * 1024
    found = f"{available / GIB:.1f} GiB available"
    if available < LEAST_MEMORY:
        mend = "close other programs (what is large: ps aux --sort -rss | head)"
        yield Finding("memory", f"{found}; expected {LEAST_MEMORY / GIB:.0f} GiB", mend)
    else:
        yield Finding("memory", found)


if __name__ == "__main__":
    sys.exit(0 if report() else 1)
