# %% [markdown]
# # Lesson 23 · More than one machine
#
# *How can several computers train one network, and does it stay the same network?*
#
# Needs: lessons 05, 07, 11, 17 · Time: 25 minutes

# %%
import functools
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from subprocess import Popen
from typing import Any

import torch
import torch.distributed as dist
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.data import load
from curriculum.demo import demo
from curriculum.draw import new_figure
from curriculum.pair import Case, function_pair, training_pair
from curriculum.table import Table
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import SGD
from lessons.lesson11_training import minibatches
from lessons.lesson17_mnist import MLP, Step, TorchMLP, first_weights, torch_step

# %% [markdown]
# ## The idea
#
# The gradient of a batch is a mean over its examples. Say four examples have the gradients 1, 3, 6 and 2 for
# some weight: mean 3. Give two each to two *workers*. Each takes the mean of its share, then they take the
# mean of the means. It is 3 again. With three here and one there it is not:
#
# ```python
# >>> ((1 + 3) / 2 + (6 + 2) / 2) / 2, round(((1 + 3 + 6) / 3 + 2 / 1) / 2, 4)
# (3.0, 2.6667)
# ```
#
# So every worker keeps a copy of the network and finds the gradient of an equal share of each batch. They
# average their gradients and take the same step: the copies stay the same. This is *data parallel* training.
#
# | symbol | in code | meaning |
# |---|---|---|
# | $n$ | `count` | how many workers; in PyTorch the *world size* |
# | $r$ | `rank` | a worker's number, 0 to n − 1 |
# | $g_r$ | `grads` | the gradient of worker r's share |
# | $\frac{1}{n} \sum_r g_r$ | `all_reduce_mean(grads)` | what every worker must get: an *all-reduce* |
#
# First without any processes: one network (lesson 17's MLP, 784–32–10), offline digits, two shares.


# %%
SIZES, LR, SEED = (784, 32, 10), 0.2, 0


@demo
def shares_must_be_equal() -> Table:
    """One batch of 64, two shares: how wrong is the averaged gradient?"""
    model, criterion, digits = MLP(SIZES), CrossEntropyLoss(), load("digits").train
    model.load_state_dict(first_weights(SIZES, SEED))

    def gradient(start: int, stop: int) -> Tensor:
        criterion.forward(
            model.forward(digits.x[start:stop]), digits.target[start:stop]
        )
        model.backward(criterion.backward())
        return torch.cat([grad.flatten() for grad in model.grads.values()])  # (25450,)

    whole, rows = gradient(0, 64), []
    for cut in (32, 48, 63):
        here, there, part = gradient(0, cut), gradient(cut, 64), cut / 64
        means = ((here + there) / 2, part * here + (1 - part) * there)
        rows.append(
            (
                f"{cut} + {64 - cut}",
                *(f"{(mean - whole).norm() / whole.norm():.1e}" for mean in means),
            )
        )
    return Table(
        ("shares", "error of the plain mean", "error when weighted by share"), rows
    )


# %% [markdown]
# Errors are relative to the length of the gradient. Equal shares leave only rounding. 63 + 1 makes one
# example as loud as the other 63 together. Weighting mends it; equal shares are the usual way, and ours.
#
# ## From scratch: the ring
#
# How do n workers get the mean? If worker 0 adds up and sends the result to all, it sends (n − 1) · size
# numbers, and the others wait. In a *ring* (Patarasuk & Yuan 2009) nobody is special. Cut every gradient into
# n pieces. In each turn every worker sends one piece to its right neighbour:
#
# - In the first n − 1 turns the receiver *adds* the piece to its own. Each piece travels round and collects.
#   After that every worker holds one finished piece. This half is called *reduce-scatter*.
# - In n − 1 more turns the finished pieces travel round, and the receiver *replaces* its own: *all-gather*.
#
# In turn t, worker r sends piece (r − t) mod n. Each of the $2(n-1)$ turns costs it size / n numbers:
# together $2\,\frac{n-1}{n} \cdot \text{size}$, less than twice the gradient, however many workers there are.


# %%
def ring(parts: Tensor) -> tuple[list[Tensor], list[int]]:
    """The ring without processes: what the workers hold before and after each turn, and what each has sent.

    parts: (n, size), a row per worker. In the end every row is the sum:
    >>> history, sent = ring(torch.tensor([[1.0, 2.0], [10.0, 20.0]]))
    >>> history[-1].tolist(), sent
    ([[11.0, 22.0], [11.0, 22.0]], [2, 2])
    """
    count = len(parts)
    held, sent, history = parts.clone(), [0] * count, [parts]
    for turn in range(2 * (count - 1)):
        pieces = held.tensor_split(
            count, dim=1
        )  # n pieces (n, size / n); they share the memory of `held`
        letters = [pieces[(rank - turn) % count][rank].clone() for rank in range(count)]
        for rank, letter in enumerate(letters):  # all are posted before any is opened
            piece = pieces[(rank - turn) % count][
                (rank + 1) % count
            ]  # the right neighbour's
            piece.copy_(piece + letter if turn < count - 1 else letter)
            sent[rank] += letter.numel()
        history.append(held.clone())
    return history, sent


@demo
def pieces_travel_round() -> Figure:
    """Four workers, four pieces: how many gradients are summed in each"""
    figure, axes = new_figure(1, 7, width=1.55, height=2.0)
    for turn, (axis, sums) in enumerate(
        zip(axes, ring(torch.ones(4, 4))[0], strict=True)
    ):
        axis.imshow(sums.tolist(), cmap="YlGnBu", vmin=0, vmax=6)
        for rank, piece in itertools.product(range(4), range(4)):
            axis.text(piece, rank, int(sums[rank, piece]), ha="center", va="center")
        axis.set_title(f"after turn {turn - 1}" if turn else "start", fontsize=9)
        axis.set(xlabel="piece", xticks=range(4), yticks=range(4))
    axes[0].set_ylabel("worker")
    return figure


# %% [markdown]
# After turn 2 every piece is finished somewhere: a 4 in each row. Three more turns carry the 4s to all. The
# network of this lesson has 25,450 gradients. What the busiest worker sends, by way of worker 0 and by ring:
#
# ```python
# >>> for n in (2, 8, 32): print(n, "workers:", (n - 1) * 25450, max(ring(torch.zeros(n, 25450))[1]))
# 2 workers: 25450 25450
# 8 workers: 178150 44538
# 32 workers: 788950 49310
# ```
#
# But every turn waits for a message: many workers with small gradients add faster in pairs.
#
# ## From scratch: real processes
#
# Two processes share no memory. They talk through `torch.distributed`: `isend` starts to send, `recv` waits
# for what the neighbour sent. What carries the messages is called the *backend*; *gloo* is the one for CPUs.


# %%
def ring_all_reduce(mine: Tensor) -> Tensor:
    """Every worker calls this with its own tensor (size,); every worker gets the sum (size,)."""
    rank, count = dist.get_rank(), dist.get_world_size()
    result = mine.clone()
    pieces, left = result.tensor_split(count), (rank - 1) % count
    for turn in range(2 * (count - 1)):
        piece = pieces[
            (left - turn) % count
        ]  # the one that the left neighbour is sending
        letter = torch.empty_like(piece)
        post = dist.isend(pieces[(rank - turn) % count], (rank + 1) % count)
        dist.recv(letter, left)
        post.wait()  # type: ignore[union-attr]
        piece.copy_(piece + letter if turn < count - 1 else letter)
    return result


def all_reduce_mean(grads: dict[str, Tensor]) -> dict[str, Tensor]:
    """The mean over all workers, by name. All gradients travel as one long row: fewer, longer messages."""
    row = (
        ring_all_reduce(torch.cat([grad.flatten() for grad in grads.values()]))
        / dist.get_world_size()
    )
    parts = row.split([grad.numel() for grad in grads.values()])
    return {
        name: part.view_as(grads[name]) for name, part in zip(grads, parts, strict=True)
    }


def step_by_hand(
    reduce: Callable[..., dict[str, Tensor]],
) -> tuple[Step, dict[str, Tensor]]:
    """Lesson 11's step with `reduce` put in. Returns it, and the parameters that it changes."""
    model, criterion = MLP(SIZES), CrossEntropyLoss()
    model.load_state_dict(first_weights(SIZES, SEED))
    optimizer = SGD(model.params, lr=0.0)

    def step(x: Tensor, target: Tensor, lr: float) -> Tensor:
        optimizer.lr = lr
        loss = criterion.forward(model.forward(x), target)
        model.backward(criterion.backward())
        optimizer.step(reduce(model.grads))
        return loss

    return step, model.params


# %% [markdown]
# ## The same with PyTorch
#
# `DistributedDataParallel`, DDP for short, wraps a model. After `backward`, `.grad` holds the mean over all
# workers. The rest is lesson 17's step.


# %%
def step_by_torch(parallel: bool) -> tuple[Step, dict[str, Tensor]]:
    """The same with autograd: with DDP, or for one process alone."""
    model = TorchMLP(SIZES)
    model.load_state_dict(first_weights(SIZES, SEED))
    step = torch_step(nn.parallel.DistributedDataParallel(model) if parallel else model)
    return step, dict(model.named_parameters())


def batches() -> list[Tensor]:
    """Two epochs of 18 batches of 64 row numbers, the same on every worker; 45 of 1,197 stay out."""
    generator = torch.Generator().manual_seed(SEED)
    return [rows for _ in range(2) for rows in minibatches(18 * 64, 64, generator)]


def two_epochs(step: Step, rank: int = 0, count: int = 1) -> tuple[list[float], float]:
    """Train on examples r, r + n, r + 2n, … of every batch: losses, mean milliseconds per step."""
    x, target = (part.to(torch.get_default_device()) for part in load("digits").train)
    begin = time.perf_counter()
    losses = [
        step(x[rows[rank::count]], target[rows[rank::count]], LR).item()
        for rows in batches()
    ]
    return losses, 1000 * (time.perf_counter() - begin) / len(losses)


def work(folder: str, meeting: str = "env://", dtype: str = "float64") -> None:
    """The life of one worker. It trains four times and leaves its results in `folder`.

    `meeting`: where the workers find each other, a file or, with "env://", the address in the environment.
    """
    torch.set_default_dtype(getattr(torch, dtype))  # this process is the worker's own
    torch.set_num_threads(1)
    os.environ.setdefault(
        "GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo"
    )  # stay at home
    rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    dist.init_process_group(
        "gloo", meeting, timedelta(seconds=60), count, rank
    )  # waits 60 s at most
    results = {}
    for name, (step, params) in {
        "scratch alone": step_by_hand(lambda grads: grads),
        "torch alone": step_by_torch(parallel=False),
        "scratch": step_by_hand(all_reduce_mean),
        "torch": step_by_torch(parallel=True),
    }.items():
        dist.barrier()  # all wait here for the slowest
        if rank == 0 or "alone" not in name:
            losses, ms = (
                two_epochs(step) if "alone" in name else two_epochs(step, rank, count)
            )
            results[name] = {
                "losses": losses,
                "params": {k: p.detach() for k, p in params.items()},
                "ms": ms,
            }
    torch.save(results, Path(folder, f"{rank}.pt"))
    dist.destroy_process_group()


@functools.cache
def run_workers(count: int, dtype: str) -> list[dict[str, Any]]:
    """Start `count` processes, wait for them, collect what they left. They meet at a file in a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = (folder, Path(folder, "meeting").as_uri(), dtype)
        command = [
            sys.executable,
            "-c",
            f"from lessons.lesson23_machines import work; work{arguments}",
        ]
        size = {"WORLD_SIZE": str(count)}
        workers = [
            Popen(command, env=os.environ | size | {"RANK": str(rank)})
            for rank in range(count)
        ]
        try:
            if sum(worker.wait(timeout=240) != 0 for worker in workers):
                raise RuntimeError("a worker failed; its message stands above")
        finally:
            for worker in workers:
                worker.kill()
        return [torch.load(Path(folder, f"{rank}.pt")) for rank in range(count)]


def whole_losses(workers: list[dict[str, Any]], name: str) -> list[float]:
    """The loss of each whole batch: the mean over the workers that had a share in it."""
    losses = [worker[name]["losses"] for worker in workers if name in worker]
    return [sum(shares) / len(shares) for shares in zip(*losses, strict=True)]


@demo
def the_same_losses() -> Table:
    """Four runs in float64: the same losses, but not the same time"""
    workers, rows = run_workers(2, "float64"), []
    for name in ("scratch alone", "torch alone", "scratch", "torch"):
        losses, count = whole_losses(workers, name), 1 if "alone" in name else 2
        rows.append(
            (
                name,
                count,
                f"{losses[1]:.13f}",
                f"{losses[35]:.13f}",
                workers[0][name]["ms"],
            )
        )
    return Table(
        ("run", "processes", "second loss", "last loss", "ms per step"),
        rows,
        "scikit-learn digits",
    )


# %% [markdown]
# Where this was written two processes were the slower ones: the step is so short that sending takes longer
# than computing. It pays when a step's work outlasts its messages: large models and batches, many GPUs.
#
# ## The commands
#
# `torchrun` sets `RANK`, `WORLD_SIZE` and an address, and starts workers. These leave `0.pt` and `1.pt` here:
#
# ```
# torchrun --nproc-per-node=2 --no-python python -c "from lessons.lesson23_machines import work; work('.')"
# ```
#
# Lightning (lesson 18) needs two arguments. It starts a script that ends like this a second time by itself:
#
# ```
# lightning.Trainer(accelerator="cpu", devices=2, strategy="ddp", max_epochs=1).fit(model)
# ```
#
# Lightning hands out r, r + n, … of a newly shuffled order, through PyTorch's `DistributedSampler`. Where the
# numbers do not fit, that repeats examples to keep the shares equal. With our order it finds our weights.
#
# **Several hosts, several GPUs** (not tested here: this was only ever run on one machine, without GPUs). The
# loop stays. `"nccl"`, the backend for NVIDIA's GPUs, replaces `"gloo"`. Each process takes its own GPU:
# `torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))`. Only rank 0 saves. Every host runs the same command:
#
# ```
# torchrun --nnodes=2 --nproc-per-node=4 --rdzv-backend=c10d --rdzv-endpoint=HOST:29400 train.py
# ```
#
# **The learning rate.** Eight workers with shares of 64 make a batch of 512, and an eighth of the steps.
# Goyal et al. (2017, arXiv:1706.02677) multiply the rate by 8, too: if the gradient hardly changes, one long
# step ends near eight short ones. At the start it changes fast, so they raise the rate slowly (*warm-up*).
# It is a rule of thumb: in their tests it held up to batches of about 8,000 and failed beyond.
#
# ## They agree
#
# Two processes by hand, DDP, and one process trained afresh, without workers: in float64 the same losses and
# weights, to one part in a billion.


# %%
def workers_run(case: Case, side: str) -> tuple[list[float], dict[str, Tensor]]:
    """What two workers found, by hand ("scratch") or with DDP ("torch"): losses, and worker 0's weights."""
    workers = run_workers(2, str(case.dtype).removeprefix("torch."))
    params = {
        name: param.to(case.device)
        for name, param in workers[0][side]["params"].items()
    }
    return whole_losses(workers, side), params


def alone_torch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """One process, whole batches: what all the others must equal."""
    step, params = step_by_torch(parallel=False)
    return two_epochs(step)[0], params


PAIRS = [
    function_pair(
        "ring",
        lambda parts: ring(parts)[0][-1],
        lambda parts: parts.sum(0).expand_as(parts),
        lambda case: case.tensor("parts", case.batch, case.n_in),
    ),
    training_pair(
        "by hand, DDP",
        lambda c: workers_run(c, "scratch"),
        lambda c: workers_run(c, "torch"),
    ),
    training_pair(
        "by hand, one process", lambda c: workers_run(c, "scratch"), alone_torch
    ),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - DDP sends early. Backpropagation finishes the last layer's gradients first; DDP packs finished ones into
#   *buckets* and sends them while earlier layers are still busy (Li et al. 2020, arXiv:2006.15704).
# - Before the first step DDP copies worker 0's weights to all. Ours rely on the same seed.
# - DDP takes the plain mean, too. Unequal shares go wrong there as they did above, and nothing warns you.
#
# Next: lesson 24 asks where the time of a step goes, and how much of it can be saved.
