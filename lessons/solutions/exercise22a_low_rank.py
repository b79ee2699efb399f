"""Solution of exercise 22a."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results, layer_pair
from lessons.exercises import exercise22a_low_rank as stub
from lessons.lesson04_layers import Linear

ANSWER = "LowRank"
REREAD = ("lesson04_layers.py", "class Linear")
HINTS = (
    "An adapter is two linear layers without bias, one after the other. What does the second one receive?",
    "With m = x Dᵀ: ∂L/∂U = s · ∂L/∂yᵀ m. What goes down to m is s · ∂L/∂y U, and from there on it is lesson "
    "04. x reaches y by two paths, so its gradient is a sum.",
    "grad_middle = scale * grad_y @ up; grads: grad_middle.T @ x and scale * grad_y.T @ middle; "
    "return grad_y @ weight + grad_middle @ down.",
)
AFTER = (
    "A thin correction learns while the thick layer rests, and x hears from both.",
    "Fold the correction into W when all is learned, and show that no output changes.",
)


class LowRank(stub.LowRank):
    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        self.middle = (
            x @ self.params["down"].T
        )  # (batch, n_in) @ (n_in, rank) → (batch, rank)
        return self.frozen.forward(x) + self.scale * self.middle @ self.params["up"].T

    def backward(self, grad_y: Tensor) -> Tensor:
        """The adapter is two layers of lesson 04. x also goes through the frozen one: two paths, added."""
        grad_middle = (
            self.scale * grad_y @ self.params["up"]
        )  # (batch, n_out) @ (n_out, rank)
        self.grads = {
            "down": grad_middle.T @ self.x,  # (rank, batch) @ (batch, n_in)
            "up": self.scale * grad_y.T @ self.middle,  # (n_out, batch) @ (batch, rank)
        }
        return grad_y @ self.frozen.params["weight"] + grad_middle @ self.params["down"]


def pairs(answer: type[stub.LowRank]) -> list[Pair]:
    """The adapter; then what its frozen layer holds after both passes, and how many gradients."""

    def left_alone(case: Case) -> Results:
        layer = answer(frozen := pretrained(case), 2, 3.0)
        y = layer.forward(case.tensor("x", case.batch, case.n_in))
        layer.backward(case.upstream("grad_y", y.shape))
        return frozen.params | {"frozen_gradients": torch.tensor(len(frozen.grads))}

    return [
        layer_pair(
            "adapter",
            lambda c: answer(pretrained(c), 2, 3.0),
            lambda c: TorchLowRank(pretrained(c), 2, 3.0),
        ),
        Pair(
            "frozen layer",
            left_alone,
            lambda c: pretrained(c).params | {"frozen_gradients": torch.tensor(0)},
        ),
    ]


class TorchLowRank(nn.Module):
    """The same with one product, of the merged weight W + s · U D."""

    def __init__(self, frozen: Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.frozen, self.scale = frozen, alpha / rank
        self.down = nn.Parameter(torch.empty(rank, frozen.params["weight"].shape[1]))
        self.up = nn.Parameter(torch.empty(frozen.params["weight"].shape[0], rank))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.frozen.params["weight"] + self.scale * self.up @ self.down
        return nn.functional.linear(x, weight, self.frozen.params["bias"])


def pretrained(case: Case) -> Linear:
    layer = Linear(case.n_in, case.n_out)
    for name, param in layer.params.items():
        param.copy_(case.tensor(f"frozen {name}", *param.shape))
    return layer


def _with(backward: Callable[[LowRank, Tensor], Tensor]) -> Any:
    return type("Changed", (LowRank,), {"backward": backward})


def _unscaled(layer: LowRank, grad_y: Tensor) -> Tensor:
    layer.scale, scale = 1.0, layer.scale
    grad_x, layer.scale = LowRank.backward(layer, grad_y), scale
    return grad_x


def _added(layer: LowRank, grad_y: Tensor) -> Tensor:
    before, grad_x = layer.grads, LowRank.backward(layer, grad_y)
    layer.grads = {
        name: before.get(name, 0) + grad for name, grad in layer.grads.items()
    }
    return grad_x


def _weight(layer: LowRank) -> Tensor:
    return layer.frozen.params["weight"]


MISTAKES = {
    "scale forgotten in backward": _with(_unscaled),
    "frozen path missing": _with(lambda o, g: LowRank.backward(o, g) - g @ _weight(o)),
    "adapter's path missing": _with(
        lambda o, g: 0 * LowRank.backward(o, g) + g @ _weight(o)
    ),
    "frozen gradients computed": _with(
        lambda o, g: LowRank.backward(o, g) + 0 * o.frozen.backward(g)
    ),
    "gradient not reset": _with(_added),
}
