"""Solution of exercise 14b."""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results
from lessons.solutions.exercise01d_one_step import _told

ANSWER = "predictions"
REREAD = ("lesson14_initialization.py", "## One neuron, on paper")
HINTS = (
    "The rule: the mean square of the sum is n · Var(w) · the mean square of the inputs. Weights of ±a have "
    "the variance a².",
    "Xavier's variance is 2 / (n_in + n_out), Kaiming's 2 / n_in. Drawn evenly up to b they have b² / 3.",
    "4 · 1 and 4 · 1/16. 2 / 50 and 2 / 20. b = √(3 · 2 / 6). ReLU leaves a half in each layer; lesson 04's "
    "start leaves a third of that.",
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


Predictions = Callable[[], dict[str, float]]


def pairs(answer: Predictions) -> list[Pair]:
    """The numbers of `answer` beside all sixteen tosses, and the reach of `nn.init`."""
    return [Pair("sizes", lambda case: _told(answer()), _by_torch)]


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


def _otherwise(**changed: float) -> Predictions:
    """The numbers with some done otherwise: n3=… is the third from 0."""

    def numbers() -> dict[str, float]:
        found = predictions()
        for place, value in changed.items():
            found[NAMES[int(place[1:])]] = value
        return found

    return numbers


MISTAKES = {
    "size of a weight taken for the variance": _otherwise(n1=1.0),
    "deviation in place of the variance": _otherwise(n2=0.2, n3=0.1**0.5),
    "n_out in place of n_in": _otherwise(n3=2 / 30),
    "the half of ReLU forgotten": _otherwise(n5=1.0, n6=1 / 9),
    "Kaiming without its 2": _otherwise(n3=0.05, n4=0.5**0.5),
    "deviation taken for the reach": _otherwise(n4=(1 / 3) ** 0.5),
}
