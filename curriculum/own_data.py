"""Your own labelled pictures, as MNIST's readers want them: IDX files, NumPy archives, tables, folders.

What can be read:

- a folder with IDX files (the format of MNIST, Fashion-MNIST, KMNIST, EMNIST), packed by gzip or not, under
  any of their usual names: `train-images-idx3-ubyte`, `t10k-labels.idx1-ubyte.gz`,
  `emnist-letters-test-images-idx3-ubyte`, …;
- an `.npz` archive with `x_train`, `y_train` and, if there are any, `x_test`, `y_test` (Keras's `mnist.npz`);
- a `.csv` table, one picture a row: its label, then its pixels from 0 to 255, with or without a heading;
  or a folder with `…train….csv` and `…test….csv`;
- a folder of picture files by class, `cats/1.png`, `dogs/7.jpg`, or two such folders named `train` and `test`.

Nothing is changed, deleted or called damaged here: a file that this reader does not know is simply not known.
"""

import csv
import gzip
import hashlib
import math
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from curriculum import UserError

SIDE = 28  # pixels of a picture's side, as the networks take them
PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
KINDS = "IDX files, an .npz archive, a .csv table, or a folder of pictures by class"
IDX_NAME = re.compile(
    r"(?P<stem>.*?)(?P<part>train|t10k|test)[-_](?P<what>images|labels)[-_.]idx[13][-_.]ubyte(\.gz)?"
    r"|(?P<stem2>.*?)(?P<part2>train|t10k|test)[-_](?P<what2>images|labels)\.idx[13](\.gz)?"
)
UNSIGNED_BYTES = 8  # what an IDX file calls its type

Bytes = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """images: (count, height, width) uint8; labels: (count,), what the source calls the classes."""

    images: Bytes
    labels: NDArray[Any]


@dataclass(frozen=True)
class OwnData:
    """A data set in up to two parts, as it was found.

    images, test_images: (count, 28, 28) uint8. target, test_target: (count,) int64, 0 up to the number of
    classes. Where the source keeps no test part, the second ones are empty.
    classes: their names, in the order of the numbers.
    remarks: what was done to it, or looks odd, in one line each.
    """

    name: str
    source: Path
    images: Bytes
    target: Labels
    test_images: Bytes
    test_target: Labels
    classes: tuple[str, ...]
    sha256: str
    remarks: tuple[str, ...] = field(default=())


def read(source: Path) -> OwnData:
    """Read a data set of one's own.

    Raises:
        UserError: it is not there, is of no known kind, or contradicts itself: as many labels as pictures, one
            size for all, two classes or more, no class in the test part alone.
    """
    source = Path(source).expanduser()
    if not source.exists():
        raise UserError(f"there is no {source}; expected {KINDS}")
    try:
        parts = dict(_parts(source))
    except PermissionError as error:
        raise UserError(
            f"cannot read {error.filename or source} (permission denied); make it readable"
        ) from error
    if "train" not in parts:
        raise UserError(f"{source} is no data set that can be read; expected {KINDS}")
    return _joined(source, parts["train"], parts.get("test"))


def _joined(source: Path, train: Part, test: Part | None) -> OwnData:
    for name, part in (("train", train), ("test", test)):
        if part is not None:
            _check(source, name, part)
    test = test or Part(train.images[:0], train.labels[:0])
    names = np.unique(train.labels)
    if len(names) < 2:
        raise UserError(f"{source} has one class only ({names[0]}); expected two or more")
    unknown = np.setdiff1d(test.labels, names)
    if len(unknown):
        raise UserError(
            f"{source}: class {unknown[0]} is in the test part alone; expected every class in the train part"
        )
    if train.images.shape[1:] != test.images.shape[1:]:
        raise UserError(
            f"{source}: pictures of {_size(train)} to train and of {_size(test)} to test; expected one size"
        )
    images, remarks = _fitted(train.images)
    test_images, _ = _fitted(test.images)
    found = OwnData(
        name=source.name.removesuffix(".gz").removesuffix(source.suffix) or str(source),
        source=source,
        images=images,
        target=np.searchsorted(names, train.labels).astype(np.int64),
        test_images=test_images,
        test_target=np.searchsorted(names, test.labels).astype(np.int64),
        classes=tuple(str(name) for name in names),
        sha256=_digest(train, test),
    )
    return replace(found, remarks=(*remarks, *_odd(found)))


def _digest(*parts: Part) -> str:
    """SHA-256 of the pictures as they were found, and of the labels."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(str(part.images.shape).encode())
        digest.update(part.images.tobytes())
        digest.update("\n".join(str(label) for label in part.labels).encode())
    return digest.hexdigest()


def _check(source: Path, name: str, part: Part) -> None:
    if len(part.images) != len(part.labels):
        raise UserError(
            f"{source}: {len(part.images):,} pictures and {len(part.labels):,} labels in the {name} part; "
            "expected as many of both"
        )
    if len(part.images) == 0:
        raise UserError(f"{source}: the {name} part is empty; expected at least one picture of each class")


def _size(part: Part) -> str:
    height, width = part.images.shape[1:]
    return f"{height}×{width}"


def _fitted(images: Bytes) -> tuple[Bytes, list[str]]:
    """The pictures at 28×28: as they are, or scaled with their sides in proportion, on their own edge's shade."""
    count, height, width = images.shape
    if (height, width) == (SIDE, SIDE):
        return images, []
    scale = SIDE / max(height, width)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    fitted = np.empty((count, SIDE, SIDE), dtype=np.uint8)
    for index, picture in enumerate(images):
        small = np.asarray(
            Image.fromarray(picture).resize(
                shape, Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
            )
        )
        edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        fitted[index] = np.uint8(np.median(edge))
        top, left = (SIDE - small.shape[0]) // 2, (SIDE - small.shape[1]) // 2
        fitted[index, top : top + small.shape[0], left : left + small.shape[1]] = small
    return fitted, [f"pictures of {height}×{width} were scaled to {SIDE}×{SIDE}"]


def _odd(data: OwnData) -> Iterator[str]:
    """What the owner may want to know before training."""
    edges = np.concatenate([data.images[:, 0].ravel(), data.images[:, -1].ravel()])
    if np.median(edges) > 127:
        yield "the background is light: a network trained on MNIST, white on black, would read it wrongly"
    blank = int((data.images.reshape(len(data.images), -1).std(1) < 1).sum())
    if blank:
        yield f"{blank:,} pictures to train are blank"
    counts = np.bincount(data.target, minlength=len(data.classes))
    if counts.max() > 3 * counts.min():
        few, many = counts.argmin(), counts.argmax()
        yield (
            f"classes are uneven: {counts[few]:,} pictures of {data.classes[few]}, "
            f"{counts[many]:,} of {data.classes[many]}"
        )
    missing = (
        set(range(len(data.classes))) - set(data.test_target.tolist()) if len(data.test_target) else set()
    )
    if missing:
        yield f"no test picture of {', '.join(data.classes[number] for number in sorted(missing))}"
    both = {row.tobytes() for row in data.images} & {row.tobytes() for row in data.test_images}
    if both:
        yield f"{len(both):,} pictures are in the train part and in the test part"
    distinct = len({row.tobytes() for row in data.images})
    if distinct < len(data.images):
        yield f"{len(data.images) - distinct:,} pictures to train are there more than once"


# ---------------------------------------------------------------- the kinds


def _parts(source: Path) -> Iterator[tuple[str, Part]]:
    """The parts that a source has, "train" and perhaps "test"."""
    if source.is_dir():
        yield from _folder(source)
    elif source.suffix == ".npz":
        yield from _archive(source)
    elif source.suffix == ".csv":
        yield "train", _table(source)
    elif IDX_NAME.fullmatch(source.name):
        yield from _folder(source.parent)


def _folder(folder: Path) -> Iterator[tuple[str, Part]]:
    for inner in (folder, *sorted(folder.glob("*/raw")), folder / "raw"):
        if any(IDX_NAME.fullmatch(path.name) for path in _files(inner)):
            yield from _idx_files(inner)
            return
    tables = [path for path in _files(folder) if path.suffix == ".csv"]
    if tables:
        yield from _tables(folder, tables)
        return
    archives = [path for path in _files(folder) if path.suffix == ".npz"]
    if len(archives) == 1:
        yield from _archive(archives[0])
        return
    inside = {path.name.lower(): path for path in folder.iterdir() if path.is_dir()}
    if "train" in inside:
        yield "train", _pictures(inside["train"])
        for name in ("test", "val", "valid", "validation"):
            if name in inside:
                yield "test", _pictures(inside[name])
                return
    elif any(_picture_files(path) for path in inside.values()):
        yield "train", _pictures(folder)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []


def _idx_files(folder: Path) -> Iterator[tuple[str, Part]]:
    found: dict[tuple[str, str], Path] = {}
    for path in _files(folder):
        match = IDX_NAME.fullmatch(path.name)
        if match:
            part = match["part"] or match["part2"]
            key = ("train" if part == "train" else "test", match["what"] or match["what2"])
            other = found.setdefault(key, path)
            if other.name.removesuffix(".gz") != path.name.removesuffix(".gz"):
                raise UserError(
                    f"{folder} holds more than one data set ({other.name}, {path.name}); give one of them a folder of its own"
                )
    for part in ("train", "test"):
        if (part, "images") in found and (part, "labels") in found:
            images, labels = read_idx(found[part, "images"]), read_idx(found[part, "labels"])
            if images.ndim != 3 or labels.ndim != 1:
                raise UserError(
                    f"{found[part, 'images']} has the shape {images.shape}, its labels {labels.shape}; "
                    "expected (count, height, width) and (count,)"
                )
            yield part, Part(images, labels.astype(np.int64))
        elif (part, "images") in found or (part, "labels") in found:
            have, lacks = ("images", "labels") if (part, "images") in found else ("labels", "images")
            raise UserError(f"{folder} has the {part} part's {have} and no {lacks}; expected both files")


def read_idx(path: Path) -> Bytes:
    """An IDX file of unsigned bytes, gzip-packed or not: two zeros, the type, the number of dimensions, the sizes, the values.

    Raises:
        UserError: it is another kind of file, holds another type, or is shorter or longer than it says.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            content = file.read()
    except (OSError, EOFError) as error:
        raise UserError(f"cannot read {path} ({getattr(error, 'strerror', None) or error})") from error
    if content[:2] != b"\0\0" or len(content) < 4:
        raise UserError(f"{path} is no IDX file: it does not begin with two zeros; expected MNIST's format")
    if content[2] != UNSIGNED_BYTES:
        raise UserError(f"{path} holds values of type {content[2]:#x}; expected unsigned bytes (0x8)")
    dimensions = content[3]
    header = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(content[place : place + 4], "big") for place in range(4, header, 4))
    if len(content) != header + math.prod(shape):
        raise UserError(
            f"{path} says it holds {'×'.join(map(str, shape))} values and holds {len(content) - header:,}; "
            "it is cut off, or no IDX file"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _archive(path: Path) -> Iterator[tuple[str, Part]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"{path} cannot be read as an .npz archive of numbers ({error})") from error
    for part in ("train", "test"):
        images, labels = (arrays.get(f"{letter}_{part}") for letter in "xy")
        if images is None and labels is None and part == "test":
            continue
        if images is None or labels is None:
            raise UserError(
                f"{path} holds {', '.join(arrays) or 'nothing'}; expected x_train and y_train, and x_test and y_test if any"
            )
        yield part, Part(_as_bytes(path, images), labels.reshape(-1))


def _as_bytes(path: Path, images: NDArray[Any]) -> Bytes:
    """Pictures (count, height, width[, 1]) or (count, pixels) of any numbers, 0 to 255 or 0 to 1."""
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.ndim == 2:
        images = _square(path, images)
    if images.ndim != 3:
        raise UserError(f"{path} has pictures of shape {images.shape}; expected (count, height, width), grey")
    return _scaled(path, images)


def _square(path: Path, rows: NDArray[Any]) -> NDArray[Any]:
    side = math.isqrt(rows.shape[1])
    if side * side != rows.shape[1] or side == 0:
        raise UserError(f"{path} has {rows.shape[1]:,} pixels a picture; expected a square, 784 = 28×28")
    return rows.reshape(len(rows), side, side)


def _scaled(path: Path, images: NDArray[Any]) -> Bytes:
    if images.dtype == np.uint8 or not images.size:
        return images.astype(np.uint8)
    low, high = images.min(), images.max()
    if not (np.isfinite(low) and np.isfinite(high) and low >= 0 and high <= 255):
        raise UserError(f"{path} has pixels from {low:g} to {high:g}; expected 0 to 255, or 0 to 1")
    whole = images * 255 if high <= 1 and images.dtype.kind == "f" else images
    return np.rint(whole).astype(np.uint8)


def _tables(folder: Path, tables: list[Path]) -> Iterator[tuple[str, Part]]:
    for part in ("train", "test"):
        named = [path for path in tables if part in path.stem.lower()]
        if len(named) > 1:
            raise UserError(f"{folder} has more than one table to {part}: {named[0].name}, {named[1].name}")
        if named:
            yield part, _table(named[0])
        elif part == "train":
            if len(tables) > 1:
                raise UserError(f"{folder} has {len(tables)} tables and none named train; say which one")
            yield part, _table(tables[0])
            return


def _table(path: Path) -> Part:
    """A row a picture: the label, then the pixels. Rows that are no numbers are a heading, if they come first."""
    labels, rows = [], []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.reader(file), start=1):
                if not row or (number == 1 and _is_heading(row)):
                    continue
                rows.append(_pixels(path, number, row[1:], rows[0] if rows else None))
                labels.append(row[0].strip())
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no text in UTF-8; expected a table of numbers") from error
    if not rows:
        raise UserError(f"{path} holds no row; expected a label and pixels in each")
    images = _scaled(path, _square(path, np.array(rows)))
    return Part(images, _labels(labels))


def _labels(names: list[str]) -> NDArray[Any]:
    """Whole numbers as numbers, so that 2 comes before 10; else names."""
    if all(re.fullmatch(r"-?\d+(\.0*)?", name) for name in names):
        return np.array([int(float(name)) for name in names], dtype=np.int64)
    return np.array(names)


def _is_heading(row: list[str]) -> bool:
    try:
        [float(value) for value in row[1:]]
    except ValueError:
        return True
    return False


def _pixels(path: Path, number: int, row: list[str], first: list[float] | None) -> list[float]:
    try:
        values = [float(value) for value in row]
    except ValueError as error:
        raise UserError(f"{path}:{number}: {error}; expected a label and then numbers") from error
    if first is not None and len(values) != len(first):
        raise UserError(
            f"{path}:{number} has {len(values):,} pixels, the row before {len(first):,}; expected as many"
        )
    return values


def _picture_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in PICTURES]


def _pictures(folder: Path) -> Part:
    """The picture files of each class's folder, grey, all of one size."""
    images: list[Bytes] = []
    labels: list[str] = []
    for place in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        files = _picture_files(place)
        if not files:
            raise UserError(f"{place} holds no picture; expected PNG or JPEG files of the class {place.name}")
        for path in files:
            images.append(_grey(path))
            labels.append(place.name)
            if images[-1].shape != images[0].shape:
                height, width = images[-1].shape
                raise UserError(
                    f"{path} has {height}×{width} pixels, the first picture {images[0].shape[0]}×{images[0].shape[1]}; "
                    "expected one size for all"
                )
    if not images:
        raise UserError(f"{folder} holds no folders; expected one for each class, with pictures in it")
    return Part(np.stack(images), _labels(labels))


def _grey(path: Path) -> Bytes:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("L"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path} is no picture that can be read ({type(error).__name__})") from error
