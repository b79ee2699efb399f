"""Solution of exercise 04a."""

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, layer_pair
from lessons.exercises import exercise04a_scaled_linear as stub

ANSWER = "ScaledLinear"
REREAD = ("lesson04_layers.py", "def backward_params")
HINTS = (
    "Go backwards from y, one operation at a time: what do you know about ∂L/∂s before you come to W and x?",
    "y = s · scale + bias, so ∂L/∂s = grad_y · scale, and ∂L/∂scale = Σ grad_y · s over the examples, "
    "where s is without the bias. From s on it is the layer of lesson 04, with ∂L/∂s in place of grad_y.",
    "forward: self.x, self.s = x, x @ weight.T. backward: grad_s = grad_y * scale; weight: grad_s.T @ "
    "self.x; scale: (grad_y * self.s).sum(0); bias: grad_y.sum(0); return grad_s @ weight.",
)
AFTER = (
    "What one neuron has for all examples gets its gradient from all examples: "
    "a sum over the batch.",
    "Give every input a scale as well. Can the outputs alone tell it from a "
    "column of W?",
)


class ScaledLinear(stub.ScaledLinear):
    def forward(self, x: Tensor) -> Tensor:
        self.x, self.s = x, x @ self.params["weight"].T  # (batch, n_out)
        return self.s * self.params["scale"] + self.params["bias"]

    def backward(self, grad_y: Tensor) -> Tensor:
        """y = s · scale + b: ∂y/∂s = scale, ∂y/∂scale = s, ∂y/∂b = 1. s = w·x is lesson 04."""
        grad_s = grad_y * self.params["scale"]  # (batch, n_out)
        self.grads = {
            "weight": grad_s.T
            @ self.x,  # (n_out, batch) @ (batch, n_in) → (n_out, n_in)
            "bias": grad_y.sum(0),
            "scale": (grad_y * self.s).sum(0),
        }
        return (
            grad_s @ self.params["weight"]
        )  # (batch, n_out) @ (n_out, n_in) → (batch, n_in)


def pairs(answer: type[ScaledLinear]) -> list[Pair]:
    """What the learner's `answer` is held against: a module of three lines, and autograd."""

    def mine(case: Case) -> ScaledLinear:
        return answer(case.n_in, case.n_out)

    return [
        layer_pair(
            "scaled linear", mine, lambda case: TorchScaledLinear(case.n_in, case.n_out)
        )
    ]


class TorchScaledLinear(nn.Linear):
    """`nn.Linear` with a scale; autograd finds the gradients."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out)
        self.scale = nn.Parameter(torch.ones(n_out))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight.T * self.scale + self.bias


class _BiasScaled(ScaledLinear):
    def forward(self, x: Tensor) -> Tensor:
        super().forward(x)
        return (self.s + self.params["bias"]) * self.params["scale"]


class _BiasInTheSum(ScaledLinear):
    def backward(self, grad_y: Tensor) -> Tensor:
        self.s = self.s * self.params["scale"] + self.params["bias"]
        return super().backward(grad_y)


class _ScaleOnlyForTheWeight(ScaledLinear):
    def backward(self, grad_y: Tensor) -> Tensor:
        super().backward(grad_y)
        return grad_y @ self.params["weight"]


class _ScaleOnlyForTheInput(ScaledLinear):
    def backward(self, grad_y: Tensor) -> Tensor:
        grad_x = super().backward(grad_y)
        self.grads["weight"] = grad_y.T @ self.x
        return grad_x


class _Averaged(ScaledLinear):
    def backward(self, grad_y: Tensor) -> Tensor:
        grad_x = super().backward(grad_y)
        self.grads = {name: grad / len(grad_y) for name, grad in self.grads.items()}
        return grad_x


MISTAKES = {
    "bias multiplied by the scale": _BiasScaled,
    "scale's gradient taken from y": _BiasInTheSum,
    "scale missing in the gradient of x": _ScaleOnlyForTheWeight,
    "scale missing in the gradient of the weight": _ScaleOnlyForTheInput,
    "mean taken twice": _Averaged,
}
