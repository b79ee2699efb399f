"""What an answer does is seen: what it changes, whom it calls, and which law its update follows."""

from typing import Any

import pytest
import torch
from torch import Tensor

from curriculum.grader import facts, laws, watch
from curriculum.grader.factors import Moment, name, table
from curriculum.pair import Case, Pair, Results


class SGD:
    """Descent with a momentum."""

    def __init__(self, params: dict[str, Tensor], lr: float, momentum: float) -> None:
        self.params, self.lr, self.momentum = params, lr, momentum
        self.velocity = {key: torch.zeros_like(param) for key, param in params.items()}

    def step(self, grads: dict[str, Tensor]) -> None:
        for key, param in self.params.items():
            self.velocity[key] = self.momentum * self.velocity[key] + grads[key]
            param -= self.lr * self.velocity[key]


class Exercise:
    """As a solution's module: two settings, three steps each."""

    @staticmethod
    def pairs(answer: Any) -> list[Pair]:
        def pair(lr: float, momentum: float) -> Pair:
            def walk(case: Case) -> Results:
                params = {"weight": case.tensor("w", 3, 4), "bias": case.tensor("b", 5)}
                optimizer = answer(params, lr, momentum)
                for step in range(3):
                    optimizer.step({key: case.tensor(f"{key}{step}", *p.shape) for key, p in params.items()})
                return params

            return Pair(f"lr {lr}", walk, walk)

        return [pair(0.1, 0.9), pair(0.3, 0.6)]


def looked_at(answer: Any, reference: Any = SGD) -> tuple[list[facts.Fact], tuple[str, str] | None]:
    mine, ours = watch.record(Exercise, answer), watch.record(Exercise, reference)
    return facts.facts(mine, ours, ""), laws.difference(mine, ours)


def test_of_a_right_one_nothing_is_said() -> None:
    assert looked_at(SGD) == ([], None)


class Nesterovless(SGD):
    def step(self, grads: dict[str, Tensor]) -> None:
        for key, param in self.params.items():
            self.velocity[key] = self.momentum * self.velocity[key] + grads[key]
            param -= self.velocity[key]


class Mean(SGD):
    def step(self, grads: dict[str, Tensor]) -> None:
        for key, param in self.params.items():
            self.velocity[key] = self.momentum * self.velocity[key] + (1 - self.momentum) * grads[key]
            param -= self.lr * self.velocity[key]


class Late(SGD):
    def step(self, grads: dict[str, Tensor]) -> None:
        for key, param in self.params.items():
            param -= self.lr * self.velocity[key]
            self.velocity[key] = self.momentum * self.velocity[key] + grads[key]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Nesterovless, "lr is missing"),
        (Mean, "in velocity, (1 − momentum) is one too many"),
        (Late, "old velocity"),
    ],
)
def test_the_law_of_an_update_is_found_and_compared(answer: Any, words: str) -> None:
    found = looked_at(answer)[1]
    assert found is not None
    assert words in found[0]
    assert "wanted: " in found[1]


class Rebound(SGD):
    def step(self, grads: dict[str, Tensor]) -> None:
        for key, param in self.params.items():
            self.velocity[key] = self.momentum * self.velocity[key] + grads[key]
            param = param - self.lr * self.velocity[key]


class Replaced(SGD):
    def step(self, grads: dict[str, Tensor]) -> None:
        for key, param in list(self.params.items()):
            self.velocity[key] = self.momentum * self.velocity[key] + grads[key]
            self.params[key] = param - self.lr * self.velocity[key]


class Greedy(SGD):
    def step(self, grads: dict[str, Tensor]) -> None:
        for key, param in self.params.items():
            self.velocity[key] = self.momentum * self.velocity[key] + grads[key]
            param -= grads[key].copy_(self.lr * self.velocity[key])


@pytest.mark.parametrize(
    ("answer", "words", "breaks"),
    [
        (Rebound, "the parameters did not change", False),
        (Replaced, 'a new tensor in the place of params["weight"]', True),
        (Greedy, 'it changes grads["weight"]', True),
    ],
)
def test_what_an_answer_does_to_tensors_is_seen(answer: Any, words: str, breaks: bool) -> None:
    found = looked_at(answer)[0]
    assert words in found[0].words
    assert found[0].breaks == breaks
    assert found[0].where == "in the first call of step"


def test_a_coefficient_gets_the_name_that_holds_everywhere() -> None:
    moments = [
        Moment(step, 0, 1, (("lr", lr), ("beta1", 0.9)), (), 0) for lr in (0.1, 0.3) for step in (1, 2, 3)
    ]
    factors = table(moments, "number")
    measured = torch.tensor([-m.numbers[0][1] / (1 - 0.9**m.step) for m in moments], dtype=torch.float64)
    found = name(measured, factors, torch.ones(6, dtype=torch.bool))
    assert found is not None
    assert (found.sign, found.text) == (-1, "lr / (1 − beta1^t)")
    measured[4] *= 1.001
    assert name(measured, factors, torch.ones(6, dtype=torch.bool)) is None
