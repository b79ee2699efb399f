"""Solution of exercise 04b."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import Pair, layer_pair
from lessons.exercises import exercise04b_tanh_layer as stub
from lessons.lesson04_layers import Linear

ANSWER = "TanhLayer"
REREAD = ("lesson04_layers.py", "def backward_params")
HINTS = (
    "Weight and bias act on the sum, before tanh. Along what does `backward_params` expect the slope?",
    "∂L/∂W = (∂L/∂s)ᵀ x and ∂L/∂b = Σ ∂L/∂s, where s = x Wᵀ + b. What is handed over is ∂L/∂y.",
    "Work out grad_sum first, and hand that to `backward_params`.",
)
AFTER = (
    "Blame passes the curve first. Weight, bias and input all use what is left of it.",
    "Let the layer take any activation of lesson 03.",
)


class TanhLayer(stub.TanhLayer):
    def backward(self, grad_y: Tensor) -> Tensor:
        """Everything behind tanh hears ∂L/∂s, not ∂L/∂y: the order of two lines."""
        grad_sum = grad_y * (1 - self.y**2)  # (batch, n_out)
        self.backward_params(grad_sum)
        return grad_sum @ self.params["weight"]


def pairs(answer: Any) -> list[Pair]:
    """`answer` beside `nn.Linear` and `nn.Tanh`."""

    def torchs(n_in: int, n_out: int) -> nn.Module:
        linear = nn.Linear(n_in, n_out)
        linear.register_forward_hook(lambda module, inputs, output: torch.tanh(output))
        return linear  # as one module its parameters are named weight and bias

    return [
        layer_pair(
            "tanh layer",
            lambda c: answer(c.n_in, c.n_out),
            lambda c: torchs(c.n_in, c.n_out),
        )
    ]


def _sloped(slope: Callable[[Tensor], Tensor]) -> type[TanhLayer]:
    class Sloped(TanhLayer):
        def backward(self, grad_y: Tensor) -> Tensor:
            return Linear.backward(self, grad_y * slope(self.y))

    return Sloped


class _Alone(TanhLayer):
    def backward(self, grad_y: Tensor) -> Tensor:
        return super().backward(torch.ones_like(grad_y))


MISTAKES: dict[str, Any] = {
    "activation derivative missing in the parameters": stub.TanhLayer,
    "activation derivative missing": _sloped(torch.ones_like),
    "activation derivative extra": _sloped(lambda y: (1 - y**2) ** 2),
    "slope of tanh taken at its output": _sloped(lambda y: 1 - torch.tanh(y) ** 2),
    "square forgotten in the slope": _sloped(lambda y: 1 - y),
    "upstream gradient ignored": _Alone,
}
