"""Solution of exercise 23a."""

from collections.abc import Callable

import torch
from torch import Tensor

from curriculum.pair import Case, Pair, Results

ANSWER = "in_pairs"
REREAD = ("lesson23_machines.py", "def ring")
HINTS = (
    "In one turn all swap at the same moment. What does worker 1 get if worker 0 has already added?",
    "Take all letters from what was held before the turn. In turn t row r gets row r ^ 2**t added to it.",
    "partners = torch.arange(n) ^ 2**turn; held = held + held[partners]; keep each in a list.",
)
AFTER = (
    "In each turn the number of workers that a sum has heard doubles.",
    "Six workers: what do the two do that have no partner?",
)


def in_pairs(parts: Tensor) -> list[Tensor]:
    history, ranks = [parts], torch.arange(len(parts), device=parts.device)
    for turn in range(len(parts).bit_length() - 1):  # log₂ of a power of two
        held = history[-1]
        history.append(
            held + held[ranks ^ 2**turn]
        )  # a new tensor: every letter is an old one
    return history


def pairs(answer: Callable[[Tensor], list[Tensor]]) -> list[Pair]:
    """One, two and eight workers."""

    def pair(count: int) -> Pair:
        def run(
            function: Callable[[Tensor], list[Tensor]],
        ) -> Callable[[Case], Results]:
            def results(case: Case) -> Results:
                parts = case.tensor("parts", count, case.batch + case.n_in)
                history = function(parts)
                return {
                    f"after_{turn}_turns": held for turn, held in enumerate(history)
                } | {"parts": parts}

            return results

        return Pair(f"{count} workers", run(answer), run(torch_in_pairs))

    return [pair(count) for count in (1, 2, 8)]


def torch_in_pairs(parts: Tensor) -> list[Tensor]:
    """Without any swaps: after t turns every block of 2ᵗ neighbours holds the sum of its rows."""
    sizes = [2**turn for turn in range(len(parts).bit_length())]
    return [
        parts.unflatten(0, (-1, size)).sum(1).repeat_interleave(size, 0)
        for size in sizes
    ]


def _one_by_one(parts: Tensor) -> list[Tensor]:
    history = [parts]
    for turn in range(len(parts).bit_length() - 1):
        held = history[-1].clone()
        for rank in range(len(parts)):
            held[rank] += held[rank ^ 2**turn]  # may already be this turn's
        history.append(held)
    return history


def _rolled(parts: Tensor) -> list[Tensor]:
    history = [parts]
    for turn in range(len(parts).bit_length() - 1):
        history.append(history[-1] + history[-1].roll(2**turn, 0))
    return history


def _far_first(parts: Tensor) -> list[Tensor]:
    history, turns = [parts], len(parts).bit_length() - 1
    for turn in reversed(range(turns)):
        history.append(history[-1] + history[-1][torch.arange(len(parts)) ^ 2**turn])
    return history


MISTAKES = {
    "letters opened before all were posted": _one_by_one,
    "neighbour in place of partner": _rolled,
    "farthest partner first": _far_first,
    "history not copied": lambda parts: in_pairs(parts)[-1:] * len(in_pairs(parts)),
    "mean taken in every turn": lambda parts: [
        held / 2**turn for turn, held in enumerate(in_pairs(parts))
    ],
}
