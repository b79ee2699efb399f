"""Solution of exercise 14a."""

import math
from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from curriculum.pair import Pair
from lessons.lesson14_initialization import filled

ANSWER = "lecun_uniform_"
REREAD = ("lesson14_initialization.py", "Numbers drawn evenly between −b and b have")
HINTS = (
    "Which b has b²/3 = 1/n_in? And in which of the two places of weight.shape does n_in stand?",
    "b = √(3 / n_in), and n_in is weight.shape[1].",
    "return weight.uniform_(-bound, bound) with bound = math.sqrt(3 / weight.shape[1]).",
)
AFTER = (
    "The variance of a sum of n like terms is n times that of one, so each "
    "weight gets a share of 1/n.",
    "Draw from a normal distribution and cut it off at two deviations. How much "
    "too small has the variance become?",
)


def lecun_uniform_(weight: Tensor) -> Tensor:
    bound = math.sqrt(3.0 / weight.shape[1])
    return weight.uniform_(-bound, bound)


def pairs(answer: Callable[[Tensor], Tensor]) -> list[Pair]:
    theirs = partial(nn.init.kaiming_uniform_, nonlinearity="linear")
    return [Pair("start", partial(filled, answer), partial(filled, theirs))]


def _even(bound: Callable[[int, int], float]) -> Callable[[Tensor], Tensor]:
    """Drawn evenly up to a bound, made from n_out and n_in."""

    def fill(weight: Tensor) -> Tensor:
        n_out, n_in = weight.shape
        return weight.uniform_(-bound(n_out, n_in), bound(n_out, n_in))

    return fill


MISTAKES = {
    "n_out in place of n_in": _even(lambda n_out, n_in: math.sqrt(3.0 / n_out)),
    "deviation taken for the bound": _even(lambda n_out, n_in: math.sqrt(1.0 / n_in)),
    "root forgotten": _even(lambda n_out, n_in: 3.0 / n_in),
    "twice the variance, as before ReLU": _even(
        lambda n_out, n_in: math.sqrt(6.0 / n_in)
    ),
}
