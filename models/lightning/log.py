"""What a run under Lightning writes to TensorBoard, and the logger of a run that writes nothing."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import TensorBoardLogger
from torch import Tensor

from models.records.log import Level, RunLog

OF_VALIDATION = ("val_loss", "val_acc")  # names of what a validation measures


class LogRun(L.Callback):
    """Writes to TensorBoard what `self.log` does not: the run log. Also keeps the time.

    Works with `TensorBoardLogger` and `MNISTDataModule`. In a run of many processes only the first writes.

    Args:
        level: "off", "basic" or "full", see `models.records.log`.
        hparams: what was chosen besides the module's own options.
    """

    def __init__(self, level: Level = "full", hparams: dict[str, Any] | None = None) -> None:
        self.level = level
        self.hparams = hparams or {}
        self.run_log: RunLog | None = None
        self.train_seconds = 0.0
        self.measured: dict[str, float] = {}  # what the last validation said
        self.measured_at = 0  # after so many steps
        self.pictures: dict[str, int] = {}  # in an epoch, and behind the last validation and the test
        self.has_measured = False  # in this process, so that it stands in this run's curves
        self.goes_on = False  # what is run stands in its log already
        self.has_begun = False  # to take steps, in this process
        self._steps = 0  # that the run log knows of
        self._begin = 0.0

    def state_dict(self) -> dict[str, Any]:
        """What a run that is resumed cannot measure again."""
        seconds = self._seconds()
        return {
            "train_seconds": seconds,
            "measured": self.measured,
            "measured_at": self.measured_at,
            "pictures": self.pictures,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.train_seconds = state_dict["train_seconds"]
        self.measured = state_dict["measured"]
        self.measured_at = state_dict.get("measured_at", 0)  # older checkpoints do not tell
        self.pictures = state_dict.get("pictures", {})

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """An epoch of few batches still gets a point on the training curve."""
        if stage != "fit":
            return
        batches = len(trainer.datamodule.train_dataloader())
        limit = trainer.limit_train_batches  # a number of batches, or a share of them
        batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
        steps = -(-batches // trainer.accumulate_grad_batches)
        trainer.log_every_n_steps = max(1, min(trainer.log_every_n_steps, steps))

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._begin = time.perf_counter()
        self.has_begun = True
        self._steps = trainer.global_step
        epoch = trainer.datamodule.train_dataloader()
        self.pictures["train"] = epoch.pictures_in(trainer.num_training_batches)
        self.run_log = self._open(trainer, pl_module)
        if self.run_log and not self.goes_on:
            pl_module.eval()  # for the graph one digit is enough, of which batch norm could not take a mean
            self.run_log.start(pl_module)
            pl_module.train()

    def _open(self, trainer: Any, pl_module: Any) -> RunLog | None:
        """The run log, in the one process that writes it."""
        is_written = isinstance(trainer.logger, TensorBoardLogger) and self.level != "off"
        if not is_written or not trainer.is_global_zero:
            return None
        return RunLog(
            trainer.logger.experiment,
            self.level,
            trainer.datamodule.data,
            {**pl_module.hparams, **self.hparams},
            trainer.log_every_n_steps,
        )

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """A step begins with the first of its batches."""
        if self.run_log and batch_idx % trainer.accumulate_grad_batches == 0:
            self.run_log.before_step(trainer.global_step, pl_module)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
        """A step ends with the last of its batches."""
        if self.run_log and trainer.global_step > self._steps:
            self.run_log.after_step(trainer.global_step - 1, pl_module)
        self._steps = trainer.global_step

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Within a training, and once more after one that has ended between two validations."""
        if self.run_log and not trainer.sanity_checking:
            self.run_log.after_epoch(trainer.global_step - 1, pl_module)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Lightning's trial before the first step stands in no curve."""
        if trainer.sanity_checking:
            return
        self.measured_at = trainer.global_step
        self.has_measured = True
        (batches,) = trainer.num_val_batches
        self.pictures["val"] = trainer.datamodule.val_dataloader().pictures_in(batches)
        found = trainer.callback_metrics
        self.measured = {name: float(found[name]) for name in OF_VALIDATION if name in found}

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        (batches,) = trainer.num_test_batches
        self.pictures["test"] = trainer.datamodule.test_dataloader().pictures_in(batches)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self.train_seconds = self._seconds()
        self._begin = 0.0

    def finish(self, trainer: Any, pl_module: Any) -> None:
        """What stands at the end of a run's log; after `fit`, also where no step was left to take."""
        self.run_log = self.run_log or self._open(trainer, pl_module)
        if self.run_log:
            pl_module.eval()
            self.run_log.finish(trainer.global_step, pl_module)

    def _seconds(self) -> float:
        return self.train_seconds + (time.perf_counter() - self._begin if self._begin else 0.0)


class LearningRates(LearningRateMonitor):
    """Lightning's own writes a point for every batch, also where several make one step."""

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx % trainer.accumulate_grad_batches == 0:
            super().on_train_batch_start(trainer, pl_module, batch, batch_idx)


class LossRecorder(L.Callback):
    """Keeps the loss of every step, also through a checkpoint.

    Args:
        on_step: is told how many steps are done.
    """

    def __init__(self, on_step: Callable[[int], None]) -> None:
        self.on_step = on_step
        self.losses: list[Tensor] = []

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """A checkpoint is read onto the CPU."""
        self.losses = [loss.to(pl_module.device) for loss in self.losses]

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, *_: Any) -> None:
        self.losses.append(outputs["loss"].detach())
        self.on_step(len(self.losses))

    @property
    def state_key(self) -> str:
        """Its name in checkpoints: that of the first version, whose checkpoints are still to be read."""
        return "_with_lightning.<locals>.Watch"

    def state_dict(self) -> dict[str, Any]:
        return {"losses": torch.stack(self.losses)} if self.losses else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.losses = list(state_dict["losses"])


def logger_of_new_run(log_dir: Path, name: str | None, level: str) -> TensorBoardLogger:
    """A logger in `log_dir/name/version_N` with the next free number."""
    return _logger_class(level)(log_dir, name, default_hp_metric=False)


def logger_of_run(run: Path, level: str) -> TensorBoardLogger:
    """A logger in a folder that is there."""
    return _logger_class(level)(run.parents[1], run.parent.name, run.name, default_hp_metric=False)


def _logger_class(level: str) -> type[TensorBoardLogger]:
    return SilentLogger if level == "off" else TensorBoardLogger


class SilentLogger(TensorBoardLogger):
    """Keeps a run's folder and writes no events into it."""

    experiment = None

    def save(self) -> None: ...

    def log_metrics(self, metrics: Any, step: int | None = None) -> None: ...

    def log_hyperparams(self, *_: Any, **__: Any) -> None: ...
