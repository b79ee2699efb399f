"""Solution of exercise 12b."""

from typing import Any

import torch
from torch import Tensor

from curriculum.pair import Pair, optimizer_pair
from lessons.exercises import exercise12b_adam as stub

ANSWER = "Adam"
REREAD = ("lesson12_optimizers.py", "class Adam:")
HINTS = (
    "Which line of the formula knows the number of steps? Print that number for each parameter.",
    "t counts steps, and in one step every parameter moves once. So t is the same for all of them.",
    "self.steps += 1 belongs before the loop over the parameters.",
)
AFTER = (
    "The clock of an optimiser counts steps, not parameters.",
    "Give each parameter a clock of its own, as PyTorch does, and let one of "
    "them pause for a few steps.",
)


class Adam(stub.Adam):
    def step(self, grads: dict[str, Tensor]) -> None:
        self.steps += 1
        for name, param in self.params.items():
            param -= self.lr * self.direction(name, grads[name])


def pairs(answer: Any) -> list[Pair]:
    """What the learner's `answer` is held against: `torch.optim.Adam`, also with an ε that shows."""
    return [
        optimizer_pair(
            "defaults",
            lambda p: answer(p),
            lambda p: torch.optim.Adam(p),
            (1, 2, 10, 100),
        ),
        optimizer_pair(
            "large epsilon",
            lambda p: answer(p, lr=0.1, betas=(0.8, 0.95), eps=0.1),
            lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.95), eps=0.1),
        ),
    ]


def _corrected(by_mean: Any, by_square: Any, inside: bool = False) -> Any:
    """Adam with other corrections, made from β and the step; `inside`: ε goes under the root."""

    class Mistake(Adam):
        def direction(self, name: str, grad: Tensor) -> Tensor:
            super().direction(name, grad)  # keeps the averages
            mean = self.mean[name] / by_mean(self.betas[0], self.steps)
            square = self.square[name] / by_square(self.betas[1], self.steps)
            return mean / (
                (square + self.eps).sqrt() if inside else square.sqrt() + self.eps
            )

    return Mistake


def _none(beta: float, step: int) -> float:
    return 1.0


def _right(beta: float, step: int) -> float:
    return 1 - beta**step


def _first(beta: float, step: int) -> float:
    return 1 - beta


def _one_more(beta: float, step: int) -> float:
    return 1 - beta ** (step + 1)


MISTAKES = {
    "steps counted once per parameter": stub.Adam,
    "bias correction missing": _corrected(_none, _none),
    "bias correction of the mean missing": _corrected(_none, _right),
    "bias correction of the square missing": _corrected(_right, _none),
    "bias correction of the first step only": _corrected(_first, _first),
    "step counted one too far": _corrected(_one_more, _one_more),
    "epsilon inside the root": _corrected(_right, _right, inside=True),
}
