"""Exercise 23a · Adding in pairs

Difficulty: 2 of 3 · Time: 20 minutes · After: lesson 23

The ring sends little, but n workers take 2(n − 1) turns. In pairs it takes log₂ n turns. In each turn every
worker swaps all it holds with a partner, and both add what they get. The partners stand 1 apart, then 2,
then 4, …: in turn t (from 0) worker r swaps with r + 2ᵗ if bit t of r is 0, else with r − 2ᵗ.

Python has an operator for that partner: r ^ 2**t flips one bit of r.

On paper, four workers that hold 1, 2, 3, 4. Turn 0, partners 0–1 and 2–3: 3, 3, 7, 7. Turn 1, partners 0–2
and 1–3: 10, 10, 10, 10. Two turns; the ring takes six. (It is called *recursive doubling*.)
"""

from torch import Tensor


def in_pairs(parts: Tensor) -> list[Tensor]:
    """What the workers hold at the start and after each turn: log₂ n + 1 tensors (n, size).

    parts: (n, size), a row per worker, left as it is; n is a power of two, and may be 1.
    """
    raise NotImplementedError("write in_pairs")
