"""The contract of an engine, which trains a network and may be asked about it; and how one is made."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from torch import Tensor

from models.networks.mine import MineEngine
from models.networks.scratch import ScratchEngine
from models.networks.torch_nn import TorchEngine


class Engine(Protocol):
    """What the run log and the comparison of steps look at, in whoever trains. All tensors are detached."""

    def weights(self) -> Mapping[str, Tensor]:
        """The parameters under torch's names: "0.weight" (out, in), "0.bias" (out,) and so on."""

    def grads(self) -> Mapping[str, Tensor]:
        """Their gradients in the last step, under the same names, in the same shapes."""

    def outputs(self, x: Tensor) -> Mapping[str, Tensor]:
        """x: (batch, 784) → every layer's output as in use, (batch, units), by name; the last: logits."""

    def traceable(self) -> Callable[[Tensor], Tensor]:
        """The forward pass, as in use."""


class LoopEngine(Engine, Protocol):
    """An engine that a plain loop drives."""

    def step(self, x: Tensor, target: Tensor, lr: float) -> Tensor:
        """One step of SGD on x (batch, 784) and target (batch,), int64; returns the loss before it, ()."""

    def logits(self, x: Tensor) -> Tensor:
        """x: (batch, 784) → (batch, 10)."""

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from these parameters; names and shapes as `weights` gives them."""


def make_engine(
    name: str, sizes: tuple[int, ...], start: Mapping[str, Tensor], mine: Path | None = None
) -> LoopEngine:
    """An engine that has not learned yet.

    Args:
        name: "scratch", "torch" or "mine".
        sizes: neurons per layer, input first.
        start: its first weights, as `Engine.weights` gives them.
        mine: the learner's file, for "mine".

    Raises:
        UserError: the learner's file cannot be used.
        ValueError: there is no engine of that name.
    """
    if name == "scratch":
        return ScratchEngine(sizes, start)
    if name == "torch":
        return TorchEngine(sizes, start)
    if name == "mine" and mine is not None:
        return MineEngine(mine, sizes, start)
    raise ValueError(f"there is no engine {name!r}; expected 'scratch', 'torch', or 'mine' with a file")


def first_nonfinite_layer(engine: Engine, x: Tensor) -> str | None:
    """The first layer, by name, whose output for x (batch, 784) has an infinity or nan; else None."""
    for name, output in engine.outputs(x).items():
        if not output.isfinite().all():
            return name
    return None
