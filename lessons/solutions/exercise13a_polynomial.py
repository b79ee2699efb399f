"""Solution of exercise 13a."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, optim

from curriculum.pair import Case, Pair, Results

ANSWER = "polynomial"
REREAD = ("lesson13_rates.py", "def linear_decay")
HINTS = (
    "What share of the steps is still to come in step k? And in a step after the last?",
    "The share is 1 − step / steps, and max(0.0, …) keeps it from going below 0.",
    "return lr * max(0.0, 1 - step / steps) ** power.",
)
AFTER = (
    "A schedule is a function of the step alone, so all of it can be checked on paper.",
    "Put a straight warm-up over the first tenth of the steps before it.",
)


def polynomial(lr: float, step: int, steps: int, power: float = 1.0) -> float:
    left = max(0.0, 1 - step / steps)
    return lr * left**power


def pairs(answer: Callable[..., float]) -> list[Pair]:
    return [
        _pair(answer, "straight", 1.0),
        _pair(answer, "falls early", 2.0),
        _pair(answer, "falls late", 0.5),
    ]


def _pair(answer: Callable[..., float], name: str, power: float) -> Pair:
    def ours(case: Case) -> Results:
        steps = case.n_in + 3
        rates = [answer(0.8, step, steps, power) for step in range(steps + 3)]
        return {"rates": torch.tensor(rates, dtype=torch.float64)}

    def torchs(case: Case) -> Results:
        return {"rates": _rates_of_torch(0.8, case.n_in + 3, power)}

    return Pair(name, ours, torchs)


def _rates_of_torch(lr: float, steps: int, power: float) -> Tensor:
    optimizer = optim.SGD([torch.zeros(1, requires_grad=True)], lr)
    schedule = optim.lr_scheduler.PolynomialLR(optimizer, steps, power)
    rates = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the optimiser takes no step here
        for _ in range(steps + 3):
            rates.append(optimizer.param_groups[0]["lr"])
            schedule.step()
    return torch.tensor(rates, dtype=torch.float64)


def _no_floor(lr: float, step: int, steps: int, power: float = 1.0) -> float:
    return lr * abs(1 - step / steps) ** power


def _one_ahead(lr: float, step: int, steps: int, power: float = 1.0) -> float:
    return polynomial(lr, step + 1, steps, power)


def _power_of_lr(lr: float, step: int, steps: int, power: float = 1.0) -> float:
    return polynomial(lr, step, steps, 1.0) ** power


def _power_of_the_past(lr: float, step: int, steps: int, power: float = 1.0) -> float:
    return lr * max(0.0, 1 - (step / steps) ** power)


def _times_power(lr: float, step: int, steps: int, power: float = 1.0) -> float:
    return polynomial(lr, step, steps, 1.0) * power


MISTAKES = {
    "after the last step it rises again": _no_floor,
    "one step ahead": _one_ahead,
    "the rate raised to the power, not the share": _power_of_lr,
    "the share of past steps raised to the power": _power_of_the_past,
    "times the power": _times_power,
}
