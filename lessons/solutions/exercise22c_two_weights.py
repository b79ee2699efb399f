"""Solution of exercise 22c."""

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results
from curriculum.predictions import Predictions, predicted

ANSWER = "predictions"
REREAD = ("lesson22_finetuning.py", "## On paper: two weights in a row")
HINTS = (
    "The slope along a weight is what comes back to its product, 2 · (y − 5) = 2 first, times its input.",
    "w₂ has the input h = 2. To w₁ comes back 2 · w₂ = 6, and its input is x = 1. A frozen weight keeps its "
    "value; with s = 0.1 it moves by a tenth of η times its slope.",
    "Slopes 4 and 6. w₂ becomes 2.6; w₁ stays 2, or becomes 1.94, or 1.4. Multiply both with x: 1 and 2.",
)
AFTER = (
    "A step for a new example moves all that old ones share with it.",
    "Take ten steps of a tenth of the size. Is more forgotten, or less?",
)


def predictions() -> dict[str, float]:
    return {
        "slope along w2": 4.0,  # 2 · 2
        "slope along w1": 6.0,  # 2 · 3 · 1
        "new answer, w1 frozen": 5.2,  # 2.6 · 2
        "old answer, w1 frozen": 10.4,
        "new answer, s = 0.1": 5.044,  # 2.6 · 1.94
        "new answer, both free": 3.64,  # 2.6 · 1.4
        "old answer, both free": 7.28,
    }


def pairs(answer: Predictions) -> list[Pair]:
    """The numbers of `answer` beside autograd's and those of `torch.optim.SGD` with groups."""
    return [predicted("one step", answer, _by_torch)]


def _after_a_step(share: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The slopes along w2 and w1, and the answers to x = 1 and x = 2 afterwards."""
    w1, w2 = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(3.0))
    groups = [{"params": [w1], "lr": 0.1 * share}, {"params": [w2], "lr": 0.1}]
    optimizer = torch.optim.SGD(groups)
    ((w2 * w1 - 5) ** 2).backward()
    optimizer.step()
    assert w1.grad is not None
    assert w2.grad is not None
    new = (w2 * w1).detach()
    return w2.grad, w1.grad, new, 2 * new


def _by_torch(case: Case) -> Results:
    frozen, slow, free = (_after_a_step(share) for share in (0.0, 0.1, 1.0))
    values = (frozen[0], frozen[1], frozen[2], frozen[3], slow[2], free[2], free[3])
    return dict(zip(predictions(), values, strict=True))


def _worked(
    two: float = 2.0,
    way: float = -0.1,
    through: float = 3.0,
    share: float = 0.1,
    head: float = 1.0,
) -> Predictions:
    """The numbers with one thing done otherwise."""

    def numbers() -> dict[str, float]:
        along2 = two * 2.0
        along1 = two * through
        w2 = 3.0 + way * head * along2
        frozen, slow, free = (w2 * (2.0 + way * s * along1) for s in (0.0, share, 1.0))
        values = (along2, along1, frozen, 2 * frozen, slow, free, 2 * free)
        return dict(zip(predictions(), values, strict=True))

    return numbers


MISTAKES = {
    "the 2 of the square forgotten": _worked(two=1.0),
    "moved with the slope, not against it": _worked(way=0.1),
    "w2 left out of the slope along w1": _worked(through=1.0),
    "s is the whole rate of w1": _worked(share=1.0),
    "the head frozen, not w1": _worked(head=0.0),
}
