"""Exercise 18a · A loss behind autograd

Difficulty: 2 of 3 · Time: 20 minutes · After: lesson 18

`TorchBridge` hands gradients derived by hand to PyTorch. Do the same for one loss, the soft margin. It is for
yes or no, with the targets 1 and −1:

    loss = mean of ln(1 + e^(−t·z))        z = 0, t = 1: ln 2 = 0.693 and the slope −½

PyTorch's is `nn.SoftMarginLoss`. Derive ∂loss/∂z yourself. No z is so large that e^(−t·z) would overflow.

`SoftMargin.apply(z, target)` calls `forward`, and its result is used like any other tensor. Later
PyTorch calls `backward` with ∂L/∂loss, where L is what became of the loss. `ctx` is a fresh object for each
`apply`. What `backward` needs goes there, as an attribute or with `ctx.save_for_backward`.
"""

from typing import Any

from torch import Tensor
from torch.autograd import Function


class SoftMargin(Function):
    """loss = SoftMargin.apply(z, target). z: any shape; target: the same shape, 1 or −1 → loss: ()."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, target: Tensor) -> Tensor:
        raise NotImplementedError("write forward")

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
        """One gradient for each input of `forward`: that of z, and None for `target`, which needs none."""
        raise NotImplementedError("write backward")
