"""Solution of exercise 12c."""

from functools import partial
from typing import Any

from torch import Tensor, optim

from curriculum.pair import Pair, optimizer_pair
from lessons.exercises import exercise12c_adamw as stub
from lessons.lesson12_optimizers import Adam

ANSWER = "AdamW"
REREAD = ("lesson12_optimizers.py", "class AdamW")
HINTS = (
    "Follow the weight whose gradient is always 0. What does `direction` get, and what does it return?",
    "Adam divides all that it is given by its typical size, so the decay must not pass through it. The "
    "weight shrinks by the factor 1 − lr · weight_decay, and `direction` sees the gradient alone.",
    "First param.mul_(1 − lr · weight_decay), then param −= lr · direction(name, grads[name]).",
)
AFTER = (
    "Decoupled decay is lr · decay · w, taken from the weight itself. What Adam "
    "divides by never touches it.",
    "Leave the biases out of the decay, as many recipes do.",
)


class AdamW(stub.AdamW):
    def step(self, grads: dict[str, Tensor]) -> None:
        self.steps += 1
        for name, param in self.params.items():
            param *= 1 - self.lr * self.weight_decay
            param -= self.lr * self.direction(name, grads[name])


def pairs(answer: type[stub.AdamW]) -> list[Pair]:
    options: dict[str, Any] = {"lr": 0.01, "weight_decay": 0.1}
    return [
        optimizer_pair(
            "AdamW", partial(answer, **options), partial(optim.AdamW, **options)
        )
    ]


class _DecayedTwice(AdamW):
    def step(self, grads: dict[str, Tensor]) -> None:
        for param in self.params.values():
            param *= 1 - self.lr * self.weight_decay
        stub.AdamW.step(self, grads)


class _Divided(AdamW):
    def step(self, grads: dict[str, Tensor]) -> None:
        before = {name: param.clone() for name, param in self.params.items()}
        Adam.step(self, grads)
        for name, param in self.params.items():
            size = (
                self.square[name] / (1 - self.betas[1] ** self.steps)
            ).sqrt() + self.eps
            param -= self.lr * self.weight_decay * before[name] / size


class _RateForgotten(AdamW):
    def step(self, grads: dict[str, Tensor]) -> None:
        for param in self.params.values():
            param *= 1 - self.weight_decay
        Adam.step(self, grads)


class _ShrunkAfter(AdamW):
    def step(self, grads: dict[str, Tensor]) -> None:
        Adam.step(self, grads)
        for param in self.params.values():
            param *= 1 - self.lr * self.weight_decay


class _NoDecay(AdamW):
    def step(self, grads: dict[str, Tensor]) -> None:
        Adam.step(self, grads)


MISTAKES = {
    "weight decay on the wrong side": stub.AdamW,
    "decayed twice": _DecayedTwice,
    "decay divided by the gradient's size": _Divided,
    "rate missing in the decay": _RateForgotten,
    "shrunk after the step": _ShrunkAfter,
    "no decay at all": _NoDecay,
}
