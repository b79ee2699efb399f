"""Solution of exercise 18b."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import BatchSampler

from curriculum.data import Split
from curriculum.pair import Case, Pair, Results
from lessons.exercises import exercise18b_batches as stub

ANSWER = "Batches"
REREAD = ("lesson11_training.py", "def minibatches")
HINTS = (
    "Write down, for six examples in batches of two, the order that each batch is cut from.",
    "The slices 0 to 2, 2 to 4 and 4 to 6 cover everything only if they are cut from the same order.",
    "Draw `order` once per epoch: one line up, before the loop.",
)
AFTER = (
    "A permutation shows each example once. Drawn again and again, about 37 of "
    "100 never come.",
    "Give every batch the same number of examples of each class, as far as they go.",
)


class Batches(stub.Batches):
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        x, target = self.split
        order = torch.randperm(
            len(x), generator=self.generator, device="cpu"
        )  # one for the whole epoch
        for rows in order.split(self.batch_size):
            yield x[rows], target[rows]


def pairs(answer: Any) -> list[Pair]:
    """What the learner's `answer` is held against: `torch.utils.data.BatchSampler`, three epochs."""

    def split(case: Case) -> Split:
        count = 3 * case.batch + 7
        return Split(
            case.upstream("x", torch.Size((count, case.n_in))),
            case.classes("target", count, 10),
        )

    def by_hand(case: Case) -> Results:
        batches = answer(split(case), 4, torch.Generator().manual_seed(case.seed))
        results = {"length": torch.tensor(len(batches))}
        for epoch in range(3):
            for step, (x, target) in enumerate(batches):
                results |= {f"x_{epoch}_{step}": x, f"target_{epoch}_{step}": target}
        return results

    def by_torch(case: Case) -> Results:
        (x, target), generator = split(case), torch.Generator().manual_seed(case.seed)
        results: Results = {}
        for epoch in range(3):
            order = torch.randperm(len(x), generator=generator, device="cpu").tolist()
            for step, rows in enumerate(
                batches := BatchSampler(order, 4, drop_last=False)
            ):
                results |= {
                    f"x_{epoch}_{step}": x[rows],
                    f"target_{epoch}_{step}": target[rows],
                }
        return results | {"length": torch.tensor(len(batches))}

    return [Pair("batches", by_hand, by_torch)]


class _OneOrder(Batches):
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self.generator.manual_seed(self.generator.initial_seed())
        return super().__iter__()


class _NoOrder(Batches):
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(*(part.split(self.batch_size) for part in self.split), strict=True)


class _LastDropped(Batches):
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return (
            batch for batch in super().__iter__() if len(batch[0]) == self.batch_size
        )


class _ShuffledApart(Batches):
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        pictures, answers = list(super().__iter__()), list(super().__iter__())
        return (
            (x, target) for (x, _), (_, target) in zip(pictures, answers, strict=True)
        )


MISTAKES = {
    "a new order for every batch": stub.Batches,
    "the same order in every epoch": _OneOrder,
    "never shuffled": _NoOrder,
    "last batch dropped": _LastDropped,
    "pictures and answers shuffled apart": _ShuffledApart,
}
