"""What is chosen for `curriculum mnist` and `curriculum parity`."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from curriculum import UserError
from curriculum.data import Data
from lessons.lesson17_mnist import SIZES
from models.records.log import Level

ENGINES = ("scratch", "torch", "lightning")
PATHS = ("data_dir", "log_dir", "mine")  # text in a manifest


@dataclass(frozen=True)
class Options:
    """What the command line says.

    engine: one of `ENGINES`, "all" of them, or "mine", the pieces of the file `mine`.
    data: a name or a path, as `curriculum.data.load` takes it.
    dtype: "float32" or "float64".
    """

    engine: str = "all"
    data: str = "auto"
    data_dir: Path | None = None
    epochs: int = 15
    batch_size: int = 64
    lr: float = 0.2
    seed: int = 0
    dtype: str = "float32"
    device: str = "cpu"
    log: Level = "full"
    log_dir: Path = Path("runs")
    mine: Path = Path("exercises/final_project.py")

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines that learn, in this order."""
        return ENGINES if self.engine == "all" else (self.engine,)

    def steps_per_epoch(self, digits: int) -> int:
        """How many batches so many training digits make, the last perhaps a smaller one."""
        return -(-digits // self.batch_size)

    def hparams(self, engine: str, data: Data) -> dict[str, Any]:
        """What was chosen to learn `data`, by the names that TensorBoard shows."""
        return {
            "engine": engine,
            "sizes": sizes_for(data),
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "lr": self.lr,
            "seed": self.seed,
            "dtype": self.dtype,
            "device": self.device,
        }


def sizes_for(data: Data) -> tuple[int, ...]:
    """The network's layers: lesson 17's, with an output for each class."""
    return (*SIZES[:-1], len(data.classes))


def refuse_large_batches(options: Options, data: Data) -> None:
    """A batch is a part of the training examples.

    Raises:
        UserError: it would be more than there are.
    """
    count = len(data.train.x)
    if options.batch_size > count:
        raise UserError(f"--batch-size {options.batch_size} is more than the {count:,} examples")


def options_of(manifest: dict[str, Any], log_dir: Path) -> Options:
    """The options that a run's manifest holds, of this one engine; its folder lies in `log_dir` now."""
    known = {field.name for field in fields(Options)}
    options = {name: value for name, value in manifest["options"].items() if name in known}
    for name in PATHS:
        if options.get(name):
            options[name] = Path(options[name])
    options["log_dir"] = log_dir
    return Options(**options)
