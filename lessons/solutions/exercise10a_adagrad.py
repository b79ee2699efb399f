"""Solution of exercise 10a."""

from functools import partial
from typing import Any

from torch import Tensor, optim

from curriculum.pair import Pair, optimizer_pair
from lessons.exercises import exercise10a_adagrad as stub

ANSWER = "Adagrad"
REREAD = ("lesson10_optimizers.py", "class RMSprop")
HINTS = (
    "RMSprop of lesson 10 is near. Which factors of its note have to go, so that the note is a sum?",
    "Count the step once, before the loop over the parameters. The rate of the first step is lr itself: "
    "one step less counts for the decay. Add eps after the root.",
    "rate = lr / (1 + (steps − 1) · lr_decay), then for every parameter: square += grad · grad and "
    "param −= rate · grad / (√square + eps).",
)


class Adagrad(stub.Adagrad):
    def step(self, grads: dict[str, Tensor]) -> None:
        self.steps += 1
        for name, param in self.params.items():
            param -= self.rate() * self.direction(name, grads[name])

    def rate(self) -> float:
        return self.lr / (1 + (self.steps - 1) * self.lr_decay)

    def direction(self, name: str, grad: Tensor) -> Tensor:
        self.square[name] += grad**2
        return grad / (self.square[name].sqrt() + self.eps)


def pairs(answer: type[stub.Adagrad]) -> list[Pair]:
    options: dict[str, Any] = {"lr": 0.5, "lr_decay": 0.1, "eps": 0.01}
    return [
        optimizer_pair("Adagrad", answer, optim.Adagrad),
        optimizer_pair("Adagrad with options", partial(answer, **options), partial(optim.Adagrad, **options)),
    ]


class _NothingAdded(Adagrad):
    def direction(self, name: str, grad: Tensor) -> Tensor:
        self.square[name] = grad**2
        return grad / (self.square[name].sqrt() + self.eps)


class _Averaged(Adagrad):
    def direction(self, name: str, grad: Tensor) -> Tensor:
        self.square[name] = 0.99 * self.square[name] + 0.01 * grad**2
        return grad / (self.square[name].sqrt() + self.eps)


class _EpsInside(Adagrad):
    def direction(self, name: str, grad: Tensor) -> Tensor:
        self.square[name] += grad**2
        return grad / (self.square[name] + self.eps).sqrt()


class _NoRoot(Adagrad):
    def direction(self, name: str, grad: Tensor) -> Tensor:
        self.square[name] += grad**2
        return grad / (self.square[name] + self.eps)


class _Uphill(Adagrad):
    def rate(self) -> float:
        return -super().rate()


class _OneStepAhead(Adagrad):
    def rate(self) -> float:
        return self.lr / (1 + self.steps * self.lr_decay)


MISTAKES = {
    "squares not added up": _NothingAdded,
    "running average in place of the sum": _Averaged,
    "epsilon inside the root": _EpsInside,
    "root forgotten": _NoRoot,
    "sign": _Uphill,
    "decay one step ahead": _OneStepAhead,
}
