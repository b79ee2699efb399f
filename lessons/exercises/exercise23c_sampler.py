"""Exercise 23c · Predict, run, explain: a sampler for several workers

Difficulty: 2 of 3 · Time: 20 minutes · After: lesson 23

PyTorch's `DistributedSampler` tells each worker which examples are its own. Write what it does:

1. Shuffle 0 … size − 1 with `torch.randperm` and a generator that has the seed `seed + epoch`.
2. If the number of workers does not divide that, repeat examples from its beginning until it does.
3. Worker r takes the entries r, r + n, r + 2n, ….

Predict first: five examples, two workers. How many does each get, and how many come twice? Three workers and
ten: the same questions. What happens if step 1 uses `seed + rank`? And if `epoch` is always 0?

Then run, and look at two epochs of `list(DistributedSampler(range(5), num_replicas=2, rank=0))`: why are they
equal? (Give it `seed=3` and call `set_epoch` before each.) Explain to yourself what else is drawn from a seed
in a training with several workers, and which of it has to be equal for all.
"""


def share(size: int, rank: int, count: int, epoch: int, seed: int) -> list[int]:
    """The row numbers that worker `rank` of `count` trains on in this epoch, in order.

    size: how many examples there are, at least `count`.
    """
    raise NotImplementedError("write share")
