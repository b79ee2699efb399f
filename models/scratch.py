"""The MLP from scratch: the classes of the lessons, no autograd anywhere."""

import torch
from torch import Tensor

from lessons.lesson13_mnist import MLP, scratch_step

__all__ = ["MLP", "ScratchEngine"]


class ScratchEngine:
    """Trains and asks the hand-made MLP. Starts from a state dict with torch's names."""

    def __init__(self, sizes: tuple[int, ...], start: dict[str, Tensor]) -> None:
        self.model = MLP(sizes)
        self.model.load_state_dict(start)
        self._step = scratch_step(self.model)

    @torch.inference_mode()
    def step(self, x: Tensor, target: Tensor, lr: float) -> Tensor:
        """One step of SGD; returns the loss before it."""
        return self._step(x, target, lr)

    @torch.inference_mode()
    def logits(self, x: Tensor) -> Tensor:
        """x: (batch, sizes[0]) → (batch, sizes[-1])."""
        return self.model.forward(x)

    def state_dict(self) -> dict[str, Tensor]:
        return self.model.params
