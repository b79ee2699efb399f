"""Solution of exercise 23c."""

from collections.abc import Callable

import torch
from torch.utils.data import DistributedSampler, TensorDataset

from curriculum.pair import Case, Pair, Results

ANSWER = "share"
REREAD = ("lesson23_machines.py", "def each_epoch_its_order")
HINTS = (
    "All workers must cut their shares from one order. So what may its seed depend on, and what not?",
    "Five examples, two workers: the order has to become six long. Which one is the sixth? Only then comes "
    "the cutting.",
    "order = torch.randperm(size, generator=generator).tolist(); order += order[: -size % count]; then "
    "order[rank::count].",
)
AFTER = (
    "What must be equal for all workers comes from a shared seed, what must "
    "differ needs the rank in it.",
    "Write drop_last=True.",
)

Answer = Callable[[int, int, int, int, int], list[int]]


def share(size: int, rank: int, count: int, epoch: int, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed + epoch)
    order = torch.randperm(size, generator=generator, device="cpu").tolist()
    order += order[: -size % count]
    return order[rank::count]


def pairs(answer: Answer) -> list[Pair]:
    """Three epochs, each worker, with sizes that do and do not divide: `DistributedSampler`."""

    def pair(count: int) -> Pair:
        def run(function: Answer) -> Callable[[Case], Results]:
            def results(case: Case) -> Results:
                found: Results = {}
                for size in (4 * count, 4 * count + case.batch % count + 1):
                    for epoch in range(3):
                        for rank in range(count):
                            rows = function(size, rank, count, epoch, case.seed)
                            name = f"{size} examples, epoch {epoch}, worker {rank}"
                            found[name] = torch.as_tensor(rows, dtype=torch.int64)
                return found

            return results

        return Pair(f"{count} workers", run(answer), run(torch_share))

    return [pair(count) for count in (2, 3)]


def torch_share(size: int, rank: int, count: int, epoch: int, seed: int) -> list[int]:
    """PyTorch's own."""
    data = TensorDataset(torch.zeros(size, device="cpu"))
    sampler: DistributedSampler[int] = DistributedSampler(
        data, num_replicas=count, rank=rank, seed=seed
    )
    sampler.set_epoch(epoch)
    with torch.device("cpu"):
        return list(sampler)


def _blocks(size: int, rank: int, count: int, epoch: int, seed: int) -> list[int]:
    whole = _whole(size, count, epoch, seed)
    each = len(whole) // count
    return whole[rank * each : (rank + 1) * each]


def _whole(size: int, count: int, epoch: int, seed: int) -> list[int]:
    whole = [0] * (size + -size % count)
    for rank in range(count):
        whole[rank::count] = share(size, rank, count, epoch, seed)
    return whole


def _not_filled(size: int, rank: int, count: int, epoch: int, seed: int) -> list[int]:
    return _whole(size, count, epoch, seed)[:size][rank::count]


def _dropped(size: int, rank: int, count: int, epoch: int, seed: int) -> list[int]:
    return share(size, rank, count, epoch, seed)[: size // count]


def _filled_with_the_last(
    size: int, rank: int, count: int, epoch: int, seed: int
) -> list[int]:
    order = _whole(size, count, epoch, seed)[:size]
    order += order[-1:] * (-size % count)
    return order[rank::count]


MISTAKES = {
    "the same order in every epoch": lambda size, rank, count, epoch, seed: share(
        size, rank, count, 0, seed
    ),
    "each worker its own order": lambda size, rank, count, epoch, seed: share(
        size, rank, count, epoch, seed + rank
    ),
    "blocks in place of every n-th": _blocks,
    "shares of unequal size": _not_filled,
    "what does not fit is dropped": _dropped,
    "filled up with the last in place of the first": _filled_with_the_last,
}
