"""`curriculum parity`: three engines learn side by side, and every step is compared.

Lightning drives. After each of its steps the two plain loops take the same step, on the same batch with the
same learning rate. Then every gradient and every weight of scratch and of Lightning is held against torch's.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from curriculum.data import load
from curriculum.quiet import quiet_lightning
from curriculum.table import Table
from lessons.lesson13_mnist import SIZES, first_weights
from models.jobs.mnist import Options, default_dtype, make_folders
from models.jobs.train import hparams, plain_trainer
from models.lightning.data import MNISTDataModule
from models.lightning.module import LitMLP
from models.networks.scratch import ScratchEngine
from models.networks.torch_nn import TorchEngine
from models.records.log import EVERY, Engine, RunLog

BOUNDS = {"float64": 1e-9, "float32": 1e-4}


class Gap(NamedTuple):
    """The largest difference a tensor has shown, at which step, and the largest in units in the last place.

    One unit in the last place (ulp) is the distance to the next number that the dtype can hold.
    """

    absolute: float = 0.0
    step: int = 0
    ulps: int = 0


@dataclass
class Record:
    """One engine beside torch. The keys of `gaps` are "gradient 0.weight", "weight 0.weight" and so on.

    `first` is the first step after which something was beyond the bound; `culprits` are the keys that were
    beyond it then, largest difference first. A spoilt gradient spoils its weight in the same step.
    """

    engine: str
    folder: Path
    gaps: dict[str, Gap] = field(default_factory=dict)
    first: int | None = None
    culprits: list[str] = field(default_factory=list)

    def compare(self, step: int, ours: Engine, theirs: Engine, bound: float) -> dict[str, float]:
        """Take note of this step. Returns the difference of every weight by its name."""
        now: dict[str, float] = {}
        for kind, left, right in (
            ("gradient", ours.grads(), theirs.grads()),
            ("weight", ours.weights(), theirs.weights()),
        ):
            for name, value in right.items():
                key, old = f"{kind} {name}", self.gaps.get(f"{kind} {name}", Gap())
                now[key] = (left[name] - value).abs().max().item()
                absolute, at = max((old.absolute, old.step), (now[key], step), key=lambda pair: pair[0])
                self.gaps[key] = Gap(absolute, at, max(old.ulps, ulps(left[name], value)))
        # Written so that a difference which is not a number is beyond any bound.
        beyond = sorted((key for key in now if not now[key] <= bound), key=lambda key: -now[key])
        if beyond and self.first is None:
            self.first, self.culprits = step, beyond
        return {key.split()[1]: value for key, value in now.items() if key.startswith("weight")}


def ulps(left: Tensor, right: Tensor) -> int:
    """How many steps of their dtype lie between two tensors of one shape, at most; never more than 2**52.

    >>> ulps(torch.tensor([1.0, -0.0]), torch.tensor([1.0 + 2**-23, 0.0]))
    1
    """
    whole = {torch.float64: torch.int64, torch.float32: torch.int32}[left.dtype]

    def place(x: Tensor) -> Tensor:
        """The bits of a float, read as a whole number, count the floats upwards from 0; so, with a sign."""
        bits = x.contiguous().view(whole).long()
        return torch.where(bits < 0, torch.iinfo(whole).min - bits, bits)

    ours, theirs = place(left), place(right)
    far = (ours.double() - theirs.double()).abs() >= 2**52  # the whole numbers could overflow
    return int((ours - theirs).abs().masked_fill(far, 2**52).max())


def run(
    options: Options,
    say: Callable[[str], None],
    bound: float | None = None,
    scratch: Callable[..., Any] = ScratchEngine,
) -> list[Record]:
    """Let the engines learn and compare every step; `parity/<parameter>` goes to TensorBoard.

    bound: the largest difference that passes; by default that of the dtype in `BOUNDS`.
    scratch: makes the engine on trial; the tests put spoilt ones in.
    """
    bound = BOUNDS[options.dtype] if bound is None else bound
    with default_dtype(options.dtype), quiet_lightning():
        start = first_weights(SIZES, options.seed)
        module = LitMLP(SIZES, lr=options.lr)
        module.model.load_state_dict(start)
        batches = MNISTDataModule(batch_size=options.batch_size, seed=options.seed)
        batches.data = load(options.data, options.data_dir)
        steps = options.epochs * -(-len(batches.data.train.x) // options.batch_size)
        say(f"data: {batches.data.name}; {steps:,} steps, {options.dtype}, bound {bound:g}")
        folders = make_folders(options.log_dir / "parity", ("scratch", "lightning"))
        records = [Record(engine, folder) for engine, folder in folders.items()]
        follow = Follow(scratch(SIZES, start), TorchEngine(SIZES, start), records, bound, options)
        plain_trainer(options.epochs, [follow]).fit(module, batches)
    return records


class Follow(L.Callback):
    """After each of Lightning's steps: the same step with both loops, then the comparison."""

    def __init__(
        self, scratch: Any, reference: TorchEngine, records: list[Record], bound: float, options: Options
    ) -> None:
        self.scratch, self.reference, self.records = scratch, reference, records
        self.bound, self.options, self.lr = bound, options, 0.0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.engines = {"scratch": self.scratch, "lightning": pl_module}
        self.writers = [SummaryWriter(str(record.folder)) for record in self.records]
        data = trainer.datamodule.data
        for record, writer in zip(self.records, self.writers, strict=True):
            RunLog(writer, "basic", data, hparams(record.engine, self.options)).start(self.scratch)

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        self.lr = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, *_: Any) -> None:
        step = trainer.global_step - 1
        x, target = batch
        self.scratch.step(x, target, self.lr)
        self.reference.step(x, target, self.lr)
        for record, writer in zip(self.records, self.writers, strict=True):
            gaps = record.compare(step, self.engines[record.engine], self.reference, self.bound)
            if (step + 1) % EVERY == 0 or step == record.first:
                for name, gap in gaps.items():
                    writer.add_scalar(f"parity/{name}", gap, step)

    def on_train_end(self, *_: Any) -> None:
        for writer in self.writers:
            writer.close()


def table(records: list[Record]) -> Table:
    """Every parameter: how far its gradient and its value ever were from torch's, and after which step."""
    rows = []
    for record in records:
        for key, gradient in record.gaps.items():
            kind, name = key.split()
            if kind == "gradient":
                weight = record.gaps[f"weight {name}"]
                rows.append((record.engine, name, *_cells(gradient), *_cells(weight)))
    columns = ("engine", "parameter", "Δ gradient", "ulps", "step", "Δ value", "ulps", "step")
    return Table(columns, rows, "largest differences from torch")


def _cells(gap: Gap) -> tuple[str, str, int]:
    return f"{gap.absolute:.1e}", f"{gap.ulps:,}" if gap.ulps < 10**6 else f"{gap.ulps:.0e}", gap.step


def verdict(record: Record, bound: float) -> str:
    """One line: equal, or where it began."""
    if record.first is None:
        return f"{record.engine}: within {bound:g} of torch at every step"
    worst, *others = record.culprits
    also = f" (also {', '.join(others)})" if others else ""
    return f"{record.engine}: beyond {bound:g} for the first time at step {record.first}: {worst}{also}"
