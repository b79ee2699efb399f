"""Solution of exercise 04c."""

import torch
from torch import nn

from curriculum.pair import Case, Pair, Results
from curriculum.predictions import Predictions, otherwise, predicted

ANSWER = "predictions"
REREAD = ("lesson04_layers.py", "# **On paper.** Say the loss moves")
HINTS = (
    "A row of weight1 belongs to a neuron: neuron 1 hears x₁ with 1 and x₂ with −1. Each neuron adds its own "
    "bias.",
    "y moves with an output of the hidden layer by the weight behind it; through a ReLU that is quiet "
    "nothing comes back. Along an input, add over both neurons; along a weight, multiply by the input "
    "beside it.",
    "Sums −1 and 3, outputs 0 and 3, y = 4 · 0 − 3 + 2. Back: 0 for neuron 1, −1 for neuron 2.",
)
AFTER = (
    "A quiet ReLU sends nothing back: this example teaches its weights nothing.",
    "Move x until both neurons are awake, and predict the slopes along x again.",
)


def predictions() -> dict[str, float]:
    return {
        "sum of neuron 1": -1.0,  # 1 − 2 + 0
        "sum of neuron 2": 3.0,  # 2 + 2 − 1
        "output of neuron 1": 0.0,
        "output of neuron 2": 3.0,
        "y": -1.0,  # 0 − 3 + 2
        "y for (0, 0)": 2.0,  # sums 0 and −1: only the last bias is left
        "y along x₁": -2.0,  # −1 · 2
        "y along x₂": -1.0,  # −1 · 1
        "y along the weight from x₂ to neuron 2": -2.0,  # −1 · 2
        "parameters": 9.0,  # 4 + 2 + 2 + 1
        "parameters of 5–3–2": 26.0,  # 15 + 3 + 6 + 2
    }


def pairs(answer: Predictions) -> list[Pair]:
    """The numbers of `answer` beside autograd's."""
    return [predicted("on paper", answer, _by_torch)]


def _count(model: nn.Module) -> torch.Tensor:
    return torch.tensor(float(sum(param.numel() for param in model.parameters())))


def _by_torch(case: Case) -> Results:
    hidden, out = nn.Linear(2, 2), nn.Linear(2, 1)
    hidden.load_state_dict(
        {
            "weight": torch.tensor([[1.0, -1.0], [2.0, 1.0]]),
            "bias": torch.tensor([0.0, -1.0]),
        }
    )
    out.load_state_dict(
        {"weight": torch.tensor([[4.0, -1.0]]), "bias": torch.tensor([2.0])}
    )
    model = nn.Sequential(hidden, nn.ReLU(), out)
    x = torch.tensor([[1.0, 2.0]], requires_grad=True)
    sums = hidden(x)
    y = model(x)
    along_x, along_weight = torch.autograd.grad(y, (x, hidden.weight))
    larger = nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2))
    return {
        "sum of neuron 1": sums[0, 0],
        "sum of neuron 2": sums[0, 1],
        "output of neuron 1": sums[0, 0].relu(),
        "output of neuron 2": sums[0, 1].relu(),
        "y": y[0, 0],
        "y for (0, 0)": model(torch.zeros(1, 2))[0, 0],
        "y along x₁": along_x[0, 0],
        "y along x₂": along_x[0, 1],
        "y along the weight from x₂ to neuron 2": along_weight[1, 1],
        "parameters": _count(model),
        "parameters of 5–3–2": _count(larger),
    }


_OFF = {"y along x₁": 2.0, "y along x₂": -5.0}

MISTAKES = {
    "weights read by columns": otherwise(
        predictions,
        {
            "sum of neuron 1": 5.0,
            "sum of neuron 2": 0.0,
            "output of neuron 1": 5.0,
            "output of neuron 2": 0.0,
            "y": 22.0,
        },
    ),
    "ReLU forgotten": otherwise(
        predictions,
        {"output of neuron 1": -1.0, "y": -5.0, "y for (0, 0)": 3.0, **_OFF},
    ),
    "slope passed by a neuron that is quiet": otherwise(predictions, _OFF),
    "ReLU on the output": otherwise(predictions, {"y": 0.0}),
    "biases not added": otherwise(
        predictions,
        {
            "sum of neuron 2": 4.0,
            "output of neuron 2": 4.0,
            "y": -4.0,
            "y for (0, 0)": 0.0,
        },
    ),
    "biases not counted": otherwise(
        predictions, {"parameters": 6.0, "parameters of 5–3–2": 21.0}
    ),
    "input forgotten in the slope along a weight": otherwise(
        predictions, {"y along the weight from x₂ to neuron 2": -1.0}
    ),
}
