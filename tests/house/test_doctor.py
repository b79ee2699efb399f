"""The doctor: every fault that it looks for is made, and it names the fault and a command that mends it."""

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from curriculum import doctor, mnist_files, shell
from curriculum.doctor import Finding
from tests.support.commands import clean_environment

OURS = "scratch_to_mnist-9.dist-info"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is looked into before all others, by this process and by those that it starts."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def install(
    folder: Path, package: str, version: str, code: str | None = "", needs: tuple[str, ...] = ()
) -> None:
    """A package with a version, and what its module does when imported. Without `code` there is no module."""
    info = folder / f"{package.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {package}", f"Version: {version}"]
    (info / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {need}" for need in needs)]) + "\n")
    if code is not None:
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text(code)


def wrong(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.mend]


# ---------------------------------------------------------------- packages


def test_every_package_of_pyproject_is_looked_at() -> None:
    found = list(doctor._packages())
    assert {"torch", "torchvision", "lightning", "tensorboard", "scikit-learn"} <= {one.what for one in found}
    assert not {"pytest", "ruff"} & {one.what for one in found}, "what only developers need is not demanded"
    assert not wrong(found)


def test_every_package_of_pyproject_is_imported_by_the_name_of_its_module() -> None:
    """A new dependency whose module has another name than its package needs a line in MODULE_OF."""
    for requirement in doctor._requirements():
        module = doctor._module(requirement.name)
        assert find_spec(module) is not None, f"{requirement.name} has no module {module}"


def test_a_missing_package(fake: Path) -> None:
    install(fake, doctor.PROJECT, "9", None, ("no-such-package[extra]<5,>=4", "rich>=13"))
    (finding,) = wrong(list(doctor._packages()))
    assert finding[:2] == ("no-such-package", "not installed")
    assert finding.mend.endswith("'no-such-package[extra]<5,>=4'")
    assert finding.mend.startswith(f"{sys.executable} -m pip install --constraint ")


def test_a_version_out_of_range(fake: Path) -> None:
    install(fake, "tensorboard", "2.20")
    (finding,) = wrong(list(doctor._packages()))
    assert finding[:2] == ("tensorboard", "2.20; expected >=2.21")
    assert finding.mend.endswith("'tensorboard>=2.21'")


@pytest.mark.parametrize("package", ["lightning", "pytorch-lightning"])
@pytest.mark.parametrize("version", ["2.6.2", "2.6.3"])
def test_a_malicious_release_is_named_loudly_and_never_imported(
    fake: Path, tmp_path: Path, package: str, version: str
) -> None:
    stolen = tmp_path / "stolen"
    install(fake, package, version, f"open({str(stolen)!r}, 'w')")
    findings = wrong(list(doctor.diagnose()))
    loud = [one for one in findings if "MALICIOUS" in one.found]
    assert [one.what for one in loud] == [package]
    assert f"pip uninstall {package}" in loud[0].mend
    assert not stolen.exists()


def test_an_environment_without_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PROJECT", "scratch-to-nothing")
    (finding,) = doctor._packages()
    assert finding.found == "not installed"
    assert f"--editable {doctor.ROOT}" in finding.mend


NMS = "operator torchvision::nms does not exist"


@pytest.mark.parametrize(
    ("package", "code", "found", "mend"),
    [
        ("torchvision", f"raise RuntimeError({NMS!r})", f"RuntimeError: {NMS}", "torch torchvision"),
        ("torch", "raise OSError('libcudart.so: cannot open')", "libcudart.so", "torch torchvision"),
        pytest.param(
            "torch",
            "import os; os.kill(os.getpid(), 11)",
            "crashed (SIGSEGV)",
            "torch torchvision",
            marks=pytest.mark.skipif(os.name == "nt", reason="no signals"),
        ),
        ("torch", "raise SystemExit(3)", "crashed (exit code 3)", "torch torchvision"),
        ("tensorboard", "import pkg_resources", "No module named 'pkg_resources'", "'setuptools<81'"),
        ("tensorboard", "", "No module named 'tensorboard.program'", "tensorboard"),
        ("sklearn", "raise ImportError('sklearn: no')", "sklearn: no", "scikit-learn"),
    ],
)
def test_a_package_that_cannot_be_imported(
    fake: Path, package: str, code: str, found: str, mend: str
) -> None:
    for name in ("torch", "torchvision", "tensorboard", "sklearn"):
        (fake / name).mkdir()
        (fake / name / "__init__.py").write_text(code if name == package else "")
    if package == "sklearn":
        for name in ("torch.utils.tensorboard", "tensorboard.program"):
            (fake / name.replace(".", "/")).mkdir(parents=True)
    if package == "tensorboard":
        (fake / "pkg_resources.py").write_text(
            "raise ModuleNotFoundError(\"No module named 'pkg_resources'\")"
        )
    install(fake, doctor.PROJECT, "9", None, ("torch", "torchvision", "tensorboard", "scikit-learn"))
    (finding,) = doctor._imports()
    assert finding.what.startswith(f"import {package}")
    assert found in finding.found
    assert f"-m pip install --constraint {doctor.ROOT / 'constraints.txt'} " in finding.mend
    assert finding.mend.endswith(mend)


def test_a_build_for_cpu_is_mended_from_its_own_index(fake: Path) -> None:
    """Alone: what torch needs would come from there, too, in versions that nobody tested."""
    install(fake, "torch", "2.14.1+cpu")
    mend = doctor._mend_import("torchvision", NMS)
    assert mend.endswith(f"--no-deps --force-reinstall --index-url {doctor.CPU_INDEX} torch torchvision")


def test_a_process_that_crashed() -> None:
    assert doctor._end_of_process(-11) == "SIGSEGV"
    assert doctor._end_of_process(0xC0000005) == "exit code 3221225477", "as Windows says it"


def test_words_are_quoted_as_the_shell_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shell.quoted("torch>=2") == "'torch>=2'"
    monkeypatch.setattr(shell, "WINDOWS", True)
    assert shell.quoted("torch>=2") == '"torch>=2"'
    assert shell.quoted(r"C:\Python\python.exe") == r"C:\Python\python.exe"
    assert shell.quoted(r"C:\Program Files\python.exe") == r'"C:\Program Files\python.exe"'


# ---------------------------------------------------------------- CUDA's libraries


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def only(fake: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Only the packages of the folder `fake` are installed."""
    monkeypatch.setattr(sys, "path", [str(fake)])
    return fake


@pytest.mark.usefixtures("no_gpu")
def test_cuda_without_a_gpu_could_go(only: Path) -> None:
    """It is no fault. The command takes away each package that came for the GPU, and no other."""
    for package in ("triton", "nvidia-nccl-cu13", "cuda-bindings", "numpy", "scikit-cuda"):
        install(only, package, "1")
        for file in (f"{package}.so", f"{package}.txt"):
            (only / file).touch()
        record = only / f"{package.replace('-', '_')}-1.dist-info" / "RECORD"
        record.write_text(f"{package}.so,,500000000\n{package}.txt,,\n")
    device, libraries = doctor._device()
    assert device.what == "device"
    assert not wrong([device, libraries])
    assert libraries.found.startswith("1.5 GB, and torch finds no GPU")
    replace, remove = libraries.tip.split(" && ")
    assert replace == doctor._install_cpu_builds()
    assert remove == f"{sys.executable} -m pip uninstall --yes cuda-bindings nvidia-nccl-cu13 triton"


@pytest.mark.usefixtures("no_gpu")
def test_nothing_could_go_where_there_is_no_cuda(only: Path) -> None:
    (device,) = doctor._device()
    assert device.found.startswith("cpu, ")


def test_cuda_stays_where_there_is_a_gpu(only: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(only, "triton", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert list(doctor._device()) == [Finding("device", "cuda")]


def test_a_tip_is_printed_and_is_no_fault(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = [Finding("CUDA's libraries", "4 GB", tip="pip this && pip that")]
    monkeypatch.setattr(doctor, "diagnose", lambda *_: findings)
    assert doctor.report()
    assert capsys.readouterr().out == "ok     CUDA's libraries: 4 GB\n       tip: pip this && pip that\n"


# ---------------------------------------------------------------- data


@pytest.fixture
def raw(mnist_dir: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name in mnist_files.SHA256:
        (folder / name).symlink_to(mnist_dir / "MNIST" / "raw" / name)
    return folder


def test_mnist_whole_damaged_and_incomplete(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = raw / "t10k-labels-idx1-ubyte"
    assert not wrong(list(doctor._mnist(raw.parents[1])))
    labels.unlink()
    (finding,) = wrong(list(doctor._mnist(raw.parents[1])))
    assert finding.found.endswith("lacks t10k-labels-idx1-ubyte")
    assert finding.mend == f"connect, then: curriculum mnist --data-dir {raw.parents[1]}"
    labels.write_bytes(b"0" * 10_008)
    (finding,) = wrong(list(doctor._mnist(raw.parents[1])))
    assert finding.found == f"damaged or not MNIST's in {raw}: {labels.name}"
    assert finding.mend == f"move {labels} elsewhere, or use them: curriculum mnist --data {raw}"
    monkeypatch.setattr(mnist_files, "CACHE", raw.parents[1])  # only what we have fetched ourselves may go
    (finding,) = wrong(list(doctor._mnist(raw.parents[1])))
    assert finding.mend == f"rm -r {labels}, then: curriculum mnist"


def test_mnist_absent_is_no_fault_if_it_can_be_downloaded(tmp_path: Path) -> None:
    found = list(doctor._mnist(tmp_path))
    assert not wrong(found)
    assert "will be downloaded to" in found[0].found
    (tmp_path / "a file").write_bytes(b"")
    (finding,) = wrong(list(doctor._mnist(tmp_path / "a file")))
    assert finding.found == f"{tmp_path / 'a file'} is not a folder"
    assert "--data-dir DIR" in finding.mend


# ---------------------------------------------------------------- the machine


def test_little_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")

    def faults(free: int) -> list[Finding]:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 0, free))
        runs = doctor._folder("runs", tmp_path / "not" / "there yet", "…")
        return wrong([*runs, *doctor._mnist(tmp_path)])

    assert [finding.what for finding in faults(free=999_999_999)] == ["runs", "MNIST's folder"]
    assert faults(free=1_000_000_000) == []


def test_a_folder_that_cannot_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a file").write_bytes(b"")
    (finding,) = doctor._folder("runs", tmp_path / "a file" / "runs", "choose another")
    assert finding == Finding("runs", f"{tmp_path / 'a file'} is not a folder", "choose another")
    (finding,) = doctor._folder("MNIST's folder", Path("~/.cache"), "choose another")
    assert finding.found == "there is no home folder for ~/.cache"
    assert finding.mend == "set HOME, or choose another"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    (finding,) = doctor._folder("runs", tmp_path, "choose another")
    assert finding == Finding("runs", f"{tmp_path} cannot be written to", "choose another")


def test_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MEMINFO", tmp_path / "meminfo")
    (finding,) = doctor._memory()
    assert finding.found == "not known on this system"
    assert not finding.mend
    for kib, fault in ((2 * 2**20 - 1, True), (2 * 2**20, False)):
        doctor.MEMINFO.write_text(f"MemTotal:  9 kB\nMemAvailable:   {kib} kB\n")
        (finding,) = doctor._memory()
        assert bool(finding.mend) == fault
    assert finding.found == "2.0 GiB available"


# ---------------------------------------------------------------- the command


def run(*command: str, fake: Path) -> subprocess.CompletedProcess[str]:
    environment = clean_environment() | {"PYTHONPATH": str(fake), "XDG_CACHE_HOME": str(fake)}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=fake, env=environment, capture_output=True, text=True
    )


def test_the_doctor_outlives_a_broken_torch(fake: Path) -> None:
    (fake / "torch").mkdir()
    (fake / "torch" / "__init__.py").write_text("raise ImportError('libtorch.so: undefined symbol')")
    done = run("curriculum", "doctor", fake=fake)
    assert (done.returncode, done.stderr) == (1, "")
    assert "WRONG  import torch: ImportError: libtorch.so: undefined symbol\n       mend: " in done.stdout
    assert "WRONG  MNIST: not known (ImportError: libtorch.so: undefined symbol)" in done.stdout
    assert f"ok     runs: {fake / 'runs'}, " in done.stdout


def test_the_doctor_needs_no_package(fake: Path) -> None:
    for package in ("torch", "typer", "rich", "packaging"):
        (fake / f"{package}.py").write_text("raise ImportError('gone')")
    done = run("curriculum.doctor", fake=fake)
    assert (done.returncode, done.stderr) == (1, "")
    assert "WRONG  packaging: not installed\n" in done.stdout
