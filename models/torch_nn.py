"""The same MLP as an `nn.Module`, trained with autograd and `torch.optim`."""

import torch
from torch import Tensor

from lessons.lesson13_mnist import TorchMLP as MLP
from lessons.lesson13_mnist import torch_step

__all__ = ["MLP", "TorchEngine"]


class TorchEngine:
    """Trains and asks the `nn.Module`. Starts from a state dict."""

    def __init__(self, sizes: tuple[int, ...], start: dict[str, Tensor]) -> None:
        self.model = MLP(sizes)
        self.model.load_state_dict(start)
        self.step = torch_step(self.model)

    @torch.inference_mode()
    def logits(self, x: Tensor) -> Tensor:
        """x: (batch, sizes[0]) → (batch, sizes[-1])."""
        return self.model(x)

    def state_dict(self) -> dict[str, Tensor]:
        return {name: param.detach() for name, param in self.model.named_parameters()}
