"""Solution of exercise 05b."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results
from curriculum.predictions import Predictions, otherwise, predicted

ANSWER = "predictions"
REREAD = ("lesson05_losses.py", "## What the sigmoid hears")
HINTS = (
    "The best p is the share of spam among the mails, and the likelihood is the product of what it gave to "
    "each answer, the last one too. Every slope here but one is negative: p and z want up.",
    "Along p: 2 (p − t), and −1/p for a yes. Along z each is multiplied by the sigmoid's slope p (1 − p), "
    "which is 0.16 here. A mean of two moves half as far as each.",
    "0.8 and 0.8⁴ · 0.2. −1.6 and −1.6 · 0.16; −5 and −5 · 0.16. The second mail alone has p − t = 0.6.",
)
AFTER = (
    "Along the logit the slope of cross-entropy is p − t: it does not die where "
    "the answer is surely wrong.",
    "Which p makes five times spam likeliest, and what is dangerous about saying it?",
)


def predictions() -> dict[str, float]:
    return {
        "best p": 0.8,  # 4 of 5
        "its likelihood": 0.08192,  # 0.8⁴ · 0.2
        "slope of the squared error along p": -1.6,  # 2 · (0.2 − 1)
        "slope of the squared error along z": -0.256,  # −1.6 · 0.2 · 0.8
        "slope of the cross-entropy along p": -5.0,  # −1 / 0.2
        "slope of the cross-entropy along z": -0.8,  # 0.2 − 1
        "slope of the mean along the second z": 0.3,  # (0.6 − 0) / 2
    }


def pairs(answer: Predictions) -> list[Pair]:
    """The numbers of `answer` beside autograd's."""
    return [predicted("what a filter hears", answer, _by_torch)]


def _by_torch(case: Case) -> Results:
    spam = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0])
    best = spam.mean()
    total = nn.functional.binary_cross_entropy(
        best.expand(5), spam, reduction="sum"
    )  # minus the logarithm of the likelihood
    along_z = torch.logit(torch.tensor([0.2, 0.6])).requires_grad_()
    mean = nn.functional.binary_cross_entropy_with_logits(
        along_z, torch.tensor([1.0, 0.0])
    )
    (of_the_mean,) = torch.autograd.grad(mean, along_z)
    results = {"best p": best, "its likelihood": torch.exp(-total)}
    for name, loss in (
        ("squared error", nn.functional.mse_loss),
        ("cross-entropy", nn.functional.binary_cross_entropy),
    ):
        slope_p, slope_z = _slopes(loss)
        results[f"slope of the {name} along p"] = slope_p
        results[f"slope of the {name} along z"] = slope_z
    return results | {"slope of the mean along the second z": of_the_mean[1]}


def _slopes(loss: Callable[[Tensor, Tensor], Tensor]) -> tuple[Tensor, ...]:
    """Along p and along z where p is 0.2 and the answer is yes."""
    z = torch.logit(torch.tensor(0.2)).requires_grad_()
    p = torch.sigmoid(z)
    return torch.autograd.grad(loss(p, torch.tensor(1.0)), (p, z))


MISTAKES = {
    "p = 1, for most of them were spam": otherwise(
        predictions, {"best p": 1.0, "its likelihood": 0.0}
    ),
    "the mail that was no spam left out": otherwise(
        predictions, {"its likelihood": 0.4096}
    ),
    "slopes with the wrong sign": otherwise(
        predictions,
        {
            "slope of the squared error along p": 1.6,
            "slope of the squared error along z": 0.256,
            "slope of the cross-entropy along p": 5.0,
            "slope of the cross-entropy along z": 0.8,
        },
    ),
    "the 2 of the square forgotten": otherwise(
        predictions,
        {
            "slope of the squared error along p": -0.8,
            "slope of the squared error along z": -0.128,
        },
    ),
    "slope of the sigmoid left out": otherwise(
        predictions,
        {
            "slope of the squared error along z": -1.6,
            "slope of the cross-entropy along z": -5.0,
        },
    ),
    "p − t taken for the squared error": otherwise(
        predictions, {"slope of the squared error along z": -0.8}
    ),
    "mean forgotten": otherwise(
        predictions, {"slope of the mean along the second z": 0.6}
    ),
    "second mail taken for spam": otherwise(
        predictions, {"slope of the mean along the second z": -0.2}
    ),
}
