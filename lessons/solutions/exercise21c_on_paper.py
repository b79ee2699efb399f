"""Solution of exercise 21c."""

import torch

from curriculum.pair import Case, Pair, Results
from curriculum.predictions import Predictions, predicted

ANSWER = "predictions"
REREAD = ("lesson21_limits.py", "## On paper: many small nudges")
HINTS = (
    "Both logits are 0 before. What does softmax make of two equal logits?",
    "The slope along a pixel is (p − 1) times its weight. FGSM adds 0.2 times the sign of that, and keeps "
    "the pixel between 0 and 1.",
    "Slopes −0.5, 1, −1.5, 1. The picture becomes 0.7, 0.5, 0 (not −0.1), 0.5. With the other signs it is "
    "0.7, 0.1, 0.3, 0.5.",
)
AFTER = (
    "Under the signs of the slope every pixel pushes the same way, so many "
    "small pushes make a large one.",
    "From which ε on does the answer turn?",
)

PICTURE = (0.9, 0.3, 0.1, 0.3)
WEIGHTS = (1.0, -2.0, 3.0, -2.0)
SIGNS = (-1.0, -1.0, 1.0, 1.0)
EPS = 0.2


def predictions() -> dict[str, float]:
    return {
        "p before": 0.5,  # 0.9 − 0.6 + 0.3 − 0.6 = 0
        "slope of the loss along pixel 1": -0.5,  # (0.5 − 1) · 1
        "slope of the loss along pixel 2": 1.0,
        "slope of the loss along pixel 3": -1.5,
        "pixel 1 after FGSM": 0.7,
        "pixel 3 after FGSM": 0.0,  # 0.1 − 0.2 lies outside the box
        "right logit after FGSM": -1.3,  # 0.7 − 1 + 0 − 1
        "right logit after the signs −, −, +, + of the same size": 0.4,
    }


def pairs(answer: Predictions) -> list[Pair]:
    """The numbers of `answer` beside autograd's."""
    return [predicted("an attack on paper", answer, _by_torch)]


def _by_torch(case: Case) -> Results:
    x = torch.tensor(PICTURE, requires_grad=True)
    weights = torch.tensor(WEIGHTS)
    right = (x * weights).sum()
    logits = torch.stack([right, torch.zeros(())])
    loss = -logits.log_softmax(0)[0]
    (slope,) = torch.autograd.grad(loss, x)
    moved = (x.detach() + EPS * slope.sign()).clamp(0, 1)
    other = (x.detach() + EPS * torch.tensor(SIGNS)).clamp(0, 1)
    values = [logits.softmax(0)[0], *slope[:3], moved[0], moved[2]]
    values += [moved @ weights, other @ weights]
    return dict(zip(predictions(), values, strict=True))


def _worked(
    way: float = 1.0,
    box: tuple[float, float] = (0.0, 1.0),
    sign: bool = True,
    along: tuple[float, ...] = WEIGHTS,
    error: float = -0.5,
) -> Predictions:
    """The numbers with one thing done otherwise."""

    def numbers() -> dict[str, float]:
        slopes = torch.tensor([error * value for value in along], dtype=torch.float64)
        step = slopes.sign() if sign else slopes
        x = torch.tensor(PICTURE, dtype=torch.float64)
        weights = torch.tensor(WEIGHTS, dtype=torch.float64)
        moved = (x + way * EPS * step).clamp(*box)
        other = (x + EPS * torch.tensor(SIGNS, dtype=torch.float64)).clamp(*box)
        values = [0.5, *slopes[:3].tolist(), moved[0].item(), moved[2].item()]
        values += [float(moved @ weights), float(other @ weights)]
        return dict(zip(predictions(), values, strict=True))

    return numbers


MISTAKES = {
    "downhill, not uphill": _worked(way=-1.0),
    "not kept in the box": _worked(box=(-1.0, 2.0)),
    "the slope taken, not its sign": _worked(sign=False),
    "slope along the weights, not the pixels": _worked(along=PICTURE),
    "p − 1 with the wrong sign": _worked(error=0.5),
}
