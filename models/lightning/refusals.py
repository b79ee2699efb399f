"""What `fit`, `validate`, `test` and `predict` refuse before anything is made."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from curriculum import UserError
from models.lightning.checkpoint import load

MUST_HAVE_A_VALUE = ("log_dir", "data.augment", "data.dataset", "data.batch_size", "log.level")
# How options end that say where files go: folders, and names inside the log folder.
PLACES = ("log_dir", "dirpath", "save_dir", "root_dir")
NAMES = ("name", "filename", "version", "sub_dir")


def refuse_foreign_checkpoint(path: str) -> None:
    """No file, a damaged one, or one that would run code.

    Raises:
        UserError: it is one of these.
    """
    if not Path(path).is_file():
        raise UserError(f"there is no checkpoint {path}; see: curriculum runs")
    load(Path(path))


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
        UserError: it is not `fit`, and has no checkpoint.
    """
    if subcommand != "fit" and not config.ckpt_path:
        example = "--ckpt_path runs/fit/version_0/checkpoints/last.ckpt"
        raise UserError(f"{subcommand} needs a trained network; for example {example}")


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
