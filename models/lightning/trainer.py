"""Lightning's Trainer as this project sets it up, and the callbacks that write a run's files."""

import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from curriculum.data import DIGITS
from curriculum.data_names import counted
from curriculum.files import write_whole
from models.lightning.checkpoint import SafeCheckpoints
from models.records import manifest
from models.records.log import EVERY

# Of the command line; each may be chosen otherwise there.
TRAINER_DEFAULTS = {
    "max_epochs": 15,
    "log_every_n_steps": EVERY,
    "num_sanity_val_steps": 0,
    "devices": 1,
    "enable_model_summary": False,
}


class DigitsTrainer(L.Trainer):
    """Lightning's Trainer, whose limits keep 1 (one batch) and 1.0 (all of them) apart on the command line.

    A word becomes the first type that can read it. `typing` keeps one object for Union[int, float] and
    Union[float, int], whichever was written first in the process; `int | float` is as it stands.
    """

    def __init__(
        self,
        *,
        limit_train_batches: int | float | None = None,
        limit_val_batches: int | float | None = None,
        limit_test_batches: int | float | None = None,
        limit_predict_batches: int | float | None = None,
        overfit_batches: int | float = 0.0,
        val_check_interval: int | float | str | timedelta | dict[str, int] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            limit_train_batches=limit_train_batches,
            limit_val_batches=limit_val_batches,
            limit_test_batches=limit_test_batches,
            limit_predict_batches=limit_predict_batches,
            overfit_batches=overfit_batches,
            val_check_interval=val_check_interval,
            **options,
        )


def plain_trainer(epochs: int, callbacks: list[Any], logger: Any = False, device: str = "cpu") -> L.Trainer:
    """A Trainer on one device, without Lightning's own checkpoints and without a word.

    Args:
        epochs: passes over the training digits.
        callbacks: Lightning's.
        logger: one of Lightning's, or False for none.
        device: as torch names it; only its kind counts.
    """
    return L.Trainer(
        accelerator=torch.device(device).type,
        devices=1,
        max_epochs=epochs,
        callbacks=callbacks,
        logger=logger,
        log_every_n_steps=EVERY,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        plugins=[SafeCheckpoints()],
    )


class ManifestWriter(Callback):
    """Writes `manifest.json` when a run begins.

    Args:
        options: what is true in place of the module's own options.
    """

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        self.options = options or {}

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        folder = trainer.log_dir  # every process must ask
        if not folder or not trainer.is_global_zero or (Path(folder) / manifest.NAME).exists():
            return
        digits = trainer.datamodule
        manifest.write(
            Path(folder),
            job="fit",
            options=dict(pl_module.hparams) | self.options,
            data=digits.data,
            seed=digits.seed,
            device=str(pl_module.device),
        )


class PredictionWriter(Callback):
    """Writes what was read on the test pictures.

    `predictions.csv`: the picture's number, the digit or class that was read, its probability.
    `predictions.json`: whose pictures they were.
    """

    def __init__(self) -> None:
        self.predictions: list[Tensor] = []

    def on_predict_batch_end(self, trainer: Any, pl_module: Any, outputs: Tensor, *_: Any) -> None:
        self.predictions.append(outputs)

    def on_predict_end(self, trainer: Any, pl_module: Any) -> None:
        path = Path(trainer.log_dir) / "predictions.csv"  # every process must ask for the folder
        if not trainer.is_global_zero:
            return
        rows = torch.cat(self.predictions).tolist()
        data = trainer.datamodule.data
        with path.open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerow(("index", "digit" if data.classes == DIGITS else "class", "probability"))
            for index, (number, probability) in enumerate(rows):
                lines.writerow((index, data.classes[int(number)], f"{probability:.4f}"))
        read = {"test": len(rows)}
        about = json.dumps(manifest.of_data(data, read), indent=2)
        write_whole(path.with_suffix(".json"), about + "\n")
        print(f"read: {counted(data.name, read)} ({data.source}), SHA-256 {data.sha256}: {path}")
