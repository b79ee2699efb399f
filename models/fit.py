"""`curriculum fit`, `validate`, `test`, `predict`: `models.lit` on the command line, through LightningCLI."""

import csv
import itertools
import os
import sys
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentError
from lightning.pytorch.callbacks import (
    Callback,
    EarlyStopping,
    LearningRateMonitor,
    ModelCheckpoint,
    RichProgressBar,
)
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console
from torch import Tensor

from curriculum import UserError
from curriculum.demo import Table
from curriculum.quiet import quiet_lightning
from models.lit import LitMLP, LogRun, MNISTDataModule, SilentLogger

RECIPES = Path(__file__).parent / "recipes"
TRAINER_DEFAULTS = {
    "max_epochs": 15,
    "log_every_n_steps": 10,
    "num_sanity_val_steps": 0,
    "devices": 1,
    "enable_model_summary": False,
}


def main(arguments: list[str]) -> None:
    """Run one subcommand with its arguments. A recipe may be given by its name: `fit --config default`."""
    command, *rest = arguments
    # LightningCLI reads it, and so does the second process of DDP.
    sys.argv[1:] = [command, *_with_recipes(rest)]
    # gloo, which carries the messages between processes on CPUs, would look up this machine's name.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    if torch.cuda.is_available():
        # TF32, on GPUs only: faster products, ten bits of mantissa.
        torch.set_float32_matmul_precision("high")
    try:
        with quiet_lightning(warnings_too=False):
            DigitsCLI()
    except ArgumentError as error:
        raise UserError(f"{error.message} (see: curriculum {command} --help)") from error


class DigitsCLI(LightningCLI):
    """LightningCLI with this project's module, data, run log and defaults."""

    def __init__(self) -> None:
        parser_options: dict[str, Any] = {"exit_on_error": False, "prog": "curriculum"}
        super().__init__(
            LitMLP,
            MNISTDataModule,
            seed_everything_default=0,
            save_config_kwargs={"overwrite": True},
            trainer_defaults=TRAINER_DEFAULTS,
            auto_configure_optimizers=False,  # they are options of the module
            parser_kwargs=parser_options | dict.fromkeys(self.subcommands(), parser_options),
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--log_dir", default="runs", help="Folder for all runs.")
        parser.add_argument(
            "--name", type=str | None, help="Folder inside log_dir (default: the subcommand)."
        )
        parser.add_argument(
            "--patience", type=int | None, help="Stop after so many epochs without a lower val_loss."
        )
        parser.add_lightning_class_args(LogRun, "log")
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults(
            {"checkpoint.monitor": "val_acc", "checkpoint.mode": "max", "checkpoint.save_last": True}
        )

    def before_instantiate_classes(self) -> None:
        config, checkpoint = self._config, self._config.ckpt_path
        if self.subcommand != "fit":
            example = "--ckpt_path runs/fit/version_0/checkpoints/last.ckpt"
            if not checkpoint:
                raise UserError(f"{self.subcommand} needs a trained network; for example {example}")
        if self.subcommand in ("validate", "test"):
            config.verbose = False  # the same numbers follow, with what they were measured on
        if checkpoint and not Path(checkpoint).is_file():
            raise UserError(f"there is no checkpoint {checkpoint}; see: curriculum runs")

    def instantiate_trainer(self, **_: Any) -> Any:
        """A folder of its own for every run, and the callbacks that every run has."""
        config, made = self._config, self.config_init[self.subcommand]
        made.log.hparams |= {
            "batch_size": config.data.batch_size,
            "augment": config.data.augment,
            "epochs": config.trainer.max_epochs,
            "seed": config.seed_everything,
        }
        callbacks = list(made.trainer.callbacks or [])
        if config.trainer.enable_progress_bar is not False:
            callbacks.append(RichProgressBar(leave=True))
        if config.trainer.logger is not False:
            callbacks += [LearningRateMonitor(), DigitWriter()]
        if config.patience is not None:
            callbacks.append(EarlyStopping("val_loss", patience=config.patience))
        options: dict[str, Any] = {"callbacks": callbacks}
        if config.trainer.logger in (None, True):
            kind = SilentLogger if config.log.level == "off" else TensorBoardLogger
            options["logger"] = kind(config.log_dir, config.name or self.subcommand, default_hp_metric=False)
        return super().instantiate_trainer(**options)

    def after_fit(self) -> None:
        """The test set, once, with the weights of the last step; then what came out."""
        learned = self.trainer.callback_metrics
        (tested,) = self.trainer.test(self.model, datamodule=self.datamodule, verbose=False)
        trainer: Any = self.trainer
        log = next(callback for callback in trainer.callbacks if isinstance(callback, LogRun))
        self._report({"training": f"{log.train_seconds:.1f} s", **_readable({**learned, **tested})})

    def after_validate(self) -> None:
        self._report(_readable(self.trainer.callback_metrics))

    def after_test(self) -> None:
        self._report(_readable(self.trainer.callback_metrics))

    def _report(self, results: dict[str, str]) -> None:
        folder = self.trainer.log_dir  # every process must ask
        if not self.trainer.is_global_zero:
            return
        network = "–".join(map(str, self.model.hparams["sizes"]))
        title = f"{self.datamodule.data.name} · {network} · engine {self.model.hparams['engine']}"
        say = Console(highlight=False, soft_wrap=True).print
        say(Table(tuple(results), [tuple(results.values())], title))
        say(f"config, weights and logs: {folder}")
        say(f"look at the curves:       curriculum tensorboard --log-dir {self._config.log_dir}")

    @property
    def _config(self) -> Any:
        return self.config[self.subcommand]


class DigitWriter(Callback):
    """Writes `predictions.csv`: the number of the picture, the digit that was read, its probability."""

    def __init__(self) -> None:
        self.read: list[Tensor] = []

    def on_predict_batch_end(self, trainer: Any, pl_module: Any, outputs: Tensor, *_: Any) -> None:
        self.read.append(outputs)

    def on_predict_end(self, trainer: Any, pl_module: Any) -> None:
        folder = Path(trainer.log_dir)
        if not trainer.is_global_zero:
            return
        rows = torch.cat(self.read).tolist()
        with (folder / "predictions.csv").open("w", newline="", encoding="utf-8") as file:
            lines = csv.writer(file)
            lines.writerow(("index", "digit", "probability"))
            lines.writerows(
                (n, int(digit), f"{probability:.4f}") for n, (digit, probability) in enumerate(rows)
            )
        print(f"{len(rows):,} digits read: {folder / 'predictions.csv'}")


def _readable(metrics: Any) -> dict[str, str]:
    return {
        name: f"{float(metrics[name]):.2%}" if name.endswith("acc") else f"{float(metrics[name]):.4f}"
        for name in ("val_loss", "val_acc", "test_acc")
        if name in metrics
    }


def _with_recipes(arguments: list[str]) -> list[str]:
    """`--config default` → the recipe of that name, where it is not a file here."""
    found = list(arguments)
    for index, (option, value) in enumerate(itertools.pairwise(arguments), start=1):
        recipe = RECIPES / f"{value}.yaml"
        if option in ("-c", "--config") and recipe.exists() and not Path(value).exists():
            found[index] = str(recipe)
    return found
