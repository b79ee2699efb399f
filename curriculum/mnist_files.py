"""MNIST's four files: where they are looked for, how they are downloaded, and how they are checked.

MNIST is looked for in `--data-dir`, then in `$PATH_DATASETS`, then in the user's cache, in torchvision's
layout (`MNIST/raw/`), packed by gzip or not. What is missing is downloaded. The SHA-256 of what was read is
checked: of the tensors that are trained on, not of a file that may change in between.
"""

import contextlib
import errno
import gzip
import hashlib
import io
import math
import os
import socket
import tempfile
import zlib
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import torch
from numpy.typing import NDArray
from torch import Tensor

from curriculum import UserError, own_data

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
INSTEAD = "connect and run again, or give --data-dir DIR with MNIST/raw in it, or --data digits"
# With these the disk refuses, not the network: another server would not help.
REFUSED_HERE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}


class DownloadError(UserError):
    """A data set could not be fetched."""


# ---------------------------------------------------------------- looked for


def locate(data_dir: Path | None = None) -> tuple[Path, list[str]]:
    """The folder `MNIST/raw` that will be used, and which of the four files are missing there.

    Raises:
        UserError: it cannot be known, because a folder may not be looked into.
    """
    folders = [Path(os.path.expanduser(place)) / "MNIST" / "raw" for place in places(data_dir)]
    for folder in folders:
        missing = [name for name in SHA256 if not is_there(as_found(folder / name))]
        if len(missing) < len(SHA256):
            return folder, missing
    return folders[-1], list(SHA256)


def places(data_dir: Path | None) -> list[Path]:
    """Where data sets are looked for, the first one first; to the last one they are downloaded."""
    environment = os.environ.get("PATH_DATASETS")
    if data_dir:
        return [data_dir]
    return [Path(environment), CACHE] if environment else [CACHE]


def as_found(path: Path) -> Path:
    """The file itself, or where only that is there the one packed by gzip."""
    packed = path.with_name(f"{path.name}.gz")
    return packed if not os.path.lexists(path) and os.path.isfile(packed) else path


def refuse_other_data(data_dir: Path) -> None:
    """A data set in a folder that was named for MNIST, and is laid out in another way.

    Raises:
        UserError: there is one; it says how to use it.
    """
    place = Path(os.path.expanduser(data_dir))
    for folder in (place / "MNIST" / "raw", place):
        if own_data.holds_idx(folder):
            raise UserError(
                f"{folder} holds a data set, but not MNIST's four files in MNIST/raw; "
                f"to use it: --data {folder}"
            )


def is_there(path: Path) -> bool:
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


# ---------------------------------------------------------------- read and checked


def read(path: Path) -> Tensor:
    """One of the four files, read and proven. (torchvision would read it, too, but takes seconds to import.)

    Returns:
        Pictures (count, 28, 28) as uint8, or digits (count,) as int64.

    Raises:
        UserError: the file cannot be read, or what was read is not MNIST's byte by byte.
    """
    path = as_found(path)
    try:
        tensor = _parse(path)
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror or error})") from error
    if tensor is None or _sha256_of_tensor(tensor) != SHA256[path.name.removesuffix(".gz")]:
        raise _not_mnist(path)
    return tensor


def _parse(path: Path) -> Tensor | None:
    """What the file holds; None where it is damaged."""
    if not path.exists():
        raise _unusable(path, "is not there or is a link to nothing")
    if not path.is_file():
        raise _unusable(path, "cannot be read (it is not a file)")
    if path.stat().st_size > LARGEST:
        return None
    if path.suffix == ".gz":
        return _unpack(path)
    with open(path, "rb") as file:
        content = file.read()
    # Two zeros, 8 for unsigned bytes, the number of dimensions; then each size in four bytes, and the values.
    dimensions = content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    begin = 4 + 4 * dimensions
    if dimensions not in (1, 3) or len(content) < begin:
        return None
    sizes = np.frombuffer(content[4:begin], ">u4").tolist()
    if len(content) != begin + math.prod(sizes):
        return None
    return _as_tensor(np.frombuffer(content, np.uint8, offset=begin).reshape(sizes))


def _unpack(path: Path) -> Tensor | None:
    try:
        return _as_tensor(own_data.read_idx(path))
    except UserError:
        return None


def _as_tensor(values: NDArray[np.uint8]) -> Tensor:
    """As torchvision gives it: pictures as uint8, labels as int64."""
    tensor = torch.from_numpy(values.copy())
    return tensor if tensor.dim() == 3 else tensor.long()


def _not_mnist(path: Path) -> UserError:
    """The file is another one than MNIST's: it belongs to another data set, or to none."""
    folder = path.parent
    try:
        found = own_data.read(folder)
    except UserError:
        return _unusable(path, "is damaged or not MNIST's (its SHA-256 is wrong)")
    return _unusable(
        path,
        f"is not MNIST's (its SHA-256 is wrong): {folder} holds {len(found.images):,} pictures to train, "
        f"in {len(found.classes)} classes, which --data {folder} takes",
    )


def _unusable(path: Path, problem: str) -> UserError:
    return UserError(
        f"{path} {problem}; {out_of_the_way(path)} and run again to download it anew, "
        "or choose with --data-dir DIR or --data digits"
    )


def out_of_the_way(path: Path) -> str:
    """Only what was downloaded into our own cache may be deleted; the rest is the user's."""
    return "delete it" if path.is_relative_to(CACHE) else "move it elsewhere"


def _sha256_of_tensor(tensor: Tensor) -> str:
    """The SHA-256 of the file that holds this tensor of bytes and nothing else.

    Such a file begins with two zeros, 8 for unsigned bytes, the number of dimensions, and each size in four
    bytes, the highest first.
    """
    sizes = b"".join(size.to_bytes(4, "big") for size in tensor.shape)
    header = bytes((0, 0, 8, tensor.dim())) + sizes
    return hashlib.sha256(header + tensor.to(torch.uint8).numpy().tobytes()).hexdigest()


def damaged(folder: Path) -> list[str]:
    """The files in `folder` that cannot be read, or are not MNIST's byte by byte."""
    return [name for name, sha256 in SHA256.items() if _sha256_of_file(as_found(folder / name)) != sha256]


def _sha256_of_file(path: Path) -> str:
    """Empty where it cannot be MNIST's. A pipe is not opened: that would wait for a writer."""
    try:
        if path.is_file() and path.stat().st_size <= LARGEST:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, EOFError, zlib.error):
        pass
    return ""


# ---------------------------------------------------------------- downloaded


def download(folder: Path, missing: list[str], known: Any = None, instead: str = INSTEAD) -> None:
    """Fetch files one by one with torchvision. Each appears in `folder` whole and checked, or not at all.

    Args:
        known: torchvision's class of the data set; MNIST, unless another is given.
        instead: what else the user can do.

    Raises:
        DownloadError: no server has a right file, or `folder` cannot be written to.
    """
    from torchvision.datasets import MNIST

    known = known or MNIST
    with writing_to(folder), tempfile.TemporaryDirectory(prefix="download-", dir=folder) as scratch:
        for archive, md5 in known.resources:
            name = Path(archive).stem
            if name in missing:
                urls = [f"{mirror}{archive}" for mirror in known.mirrors]
                sha256 = SHA256[name] if known is MNIST else ""
                fetch(urls, Path(scratch), name, md5, instead, sha256)
                os.replace(Path(scratch) / name, folder / name)


@contextlib.contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Makes the folder; what the disk refuses inside is one line.

    Raises:
        DownloadError: it did.
    """
    if str(folder).startswith("~"):
        raise DownloadError(f"there is no home folder for {folder}; set HOME or give --data-dir DIR")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise DownloadError(
            f"cannot write to {folder} ({error.strerror or error}); "
            "make room or mend its permissions, or choose with --data-dir DIR or --data digits"
        ) from error


def fetch(urls: list[str], scratch: Path, name: str, md5: str, instead: str, sha256: str = "") -> None:
    """Put what an archive holds into `scratch`, from the first of `urls` that sends the right one.

    Args:
        name: of the file in it.
        sha256: of that file, where it is known.

    Raises:
        DownloadError: none does.
    """
    from torchvision.datasets.utils import download_and_extract_archive

    def attempt(url: str) -> None:
        download_and_extract_archive(url, str(scratch), md5=md5, remove_finished=True)
        if sha256 and _sha256_of_file(scratch / name) != sha256:
            raise RuntimeError("wrong content")

    _first_that_sends(urls, attempt, name, instead)


def fetch_archive(url: str, scratch: Path, name: str, md5: str, instead: str) -> None:
    """Put an archive into `scratch` under the name `name`, packed as it is.

    Raises:
        DownloadError: the server does not send the right one.
    """
    from torchvision.datasets.utils import download_url

    def attempt(url: str) -> None:
        download_url(url, str(scratch), name, md5)

    _first_that_sends([url], attempt, name, instead)


def _first_that_sends(urls: list[str], attempt: Callable[[str], None], name: str, instead: str) -> None:
    """Try each address until one of them sends what is expected."""
    reasons = []
    for url in urls:
        try:
            with _quiet_with_timeout():
                attempt(url)
            return
        except (OSError, RuntimeError, EOFError, HTTPException) as error:
            if getattr(error, "errno", None) in REFUSED_HERE:
                raise
            reasons.append(str(getattr(error, "reason", error)) or type(error).__name__)
    raise DownloadError(f"could not download {name} ({'; '.join(dict.fromkeys(reasons))}); {instead}")


@contextlib.contextmanager
def _quiet_with_timeout() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        socket.setdefaulttimeout(before)
