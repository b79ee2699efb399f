"""MNIST as tensors in memory, checked; offline, scikit-learn's handwritten digits in the same shape.

MNIST is looked for in `--data-dir`, then in `$PATH_DATASETS`, then in the user's cache, in torchvision's
layout (`MNIST/raw/`). What is missing is downloaded. The SHA-256 of what was read is checked: of the tensors
that are trained on, not of a file that may change in between.
"""

import contextlib
import errno
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
LARGEST = 16 + 60_000 * 28 * 28  # bytes of the largest of them
try:
    CACHE = Path(platformdirs.user_cache_dir("scratch-to-mnist", appauthor=False))
except RuntimeError:  # there is no home folder, which matters only where something must be downloaded
    CACHE = Path("~/.cache/scratch-to-mnist")
TIMEOUT = 10.0  # seconds of silence from a server
# With these the disk refuses, not the network: another server would not help.
REFUSED_HERE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}
OFFLINE_DIGITS = "scikit-learn digits"


class Split(NamedTuple):
    """x: (count, 784) standardised pixels; target: (count,) digits 0 to 9 as int64."""

    x: Tensor
    target: Tensor


@dataclass(frozen=True)
class Data:
    """A data set in three parts, and where it came from.

    `mean` and `std` are those of the training pixels on the scale 0 to 1; x = (pixel − mean) / std. Pixels
    that were left on that scale have 0 and 1.
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

    def unscaled(self) -> "Data":
        """The same digits with pixels from 0 to 1."""
        train, val, test = (
            Split(self.images(part.x).flatten(1), part.target) for part in (self.train, self.val, self.test)
        )
        return replace(self, train=train, val=val, test=test, mean=0.0, std=1.0)

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
    last 10,000 training digits are the validation part.

    Raises:
        UserError: a file is damaged or cannot be read; or, for "mnist" or where only some of the files are
            there, it cannot be downloaded.
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
    return _mnist(folder)


def locate(data_dir: Path | None = None) -> tuple[Path, list[str]]:
    """The folder `MNIST/raw` that will be used, and which of the four files are missing there.

    Raises:
        UserError: it cannot be known, because a folder may not be looked into.
    """
    places = [data_dir] if data_dir else [Path(p) for p in [os.environ.get("PATH_DATASETS")] if p] + [CACHE]
    folders = [Path(os.path.expanduser(place)) / "MNIST" / "raw" for place in places]
    for folder in folders:
        missing = [name for name in SHA256 if not _is_there(folder / name)]
        if len(missing) < len(SHA256):
            return folder, missing
    return folders[-1], list(SHA256)


def _is_there(path: Path) -> bool:
    """Whether anything has this name. A link to nothing has: it is a damaged file, not a missing one."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UserError(
            f"cannot look into {path.parent} ({error.strerror}); "
            "make it readable, or choose with --data-dir DIR or --data digits"
        ) from error
    return True


def damaged(folder: Path) -> list[str]:
    """The files in `folder` that cannot be read, or are not MNIST's byte by byte."""
    return [name for name, sha256 in SHA256.items() if _sha256(folder / name) != sha256]


def _sha256(path: Path) -> str:
    """Empty where it cannot be MNIST's. A pipe is not opened: that would wait for a writer."""
    try:
        if path.is_file() and path.stat().st_size <= LARGEST:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        pass
    return ""


def _download(folder: Path, missing: list[str]) -> None:
    """Fetch files one by one with torchvision. Each appears in `folder` whole and checked, or not at all."""
    from torchvision.datasets import MNIST

    if str(folder).startswith("~"):
        raise DownloadError(f"there is no home folder for {folder}; set HOME or give --data-dir DIR")
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
            f"cannot write to {folder} ({error.strerror or error}); "
            "make room or mend its permissions, or choose with --data-dir DIR or --data digits"
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
            if getattr(error, "errno", None) in REFUSED_HERE:
                raise
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
    train_images, train_target, test_images, test_target = (_read(folder / name) for name in SHA256)
    images, target = torch.cat([train_images, test_images]), torch.cat([train_target, test_target])
    digest = hashlib.sha256("".join(SHA256.values()).encode()).hexdigest()
    return _split("MNIST", images, target, (50_000, 10_000, 10_000), str(folder), digest)


def _read(path: Path) -> Tensor:
    """One of the four files, read by torchvision and proven: (count, 28, 28) uint8 or (count,) int64."""
    from torchvision.datasets.mnist import read_image_file, read_label_file

    problem = "is damaged or not MNIST's (its SHA-256 is wrong)"
    try:
        if not path.exists():
            problem = "is not there or is a link to nothing"
        elif not path.is_file():
            problem = "cannot be read (it is not a file)"
        elif path.stat().st_size <= LARGEST:
            tensor = (read_image_file if "images" in path.name else read_label_file)(str(path))
            if _sha256_of(tensor) == SHA256[path.name]:
                return tensor
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
    except (AssertionError, KeyError, TypeError, ValueError, RuntimeError):
        pass  # so torchvision's reader stumbles over damage
    raise UserError(
        f"{path} {problem}; delete it and run again to download it anew, "
        "or choose with --data-dir DIR or --data digits"
    )


def _sha256_of(tensor: Tensor) -> str:
    """The SHA-256 of the file that holds this tensor of bytes and nothing else.

    Such a file begins with two zeros, 8 for unsigned bytes, the number of dimensions, and each size in four
    bytes, the highest first.
    """
    sizes = b"".join(size.to_bytes(4, "big") for size in tensor.shape)
    header = bytes((0, 0, 8, tensor.dim())) + sizes
    return hashlib.sha256(header + tensor.to(torch.uint8).numpy().tobytes()).hexdigest()


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
