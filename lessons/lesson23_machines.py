# %% [markdown]
# # Lesson 23 · More than one machine
#
# *How can several computers train one network, and does it stay the same network?*
#
# Needs: lessons 04, 05, 06, 07, 11, 15, 17 · Time: 25 minutes

# %%
import contextlib
import functools
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.utils.data import DistributedSampler, TensorDataset

from curriculum.data import load
from curriculum.demo import demo
from curriculum.draw import DATA, OTHER, SCRATCH, TORCH, new_figure
from curriculum.drawings import curves
from curriculum.pair import Case, compare, function_pair, training_pair
from curriculum.table import Table
from lessons.lesson04_layers import Linear
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import SGD
from lessons.lesson11_training import minibatches
from lessons.lesson15_normalization import BatchNorm1d, Stack
from lessons.lesson17_mnist import MLP, Step, TorchMLP, first_weights, torch_step

# %% [markdown]
# ## On paper
#
# The gradient of a batch is a mean over its examples. Say four examples have the
# gradients 1, 3, 6 and 2 for some weight: mean 3. Give two each to two *workers*. Each
# takes the mean of its share, then they take the mean of the means. It is 3 again. With
# three examples here and one there it is not:
#
# ```python
# >>> ((1 + 3) / 2 + (6 + 2) / 2) / 2
# 3.0
# >>> round(((1 + 3 + 6) / 3 + 2 / 1) / 2, 4)
# 2.6667
#
# ```
#
# So every worker keeps a copy of the network and finds the gradient of an equal share
# of each batch. They average their gradients and take the same step: the copies stay
# the same. This is *data parallel* training.
#
# | symbol | in code | meaning |
# |---|---|---|
# | $n$ | `count` | how many workers; in PyTorch the *world size* |
# | $r$ | `rank` | a worker's number, 0 to n − 1 |
# | $g_r$ | `grads` | the gradient of worker r's share |
# | $\frac{1}{n} \sum_r g_r$ | `all_reduce_mean(grads)` | the mean, for every worker |
#
# To give every worker the sum of what all hold is called an *all-reduce*.
#
# First without any processes: one network (lesson 17's MLP, 784–32–10), a batch of 64
# offline digits, two shares. Errors are relative to the length of the gradient.


# %% tags=["hide-input"]
SIZES = (784, 32, 10)
LR = 0.2
SEED = 0


def flat_gradient(model: Any, x: Tensor, target: Tensor) -> Tensor:
    """The gradient of the mean loss of these examples, all parameters in one row."""
    criterion = CrossEntropyLoss()
    criterion.forward(model.forward(x), target)
    model.backward(criterion.backward())
    return torch.cat([grad.flatten() for grad in model.grads.values()])


@demo
def shares_must_be_equal() -> Table:
    """One batch of 64, two shares: how wrong is the averaged gradient?"""
    model = MLP(SIZES)
    model.load_state_dict(first_weights(SIZES, SEED))
    x, target = (part[:64] for part in load("digits").train)
    whole = flat_gradient(model, x, target)
    rows = []
    for cut in (32, 48, 63):
        here = flat_gradient(model, x[:cut], target[:cut])
        there = flat_gradient(model, x[cut:], target[cut:])
        part = cut / 64
        cells = []
        for mean in ((here + there) / 2, part * here + (1 - part) * there):
            cells.append(f"{(mean - whole).norm() / whole.norm():.1e}")
        rows.append((f"{cut} + {64 - cut}", *cells))
    names = ("shares", "error of the plain mean", "error when weighted by share")
    return Table(names, rows)


# %% [markdown]
# Equal shares leave only rounding. 63 + 1 makes one example as loud as the other 63
# together. Weighting mends it; equal shares are the usual way, and ours.
#
# ## From scratch: the ring
#
# How do n workers get the sum? If worker 0 adds up and sends the result to all, it
# sends (n − 1) · size numbers, and the others wait. In a *ring* (Patarasuk & Yuan 2009)
# nobody is special. Cut every gradient into n pieces. In each turn every worker sends
# one piece to its right neighbour:
#
# - In the first n − 1 turns the receiver *adds* the piece to its own. Each piece
#   travels round and collects. After that every worker holds one finished piece. This
#   half is called *reduce-scatter*.
# - In n − 1 more turns the finished pieces travel round, and the receiver *replaces*
#   its own: *all-gather*.
#
# In turn t, worker r sends piece (r − t) mod n, in Python `(r - t) % n`. Each of the
# $2(n-1)$ turns costs it size / n numbers. Together that is less than twice the
# gradient, however many workers there are:
#
# $$2\,\frac{n-1}{n} \cdot \text{size}$$


# %%
def ring(parts: Tensor) -> tuple[list[Tensor], list[int]]:
    """What the workers hold before and after each turn, and what each has sent.

    parts: (n, size), a row per worker. In the end every row is the sum:
    >>> history, sent = ring(torch.tensor([[1.0, 2.0], [10.0, 20.0]]))
    >>> history[-1].tolist(), sent
    ([[11.0, 22.0], [11.0, 22.0]], [2, 2])
    """
    count = len(parts)
    held = parts.clone()
    sent = [0] * count
    history = [parts]
    for turn in range(2 * (count - 1)):
        # n pieces (n, size / n); they share the memory of `held`.
        pieces = held.tensor_split(count, dim=1)
        letters = []
        for rank in range(count):
            letters.append(pieces[(rank - turn) % count][rank].clone())
        # All are posted. Now each right neighbour opens its own.
        for rank, letter in enumerate(letters):
            piece = pieces[(rank - turn) % count][(rank + 1) % count]
            piece.copy_(piece + letter if turn < count - 1 else letter)
            sent[rank] += letter.numel()
        history.append(held.clone())
    return history, sent


# %% tags=["hide-input"]
@demo
def pieces_travel_round() -> Figure:
    """Four workers, four pieces: how many gradients are summed in each"""
    figure, axes = new_figure(1, 7, width=1.55, height=2.0)
    history, _ = ring(torch.ones(4, 4))
    for turn, (axis, sums) in enumerate(zip(axes, history, strict=True)):
        axis.imshow(sums.tolist(), cmap="YlGnBu", vmin=0, vmax=6)
        for rank, piece in itertools.product(range(4), range(4)):
            axis.text(piece, rank, int(sums[rank, piece]), ha="center", va="center")
        axis.set_title(f"after turn {turn - 1}" if turn else "start", fontsize=9)
        axis.set(xlabel="piece", xticks=range(4), yticks=range(4))
    axes[0].set_ylabel("worker")
    return figure


# %% [markdown]
# After turn 2 every piece is finished somewhere: a 4 in each row. Three more turns
# carry the 4s to all. The network of this lesson has 25,450 gradients. What the busiest
# worker sends, by way of worker 0 and by ring:
#
# ```python
# >>> for n in (2, 8, 32):
# ...     print(n, "workers:", (n - 1) * 25450, max(ring(torch.zeros(n, 25450))[1]))
# 2 workers: 25450 25450
# 8 workers: 178150 44538
# 32 workers: 788950 49310
#
# ```
#
# ## From scratch: real processes
#
# Two processes share no memory. They talk through `torch.distributed`: `isend` starts
# to send, `recv` waits for what the neighbour sent. What carries the messages is called
# the *backend*; *gloo* is the one for CPUs.


# %%
def ring_all_reduce(mine: Tensor) -> Tensor:
    """Every worker calls this with its tensor (size,) and gets the sum (size,)."""
    rank = dist.get_rank()
    count = dist.get_world_size()
    left = (rank - 1) % count
    result = mine.clone()
    pieces = result.tensor_split(count)
    for turn in range(2 * (count - 1)):
        piece = pieces[(left - turn) % count]  # the one that the left one is sending
        letter = torch.empty_like(piece)
        post = dist.isend(pieces[(rank - turn) % count], (rank + 1) % count)
        dist.recv(letter, left)
        post.wait()  # type: ignore[union-attr]
        piece.copy_(piece + letter if turn < count - 1 else letter)
    return result


def all_reduce_mean(grads: dict[str, Tensor]) -> dict[str, Tensor]:
    """The mean over all workers, by name. All gradients travel as one long row."""
    row = torch.cat([grad.flatten() for grad in grads.values()])
    mean = ring_all_reduce(row) / dist.get_world_size()
    parts = mean.split([grad.numel() for grad in grads.values()])
    named = zip(grads.items(), parts, strict=True)
    return {name: part.view_as(grad) for (name, grad), part in named}


# %% [markdown]
# The step is lesson 11's. Only its last line changes:
# `optimizer.step(all_reduce_mean(model.grads))`. It is folded here.


# %% tags=["hide-input"]
def step_by_hand(
    reduce: Callable[..., dict[str, Tensor]], sizes: tuple[int, ...] = SIZES
) -> tuple[Step, dict[str, Tensor]]:
    """Lesson 11's step with `reduce` put in, and the parameters that it changes."""
    model = MLP(sizes)
    model.load_state_dict(first_weights(sizes, SEED))
    criterion = CrossEntropyLoss()
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
# `DistributedDataParallel`, DDP for short, wraps a model. After `backward`, `.grad`
# holds the mean over all workers. The rest is lesson 17's step.


# %%
def step_by_torch(
    parallel: bool, sizes: tuple[int, ...] = SIZES
) -> tuple[Step, dict[str, Tensor]]:
    """The same with autograd: with DDP, or for one process alone."""
    model = TorchMLP(sizes)
    model.load_state_dict(first_weights(sizes, SEED))
    wrapped: nn.Module = model
    if parallel:
        wrapped = nn.parallel.DistributedDataParallel(model)
    return torch_step(wrapped), dict(model.named_parameters())


def meet(meeting: str) -> tuple[int, int]:
    """Wait for the other workers, 60 s at most. Returns rank and count.

    `meeting`: a file, or "env://": the address that stands in the environment.
    """
    rank = int(os.environ["RANK"])
    count = int(os.environ["WORLD_SIZE"])
    dist.init_process_group("gloo", meeting, timedelta(seconds=60), count, rank)
    return rank, count


# %% [markdown]
# The cell below is folded. It starts two processes that meet, train by hand, train with
# DDP, and leave losses, weights and times in a folder. Worker r trains on the examples
# r, r + n, r + 2n, … of every batch.


# %% tags=["hide-input"]
WIDER = (784, 256, 10)  # for the times
BATCHES = (64, 128, 256, 512, 1024)
ALONE, THREADS = "one process", "one process, two threads"
DDP, HAND = "two processes, DDP", "two processes, ring by hand"


def batches() -> list[Tensor]:
    """Two epochs of 18 batches of 64 row numbers; 45 of the 1,197 stay out."""
    generator = torch.Generator().manual_seed(SEED)
    return [rows for _ in range(2) for rows in minibatches(18 * 64, 64, generator)]


def two_epochs(step: Step, rank: int = 0, count: int = 1) -> tuple[list[float], float]:
    """Train on a worker's share of every batch: losses, mean milliseconds per step."""
    x, target = (part.to(torch.get_default_device()) for part in load("digits").train)
    begin = time.perf_counter()
    losses = []
    for rows in batches():
        mine = rows[rank::count]
        losses.append(step(x[mine], target[mine], LR).item())
    return losses, 1000 * (time.perf_counter() - begin) / len(losses)


def train_four_times(rank: int, count: int) -> dict[str, Any]:
    """Alone and together, by hand and with PyTorch."""
    results = {}
    for name, (step, params) in {
        "scratch alone": step_by_hand(lambda grads: grads),
        "torch alone": step_by_torch(parallel=False),
        "scratch": step_by_hand(all_reduce_mean),
        "torch": step_by_torch(parallel=True),
    }.items():
        alone = "alone" in name
        dist.barrier()  # all wait here for the slowest
        if rank == 0 or not alone:
            losses, ms = two_epochs(step) if alone else two_epochs(step, rank, count)
            kept = {key: param.detach() for key, param in params.items()}
            results[name] = {"losses": losses, "params": kept, "ms": ms}
    return results


def each_time(job: Callable[[], Any], times: int) -> list[float]:
    """Milliseconds of each call."""
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        job()
        found.append(1000 * (time.perf_counter() - begin))
    return found


def spread(times: list[float]) -> list[float]:
    """What a tenth of them stays below, what half does, what nine tenths do."""
    ordered = sorted(times)
    return [ordered[len(ordered) * tenths // 10] for tenths in (1, 5, 9)]


def one_all_reduce(grads: dict[str, Tensor]) -> dict[str, Tensor]:
    """As `all_reduce_mean`, with PyTorch's own all-reduce in place of our ring."""
    row = torch.cat([grad.flatten() for grad in grads.values()])
    dist.all_reduce(row)
    parts = (row / dist.get_world_size()).split([g.numel() for g in grads.values()])
    named = zip(grads.items(), parts, strict=True)
    return {name: part.view_as(grad) for (name, grad), part in named}


def time_messages() -> dict[str, list[float]]:
    """The spread of the ring's milliseconds, for two sizes, call after call."""
    found = {}
    for size in (2, 25_450):
        row = torch.ones(size)
        dist.barrier()
        job = functools.partial(ring_all_reduce, row)
        found[f"{size:,}"] = spread(each_time(job, 60))
    return found


def torch_spreads(rank: int, count: int) -> dict[str, list[float]]:
    """The spread of a step's milliseconds, with a worker's half of 64 digits."""
    x, target = (part[rank:64:count] for part in load("digits").train)
    ways = {
        "none": step_by_hand(lambda grads: grads)[0],
        "ring by hand": step_by_hand(all_reduce_mean)[0],
        "one all_reduce": step_by_hand(one_all_reduce)[0],
        "DDP": step_by_torch(True)[0],
    }
    found = {}
    for name, step in ways.items():
        dist.barrier()
        job = functools.partial(step, x, target, 0.01)
        found[name] = spread(each_time(job, 60))
    return found


def torch_time_steps(rank: int, count: int) -> dict[str, list[float]]:
    """A step's milliseconds, for each of `BATCHES`, four ways: the quickest of three.

    The quickest, not the middle: other programs make a step slower, never quicker.
    """
    ways = {
        ALONE: step_by_torch(False, WIDER)[0],
        THREADS: step_by_torch(False, WIDER)[0],
        DDP: step_by_torch(True, WIDER)[0],
        HAND: step_by_hand(all_reduce_mean, WIDER)[0],
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for batch in BATCHES:
        x = torch.rand(batch, 784)
        target = torch.arange(batch) % 10
        times: dict[str, list[float]] = {name: [] for name in ways}
        for name, step in 3 * list(ways.items()):  # they take turns
            dist.barrier()
            one = "one" in name
            if one and rank:
                continue  # wait at the next barrier
            torch.set_num_threads(2 if name == THREADS else 1)
            rows = slice(None) if one else slice(rank, None, count)
            job = functools.partial(step, x[rows], target[rows], 0.01)
            times[name] += each_time(job, 2)[1:]  # the first does not count
            torch.set_num_threads(1)
        for name in ways:
            if times[name]:
                found[name].append(min(times[name]))
    return found


def torch_accumulate(quiet: bool, rank: int, count: int) -> tuple[int, Tensor]:
    """Four pieces of a worker's 32 examples, one step: all-reduces, and the gradient.

    `quiet`: all but the last piece under `no_sync`.
    """
    sent: list[int] = []

    def hook(state: Any, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
        sent.append(bucket.buffer().numel())
        return allreduce_hook(state, bucket)

    model = TorchMLP(SIZES)
    model.load_state_dict(first_weights(SIZES, SEED))
    parallel = nn.parallel.DistributedDataParallel(model)
    parallel.register_comm_hook(None, hook)
    x, target = (part[rank:64:count] for part in load("digits").train)
    pieces = list(zip(x.chunk(4), target.chunk(4), strict=True))
    for number, (inputs, answers) in enumerate(pieces):
        silent = quiet and number < 3
        with parallel.no_sync() if silent else contextlib.nullcontext():
            (nn.functional.cross_entropy(parallel(inputs), answers) / 4).backward()
    grads = [param.grad for param in model.parameters() if param.grad is not None]
    return len(sent), torch.cat([grad.flatten() for grad in grads])


def work(
    folder: str, meeting: str = "env://", dtype: str = "float64", measure: bool = False
) -> None:
    """The life of one worker. It leaves its results in `folder`.

    `measure`: also time steps and messages, and count all-reduces.
    """
    torch.set_default_dtype(getattr(torch, dtype))  # this process is the worker's own
    torch.set_num_threads(1)
    size = os.environ["WORLD_SIZE"]
    if os.environ.get("LOCAL_WORLD_SIZE", size) == size:  # all are on this machine
        home = "lo0" if sys.platform == "darwin" else "lo"
        os.environ.setdefault("GLOO_SOCKET_IFNAME", home)
    rank, count = meet(meeting)
    results = train_four_times(rank, count)
    if measure:
        for quiet in (False, True):
            results[f"quiet {quiet}"] = torch_accumulate(quiet, rank, count)
        torch.set_default_dtype(torch.float32)
        results["messages"] = time_messages()
        results["spreads"] = torch_spreads(rank, count)
        results["steps"] = torch_time_steps(rank, count)
    torch.save(results, Path(folder, f"{rank}.pt"))
    dist.destroy_process_group()


def born(rank: int, count: int, *arguments: Any) -> None:
    """A worker's first call in its process."""
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(count)}
    work(*arguments)


def start(count: int, *arguments: Any) -> None:
    """Start workers from a process that has loaded everything once, for all of them."""
    from torch.multiprocessing.spawn import start_processes

    torch.set_num_threads(1)
    two_epochs(step_by_torch(parallel=False)[0])  # an optimiser loads much, later
    method = "fork" if sys.platform == "linux" else "spawn"
    start_processes(born, (count, *arguments), nprocs=count, start_method=method)


@functools.cache
def run_workers(
    count: int, dtype: str = "float64", measure: bool = False
) -> list[dict[str, Any]]:
    """Start `count` processes, wait for them, collect what they left."""
    with tempfile.TemporaryDirectory() as folder:
        meeting = Path(folder, "meeting").as_uri()  # a file that does not exist yet
        call = f"start{(count, folder, meeting, dtype, measure)}"
        code = f"from lessons.lesson23_machines import start; {call}"
        # A thread that waits for the other one sleeps; else it keeps a core busy.
        environment = {"OMP_WAIT_POLICY": "passive", **os.environ}
        words = [sys.executable, "-c", code]
        if subprocess.run(words, timeout=240, env=environment).returncode:
            raise RuntimeError("a worker failed; its message stands above")
        return [torch.load(Path(folder, f"{rank}.pt")) for rank in range(count)]


def whole_losses(workers: list[dict[str, Any]], name: str) -> list[float]:
    """The loss of each whole batch: the mean over the workers with a share in it."""
    losses = [worker[name]["losses"] for worker in workers if name in worker]
    return [sum(shares) / len(shares) for shares in zip(*losses, strict=True)]


@demo
def the_same_losses() -> Table:
    """Four runs in float64: the same losses, but not the same time"""
    workers = run_workers(2, measure=True)
    rows = []
    for name in ("scratch alone", "torch alone", "scratch", "torch"):
        losses = whole_losses(workers, name)
        count = 1 if "alone" in name else 2
        ends = (f"{losses[1]:.13f}", f"{losses[35]:.13f}")
        rows.append((name, count, *ends, workers[0][name]["ms"]))
    names = ("run", "processes", "second loss", "last loss", "ms per step")
    return Table(names, rows, "scikit-learn digits")


# %% [markdown]
# It stays the same network. But look at the last column: two processes, each with half
# the work, are *slower*. Why?
#
# ## Why the ring by hand is slower than DDP
#
# <details><summary>What do you expect? The ring takes some time for 25,450 numbers. How
# much less does it take for 2?</summary>
#
# Hardly any less. With our two cores to itself the ring took 0.2 to 0.3 ms for 2, in a
# good moment, and 0.3 to 0.5 for 25,450. Beside other programs both took 2 to 8. It is
# not the numbers that cost, it is the messages.
#
# </details>


# %% tags=["hide-input"]
@demo
def what_messages_cost() -> Table:
    """Milliseconds of a step with half of 64 digits, by how the gradients travel"""
    first = run_workers(2, measure=True)[0]
    rows = []
    for size, times in first["messages"].items():
        rows.append((f"no step, ring of {size} numbers", *times))
    for name, times in first["spreads"].items():
        rows.append((f"step, {name}", *times))
    cells = [(name, *(f"{ms:.2f}" for ms in times)) for name, *times in rows]
    return Table(("", "a tenth is below", "half", "nine tenths"), cells)


# %% [markdown]
# Read across. On a quiet machine a lucky step by ring is as fast as one by DDP. But the
# ring has far more unlucky ones: its slowest tenth took 8 to 11 ms, with `all_reduce`
# in its place 1.3 to 4, over four runs. Beside other programs most are unlucky.
#
# Each process has two threads, yours and the one with which gloo carries letters. That
# makes four threads for two cores. Who needs a core that is busy waits, in the worst
# case until the operating system next shares out time. Here the unlucky times pile up
# at 4 and 8 ms, which looks like just that. The ring has $2(n-1)$ turns, and in each it
# goes back to Python and waits anew: so many chances of bad luck. `dist.all_reduce` is
# a single call for all turns, and DDP makes a single one for all gradients of this
# network. So the ring's idea is right, and our way of carrying it out is what costs.
#
# ## The crossing
#
# Let a step cost $c$ for each of its $B$ examples, and messages $m$, whatever $B$ is.
# One process takes $cB$, two take $cB/2 + m$. Both are equal at $B = 2m/c$. Say
# $c$ is 0.01 ms and $m$ is 2.2 ms:
#
# ```python
# >>> c, m = 0.01, 2.2
# >>> [(B, round(c * B, 1), round(c * B / 2 + m, 1)) for B in (64, 440, 1024)]
# [(64, 0.6, 2.5), (440, 4.4, 4.4), (1024, 10.2, 7.3)]
#
# ```
#
# Now measured, with 784–256–10.


# %% tags=["hide-input"]
def crossing(alone: list[float], together: list[float]) -> float | None:
    """The batch size from which `together` stays faster; None if there is none.

    Between two measured sizes straight lines are drawn, as on the figure's axes.

    >>> crossing([1, 2, 4, 8, 16], [3, 4, 4.5, 6, 9]) is not None
    True
    """
    logs = torch.tensor(BATCHES).log()
    gaps = torch.tensor(together).log() - torch.tensor(alone).log()
    slower = (gaps >= 0).nonzero().flatten().tolist()
    if not slower or slower[-1] == len(BATCHES) - 1:
        return None
    at = slower[-1]
    share = gaps[at] / (gaps[at] - gaps[at + 1])
    return torch.lerp(logs[at], logs[at + 1], share).exp().item()


@demo
def the_crossing() -> Figure:
    """Where two processes overtake one: a training step of 784–256–10, this machine"""
    times = run_workers(2, measure=True)[0]["steps"]
    figure, axis = new_figure(width=7.0, height=4.2)
    colours = {ALONE: DATA, THREADS: OTHER[0], DDP: TORCH, HAND: SCRATCH}
    series = {name: (BATCHES, ms) for name, ms in times.items()}
    curves(axis, series, "examples in a batch", "milliseconds per step", colours)
    axis.set(xscale="log", yscale="log", xticks=BATCHES, xticklabels=BATCHES)
    axis.set(yticks=(1, 2, 5, 10, 20, 50), yticklabels=(1, 2, 5, 10, 20, 50))
    axis.minorticks_off()
    at = crossing(times[ALONE], times[DDP])
    title = "no crossing up to 1,024 examples"
    if at:
        title = f"DDP overtakes one process at about {round(at, -1):.0f} examples"
        axis.axvline(at, color="0.6", linewidth=1)
    axis.set_title(title, fontsize=10)
    return figure


# %% [markdown]
# Left of the crossing one process wins, for the others wait for messages. Right of it
# two win; by the formula they approach half the time. Our quiet runs crossed between
# 360 and 870 examples. While other programs were at work there was no crossing up to
# 1,024: then messages wait longest.
#
# On *one* machine there is a better rival: two threads in one process, which need no
# messages at all. (They, too, wait for each other: beside busy programs ours were no
# quicker than one.) Our two processes only stand in for two machines. Use threads
# within a CPU, processes where memory is not shared: one per GPU, one or more per host.
#
# ## Show it failing once: four pitfalls
#
# None of these raises an error.
#
# **1. Seeds: the weights.** By hand, all copies must start equal. Suppose each worker
# seeds with its rank and *then* makes its weights. They average the gradients of two
# different networks. We imitate two workers within one process, for 20 steps.


# %% tags=["hide-input"]
SMALL = (4, 7, 3)


def copies(case: Case, seeds: tuple[int, ...]) -> tuple[list[float], list[Any]]:
    """Workers with these seeds for their first weights: losses, and their networks."""
    models = []
    for seed in seeds:
        model = MLP(SMALL)
        model.load_state_dict(first_weights(SMALL, seed))
        models.append(model)
    x = case.upstream("x", torch.Size((8, 4)))
    target = case.classes("target", 8, 3)
    losses = []
    for _ in range(20):
        loss = CrossEntropyLoss().forward(models[0].forward(x), target)
        losses.append(loss.item())
        grads = []
        for rank, model in enumerate(models):
            mine = slice(rank, None, len(models))
            grads.append(flat_gradient(model, x[mine], target[mine]))
        mean = ring(torch.stack(grads))[0][-1][0] / len(models)
        for model in models:
            pieces = mean.split([param.numel() for param in model.params.values()])
            for param, piece in zip(model.params.values(), pieces, strict=True):
                param.sub_(piece.view_as(param), alpha=0.5)
    return losses, models


def alone_small_torch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """One process with the weights of seed 0: what the copies must equal."""
    model = TorchMLP(SMALL)
    model.load_state_dict(first_weights(SMALL, 0))
    params: dict[str, Tensor] = dict(model.named_parameters())
    x = case.upstream("x", torch.Size((8, 4)))
    target = case.classes("target", 8, 3)
    losses = []
    for _ in range(20):
        loss = nn.functional.cross_entropy(model(x), target)
        grads = torch.autograd.grad(loss, list(params.values()))
        with torch.no_grad():
            for param, grad in zip(params.values(), grads, strict=True):
                param.sub_(grad, alpha=0.5)
        losses.append(loss.item())
    return losses, params


@demo
def own_first_weights() -> Table:
    """Two workers: with equal first weights, and each with its own"""
    rows = []
    for name, seeds in (("equal", (0, 0)), ("their own", (0, 1))):
        with Case().defaults(), torch.inference_mode():
            losses, (first, second) = copies(Case(), seeds)
        gaps = [
            (first.params[key] - second.params[key]).abs().max().item()
            for key in first.params
        ]

        def together(
            case: Case, seeds: Any = seeds
        ) -> tuple[list[float], dict[str, Tensor]]:
            losses, models = copies(case, seeds)
            return losses, models[0].params

        found = compare(training_pair(name, together, alone_small_torch))
        wrong = [result for result in found if result.problem]
        ends = f"{losses[0]:.2f} → {losses[-1]:.2f}"
        rows.append((name, ends, max(gaps), f"{len(wrong)} of {len(found)} differ"))
    return Table(("first weights", "loss", "copies apart", "compare"), rows)


# %% [markdown]
# The loss falls, so nobody notices. `compare` does: of all losses only the first is
# right. DDP copies worker 0's weights to all at the start, so there it cannot happen.
#
# **Seeds: the noise.** Dropout (lesson 16) and random shifts should *differ* between
# workers. With one seed everywhere both draw the same noise, and a batch of 64 sees
# only 32 draws. So: one seed for the weights, then `seed + rank` for the noise.
#
# ```python
# >>> def noise(seed):
# ...     return torch.rand(3, generator=torch.Generator().manual_seed(seed))
# >>> seed, ranks = 0, (0, 1)
# >>> first, second = (noise(seed) for rank in ranks)  # wrong
# >>> first.equal(second)
# True
# >>> first, second = (noise(seed + rank) for rank in ranks)
# >>> first.equal(second)
# False
#
# ```
#
# **2. `set_epoch`.** PyTorch's `DistributedSampler` gives each worker its share of a
# shuffled order. All must shuffle alike, so the order comes from a seed and a number
# that you set: `sampler.set_epoch(epoch)`. Else each epoch has the same order.


# %% tags=["hide-input"]
@demo
def each_epoch_its_order() -> Table:
    """Seven examples, two workers, two epochs: who gets which?"""
    data = TensorDataset(torch.zeros(7))
    workers: list[Any]
    workers = [DistributedSampler(data, num_replicas=2, rank=r) for r in range(2)]
    rows = []
    for told in (False, True):
        for epoch in range(2):
            for sampler in workers:
                if told:
                    sampler.set_epoch(epoch)
            shares = [str(list(sampler)) for sampler in workers]
            rows.append(("yes" if told else "no", epoch, *shares))
    return Table(("set_epoch", "epoch", "worker 0", "worker 1"), rows)


# %% [markdown]
# One example comes twice: seven are no two equal shares, so it fills up. In an
# evaluation that counts one digit double.
#
# **3. Batch norm** (lesson 15) standardises over the batch, and each worker sees only
# its share. Take 1, 3, 6, 2 once more. The mean is 3, so the second example becomes 0.
# In the share 1, 3 the mean is 2 and the deviation 1: there it becomes 1.
#
# | | mean | variance |
# |---|---|---|
# | all four | 3 | (4 + 0 + 9 + 1) / 4 = 3.5 |
# | share 1, 3 | 2 | 1 |
# | share 6, 2 | 4 | 4 |
#
# The mean of the means is right. The mean of the variances, 2.5, is not. It lacks how
# far the shares' means are apart. Squares do add up: their mean is
# (1 + 9 + 36 + 4) / 4 = 12.5, and 12.5 − 3² = 3.5.


# %%
def mean_and_variance(shares: list[Tensor]) -> Tensor:
    """Of all examples, found by workers that each see one share (batch, n_in).

    Each sends its count, sums and sums of squares. Returns (2, n_in).
    >>> shares = [torch.tensor([[1.0], [3.0]]), torch.tensor([[6.0], [2.0]])]
    >>> mean_and_variance(shares).flatten().tolist()
    [3.0, 3.5]
    """
    rows = []
    for x in shares:
        count = torch.full((1,), float(len(x)))
        rows.append(torch.cat([count, x.sum(0), x.square().sum(0)]))
    total = ring(torch.stack(rows))[0][-1][0]
    mean, squares = (total[1:] / total[0]).chunk(2)
    return torch.stack([mean, squares - mean.square()])


# %% tags=["hide-input"]
@demo
def batch_norm_sees_its_share() -> Table:
    """A batch of 64 in equal shares: how wrong is the averaged gradient?"""
    x, target = (part[:64] for part in load("digits").train)
    rows = []
    for name in ("without batch norm", "with batch norm"):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            middle = [BatchNorm1d(32)] if "with " in name else []
            model = Stack(Linear(784, 32), *middle, Linear(32, 10))
        whole = flat_gradient(model, x, target)
        cells = []
        for count in (2, 4, 8, 16):
            shares = [
                flat_gradient(model, x[rank::count], target[rank::count])
                for rank in range(count)
            ]
            mean = torch.stack(shares).mean(0)
            cells.append(f"{(mean - whole).norm() / whole.norm():.1e}")
        rows.append((name, *cells))
    return Table(("", "2 workers", "4", "8", "16"), rows)


# %% [markdown]
# So with batch norm the result depends on the number of workers. With large shares that
# is often left so. `nn.SyncBatchNorm.convert_sync_batchnorm(model)` does what
# `mean_and_variance` does. (For training it wants GPUs: on a CPU it raises an error.)
# Layer norm looks at one example at a time and has no such trouble.
#
# **4. `no_sync`.** Where memory is short, one adds up the gradients of several pieces
# and takes one step (exercise 11a). DDP then talks after each piece. Only the last talk
# is needed. `with model.no_sync():` around the others leaves theirs out.


# %% tags=["hide-input"]
@demo
def talk_once() -> Table:
    """Four pieces, one step: how often two workers talk, how far results are apart"""
    first = run_workers(2, measure=True)[0]
    always, quietly = first["quiet False"], first["quiet True"]
    gap = (always[1] - quietly[1]).norm() / always[1].norm()
    rows = [
        ("as it comes", always[0], ""),
        ("no_sync for the first three", quietly[0], f"{gap.item():.0e}"),
    ]
    return Table(("", "all-reduces", "gradient apart, relative"), rows)


# %% [markdown]
# ## The commands
#
# `torchrun` sets `RANK`, `WORLD_SIZE` and an address, and starts workers. These leave
# `0.pt` and `1.pt` here:
#
# ```
# torchrun --nproc-per-node=2 --no-python \
#     python -c "from lessons.lesson23_machines import work; work('.')"
# ```
#
# **Two hosts.** Both need the code and the data. The same command is typed on both,
# with `--node-rank=1` on the second. `ADDRESS` is the first one's. The name of the
# network card (`ip address` lists them) tells gloo which way to talk:
#
# ```
# GLOO_SOCKET_IFNAME=eth0 torchrun --nnodes=2 --node-rank=0 --nproc-per-node=2 \
#     --master-addr=ADDRESS --master-port=29500 --no-python \
#     python -c "from lessons.lesson23_machines import work; work('.')"
# ```
#
# We tried this on one computer with two *network namespaces*: each has its own network
# card and address, and a cable between them is all they share. The four workers found
# the losses and weights of one process. Two real hosts, with their delays and
# firewalls, we have not tried, nor several GPUs.
# There `"nccl"`, the backend for NVIDIA's GPUs, replaces `"gloo"`, and each process
# takes its own GPU: `torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))`. Only rank 0
# saves.
#
# **Lightning** (lesson 18) needs two arguments. It starts a script that ends like this
# a second time by itself, and sees to `set_epoch`:
#
# ```
# trainer = L.Trainer(accelerator="cpu", devices=2, strategy="ddp", max_epochs=1)
# trainer.fit(model)
# ```
#
# <details><summary>More: which learning rate?</summary>
#
# Eight workers with shares of 64 make a batch of 512, and an eighth of the steps. Goyal
# et al. (2017, arXiv:1706.02677) multiply the rate by 8, too: if the gradient hardly
# changes, one long step ends near eight short ones. At the start it changes fast, so
# they raise the rate slowly (*warm-up*). It is a rule of thumb: in their tests it held
# up to batches of about 8,000 and failed beyond.
#
# </details>
#
# ## They agree
#
# Two processes by hand, DDP, and one process trained afresh, without workers: in
# float64 the same losses and weights, to one part in a billion.


# %% tags=["hide-input"]
def workers_run(case: Case, side: str) -> tuple[list[float], dict[str, Tensor]]:
    """What two workers found, by hand ("scratch") or with DDP ("torch")."""
    workers = run_workers(2, str(case.dtype).removeprefix("torch."))
    found = workers[0][side]["params"]
    params = {name: param.to(case.device) for name, param in found.items()}
    return whole_losses(workers, side), params


def alone_torch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """One process, whole batches: what all the others must equal."""
    step, params = step_by_torch(parallel=False)
    return two_epochs(step)[0], params


def shares(case: Case) -> list[Tensor]:
    """Three shares of different sizes."""
    sizes = (case.batch, case.batch + 2, 1)
    return [case.tensor(f"share {n}", n, case.n_in) for n in sizes]


def whole_torch(shares: list[Tensor]) -> Tensor:
    """Mean and variance of all rows."""
    variance, mean = torch.var_mean(torch.cat(shares), 0, correction=0)
    return torch.stack([mean, variance])


def two_copies(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """The losses, and worker 1's weights."""
    losses, models = copies(case, (0, 0))
    return losses, models[1].params


PAIRS = [
    function_pair(
        "ring",
        lambda parts: ring(parts)[0][-1],
        lambda parts: parts.sum(0).expand_as(parts),
        lambda case: case.tensor("parts", case.batch, case.n_in),
    ),
    function_pair("batch statistics", mean_and_variance, whole_torch, shares),
    training_pair("two copies, one process", two_copies, alone_small_torch),
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
# - DDP sends early. Backpropagation finishes the last layer's gradients first. DDP
#   sends a full bucket while earlier layers are still busy (Li et al. 2020,
#   arXiv:2006.15704). This network fits into one bucket, so here it gains nothing.
# - DDP takes the plain mean, too. Unequal shares go wrong there as they did above, and
#   nothing warns you.
#
# ## You can now
#
# - share a batch among processes and hosts, and prove that the result is the same;
# - say from $m$ and $c$ when that pays;
# - name four mistakes that raise no error.
#
# Exercises: `curriculum start 23a` (adding in pairs), `23b` (find the bug: the last
# batch) and `23c` (predict, run, explain: a sampler for several workers);
# `curriculum check 23a` says how far you are.
#
# Next: lesson 24 asks where the time of a step goes, and how much of it can be saved.
