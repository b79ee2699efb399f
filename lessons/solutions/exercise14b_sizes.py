"""Solution of exercise 14b."""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results
from curriculum.predictions import Predictions, otherwise, predicted

ANSWER = "predictions"
REREAD = ("lesson14_initialization.py", "## One neuron, on paper")
HINTS = (
    "The rule: the mean square of the sum is n · Var(w) · the mean square of the inputs. Weights of ±a have "
    "the variance a².",
    "Xavier's variance is 2 / (n_in + n_out), Kaiming's 2 / n_in. Drawn evenly up to b they have b² / 3.",
    "4 · 1 and 4 · 1/16. 2 / 50 and 2 / 20. b = √(3 · 2 / 6). ReLU leaves a half in each layer; lesson 04's "
    "start leaves a third of that.",
)
AFTER = (
    "Twice the weight is four times the square, and layers multiply.",
    "Every layer keeps 0.9 of the mean square. How much is left after 20 layers?",
)
NAMES = (
    "mean square with weights of 1 and −1",
    "mean square with weights of ¼ and −¼",
    "variance of Xavier's start",
    "variance of Kaiming's start",
    "how far Kaiming's even draw reaches, with 6 inputs",
    "the share of the mean square that 10 layers of variance 1/n, each with ReLU, leave",
    "the share of the mean square that 2 layers of lesson 04's start, each with ReLU, leave",
)


def predictions() -> dict[str, float]:
    found = (4.0, 0.25, 0.04, 0.1, 1.0, 0.5**10, 1 / 36)
    return dict(zip(NAMES, found, strict=True))


def pairs(answer: Predictions) -> list[Pair]:
    """The numbers of `answer` beside all sixteen tosses, and the reach of `nn.init`."""
    return [predicted("sizes", answer, _by_torch)]


def _by_torch(case: Case) -> Results:
    xavier = _reach(nn.init.xavier_uniform_, 30, 20) ** 2 / 3
    kaiming = _reach(nn.init.kaiming_uniform_, 30, 20) ** 2 / 3
    linear = _reach(lambda w: nn.init.kaiming_uniform_(w, a=5**0.5), 20, 20) ** 2 / 3
    found = (
        _tosses(1.0),
        _tosses(0.25),
        xavier,
        kaiming,
        _reach(nn.init.kaiming_uniform_, 30, 6),
        torch.tensor(0.5) ** 10,
        (20 * linear / 2) ** 2,
    )
    return dict(zip(NAMES, found, strict=True))


def _tosses(size: float) -> Tensor:
    """The mean square of the sum over all ways for four coins to fall."""
    sums = [size * sum(coins) for coins in product((-1, 1), repeat=4)]
    return torch.tensor(sums).square().mean()


class _Noting(torch.Tensor):
    """A weight that notes how far it is drawn."""

    reach: float

    def uniform_(self, low: float, high: float, generator: object = None) -> "_Noting":  # type: ignore[override]
        self.reach = high
        return self


def _reach(fill: Callable[[Tensor], object], n_out: int, n_in: int) -> Tensor:
    weight = torch.empty(n_out, n_in).as_subclass(_Noting)
    fill(weight)
    return torch.tensor(weight.reach)


MISTAKES = {
    "size of a weight taken for the variance": otherwise(
        predictions, {"mean square with weights of ¼ and −¼": 1.0}
    ),
    "deviation in place of the variance": otherwise(
        predictions,
        {"variance of Xavier's start": 0.2, "variance of Kaiming's start": 0.1**0.5},
    ),
    "n_out in place of n_in": otherwise(
        predictions, {"variance of Kaiming's start": 2 / 30}
    ),
    "the half of ReLU forgotten": otherwise(
        predictions,
        {
            "the share of the mean square that 10 layers of variance 1/n, each with ReLU, leave": 1.0,
            "the share of the mean square that 2 layers of lesson 04's start, each with ReLU, leave": 1
            / 9,
        },
    ),
    "Kaiming without its 2": otherwise(
        predictions,
        {
            "variance of Kaiming's start": 0.05,
            "how far Kaiming's even draw reaches, with 6 inputs": 0.5**0.5,
        },
    ),
    "deviation taken for the reach": otherwise(
        predictions,
        {"how far Kaiming's even draw reaches, with 6 inputs": (1 / 3) ** 0.5},
    ),
}
