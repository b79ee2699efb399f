"""The same MLP under Lightning: one module and one data module for either set of gradients."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from curriculum.data import Data, Split, load
from lessons.lesson05_losses import CrossEntropyLoss
from lessons.lesson09_training import linear_decay, minibatches
from models import scratch, torch_nn


class ByHand(torch.autograd.Function):
    """The hand-derived gradients behind PyTorch's interface.

    `loss = ByHand.apply(x, target, model, *params)`;
    `params` are the model's parameters, in order; PyTorch hands their gradients to its optimiser.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, target: Tensor, model: scratch.MLP, *params: Tensor) -> Tensor:
        ctx.model, ctx.criterion = model, CrossEntropyLoss()
        return ctx.criterion.forward(model.forward(x), target)

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
        ctx.model.backward(ctx.criterion.backward() * grad_loss)
        return None, None, None, *ctx.model.grads.values()


class LitMLP(L.LightningModule):
    """The MLP of lesson 13 under Lightning, trained by SGD with a learning rate that falls to 0.

    Args:
        sizes: neurons per layer, input first.
        lr: learning rate of the first step.
        engine: "torch" takes autograd's gradients, "scratch" those derived by hand.
    """

    def __init__(
        self,
        sizes: tuple[int, ...] = (784, 128, 64, 10),
        lr: float = 0.2,
        engine: Literal["torch", "scratch"] = "torch",
    ) -> None:
        super().__init__()
        if engine not in ("torch", "scratch"):
            raise ValueError(f"engine is '{engine}'; expected 'torch' or 'scratch'")
        self.save_hyperparameters()
        self.lr, self.engine = lr, engine
        self.model = torch_nn.MLP(sizes)
        self.by_hand = scratch.MLP(sizes)
        self.criterion = nn.CrossEntropyLoss()
        self.val_accuracy = MulticlassAccuracy(sizes[-1], average="micro")
        self.test_accuracy = MulticlassAccuracy(sizes[-1], average="micro")
        self.example_input_array = torch.zeros(1, sizes[0])

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, sizes[0]) → logits: (batch, sizes[-1])."""
        return self.model(x)

    def loss(self, x: Tensor, target: Tensor) -> Tensor:
        """Mean cross-entropy, with the engine's gradients behind it."""
        if self.engine == "torch":
            return self.criterion(self.model(x), target)
        params = dict(self.model.named_parameters())
        self.by_hand.share(params)
        return ByHand.apply(x, target, self.by_hand, *params.values())

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        loss = self.loss(*batch)
        self.log("train_loss", loss)
        return loss

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

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.model.parameters(), lr=self.lr)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: linear_decay(1.0, step, steps))
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


class Batches:
    """Mini-batches of a split that lies in memory: slices instead of a worker per core.

    With a generator, every pass is a fresh shuffle; without, the order stays.
    """

    def __init__(self, split: Split, batch_size: int, generator: torch.Generator | None = None) -> None:
        self.split, self.batch_size, self.generator = split, batch_size, generator

    def __len__(self) -> int:
        return -(-len(self.split.x) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        x, target = self.split
        if self.generator is None:
            yield from zip(x.split(self.batch_size), target.split(self.batch_size), strict=True)
        else:
            for rows in minibatches(len(x), self.batch_size, self.generator):
                yield x[rows], target[rows]


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
