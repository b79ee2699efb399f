"""The digits under Lightning, split over processes where there are many."""

import itertools
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch

from curriculum import UserError
from curriculum.data import Data, Split, load
from lessons.lesson18_lightning import Batches
from models.networks.augment import Augment

IN_USE = 10_000  # digits per batch where nothing is learned


class ShareOfBatches(Batches):
    """One process's part of every batch: every `world`-th digit, beginning with number `rank`.

    Gives x (share of the batch, pixels) and target (share of the batch,), int64.

    `progress` says which pass this is, and how many of its batches a run had before it was stopped. Seed and
    pass decide the order, so there is nothing else to remember. With `drop_last` a last batch of fewer digits
    is left out. `smallest` is how many digits this process has at least of a batch.

    Raises:
        UserError: the last batch has fewer digits than there are processes.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        generator: torch.Generator | None = None,
        rank: int = 0,
        world: int = 1,
        progress: Callable[[], tuple[int, int]] | None = None,
        drop_last: bool = False,
    ) -> None:
        super().__init__(split, batch_size, generator)
        self.drop_last = drop_last
        self.rank = rank
        self.world = world
        self.progress = progress
        self._drawn = 0
        smallest = batch_size if drop_last else len(split.x) % batch_size or batch_size
        if smallest < world:
            raise UserError(
                f"a batch of {smallest} cannot be split over {world} processes; "
                f"choose a data.batch_size whose last batch has {world} digits or more"
            )
        self.smallest = smallest // world

    def __len__(self) -> int:
        return len(self.split.x) // self.batch_size if self.drop_last else super().__len__()

    def __iter__(self) -> Any:
        passes, skip = self.progress() if self.progress else (self._drawn, 0)
        for _ in range(self._drawn, passes):
            next(super().__iter__())  # draws the order of a pass that a stopped run has had
        self._drawn = passes + 1
        for x, target in itertools.islice(super().__iter__(), skip, len(self)):
            if self.world == 1:
                yield x, target
            else:
                yield x[self.rank :: self.world], target[self.rank :: self.world]

    def pictures_in(self, batches: int) -> int:
        """How many digits the first so many batches have, over all processes."""
        return min(batches * self.batch_size, len(self.split.x))

    def size_of_batch(self, index: int) -> int:
        """How many digits the batch with this number has, over all processes."""
        return min(self.batch_size, len(self.split.x) - index * self.batch_size)

    def state_dict(self) -> dict[str, Any]:
        """Lightning warns about a loader without this. There is nothing to keep."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class MNISTDataModule(L.LightningDataModule):
    """MNIST, the offline digits, or one's own pictures, in memory.

    Args:
        dataset: "mnist", "digits" (scikit-learn's), "auto", which takes MNIST where it can be had, "fashion",
            "kmnist", "emnist-letters", …, or the path of a data set of your own (see: curriculum data).
        data_dir: where to look for MNIST first.
        batch_size: training digits per step, over all processes. Validation and test take 10,000 at once.
        drop_last: leave out the last batch of an epoch where it has fewer digits.
        augment: distort training digits, each anew in every epoch.
        val_count: how many of the training digits are kept for validation, the last ones. `None` means
            10,000 of MNIST's 60,000, 300 of the offline digits' 1,497, a sixth of your own.
        normalize: standardise pixels by the mean and standard deviation of the training digits; else they go
            from 0 to 1, and black is 0.
        seed: decides the order of the training digits and their distortions; `None`: the seed of the run.

    `setup` raises `UserError` where the digits cannot be had, or where there are too few for a batch.
    """

    def __init__(
        self,
        dataset: str = "auto",
        data_dir: Path | None = None,
        batch_size: int = 64,
        drop_last: bool = False,
        augment: Literal["none", "affine", "elastic"] = "none",
        val_count: int | None = None,
        normalize: bool = True,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self.dataset = dataset
        self.data_dir = data_dir
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.kind = augment
        self.val_count = val_count
        self.normalize = normalize
        self.seed = torch.initial_seed() if seed is None else seed
        self.data: Data | None = None
        self.augment: Augment | None = None

    def setup(self, stage: str) -> None:
        if self.data is None:
            self.data = load(self.dataset, self.data_dir)
            if self.val_count is not None:
                self.data = self.data.resplit(self.val_count)
            if not self.normalize:
                self.data = self.data.unscaled()
        if stage == "fit" and not 1 <= self.batch_size <= len(self.data.train.x):
            most = len(self.data.train.x)
            raise UserError(
                f"data.batch_size is {self.batch_size}; expected 1 to {most:,}, the digits to train"
            )
        if self.kind != "none":
            self.augment = Augment(self.kind, self.data.mean, self.data.std)

    def train_dataloader(self) -> Batches:
        """In a fresh order at each pass; always the same one where a few batches are to be overfitted."""
        trainer: Any = self.trainer
        overfits = trainer is not None and trainer.overfit_batches > 0
        generator = None if overfits else torch.Generator().manual_seed(self.seed)
        progress = self._progress if self.trainer else None
        return self._batches("train", self.batch_size, generator, progress, self.drop_last)

    def val_dataloader(self) -> Batches:
        return self._batches("val", IN_USE)

    def test_dataloader(self) -> Batches:
        return self._batches("test", IN_USE)

    def predict_dataloader(self) -> Batches:
        """The test digits, all of them in every process, so that one can write them down in order."""
        assert self.data is not None
        return Batches(self.data.test, IN_USE)

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        if self.augment is None or self.trainer is None or not self.trainer.training:
            return batch
        if isinstance(batch, torch.Tensor):  # the digit that a summary of the layers is made with
            return batch
        x, target = batch
        # Drawn by the batch's number, so that a stopped run goes on as it would have. As text, since torch
        # takes only the last 32 bits of a seed.
        passes, batches = self._progress()
        number = passes * int(self.trainer.num_training_batches) + batches
        place = f"{self.seed} {number} {self.trainer.global_rank}"
        generator = torch.Generator(x.device).manual_seed(zlib.crc32(place.encode()))
        return self.augment(x, generator), target

    def _batches(
        self,
        part: str,
        batch_size: int,
        generator: torch.Generator | None = None,
        progress: Callable[[], tuple[int, int]] | None = None,
        drop_last: bool = False,
    ) -> Batches:
        rank = self.trainer.global_rank if self.trainer else 0
        world = self.trainer.world_size if self.trainer else 1
        part_of_data = getattr(self.data, part)
        return ShareOfBatches(part_of_data, batch_size, generator, rank, world, progress, drop_last)

    def _progress(self) -> tuple[int, int]:
        """The pass that the Trainer is in, and how many of its batches are done."""
        trainer: Any = self.trainer
        return trainer.current_epoch, trainer.fit_loop.epoch_loop.batch_progress.current.ready
