"""The network that reads a user's pictures: a run's, or one that is trained on the spot."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from curriculum import UserError
from curriculum.data import Data, load
from curriculum.data_names import OFFLINE_DIGITS, name_of
from curriculum.runs import catalogue
from lessons.lesson11_training import accuracy
from lessons.lesson17_mnist import SIZES, first_weights, learn
from lessons.lesson24_speed import FastMLP
from models.networks import torch_nn
from models.networks.engine import make_engine
from models.records import manifest
from models.records.folder import RunFolder

DIGITS = ("MNIST", OFFLINE_DIGITS)  # as manifests call them
SHAPE = (
    "sizes",
    "activation",
    "dropout",
    "input_dropout",
    "batch_norm",
)  # what a network of `fit` is made of
# The recipe of lesson 24 that reaches 98.0 % of MNIST's validation digits: four epochs.
BATCH_SIZE = 48
STEPS = 4_000
LR = 0.3

Say = Callable[[str], None]


@dataclass(frozen=True)
class Reader:
    """A network that has learned to read digits, or other classes, and what it has learned from.

    name: its run's folder, or where else it comes from.
    forward: pixels as the network was fed (count, 784) → logits (count, classes).
    data: its pixels are on the scale that the network was fed.
    """

    name: str
    forward: Callable[[Tensor], Tensor]
    data: Data

    @torch.inference_mode()
    def logits(self, pictures: Tensor) -> Tensor:
        """pictures: (count, 784), pixels from 0 to 1 → (count, classes)."""
        return self.forward((pictures - self.data.mean) / self.data.std)

    @torch.inference_mode()
    def val_acc(self) -> float:
        """The share of validation digits that it reads right."""
        return accuracy(self.forward(self.data.val.x), self.data.val.target)


def best_at_hand(run: str | None, log_dir: Path, data_dir: Path | None, say: Say) -> Reader:
    """The network of `run`; else of the newest finished run of digits in `log_dir`; else one trained here.

    Args:
        run: a folder, or a part of its name, as `curriculum runs show` takes it.
        data_dir: where to look for MNIST first.
        say: gets lines for the user.

    Raises:
        UserError: the run, or the data that it learned from, cannot be used.
    """
    if run is not None:
        return of_run(resolve(run, log_dir), data_dir)
    for folder in RunFolder.finished(log_dir):
        try:
            learned = folder.manifest.get("data")
            if learned in DIGITS:
                return of_run(folder, data_dir)
            say(f"passed over: {folder.path} learned {learned}; to read with it: --run {folder.path}")
        except UnfitError as error:
            say(f"passed over: {error}")
    return trained_here(log_dir, data_dir, say)


class UnfitError(UserError):
    """A run whose network cannot read pictures of 28×28 pixels."""


def resolve(run: str, log_dir: Path) -> RunFolder:
    """The run that is meant; one without logs, too, where its folder is given whole.

    Raises:
        UserError: there is no such run, or it is not finished.
    """
    for path in (Path(run), log_dir / run):
        if RunFolder(path).weights.exists():
            return RunFolder(path)
    folder = RunFolder(catalogue.resolve(run, log_dir))
    if not folder.is_finished:
        raise UserError(f"{folder.path} is not finished, so it has no weights; expected a finished run")
    return folder


def of_run(folder: RunFolder, data_dir: Path | None) -> Reader:
    """The network of a finished run of `mnist` or `fit`, and the data that it learned from.

    Raises:
        UserError: its files, or its data, cannot be read; as `UnfitError`: it is no network for digits.
    """
    known = folder.manifest
    learned = name_of(known.get("data", ""), known.get("data_source", ""))
    try:
        data = load(learned, data_dir or _folder_of(known["options"]) or manifest.data_dir_of(known))
    except UserError as error:
        raise UnfitError(
            f"{folder.path} learned {known.get('data')}, which is not at hand: {error}"
        ) from error
    forward = _forward(folder, known["options"], len(data.classes))
    if known.get("data_sha256", data.sha256) != data.sha256:  # one's own may have the same name
        raise UnfitError(f"{folder.path} learned another {data.name} than the one that is found")
    if not known["options"].get("normalize", True):
        data = data.unscaled()
    return Reader(str(folder.path), forward, data)


def _folder_of(options: dict[str, Any]) -> Path | None:
    """Where the run found its data, if that is still there."""
    folder = options.get("data_dir")
    return Path(folder) if folder and Path(folder).is_dir() else None


def _forward(folder: RunFolder, options: dict[str, Any], classes: int) -> Callable[[Tensor], Tensor]:
    """The run's network, (count, 784) → (count, classes). Raises `UnfitError` where it is another kind."""
    weights = folder.load_weights()
    sizes = (*SIZES[:-1], classes)
    if options.get("engine") == "mine":
        try:
            return make_engine("mine", sizes, weights, Path(options["mine"])).logits
        except UserError as error:
            raise UnfitError(f"{folder.path} has pieces of its own: {error}") from error
    shape = {"sizes": sizes} | {name: options[name] for name in SHAPE if name in options}
    first, *_, last = shape["sizes"]
    if (first, last) != (sizes[0], classes):
        raise UnfitError(
            f"{folder.path} takes {first} pixels and knows {last} classes; expected {sizes[0]} and {classes}"
        )
    model = torch_nn.MLP(**shape).eval()
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise UnfitError(
            f"{folder.weights} does not fit what the run's manifest says; expected both as the run wrote them"
        ) from error
    return model


def trained_here(log_dir: Path, data_dir: Path | None, say: Say) -> Reader:
    """A network after some seconds of training; nothing is kept.

    Raises:
        UserError: MNIST is there, but cannot be read.
    """
    data = load("auto", data_dir)
    say(f"no finished run in {log_dir}: training a network on {data.name}, some seconds …")
    return Reader("FastMLP of lesson 24, trained for this", trained(data).forward, data)


@torch.inference_mode()
def trained(data: Data) -> FastMLP:
    """Lesson 24's network after about `STEPS` steps."""
    model = FastMLP(SIZES)
    model.load_state_dict(first_weights(SIZES, seed=0))
    epochs = round(STEPS / -(-len(data.train.x) // BATCH_SIZE))
    generator = torch.Generator().manual_seed(0)
    for _ in learn(model.step, data.train, epochs, BATCH_SIZE, LR, generator):
        pass
    return model
