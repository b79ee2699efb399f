"""Data: found, checked, downloaded, or replaced by the offline digits. Never a damaged file."""

import gzip
import http.server
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torchvision.datasets import MNIST

from curriculum import UserError, data


def test_offline_the_digits_are_used_and_it_is_said(offline: Path) -> None:
    digits = data.load("auto")
    assert digits.name == data.OFFLINE_DIGITS
    assert digits.source.startswith("no MNIST: could not download train-images-idx3-ubyte")
    assert [len(part.x) for part in (digits.train, digits.val, digits.test)] == [1197, 300, 300]


def test_digits_look_like_mnist() -> None:
    digits = data.load("digits")
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


def test_standardised_with_the_training_part_only() -> None:
    digits = data.load("digits")
    assert digits.train.x.mean().abs() < 1e-5
    assert digits.train.x.std() == pytest.approx(1, abs=1e-4)
    assert digits.val.x.mean().abs() > 1e-5, "the validation part has a mean of its own"


def test_parts_do_not_overlap() -> None:
    digits = data.load("digits")
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


def test_places_are_searched_in_order(tmp_path: Path, offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    explicit, environment = tmp_path / "explicit", tmp_path / "environment"
    monkeypatch.setenv("PATH_DATASETS", str(environment))
    for place, expected in ((offline, offline), (environment, environment), (explicit, explicit)):
        raw = place / "MNIST" / "raw"
        raw.mkdir(parents=True)
        (raw / "train-labels-idx1-ubyte").write_bytes(b"")
        found, missing = data.locate(explicit if place == explicit else None)
        assert found == expected / "MNIST" / "raw"
        assert len(missing) == 3


@pytest.fixture
def copy(mnist_dir: Path, tmp_path: Path) -> Path:
    """A writable copy of MNIST; returns the folder of its files."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in data.SHA256:
        shutil.copyfile(mnist_dir / "MNIST" / "raw" / name, raw / name)
    return raw


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [flip, truncate, empty, folder])
@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_a_damaged_file_is_refused_and_left_alone(copy: Path, harm, name: str) -> None:  # type: ignore[no-untyped-def]
    harm(copy / name)
    with pytest.raises(UserError, match=name):
        data.load("auto", copy.parents[1])
    assert (copy / name).exists()


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(UserError, match="could not download t10k-images-idx3-ubyte"):
        data.load("auto", copy.parents[1])


# ---------------------------------------------------------------- the download, from a local server


class Server:
    """Serves MNIST's archives from memory; `spoil` changes what is sent for a file."""

    def __init__(self, folder: Path) -> None:
        self.spoil: dict[str, bytes | int | None] = {}
        self.asked: list[str] = []
        self.files = {
            f"{name}.gz": gzip.compress((folder / name).read_bytes(), compresslevel=1, mtime=0)
            for name in data.SHA256
        }
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                outer.asked.append(name)
                content = outer.spoil.get(name, outer.files[name])
                if content is None:
                    time.sleep(2)
                    return
                if isinstance(content, int):
                    self.send_error(content)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(outer.files[name])))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None: ...

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/"


@pytest.fixture
def server(mnist_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    import hashlib

    server = Server(mnist_dir / "MNIST" / "raw")
    monkeypatch.setattr(MNIST, "mirrors", [server.url])
    # The archives are packed anew here, so their MD5 differs; the SHA-256 of the content is still checked.
    resources = [(name, hashlib.md5(server.files[name]).hexdigest()) for name, _ in MNIST.resources]
    monkeypatch.setattr(MNIST, "resources", resources)
    monkeypatch.setattr(data, "TIMEOUT", 0.5)
    yield server
    server.http.shutdown()


def test_mnist_is_downloaded_once(server: Server, offline: Path) -> None:
    assert data.load("auto").name == "MNIST"
    assert sorted(path.name for path in (offline / "MNIST" / "raw").iterdir()) == sorted(data.SHA256)
    asked = len(server.asked)
    assert data.load("mnist").name == "MNIST"
    assert len(server.asked) == asked


def test_a_download_goes_on_where_it_stopped(server: Server, offline: Path) -> None:
    server.spoil["t10k-images-idx3-ubyte.gz"] = 503
    with pytest.raises(UserError, match="t10k-images-idx3-ubyte"):
        data.load("mnist")
    kept = sorted(path.name for path in (offline / "MNIST" / "raw").iterdir())
    assert kept == ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]
    server.spoil.clear()
    server.asked.clear()
    assert data.load("mnist").name == "MNIST"
    assert not any(name.startswith("train") for name in server.asked)


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        (404, "Not Found"),
        (503, "Service Unavailable"),
        (b"not an archive", ""),
        (b"", ""),
        (None, "timed out"),
    ],
    ids=["404", "503", "wrong content", "cut off", "hanging"],
)
def test_a_failed_download_is_one_clear_line(
    server: Server, offline: Path, spoiled: bytes | int | None, reason: str
) -> None:
    server.spoil["train-images-idx3-ubyte.gz"] = spoiled
    with pytest.raises(
        UserError, match=f"could not download train-images-idx3-ubyte .*{reason}.*--data digits"
    ):
        data.load("mnist")
    assert list((offline / "MNIST" / "raw").iterdir()) == []
    assert data.load("auto").name == data.OFFLINE_DIGITS


def test_another_file_under_the_right_name_is_refused(
    server: Server, offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even with a matching MD5, only the content whose SHA-256 we know is taken."""
    wrong = {
        name: ("0" * 64 if name.startswith("train-images") else known) for name, known in data.SHA256.items()
    }
    monkeypatch.setattr(data, "SHA256", wrong)
    with pytest.raises(UserError, match="wrong content"):
        data.load("mnist")
    assert list((offline / "MNIST" / "raw").iterdir()) == []
