"""Your own labelled pictures, as MNIST's readers want them: IDX files, NumPy archives, tables, folders.

What can be read:

- a folder with IDX files (the format of MNIST, Fashion-MNIST, KMNIST, EMNIST), packed by gzip or not, under
  any of their usual names: `train-images-idx3-ubyte`, `t10k-labels.idx1-ubyte.gz`,
  `emnist-letters-test-images-idx3-ubyte`, …;
- an `.npz` archive with `x_train`, `y_train` and, if there are any, `x_test`, `y_test` (Keras's `mnist.npz`);
- a `.csv` table, one picture a row: its label, then its pixels from 0 to 255, with or without a heading;
  or a folder with `…train….csv` and `…test….csv`;
- a folder of picture files by class, `cats/1.png`, `dogs/7.jpg`, or two such folders, `train` and `test`.

Nothing is changed, deleted or called damaged here: a file that this reader does not know is simply not known.
"""

import csv
import gzip
import hashlib
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from curriculum import UserError
from curriculum.picture import Whole, open_picture

SIDE = 28  # pixels of a picture's side, as the networks take them
UPRIGHT = "EMNIST's pictures lie on their side, mirrored: they were put upright"
LARGEST = 2**32  # bytes of an IDX file
HEADINGS = {"label", "labels", "class", "target", "digit", "y"}  # above a table's first column
PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
KINDS = "IDX files, an .npz archive, a .csv table, or a folder of pictures by class"
IDX_NAME = re.compile(
    r"(?P<set>.*?)(?P<part>train|t10k|test)[-_](?P<what>images|labels)"
    r"(?P<ending>[-_.]idx[13]([-_.]ubyte)?|[-_.]ubyte)(?P<packed>\.gz)?"
)
UNSIGNED_BYTES = 8  # what an IDX file calls its type

Bytes = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """images: (count, height, width) uint8; labels: (count,), what the source calls the classes.

    remark: what was done to the pictures while they were read, if anything.
    """

    images: Bytes
    labels: NDArray[Any]
    remark: str = ""


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
        UserError: it is not there, is of no known kind, or contradicts itself: as many labels as pictures,
            one size for all, two classes or more, no class in the test part alone.
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


def read_idx_set(folder: Path, prefix: str) -> OwnData:
    """The IDX files of one set in a folder that may hold several: those whose names begin with `prefix`.

    Raises:
        UserError: as `read`.
    """
    parts = dict(_idx_files(folder, prefix))
    if "train" not in parts:
        raise UserError(f"{folder} holds no IDX files {prefix}train-…; expected pictures and labels")
    return _joined(folder, parts["train"], parts.get("test"))


def _joined(source: Path, train: Part, test: Part | None) -> OwnData:
    for name, part in (("train", train), ("test", test)):
        if part is not None:
            _check(source, name, part)
    test = test or Part(train.images[:0], train.labels[:0])
    if train.labels.dtype.kind != test.labels.dtype.kind:  # names in one part, numbers alone in the other
        train = replace(train, labels=train.labels.astype(str))
        test = replace(test, labels=test.labels.astype(str))
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
    images, remarks = fitted(train.images)
    test_images, _ = fitted(test.images)
    found = OwnData(
        name=_name(source),
        source=source,
        images=images,
        target=np.searchsorted(names, train.labels).astype(np.int64),
        test_images=test_images,
        test_target=np.searchsorted(names, test.labels).astype(np.int64),
        classes=tuple(str(name) for name in names),
        sha256=_digest(train, test),
    )
    if train.remark:
        remarks.insert(0, train.remark)
    return replace(found, remarks=(*remarks, *_odd(found)))


def _name(source: Path) -> str:
    """Its file's or folder's; of torchvision's `FashionMNIST/raw` the upper one's."""
    place = source.resolve()
    if place.is_dir():
        place = (_with_idx(place) or [place])[0]
    elif IDX_NAME.fullmatch(place.name):
        place = place.parent
    if place.name == "raw":
        place = place.parent
    return place.stem if place.is_file() else place.name or str(place)


def whole(path: Path) -> Whole:
    """A picture file as it would lie in a data set of one's own: grey, at 28×28, all that is on it.

    Raises:
        UserError: it is not there, cannot be read, or is no picture.
    """
    grey = np.asarray(open_picture(path))
    height, width = grey.shape
    ((small,), _) = fitted(grey[None])
    return Whole((0, 0, width, height), grey / 255, small / 255)


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


def fitted(images: Bytes) -> tuple[Bytes, list[str]]:
    """The pictures at 28×28: as they are, or scaled in proportion and put on the shade of their own edge."""
    count, height, width = images.shape
    if (height, width) == (SIDE, SIDE):
        return images, []
    scale = SIDE / max(height, width)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    fitted = np.empty((count, SIDE, SIDE), dtype=np.uint8)
    for index, picture in enumerate(images):
        small = np.asarray(Image.fromarray(picture).resize(shape, method))
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
    pixels = data.images.reshape(len(data.images), -1)
    blank = int((pixels.max(1) == pixels.min(1)).sum())
    if blank:
        yield f"{blank:,} pictures to train are blank"
    counts = np.bincount(data.target, minlength=len(data.classes))
    if counts.max() > 3 * counts.min():
        few, many = counts.argmin(), counts.argmax()
        yield (
            f"classes are uneven: {counts[few]:,} pictures of {data.classes[few]}, "
            f"{counts[many]:,} of {data.classes[many]}"
        )
    absent = _absent(data.classes)
    if absent:
        yield f"no picture of class {', '.join(map(str, absent))}"
    untested = np.setdiff1d(data.target, data.test_target)
    if len(data.test_target) and len(untested):
        yield f"no test picture of {', '.join(data.classes[number] for number in untested)}"
    both = {row.tobytes() for row in data.images} & {row.tobytes() for row in data.test_images}
    if both:
        yield f"{len(both):,} pictures are in the train part and in the test part"
    distinct = len({row.tobytes() for row in data.images})
    if distinct < len(data.images):
        yield f"{len(data.images) - distinct:,} pictures to train are there more than once"


def _absent(classes: tuple[str, ...]) -> list[int]:
    """The numbers up to 9 that lie between the classes and are none, where the classes are numbers."""
    if not all(name.isdecimal() for name in classes):
        return []
    numbers = [int(name) for name in classes]
    return [number for number in range(min(numbers), min(max(numbers), 9) + 1) if number not in numbers]


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


def _with_idx(folder: Path) -> list[Path]:
    """The folder, or torchvision's `raw` in it or one level below, as far as they hold IDX files."""
    places = (folder, folder / "raw", *sorted(folder.glob("*/raw")))
    return [place for place in places if holds_idx(place)]


def holds_idx(folder: Path) -> bool:
    """Whether files with the names of IDX files lie in a folder; False where it may not be looked into."""
    try:
        return any(IDX_NAME.fullmatch(path.name) for path in _files(folder))
    except OSError:
        return False


def _folder(folder: Path) -> Iterator[tuple[str, Part]]:
    with_idx = _with_idx(folder)
    if len(with_idx) > 1:
        raise UserError(
            f"{folder} holds more than one data set ({with_idx[0]}, {with_idx[1]}); expected one, say which"
        )
    if with_idx:
        yield from _idx_files(with_idx[0])
        return
    tables = [path for path in _files(folder) if path.suffix == ".csv"]
    if tables:
        yield from _tables(folder, tables)
        return
    archives = [path for path in _files(folder) if path.suffix == ".npz"]
    if len(archives) == 1:
        yield from _archive(archives[0])
        return
    inside = {path.name.lower(): path for path in _folders(folder)}
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


def _folders(folder: Path) -> list[Path]:
    """Those inside; no hidden ones, nor what macOS puts into its archives."""
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    return [path for path in inside if not path.name.startswith((".", "__"))]


def _idx_files(folder: Path, prefix: str | None = None) -> Iterator[tuple[str, Part]]:
    """All of the folder, which are to be of one set, or those that begin with a prefix."""
    found: dict[tuple[str, str], Path] = {}
    for path in _files(folder):
        match = IDX_NAME.fullmatch(path.name)
        if not match or (prefix is not None and match["set"] != prefix):
            continue
        part = "train" if match["part"] == "train" else "test"
        same = found.setdefault((part, match["what"]), path)
        if same.name.removesuffix(".gz") != path.name.removesuffix(".gz"):
            raise _more_than_one(folder, same, path)
    first, *others = found.values()
    for path in others:
        if _set_of(path) != _set_of(first):
            raise _more_than_one(folder, first, path)
    for part in ("train", "test"):
        pictures = found.get((part, "images"))
        labels = found.get((part, "labels"))
        if pictures and labels:
            yield part, _idx_part(pictures, labels)
        elif pictures or labels:
            have, lacks = ("images", "labels") if pictures else ("labels", "images")
            raise UserError(f"{folder} has the {part} part's {have} and no {lacks}; expected both files")


def _set_of(path: Path) -> str:
    """What stands before the part in an IDX file's name: "emnist-letters-"."""
    match = IDX_NAME.fullmatch(path.name)
    return match["set"] if match else ""


def _more_than_one(folder: Path, first: Path, second: Path) -> UserError:
    return UserError(
        f"{folder} holds more than one data set ({first.name}, {second.name}); "
        "give each of them a folder of its own"
    )


def _idx_part(pictures: Path, names: Path) -> Part:
    images, labels = read_idx(pictures), read_idx(names)
    if images.ndim != 3 or labels.ndim != 1:
        raise UserError(
            f"{pictures} has the shape {images.shape}, its labels {labels.shape}; "
            "expected (count, height, width) and (count,)"
        )
    part = Part(images, labels.astype(np.int64))
    if pictures.name.startswith("emnist"):
        upright = np.ascontiguousarray(images.transpose(0, 2, 1))
        return replace(part, images=upright, remark=UPRIGHT)
    return part


def read_idx(path: Path) -> Bytes:
    """An IDX file of unsigned bytes, packed by gzip or not.

    It begins with two zeros, the type and the number of dimensions; then come the sizes and the values.

    Raises:
        UserError: it is another kind of file, holds another type, or is shorter or longer than it says.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            begin = file.read(4)
            if begin[:2] != b"\0\0" or len(begin) < 4:
                raise UserError(
                    f"{path} is no IDX file: it does not begin with two zeros, a type and a count"
                )
            if begin[2] != UNSIGNED_BYTES:
                raise UserError(f"{path} holds values of type {begin[2]:#x}; expected unsigned bytes (0x8)")
            sizes = np.frombuffer(file.read(4 * begin[3]), ">u4").tolist()
            count = math.prod(sizes)
            if count > LARGEST:
                raise UserError(f"{path} says it holds {count:,} values; expected {LARGEST:,} at most")
            values = file.read(count + 1)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(f"cannot read {path} ({getattr(error, 'strerror', None) or error})") from error
    if len(sizes) != begin[3] or len(values) != count:
        held = "more" if len(values) > count else f"{len(values):,}"
        raise UserError(
            f"{path} says it holds {' × '.join(f'{size:,}' for size in sizes)} values and holds {held}; "
            "it is cut off, or no IDX file"
        )
    return np.frombuffer(values, np.uint8).reshape(sizes)


def _archive(path: Path) -> Iterator[tuple[str, Part]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except PermissionError:
        raise
    except Exception as error:  # whatever a broken archive brings about in its readers
        raise UserError(f"{path} cannot be read as an .npz archive of numbers ({error})") from error
    for part in ("train", "test"):
        images, labels = (arrays.get(f"{letter}_{part}") for letter in "xy")
        if images is None and labels is None and part == "test":
            continue
        if images is None or labels is None:
            raise UserError(
                f"{path} holds {', '.join(arrays) or 'nothing'}; "
                "expected x_train and y_train, and x_test and y_test if any"
            )
        yield part, Part(_as_bytes(path, images), _labels([str(label) for label in labels.reshape(-1)]))


def _as_bytes(path: Path, images: NDArray[Any]) -> Bytes:
    """Pictures (count, height, width[, 1]) or (count, pixels) of any numbers, 0 to 255 or 0 to 1."""
    if images.dtype.kind not in "biuf":
        raise UserError(f"{path} has pictures of {images.dtype}; expected numbers from 0 to 255, or 0 to 1")
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
        raise UserError(
            f"{path} has {rows.shape[1]:,} pixels a picture; expected a square, 784 = 28×28, beside its label"
        )
    return rows.reshape(len(rows), side, side)


def _scaled(path: Path, images: NDArray[Any]) -> Bytes:
    if images.dtype == np.uint8 or not images.size:
        return images.astype(np.uint8)
    low, high = images.min(), images.max()
    if not (np.isfinite(low) and np.isfinite(high) and low >= 0 and high <= 255):
        raise UserError(f"{path} has pixels from {low:g} to {high:g}; expected 0 to 255, or 0 to 1")
    whole = images * 255.0 if high <= 1 and images.dtype.kind in "bf" else images
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
    """A row a picture: the label, then the pixels. The first row may be a heading."""
    labels: list[str] = []
    rows: list[list[float]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.reader(file), start=1):
                if not row or (number == 1 and _is_heading(row)):
                    continue
                rows.append(_pixels(path, number, row[1:], rows[0] if rows else None))
                labels.append(row[0].strip())
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no table in UTF-8; expected a label and pixels in each row") from error
    if not rows:
        raise UserError(f"{path} holds no row; expected a label and pixels in each")
    images = _scaled(path, _square(path, np.array(rows)))
    return Part(images, _labels(labels))


def _labels(names: list[str]) -> NDArray[Any]:
    """(count,), whole numbers as int64, so that 2 comes before 10; else names."""
    if all(re.fullmatch(r"-?\d+(\.0*)?", name) for name in names):
        return np.array([int(float(name)) for name in names], dtype=np.int64)
    return np.array(names)


def _is_heading(row: list[str]) -> bool:
    if row[0].strip().lower() in HEADINGS:
        return True
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
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in PICTURES and not path.name.startswith(".")
    ]


def _pictures(folder: Path) -> Part:
    """The picture files of each class's folder, grey, all of one size."""
    images: list[Bytes] = []
    labels: list[str] = []
    for place in _folders(folder):
        files = _picture_files(place)
        if not files:
            raise UserError(f"{place} holds no picture; expected PNG or JPEG files of the class {place.name}")
        for path in files:
            images.append(np.asarray(open_picture(path)))
            labels.append(place.name)
            if images[-1].shape != images[0].shape:
                sizes = ["×".join(map(str, image.shape)) for image in (images[-1], images[0])]
                raise UserError(
                    f"{path} has {sizes[0]} pixels, the first picture {sizes[1]}; expected one size for all"
                )
    if not images:
        raise UserError(f"{folder} holds no folders; expected one for each class, with pictures in it")
    return Part(np.stack(images), _labels(labels))
