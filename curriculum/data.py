"""MNIST as tensors in memory, checked; offline, scikit-learn's handwritten digits in the same shape.

MNIST is looked for in `--data-dir`, then in `$PATH_DATASETS`, then in the user's cache, in torchvision's
layout (`MNIST/raw/`). What is missing is downloaded. Every file is checked by its SHA-256 before it is read.
"""

import contextlib
import hashlib
import io
import os
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import platformdirs
import torch
from torch import Tensor

from curriculum import UserError

# SHA-256 of the four files, unpacked, as LeCun, Cortes and Burges published them.
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
CACHE = Path(platformdirs.user_cache_dir("scratch-to-mnist", appauthor=False))
TIMEOUT = 10.0  # seconds of silence from a server
OFFLINE_DIGITS = "scikit-learn digits"


class Split(NamedTuple):
    """x: (count, 784) standardised pixels; target: (count,) digits 0 to 9 as int64."""

    x: Tensor
    target: Tensor


@dataclass(frozen=True)
class Data:
    """A data set in three parts, and where it came from.

    `mean` and `std` are those of the training pixels on the scale 0 to 1; x = (pixel − mean) / std.
    """

    name: str
    train: Split
    val: Split
    test: Split
    mean: float
    std: float
    source: str
    sha256: str

    def images(self, x: Tensor) -> Tensor:
        """Rows of standardised pixels (count, 784) → pictures (count, 28, 28) from 0 to 1."""
        return (x * self.std + self.mean).view(-1, 28, 28).clamp(0, 1)

    def to(self, device: torch.device) -> "Data":
        """The same digits on another device."""
        train, val, test = (
            Split(part.x.to(device), part.target.to(device)) for part in (self.train, self.val, self.test)
        )
        return replace(self, train=train, val=val, test=test)

    def resplit(self, val_count: int) -> "Data":
        """The same digits with the last `val_count` training digits, and only these, for validation."""
        both = Split(*(torch.cat(parts) for parts in zip(self.train, self.val, strict=True)))
        if not 0 < val_count < len(both.x):
            raise UserError(f"{val_count} digits for validation; expected 1 to {len(both.x) - 1:,}")
        train = Split(both.x[:-val_count], both.target[:-val_count])
        return replace(self, train=train, val=Split(both.x[-val_count:], both.target[-val_count:]))


class DownloadError(UserError):
    """MNIST could not be fetched."""


def load(which: str = "auto", data_dir: Path | None = None) -> Data:
    """MNIST ("mnist"), the offline digits ("digits"), or MNIST where it can be had ("auto").

    x has the default dtype. The offline digits are split 1,197/300/300, MNIST 50,000/10,000/10,000: the
    last 10,000 training digits are the validation part. Raises `UserError` when a file is damaged, and,
    for "mnist", when it cannot be downloaded.
    """
    if which == "digits":
        return _digits("chosen")
    folder, missing = locate(data_dir)
    if missing:
        try:
            _download(folder, missing)
        except DownloadError as error:
            if which == "mnist" or len(missing) < len(SHA256):
                raise
            return _digits(f"no MNIST: {error}")
    _check(folder)
    return _mnist(folder)


def locate(data_dir: Path | None = None) -> tuple[Path, list[str]]:
    """The folder `MNIST/raw` that will be used, and which of the four files are missing there."""
    places = [data_dir] if data_dir else [Path(p) for p in [os.environ.get("PATH_DATASETS")] if p] + [CACHE]
    folders = [place.expanduser() / "MNIST" / "raw" for place in places]
    for folder in folders:
        missing = [name for name in SHA256 if not (folder / name).exists()]
        if len(missing) < len(SHA256):
            return folder, missing
    return folders[-1], list(SHA256)


def damaged(folder: Path) -> list[str]:
    """The files in `folder` that are not MNIST's, byte by byte."""
    return [name for name, sha256 in SHA256.items() if _sha256(folder / name) != sha256]


def _check(folder: Path) -> None:
    for name in damaged(folder):
        raise UserError(
            f"{folder / name} is damaged or not MNIST's (its SHA-256 is wrong); "
            "delete it and run again to download it anew"
        )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); expected one of MNIST's four files"
        ) from error


def _download(folder: Path, missing: list[str]) -> None:
    """Fetch files one by one with torchvision. Each appears in `folder` whole and checked, or not at all."""
    from torchvision.datasets import MNIST

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="download-", dir=folder) as scratch, _quiet_with_timeout():
            for archive, md5 in MNIST.resources:
                name = Path(archive).stem
                if name in missing:
                    _fetch([f"{mirror}{archive}" for mirror in MNIST.mirrors], Path(scratch), name, md5)
                    os.replace(Path(scratch) / name, folder / name)
    except OSError as error:
        raise DownloadError(
            f"cannot write to {folder} ({error.strerror or error}); try --data-dir DIR"
        ) from error


def _fetch(urls: list[str], scratch: Path, name: str, md5: str) -> None:
    from torchvision.datasets.utils import download_and_extract_archive

    reasons = []
    for url in urls:
        try:
            download_and_extract_archive(url, str(scratch), md5=md5, remove_finished=True)
            if _sha256(scratch / name) == SHA256[name]:
                return
            reasons.append("wrong content")
        except (OSError, RuntimeError, EOFError, HTTPException) as error:
            reasons.append(str(getattr(error, "reason", error)) or type(error).__name__)
    raise DownloadError(
        f"could not download {name} ({'; '.join(dict.fromkeys(reasons))}); "
        "connect and run again, or give --data-dir DIR with MNIST/raw in it, or --data digits"
    )


@contextlib.contextmanager
def _quiet_with_timeout() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        socket.setdefaulttimeout(before)


def _mnist(folder: Path) -> Data:
    from torchvision.datasets import MNIST

    train, test = (MNIST(str(folder.parents[1]), train=part) for part in (True, False))
    images = torch.cat([train.data, test.data])
    target = torch.cat([train.targets, test.targets])
    digest = hashlib.sha256("".join(SHA256.values()).encode()).hexdigest()
    return _split("MNIST", images, target, (50_000, 10_000, 10_000), str(folder), digest)


def _digits(why: str) -> Data:
    """1,797 scans of 8×8 pixels, brought to 28×28 the way MNIST was made: a 20×20 box, centred by mass."""
    from sklearn.datasets import load_digits

    bundle = load_digits()
    small = torch.tensor(bundle.images, dtype=torch.float32)[:, None] / 16  # (1797, 1, 8, 8), 0 to 1
    boxes = torch.nn.functional.interpolate(small, size=(20, 20), mode="bilinear")[:, 0]
    images = (torch.stack([_centred(box) for box in boxes]) * 255).round().to(torch.uint8)
    target = torch.tensor(bundle.target, dtype=torch.int64)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    digest = hashlib.sha256(images.numpy().tobytes() + target.numpy().tobytes()).hexdigest()
    return _split(OFFLINE_DIGITS, images[order], target[order], (1_197, 300, 300), why, digest)


def _centred(box: Tensor) -> Tensor:
    """Paste (20, 20) into (28, 28) so that the centre of mass lies in the middle, as far as the box fits."""
    grid = torch.arange(20.0)
    picture = torch.zeros(28, 28)
    top, left = (
        int((13.5 - (box.sum(axis) * grid).sum() / box.sum()).round().clamp(0, 8)) for axis in (1, 0)
    )
    picture[top : top + 20, left : left + 20] = box
    return picture


def _split(
    name: str, images: Tensor, target: Tensor, sizes: tuple[int, int, int], source: str, sha256: str
) -> Data:
    """Standardise with the mean and deviation of the training part only; cut into three parts."""
    pixels = images[: sizes[0]].to(torch.float64) / 255
    mean, std = pixels.mean().item(), pixels.std(correction=0).item()
    x = ((images.view(len(images), 784) / 255 - mean) / std).to(torch.get_default_dtype())
    train, val, test = (Split(*part) for part in zip(x.split(sizes), target.split(sizes), strict=True))
    return Data(name, train, val, test, mean, std, source, sha256)
