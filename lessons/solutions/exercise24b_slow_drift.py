"""Solution of exercise 24b."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results
from lessons.exercises import exercise24b_slow_drift as stub
from lessons.lesson17_mnist import TorchMLP, first_weights

ANSWER = "FastRegression"
REREAD = ("lesson24_speed.py", "if i:")
HINTS = (
    "The last layer's weights are right, those before are not. What travels from one to the other, and when?",
    "∂L/∂h = ∂L/∂y · W with the W that made y. Which W stands in memory when the slope goes down?",
    "Compute delta @ weight before weight.addmm_, keep it under a name of its own, use it after the update.",
)
AFTER = (
    "In place saves memory and loses what stood there: send the slope down "
    "before the weights move.",
    "Add momentum, in the same places.",
)


class FastRegression(stub.FastRegression):
    def descend(self, inputs: list[Tensor], delta: Tensor) -> None:
        for i in reversed(range(len(inputs))):
            params = self.layers[2 * i].params
            h = inputs[i]
            # With the weight as it was in the forward pass.
            below = delta @ params["weight"] if i else delta
            params["weight"].addmm_(delta.T, h)
            params["bias"].add_(delta.sum(0))
            delta = below.mul_(h.sign_()) if i else below


def pairs(answer: type[stub.FastRegression]) -> list[Pair]:
    """Three steps without a hidden layer, with one, with two."""

    def pair(name: str, *hidden: int) -> Pair:
        return Pair(
            name,
            lambda case: three_steps(case, answer, hidden),
            lambda case: three_steps(case, TorchRegression, hidden),
        )

    return [
        pair("no hidden layer"),
        pair("one hidden layer", 7),
        pair("two hidden layers", 7, 6),
    ]


class TorchRegression(TorchMLP):
    """The same step by autograd."""

    @property
    def params(self) -> dict[str, Tensor]:
        return dict(self.state_dict())

    def step(self, x: Tensor, target: Tensor, lr: float) -> Tensor:
        optimizer = torch.optim.SGD(self.parameters(), lr)
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(self(x), target)
        loss.backward()
        optimizer.step()
        return loss.detach()


def three_steps(case: Case, network: type[Any], hidden: tuple[int, ...]) -> Results:
    """Loss and parameters of each step; x and target, which were only lent."""
    sizes = (case.n_in, *hidden, case.n_out)
    results: Results = {}
    model = network(sizes)
    model.load_state_dict(first_weights(sizes, case.seed))
    for count, lr in enumerate((0.1, 0.1, 0.05)):
        x = case.tensor(f"x_{count}", case.batch, case.n_in).clamp(-3, 3)
        target = case.tensor(f"target_{count}", case.batch, case.n_out).clamp(-3, 3)
        results |= {
            f"loss_{count}": model.step(x, target, lr),
            f"x_{count}": x,
            f"target_{count}": target,
        }
        results |= {
            f"{name}_{count}": param.clone() for name, param in model.params.items()
        }
    return results


def _rate(factor: Callable[[Tensor], float]) -> Any:
    def step(model: FastRegression, x: Tensor, target: Tensor, lr: float) -> Tensor:
        return FastRegression.step(model, x, target, lr * factor(target))

    return type("Changed", (FastRegression,), {"step": step})


class _SignedFirst(FastRegression):
    def descend(self, inputs: list[Tensor], delta: Tensor) -> None:
        super().descend([inputs[0], *(h.sign() for h in inputs[1:])], delta)


class _NoReLU(FastRegression):
    def descend(self, inputs: list[Tensor], delta: Tensor) -> None:
        weights = [layer.params["weight"].clone() for layer in self.layers[::2]]
        for i in reversed(range(len(inputs))):
            self.layers[2 * i].params["weight"].addmm_(delta.T, inputs[i])
            self.layers[2 * i].params["bias"].add_(delta.sum(0))
            delta = delta @ weights[i]


MISTAKES = {
    "weight updated before the slope went down": stub.FastRegression,
    "output turned into its slope too early": _SignedFirst,
    "activation derivative missing": _NoReLU,
    "sign": _rate(lambda target: -1),
    "factor 2 forgotten": _rate(lambda target: 0.5),
    "mean over the examples only": _rate(lambda target: target.shape[1]),
}
