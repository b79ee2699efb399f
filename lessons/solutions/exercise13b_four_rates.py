"""Solution of exercise 13b."""

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, optim
from torch.optim import lr_scheduler

from curriculum.pair import Case, Pair, Results
from curriculum.predictions import Predictions, otherwise, predicted

ANSWER = "predictions"
REREAD = ("lesson13_rates.py", "## One weight, on paper")
HINTS = (
    "A step makes (1 − 2·rate)·w ∓ 2·rate of w. At the rate 0.5 one of the two parts vanishes.",
    "The mean square stays at rate / (1 − rate). Its root is the distance. Steps count from 0: the last of 4 "
    "steps is step 3.",
    "At the rate 0.5 the weight is at −1 or 1 after any step. Half way a cosine has half the rate, and the "
    "warm-up the mean of 0.08 and 0.8. Five epochs are four calls before the last one: fewer than 30.",
)
AFTER = (
    "A large rate arrives first and stays farthest off.",
    "Which schedule is nearest after ten steps: the best constant rate, or 1/k?",
)
NAMES = (
    "rate 0.5: typical distance after one step from 10",
    "rate 0.5: the distance that stays",
    "rate 0.2: the distance that stays",
    "from 0.8 in a line to 0 in 4 steps: the last rate",
    "from 0.8 along a cosine in 100 steps: the rate half way",
    "warm-up to 0.8 from a tenth of it: the rate half way",
    "from 0.8, a tenth every 30 steps, stepped once an epoch of 100: the last rate of 5 epochs",
)


def predictions() -> dict[str, float]:
    return dict(zip(NAMES, (1.0, 1.0, 0.5, 0.2, 0.4, 0.44, 0.8), strict=True))


def pairs(answer: Predictions) -> list[Pair]:
    """The numbers of `answer` beside all coins followed one by one, and PyTorch's schedules."""
    return [predicted("rates", answer, _by_torch)]


def _by_torch(case: Case) -> Results:
    found = (
        _distance(0.5, 1),
        _distance(0.5, 12),
        _distance(0.2, 400),
        _rate(lambda o: lr_scheduler.PolynomialLR(o, 4), 3),
        _rate(lambda o: lr_scheduler.CosineAnnealingLR(o, 100), 50),
        _rate(lambda o: lr_scheduler.LinearLR(o, 0.1, total_iters=100), 50),
        _rate(lambda o: lr_scheduler.StepLR(o, 30), 4),
    )
    return dict(zip(NAMES, found, strict=True))


def _distance(lr: float, steps: int) -> Tensor:
    """The root of mean w² over both coins of every step, from 10."""
    square = torch.tensor(100.0)
    mean = torch.tensor(10.0)
    for _ in range(steps):
        # the mean over both coins of (w − lr · 2 (w ± 1))²
        square = (1 - 2 * lr) ** 2 * square + 4 * lr**2
        mean = (1 - 2 * lr) * mean
    assert square >= mean**2
    return square.sqrt()


def _rate(make: Callable[[optim.Optimizer], Any], calls: int) -> Tensor:
    """The rate after so many calls of `step()`, from 0.8."""
    optimizer = optim.SGD([torch.zeros(1)], 0.8)
    schedule = make(optimizer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the optimiser takes no step here
        for _ in range(calls):
            schedule.step()
    return torch.tensor(optimizer.param_groups[0]["lr"])


MISTAKES = {
    "mean square taken for the distance": otherwise(
        predictions, {"rate 0.2: the distance that stays": 0.25}
    ),
    "noise forgotten": otherwise(
        predictions,
        {
            "rate 0.5: typical distance after one step from 10": 0.0,
            "rate 0.5: the distance that stays": 0.0,
            "rate 0.2: the distance that stays": 0.0,
        },
    ),
    "steps counted from 1": otherwise(
        predictions, {"from 0.8 in a line to 0 in 4 steps: the last rate": 0.0}
    ),
    "warm-up from 0": otherwise(
        predictions, {"warm-up to 0.8 from a tenth of it: the rate half way": 0.4}
    ),
    "stepped after every step": otherwise(
        predictions,
        {
            "from 0.8, a tenth every 30 steps, stepped once an epoch of 100: the last rate of 5 epochs": 0.8
            * 0.1**16
        },
    ),
    "the last call of an epoch counted": otherwise(
        predictions,
        {
            "from 0.8, a tenth every 30 steps, stepped once an epoch of 100: the last rate of 5 epochs": 0.08
        },
    ),
}
