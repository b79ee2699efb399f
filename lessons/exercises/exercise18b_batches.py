"""Exercise 18b · Find the bug: some digits twice, some never

Difficulty: 1 of 3 · Time: 10 minutes · After: lesson 18

Lightning trains on these batches without a complaint, and the loss falls. The number of batches is right, so
are their sizes, and beside every picture stands its own answer.

But one epoch should show every example once. Someone counted: of 1,000 examples in batches of 10, about 630
came up in an epoch, some of them three times and more, and about 370 never.

Find out why, and mend it. Each epoch should draw one random order with `torch.randperm`, as lesson 11 does.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from curriculum.data import Split


class Batches:
    """Mini-batches of a split in memory, in a fresh order at each pass; the last may be smaller.

    Each gives x: (batch_size, n_in) and target: (batch_size,).
    """

    def __init__(
        self, split: Split, batch_size: int, generator: torch.Generator
    ) -> None:
        self.split, self.batch_size, self.generator = split, batch_size, generator

    def __len__(self) -> int:
        return -(-len(self.split.x) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        x, target = self.split
        for step in range(len(self)):
            order = torch.randperm(len(x), generator=self.generator, device="cpu")
            rows = order[step * self.batch_size : (step + 1) * self.batch_size]
            yield x[rows], target[rows]
