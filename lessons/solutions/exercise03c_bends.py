"""Solution of exercise 03c."""

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results
from curriculum.predictions import Predictions, otherwise, predicted

ANSWER = "predictions"
REREAD = ("lesson03_activations.py", "# A hat: up from 0 to 1")
HINTS = (
    "A kink is where the sum inside a ReLU is 0. A ReLU counts where its sum is above 0: right of its kink "
    "if its x has a positive weight, left of it if negative.",
    "On each piece, add up the slopes of the neurons that are awake there: weight behind it times weight in "
    "front of x. Without ReLU all three are awake everywhere.",
    "Kinks at −1, 0.5 and 3. Slopes: −1, then 2 − 1, then 2 − 6 − 1, then 2 − 6. y at 0 is 1 + 2 − 0 + 3.",
)
AFTER = (
    "Each ReLU bends the line at one place. Between the bends it is straight.",
    "Choose weights for a line that rises up to 1, is level up to 2 and falls "
    "from there.",
)


def predictions() -> dict[str, float]:
    return {
        "kink of ReLU(x + 1)": -1.0,
        "kink of ReLU(2x − 1)": 0.5,
        "kink of ReLU(3 − x)": 3.0,
        "slope of piece 1": -1.0,  # only the last is awake
        "slope of piece 2": 1.0,  # 2 − 1
        "slope of piece 3": -5.0,  # 2 − 6 − 1: all awake, so it is that without ReLU
        "slope of piece 4": -4.0,  # 2 − 6
        "y at 0": 6.0,  # 1 + 2 − 0 + 3
        "y at 4": -10.0,  # 1 + 10 − 21 + 0
        "slope without ReLU": -5.0,
        "y at 0 without ReLU": 9.0,  # 1 + 2 + 3 + 3
    }


def pairs(answer: Predictions) -> list[Pair]:
    """The numbers of `answer` beside autograd's."""
    return [predicted("bent line", answer, _by_torch)]


def _by_torch(case: Case) -> Results:
    hidden, out = nn.Linear(1, 3), nn.Linear(3, 1)
    hidden.load_state_dict(
        {
            "weight": torch.tensor([[1.0], [2.0], [-1.0]]),
            "bias": torch.tensor([1.0, -1.0, 3.0]),
        }
    )
    out.load_state_dict(
        {"weight": torch.tensor([[2.0, -3.0, 1.0]]), "bias": torch.tensor([1.0])}
    )

    def at(place: float, *between: nn.Module) -> tuple[Tensor, Tensor]:
        x = torch.tensor([[place]], requires_grad=True)
        y = nn.Sequential(hidden, *between, out)(x)
        (slope,) = torch.autograd.grad(y, x)
        return y[0, 0], slope[0, 0]

    kinks = -hidden.bias / hidden.weight[:, 0]
    bent = {place: at(place, nn.ReLU()) for place in (-2.0, 0.0, 2.0, 4.0)}
    straight = at(0.0)
    return {
        "kink of ReLU(x + 1)": kinks[0],
        "kink of ReLU(2x − 1)": kinks[1],
        "kink of ReLU(3 − x)": kinks[2],
        "slope of piece 1": bent[-2.0][1],
        "slope of piece 2": bent[0.0][1],
        "slope of piece 3": bent[2.0][1],
        "slope of piece 4": bent[4.0][1],
        "y at 0": bent[0.0][0],
        "y at 4": bent[4.0][0],
        "slope without ReLU": straight[1],
        "y at 0 without ReLU": straight[0],
    }


def _slopes(*values: float) -> dict[str, float]:
    return {f"slope of piece {i}": value for i, value in enumerate(values, 1)}


MISTAKES = {
    "sign of the kink": otherwise(
        predictions,
        {
            "kink of ReLU(x + 1)": 1.0,
            "kink of ReLU(2x − 1)": -0.5,
            "kink of ReLU(3 − x)": -3.0,
        },
    ),
    "weight in front of x forgotten at the kink": otherwise(
        predictions, {"kink of ReLU(2x − 1)": 1.0}
    ),
    "weight in front of x forgotten in the slopes": otherwise(
        predictions, _slopes(1.0, 3.0, 0.0, -1.0)
    ),
    "negative weight taken to wake on the right": otherwise(
        predictions, _slopes(0.0, 2.0, -4.0, -5.0)
    ),
    "slopes not added up": otherwise(predictions, _slopes(-1.0, 2.0, -6.0, -4.0)),
    "bias of the output forgotten": otherwise(
        predictions, {"y at 0": 5.0, "y at 4": -11.0, "y at 0 without ReLU": 8.0}
    ),
    "ReLU left out of y": otherwise(predictions, {"y at 0": 9.0, "y at 4": -11.0}),
}
