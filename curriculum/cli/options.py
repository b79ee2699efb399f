"""Arguments and options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from curriculum import UserError
from curriculum.data_names import NAMES


class Dtype(StrEnum):
    float32 = "float32"
    float64 = "float64"


RUNS = Path("runs")
EXERCISES = Path("exercises")

Data = Annotated[
    str,
    typer.Option(
        metavar="NAME|PATH",
        help="auto (MNIST where it can be had), mnist, digits, fashion, kmnist, emnist-letters, … "
        "or the path of your own: see curriculum data.",
    ),
]
DataDir = Annotated[
    Path | None, typer.Option(help="Folder that holds MNIST/raw or the like, or that it is downloaded to.")
]
Seed = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="Decides first weights and order of the digits.")
]
Device = Annotated[str, typer.Option(help="Where to compute: cpu, cuda, …")]
LogDir = Annotated[Path, typer.Option(help="Folder for TensorBoard logs and figures.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def data_set(named: str) -> str:
    """A name that `--data` takes as it is, a path whole, so that it is found again from elsewhere.

    Raises:
        UserError: it is neither.
    """
    if named in NAMES:
        return named
    path = Path(named).expanduser()
    if not path.exists():
        raise UserError(f"there is no {named}; expected {', '.join(NAMES)}, or the path of your data")
    return str(path.resolve())
