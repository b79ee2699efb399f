"""`curriculum parity`: three engines learn side by side, and every step is compared.

Lightning drives. After each of its steps the two plain loops take the same step, on the same batch with the
same learning rate. Then every gradient and every weight of scratch and of Lightning is held against torch's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import lightning as L
import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from curriculum.data import load
from curriculum.data_names import counted
from curriculum.quiet import quiet_lightning
from curriculum.table import Table
from lessons.lesson17_mnist import first_weights
from models.jobs.mnist import default_dtype
from models.jobs.options import Options, refuse_large_batches, sizes_for
from models.lightning.data import MNISTDataModule
from models.lightning.module import MLPModule
from models.lightning.trainer import plain_trainer
from models.networks.engine import Engine, LoopEngine, make_engine
from models.records.folder import RunFolder
from models.records.log import EVERY, RunLog

BOUNDS = {"float64": 1e-9, "float32": 1e-4}
WHOLE_OF_SAME_SIZE = {torch.float64: torch.int64, torch.float32: torch.int32}


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
    folder: RunFolder
    gaps: dict[str, Gap] = field(default_factory=dict)
    first: int | None = None
    culprits: list[str] = field(default_factory=list)

    def compare(self, step: int, ours: Engine, theirs: Engine, bound: float) -> dict[str, float]:
        """Take note of this step. Returns the difference of every weight by its name."""
        gradients = self._note("gradient", step, ours.grads(), theirs.grads())
        weights = self._note("weight", step, ours.weights(), theirs.weights())
        now = {f"gradient {name}": gap for name, gap in gradients.items()}
        now |= {f"weight {name}": gap for name, gap in weights.items()}
        # Written so that a difference which is not a number is beyond any bound.
        beyond = [key for key, gap in now.items() if not gap <= bound]
        if beyond and self.first is None:
            self.first = step
            self.culprits = sorted(beyond, key=lambda key: -now[key])
        return weights

    def _note(
        self, kind: str, step: int, ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]
    ) -> dict[str, float]:
        """The largest differences of this step by name; `gaps` keeps the largest of all steps."""
        now = {}
        for name, value in theirs.items():
            now[name] = (ours[name] - value).abs().max().item()
            key = f"{kind} {name}"
            before = self.gaps.get(key, Gap())
            units = max(before.ulps, ulps(ours[name], value))
            if now[name] > before.absolute:
                self.gaps[key] = Gap(now[name], step, units)
            else:
                self.gaps[key] = before._replace(ulps=units)
        return now


def ulps(left: Tensor, right: Tensor) -> int:
    """How many steps of their dtype lie between two tensors of one shape, at most; never more than 2**52.

    left, right: of any shape, both float32 or both float64.

    >>> ulps(torch.tensor([1.0, -0.0]), torch.tensor([1.0 + 2**-23, 0.0]))
    1
    """
    ours = _place(left)
    theirs = _place(right)
    far = (ours.double() - theirs.double()).abs() >= 2**52  # the whole numbers could overflow
    return int((ours - theirs).abs().masked_fill(far, 2**52).max())


def _place(x: Tensor) -> Tensor:
    """Which of its dtype's numbers each is, counted from 0 upwards and downwards; int64, the shape of x.

    The bits of a float above 0, read as a whole number, count the floats; below 0 they begin with a 1.
    """
    whole = WHOLE_OF_SAME_SIZE[x.dtype]
    bits = x.contiguous().view(whole).long()
    return torch.where(bits < 0, torch.iinfo(whole).min - bits, bits)


def run(options: Options, say: Callable[[str], None], bound: float | None = None) -> list[Record]:
    """Let the engines learn and compare every step; `parity/<parameter>` goes to TensorBoard.

    bound: the largest difference that passes; by default that of the dtype in `BOUNDS`.

    Raises:
        UserError: the data, the log folder or an option cannot be used, or a loss is not finite.
    """
    bound = BOUNDS[options.dtype] if bound is None else bound
    with default_dtype(options.dtype), quiet_lightning():
        digits = MNISTDataModule(batch_size=options.batch_size, seed=options.seed)
        digits.data = load(options.data, options.data_dir)
        refuse_large_batches(options, digits.data)
        sizes = sizes_for(digits.data)
        start = first_weights(sizes, options.seed)
        module = MLPModule(sizes, lr=options.lr)
        module.model.load_state_dict(start)
        steps = options.epochs * options.steps_per_epoch(len(digits.data.train.x))
        data = digits.data
        learned = counted(data.name, {"train": data.pictures["train"]})
        say(f"data: {learned} ({data.source}); {steps:,} steps, {options.dtype}, bound {bound:g}")
        folders = RunFolder.create(options.log_dir / "parity", ("scratch", "lightning"))
        records = [Record(engine, folder) for engine, folder in folders.items()]
        follow = Follow(
            scratch=make_engine("scratch", sizes, start),
            reference=make_engine("torch", sizes, start),
            records=records,
            bound=bound,
            options=options,
        )
        plain_trainer(options.epochs, [follow]).fit(module, digits)
    return records


class Follow(L.Callback):
    """After each of Lightning's steps: the same step with both loops, then the comparison."""

    def __init__(
        self,
        scratch: LoopEngine,
        reference: LoopEngine,
        records: list[Record],
        bound: float,
        options: Options,
    ) -> None:
        self.scratch = scratch
        self.reference = reference
        self.records = records
        self.bound = bound
        self.options = options
        self.lr = 0.0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self.engines: dict[str, Engine] = {"scratch": self.scratch, "lightning": pl_module}
        self.writers = [SummaryWriter(str(record.folder.path)) for record in self.records]
        data = trainer.datamodule.data
        for record, writer in zip(self.records, self.writers, strict=True):
            RunLog(writer, "basic", data, self.options.hparams(record.engine, data)).start(self.scratch)

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
    units = f"{gap.ulps:,}" if gap.ulps < 10**6 else f"{gap.ulps:.0e}"
    return f"{gap.absolute:.1e}", units, gap.step


def verdict(record: Record, bound: float) -> str:
    """One line: equal, or where it began."""
    if record.first is None:
        return f"{record.engine}: within {bound:g} of torch at every step"
    worst, *others = record.culprits
    also = f" (also {', '.join(others)})" if others else ""
    return f"{record.engine}: beyond {bound:g} for the first time at step {record.first}: {worst}{also}"
