"""What `fit`, `validate`, `test` and `predict` refuse before anything is made."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher

from curriculum import UserError
from models.lightning.checkpoint import load
from models.lightning.data import ShareOfBatches
from models.lightning.log import OF_VALIDATION
from models.lightning.module import MLPModule

MUST_HAVE_A_VALUE = ("log_dir", "data.augment", "data.dataset", "data.batch_size", "log.level")
# Of the Trainer: how many batches a command looks at.
LIMITS = {"validate": "limit_val_batches", "test": "limit_test_batches", "predict": "limit_predict_batches"}
# Options of the Trainer by which it divides.
ABOVE_ZERO = ("accumulate_grad_batches", "check_val_every_n_epoch", "val_check_interval")
# How options end that say where files go: folders, and names inside the log folder.
PLACES = ("log_dir", "dirpath", "save_dir", "root_dir")
NAMES = ("name", "filename", "version", "sub_dir")


def refuse_foreign_checkpoint(path: str) -> dict[str, Any]:
    """No file, a damaged one, or one that would run code. Returns the options of the network in it.

    Raises:
        UserError: it is one of these.
    """
    if not Path(path).is_file():
        raise UserError(f"there is no checkpoint {path}; see: curriculum runs")
    return load(Path(path))["hyper_parameters"]


def refuse_another_network(chosen: Any, known: dict[str, Any], path: str) -> None:
    """A checkpoint brings its own options, so others beside it would be dropped without a word.

    Args:
        chosen: the options of the module, as the command line and the configurations say.
        known: those of the network in the checkpoint.
        path: of the checkpoint.

    Raises:
        UserError: one was chosen that the checkpoint's network does not have.
    """
    defaults = inspect.signature(MLPModule).parameters
    for option, value in chosen.items():
        is_chosen = stands_on_the_command_line(f"model.{option}") or not _same(
            value, defaults[option].default
        )
        if is_chosen and option in known and not _same(value, known[option]):
            raise UserError(
                f"model.{option} is {value}, and the network of {path} has {known[option]}, "
                "which goes on as it began; to start from its weights with other options: "
                f"--weights {path} in place of --ckpt_path"
            )


def _same(one: Any, other: Any) -> bool:
    """Whether two options are equal; a list is as good as a tuple."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return list(one) == list(other)
    return one == other


def refuse_two_optimizers(config: Any) -> None:
    """`--optimizer`, any of torch's, stands in place of the module's own options.

    Raises:
        UserError: both were chosen; or a schedule alone; or an optimiser that cannot train this network.
    """
    if not config.get("optimizer"):
        if config.get("lr_scheduler"):
            raise UserError("lr_scheduler is given without an optimizer; expected --optimizer, too")
        return
    defaults = inspect.signature(MLPModule).parameters
    for option in ("optimizer", "lr", "momentum", "nesterov", "weight_decay", "schedule"):
        is_chosen = stands_on_the_command_line(f"model.{option}")
        if is_chosen or config.model[option] != defaults[option].default:
            raise UserError(
                f"model.{option} and optimizer are both given; leave model.{option} out, "
                "or choose with --optimizer.lr and the like"
            )
    if config.optimizer.class_path.endswith("SparseAdam"):
        raise UserError("SparseAdam takes sparse gradients, and these are dense; expected another optimizer")


def refuse_seed(seed: Any) -> None:
    """NumPy's seeds have 32 bits.

    Raises:
        UserError: it lies outside.
    """
    if seed is not None and not 0 <= int(seed) < 2**32:
        raise UserError(f"seed_everything is {seed}; expected 0 to {2**32 - 1}")


def refuse_empty_options(config: Any) -> None:
    """`null` in a configuration where a value is needed.

    Raises:
        UserError: an option of `MUST_HAVE_A_VALUE` has none.
    """
    for option in MUST_HAVE_A_VALUE:
        if config.get(option) is None:
            raise UserError(f"{option} is empty; expected a value, or leave it out")


def refuse_no_network(subcommand: str | None, config: Any) -> None:
    """A command that uses a trained network, and is given none.

    Raises:
        UserError: it is not `fit`, and has neither checkpoint nor weights; or both are given.
    """
    if config.ckpt_path and config.weights and not config.resume:
        raise UserError("ckpt_path and weights are both given; expected one of them")
    if subcommand != "fit" and not config.ckpt_path and not config.weights:
        example = "--ckpt_path runs/fit/version_0/checkpoints/last.ckpt"
        raise UserError(f"{subcommand} needs a trained network; for example {example}")


def refuse_spawned_processes(trainer: Any) -> None:
    """Processes that this one starts hand back weights in a file that is no checkpoint of ours.

    Raises:
        UserError: the strategy starts its processes like that.
    """
    if isinstance(trainer.strategy.launcher, _MultiProcessingLauncher):
        raise UserError("trainer.strategy starts processes out of this one (spawn, fork); expected ddp")


def refuse_unknown_measurements(trainer: Any, of_scheduler: str | None) -> None:
    """A name that nothing has, by which checkpoints are chosen, training is stopped or the rate is lowered.

    Args:
        of_scheduler: what `--lr_scheduler` looks at, if anything.

    Raises:
        UserError: there is one, or it is measured in a validation that is not made.
    """
    known = ["train_loss", "lr"]
    if trainer.limit_val_batches:
        known += OF_VALIDATION
    asked = [(type(callback).__name__, getattr(callback, "monitor", None)) for callback in trainer.callbacks]
    for who, name in (*asked, ("lr_scheduler", of_scheduler)):
        if name is None or name in known:
            continue
        if who == "ModelCheckpoint" and name in OF_VALIDATION:
            continue  # without validation it keeps the last
        raise UserError(f"{who}'s monitor is {name}; expected one of {', '.join(known)}")


def refuse_part_of_a_batch(trainer: Any, batches: int) -> None:
    """Lightning says so, too, but of the test only when training is over.

    Args:
        batches: how many the test digits are.

    Raises:
        UserError: the share of them that was asked for is less than one.
    """
    limit = trainer.limit_test_batches
    if isinstance(limit, float) and 0 < limit * batches < 1:
        raise UserError(
            f"trainer.limit_test_batches is {limit}, of {batches} batches, which is none; "
            "expected a number of batches, 1.0 for all, or --test false"
        )


def refuse_nothing_to_look_at(command: str | None, config: Any) -> None:
    """A command that measures, and is to look at no batch.

    Raises:
        UserError: its limit is 0.
    """
    option = LIMITS.get(command or "")
    if option and config.trainer[option] == 0:
        raise UserError(f"trainer.{option} is 0, and {command} would look at nothing; expected 1 or more")


def refuse_one_digit_for_batch_norm(trainer: Any, batches: ShareOfBatches) -> None:
    """Of one digit there is no deviation; torch says so when the epoch comes to it.

    Args:
        batches: to train a network with batch norm.

    Raises:
        UserError: one of them has one digit, and is among those that are taken.
    """
    limit = trainer.limit_train_batches  # a number of batches, or a share of them
    takes_all = limit >= len(batches) if isinstance(limit, int) else limit == 1.0
    if takes_all and batches.smallest < 2:
        raise UserError(
            f"data.batch_size is {batches.batch_size}, which leaves one digit to a batch, and batch norm "
            "takes two or more; expected another size, or --data.drop_last true"
        )


def refuse_what_cannot_work(config: Any) -> None:
    """Options of the Trainer that this module, or a CPU, cannot follow.

    Raises:
        UserError: one of them was chosen.
    """
    trainer = config.trainer
    if trainer.barebones:
        raise UserError("trainer.barebones is true, and every run keeps its files; expected false")
    for option in ABOVE_ZERO:
        if isinstance(trainer[option], int | float) and not 0 < trainer[option] < 2**31:
            raise UserError(f"trainer.{option} is {trainer[option]}; expected more than 0, below {2**31}")
    if trainer.max_steps == 0:
        raise UserError("trainer.max_steps is 0; expected 1 or more, or -1 for as many as the epochs have")
    if trainer.profiler == "xla":
        raise UserError("trainer.profiler is xla, which is for TPUs; expected simple, advanced or pytorch")
    if trainer.sync_batchnorm and not torch.cuda.is_available():
        raise UserError("trainer.sync_batchnorm is true, and torch has it for GPUs only; expected false")
    if trainer.sync_batchnorm and config.model.engine == "scratch":
        raise UserError(
            "trainer.sync_batchnorm is true, and the batch norm by hand takes the mean of its own process; "
            "expected false, or --model.engine torch"
        )


def refuse_averages_that_batch_norm_follows(config: Any) -> None:
    """Lightning adds an epoch then, of which a run that is stopped in it knows nothing.

    Raises:
        UserError: StochasticWeightAveraging and batch norm were both chosen.
    """
    callbacks = config.trainer.callbacks or []
    chosen = callbacks if isinstance(callbacks, list) else [callbacks]
    if config.model.batch_norm and any("StochasticWeight" in callback.class_path for callback in chosen):
        raise UserError(
            "StochasticWeightAveraging takes one more epoch for batch norm, and a run that is stopped there "
            "could not go on with the same bits; expected EMAWeightAveraging, or --model.batch_norm false"
        )


def refuse_half_precision_on_a_cpu(config: Any) -> None:
    """Lightning would take bfloat16 instead.

    Raises:
        UserError: the precision is float16, and there is no GPU.
    """
    if str(config.trainer.precision).startswith("16") and not torch.cuda.is_available():
        raise UserError(
            f"trainer.precision is {config.trainer.precision}, and CPUs have no float16 worth the name; "
            "expected 32-true, 64-true, bf16-true or bf16-mixed"
        )


def refuse_foreign_places(config: Any, log_dir: Path | None) -> None:
    """A configuration file, which may be somebody else's, writes below the log folder or not at all.

    What stands on the command line has been asked for. `log_dir`: of a run that goes on, else None.

    Raises:
        UserError: a folder or a name leads outside.
    """
    chosen = Path(config.log_dir) if stands_on_the_command_line("log_dir") else Path("runs")
    root = (log_dir or chosen).resolve()
    for option, value in _leaves(config.as_dict()):
        is_folder = option.endswith(PLACES)
        is_name = option.endswith(NAMES)
        if not isinstance(value, str | Path) or not (is_folder or is_name):
            continue
        if stands_on_the_command_line(option):
            continue
        place = Path(value) if is_folder else root / value
        if not place.resolve().is_relative_to(root):
            raise UserError(
                f"the configuration's {option} {value} lies outside of the log folder {root}; "
                "to allow it, name a folder that holds it on the command line: --log_dir DIR"
            )


def stands_on_the_command_line(option: str) -> bool:
    """Whether the user has given an option there, and not a configuration file."""
    return any(word.partition("=")[0] == f"--{option}" for word in sys.argv)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every plain value of a configuration, with its full name."""
    if isinstance(value, dict):
        parts = list(value.items())
    elif isinstance(value, list):
        parts = list(enumerate(value))
    else:
        yield name, value
        return
    for key, part in parts:
        yield from _leaves(part, f"{name}.{key}" if name else str(key))
