"""`curriculum fit`, `validate`, `test`, `predict`: the module on the command line, through LightningCLI."""

import contextlib
import os
import re
import shutil
import socket
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from jsonargparse import ArgumentError
from jsonargparse.typing import register_type
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, ProgressBar, RichProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, ReduceLROnPlateau
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException
from rich.console import Console
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from curriculum import Stopped, UserError
from curriculum.data import load
from curriculum.data_names import NAMES, OF_DIGITS, counted, name_of
from curriculum.files import sweep
from curriculum.quiet import quiet_lightning
from curriculum.shell import quoted
from curriculum.table import Table
from lessons.lesson17_mnist import SIZES
from models.lightning import refusals
from models.lightning.arguments import complete
from models.lightning.checkpoint import KeepLast, SafeCheckpoints, kept_by_callbacks, mark_of
from models.lightning.data import MNISTDataModule
from models.lightning.log import OF_VALIDATION, LearningRates, LogRun, logger_of_new_run, logger_of_run
from models.lightning.module import MLPModule
from models.lightning.trainer import TRAINER_DEFAULTS, DigitsTrainer, ManifestWriter, PredictionWriter
from models.lightning.weights import fill, load_weights, sizes_of
from models.records import manifest
from models.records.folder import RunFolder
from models.records.resume import BEGINNING, alone, remove_unknown, restore_surroundings, take_back
from models.records.stop import Stop

register_type(torch.device, serializer=str)  # so that a configuration that has one can be written and read


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
        with contextlib.ExitStack() as hold, quiet_lightning(warnings_too=False):
            folder = DigitsCLI(Stop(), hold).trainer.log_dir
    except SIGTERMException as error:  # Lightning's, between its start and the first step
        raise Stopped("stopped before a step was taken; begin again with the same command", 143) from error
    except ArgumentError as error:
        said = _shortened(error.message or str(error))
        raise UserError(f"{said} (see: curriculum {command} --help)") from error
    return Path(folder) if folder else None


def _loopback_interface() -> str | None:
    """The network interface over which a machine reaches itself, where it has one of the usual names."""
    names = [name for _, name in socket.if_nameindex()]
    for usual in ("lo", "lo0"):  # Linux; macOS
        if usual in names:
            return usual
    return None


class DigitsCLI(LightningCLI):
    """LightningCLI with this project's module, data, run log and defaults.

    Args:
        stop: hears Ctrl-C.
        hold: keeps the run's folder for this process, until it is closed.
    """

    def __init__(self, stop: Stop, hold: contextlib.ExitStack) -> None:
        self.stop = stop
        self.hold = hold
        self._weights: dict[str, Tensor] | None = None
        self._is_new_run = False  # in a folder that this process has made
        self._goes_on = False  # from a checkpoint of its own
        parser_options: dict[str, Any] = {"exit_on_error": False, "prog": "curriculum"}
        super().__init__(
            MLPModule,
            MNISTDataModule,
            seed_everything_default=0,
            save_config_kwargs={"overwrite": True},
            trainer_class=DigitsTrainer,
            trainer_defaults=TRAINER_DEFAULTS,
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
        parser.add_argument(
            "--weights",
            type=str | None,
            help="Start from the weights of a checkpoint, a .safetensors file or a state dict.",
        )
        parser.add_argument(
            "--test", type=bool, default=True, help="Read the test digits once when training is over."
        )
        parser.link_arguments("model.normalize", "data.normalize")
        parser.add_lightning_class_args(LogRun, "log")
        parser.add_lightning_class_args(ModelCheckpoint, "checkpoint")
        parser.set_defaults({"checkpoint.monitor": "val_acc", "checkpoint.mode": "max"})

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Look at a checkpoint before LightningCLI takes options from it."""
        super().parse_arguments(parser, args)
        config = self.config[self.config.subcommand]
        refusals.refuse_seed(config.seed_everything)
        if config.get("resume"):
            last = RunFolder(Path(config.resume)).fit_checkpoint
            if last.exists():  # else it goes on from what it was to begin with
                config.ckpt_path = str(last)
        if config.ckpt_path:
            known = refusals.refuse_foreign_checkpoint(config.ckpt_path)
            refusals.refuse_another_network(config.model, known, config.ckpt_path)

    def before_instantiate_classes(self) -> None:
        config = self._config
        refusals.refuse_empty_options(config)
        refusals.refuse_no_network(self.subcommand, config)
        refusals.refuse_two_optimizers(config)
        refusals.refuse_what_cannot_work(config)
        refusals.refuse_nothing_to_look_at(self.subcommand, config)
        refusals.refuse_half_precision_on_a_cpu(config)
        if self.subcommand == "fit":
            refusals.refuse_averages_that_batch_norm_follows(config)
        if config.resume:
            self._take_up(RunFolder(Path(config.resume)), config)
        _keep_in(Path(config.log_dir), config.trainer.logger)
        refusals.refuse_foreign_places(config, Path(config.log_dir) if config.resume else None)
        for options in (config.checkpoint, *_options_of_callbacks(config.trainer.callbacks)):
            _look_after_validation(options)
            _leave_last_to_us(options)
        self._take_weights(config)
        self._take_data_of_the_run(config)
        self._take_own_data(config)
        if self.subcommand in ("validate", "test"):
            config.verbose = False  # the same numbers follow, with what they were measured on

    def _take_up(self, run: RunFolder, config: Any) -> None:
        """A run goes on where its folder lies now, alone, on the same data, as it was when it was saved."""
        if _is_first_process():
            self.hold.enter_context(alone(run.path))
        if (run.path / manifest.NAME).exists():
            restore_surroundings(run.manifest, _note if _is_first_process() else _silent)
            manifest.refuse_other_data(run.manifest, load(config.data.dataset, config.data.data_dir).sha256)
        self._goes_on = run.fit_checkpoint.exists()
        self.save_config_callback = None  # the run's config.yaml is that of its beginning
        config.log_dir = str(run.path.parents[1])
        for logger in _chosen_loggers(config.trainer.logger):
            _take_up_logger(logger, run.path)
        if _is_first_process():
            for folder in (run.path, run.fit_checkpoint.parent):
                sweep(folder)
            take_back(run.path, mark_of(run.fit_checkpoint) if self._goes_on else BEGINNING)
            remove_unknown(
                run.fit_checkpoint.parent, kept_by_callbacks(run.fit_checkpoint) if self._goes_on else []
            )

    def _take_weights(self, config: Any) -> None:
        """The network has the sizes of the weights that it starts from, unless others were chosen."""
        if config.weights and not config.ckpt_path:
            self._weights = load_weights(Path(config.weights))
            if tuple(config.model.sizes) == SIZES and not refusals.stands_on_the_command_line("model.sizes"):
                config.model.sizes = sizes_of(self._weights) or SIZES

    def _take_data_of_the_run(self, config: Any) -> None:
        """A trained network is tried on the data that it learned from, unless others were chosen."""
        trained = config.ckpt_path or config.weights
        is_chosen = config.data.dataset != "auto" or config.data.data_dir is not None
        if self.subcommand == "fit" or is_chosen or not trained:
            return
        path = Path(trained).absolute()
        run = RunFolder(path.parent if path.suffix == ".safetensors" else path.parents[1])
        if not (run.path / manifest.NAME).exists():
            return
        known = run.manifest
        config.data.dataset = name_of(known["data"], known["data_source"])
        if config.data.dataset in NAMES:
            config.data.data_dir = manifest.data_dir_of(known)
        if config.data.dataset not in OF_DIGITS:  # MNIST's files are proven by themselves
            manifest.refuse_other_data(known, load(config.data.dataset, config.data.data_dir).sha256)

    def _take_own_data(self, config: Any) -> None:
        """A path is found again from any folder, and the default network has an output for each class."""
        if config.data.dataset in OF_DIGITS:
            return
        if config.data.dataset not in NAMES:
            config.data.dataset = str(Path(config.data.dataset).expanduser().resolve())
        own = load(config.data.dataset, config.data.data_dir)
        is_default = tuple(config.model.sizes) == SIZES if self.subcommand == "fit" else False
        if is_default and not refusals.stands_on_the_command_line("model.sizes"):
            config.model.sizes = (*SIZES[:-1], len(own.classes))

    # ------------------------------------------------------------ what they make

    def instantiate_classes(self) -> None:
        with _one_line(), warnings.catch_warnings():
            # A configuration can name any class of Lightning with any arguments.
            warnings.filterwarnings("ignore", ".*configure_optimizers. will be overridden")
            super().instantiate_classes()
        if self._weights is not None:
            fill(self.model.model, self._weights, Path(self._config.weights))

    @staticmethod
    def configure_optimizers(
        lightning_module: Any, optimizer: torch.optim.Optimizer, lr_scheduler: Any = None
    ) -> Any:
        """`--optimizer` and `--lr_scheduler` in place of the module's own; the curve is `lr`, too."""
        chosen: dict[str, Any] = {"scheduler": lr_scheduler or LambdaLR(optimizer, _constant), "name": "lr"}
        if isinstance(lr_scheduler, ReduceLROnPlateau):  # LightningCLI's, which keeps the name
            chosen["monitor"] = lr_scheduler.monitor
            if lr_scheduler.monitor in OF_VALIDATION:
                # The end of an epoch without a validation has nothing new for it to look at.
                chosen["frequency"] = lightning_module.trainer.check_val_every_n_epoch or 1
                chosen["strict"] = False
        return {"optimizer": optimizer, "lr_scheduler": chosen}

    def instantiate_trainer(self, **_: Any) -> Any:
        """A folder of its own for every run, and the callbacks that every run has."""
        config = self._config
        made = self.config_init[self.subcommand]
        made.log.hparams |= {
            "batch_size": config.data.batch_size,
            "augment": config.data.augment,
            "epochs": config.trainer.max_epochs,
            "seed": config.seed_everything,
        } | _chosen_optimizer(config)
        if config.trainer.enable_checkpointing is False:
            self._parser(self.subcommand).callback_keys.remove("checkpoint")
        options: dict[str, Any] = {
            "callbacks": [*_as_list(made.trainer.callbacks), *self._callbacks()],
            "plugins": [*_as_list(made.trainer.plugins), SafeCheckpoints()],
        }
        options["logger"] = self._loggers(_chosen_loggers(made.trainer.logger))
        trainer: Any = super().instantiate_trainer(**options)
        if config.trainer.enable_checkpointing is not False:
            trainer.callbacks.append(KeepLast(None, self.stop, _how_to_go_on, bool(config.resume)))
        return trainer

    def _callbacks(self) -> list[Any]:
        config = self._config
        callbacks: list[Any] = [ManifestWriter(_chosen_optimizer(config)), LearningRates()]
        callbacks.append(PredictionWriter())
        if config.trainer.enable_progress_bar is not False:
            callbacks.append(RichProgressBar(leave=True))
        if config.patience is not None:
            callbacks.append(
                EarlyStopping("val_loss", patience=config.patience, check_on_train_epoch_end=False)
            )
        return callbacks

    def _loggers(self, chosen: list[Any]) -> list[Any]:
        """The first one names the run's folder: the run's own, unless a `TensorBoardLogger` was chosen."""
        ours = [logger for logger in chosen if isinstance(logger, TensorBoardLogger)] or [self._logger()]
        return [*ours, *(logger for logger in chosen if logger not in ours)]

    def _logger(self) -> TensorBoardLogger:
        """In a folder of its own for a new run, in that of the run for one that goes on.

        The run's files lie there, whatever other loggers there are, and where there is to be none.
        """
        config = self._config
        if config.trainer.logger is False:
            config.log.level = self.config_init[self.subcommand].log.level = "off"
        if not config.resume:
            self._is_new_run = True
            return logger_of_new_run(Path(config.log_dir), config.name or self.subcommand, config.log.level)
        return logger_of_run(Path(config.resume), config.log.level)

    def before_fit(self) -> None:
        self._hold_new_run()
        self._log.goes_on = self._goes_on
        refusals.refuse_spawned_processes(self.trainer)
        scheduler = self._config.lr_scheduler
        monitor = scheduler.init_args.get("monitor") if scheduler else None
        refusals.refuse_unknown_measurements(self.trainer, monitor)
        self.datamodule.setup("fit")
        if self.model.hparams["batch_norm"]:
            refusals.refuse_one_digit_for_batch_norm(self.trainer, self.datamodule.train_dataloader())
        if self._config.test:
            refusals.refuse_part_of_a_batch(self.trainer, len(self.datamodule.test_dataloader()))

    def _hold_new_run(self) -> None:
        trainer: Any = self.trainer
        if _is_first_process() and self._is_new_run and not trainer.fast_dev_run:
            folder = Path(trainer.logger.log_dir)
            folder.mkdir(parents=True, exist_ok=True)
            self.hold.enter_context(alone(folder))
            sweep(folder)

    def _run_subcommand(self, subcommand: str) -> None:
        """What fails before the first step is a fault of the configuration, and leaves nothing."""
        try:
            with _one_line(self._has_not_begun):
                super()._run_subcommand(subcommand)
        except UserError:
            self._take_back()
            raise

    def _has_not_begun(self) -> bool:
        return self.trainer.fit_loop.epoch_loop.batch_progress.total.ready == 0

    def _take_back(self) -> None:
        """The folder of a run that has not begun goes, with the configuration in it."""
        folder = self.trainer.log_dir  # every process must ask
        if folder and self._is_new_run and self._has_not_begun() and self.trainer.is_global_zero:
            shutil.rmtree(folder, ignore_errors=True)

    # ------------------------------------------------------------ results

    def after_fit(self) -> None:
        """The test set, once, with the weights of the last step; then what came out.

        A run may end between two validations. Then one more is made, so that all results are of one network.
        """
        trainer: Any = self.trainer
        log = self._log
        if self._goes_on and not log.has_begun:
            self._end_training()
        log.finish(trainer, self.model)
        stands_in_curves = log.has_measured or not self._is_new_run
        if trainer.limit_val_batches and not (stands_in_curves and log.measured_at == trainer.global_step):
            self._validate_at_the_last_step()
        results = dict(log.measured)
        if self._config.test and trainer.limit_test_batches:
            results |= trainer.test(self.model, datamodule=self.datamodule, verbose=False)[0]
        folder = trainer.log_dir  # every process must ask
        if folder and trainer.is_global_zero:
            report = self._facts() | results | {"train_seconds": log.train_seconds}
            RunFolder(Path(folder)).finish(self.model.model.state_dict(), report)
        self._show({"training": f"{log.train_seconds:.1f} s", **_readable(results)}, log.pictures)

    def _end_training(self) -> None:
        """Where a run was stopped between its last step and its end, Lightning calls nothing any more."""
        trainer: Any = self.trainer
        progress = trainer.fit_loop.epoch_progress.current
        progress.completed = progress.processed
        for callback in trainer.callbacks:
            if not isinstance(callback, ProgressBar):
                callback.on_train_end(trainer, self.model)

    def _validate_at_the_last_step(self) -> None:
        """Its points stand at the last step, as those of a validation within the training do."""
        loop: Any = self.trainer.fit_loop.epoch_loop
        loop._batches_that_stepped -= 1  # as Lightning itself does around each of those
        self.trainer.validate(self.model, datamodule=self.datamodule, verbose=False)
        loop._batches_that_stepped += 1

    def after_validate(self) -> None:
        self._show_part("val")

    def after_test(self) -> None:
        self._show_part("test")

    def _show_part(self, part: str) -> None:
        """What a checkpoint remembers of the other parts was not looked at here."""
        self._show(_readable(self.trainer.callback_metrics), {part: self._log.pictures[part]})

    @property
    def _log(self) -> LogRun:
        trainer: Any = self.trainer
        return next(callback for callback in trainer.callbacks if isinstance(callback, LogRun))

    def _facts(self) -> dict[str, Any]:
        """What learned what, as in the reports of `curriculum mnist`."""
        return {
            "engine": self.model.hparams["engine"],
            **manifest.of_data(self.datamodule.data, self._log.pictures),
            "parameters": sum(param.numel() for param in self.model.parameters()),
        }

    def _show(self, results: dict[str, str], pictures: dict[str, int]) -> None:
        """pictures: how many of each part the results are of."""
        folder = self.trainer.log_dir  # every process must ask
        if not self.trainer.is_global_zero:
            return
        network = "–".join(map(str, self.model.hparams["sizes"]))
        title = f"{self.datamodule.data.name} · {network} · engine {self.model.hparams['engine']}"
        say = Console(highlight=False, soft_wrap=True).print
        say(Table(tuple(results), [tuple(results.values())], title))
        data = self.datamodule.data
        of_what = counted(data.name, pictures)
        say(f"measured on:              {of_what} ({data.source}), SHA-256 {data.sha256}")
        say(f"config, weights and logs: {folder}")
        say(f"look at the curves:       curriculum tensorboard --log-dir {quoted(self._config.log_dir)}")


def _is_first_process() -> bool:
    """The others of DDP are started with a number of their own."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def _note(line: str) -> None:
    print(line, file=sys.stderr)


def _silent(line: str) -> None:
    """Another process says it."""


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
        f"go on with: curriculum fit --resume {quoted(last.parents[1])}"
    )


@contextlib.contextmanager
def _one_line(is_meant: Callable[[], bool] | None = None) -> Iterator[None]:
    """Any error here, where it is meant, is one line for the user."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if is_meant is not None and not is_meant():
            raise
        said = _shortened(str(error))
        raise UserError(f"this configuration cannot be used ({said}); see: curriculum fit --help") from error


def _shortened(message: str) -> str:
    """jsonargparse tells all that it tried, on many lines. What helps is said of the class that was named."""
    named = re.search(
        r"Problem with given class_path '([^']+)':\s+(.+?)(?=\n\s*(?:- |Given value)|\Z)", message, re.DOTALL
    )
    said = f"{named[1]}: {named[2]}" if named else message
    return " ".join(said.split())[:300]


def _constant(epoch: int) -> float:
    """The factor on a learning rate that stays."""
    return 1.0


def _chosen_optimizer(config: Any) -> dict[str, Any]:
    """What is true in place of the module's own options, where `--optimizer` was given."""
    if not config.get("optimizer"):
        return {}
    scheduler = config.get("lr_scheduler")
    chosen = dict(config.optimizer.init_args)
    return {
        "optimizer": config.optimizer.class_path.rpartition(".")[2],
        "lr": chosen.get("lr"),
        "momentum": chosen.get("momentum", 0.0),
        "nesterov": chosen.get("nesterov", False),
        "weight_decay": chosen.get("weight_decay", 0.0),
        "schedule": scheduler.class_path.rpartition(".")[2] if scheduler else "constant",
    }


def _keep_in(log_dir: Path, chosen: Any) -> None:
    """A logger that would write into the current folder writes into the one for runs.

    And none writes `hp_metric`, a −1 at step 0 that Lightning repeats with every command.
    """
    for logger in _chosen_loggers(chosen):
        options = logger.get("init_args", {}) if hasattr(logger, "get") else {}
        if options.get("save_dir") == ".":
            options["save_dir"] = str(log_dir)
        if "default_hp_metric" in options:
            options["default_hp_metric"] = False


def _take_up_logger(logger: Any, run: Path) -> None:
    """TensorBoard's goes on in the run's folder, wherever that lies now."""
    name = logger.class_path.rpartition(".")[2]
    if name == "TensorBoardLogger":
        logger.init_args.save_dir = str(run.parents[1])
        logger.init_args.name = run.parent.name
        logger.init_args.version = run.name
    elif _is_first_process():
        _note(f"note: {name} begins a new log beside its first one")


def _options_of_callbacks(chosen: Any) -> list[Any]:
    """Of each of Lightning's callbacks that were chosen, its own options."""
    return [callback.get("init_args") or {} for callback in _as_list(chosen)]


def _look_after_validation(options: Any) -> None:
    """What goes by a validation looks when there was one, not whenever an epoch ends.

    A training that ends within an epoch has not validated there. Lightning's EarlyStopping would fail then,
    and its ModelCheckpoint would find nothing, or take the last step for what was measured before.
    """
    if options.get("monitor") not in OF_VALIDATION:
        return
    for option in ("check_on_train_epoch_end", "save_on_train_epoch_end"):
        if option in options and options[option] is None:
            options[option] = False


def _leave_last_to_us(options: Any) -> None:
    """`checkpoints/last.ckpt` is written in any case, at the end of an epoch. Lightning's comes before."""
    if options.get("save_last") and options.get("dirpath") is None:
        options["save_last"] = None


def _chosen_loggers(chosen: Any) -> list[Any]:
    """Loggers of Lightning that write beside the run's own."""
    return [] if isinstance(chosen, bool) else _as_list(chosen)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
