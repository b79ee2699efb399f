"""`curriculum fit`, `validate`, `test`, `predict`: the module on the command line, through LightningCLI."""

import os
import socket
import sys
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentError
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint, RichProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console

from curriculum import UserError
from curriculum.data import NAMES, load
from curriculum.files import sweep
from curriculum.quiet import quiet_lightning
from curriculum.table import Table
from lessons.lesson13_mnist import SIZES
from models.lightning import refusals
from models.lightning.arguments import complete
from models.lightning.checkpoint import KeepLast, SafeCheckpoints, last_step
from models.lightning.data import MNISTDataModule
from models.lightning.log import LogRun, logger_of_new_run, logger_of_run
from models.lightning.module import MLPModule
from models.lightning.trainer import TRAINER_DEFAULTS, ManifestWriter, PredictionWriter
from models.records import manifest
from models.records.folder import RunFolder
from models.records.log import truncate_log
from models.records.stop import Stop


def main(arguments: list[str]) -> Path | None:
    """Run one subcommand with its arguments; returns the folder of the run, if it has one.

    A recipe may be given by its name: `fit --config default`.

    `fit --resume` goes on with the newest run that was stopped, `fit --resume RUN` with that one.

    Raises:
        UserError: an option, a file or a network cannot be used.
        Stopped: by Ctrl-C or SIGTERM; the run is saved.
    """
    command, *rest = arguments
    # LightningCLI reads it, and so does the second process of DDP.
    sys.argv[1:] = [command, *complete(rest)]
    loopback = _loopback_interface()
    if loopback:
        # gloo, which carries the messages between processes on CPUs, would look up this machine's name.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
    if torch.cuda.is_available():
        # TF32, on GPUs only: faster products, ten bits of mantissa.
        torch.set_float32_matmul_precision("high")
    try:
        with quiet_lightning(warnings_too=False):
            folder = DigitsCLI(Stop()).trainer.log_dir
    except ArgumentError as error:
        raise UserError(f"{error.message} (see: curriculum {command} --help)") from error
    return Path(folder) if folder else None


def _loopback_interface() -> str | None:
    """The network interface over which a machine reaches itself, where it has one of the usual names."""
    names = [name for _, name in socket.if_nameindex()]
    for usual in ("lo", "lo0"):  # Linux; macOS
        if usual in names:
            return usual
    return None


class DigitsCLI(LightningCLI):
    """LightningCLI with this project's module, data, run log and defaults."""

    def __init__(self, stop: Stop) -> None:
        self.stop = stop
        parser_options: dict[str, Any] = {"exit_on_error": False, "prog": "curriculum"}
        super().__init__(
            MLPModule,
            MNISTDataModule,
            seed_everything_default=0,
            save_config_kwargs={"overwrite": True},
            trainer_defaults=TRAINER_DEFAULTS,
            auto_configure_optimizers=False,  # they are options of the module
            parser_kwargs=parser_options | dict.fromkeys(self.subcommands(), parser_options),
        )

    @property
    def _config(self) -> Any:
        return self.config[self.subcommand]

    # ------------------------------------------------------------ options

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--log_dir", type=str, default="runs", help="Folder for all runs.")
        parser.add_argument(
            "--name", type=str | None, help="Folder inside log_dir (default: the subcommand)."
        )
        parser.add_argument(
            "--resume",
            type=str | None,
            help="Go on with a stopped run: its folder, or nothing for the newest.",
        )
        parser.add_argument(
            "--patience", type=int | None, help="Stop after so many epochs without a lower val_loss."
        )
        parser.link_arguments("model.normalize", "data.normalize")
        parser.add_lightning_class_args(LogRun, "log")
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults({"checkpoint.monitor": "val_acc", "checkpoint.mode": "max"})

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Look at a checkpoint before LightningCLI takes options from it."""
        super().parse_arguments(parser, args)
        config = self.config[self.config.subcommand]
        if config.get("resume"):
            last = RunFolder(Path(config.resume)).fit_checkpoint
            config.ckpt_path = str(last) if last.exists() else None
        if config.ckpt_path:
            refusals.refuse_foreign_checkpoint(config.ckpt_path)

    def before_instantiate_classes(self) -> None:
        config = self._config
        refusals.refuse_empty_options(config)
        refusals.refuse_no_network(self.subcommand, config)
        refusals.refuse_half_precision_on_a_cpu(config)
        refusals.refuse_foreign_places(config, Path(config.resume).parents[1] if config.resume else None)
        self._take_own_data(config)
        if self.subcommand in ("validate", "test"):
            config.verbose = False  # the same numbers follow, with what they were measured on
        if config.resume:
            self.save_config_callback = None  # the run's config.yaml is that of its beginning
            sweep(RunFolder(Path(config.resume)).fit_checkpoint.parent)

    def _take_own_data(self, config: Any) -> None:
        """A data set at a path: found again from any folder, and the default network has its classes."""
        if config.data.dataset in NAMES:
            return
        config.data.dataset = str(Path(config.data.dataset).expanduser().resolve())
        own = load(config.data.dataset)
        if config.resume:
            manifest.refuse_other_data(RunFolder(Path(config.resume)).manifest, own.sha256)
        is_default = tuple(config.model.sizes) == SIZES if self.subcommand == "fit" else False
        if is_default and not refusals.stands_on_the_command_line("model.sizes"):
            config.model.sizes = (*SIZES[:-1], len(own.classes))

    # ------------------------------------------------------------ what they make

    def instantiate_classes(self) -> None:
        try:
            super().instantiate_classes()
        except UserError:
            raise
        except Exception as error:  # a configuration can name any class of Lightning with any arguments
            said = " ".join(str(error).split())[:300]
            raise UserError(
                f"this configuration cannot be used ({said}); see: curriculum fit --help"
            ) from error

    def instantiate_trainer(self, **_: Any) -> Any:
        """A folder of its own for every run, and the callbacks that every run has."""
        config = self._config
        made = self.config_init[self.subcommand]
        made.log.hparams |= {
            "batch_size": config.data.batch_size,
            "augment": config.data.augment,
            "epochs": config.trainer.max_epochs,
            "seed": config.seed_everything,
        }
        options: dict[str, Any] = {
            "callbacks": [*(made.trainer.callbacks or []), *self._callbacks()],
            "plugins": [*_as_list(made.trainer.plugins), SafeCheckpoints()],
        }
        if config.trainer.logger in (None, True):
            options["logger"] = self._logger()
        return super().instantiate_trainer(**options)

    def _callbacks(self) -> list[Any]:
        config = self._config
        callbacks: list[Any] = [ManifestWriter()]
        if config.trainer.enable_progress_bar is not False:
            callbacks.append(RichProgressBar(leave=True))
        if config.trainer.logger is not False:
            callbacks.append(LearningRateMonitor())
            callbacks.append(PredictionWriter())
        if config.patience is not None:
            callbacks.append(EarlyStopping("val_loss", patience=config.patience))
        if config.trainer.enable_checkpointing is not False:
            callbacks.append(KeepLast(None, self.stop, _how_to_go_on))
        return callbacks

    def _logger(self) -> TensorBoardLogger:
        """In a folder of its own for a new run, in that of the run for one that goes on."""
        config = self._config
        if not config.resume:
            return logger_of_new_run(Path(config.log_dir), config.name or self.subcommand, config.log.level)
        run = Path(config.resume)
        if os.environ.get("LOCAL_RANK", "0") == "0":
            truncate_log(run, last_step(Path(config.ckpt_path)) if config.ckpt_path else 0)
        return logger_of_run(run, config.log.level)

    # ------------------------------------------------------------ results

    def after_fit(self) -> None:
        """The test set, once, with the weights of the last step; then what came out."""
        trainer: Any = self.trainer
        (tested,) = trainer.test(self.model, datamodule=self.datamodule, verbose=False)
        log = next(callback for callback in trainer.callbacks if isinstance(callback, LogRun))
        results = {**log.measured, **tested}
        folder = trainer.log_dir  # every process must ask
        if folder and trainer.is_global_zero:
            report = self._facts() | results | {"train_seconds": log.train_seconds}
            RunFolder(Path(folder)).finish(self.model.model.state_dict(), report)
        self._show({"training": f"{log.train_seconds:.1f} s", **_readable(results)})

    def after_validate(self) -> None:
        self._show(_readable(self.trainer.callback_metrics))

    def after_test(self) -> None:
        self._show(_readable(self.trainer.callback_metrics))

    def _facts(self) -> dict[str, Any]:
        """What learned what, as in the reports of `curriculum mnist`."""
        data = self.datamodule.data
        return {
            "engine": self.model.hparams["engine"],
            "data": data.name,
            "data_sha256": data.sha256,
            "data_source": data.source,
            "parameters": sum(param.numel() for param in self.model.parameters()),
        }

    def _show(self, results: dict[str, str]) -> None:
        folder = self.trainer.log_dir  # every process must ask
        if not self.trainer.is_global_zero:
            return
        network = "–".join(map(str, self.model.hparams["sizes"]))
        title = f"{self.datamodule.data.name} · {network} · engine {self.model.hparams['engine']}"
        say = Console(highlight=False, soft_wrap=True).print
        say(Table(tuple(results), [tuple(results.values())], title))
        data = self.datamodule.data
        say(f"measured on:              {data.name} ({data.source}), SHA-256 {data.sha256}")
        say(f"config, weights and logs: {folder}")
        say(f"look at the curves:       curriculum tensorboard --log-dir {self._config.log_dir}")


def _readable(metrics: Any) -> dict[str, str]:
    found = {}
    for name in ("val_loss", "val_acc", "test_acc"):
        if name in metrics:
            value = float(metrics[name])
            found[name] = f"{value:.2%}" if name.endswith("acc") else f"{value:.4f}"
    return found


def _how_to_go_on(steps: int, last: Path) -> str:
    return (
        f"stopped after {steps:,} steps, and all is saved; "
        f"go on with: curriculum fit --resume {last.parents[1]}"
    )


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
