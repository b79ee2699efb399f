"""One's own pictures: each kind is read right, each mistake is one clear line, no file is touched."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from curriculum import UserError, data, own_data
from tests.support.commands import curriculum_here, refused
from tests.support.own_data import COUNT, KINDS, pictures, write_folders, write_idx
from tests.support.wrong_data import IMAGES, LABELS, WRONG, of_npz

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
