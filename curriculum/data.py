"""Pictures as tensors in memory: MNIST, offline scikit-learn's digits in the same shape, or your own.

The files of MNIST are found, downloaded and checked in `curriculum/mnist_files.py`; a data set of one's own
is read in `curriculum/own_data.py`.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from curriculum import UserError, mnist_files, named_data, own_data
from curriculum.data_names import NAMES, OF_TORCHVISION, OFFLINE_DIGITS
from curriculum.mnist_files import DownloadError

DIGITS = tuple("0123456789")
VAL_COUNT = 10_000  # of MNIST's 60,000 training digits, the last ones
SIXTH = 6  # of one's own pictures every sixth is for validation, and another one for the test


class Split(NamedTuple):
    """One part of a data set.

    x: (count, 784) pixels in the default dtype: standardised, or from 0 to 1 (see `Data.unscaled`).
    target: (count,) the numbers of the classes as int64; of digits 0 to 9.
    """

    x: Tensor
    target: Tensor


@dataclass(frozen=True)
class Data:
    """A data set in three parts, and where it came from.

    `mean` and `std` are those of the training pixels on the scale 0 to 1; x = (pixel − mean) / std. Pixels
    that were left on that scale have 0 and 1.

    classes: their names, in the order of their numbers.
    remarks: what was done to the data, or looks odd, in one line each.
    """

    name: str
    train: Split
    val: Split
    test: Split
    mean: float
    std: float
    source: str
    sha256: str
    classes: tuple[str, ...] = DIGITS
    remarks: tuple[str, ...] = ()

    @property
    def pictures(self) -> dict[str, int]:
        """How many there are in each part."""
        return {"train": len(self.train.x), "val": len(self.val.x), "test": len(self.test.x)}

    def images(self, x: Tensor) -> Tensor:
        """Rows of pixels (count, 784) → pictures (count, 28, 28) from 0 to 1."""
        return (x * self.std + self.mean).view(-1, 28, 28).clamp(0, 1)

    def to(self, device: torch.device) -> "Data":
        """The same digits on another device."""

        def moved(part: Split) -> Split:
            return Split(part.x.to(device), part.target.to(device))

        return replace(self, train=moved(self.train), val=moved(self.val), test=moved(self.test))

    def unscaled(self) -> "Data":
        """The same digits with pixels from 0 to 1."""

        def plain(part: Split) -> Split:
            return Split(self.images(part.x).flatten(1), part.target)

        return replace(
            self, train=plain(self.train), val=plain(self.val), test=plain(self.test), mean=0.0, std=1.0
        )

    def resplit(self, val_count: int) -> "Data":
        """The same digits with the last `val_count` training digits, and only these, for validation.

        Raises:
            UserError: that would leave no digits to train on, or none to validate on.
        """
        x = torch.cat([self.train.x, self.val.x])
        target = torch.cat([self.train.target, self.val.target])
        if not 0 < val_count < len(x):
            raise UserError(f"{val_count} digits for validation; expected 1 to {len(x) - 1:,}")
        train = Split(x[:-val_count], target[:-val_count])
        val = Split(x[-val_count:], target[-val_count:])
        return replace(self, train=train, val=val)


def load(which: str = "auto", data_dir: Path | None = None) -> Data:
    """MNIST ("mnist"), the offline digits ("digits"), MNIST where it can be had ("auto"), a name, or a path.

    Names are those of `NAMES`: "fashion", "kmnist", "emnist-letters", …

    x has the default dtype. The offline digits are split 1,197/300/300, MNIST 50,000/10,000/10,000: the
    last 10,000 training digits are the validation part. Of the data set at a path a random sixth of the
    training part is for validation, and a random sixth of all for the test where it has no test part; so of
    the sets with other names, which have one.

    Raises:
        UserError: a file is damaged or cannot be read; or, for "mnist" or where only some of the files are
            there, it cannot be downloaded; or what lies at the path is no data set.
    """
    if which in OF_TORCHVISION:
        return _of(named_data.read(which, data_dir))
    if which not in NAMES:
        return _own(Path(which))
    if which == "digits":
        return _digits("chosen")
    folder, missing = mnist_files.locate(data_dir)
    if len(missing) == len(mnist_files.SHA256) and data_dir:
        mnist_files.refuse_other_data(data_dir)
    if missing:
        for name in mnist_files.SHA256.keys() - missing:
            mnist_files.read(folder / name)  # nothing is downloaded beside another data set
        try:
            mnist_files.download(folder, missing)
        except DownloadError as error:
            if which == "mnist" or len(missing) < len(mnist_files.SHA256):
                raise
            return _digits(f"no MNIST: {error}")
    return _mnist(folder)


def _mnist(folder: Path) -> Data:
    train_images = mnist_files.read(folder / "train-images-idx3-ubyte")
    train_target = mnist_files.read(folder / "train-labels-idx1-ubyte")
    test_images = mnist_files.read(folder / "t10k-images-idx3-ubyte")
    test_target = mnist_files.read(folder / "t10k-labels-idx1-ubyte")
    return _split(
        name="MNIST",
        images=torch.cat([train_images, test_images]),
        target=torch.cat([train_target, test_target]),
        sizes=(len(train_target) - VAL_COUNT, VAL_COUNT, len(test_target)),
        source=str(folder),
        sha256=hashlib.sha256("".join(mnist_files.SHA256.values()).encode()).hexdigest(),
    )


def _own(path: Path) -> Data:
    """The data set at a path."""
    if not path.expanduser().exists():
        raise UserError(f"there is no {path}; expected {', '.join(NAMES)}, or the path of {own_data.KINDS}")
    return _of(own_data.read(path))


def _of(found: own_data.OwnData) -> Data:
    """The same, shuffled (seed 0), with a validation part and a test part."""
    images = torch.from_numpy(np.concatenate([found.images, found.test_images]))
    target = torch.from_numpy(np.concatenate([found.target, found.test_target]))
    order = torch.randperm(len(found.target), generator=torch.Generator().manual_seed(0))
    test_count = len(found.test_target)
    remarks = found.remarks
    if test_count == 0:
        test_count = len(target) // SIXTH
        remarks += (f"without a test part: a random sixth, {test_count:,} pictures, is for the test",)
    else:
        order = torch.cat([order, torch.arange(len(found.target), len(target))])
    rest = len(target) - test_count
    sizes = (rest - rest // SIXTH, rest // SIXTH, test_count)
    if min(sizes) == 0:
        raise UserError(
            f"{found.source} has {len(found.target):,} pictures to train; expected {2 * SIXTH} or more, "
            "a sixth of which is for validation"
        )
    if found.images.min() == found.images.max():
        raise UserError(f"{found.source}: all pictures are of one shade; expected something on them")
    return _split(
        name=found.name,
        images=images[order],
        target=target[order],
        sizes=sizes,
        source=str(found.source),
        sha256=found.sha256,
        classes=found.classes,
        remarks=remarks,
    )


def _digits(why: str) -> Data:
    """1,797 scans of 8×8 pixels, brought to 28×28 the way MNIST was made: a 20×20 box, centred by mass.

    All in whole numbers: 4,173 pixels lie halfway between two greys, where fractions let the CPU decide.
    """
    from sklearn.datasets import load_digits

    bundle = load_digits()
    small = torch.tensor(bundle.images, dtype=torch.int64)  # (1797, 8, 8), 0 to 16
    weights = _bilinear_weights()
    boxes = weights @ small @ weights.T  # (1797, 20, 20), 0 to 1600
    images = ((_centred(boxes) * 255 + 800) // 1600).to(torch.uint8)
    target = torch.tensor(bundle.target, dtype=torch.int64)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return _split(
        name=OFFLINE_DIGITS,
        images=images[order],
        target=target[order],
        sizes=(1_197, 300, 300),
        source=why,
        sha256=hashlib.sha256(images.numpy().tobytes() + target.numpy().tobytes()).hexdigest(),
    )


def _bilinear_weights() -> Tensor:
    """How much, in tenths, each of 8 pixels in a row gives to each of 20: (20, 8). Each row adds up to 10."""
    weights = torch.zeros(20, 8, dtype=torch.int64)
    for target in range(20):
        place = max(4 * target - 3, 0)  # of its middle in the row of 8, in tenths
        left = place // 10
        right = min(left + 1, 7)
        weights[target, left] += 10 - place % 10
        weights[target, right] += place % 10
    return weights


def _centred(boxes: Tensor) -> Tensor:
    """Paste each box (count, 20, 20) into a picture (count, 28, 28), its centre of mass in the middle.

    As far as the box fits: a margin is 0 to 8 pixels wide.
    """
    pictures = boxes.new_zeros(len(boxes), 28, 28)
    tops = _margins(boxes.sum(2))
    lefts = _margins(boxes.sum(1))
    for picture, box, top, left in zip(pictures, boxes, tops, lefts, strict=True):
        picture[top : top + 20, left : left + 20] = box
    return pictures


def _margins(ink: Tensor) -> list[int]:
    """Where each box begins whose rows, or columns, hold so much `ink` (count, 20)."""
    moments = (ink * torch.arange(20)).sum(1)
    masses = ink.sum(1)
    margins = -((moments - 13 * masses) // masses)  # 13.5 − moment / mass, rounded, halves down
    return margins.clamp(0, 8).tolist()


def _split(
    name: str,
    images: Tensor,
    target: Tensor,
    sizes: tuple[int, int, int],
    source: str,
    sha256: str,
    classes: tuple[str, ...] = DIGITS,
    remarks: tuple[str, ...] = (),
) -> Data:
    """Standardise with the mean and deviation of the training part only; cut into three parts.

    Args:
        images: (count, 28, 28) as uint8.
        target: (count,) as int64.
        sizes: digits to train, to validate, to test; `count` in all.
        classes: names of the classes.
        remarks: what there is to say about the data.
    """
    pixels = images[: sizes[0]].to(torch.float64) / 255
    mean = pixels.mean().item()
    std = pixels.std(correction=0).item()
    x = ((images.view(len(images), 784) / 255 - mean) / std).to(torch.get_default_dtype())
    train, val, test = map(Split, x.split(sizes), target.split(sizes))
    return Data(
        name=name,
        train=train,
        val=val,
        test=test,
        mean=mean,
        std=std,
        source=source,
        sha256=sha256,
        classes=classes,
        remarks=remarks,
    )
