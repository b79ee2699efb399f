"""Solution of exercise 02a."""

from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from torch import Tensor

from curriculum.pair import Case, Pair, Results
from lessons.exercises import exercise02a_adder as stub
from lessons.lesson02_circuits import Wiring

ANSWER = "adder"
REREAD = ("lesson02_circuits.py", "## Two more neurons")
HINTS = (
    "For which counts of ones does the carry fire, and for which the sum? Can one threshold do each?",
    "The carry fires above 1.5. The sum has to fire at 1, be silent at 2 and fire at 3: from 2 on the carry "
    "can hold it down, as N3 holds N4 down in the lesson.",
    "carry: a, b, c with weight 1, threshold 1.5. sum: the same, and carry with weight −2, threshold 0.5.",
)
AFTER = (
    "A neuron that fires or not asks one question about a sum. Neurons that "
    "hear neurons ask questions about answers.",
    "Chain two of these circuits to add two numbers of two bits each.",
)


def adder() -> Wiring:
    """The counts 0, 1, 2, 3 come to the sum as 0, 1, 0, 1, because the carry takes 2 away from 2 and 3."""
    bits = {"a": 1.0, "b": 1.0, "c": 1.0}
    return {"carry": (bits, 1.5), "sum": (bits | {"carry": -2.0}, 0.5)}


def pairs(answer: Any) -> list[Pair]:
    """What the wiring of `answer` says beside torch's arithmetic."""

    def pair(name: str, bits: Callable[[Case], Tensor]) -> Pair:
        return Pair(
            name,
            lambda case: by_sum(stub.fire(answer(), bits(case))),
            lambda case: by_sum(torch_adder(bits(case))),
        )

    return [pair("three bits", clean), pair("three noisy bits", noisy)]


def clean(case: Case) -> Tensor:
    """All eight ways to set three bits (8, 3)."""
    return torch.tensor(list(product((0.0, 1.0), repeat=3)))


def noisy(case: Case) -> Tensor:
    """Each of the eight, five times, every bit off by less than 0.1 (40, 3)."""
    bits = clean(case).repeat(5, 1)
    return bits + 0.1 * torch.tanh(case.upstream("noise", bits.shape))


def torch_adder(bits: Tensor) -> Tensor:
    """Ordinary arithmetic: (batch, 3) → (batch, 2)."""
    count = bits.round().sum(1, keepdim=True)
    return torch.cat((count >= 2, count % 2 == 1), dim=1).to(bits.dtype)


def by_sum(digits: Tensor) -> Results:
    """(8 · repeats, 2) → each digit of each sum, "carry of 1 + 0 + 1": (repeats,), or () if there is one."""
    rows = enumerate(product("01", repeat=3))
    return {
        f"{digit} of {' + '.join(bits)}": digits[row::8, column].squeeze()
        for row, bits in rows
        for column, digit in enumerate(("carry", "sum"))
    }


def _wiring(carry_above: float, sum_above: float, hold: float = -2.0) -> Wiring:
    bits = dict.fromkeys("abc", 1.0)
    return {"carry": (bits, carry_above), "sum": (bits | {"carry": hold}, sum_above)}


MISTAKES: dict[str, Any] = {
    "sum not held down by the carry": lambda: _wiring(1.5, 0.5, hold=0.0),
    "sum held down too strongly": lambda: _wiring(1.5, 0.5, hold=-3.0),
    "threshold and bias mixed up": lambda: _wiring(-1.5, -0.5),
    "thresholds exchanged": lambda: _wiring(0.5, 1.5),
    "carry only for three": lambda: _wiring(2.5, 0.5),
    "carry already for one": lambda: _wiring(0.5, 0.5),
    "silent at exactly the threshold": lambda: _wiring(2.0, 1.0),
    "threshold too close to a sum": lambda: _wiring(1.0, 0.0),
}
