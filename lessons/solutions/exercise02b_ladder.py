"""Solution of exercise 02b."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import Pair, layer_pair
from lessons.exercises import exercise02b_ladder as stub
from lessons.lesson01_neuron import TorchNeuron

ANSWER = "Ladder"
REREAD = ("lesson02_circuits.py", "each hands A its part")
HINTS = (
    "Three neurons: who hears the first one? How many parts does its gradient have?",
    "What a neuron says matters as an output and to each neuron that hears it. All these parts are added up. "
    "What becomes of the parts found so far when the next neuron hands back its own?",
    "grad[:, :-1], the columns before the last, holds the parts so far. Add neuron.backward(own) to it.",
)
AFTER = (
    "A neuron is heard by all that stand behind it, so its blame is the sum of "
    "what they all send back.",
    "Let each neuron hear only the two before it. Which lines change?",
)


class Ladder(stub.Ladder):
    def backward(self, grad_y: Tensor) -> Tensor:
        """Each neuron adds its part to what those after it, and the output itself, have said before."""
        grad = torch.cat((grad_y.new_zeros(len(grad_y), self.n_in), grad_y), dim=1)
        for neuron in reversed(self.neurons):
            own, others = grad[:, -1:], grad[:, :-1]
            grad = others + neuron.backward(own)  # (batch, one column less)
        return grad


def pairs(answer: Any) -> list[Pair]:
    """`answer` with two and with four neurons."""

    def pair(count: int) -> Pair:
        sides = (
            (lambda case: answer(case.n_in, count)),
            (lambda case: TorchLadder(case.n_in, count)),
        )
        return layer_pair(f"ladder of {count}", *sides)

    return [pair(2), pair(4)]


class TorchLadder(nn.ModuleList):
    """The same from `nn.Linear` neurons; autograd does the rest."""

    def __init__(self, n_in: int, n_neurons: int) -> None:
        super().__init__(
            TorchNeuron(n_in + before, nn.Sigmoid()) for before in range(n_neurons)
        )
        self.n_in = n_in

    def forward(self, x: Tensor) -> Tensor:
        for neuron in self:
            x = torch.cat((x, neuron(x)), dim=1)
        return x[:, self.n_in :]


def _joined(join: Callable[[Tensor, Tensor, int], Tensor]) -> type[Ladder]:
    class Joined(Ladder):
        def backward(self, grad_y: Tensor) -> Tensor:
            grad = torch.cat((grad_y.new_zeros(len(grad_y), self.n_in), grad_y), dim=1)
            for neuron in reversed(self.neurons):
                grad = join(grad[:, :-1], neuron.backward(grad[:, -1:]), self.n_in)
            return grad

    return Joined


class _LastOnly(Ladder):
    def backward(self, grad_y: Tensor) -> Tensor:
        return super().backward(
            torch.cat((torch.zeros_like(grad_y[:, :-1]), grad_y[:, -1:]), dim=1)
        )


class _Alone(Ladder):
    def backward(self, grad_y: Tensor) -> Tensor:
        return super().backward(torch.ones_like(grad_y))


MISTAKES: dict[str, Any] = {
    "gradient not accumulated": stub.Ladder,
    "gradient of the input not accumulated": _joined(
        lambda others, part, n: torch.cat(
            (part[:, :n], others[:, n:] + part[:, n:]), dim=1
        )
    ),
    "sign": _joined(lambda others, part, n: others - part),
    "mean of the parts instead of their sum": _joined(
        lambda others, part, n: (others + part) / 2
    ),
    "what a neuron hands back left out": _joined(lambda others, part, n: others),
    "only the last output's gradient used": _LastOnly,
    "upstream gradient ignored": _Alone,
}
