"""Solution of exercise 03b."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import Pair, layer_pair
from lessons.exercises import exercise03b_elu as stub
from lessons.lesson03_activations import edges

ANSWER = "ELU"
REREAD = ("lesson03_activations.py", "class Tanh")
HINTS = (
    "What is the slope of α · (e^x − 1) on paper? At x = −1 with α = 0.5, which of the two numbers is it?",
    "The slope is α · e^x. Solve y = α · (e^x − 1) for it. With α = 1 the line in `backward` is right.",
    "y = α · e^x − α, so α · e^x = y + α.",
)
AFTER = (
    "A slope that is written with y holds only for the constant that it was "
    "derived with.",
    "SELU is ELU times a fixed number (nn.SELU). Write its slope with y.",
)


class ELU(stub.ELU):
    def backward(self, grad_y: Tensor) -> Tensor:
        """Below 0: y = α·e^x − α, and the slope is α·e^x = y + α. The 1 was the α of the usual case."""
        slope = self.y + self.alpha
        return grad_y * torch.where(self.x > 0, torch.ones_like(slope), slope)


def pairs(answer: Any) -> list[Pair]:
    """`answer` beside `nn.ELU`, with three values of α."""
    return [
        layer_pair("elu", lambda case: answer(), lambda case: nn.ELU()),
        layer_pair(
            "elu, alpha 0.5", lambda case: answer(0.5), lambda case: nn.ELU(0.5)
        ),
        layer_pair(
            "elu, alpha 2, at the edges",
            lambda case: answer(2.0),
            lambda case: nn.ELU(2.0),
            x=edges,
        ),
    ]


def _sloped(slope: Callable[[ELU], Tensor]) -> type[ELU]:
    class Sloped(ELU):
        def backward(self, grad_y: Tensor) -> Tensor:
            return grad_y * torch.where(
                self.x > 0, torch.ones_like(grad_y), slope(self)
            )

    return Sloped


class _OtherKink(ELU):
    def backward(self, grad_y: Tensor) -> Tensor:
        return torch.where(self.x >= 0, grad_y, grad_y * (self.y + self.alpha))


class _Alone(ELU):
    def backward(self, grad_y: Tensor) -> Tensor:
        return super().backward(torch.ones_like(grad_y))


MISTAKES: dict[str, Any] = {
    "slope right for alpha 1 only": stub.ELU,
    "alpha forgotten in the slope": _sloped(lambda elu: torch.exp(elu.x)),
    "alpha multiplied instead of added": _sloped(lambda elu: elu.alpha * (elu.y + 1)),
    "alpha taken twice": _sloped(lambda elu: elu.alpha * (elu.y + elu.alpha)),
    "sign": _sloped(lambda elu: elu.y - elu.alpha),
    "wrong at exactly 0": _OtherKink,
    "upstream gradient ignored": _Alone,
}
