"""Data sets that torchvision knows by name: Fashion-MNIST, Kuzushiji-MNIST, and the six parts of EMNIST.

They are looked for where MNIST is, in torchvision's layout (`FashionMNIST/raw/`, `KMNIST/raw/`,
`EMNIST/raw/`), packed by gzip or not. What is missing is downloaded from torchvision's addresses; its MD5 is
checked there. Their files are IDX files, which `own_data` reads. All parts of EMNIST come in one archive of
560 MB, which stays beside them, so that the next part needs no download.
"""

import gzip
import os
import shutil
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from curriculum import UserError, mnist_files, own_data
from curriculum.data_names import OF_TORCHVISION
from curriculum.own_data import OwnData

TORCHVISION = {"fashion": "FashionMNIST", "kmnist": "KMNIST"}  # its class, and its folder; else EMNIST
ARCHIVE = "gzip.zip"  # EMNIST's, as its address and torchvision call it


def read(name: str, data_dir: Path | None = None) -> OwnData:
    """One of `OF_TORCHVISION`, with torchvision's names for its classes.

    Raises:
        UserError: it is not there and cannot be downloaded, or its files are others.
    """
    folder = _found_or_downloaded(name, data_dir)
    prefix = f"{name}-" if _is_emnist(name) else ""
    found = own_data.read_idx_set(folder, prefix)
    if not prefix and not mnist_files.damaged(folder):
        raise UserError(f"{folder} holds MNIST's own files; expected those of {OF_TORCHVISION[name]}")
    known = _class_names(name)
    largest = max(map(int, found.classes))
    if largest >= len(known):
        raise UserError(
            f"{folder} holds a class {largest}; {OF_TORCHVISION[name]} has {len(known)} classes; "
            f"to use it as your own: --data {folder}"
        )
    return replace(
        found, name=OF_TORCHVISION[name], classes=tuple(known[int(number)] for number in found.classes)
    )


def _is_emnist(name: str) -> bool:
    return name not in TORCHVISION


def _class_names(name: str) -> list[str]:
    """By the number of the class; EMNIST's letters begin with 1."""
    from torchvision import datasets  # takes seconds to import

    if _is_emnist(name):
        return list(datasets.EMNIST.classes_split_dict[name.removeprefix("emnist-")])
    return list(getattr(datasets, TORCHVISION[name]).classes)


def _files(name: str) -> list[str]:
    if not _is_emnist(name):
        return list(mnist_files.SHA256)  # they are called as MNIST's
    endings = ("images-idx3-ubyte", "labels-idx1-ubyte")
    return [f"{name}-{part}-{ending}" for part in ("train", "test") for ending in endings]


def _found_or_downloaded(name: str, data_dir: Path | None) -> Path:
    """The folder with all its files."""
    upper = TORCHVISION.get(name, "EMNIST")
    # Whole paths: a run's manifest tells them, and is read from other folders, too.
    places = [Path(os.path.expanduser(place)).absolute() for place in mnist_files.places(data_dir)]
    folders = [place / upper / "raw" for place in places]
    for folder in folders:
        missing = [
            file for file in _files(name) if not mnist_files.is_there(mnist_files.as_found(folder / file))
        ]
        if len(missing) < len(_files(name)):
            break
    if missing:
        _bring(name, folder, missing, folders)
    return folder


def _bring(name: str, folder: Path, missing: list[str], folders: list[Path]) -> None:
    """Put the missing files into `folder`. Each appears whole, or not at all.

    Args:
        folders: where the data set was looked for.

    Raises:
        DownloadError: no server has the right ones, or `folder` cannot be written to.
        UserError: EMNIST's archive lies there and is not the right one.
    """
    from torchvision import datasets

    known: Any = getattr(datasets, TORCHVISION.get(name, "EMNIST"))
    places = " or ".join(map(str, folders))
    instead = (
        f"{OF_TORCHVISION[name]} was looked for in {places}; "
        f"connect and run again, or give --data-dir DIR with {known.__name__}/raw in it"
    )
    if not _is_emnist(name):
        mnist_files.download(folder, missing, known, instead)
        return
    with mnist_files.writing_to(folder), tempfile.TemporaryDirectory(prefix="download-", dir=folder) as place:
        archive = _archive_at_hand(folders, known.md5)
        if archive is None:
            mnist_files.fetch_archive(known.url, Path(place), ARCHIVE, known.md5, instead)
            archive = folder / ARCHIVE
            os.replace(Path(place) / ARCHIVE, archive)
        _unpack(archive, missing, Path(place), folder)


def _archive_at_hand(folders: list[Path], md5: str) -> Path | None:
    """EMNIST's archive where it lies already: torchvision leaves it beside the files, and so do we.

    Raises:
        UserError: it is cut off, or another one.
    """
    from torchvision.datasets.utils import check_integrity

    for folder in folders:
        archive = folder / ARCHIVE
        if mnist_files.is_there(archive):
            if not check_integrity(archive, md5):
                raise UserError(
                    f"{archive} is not EMNIST's archive, or is cut off (its MD5 is wrong); "
                    f"{mnist_files.out_of_the_way(archive)} and run again to download it anew"
                )
            return archive
    return None


def _unpack(archive: Path, files: list[str], scratch: Path, folder: Path) -> None:
    """Only these files, which appear in `folder` whole: the archive holds six data sets."""
    with zipfile.ZipFile(archive) as parts:
        for file in files:
            with (
                parts.open(f"gzip/{file}.gz") as packed,
                gzip.open(packed) as source,
                (scratch / file).open("wb") as target,
            ):
                shutil.copyfileobj(source, target)
            os.replace(scratch / file, folder / file)
