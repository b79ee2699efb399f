"""Solution of exercise 20b."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from curriculum.pair import Case, Pair, Results
from lessons.exercises import exercise20b_ablation as stub
from lessons.lesson04_layers import Linear
from lessons.lesson06_cross_entropy import CrossEntropyLoss

ANSWER = "cost_of_each_unit"
REREAD = ("lesson20_probes.py", "def lost_without")
HINTS = (
    "When the loop comes to unit 3, which units are at zero? Print `without`.",
    "`without = h` makes no new tensor: both names mean the same numbers. What one round sets to zero stays "
    "zero for the next, and for the caller.",
    "without = h.clone(), inside the loop.",
)
AFTER = (
    "Take away from a copy, or the next look finds what the last one has left.",
    "Take units away in pairs. Is the loss of two the sum of what each costs?",
)


def cost_of_each_unit(last: Linear, h: Tensor, target: Tensor) -> Tensor:
    criterion = CrossEntropyLoss()
    complete = criterion.forward(last.forward(h), target)
    costs = []
    for unit in range(h.shape[1]):
        without = (
            h.clone()
        )  # each round begins with all units again, and the caller's h stays as it is
        without[:, unit] = 0
        costs.append(criterion.forward(last.forward(without), target) - complete)
    return torch.stack(costs)


def pairs(answer: Any) -> list[Pair]:
    """What the learner's `answer` is held against: torch's functions."""

    def inputs(case: Case) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        weight = case.upstream("weight", torch.Size((case.n_out, case.n_in)))
        h = case.tensor(
            "h", case.batch, case.n_in
        ).abs()  # units after a ReLU: none is below 0
        return (
            weight,
            case.tensor("bias", case.n_out),
            h,
            case.classes("target", case.batch, case.n_out),
        )

    def by_hand(case: Case) -> Results:
        weight, bias, h, target = inputs(case)
        last = Linear(case.n_in, case.n_out)
        last.params = {"weight": weight, "bias": bias}
        return {"output": answer(last, h, target), "h": h, "weight": weight}

    def by_torch(case: Case) -> Results:
        weight, bias, h, target = inputs(case)
        whole = F.cross_entropy(F.linear(h, weight, bias), target)
        without = [
            h.index_fill(1, torch.tensor([unit]), 0) for unit in range(case.n_in)
        ]
        costs = [
            F.cross_entropy(F.linear(less, weight, bias), target) - whole
            for less in without
        ]
        return {"output": torch.stack(costs), "h": h, "weight": weight}

    return [Pair("cost of each unit", by_hand, by_torch)]


def _not_switched_on_again(last: Linear, h: Tensor, target: Tensor) -> Tensor:
    return stub.cost_of_each_unit(last, h.clone(), target)


def _others_silenced(last: Linear, h: Tensor, target: Tensor) -> Tensor:
    criterion, others = CrossEntropyLoss(), ~torch.eye(h.shape[1], dtype=torch.bool)
    losses = [
        criterion.forward(last.forward(h.masked_fill(row, 0)), target) for row in others
    ]
    return torch.stack(losses) - criterion.forward(last.forward(h), target)


def _rise_forgotten(last: Linear, h: Tensor, target: Tensor) -> Tensor:
    return cost_of_each_unit(last, h, target) + CrossEntropyLoss().forward(
        last.forward(h), target
    )


MISTAKES = {
    "input changed in place": stub.cost_of_each_unit,
    "units not switched on again": _not_switched_on_again,
    "all others silenced": _others_silenced,
    "loss instead of its rise": _rise_forgotten,
    "sign": lambda last, h, target: -cost_of_each_unit(last, h, target),
    "mean forgotten": lambda last, h, target: (
        cost_of_each_unit(last, h, target) * len(h)
    ),
}
