"""The engine of the final project: the MLP with the learner's own activation, loss and optimiser."""

import contextlib
import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from curriculum import UserError
from lessons.lesson11_training import train_step
from models.networks.scratch import MLP, ReLU, ScratchEngine

PIECES = ("Activation", "Loss", "Optimizer")


class MineEngine(ScratchEngine):
    """`ScratchEngine` with the pieces of a file like `lessons/exercises/final_project.py`.

    Raises:
        UserError: there is no such file, it does not run, or it lacks a piece.
    """

    def __init__(self, path: Path, sizes: tuple[int, ...], start: Mapping[str, Tensor]) -> None:
        pieces = load_pieces(path)
        self.model = MLP(sizes)
        try:
            self.model.layers = tuple(
                pieces.Activation() if isinstance(layer, ReLU) else layer for layer in self.model.layers
            )
            self.model.load_state_dict(start)
            self.criterion = pieces.Loss()
            self.optimizer = pieces.Optimizer(self.model.params, lr=0.0)
        except Exception as error:
            raise UserError(
                f"a piece of {path} cannot be made: {type(error).__name__}: {error}; "
                "expected Activation(), Loss() and Optimizer(params, lr=…)"
            ) from error

    @torch.inference_mode()
    def step(self, x: Tensor, target: Tensor, lr: float) -> Tensor:
        """One step of the learner's optimiser on x (batch, sizes[0]) and target (batch,), int64.

        Returns the learner's loss before it, ().
        """
        self.optimizer.lr = lr
        return train_step(self.model, self.criterion, self.optimizer, x, target)

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """x: (batch, sizes[0]) → every layer's output by name, (batch, units), as in use."""
        with self._in_use():
            return super().outputs(x)

    def logits(self, x: Tensor) -> Tensor:
        """x: (batch, sizes[0]) → (batch, sizes[-1]), as in use."""
        with self._in_use():
            return super().logits(x)

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        """A piece that acts differently in training, as dropout does, is looked at as it is in use."""
        self._set_mode(training=False)
        try:
            yield
        finally:
            self._set_mode(training=True)

    def _set_mode(self, training: bool) -> None:
        for layer in self.model.layers:
            if hasattr(layer, "train"):
                layer.train(training)
            elif hasattr(layer, "training"):
                layer.training = training


def load_pieces(path: Path) -> Any:
    """The file as a module.

    Raises:
        UserError: there is no such file, it does not run, or it lacks a piece.
    """
    if not path.is_file():
        raise UserError(
            f"there is no {path}; begin with: curriculum start, or name your file with --mine FILE"
        )
    spec = importlib.util.spec_from_file_location("final_project", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"{path} does not run: {type(error).__name__}: {error}") from error
    for name in PIECES:
        if not hasattr(module, name):
            raise UserError(f"{path} has no {name}; expected {', '.join(PIECES)}")
    return module
