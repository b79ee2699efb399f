"""Exercise 02a · A circuit that adds

Difficulty: 2 of 3 · Time: 20 minutes · After: lesson 02

Add three bits a, b and c. The result is 0 to 3, in binary two digits: 1 + 0 + 1 = 10, 1 + 1 + 1 = 11.
Wire two neurons that fire or do not, one for each digit:

- "carry", the left digit, fires when at least two of the three bits are 1.
- "sum", the right digit, fires when one or all three are 1. Let it hear the carry too.

Write down whom each neuron hears, with which weights, and its threshold, as in `FACE` of lesson 02. A neuron
hears the bits and the neurons that stand before it. More neurons in between are welcome. Real wires are
noisy: each bit may be off by 0.1. So put the thresholds well between the sums that count.
"""

import torch
from torch import Tensor

from lessons.lesson02_circuits import Step, Wiring


def adder() -> Wiring:
    """A wiring of inputs "a", "b", "c" whose neurons include "carry" and "sum"."""
    # A neuron that fires when a is 1 and b is not: {"only a": ({"a": 1.0, "b": -1.0}, 0.5)}
    raise NotImplementedError("write the wiring")


def fire(wiring: Wiring, bits: Tensor) -> Tensor:
    """Run a wiring. bits: (batch, 3), about 0 or 1 → (batch, 2), what carry and sum say."""
    signals = dict(zip("abc", bits.split(1, dim=1), strict=True))  # (batch, 1) each
    for name, (heard, threshold) in wiring.items():
        late = sorted(heard.keys() - signals.keys())
        assert not late, (
            f"{name} hears {', '.join(late)}, which does not stand before it"
        )
        bias = torch.full_like(bits[:, :1], -threshold)
        total = sum(
            (weight * signals[other] for other, weight in heard.items()), start=bias
        )
        signals[name] = Step().forward(total)
    return torch.cat((signals["carry"], signals["sum"]), dim=1)
