"""Data sets that are wrong in one way each, and what is to be said of them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.support.own_data import COUNT, idx, pictures, write_csv, write_folders, write_idx

PACKED = "{part}-{what}-idx{n}-ubyte.gz"


def of_npz(**arrays: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        images, labels = pictures(COUNT, 0)
        np.savez(folder / "own.npz", **({"x_train": images, "y_train": labels} | arrays))
        return folder / "own.npz"

    return make


def of_text(name: str, text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(text, encoding="utf-8")
        return folder / name

    return make


def idx_with(name: str, content: bytes | None) -> Callable[[Path], Path]:
    """IDX files, one of which is another, or gone."""

    def make(folder: Path) -> Path:
        write_idx(folder)
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)
        return folder

    return make


def packed_and_cut_off(folder: Path) -> Path:
    write_idx(folder, PACKED)
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:2000])
    return folder


def text_named_gz(folder: Path) -> Path:
    write_idx(folder, PACKED)
    (folder / "train-images-idx3-ubyte.gz").write_text("text")
    return folder


def two_sets(folder: Path) -> Path:
    write_idx(folder)
    return write_idx(folder, "emnist-{part}-{what}-idx{n}-ubyte")


def two_halves(folder: Path) -> Path:
    write_idx(folder)
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        (folder / name).rename(folder / f"emnist-{name}")
    return folder


def two_of_torchvision(folder: Path) -> Path:
    write_idx(folder / "MNIST" / "raw")
    write_idx(folder / "KMNIST" / "raw")
    return folder


def another_size(folder: Path) -> Path:
    write_folders(folder)
    Image.new("L", (28, 20)).save(folder / "train" / "1" / "a.png")
    return folder


def text_named_png(folder: Path) -> Path:
    write_folders(folder)
    (folder / "train" / "1" / "a.png").write_text("no picture")
    return folder


def text_files(folder: Path) -> Path:
    for name in ("cats", "dogs"):
        (folder / name).mkdir()
        (folder / name / "1.txt").write_text("no picture")
    return folder


def a_class_missing(folder: Path) -> Path:
    write_folders(folder)
    shutil.rmtree(folder / "train" / "1")
    return folder


def no_picture_of_a_class(folder: Path) -> Path:
    write_folders(folder)
    for path in (folder / "train" / "1").iterdir():
        path.unlink()
    return folder


def two_tables(folder: Path) -> Path:
    for name in ("one.csv", "two.csv"):
        (folder / name).write_text("1,2\n")
    return folder


def table_of_another_length(folder: Path) -> Path:
    write_csv(folder)
    with (folder / "own_train.csv").open("a") as file:
        file.write("1,2,3\n")
    return folder


IMAGES, LABELS = pictures(COUNT, 0)
TEST_IMAGES, TEST_LABELS = pictures(10, 1)
SIXTY = [0] * COUNT
WRONG: dict[str, tuple[Callable[[Path], Path], str]] = {
    "not there": (lambda folder: folder / "nowhere", "there is no .*nowhere"),
    "an empty folder": (lambda folder: folder, "is no data set that can be read; expected IDX files"),
    "text files": (text_files, "is no data set that can be read"),
    "another kind of file": (of_text("a.pdf", "%PDF"), "is no data set that can be read"),
    # classes
    "one class": (of_npz(y_train=SIXTY), r"has one class only \(0\); expected two or more"),
    "a class in the test part alone": (
        of_npz(x_test=TEST_IMAGES, y_test=TEST_LABELS + 1),
        "class 3 is in the test part alone",
    ),
    "a class without a picture": (no_picture_of_a_class, "holds no picture; expected PNG or JPEG files"),
    "a class missing": (a_class_missing, "class 1 is in the test part alone"),
    # counts and sizes
    "one label too few": (
        idx_with("train-labels-idx1-ubyte", idx(LABELS[1:])),
        "60 pictures and 59 labels in the train part",
    ),
    "no pictures": (
        of_npz(x_train=IMAGES[:0], y_train=LABELS[:0]),
        "the train part is empty; expected at least one picture",
    ),
    "sizes mixed": (another_size, "a.png has 20×28 pixels, the first picture 28×28; expected one size"),
    "another size for the test": (
        of_npz(x_test=TEST_IMAGES[:, :20], y_test=TEST_LABELS),
        "pictures of 28×28 to train and of 20×28 to test",
    ),
    # IDX
    "packed and cut off": (packed_and_cut_off, "cannot read .*train-images-idx3-ubyte.gz"),
    "text named gz": (
        text_named_gz,
        "cannot read .*train-images-idx3-ubyte.gz",
    ),
    "cut off": (
        idx_with("train-images-idx3-ubyte", idx(IMAGES)[:-1]),
        "60 × 28 × 28 values and holds 47,039",
    ),
    "one byte more": (idx_with("train-images-idx3-ubyte", idx(IMAGES) + b"0"), "values and holds more"),
    "cut off in the header": (idx_with("train-images-idx3-ubyte", idx(IMAGES)[:9]), "cut off|cannot read"),
    "empty": (idx_with("train-images-idx3-ubyte", b""), "is no IDX file"),
    "text": (idx_with("train-images-idx3-ubyte", b"hello"), "is no IDX file"),
    "floats": (
        idx_with("train-images-idx3-ubyte", b"\0\0\x0d" + idx(IMAGES)[3:]),
        r"of type 0xd; expected uns",
    ),
    "labels for pictures": (idx_with("train-images-idx3-ubyte", idx(LABELS)), r"has the shape \(60,\)"),
    "enormous": (
        idx_with("train-images-idx3-ubyte", bytes((0, 0, 8, 3)) + b"\xff" * 12),
        "expected 4,294,967,296 at most",
    ),
    "no labels": (idx_with("train-labels-idx1-ubyte", None), "train part's images and no labels"),
    "no test pictures": (idx_with("t10k-images-idx3-ubyte", None), "test part's labels and no images"),
    "two sets": (two_sets, r"more than one data set \(.*\); give each of them a folder of its own"),
    "halves of two sets": (two_halves, r"more than one data set \(.*\); give each of them a folder"),
    "two of torchvision's": (two_of_torchvision, "more than one data set .*; expected one, say which"),
    # archives
    "no archive": (of_text("own.npz", "text"), "cannot be read as an .npz archive"),
    "other names": (of_npz(y_train=LABELS, x_test=TEST_IMAGES), "expected x_train and y_train"),
    "objects": (of_npz(y_train=np.array([None] * COUNT)), "cannot be read as an .npz archive"),
    "names for pixels": (of_npz(x_train=IMAGES.astype(str)), "expected numbers from 0 to 255"),
    "colours": (of_npz(x_train=np.stack([IMAGES] * 3, 3)), r"shape \(60, 28, 28, 3\); expected .*grey"),
    "negative pixels": (of_npz(x_train=IMAGES - 30.0), "pixels from -30 to 200; expected 0 to 255"),
    "not a number": (of_npz(x_train=IMAGES * np.nan), "pixels from nan to nan; expected 0 to 255"),
    "no square": (
        of_npz(x_train=IMAGES.reshape(COUNT, 784)[:, :700]),
        "700 pixels a picture; expected a square",
    ),
    # tables
    "words": (of_text("own.csv", "hello\nworld\n"), "0 pixels a picture; expected a square"),
    "a word in a row": (
        of_text("own.csv", "1,2\n2,a\n"),
        "own.csv:2: could not convert string to float: 'a'",
    ),
    "an empty table": (of_text("own.csv", ""), "holds no row"),
    "a heading alone": (of_text("own.csv", "label,1\n"), "holds no row"),
    "another length": (table_of_another_length, "own_train.csv:62 has 2 pixels, the row before 784"),
    "two tables": (two_tables, "2 tables and none named train; say which one"),
    # pictures
    "text named png": (text_named_png, "cannot read .*a.png"),
}
