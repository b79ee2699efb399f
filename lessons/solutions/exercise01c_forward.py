"""Solution of exercise 01c."""

from collections.abc import Callable

import torch
from torch import Tensor

from curriculum.pair import Case, Pair, function_pair

ANSWER = "neuron"
REREAD = ("lesson01_neuron.py", "## Many films: a batch")
HINTS = (
    "Three moves: multiply, add up and add the bias, send the sum through the curve. What are the shapes "
    "after each?",
    "x @ weight.T adds up the products of each row: (batch, n_in) @ (n_in, 1) → (batch, 1). The bias (1,) is "
    "broadcast to all rows.",
    "z = x @ weight.T + bias, then return 1 / (1 + torch.exp(-z)).",
)
AFTER = (
    "A neuron is a weighted sum, a bias and a curve, and a batch is the same "
    "for all rows at once.",
    "Let ten neurons read the same batch: the vector of weights becomes a matrix.",
)


def neuron(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    z = x @ weight.T + bias  # (batch, n_in) @ (n_in, 1) → (batch, 1)
    return 1 / (1 + torch.exp(-z))


Neuron = Callable[[Tensor, Tensor, Tensor], Tensor]


def pairs(answer: Neuron) -> list[Pair]:
    """`answer` beside torch's linear layer and its sigmoid."""
    inputs = (
        lambda case: case.tensor("x", case.batch, case.n_in),
        lambda case: case.upstream("weight", torch.Size((1, case.n_in))),
        _bias,
    )
    return [function_pair("neuron, forward", answer, _by_torch, *inputs)]


def _bias(case: Case) -> Tensor:
    return case.upstream("bias", torch.Size((1,)))


def _by_torch(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.sigmoid(torch.nn.functional.linear(x, weight, bias))


def _sigmoid(z: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-z))


def _no_curve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return x @ weight.T + bias


def _no_bias(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return _sigmoid(x @ weight.T)


def _bias_taken_off(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return _sigmoid(x @ weight.T - bias)


def _bias_after_the_curve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return _sigmoid(x @ weight.T) + bias


def _turned_round(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(x @ weight.T + bias))


def _curve_before_the_sum(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return _sigmoid(x * weight).sum(1, keepdim=True) + bias


MISTAKES = {
    "curve forgotten": _no_curve,
    "bias forgotten": _no_bias,
    "bias taken off": _bias_taken_off,
    "bias added behind the curve": _bias_after_the_curve,
    "sign in the exponent": _turned_round,
    "curve before the sum": _curve_before_the_sum,
}
