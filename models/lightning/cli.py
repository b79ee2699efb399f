"""`curriculum fit`, `validate`, `test`, `predict`: the module on the command line, through LightningCLI."""

import csv
import itertools
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
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
from curriculum.files import sweep, write_whole
from curriculum.quiet import quiet_lightning
from curriculum.table import Table
from models.lightning.checkpoint import KeepLast, SafeCheckpoints, last_step, load
from models.lightning.data import MNISTDataModule
from models.lightning.log import LogRun, SilentLogger
from models.lightning.module import LitMLP
from models.records import manifest
from models.records.checkpoint import Stop
from models.records.log import take_back

RECIPES = Path(__file__).parents[1] / "recipes"
# How options end that say where files go: folders, and names inside the log folder.
PLACES = ("log_dir", "dirpath", "save_dir", "root_dir")
NAMES = ("name", "filename", "version", "sub_dir")
TRAINER_DEFAULTS = {
    "max_epochs": 15,
    "log_every_n_steps": 10,
    "num_sanity_val_steps": 0,
    "devices": 1,
    "enable_model_summary": False,
}


def main(arguments: list[str]) -> Path | None:
    """Run one subcommand with its arguments; returns the folder of the run, if it has one.

    A recipe may be given by its name: `fit --config default`.

    `fit --resume` goes on with the newest run that was stopped, `fit --resume RUN` with that one.

    Raises:
        Stopped: by Ctrl-C or SIGTERM; the run is saved.
    """
    command, *rest = arguments
    # LightningCLI reads it, and so does the second process of DDP.
    sys.argv[1:] = [command, *_resumed(_with_recipes(rest))]
    # gloo, which carries the messages between processes on CPUs, would look up this machine's name.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    if torch.cuda.is_available():
        # TF32, on GPUs only: faster products, ten bits of mantissa.
        torch.set_float32_matmul_precision("high")
    try:
        with quiet_lightning(warnings_too=False):
            folder = DigitsCLI(Stop()).trainer.log_dir
    except ArgumentError as error:
        raise UserError(f"{error.message} (see: curriculum {command} --help)") from error
    return Path(folder) if folder else None


class DigitsCLI(LightningCLI):
    """LightningCLI with this project's module, data, run log and defaults."""

    def __init__(self, stop: Stop) -> None:
        self.stop = stop
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
            last = Path(config.resume) / "checkpoints" / "last.ckpt"
            config.ckpt_path = str(last) if last.exists() else None
        if config.ckpt_path:
            if not Path(config.ckpt_path).is_file():
                raise UserError(f"there is no checkpoint {config.ckpt_path}; see: curriculum runs")
            load(Path(config.ckpt_path))

    def before_instantiate_classes(self) -> None:
        config, checkpoint = self._config, self._config.ckpt_path
        for option in ("log_dir", "data.augment", "data.dataset", "data.batch_size", "log.level"):
            if config.get(option) is None:
                raise UserError(f"{option} is empty; expected a value, or leave it out")
        if self.subcommand != "fit":
            example = "--ckpt_path runs/fit/version_0/checkpoints/last.ckpt"
            if not checkpoint:
                raise UserError(f"{self.subcommand} needs a trained network; for example {example}")
        if str(config.trainer.precision).startswith("16") and not torch.cuda.is_available():
            raise UserError(
                f"trainer.precision is {config.trainer.precision}, and CPUs have no float16 worth the name; "
                "expected 32-true, 64-true, bf16-true or bf16-mixed"
            )
        if self.subcommand in ("validate", "test"):
            config.verbose = False  # the same numbers follow, with what they were measured on
        _refuse_foreign_places(config, Path(config.resume).parents[1] if config.resume else None)
        if config.resume:
            self.save_config_callback = None  # the run's config.yaml is that of its beginning
            sweep(Path(config.resume) / "checkpoints")

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
        config, made = self._config, self.config_init[self.subcommand]
        made.log.hparams |= {
            "batch_size": config.data.batch_size,
            "augment": config.data.augment,
            "epochs": config.trainer.max_epochs,
            "seed": config.seed_everything,
        }
        callbacks = [*(made.trainer.callbacks or []), ManifestWriter()]
        if config.trainer.enable_progress_bar is not False:
            callbacks.append(RichProgressBar(leave=True))
        if config.trainer.logger is not False:
            callbacks += [LearningRateMonitor(), DigitWriter()]
        if config.patience is not None:
            callbacks.append(EarlyStopping("val_loss", patience=config.patience))
        if config.trainer.enable_checkpointing is not False:
            callbacks.append(KeepLast(None, self.stop, _how_to_go_on))
        options: dict[str, Any] = {"callbacks": callbacks}
        options["plugins"] = [*_as_list(made.trainer.plugins), SafeCheckpoints()]
        if config.trainer.logger in (None, True):
            options["logger"] = self._logger()
        return super().instantiate_trainer(**options)

    def _logger(self) -> TensorBoardLogger:
        """In a folder of its own for a new run, in that of the run for one that goes on."""
        config = self._config
        kind = SilentLogger if config.log.level == "off" else TensorBoardLogger
        if not config.resume:
            return kind(config.log_dir, config.name or self.subcommand, default_hp_metric=False)
        run = Path(config.resume)
        if os.environ.get("LOCAL_RANK", "0") == "0":
            take_back(run, last_step(Path(config.ckpt_path)) if config.ckpt_path else 0)
        return kind(run.parents[1], run.parent.name, run.name, default_hp_metric=False)

    def after_fit(self) -> None:
        """The test set, once, with the weights of the last step; then what came out."""
        (tested,) = self.trainer.test(self.model, datamodule=self.datamodule, verbose=False)
        trainer: Any = self.trainer
        log = next(callback for callback in trainer.callbacks if isinstance(callback, LogRun))
        results = {**log.measured, **tested}
        if folder := trainer.log_dir:  # every process must ask
            self._write(Path(folder), results | {"train_seconds": log.train_seconds})
        self._report({"training": f"{log.train_seconds:.1f} s", **_readable(results)})

    def _write(self, folder: Path, results: dict[str, Any]) -> None:
        """Weights and results, as `curriculum mnist` writes them."""
        if not self.trainer.is_global_zero:
            return
        weights = self.model.model.state_dict()
        write_whole(folder / "model.safetensors", safetensors.torch.save(weights))
        data = self.datamodule.data
        about = {
            "engine": self.model.hparams["engine"],
            "data": data.name,
            "data_sha256": data.sha256,
            "parameters": sum(param.numel() for param in self.model.parameters()),
        }
        write_whole(folder / "report.json", json.dumps(about | results, indent=2) + "\n")

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


class ManifestWriter(Callback):
    """Writes `manifest.json` when a run begins."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        folder = trainer.log_dir  # every process must ask
        if folder and trainer.is_global_zero and not (Path(folder) / manifest.NAME).exists():
            data, options = trainer.datamodule, dict(pl_module.hparams)
            manifest.write(Path(folder), "fit", options, data.data, data.seed, str(pl_module.device))


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


def _refuse_foreign_places(config: Any, log_dir: Path | None) -> None:
    """A configuration file, which may be somebody else's, writes below the log folder or not at all.

    What stands on the command line has been asked for.
    """

    def asked(option: str) -> bool:
        return any(part.partition("=")[0] == f"--{option}" for part in sys.argv)

    root = (log_dir or Path(config.log_dir if asked("log_dir") else "runs")).resolve()
    for option, value in _leaves(config.as_dict()):
        folder, inside = option.endswith(PLACES), option.endswith(NAMES)
        if not isinstance(value, str | Path) or not (folder or inside) or asked(option):
            continue
        if not (Path(value) if folder else root / value).resolve().is_relative_to(root):
            raise UserError(
                f"the configuration's {option} {value} lies outside of the log folder {root}; "
                "to allow it, name a folder that holds it on the command line: --log_dir DIR"
            )


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value of a configuration, with its full name."""
    parts = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    )
    if parts is None:
        yield name, value
    for key, part in parts or ():
        yield from _leaves(part, f"{name}.{key}" if name else str(key))


def _how_to_go_on(steps: int, last: Path) -> str:
    return (
        f"stopped after {steps:,} steps, and all is saved; "
        f"go on with: curriculum fit --resume {last.parents[1]}"
    )


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [] if value is None else [value]


def _resumed(arguments: list[str]) -> list[str]:
    """`--resume [RUN]` → the run's own options, and the run."""
    arguments = [word for part in arguments for word in _apart(part)]
    if "--resume" not in arguments or "LOCAL_RANK" in os.environ:  # the second: DDP has started this process
        return arguments
    at = arguments.index("--resume")
    given = [part for part in arguments[at + 1 : at + 2] if not part.startswith("-")]
    others = arguments[:at] + arguments[at + 1 + len(given) :]
    log_dir = Path(others[1]) if others[:1] == ["--log_dir"] and len(others) == 2 else Path("runs")
    if others and others != ["--log_dir", str(log_dir)]:
        raise UserError(f"--resume goes on with the options that the run began with; leave {others[0]} out")
    run = Path(given[0]) if given else _newest_stopped(log_dir)
    config = run / "config.yaml"
    if (run / "report.json").exists():
        raise UserError(f"{run} was not stopped, it is finished; see it with: curriculum runs show {run}")
    if not config.is_file():
        raise UserError(f"{run} has no config.yaml, so it cannot go on; begin anew: curriculum fit")
    return ["--config", str(config), "--resume", str(run)]


def _apart(argument: str) -> list[str]:
    """`--resume=RUN` → `--resume`, `RUN`."""
    return argument.split("=", 1) if argument.startswith(("--resume=", "--log_dir=")) else [argument]


def _newest_stopped(log_dir: Path) -> Path:
    runs = [path.parent for path in log_dir.glob("*/version_*/config.yaml")]
    runs = [run for run in runs if not (run / "report.json").exists()]
    if not runs:
        raise UserError(f"no run of fit in {log_dir} was stopped; begin one with: curriculum fit")
    return max(runs, key=lambda run: run.stat().st_mtime_ns)


def _with_recipes(arguments: list[str]) -> list[str]:
    """`--config default` → the recipe of that name, where it is not a file here."""
    found = list(arguments)
    for index, (option, value) in enumerate(itertools.pairwise(arguments), start=1):
        recipe = RECIPES / f"{value}.yaml"
        if option in ("-c", "--config") and recipe.exists() and not Path(value).exists():
            found[index] = str(recipe)
    return found
