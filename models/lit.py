"""The same MLP under Lightning: one module and one data module for either set of gradients."""

from pathlib import Path

import lightning as L
import torch
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from curriculum.data import Data, load
from lessons import lesson14_lightning
from lessons.lesson14_lightning import Batches


class LitMLP(lesson14_lightning.LitMLP):
    """Lesson 14's module with a test step.

    Args:
        sizes: neurons per layer, input first.
        lr: learning rate of the first step; it falls to 0.
        engine: "torch" takes autograd's gradients, "scratch" those derived by hand.

    Raises:
        ValueError: `engine` is neither.
    """

    def __init__(
        self, sizes: tuple[int, ...] = (784, 128, 64, 10), lr: float = 0.2, engine: str = "torch"
    ) -> None:
        super().__init__(sizes, lr, engine)
        self.val_accuracy = MulticlassAccuracy(sizes[-1], average="micro")
        self.test_accuracy = MulticlassAccuracy(sizes[-1], average="micro")
        self.example_input_array = torch.zeros(1, sizes[0])

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        x, target = batch
        logits = self(x)
        self.val_accuracy(logits, target)
        self.log("val_loss", self.criterion(logits, target), batch_size=len(x))
        self.log("val_acc", self.val_accuracy, batch_size=len(x))

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        x, target = batch
        self.test_accuracy(self(x), target)
        self.log("test_acc", self.test_accuracy, batch_size=len(x))


class MNISTDataModule(L.LightningDataModule):
    """MNIST, or the offline digits, in memory.

    Args:
        which: "auto", "mnist" or "digits", as in `curriculum.data.load`.
        data_dir: where to look for MNIST first.
        batch_size: training examples per step. Validation and test run in batches of 10,000.
        seed: decides the order of the training batches.
        data: a data set that is already loaded, instead of `which` and `data_dir`.
    """

    def __init__(
        self,
        which: str = "auto",
        data_dir: Path | None = None,
        batch_size: int = 64,
        seed: int = 0,
        data: Data | None = None,
    ) -> None:
        super().__init__()
        self.which, self.data_dir, self.batch_size, self.data = which, data_dir, batch_size, data
        self.generator = torch.Generator().manual_seed(seed)

    def setup(self, stage: str) -> None:
        if self.data is None:
            self.data = load(self.which, self.data_dir)

    def train_dataloader(self) -> Batches:
        assert self.data is not None
        return Batches(self.data.train, self.batch_size, self.generator)

    def val_dataloader(self) -> Batches:
        assert self.data is not None
        return Batches(self.data.val, 10_000)

    def test_dataloader(self) -> Batches:
        assert self.data is not None
        return Batches(self.data.test, 10_000)
