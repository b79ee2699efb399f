"""Solution of exercise 12a."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, optim

from curriculum.pair import Pair, optimizer_pair
from lessons.exercises import exercise12a_adagrad as stub

ANSWER = "Adagrad"
REREAD = ("lesson12_optimizers.py", "class RMSprop")
HINTS = (
    "RMSprop of lesson 12 is near. Which factors of its note have to go, so that the note is a sum?",
    "Count the step once, before the loop over the parameters. The rate of the first step is lr itself: "
    "one step less counts for the decay. Add eps after the root.",
    "rate = lr / (1 + (steps − 1) · lr_decay), then for every parameter: square += grad · grad and "
    "param −= rate · grad / (√square + eps).",
)
AFTER = (
    "A sum of squares never shrinks, so Adagrad's rates only fall.",
    "Let s forget a little in each step. Which optimiser have you got?",
)


class Adagrad(stub.Adagrad):
    def step(self, grads: dict[str, Tensor]) -> None:
        self.steps += 1
        rate = self.lr / (1 + (self.steps - 1) * self.lr_decay)
        for name, param in self.params.items():
            self.square[name] += grads[name] ** 2
            param -= rate * grads[name] / (self.square[name].sqrt() + self.eps)


def pairs(answer: type[stub.Adagrad]) -> list[Pair]:
    options: dict[str, Any] = {"lr": 0.5, "lr_decay": 0.1, "eps": 0.01}
    return [
        optimizer_pair("Adagrad", answer, optim.Adagrad),
        optimizer_pair(
            "Adagrad with options",
            partial(answer, **options),
            partial(optim.Adagrad, **options),
        ),
    ]


def _with(
    note: Callable[[Tensor, Tensor], Tensor] = lambda s, g: s + g**2,
    size: Callable[[Tensor, float], Tensor] = lambda s, eps: s.sqrt() + eps,
    sign: float = 1,
    ahead: int = 0,
) -> type[Adagrad]:
    """Adagrad with another note, made from the old one and g, with another divisor, sign or step count."""

    class Changed(Adagrad):
        def step(self, grads: dict[str, Tensor]) -> None:
            rate = sign * self.lr / (1 + (self.steps + ahead) * self.lr_decay)
            self.steps += 1
            for name, param in self.params.items():
                self.square[name] = note(self.square[name], grads[name])
                param -= rate * grads[name] / size(self.square[name], self.eps)

    return Changed


MISTAKES = {
    "squares not added up": _with(note=lambda s, g: g**2),
    "running average in place of the sum": _with(
        note=lambda s, g: 0.99 * s + 0.01 * g**2
    ),
    "epsilon inside the root": _with(size=lambda s, eps: (s + eps).sqrt()),
    "root forgotten": _with(size=lambda s, eps: s + eps),
    "sign": _with(sign=-1),
    "decay one step ahead": _with(ahead=1),
}
