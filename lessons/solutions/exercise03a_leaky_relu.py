"""Solution of exercise 03a."""

from typing import Any

from torch import Tensor, nn, ones_like, where

from curriculum.pair import Pair, layer_pair
from lessons.exercises import exercise03a_leaky_relu as stub
from lessons.lesson03_activations import edges

ANSWER = "LeakyReLU"
REREAD = ("lesson03_activations.py", "class ReLU")
HINTS = (
    "ReLU is two straight lines that meet at 0. Which of the two is another one here, and what is its slope?",
    "Remember x. The output is x above 0 and slope · x elsewhere. The gradient is grad_y above 0 and "
    "slope · grad_y elsewhere; 0 itself belongs to elsewhere.",
    "torch.where(x > 0, x, self.slope * x), and in backward the same with grad_y in the place of x.",
)
AFTER = (
    "A small slope below 0 keeps a silent neuron learning.",
    "Make the slope a number that is learned (nn.PReLU). Its gradient is a sum "
    "over all that lies below 0.",
)


class LeakyReLU(stub.LeakyReLU):
    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return where(x > 0, x, self.slope * x)

    def backward(self, grad_y: Tensor) -> Tensor:
        """y = x above 0: slope 1. y = slope · x elsewhere: `slope`."""
        return where(self.x > 0, grad_y, self.slope * grad_y)


def pairs(answer: Any) -> list[Pair]:
    """`answer` with the slope 0.1 beside `nn.LeakyReLU(0.1)`."""
    sides = (lambda case: answer(0.1)), (lambda case: nn.LeakyReLU(0.1))
    return [
        layer_pair("leaky relu", *sides),
        layer_pair("leaky relu at the edges", *sides, x=edges),
    ]


class _Above(LeakyReLU):
    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return where(x > 0, x, -self.slope * x)


class _Silent(LeakyReLU):
    def backward(self, grad_y: Tensor) -> Tensor:
        return grad_y * (self.x > 0)


class _Straight(LeakyReLU):
    def backward(self, grad_y: Tensor) -> Tensor:
        return grad_y


class _OtherKink(LeakyReLU):
    def backward(self, grad_y: Tensor) -> Tensor:
        return where(self.x >= 0, grad_y, self.slope * grad_y)


class _Alone(LeakyReLU):
    def backward(self, grad_y: Tensor) -> Tensor:
        return super().backward(ones_like(grad_y))


class _Fixed(LeakyReLU):
    def __init__(self, slope: float = 0.01) -> None:
        super().__init__(0.01)


class _InPlace(LeakyReLU):
    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return x.mul_(where(x > 0, 1.0, self.slope))


MISTAKES: dict[str, Any] = {
    "sign": _Above,
    "slope below 0 forgotten in backward": _Silent,
    "activation derivative missing": _Straight,
    "wrong at exactly 0": _OtherKink,
    "upstream gradient ignored": _Alone,
    "slope fixed at 0.01": _Fixed,
    "input changed in place": _InPlace,
}
