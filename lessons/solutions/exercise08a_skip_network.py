"""Solution of exercise 08a."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from curriculum.pair import Case, Pair, layer_pair
from lessons.exercises import exercise08a_skip_network as stub

ANSWER = "SkipNetwork"
REREAD = ("lesson08_backprop.py", "def by_hand")
HINTS = (
    "Which paths lead from x to y? Which of them does ReLU interrupt?",
    "Each path by itself is as in the lesson. Where paths meet, at x, their blame is added.",
    'grads["skip"] = grad_y.T @ x, and the gradient of x is grad_z @ weight1 + grad_y @ skip.',
)
AFTER = (
    "Two paths lead to the output, so two blames come back to x, and they add up.",
    "Give the network a second hidden layer, and the skip passes both.",
)


class SkipNetwork(stub.SkipNetwork):
    def backward(self, grad_y: Tensor) -> Tensor:
        """Two paths lead from x to y, one through h and one past it. At x their blame is added."""
        grad_z = grad_y @ self.params["weight2"] * (self.z > 0)  # (batch, n_hidden)
        self.grads = {
            "weight1": grad_z.T @ self.x,  # (n_hidden, batch) @ (batch, n_in)
            "bias1": grad_z.sum(0),
            "weight2": grad_y.T @ self.h,  # (n_out, batch) @ (batch, n_hidden)
            "bias2": grad_y.sum(0),
            "skip": grad_y.T @ self.x,  # (n_out, batch) @ (batch, n_in)
        }
        return grad_z @ self.params["weight1"] + grad_y @ self.params["skip"]


def pairs(answer: Any) -> list[Pair]:
    """What the learner's `answer` is held against: autograd through the same formula."""
    return [
        layer_pair(
            "skip",
            lambda c: answer(c.n_in, 6, c.n_out),
            lambda c: _Torch(c.n_in, 6, c.n_out),
            _x,
        )
    ]


class _Torch(nn.Module):
    def __init__(self, n_in: int, n_hidden: int, n_out: int) -> None:
        super().__init__()
        for name, param in stub.SkipNetwork(n_in, n_hidden, n_out).params.items():
            self.register_parameter(name, nn.Parameter(param))

    def forward(self, x: Tensor) -> Tensor:
        p = dict(self.named_parameters())
        h = F.relu(F.linear(x, p["weight1"], p["bias1"]))
        return F.linear(h, p["weight2"], p["bias2"]) + F.linear(x, p["skip"])


def _x(case: Case, name: str) -> Tensor:
    x = case.tensor(name, case.batch, case.n_in)
    x[1:2] = 0  # bias1 has zeros: here some hidden sums are exactly at the kink
    return x


def _mistake(
    remembered: Any = lambda net: {},
    grads: Any = lambda net, old: net.grads,
    upstream: Any = lambda g: g,
) -> Any:
    """The solution with other memories, other gradients of the parameters, or another upstream gradient."""

    class Mistake(SkipNetwork):
        def backward(self, grad_y: Tensor) -> Tensor:
            old = self.grads
            vars(self).update(remembered(self))
            grad_x = super().backward(upstream(grad_y))
            self.grads = grads(self, old)
            return grad_x

    return Mistake


class _OnePath(SkipNetwork):
    def backward(self, grad_y: Tensor) -> Tensor:
        super().backward(grad_y)
        return grad_y @ self.params["weight2"] * (self.z > 0) @ self.params["weight1"]


MISTAKES = {
    "skip forgotten in the gradient of x": _OnePath,
    "activation derivative missing": _mistake(
        lambda net: {"z": torch.ones_like(net.z)}
    ),
    "wrong at exactly 0": _mistake(lambda net: {"z": net.z >= 0}),
    "sum taken for the activation": _mistake(lambda net: {"h": net.z}),
    "upstream gradient ignored": _mistake(upstream=torch.ones_like),
    "mean taken twice": _mistake(
        grads=lambda net, old: {k: g / len(net.x) for k, g in net.grads.items()}
    ),
    "gradient not reset": _mistake(
        grads=lambda n, old: {k: g + old.get(k, 0) for k, g in n.grads.items()}
    ),
}
