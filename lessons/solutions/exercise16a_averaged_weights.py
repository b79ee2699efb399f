"""Solution of exercise 16a."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from curriculum.pair import Case, Pair, Results
from lessons.exercises import exercise16a_averaged_weights as stub

ANSWER = "AveragedWeights"
REREAD = ("lesson16_overfitting.py", "class EarlyStopping")
HINTS = (
    "The optimiser writes over its parameters. What does EarlyStopping of lesson 16 do, so that the weights "
    "it keeps stay as they were?",
    "The first update clones every parameter. Each later one keeps `decay` of the average and adds the rest.",
    "average[name] = decay · average.get(name, param) + (1 − decay) · param is a new tensor. The first time "
    "it has the value of param.",
)
AFTER = (
    "An average over many steps does not follow the kick of the last one.",
    "Begin with the plain mean of the first steps, and let the decay grow to "
    "0.9 from there.",
)


class AveragedWeights(stub.AveragedWeights):
    def update(self) -> None:
        for name, param in self.params.items():
            old = self.average.get(name, param)
            self.average[name] = self.decay * old + (1 - self.decay) * param


def pairs(answer: type[stub.AveragedWeights]) -> list[Pair]:
    return [
        Pair("averaged weights", partial(_walk, answer), partial(_walk, _TorchAverage))
    ]


class _TorchAverage:
    def __init__(self, params: dict[str, Tensor], decay: float) -> None:
        self.model = nn.ParameterDict(params)  # the same numbers, not copies
        self.averaged = AveragedModel(
            self.model, multi_avg_fn=get_ema_multi_avg_fn(decay)
        )
        self.average: Any = self.averaged.module

    def update(self) -> None:
        self.averaged.update_parameters(self.model)


@torch.no_grad()
def _walk(make: Any, case: Case) -> Results:
    """Ten random steps, an update after each; the averages after 1, 2 and 10, and the weights at the end."""
    params = {
        "weight": case.tensor("weight", case.n_out, case.n_in),
        "bias": case.tensor("bias", case.n_out),
    }
    results: Results = {}
    averaged = make(params, 0.9)
    for step in range(1, 11):
        for name, param in params.items():
            param += case.upstream(f"{name}_{step}", param.shape)
        averaged.update()
        if step in (1, 2, 10):
            results |= {
                f"average_{name}_{step}": value.clone()
                for name, value in averaged.average.items()
            }
    return results | params


class _FirstWeights(AveragedWeights):
    share = 1

    def __init__(self, params: dict[str, Tensor], decay: float) -> None:
        super().__init__(params, decay)
        self.average = {name: self.share * param for name, param in params.items()}


class _FromZero(_FirstWeights):
    share = 0


class _NoCopy(AveragedWeights):
    def update(self) -> None:
        first = not self.average
        super().update()
        self.average = dict(self.params) if first else self.average


class _NotAnAverage(AveragedWeights):
    def update(self) -> None:
        self.average = dict(self.params)


MISTAKES = {
    "decay the wrong way round": lambda params, decay: AveragedWeights(
        params, 1 - decay
    ),
    "average started at 0": _FromZero,
    "average started at the untrained weights": _FirstWeights,
    "first copy forgotten": _NoCopy,
    "average and parameters are the same tensors": _NotAnAverage,
}
