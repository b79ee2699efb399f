"""Small labelled data sets of every kind that `curriculum.own_data` reads."""

import csv
import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COUNT = 60  # pictures to train; a third as many for the test
CLASSES = 3


def pictures(count: int, seed: int, classes: int = CLASSES) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """(count, 28, 28), (count,): a bright bar on grain, its place the class."""
    rng = np.random.default_rng(seed)
    images = rng.integers(60, size=(count, 28, 28), dtype=np.uint8)
    images[:, 0] = images[:, -1] = 0
    labels = (np.arange(count) % classes).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 + 2 * label : 4 + 2 * label, 4:24] = 230
    return images, labels


def idx(values: NDArray[np.uint8]) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes((0, 0, 8, values.ndim)) + sizes + values.tobytes()


def write_idx(folder: Path, names: str = "{part}-{what}-idx{n}-ubyte", classes: int = CLASSES) -> Path:
    """IDX files by a pattern of names; the test part is called t10k."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, count, seed in (("train", COUNT, 0), ("t10k", COUNT // 3, 1)):
        images, labels = pictures(count, seed, classes)
        for what, n, values in (("images", 3, images), ("labels", 1, labels)):
            path = folder / names.format(part=part, what=what, n=n)
            content = idx(values)
            path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return folder


def write_npz(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    x_train, y_train = pictures(COUNT, 0)
    x_test, y_test = pictures(COUNT // 3, 1)
    np.savez(folder / "own.npz", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return folder / "own.npz"


def write_csv(folder: Path) -> Path:
    """A folder with two tables, with headings."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, count, seed in (("train", COUNT, 0), ("test", COUNT // 3, 1)):
        images, labels = pictures(count, seed)
        with (folder / f"own_{name}.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["label", *range(28 * 28)])
            for image, label in zip(images, labels, strict=True):
                rows.writerow([label, *image.ravel().tolist()])
    return folder


def write_folders(folder: Path) -> Path:
    """train/0/0.png, …, test/2/19.png."""
    for name, count, seed in (("train", COUNT, 0), ("test", COUNT // 3, 1)):
        images, labels = pictures(count, seed)
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            place = folder / name / str(label)
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / f"{number:03}.png")
    return folder


KINDS = {
    "IDX": write_idx,
    "IDX, packed": lambda folder: write_idx(folder, "{part}-{what}-idx{n}-ubyte.gz"),
    "IDX, other names": lambda folder: write_idx(folder, "own-{part}_{what}.idx{n}"),
    "IDX, a dot": lambda folder: write_idx(folder, "{part}-{what}.idx{n}-ubyte"),
    "IDX, torchvision": lambda folder: write_idx(folder / "Own" / "raw").parents[1],
    "npz": write_npz,
    "npz in a folder": lambda folder: write_npz(folder).parent,
    "CSV": write_csv,
    "pictures": write_folders,
}
