"""Solution of exercise 17b."""

from itertools import pairwise
from typing import Any

from torch import Tensor

from curriculum.pair import Pair, layer_pair
from lessons.exercises import exercise17b_first_layer as stub
from lessons.lesson03_activations import ReLU
from lessons.lesson04_layers import Linear, Sequential
from lessons.lesson17_mnist import TorchMLP

ANSWER = "MLP"
REREAD = ("lesson17_mnist.py", "class MLP(Sequential)")
HINTS = (
    "What does the gradient pass on its way back to the first layer, and what must each of these remember?",
    "`ReLU.forward` keeps its x for `backward`. What does it hold when two places in the network use it?",
    "Every place needs a ReLU of its own: make it inside the loop. nn.ReLU may be shared because autograd "
    "keeps what it needs with each call, not in the module.",
)
AFTER = (
    "A layer remembers its last input, so it can stand in one place only.",
    "Write a ReLU that may stand in several places: it keeps a pile of inputs.",
)


class MLP(stub.MLP):
    def __init__(self, sizes: tuple[int, ...]) -> None:
        layers: list[Linear | ReLU] = []
        for n_in, n_out in pairwise(sizes):
            layers += [Linear(n_in, n_out), ReLU()]
        Sequential.__init__(self, *layers[:-1])


def pairs(answer: Any) -> list[Pair]:
    """What the learner's `answer` is held against: `nn.Linear` and `nn.ReLU`."""

    def pair(name: str, *hidden: int) -> Pair:
        return layer_pair(
            name,
            lambda case: answer((case.n_in, *hidden, case.n_out)),
            lambda case: TorchMLP((case.n_in, *hidden, case.n_out)),
        )

    return [pair("two hidden layers of 6", 6, 6), pair("one hidden layer of 7", 7)]


class _ReLUOnTheLogits(MLP):
    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__(sizes)
        self.layers = (*self.layers, ReLU())


class _NoDerivative(MLP):
    def backward(self, grad_y: Tensor) -> Tensor:
        for layer in self.layers[::-2]:
            grad_y = layer.backward(grad_y)
        return grad_y


class _NoActivation(_NoDerivative):
    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[::2]:
            x = layer.forward(x)
        return x


MISTAKES = {
    "one ReLU shared by all layers": stub.MLP,
    "ReLU on the logits": _ReLUOnTheLogits,
    "activation forgotten": _NoActivation,
    "activation derivative missing": _NoDerivative,
}
