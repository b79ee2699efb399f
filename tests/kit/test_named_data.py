"""Fashion-MNIST, Kuzushiji-MNIST and EMNIST by name: found, downloaded, upright, their classes named."""

import doctest
import gzip
import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision import datasets

from curriculum import UserError, data, data_names, mnist_files
from curriculum.data_card import card_of
from curriculum.data_names import OF_TORCHVISION, name_of
from tests.support.mnist import NAMES, Server, write_small_files

LETTERS = 26
# White in the upper right quarter; as EMNIST stores it, in the lower left.
MARKED = np.zeros((28, 28), dtype=np.uint8)
MARKED[:14, 14:] = 255


def idx(values: NDArray[np.uint8]) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes((0, 0, 8, values.ndim)) + sizes + values.tobytes()


def emnist(part: str, classes: range, mark: bool = True) -> dict[str, bytes]:
    """The four files of one part: each class ten times to train, once for the test."""
    found = {}
    for which, count in (("train", 10), ("test", 1)):
        labels = np.tile(np.array(classes, dtype=np.uint8), count)
        images = np.tile(MARKED.T if mark else 255 - MARKED.T, (len(labels), 1, 1))
        found[f"emnist-{part}-{which}-images-idx3-ubyte"] = idx(images)
        found[f"emnist-{part}-{which}-labels-idx1-ubyte"] = idx(labels)
    return found


@pytest.fixture
def fashion(tmp_path: Path) -> Path:
    """A folder for data sets, with small files in the place of Fashion-MNIST."""
    folder = tmp_path / "data" / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    write_small_files(folder)
    return tmp_path / "data"


@pytest.fixture
def served(tmp_path: Path, offline: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Sends small files as KMNIST, and an archive with two parts of EMNIST."""
    folder = tmp_path / "served"
    folder.mkdir()
    write_small_files(folder)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        parts = emnist("letters", range(1, LETTERS + 1)) | emnist("digits", range(10), mark=False)
        for name, values in parts.items():
            archive.writestr(f"gzip/{name}.gz", gzip.compress(values))
    with Server(folder) as server:
        server.files = {**server.files, "gzip.zip": content.getvalue()}
        monkeypatch.setattr(datasets.KMNIST, "mirrors", [server.url])
        monkeypatch.setattr(datasets.KMNIST, "resources", server.resources)
        monkeypatch.setattr(datasets.EMNIST, "url", f"{server.url}gzip.zip")
        monkeypatch.setattr(datasets.EMNIST, "md5", hashlib.md5(content.getvalue()).hexdigest())
        yield server


def test_fashion_by_its_name(fashion: Path) -> None:
    found = data.load("fashion", fashion)
    assert found.name == "Fashion-MNIST"
    assert found.classes[0] == "T-shirt/top"
    assert found.classes == tuple(datasets.FashionMNIST.classes)
    assert (len(found.train.x), len(found.val.x), len(found.test.x)) == (167, 33, 50)
    assert name_of(found.name, found.source) == "fashion"
    assert "Ankle boot" in "\n".join(card_of(found).lines())


def test_it_is_found_where_mnist_is_looked_for(fashion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH_DATASETS", str(fashion))
    assert data.load("fashion").source == str(fashion / "FashionMNIST" / "raw")


def test_packed_files_are_read_as_they_are(fashion: Path) -> None:
    before = data.load("fashion", fashion)
    for path in (fashion / "FashionMNIST" / "raw").iterdir():
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    after = data.load("fashion", fashion)
    torch.testing.assert_close(after.train, before.train, rtol=0, atol=0)
    assert after.sha256 == before.sha256


def test_kmnist_is_downloaded_once(served: Server, offline: Path) -> None:
    found = data.load("kmnist")
    assert found.classes[:3] == ("o", "ki", "su")
    assert sorted(path.name for path in (offline / "KMNIST" / "raw").iterdir()) == sorted(NAMES)
    asked = len(served.asked)
    data.load("kmnist")
    assert len(served.asked) == asked


def test_a_download_that_breaks_off_leaves_nothing_half(served: Server, offline: Path) -> None:
    served.spoil["t10k-images-idx3-ubyte.gz"] = "half"
    with pytest.raises(UserError, match=r"could not download t10k-images-idx3-ubyte .*KMNIST/raw in it"):
        data.load("kmnist")
    there = sorted(path.name for path in (offline / "KMNIST" / "raw").iterdir())
    assert there == ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]
    served.spoil.clear()
    served.asked.clear()
    data.load("kmnist")
    assert not any(name.startswith("train") for name in served.asked)


def test_emnist_stands_upright_and_its_letters_have_names(served: Server, offline: Path) -> None:
    found = data.load("emnist-letters")
    assert found.name == "EMNIST letters"
    assert found.classes == tuple("abcdefghijklmnopqrstuvwxyz")
    (picture,) = found.images(found.train.x[:1])
    torch.testing.assert_close(picture, torch.from_numpy(MARKED / 255).float())
    there = sorted(path.name for path in (offline / "EMNIST" / "raw").iterdir())
    assert there == sorted([*emnist("letters", range(1)), "gzip.zip"])


def test_the_next_part_of_emnist_needs_no_download(served: Server, offline: Path) -> None:
    letters = data.load("emnist-letters")
    asked = len(served.asked)
    digits = data.load("emnist-digits")
    assert len(served.asked) == asked
    assert (len(letters.classes), len(digits.classes)) == (26, 10)
    (picture,) = digits.images(digits.train.x[:1])
    torch.testing.assert_close(picture, torch.from_numpy(1 - MARKED / 255).float())


@pytest.mark.parametrize("sent", ["half", 404, b"x" * 40])
def test_an_archive_that_is_not_whole_leaves_nothing(
    sent: bytes | int | str, served: Server, offline: Path
) -> None:
    served.spoil["gzip.zip"] = sent
    with pytest.raises(UserError, match=r"could not download gzip.zip .*EMNIST/raw in it"):
        data.load("emnist-letters")
    assert list((offline / "EMNIST" / "raw").iterdir()) == []


def test_an_archive_that_lies_there_is_taken_from_where_it_is(
    served: Server, offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data" / "EMNIST" / "raw"
    folder.mkdir(parents=True)
    (folder / "gzip.zip").write_bytes(served.files["gzip.zip"])
    monkeypatch.setenv("PATH_DATASETS", str(tmp_path / "data"))
    assert data.load("emnist-digits").source == str(offline / "EMNIST" / "raw")
    assert served.asked == []
    assert [path.name for path in folder.iterdir()] == ["gzip.zip"]


def test_an_archive_that_lies_there_and_is_wrong_stays_and_is_named(
    served: Server, offline: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "EMNIST" / "raw"
    folder.mkdir(parents=True)
    (folder / "gzip.zip").write_bytes(served.files["gzip.zip"][:-1])
    with pytest.raises(UserError, match=r"gzip.zip is not EMNIST's archive, .*; move it elsewhere and run"):
        data.load("emnist-digits", tmp_path / "data")
    assert [path.name for path in folder.iterdir()] == ["gzip.zip"]
    assert served.asked == []


def test_without_network_it_is_said_where_it_was_looked_for(
    offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH_DATASETS", str(tmp_path / "mine"))
    for name, folder in (("fashion", "FashionMNIST"), ("kmnist", "KMNIST"), ("emnist-balanced", "EMNIST")):
        with pytest.raises(UserError) as error:
            data.load(name)
        said = str(error.value)
        assert "\n" not in said
        places = f"{tmp_path / 'mine' / folder / 'raw'} or {offline / folder / 'raw'}"
        assert f"{OF_TORCHVISION[name]} was looked for in {places}; connect and run again" in said
        assert f"or give --data-dir DIR with {folder}/raw in it" in said
    assert not (tmp_path / "mine").exists()


def test_a_wrong_hash_is_refused(served: Server, offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = [(name, "0" * 32) for name, _ in served.resources]
    monkeypatch.setattr(datasets.KMNIST, "resources", wrong)
    with pytest.raises(UserError, match=r"could not download train-images-idx3-ubyte \(.*corrupted"):
        data.load("kmnist")
    assert list((offline / "KMNIST" / "raw").iterdir()) == []


def test_mnists_own_files_under_another_name(fashion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fashion / "FashionMNIST" / "raw"
    monkeypatch.setattr(mnist_files, "SHA256", write_small_files(folder))
    with pytest.raises(UserError, match="holds MNIST's own files; expected those of Fashion-MNIST"):
        data.load("fashion", fashion)


def test_files_with_more_classes_are_another_data_set(fashion: Path) -> None:
    folder = fashion / "FashionMNIST" / "raw"
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(200, dtype=np.uint8) % 47))
    with pytest.raises(UserError, match=r"holds a class 46; Fashion-MNIST has 10 classes; .*--data "):
        data.load("fashion", fashion)


def test_documented_examples() -> None:
    assert doctest.testmod(data_names).failed == 0
    assert doctest.testmod(data_names).attempted > 0
