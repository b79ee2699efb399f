"""Data: found, checked, downloaded, or replaced by the offline digits. Never a damaged file."""

import builtins
import contextlib
import errno
import gzip
import io
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.datasets import MNIST
from torchvision.datasets import utils as downloader

from curriculum import UserError, data, mnist_files
from curriculum.data import Data
from tests.support.mnist import (
    FAULTS,
    IMAGES,
    LABELS,
    NAMES,
    TEST_COUNT,
    TRAIN_COUNT,
    Server,
    download,
    write_small_files,
)
from tests.support.own_data import write_idx


@pytest.fixture(scope="module")
def digits() -> Data:
    """The offline digits."""
    return data.load("digits")


SMALL_VAL_COUNT = 40


@pytest.fixture(scope="module")
def small_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder with four small files of MNIST's form, and the SHA-256 of each."""
    folder = tmp_path_factory.mktemp("small")
    return folder, write_small_files(folder)


@pytest.fixture
def small(small_files: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the small files, which stand for MNIST: all of its tests run where MNIST is not."""
    folder, sums = small_files
    monkeypatch.setattr(mnist_files, "SHA256", sums)
    monkeypatch.setattr(data, "VAL_COUNT", SMALL_VAL_COUNT)
    return folder


def test_offline_the_digits_are_used_and_it_is_said(offline: Path) -> None:
    digits = data.load("auto")
    assert digits.name == data.OFFLINE_DIGITS
    assert digits.source.startswith("no MNIST: could not download train-images-idx3-ubyte")
    assert [len(part.x) for part in (digits.train, digits.val, digits.test)] == [1197, 300, 300]


def test_digits_look_like_mnist(digits: Data) -> None:
    images = digits.images(torch.cat([digits.train.x, digits.val.x, digits.test.x]))
    assert images.shape == (1797, 28, 28)
    assert digits.train.target.dtype == torch.int64
    assert digits.train.target.unique().tolist() == list(range(10))
    ink = (images > 0).any(0)
    assert not ink[0].all()
    grid = torch.arange(28.0)
    for axis in (1, 2):  # the centre of mass lies in the middle
        centre = (images.sum(axis) * grid).sum(1) / images.sum((1, 2))
        assert (centre - 13.5).abs().max() <= 1.0


def test_pictures_and_their_labels_belong_together(digits: Data) -> None:
    """By the nearest mean picture of ten most digits are read right; by chance it would be a tenth."""
    train = digits.train
    val = digits.val
    means = torch.stack([train.x[train.target == digit].mean(0) for digit in range(10)])
    answers = torch.cdist(val.x, means).argmin(1)
    assert (answers == val.target).float().mean() > 0.8


def test_standardised_with_the_training_part_only(digits: Data) -> None:
    assert digits.train.x.mean().abs() < 1e-5
    assert digits.train.x.std() == pytest.approx(1, abs=1e-4)
    assert digits.val.x.mean().abs() > 1e-5, "the validation part has a mean of its own"


def test_unscaled_pixels_go_from_0_to_1(digits: Data) -> None:
    plain = digits.unscaled()
    for part in ("train", "val", "test"):
        before, after = getattr(digits, part), getattr(plain, part)
        assert (after.x.min(), after.x.max()) == (0, 1)
        torch.testing.assert_close((after.x - digits.mean) / digits.std, before.x, rtol=0, atol=1e-5)
        assert torch.equal(after.target, before.target)
        assert torch.equal(plain.images(after.x), digits.images(before.x))


def test_parts_do_not_overlap(digits: Data) -> None:
    rows = torch.cat([part.x for part in (digits.train, digits.val, digits.test)])
    assert len(rows.unique(dim=0)) == len(rows)


def test_x_has_the_default_dtype() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        assert data.load("digits").train.x.dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_mnist_is_split_50_10_10(mnist_dir: Path) -> None:
    mnist = data.load("mnist", mnist_dir)
    assert [len(part.x) for part in (mnist.train, mnist.val, mnist.test)] == [50_000, 10_000, 10_000]
    original = MNIST(str(mnist_dir), train=True)
    assert torch.equal(mnist.val.target, original.targets[50_000:])
    picture = (mnist.images(mnist.val.x[:1])[0] * 255).round().to(torch.uint8)
    assert torch.equal(picture, original.data[50_000])


def test_the_last_of_the_training_digits_are_for_validation(raw: Path) -> None:
    small = data.load("mnist", raw.parents[1])
    sizes = [len(part.x) for part in (small.train, small.val, small.test)]
    assert sizes == [TRAIN_COUNT - SMALL_VAL_COUNT, SMALL_VAL_COUNT, TEST_COUNT]
    original = mnist_files.read(raw / IMAGES)
    picture = (small.images(small.val.x[:1])[0] * 255).round().to(torch.uint8)
    assert torch.equal(picture, original[-SMALL_VAL_COUNT])
    assert small.test.target.tolist() == [number % 10 for number in range(TEST_COUNT)]


def test_places_are_searched_in_order(tmp_path: Path, offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explicit, environment = tmp_path / "explicit", tmp_path / "environment"
    monkeypatch.setenv("PATH_DATASETS", str(environment))
    for place, expected in ((offline, offline), (environment, environment), (explicit, explicit)):
        raw = place / "MNIST" / "raw"
        raw.mkdir(parents=True)
        (raw / "train-labels-idx1-ubyte").write_bytes(b"")
        found, missing = mnist_files.locate(explicit if place == explicit else None)
        assert found == expected / "MNIST" / "raw"
        assert len(missing) == 3


def test_a_place_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No shell has made a folder's name of the ~ in an environment file."""
    raw = tmp_path / "own" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / IMAGES).write_bytes(b"")
    for variable in ("HOME", "USERPROFILE"):  # Windows has the second
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setenv("PATH_DATASETS", "~/own")
    assert mnist_files.locate()[0] == raw


# ---------------------------------------------------------------- damaged files


@pytest.fixture
def raw(small: Path, tmp_path: Path) -> Path:
    """A folder MNIST/raw with the files; a test puts something else in the place of one."""
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name in NAMES:
        shutil.copyfile(small / name, folder / name)
    return folder


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", [IMAGES, LABELS])
def test_a_damaged_file_is_refused_and_left_alone(raw: Path, fault: str, name: str) -> None:
    FAULTS[fault](raw / name)
    with pytest.raises(UserError, match=f"{name} .*move it elsewhere and run again"):
        data.load("auto", raw.parents[1])
    assert (raw / name).is_symlink() or (raw / name).exists()
    assert mnist_files.damaged(raw) == [name]


def packed(raw: Path) -> None:
    for name in NAMES:
        (raw / f"{name}.gz").write_bytes(gzip.compress((raw / name).read_bytes(), 1))
        (raw / name).unlink()


def test_packed_files_alone_are_read_and_proven(raw: Path) -> None:
    plain = data.load("mnist", raw.parents[1])
    packed(raw)
    small = data.load("auto", raw.parents[1])
    assert (small.name, small.sha256) == ("MNIST", plain.sha256)
    for ours, theirs in zip(
        (small.train, small.val, small.test), (plain.train, plain.val, plain.test), strict=True
    ):
        assert torch.equal(ours.x, theirs.x)
        assert torch.equal(ours.target, theirs.target)
    assert mnist_files.damaged(raw) == []


@pytest.mark.parametrize("name", [IMAGES, LABELS])
def test_a_packed_file_that_is_cut_off_is_refused(raw: Path, name: str) -> None:
    packed(raw)
    path = raw / f"{name}.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=rf"{name}.gz is damaged or not MNIST's .*move it elsewhere"):
        data.load("auto", raw.parents[1])
    assert mnist_files.damaged(raw) == [name]


@pytest.mark.parametrize("names", ["{part}-{what}-idx{n}-ubyte", "{part}-{what}-idx{n}-ubyte.gz"])
@pytest.mark.parametrize("which", ["auto", "mnist"])
def test_own_digits_in_the_place_of_mnist_are_not_called_damaged(
    tmp_path: Path, which: str, names: str
) -> None:
    """And are not silently replaced by others."""
    folder = write_idx(tmp_path / "MNIST" / "raw", names)
    with pytest.raises(
        UserError, match=r"holds 60 pictures to train, in 3 classes, which --data .*raw takes"
    ) as error:
        data.load(which, tmp_path)
    assert "damaged" not in str(error.value)
    assert "delete" not in str(error.value)
    assert data.load(str(folder)).classes == ("0", "1", "2")


@pytest.mark.parametrize("place", ["MNIST/raw", "."])
@pytest.mark.parametrize("names", ["{part}-{what}.idx{n}-ubyte", "own-{part}-{what}-idx{n}-ubyte.gz"])
def test_own_digits_of_other_names_are_not_passed_over(
    tmp_path: Path, offline: Path, place: str, names: str
) -> None:
    write_idx(tmp_path / place, names)
    with pytest.raises(UserError, match=r"holds a data set, but not MNIST's four files .*to use it: --data"):
        data.load("auto", tmp_path)


def test_nothing_is_downloaded_beside_another_data_set(tmp_path: Path, server: Server) -> None:
    folder = write_idx(tmp_path / "MNIST" / "raw")
    for name in NAMES[2:]:
        (folder / name).unlink()
    with pytest.raises(UserError, match="is not MNIST's"):
        data.load("auto", tmp_path)
    assert server.asked == []


def test_only_in_our_cache_may_a_file_be_deleted(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FAULTS["empty"](raw / IMAGES)
    with pytest.raises(UserError, match="move it elsewhere and run again"):
        data.load("auto", raw.parents[1])
    monkeypatch.setattr(mnist_files, "CACHE", raw.parents[1])
    with pytest.raises(UserError, match="delete it and run again"):
        data.load("auto", raw.parents[1])


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named_and_the_digits_do_not_take_its_place(raw: Path, name: str) -> None:
    (raw / name).unlink()
    with pytest.raises(UserError, match=f"could not download {name}"):
        data.load("auto", raw.parents[1])


def test_four_links_to_nothing_are_damage_not_absence(raw: Path) -> None:
    for name in NAMES:
        FAULTS["a link to nothing"](raw / name)
    with pytest.raises(UserError, match="link to nothing"):
        data.load("auto", raw.parents[1])


@pytest.mark.parametrize("name", NAMES)
def test_a_file_changed_while_it_is_read_is_refused(
    raw: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is right until the reader opens it: what counts is what was read."""

    def open_after_the_change(path: Path, mode: str) -> Any:
        if path.name == name:
            FAULTS["bit flipped"](path)
        return builtins.open(path, mode)

    monkeypatch.setattr(mnist_files, "open", open_after_the_change, raising=False)
    with pytest.raises(UserError, match=f"{name} is not MNIST's"):
        data.load("auto", raw.parents[1])


def test_what_an_older_torchvision_left_is_not_read(raw: Path) -> None:
    """torchvision's MNIST prefers `processed/*.pt`, if they are there, to the files that were checked."""
    processed = raw.with_name("processed")
    processed.mkdir()
    for part in ("training.pt", "test.pt"):
        torch.save((torch.zeros(250, 28, 28, dtype=torch.uint8), torch.zeros(250).long()), processed / part)
    mnist = data.load("mnist", raw.parents[1])
    assert mnist.train.target.unique().tolist() == list(range(10))


@contextlib.contextmanager
def unprivileged() -> Iterator[Path]:
    """Root may read and write everything; inside, we are the user nobody. Yields a folder of ours."""
    if not hasattr(os, "geteuid"):
        pytest.skip("this system has no such users and permissions")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        was_root = os.geteuid() == 0
        try:
            if was_root:
                os.seteuid(65534)
            yield Path(folder)
        finally:
            if was_root:
                os.seteuid(0)


@pytest.mark.parametrize("forbidden", ["file", "folder"])
def test_what_may_not_be_read_is_refused(raw: Path, small: Path, forbidden: str) -> None:
    data.load("mnist", raw.parents[1])  # imports from folders that the user nobody may not read either
    contents = {name: (small / name).read_bytes() for name in NAMES}
    with unprivileged() as place:
        raw = place / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for name in NAMES:
            (raw / name).write_bytes(contents[name])
        if forbidden == "file":
            (raw / LABELS).unlink()
            (raw / LABELS).write_bytes(b"secret")
            (raw / LABELS).chmod(0)
        else:
            raw.chmod(0)
        try:
            with pytest.raises(UserError, match=r"\(Permission denied\).*--data digits"):
                data.load("auto", place)
        finally:
            raw.chmod(0o777)


def test_no_home_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATH_DATASETS", raising=False)
    monkeypatch.setattr(mnist_files, "CACHE", Path("~nobody-of-this-name/.cache"))
    with pytest.raises(UserError, match=r"there is no home folder for ~nobody.*set HOME or give --data-dir"):
        data.load("mnist")
    assert data.load("auto").name == data.OFFLINE_DIGITS
    assert not Path("~nobody-of-this-name").exists()


# ---------------------------------------------------------------- the download, from a local server


@pytest.fixture
def server(small: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Sends the small files, and is the only mirror that is asked."""
    with Server(small) as server:
        monkeypatch.setattr(MNIST, "mirrors", [server.url])
        monkeypatch.setattr(MNIST, "resources", server.resources)
        yield server


@pytest.fixture
def whole_server(mnist_dir: Path) -> Iterator[Server]:
    """Sends MNIST as it is."""
    with Server(mnist_dir / "MNIST" / "raw") as server:
        yield server


def files(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "MNIST" / "raw").iterdir())


def test_mnist_is_downloaded_once(server: Server, offline: Path) -> None:
    assert data.load("auto").name == "MNIST"
    assert files(offline) == sorted(NAMES)
    asked = len(server.asked)
    assert data.load("mnist").name == "MNIST"
    assert len(server.asked) == asked


def test_a_download_goes_on_where_it_stopped(server: Server, offline: Path) -> None:
    server.spoil["t10k-images-idx3-ubyte.gz"] = 503
    with pytest.raises(UserError, match="t10k-images-idx3-ubyte"):
        data.load("mnist")
    assert files(offline) == ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]
    with pytest.raises(UserError, match="t10k-images-idx3-ubyte"):
        data.load("auto")  # half of MNIST is not "no MNIST"
    server.spoil.clear()
    server.asked.clear()
    assert data.load("mnist").name == "MNIST"
    assert not any(name.startswith("train") for name in server.asked)


def test_where_one_server_fails_the_next_is_asked(
    server: Server, small: Path, offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(small) as broken:
        broken.spoil = dict.fromkeys(broken.files, 503)
        monkeypatch.setattr(MNIST, "mirrors", [broken.url, server.url])
        assert data.load("mnist").name == "MNIST"
        assert set(broken.asked) == set(server.asked) == set(broken.files)


def test_a_download_leaves_other_connections_their_timeout(server: Server, offline: Path) -> None:
    before = socket.getdefaulttimeout()
    data.load("mnist")
    assert socket.getdefaulttimeout() == before


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        (404, "Not Found"),
        (503, "Service Unavailable"),
        (b"not an archive", "corrupted"),
        (gzip.compress(b"not MNIST"), "corrupted"),
        (b"", "corrupted"),
        ("half", "corrupted"),
        ("reset", "reset by peer"),
        ("stall", "timed out"),
    ],
    ids=["404", "503", "wrong content", "another archive", "nothing", "half", "reset", "stall"],
)
def test_a_failed_download_is_one_clear_line(
    server: Server, offline: Path, spoiled: bytes | int | str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if spoiled == "stall":
        monkeypatch.setattr(mnist_files, "TIMEOUT", 0.5)
    server.spoil[f"{IMAGES}.gz"] = spoiled
    with pytest.raises(UserError, match=f"could not download {IMAGES} .*{reason}.*--data digits"):
        data.load("mnist")
    assert files(offline) == []
    assert data.load("auto").name == data.OFFLINE_DIGITS


def test_another_file_under_the_right_name_is_refused(
    server: Server, offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even with a matching MD5, only the content whose SHA-256 we know is taken."""
    monkeypatch.setitem(mnist_files.SHA256, IMAGES, "0" * 64)
    with pytest.raises(UserError, match="wrong content"):
        data.load("mnist")
    assert files(offline) == []


@pytest.fixture
def no_file_over_100_kb() -> Iterator[None]:
    resource = pytest.importorskip("resource", reason="this system has no such limit")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_that_the_disk_refuses(server: Server, offline: Path, no_file_over_100_kb: None) -> None:
    with pytest.raises(UserError, match=r"cannot write to .*\(File too large\); make room.*--data-dir DIR"):
        data.load("mnist")
    assert files(offline) == []


def test_a_full_disk(server: Server, offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, *_: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(MNIST, "mirrors", [server.url, server.url])
    monkeypatch.setattr(downloader, "open", lambda *_: Full(), raising=False)
    with pytest.raises(UserError, match=r"cannot write to .*\(No space left on device\); make room"):
        data.load("mnist")
    assert len(server.asked) == 2, (
        "torchvision asks twice: where the file is, and for it. Not a second mirror"
    )
    assert files(offline) == []


def test_a_read_only_cache(server: Server, digits: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATH_DATASETS", raising=False)
    with unprivileged() as place:
        cache = place / "cache"
        cache.mkdir(mode=0o555)
        monkeypatch.setattr(mnist_files, "CACHE", cache)
        with pytest.raises(UserError, match=r"cannot write to .*\(Permission denied\).*--data-dir DIR"):
            data.load("mnist")
        assert data.load("auto").sha256 == digits.sha256


@pytest.mark.slow
def test_two_downloads_at_once_into_one_folder(whole_server: Server, tmp_path: Path) -> None:
    both = [download(whole_server, tmp_path) for _ in range(2)]
    assert [process.communicate(timeout=120)[0] for process in both] == ["MNIST\n", "MNIST\n"]
    assert files(tmp_path) == sorted(NAMES)


@pytest.mark.slow
def test_a_killed_download_leaves_nothing_that_is_taken_for_whole(
    whole_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MNIST, "mirrors", [whole_server.url])
    monkeypatch.setattr(MNIST, "resources", whole_server.resources)
    whole_server.spoil["train-labels-idx1-ubyte.gz"] = "stall"
    process = download(whole_server, tmp_path)
    assert whole_server.stalled.wait(120)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert [name for name in files(tmp_path) if not name.startswith("download-")] == [IMAGES]
    whole_server.spoil.clear()
    assert data.load("mnist", tmp_path).name == "MNIST"
