"""Solution of exercise 01d."""

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results
from curriculum.predictions import Predictions, predicted

ANSWER = "predictions"
REREAD = ("lesson01_neuron.py", "## Which way should a weight move?")
HINTS = (
    "The guess first: 0.5 · 0.4 + 1 · 0.6 − 0.2. Is it above the rating? Then what moves the guess down "
    "makes the loss smaller.",
    "The loss moves with the guess by 2 · (guess − rating), here 0.8. Each weight moves the guess by its "
    "input, the bias by 1.",
    "Slopes 0.4, 0.8, 0.8. The step takes 0.1 times each away: weights 0.36 and 0.52, bias −0.28.",
)
AFTER = (
    "The slope of a weight is blame times input, so an input of 0 leaves its "
    "weight where it is.",
    "Take the same step again and again. By which factor does the error shrink "
    "each time, and why is it always the same?",
)


def predictions() -> dict[str, float]:
    return {
        "guess": 0.6,  # 0.2 + 0.6 − 0.2
        "loss": 0.16,  # (0.6 − 0.2)²
        "slope along the weight of the stars": 0.4,  # 2 · 0.4 · 0.5
        "slope along the weight of the year": 0.8,  # 2 · 0.4 · 1
        "slope along the bias": 0.8,
        "guess after the step": 0.42,  # 0.5 · 0.36 + 0.52 − 0.28
        "loss after the step": 0.0484,  # 0.22²
    }


def pairs(answer: Predictions) -> list[Pair]:
    """The numbers of `answer` beside autograd's and `torch.optim`'s."""
    return [predicted("one step", answer, _by_torch)]


def _by_torch(case: Case) -> Results:
    neuron = nn.Linear(2, 1)
    with torch.no_grad():
        neuron.weight.copy_(torch.tensor([[0.4, 0.6]]))
        neuron.bias.fill_(-0.2)
    optimizer = torch.optim.SGD(neuron.parameters(), lr=0.1)
    guess, loss = _judged(neuron)
    loss.backward()
    assert neuron.weight.grad is not None
    assert neuron.bias.grad is not None
    results = {
        "guess": guess,
        "loss": loss,
        "slope along the weight of the stars": neuron.weight.grad[0, 0].clone(),
        "slope along the weight of the year": neuron.weight.grad[0, 1].clone(),
        "slope along the bias": neuron.bias.grad[0].clone(),
    }
    optimizer.step()
    guess, loss = _judged(neuron)
    return results | {"guess after the step": guess, "loss after the step": loss}


def _judged(neuron: nn.Linear) -> tuple[Tensor, Tensor]:
    """Guess and loss of the film."""
    guess = neuron(torch.tensor([[0.5, 1.0]]))[0, 0]
    return guess, (guess - 0.2) ** 2


def _worked(
    two: float = 2.0,
    inputs: tuple[float, float, float] = (0.5, 1.0, 1.0),
    way: float = -0.1,
    moved: int = 3,
    error_sign: float = 1.0,
) -> Predictions:
    """The numbers with one thing done otherwise."""

    def numbers() -> dict[str, float]:
        parameters = [0.4, 0.6, -0.2]
        slopes = [two * error_sign * 0.4 * value for value in inputs]
        for i in range(moved):
            parameters[i] += way * slopes[i]
        after = 0.5 * parameters[0] + parameters[1] + parameters[2]
        values = (0.6, 0.16, *slopes, after, (after - 0.2) ** 2)
        return dict(zip(predictions(), values, strict=True))

    return numbers


MISTAKES = {
    "moved with the slope, not against it": _worked(way=0.1),
    "the 2 of the square forgotten": _worked(two=1.0),
    "input left out of the slope": _worked(inputs=(1.0, 1.0, 1.0)),
    "bias not moved": _worked(moved=2),
    "learning rate forgotten": _worked(way=-1.0),
    "error with the wrong sign": _worked(error_sign=-1.0),
}
