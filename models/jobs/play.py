"""A run's weights for the page in the browser that reads drawn digits."""

import itertools
from dataclasses import dataclass
from pathlib import Path

from curriculum import UserError
from lessons.lesson17_mnist import SIZES
from models.jobs import reader


@dataclass(frozen=True)
class Weights:
    """A file of weights that the page can take.

    name: the run's folder.
    mean, std: how the pixels that it learned from were standardised.
    """

    name: str
    file: Path
    mean: float
    std: float


def weights_of(run: str, log_dir: Path, data_dir: Path | None) -> Weights:
    """The weights of a finished run that has learned digits.

    Args:
        run: a folder, or a part of its name.

    Raises:
        UserError: there is no such run, or its network is not the page's.
    """
    folder = reader.resolve(run, log_dir)
    data = reader.of_run(folder, data_dir).data
    network = "–".join(map(str, SIZES))
    found = {name: tuple(value.shape) for name, value in folder.load_weights().items()}
    curve = folder.manifest["options"].get("activation", "relu")
    if found != _shapes() or curve != "relu" or data.name not in reader.DIGITS:
        raise UserError(f"{folder.path} is another network; the page shows {network} with ReLU, for digits")
    return Weights(str(folder.path), folder.weights, data.mean, data.std)


def _shapes() -> dict[str, tuple[int, ...]]:
    """The page's parameters by their names; between two Linear layers stands a ReLU."""
    found: dict[str, tuple[int, ...]] = {}
    for i, (n_in, n_out) in enumerate(itertools.pairwise(SIZES)):
        found |= {f"{2 * i}.weight": (n_out, n_in), f"{2 * i}.bias": (n_out,)}
    return found
