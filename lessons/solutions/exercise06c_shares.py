"""Solution of exercise 06c."""

import torch
from torch import nn

from curriculum.pair import Case, Pair, Results
from curriculum.predictions import Predictions, otherwise, predicted

ANSWER = "predictions"
REREAD = ("lesson06_cross_entropy.py", "## Everyone's share hangs on everyone's score")
HINTS = (
    "The exponentials are 3, 1 and 1. Only differences of scores count. The slope of the loss is what is "
    "said minus what is true.",
    "A share moves with its own score by p (1 − p), with another's by minus the product of the two shares. "
    "The right shares q are 0, 1 and 0; the mean of two losses moves half as far.",
    "Shares 0.6, 0.2, 0.2. 0.6 · 0.4 and −0.6 · 0.2. Slopes 0.6, 0.2 − 1 and 0.2.",
)
AFTER = (
    "Softmax knows differences alone, so what one share gains the others lose, "
    "and the slopes add up to 0.",
    "Halve all three scores. Do the shares move together or apart, and what "
    "happens to the three slopes?",
)


def predictions() -> dict[str, float]:
    return {
        "share of the apple": 0.6,  # 3 / 5
        "share of the pear": 0.2,
        "apple's share along the apple's score": 0.24,  # 0.6 · 0.4
        "apple's share along the pear's score": -0.12,  # −0.6 · 0.2
        "loss along the apple's score": 0.6,
        "loss along the pear's score": -0.8,  # 0.2 − 1
        "loss along the plum's score": 0.2,
        "share of the apple, 7 added": 0.6,
        "mean loss along the first pear's score": -0.4,
    }


def pairs(answer: Predictions) -> list[Pair]:
    """The numbers of `answer` beside autograd's."""
    return [predicted("shares and slopes", answer, _by_torch)]


def _by_torch(case: Case) -> Results:
    z = torch.tensor([[3.0, 1.0, 1.0]]).log().requires_grad_()
    p = nn.functional.softmax(z, dim=1)
    (of_the_apple,) = torch.autograd.grad(p[0, 0], z, retain_graph=True)
    pear = torch.tensor([1])
    (of_the_loss,) = torch.autograd.grad(nn.functional.cross_entropy(z, pear), z)
    two = torch.cat([z, torch.zeros(1, 3)])
    mean = nn.functional.cross_entropy(two, torch.tensor([1, 2]))
    (of_the_mean,) = torch.autograd.grad(mean, z)
    return {
        "share of the apple": p[0, 0],
        "share of the pear": p[0, 1],
        "apple's share along the apple's score": of_the_apple[0, 0],
        "apple's share along the pear's score": of_the_apple[0, 1],
        "loss along the apple's score": of_the_loss[0, 0],
        "loss along the pear's score": of_the_loss[0, 1],
        "loss along the plum's score": of_the_loss[0, 2],
        "share of the apple, 7 added": nn.functional.softmax(z + 7, dim=1)[0, 0],
        "mean loss along the first pear's score": of_the_mean[0, 1],
    }


MISTAKES = {
    "only the right class has a slope": otherwise(
        predictions,
        {"loss along the apple's score": 0.0, "loss along the plum's score": 0.0},
    ),
    "q − p, the way the score wants to move": otherwise(
        predictions,
        {
            "loss along the apple's score": -0.6,
            "loss along the pear's score": 0.8,
            "loss along the plum's score": -0.2,
            "mean loss along the first pear's score": 0.4,
        },
    ),
    "slope along p in place of the score": otherwise(
        predictions,
        {
            "loss along the apple's score": 0.0,
            "loss along the pear's score": -5.0,
            "loss along the plum's score": 0.0,
            "mean loss along the first pear's score": -2.5,
        },
    ),
    "sum of the exponentials held still": otherwise(
        predictions,
        {
            "apple's share along the apple's score": 0.6,
            "apple's share along the pear's score": 0.0,
        },
    ),
    "another's share moved the same way": otherwise(
        predictions, {"apple's share along the pear's score": 0.12}
    ),
    "mean forgotten": otherwise(
        predictions, {"mean loss along the first pear's score": -0.8}
    ),
}
