"""Solution of exercise 16c."""

import torch
from torch import nn

from curriculum.pair import Case, Pair, Results
from curriculum.predictions import Predictions, otherwise, predicted

ANSWER = "predictions"
REREAD = ("lesson16_overfitting.py", "## Two defences, on paper")
HINTS = (
    "Dropout keeps the sum: three neurons of four are silent, so the fourth has to make up for them.",
    "What stays is divided by 1 − p. Decay takes λ times the rate of the weight away. The count of looks "
    "begins anew with each new lowest loss.",
    "3 / 0.25 = 12, a quarter of the time. 8 · 0.95 · 0.95. The lowest loss is that of look 4; looks 5 and 6 "
    "bring nothing new. The rooms have the mean 3 and the deviation 2.",
)
AFTER = (
    "In the mean over all draws dropout changes nothing: it makes a number "
    "louder or silent.",
    "After how many steps has the decay halved the weight of 8?",
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


def pairs(answer: Predictions) -> list[Pair]:
    """The numbers of `answer` beside PyTorch's."""
    return [predicted("on paper", answer, _by_torch)]


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


MISTAKES = {
    "divided by p, not by 1 − p": otherwise(
        predictions, {"dropout in training: what the neuron gives if it stays": 4.0}
    ),
    "not enlarged in training": otherwise(
        predictions,
        {
            "dropout in training: what the neuron gives if it stays": 3.0,
            "dropout in training: the mean of what it gives": 0.75,
        },
    ),
    "made smaller in use, too": otherwise(
        predictions, {"dropout in use: what it gives": 0.75}
    ),
    "decay not multiplied by the rate": otherwise(
        predictions, {"weight decay: the weight after two steps": 2.0}
    ),
    "one step in place of two": otherwise(
        predictions, {"weight decay: the weight after two steps": 7.6}
    ),
    "the count does not begin anew": otherwise(
        predictions,
        {"early stopping: the number of the look that stops, counted from 1": 5.0},
    ),
    "the last weights kept": otherwise(
        predictions,
        {"early stopping: the validation loss of the weights that are restored": 0.6},
    ),
    "deviation over n": otherwise(
        predictions, {"standardised: the house of 5 rooms": 2 / (8 / 3) ** 0.5}
    ),
}
