"""Solution of exercise 16c."""

from collections.abc import Callable

import torch
from torch import nn

from curriculum.pair import Case, Pair, Results
from lessons.solutions.exercise01d_one_step import _told

ANSWER = "predictions"
REREAD = ("lesson16_overfitting.py", "## Two defences, on paper")
HINTS = (
    "Dropout keeps the sum: three neurons of four are silent, so the fourth has to make up for them.",
    "What stays is divided by 1 − p. Decay takes λ times the rate of the weight away. The count of looks "
    "begins anew with each new lowest loss.",
    "3 / 0.25 = 12, a quarter of the time. 8 · 0.95 · 0.95. The lowest loss is that of look 4; looks 5 and 6 "
    "bring nothing new. The rooms have the mean 3 and the deviation 2.",
)
NAMES = (
    "dropout in training: what the neuron gives if it stays",
    "dropout in training: the mean of what it gives",
    "dropout in use: what it gives",
    "weight decay: the weight after two steps",
    "early stopping: the number of the look that stops, counted from 1",
    "early stopping: the validation loss of the weights that are restored",
    "standardised: the house of 5 rooms",
)


def predictions() -> dict[str, float]:
    return dict(zip(NAMES, (12.0, 3.0, 3.0, 7.22, 6.0, 0.4, 1.0), strict=True))


Predictions = Callable[[], dict[str, float]]


def pairs(answer: Predictions) -> list[Pair]:
    """The numbers of `answer` beside PyTorch's."""
    return [Pair("on paper", lambda case: _told(answer()), _by_torch)]


def _by_torch(case: Case) -> Results:
    dropout = nn.Dropout(0.75)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        stays = dropout(torch.full((100,), 3.0)).max()
    w = nn.Parameter(torch.tensor(8.0))
    optimizer = torch.optim.SGD([w], lr=0.1, weight_decay=0.5)
    for _ in range(2):
        w.grad = torch.zeros(())
        optimizer.step()
    stop, lowest = _stopping([0.9, 0.5, 0.7, 0.4, 0.45, 0.6], patience=2)
    rooms = torch.tensor([1.0, 3.0, 5.0])
    found = (
        stays,
        stays * (1 - dropout.p),
        dropout.eval()(torch.tensor(3.0)),
        w.detach(),
        torch.tensor(float(stop)),
        torch.tensor(lowest),
        ((rooms - rooms.mean()) / rooms.std())[2],
    )
    return dict(zip(NAMES, found, strict=True))


def _stopping(losses: list[float], patience: int) -> tuple[int, float]:
    """The look that stops, and the lowest loss until then."""
    lowest = losses[0]
    since = 0
    for look, loss in enumerate(losses[1:], start=2):
        since = 0 if loss < lowest else since + 1
        lowest = min(lowest, loss)
        if since == patience:
            return look, lowest
    return len(losses), lowest


def _otherwise(**changed: float) -> Predictions:
    """The numbers with some done otherwise: n3=… is the third from 0."""

    def numbers() -> dict[str, float]:
        found = predictions()
        for place, value in changed.items():
            found[NAMES[int(place[1:])]] = value
        return found

    return numbers


MISTAKES = {
    "divided by p, not by 1 − p": _otherwise(n0=4.0),
    "not enlarged in training": _otherwise(n0=3.0, n1=0.75),
    "made smaller in use, too": _otherwise(n2=0.75),
    "decay not multiplied by the rate": _otherwise(n3=2.0),
    "one step in place of two": _otherwise(n3=7.6),
    "the count does not begin anew": _otherwise(n4=5.0),
    "the last weights kept": _otherwise(n5=0.6),
    "deviation over n": _otherwise(n6=2 / (8 / 3) ** 0.5),
}
