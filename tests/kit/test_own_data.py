"""One's own pictures: each kind is read right, each mistake is one clear line, no file is touched."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curriculum import UserError, data, own_data
from tests.support.commands import curriculum_here, refused
from tests.support.own_data import COUNT, KINDS, idx, pictures, write_csv, write_folders, write_idx

PACKED = "{part}-{what}-idx{n}-ubyte.gz"


# ---------------------------------------------------------------- what can be read


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_same_pictures_and_classes(kind: str, tmp_path: Path) -> None:
    found = own_data.read(KINDS[kind](tmp_path / "own"))
    images, labels = pictures(COUNT, 0)
    if kind == "pictures":  # they come class by class
        order = np.argsort(labels, kind="stable")
        images, labels = images[order], labels[order]
    assert found.classes == ("0", "1", "2")
    assert np.array_equal(found.images, images)
    assert np.array_equal(found.target, labels)
    assert found.target.dtype == np.int64
    assert len(found.test_images) == len(found.test_target) == COUNT // 3
    assert found.remarks == ()


def test_what_is_packed_has_the_same_sha256(tmp_path: Path) -> None:
    kinds = ("IDX", "IDX, packed", "IDX, torchvision", "npz", "CSV")
    assert len({own_data.read(KINDS[kind](tmp_path / kind)).sha256 for kind in kinds}) == 1
    images, labels = pictures(COUNT, 0)
    images[0, 5, 5] ^= 1
    np.savez(tmp_path / "other.npz", x_train=images, y_train=labels)
    assert (
        own_data.read(tmp_path / "other.npz").sha256 != own_data.read(KINDS["npz"](tmp_path / "own")).sha256
    )


def test_one_of_the_files_stands_for_its_folder(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "letters")
    one = own_data.read(folder / "train-images-idx3-ubyte")
    assert (one.name, one.sha256) == ("letters", own_data.read(folder).sha256)


def test_classes_are_named_as_the_source_names_them(tmp_path: Path) -> None:
    folder = write_folders(tmp_path)
    for part in ("train", "test"):
        for old, new in (("0", "ten"), ("1", "ä b"), ("2", "zebra")):
            (folder / part / old).rename(folder / part / new)
    assert own_data.read(folder).classes == ("ten", "zebra", "ä b")
    assert own_data.read(folder / "train").classes == ("ten", "zebra", "ä b")


def test_numbers_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    images, _ = pictures(30, 0)
    np.savez(tmp_path / "own.npz", x_train=images, y_train=np.repeat([10.0, 2.0, -1.0], 10))
    found = own_data.read(tmp_path / "own.npz")
    assert found.classes == ("-1", "2", "10")
    assert found.target[:1].tolist() == [2]


@pytest.mark.parametrize("shape", [(30, 784), (30, 28, 28, 1)])
@pytest.mark.parametrize("scale", [1, 255])
def test_pixels_may_be_flat_and_from_0_to_1(tmp_path: Path, shape: tuple[int, ...], scale: int) -> None:
    images, labels = pictures(30, 0)
    np.savez(tmp_path / "own.npz", x_train=(images / scale).reshape(shape), y_train=labels)
    assert np.array_equal(own_data.read(tmp_path / "own.npz").images, images)


def test_other_sizes_are_brought_to_28(tmp_path: Path) -> None:
    images = np.full((30, 10, 20), 7, dtype=np.uint8)
    images[:, 4:6, 4:16] = 250
    images[:15, 2:8, 9:11] = 250
    np.savez(tmp_path / "own.npz", x_train=images, y_train=np.repeat([0, 1], 15))
    found = own_data.read(tmp_path / "own.npz")
    assert found.images.shape == (30, 28, 28)
    assert (found.images[:, :6] == 7).all()
    assert found.images.max() > 240
    assert "pictures of 10×20 were scaled to 28×28" in found.remarks


def test_emnist_is_put_upright(tmp_path: Path) -> None:
    found = own_data.read(write_idx(tmp_path, "emnist-letters-{part}-{what}-idx{n}-ubyte"))
    assert np.array_equal(found.images, pictures(COUNT, 0)[0].transpose(0, 2, 1))
    assert own_data.UPRIGHT in found.remarks


def test_mnist_itself_has_nothing_odd(mnist_dir: Path) -> None:
    found = own_data.read(mnist_dir)
    assert (found.name, len(found.images), len(found.test_images)) == ("MNIST", 60_000, 10_000)
    assert found.remarks == ()


def test_remarks_tell_what_looks_odd(tmp_path: Path) -> None:
    images, labels = pictures(40, 0)
    test_images = images[:3]
    images = 255 - images
    images[3] = images[4]
    images[5] = 9
    labels[:] = [0] * 30 + [1] * 4 + [4] * 6
    np.savez(
        tmp_path / "own.npz", x_train=images, y_train=labels, x_test=255 - test_images, y_test=labels[:3]
    )
    said = "\n".join(own_data.read(tmp_path / "own.npz").remarks)
    assert "the background is light" in said
    assert "1 pictures to train are blank" in said
    assert "classes are uneven: 4 pictures of 1, 30 of 0" in said
    assert "no picture of class 2, 3" in said
    assert "no test picture of 1, 4" in said
    assert "3 pictures are in the train part and in the test part" in said
    assert "1 pictures to train are there more than once" in said


# ---------------------------------------------------------------- what is wrong


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


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_one_clear_line_and_stays_as_it_was(kind: str, tmp_path: Path) -> None:
    make, expected = WRONG[kind]
    source = make(tmp_path)
    before = content_of(tmp_path)
    with pytest.raises(UserError, match=expected) as error:
        own_data.read(source)
    assert "\n" not in str(error.value)
    assert "delete" not in str(error.value)
    assert "damaged" not in str(error.value) or "no picture" in str(error.value)
    assert content_of(tmp_path) == before


def content_of(folder: Path) -> dict[Path, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# ---------------------------------------------------------------- split, and standardised


def test_a_sixth_is_for_validation_and_the_pixels_are_standardised(tmp_path: Path) -> None:
    folder = write_idx(tmp_path / "own")
    own = data.load(str(folder))
    assert [len(part.x) for part in (own.train, own.val, own.test)] == [50, 10, 20]
    assert own.classes == ("0", "1", "2")
    assert (own.name, own.source, own.sha256) == ("own", str(folder), own_data.read(folder).sha256)
    assert abs(own.train.x.mean().item()) < 1e-5
    assert abs(own.train.x.std(correction=0).item() - 1) < 1e-5
    images, labels = pictures(COUNT // 3, 1)
    assert np.array_equal((own.images(own.test.x) * 255).round().numpy(), images)
    assert np.array_equal(own.test.target.numpy(), labels)
    again = data.load(str(folder))
    assert np.array_equal(own.val.x.numpy(), again.val.x.numpy())
    rows = {row.tobytes() for part in (own.train, own.val) for row in part.x.numpy()}
    assert len(rows) == COUNT  # no picture twice, none lost


def test_what_comes_class_by_class_is_shuffled(tmp_path: Path) -> None:
    own = data.load(str(write_folders(tmp_path)))
    assert own.train.target.unique().tolist() == own.val.target.unique().tolist() == [0, 1, 2]


def test_without_a_test_part_a_sixth_is_for_the_test_and_is_said(tmp_path: Path) -> None:
    own = data.load(str(of_npz()(tmp_path)))
    assert [len(part.x) for part in (own.train, own.val, own.test)] == [42, 8, 10]
    assert own.remarks == ("without a test part: a random sixth, 10 pictures, is for the test",)


def test_pictures_too_few_or_all_the_same_are_one_line(tmp_path: Path) -> None:
    few = of_npz(x_train=IMAGES[:6], y_train=LABELS[:6])(tmp_path)
    with pytest.raises(UserError, match="6 pictures to train; expected 12 or more"):
        data.load(str(few))
    same = of_npz(x_train=IMAGES * 0)(tmp_path)
    with pytest.raises(UserError, match="all pictures are of one shade"):
        data.load(str(same))
    with pytest.raises(
        UserError, match=r"there is no nosuch; expected auto, mnist, digits, fashion, .*, or the path of IDX"
    ):
        data.load("nosuch")


# ---------------------------------------------------------------- the card


def test_the_card_tells_all_and_shows_ten(tmp_path: Path) -> None:
    folder = write_folders(tmp_path / "bars")
    done = curriculum_here("data", str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert "data:    bars" in done.stdout
    assert f"sha256:  {own_data.read(folder).sha256}" in done.stdout
    assert "parts:   50 to train, 10 to validate, 20 to test" in done.stdout
    assert "remark:  nothing looks odd" in done.stdout
    card = json.loads(curriculum_here("data", str(folder), "--json").stdout)
    assert card["parts"] == {"train": 50, "validate": 10, "test": 20}
    assert [sum(counts) for counts in zip(*card["classes"].values(), strict=True)] == [50, 10, 20]
    assert [example["label"] for example in card["examples"]] == [*"012012012", "0"]
    for example in card["examples"]:
        row = 2 + 2 * int(example["label"])
        assert np.array(example["pixels"])[row : row + 2, 4:24].min() == 230
    assert done.stdout.count("▄" * 20) + done.stdout.count("█" * 20) >= 10


def test_the_card_without_a_path_is_of_what_auto_takes(offline: Path) -> None:
    card = json.loads(curriculum_here("data", "--json").stdout)
    assert card["name"] == data.OFFLINE_DIGITS
    assert sum(card["parts"].values()) == 1_797


def test_a_card_of_no_data_is_one_line(tmp_path: Path) -> None:
    assert "is no data set that can be read" in refused(curriculum_here("data", str(tmp_path)))
