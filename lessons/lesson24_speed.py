# %% [markdown]
# # Lesson 24 · Speed
#
# *Where does the time of a training step go, and how much of it can be saved?*
#
# Needs: lessons 03, 04, 06, 07, 11, 17 · Time: 25 minutes

# %%
import os
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from itertools import pairwise
from time import perf_counter
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, Dataset, TensorDataset

from curriculum.data import Data, load
from curriculum.demo import demo
from curriculum.draw import DATA, OTHER, SCRATCH, TORCH, new_figure
from curriculum.pair import Case, Pair, Results, training_pair
from curriculum.table import Table
from lessons import lesson17_mnist as lesson17
from lessons.lesson04_layers import Linear
from lessons.lesson11_training import minibatches
from lessons.lesson17_mnist import BATCH_SIZE, LR, MLP, SEED, SIZES, Step, TorchMLP

# %% [markdown]
# ## On paper: eight products
#
# Lesson 17's network, 784–128–64–10, learns from a batch of 64 digits. That takes three
# matrix products forward, three for the gradients of the weights, two for the gradients
# of the layers' inputs. (The pixels need none.) A product of (64, 784) and (784, 128)
# has 64 · 128 results of 784 multiplications each. The layer's other products combine
# the same three numbers in another order: they cost the same.
#
# ```python
# >>> layers = [784 * 128, 128 * 64, 64 * 10]
# >>> products = layers + layers + layers[1:]  # forward, weights, inputs
# >>> len(products), 64 * sum(products), round(2 * layers[0] / sum(products), 3)
# (8, 14540800, 0.883)
#
# ```
#
# Eight products, 14,540,800 multiplications and about as many additions; 88.3 % belong
# to the first layer. The time that the eight take alone is our *floor*. It is not a law
# of nature: it is what this library needs, in float32, with one thread. Below, another
# number format breaks through it. The rest of a step is overhead:
#
# - *new memory*: every result gets a tensor of its own;
# - *memory traffic*: ReLU reads each number, does almost nothing and writes it back;
# - *bookkeeping*: Python calls, PyTorch chooses, autograd takes notes.
#
# How much is each? That depends on the machine: measure. First calls are slow, and
# other programs interrupt. They can make a call slower, never quicker. So: one thread,
# warm up, many calls at a time, take turns, take the quickest round.


# %% tags=["hide-input"]
LONGEST_ROUND = 0.03  # seconds of one job in one round


def seconds_a_call(job: Callable[[], Any], calls: int) -> float:
    """The mean over so many calls."""
    begin = perf_counter()
    for _ in range(calls):
        job()
    return (perf_counter() - begin) / calls


def timed(
    jobs: Mapping[str, Callable[[], Any]], calls: int, rounds: int = 5
) -> dict[str, float]:
    """Seconds per call of each job, with one thread: the quickest of `rounds`.

    Jobs take turns: a bad moment hits all alike. Slow jobs are called less often.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    counts = {}
    for name, job in jobs.items():
        job()  # warm
        once = seconds_a_call(job, 1)
        counts[name] = max(1, min(calls, int(LONGEST_ROUND / once)))
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            found[name].append(seconds_a_call(job, counts[name]))
    torch.set_num_threads(threads)
    return {name: min(seconds) for name, seconds in found.items()}


def products(
    sizes: tuple[int, ...], batch: int, dtype: torch.dtype | None = None
) -> dict[str, partial[Tensor]]:
    """The products of a step, ready to run: (m, k) @ (k, n) into a tensor (m, n).

    The numbers are made up. Shapes and layout in memory are those of a real step.
    """
    found = {}
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        h = torch.full((batch, n_in), 0.5, dtype=dtype)
        delta = torch.full((batch, n_out), 0.5, dtype=dtype)
        weight = torch.full((n_out, n_in), 0.5, dtype=dtype)
        sides = {"output": (h, weight.T), "grad_weight": (delta.T, h)}
        if i:
            sides["grad_input"] = (delta, weight)
        for name, (left, right) in sides.items():
            out = torch.empty(len(left), right.shape[1], dtype=dtype)
            found[f"{n_in}→{n_out} {name}"] = partial(torch.mm, left, right, out=out)
    return found


@demo
def eight_products() -> Table:
    """The eight products of a step: shares of the multiplications and of the floor"""
    jobs = products(SIZES, BATCH_SIZE)
    counts = [job.args[0].numel() * job.args[1].shape[1] for job in jobs.values()]
    seconds = timed(jobs, calls=200).values()
    rows = []
    for name, count, time in zip(jobs, counts, seconds, strict=True):
        share = f"{count / sum(counts):.1%}"
        part = f"{time / sum(seconds):.1%}"
        rows.append((name, f"{count:,}", share, f"{1e6 * time:.1f}", part))
    names = ("product", "multiplications", "share", "µs", "share of the floor")
    return Table(names, rows)


# %% [markdown]
# ## The same with PyTorch: a profile
#
# PyTorch's plain way, lesson 17's `torch_step`, is called *eager*. A *profiler* writes
# down every operation and its time:
#
# ```
# with profile(activities=[ProfilerActivity.CPU]) as found:
#     for _ in range(50):
#         step(x, target, 0.01)
# print(found.key_averages().table(sort_by="self_cpu_time_total", row_limit=15))
# ```
#
# *Self* time is that of the operation without those it calls. `mm` and `addmm` are the
# matrix products.
#
# <details><summary>What do you expect? Which share of an eager step with 64 digits are
# the eight products?</summary>
#
# On our machine 45 to 60 %, with 512 digits 70 to 75 %.
#
# </details>


# %% tags=["hide-input"]
PARTS = ("products", "other operations", "between them")


def torch_profile(step: Step, batch: int = BATCH_SIZE, times: int = 5) -> list[float]:
    """The shares of a step's time: products, other operations, what is between them.

    The last is Python, autograd and the optimiser's own code. The profiler takes time
    itself, most where there are many small operations. Of five profiles the quickest
    counts: other programs make one slower, never quicker.
    """
    x = torch.rand(batch, 784)
    target = torch.arange(batch) % 10
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler's own chatter
    every = []
    for _ in range(5):
        with (
            profile(activities=[ProfilerActivity.CPU]) as found,
            record_function("all"),
        ):
            for _ in range(times):
                step(x, target, 0.01)
        events = found.key_averages()
        every.append({event.key: event.self_cpu_time_total for event in events})
    selves = min(every, key=total_of)
    product = sum(selves.get(f"aten::{n}", 0.0) for n in ("mm", "addmm", "addmm_"))
    operations = sum(time for name, time in selves.items() if "aten::" in name)
    total = total_of(selves)
    return [product / total, (operations - product) / total, 1 - operations / total]


def total_of(times: Mapping[str, float]) -> float:
    """All of them together."""
    return sum(times.values())


# %% [markdown]
# ## From scratch
#
# Lesson 17's `MLP` gets a method `step` that does what `scratch_step` does and saves
# what is not a product. $h_i$ is what layer $i$ reads, $\delta_i$ the slope of each
# example's loss along the layer's outputs, $n$ the number of examples. The gradient of
# $W_i$ is $\frac{1}{n} \delta_i^\top h_i$, so descent is
#
# $$W_i \leftarrow W_i - \frac{\eta}{n}\; \delta_i^\top h_i$$
#
# | symbol | in code | shape | lives in |
# |---|---|---|---|
# | $h_0$ | `x` | (batch, sizes[0]) | the caller's memory; only read |
# | $h_i$ | `inputs[i]` | (batch, sizes[i]) | a buffer, later its ReLU's slope |
# | $\delta_i$ | `delta` | (batch, sizes[i + 1]) | a buffer; the last is the logits' |
#
# Six savings, and why each leaves the result alone, up to rounding:
#
# 1. *Buffers.* Results go to tensors made at the first batch of this size (`out=`, and
#    methods that end in `_`). Each is overwritten before it is read.
# 2. *Product and bias in one.* `addmm` computes bias + h Wᵀ, as in lesson 04.
# 3. *ReLU in place.* Its output is above 0 where its input was, and 0 elsewhere: the
#    input need not be kept.
# 4. *Its slope in place.* `sign_` turns what is above 0 into 1 and leaves 0: at exactly
#    0 the slope is 0, as in lesson 03. By then nobody needs the outputs any more.
# 5. *Softmax and its slope in place.* By lesson 06 the slope along the logits is
#    softmax minus 1 at the right class. One buffer becomes z − max z, its exponentials,
#    the probabilities, the slope.
# 6. *The update inside the product.* `addmm_` adds a product to a tensor. The slopes
#    are multiplied by −η/n once, at the logits; from there the factor travels through
#    all products. No gradient is ever stored.
#
# The sixth has a price: gradients that are not stored cannot be clipped, logged or
# given to Adam. And order matters: the slope goes down through $W_i$ as it was in the
# forward pass, so before the update.


# %% tags=["hide-input"]
# For one batch size: each layer's outputs (batch, n_out), the slopes (all but the
# last), ones (batch,).
Buffers = tuple[list[Tensor], list[Tensor], Tensor]


def loss_and_slope(
    logits: Tensor, target: Tensor, ones: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy, and each example's slope, in the memory of `logits`.

    With m = max z: −ln p_t = ln Σ e^(z − m) − (z_t − m). The slope along z is p, at the
    target p − 1.
    """
    right = target[:, None]  # (batch, 1), as are the next two
    at_target = logits.sub_(logits.amax(1, keepdim=True)).gather(1, right)
    total = logits.exp_().sum(1, keepdim=True)
    slope = logits.div_(total).scatter_add_(1, right, -ones[:, None])
    return total.log_().sub_(at_target).mean(), slope


# %%
class FastMLP(MLP):
    """Lesson 17's MLP with a `step` that stores no gradient.

    From the second batch of a size on it makes no new tensor larger than (batch, 1).
    """

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__(sizes)
        self.sizes = sizes
        self.buffers: dict[tuple[int, torch.dtype, torch.device], Buffers] = {}

    def buffers_for(self, x: Tensor) -> Buffers:
        """Those for x's batch size, dtype and device; made when first asked for."""
        key = (len(x), x.dtype, x.device)
        if key not in self.buffers:
            outputs = [x.new_empty(len(x), n_out) for n_out in self.sizes[1:]]
            slopes = [torch.empty_like(out) for out in outputs[:-1]]
            self.buffers[key] = (outputs, slopes, x.new_ones(len(x)))
        return self.buffers[key]

    def step(self, x: Tensor, target: Tensor, lr: float | Tensor) -> Tensor:
        """One step of descent on the mean cross-entropy. Returns the loss before it.

        x: (batch, sizes[0]), of the parameters' dtype; target: (batch,) int64.
        Raises `RuntimeError` where dtypes differ, and outside inference mode after a
        first step inside.

        One example, one weight: z = w·h + b, and δ = ∂L/∂z is known. Then ∂L/∂w = δ·h
        and ∂L/∂b = δ. What goes down to h is δ·w, with w as it was. With n examples the
        mean is a sum times 1/n, and the sum over examples is the product δᵀ @ h.
        """
        outputs, slopes, ones = self.buffers_for(x)
        linears = [layer.params for layer in self.layers[::2]]  # between them ReLUs
        inputs = [x, *outputs[:-1]]
        for i, params in enumerate(linears):
            h = inputs[i].clamp_min_(0) if i else x  # ReLU
            # (n, n_in) @ (n_in, n_out)
            torch.addmm(params["bias"], h, params["weight"].T, out=outputs[i])
        loss, delta = loss_and_slope(outputs[-1], target, ones)
        delta.mul_(-lr / len(x))
        for i in reversed(range(len(linears))):
            weight, bias = linears[i]["weight"], linears[i]["bias"]
            if i:
                # (n, n_out) @ (n_out, n_in) → (n, n_in)
                torch.mm(delta, weight, out=slopes[i - 1])
            weight.addmm_(delta.T, inputs[i])  # (n_out, n) @ (n, n_in)
            bias.addmv_(delta.T, ones)  # (n_out, n) @ (n,): the sum over examples
            if i:
                delta = slopes[i - 1].mul_(inputs[i].sign_())
        return loss


# %% [markdown]
# `loss_and_slope`, the fifth saving, is folded above. Now count: `Counter`, folded
# below, sees each operation before PyTorch runs it, views such as `.T` included.


# %% tags=["hide-input"]
class Counter(TorchDispatchMode):
    """While on (`with`), counts PyTorch's operations and the bytes of new tensors."""

    operations = new_bytes = 0

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = operation(*args, **(kwargs or {}))
        given = (*args, *(kwargs or {}).values())
        known = {
            value.untyped_storage().data_ptr()
            for value in given
            if isinstance(value, Tensor)
        }
        for value in result if isinstance(result, tuple) else (result,):
            if not isinstance(value, Tensor):
                continue
            if value.untyped_storage().data_ptr() not in known:
                self.new_bytes += value.nbytes
        self.operations += 1
        return result


EAGER = "torch, eager"
FLOOR = "the eight products"


def engines(
    sizes: tuple[int, ...] = SIZES,
) -> dict[str, tuple[dict[str, Tensor], Step]]:
    """Parameters and step of three models that start from the same weights."""
    by_torch, by_hand, fast = TorchMLP(sizes), MLP(sizes), FastMLP(sizes)
    for model in (by_torch, by_hand, fast):
        model.load_state_dict(lesson17.first_weights(sizes, SEED))
    return {
        EAGER: (dict(by_torch.state_dict()), lesson17.torch_step(by_torch)),
        "lesson 17 by hand": (by_hand.params, lesson17.scratch_step(by_hand)),
        "FastMLP": (fast.params, fast.step),
    }


@demo
def one_step_four_ways() -> Table:
    """One step on 64 digits: operations, new memory, time"""
    x, target = (part[:BATCH_SIZE] for part in load("digits").train)
    floor = products(SIZES, BATCH_SIZE).values()
    jobs: dict[str, Callable[[], Any]] = {}
    for name, (_, step) in engines().items():
        jobs[name] = partial(step, x, target, 0.01)
    jobs[FLOOR] = lambda: [job() for job in floor]
    seconds = timed(jobs, calls=50)
    rows = []
    for name, job in jobs.items():
        with Counter() as counter:
            job()
        kib = f"{counter.new_bytes / 1024:.1f}"
        time = seconds[name]
        cells = (f"{1e6 * time:.0f}", time / seconds[EAGER])
        rows.append((name, counter.operations, kib, *cells))
    return Table(("one step", "operations", "new KiB", "µs", "× eager"), rows)


@demo
def the_profile() -> Figure:
    """Where a step of 64 digits spends its time, and one of 512"""
    figure, both = new_figure(1, 2, width=4.6, height=2.6)
    for axis, batch in zip(both, (BATCH_SIZE, 512), strict=True):
        x = torch.rand(batch, 784)
        target = torch.arange(batch) % 10
        steps = {name: step for name, (_, step) in engines().items()}
        jobs = {name: partial(step, x, target, 0.01) for name, step in steps.items()}
        times = timed(jobs, calls=20, rounds=3)
        for row, (name, step) in enumerate(steps.items()):
            left = 0.0
            shares = torch_profile(step, batch)
            for share, part, colour in zip(
                shares, PARTS, (DATA, OTHER[0], OTHER[1]), strict=True
            ):
                width = 1e6 * times[name] * share
                label = part if row == 0 else None
                axis.barh(row, width, left=left, color=colour, label=label, height=0.6)
                left += width
        axis.set(yticks=range(3), yticklabels=steps, xlabel="µs per step")
        axis.set_title(f"{batch} digits", fontsize=10)
        axis.invert_yaxis()
    both[1].set_yticklabels([])
    handles = both[0].get_legend_handles_labels()
    figure.legend(*handles, ncols=3, loc="outside lower center", frameon=False)
    return figure


# %% [markdown]
# FastMLP needs fewer operations and makes hardly any new memory. The picture says why
# **larger batches** come nearer to the floor. With eight times the digits the products
# take seven or eight times as long. What is "between them" takes about twice as long.
# (But a larger batch is another training: lesson 11.)
#
# ## Below the floor: products in bf16
#
# *bfloat16*, bf16 for short, is a number of 16 bits: as large and as small as float32,
# but with two to three digits in place of seven. Half the bytes travel, and many CPUs
# and all newer GPUs have instructions that multiply such numbers much faster. The
# products add up in float32 inside. So only the inputs and the result are coarse.
#
# <details><summary>What do you expect of 256 + 1 in bf16? And of 1 − 0.001?</summary>
#
# It has eight binary digits. Above 256 the next number is 258, below 1 it is 0.9961.
#
# ```python
# >>> (torch.tensor(256).bfloat16() + 1).item()
# 256.0
# >>> (torch.tensor(1).bfloat16() - 0.001).item()
# 1.0
#
# ```
#
# </details>
#
# A step of learning is such a "1 − 0.001". So weights stay in float32 (*master
# weights*), and so does the update. Only the products get copies in bf16. This is
# *mixed precision*.


# %%
class Bf16Linear(Linear):
    """Products in bf16; parameters, sums over the batch and results in x's dtype."""

    def forward(self, x: Tensor) -> Tensor:
        self.short_x = x.bfloat16()
        self.short_weight = self.params["weight"].bfloat16()
        y = self.short_x @ self.short_weight.T  # (batch, n_in) @ (n_in, n_out)
        return y.to(x.dtype).add_(self.params["bias"])

    def backward(self, grad_y: Tensor) -> Tensor:
        """As lesson 04's, with rounded factors."""
        self.backward_params(grad_y)
        grad_x = grad_y.bfloat16() @ self.short_weight  # (batch, n_out) @ (n_out, n_in)
        return grad_x.to(grad_y.dtype)

    def backward_params(self, grad_y: Tensor) -> None:
        """∂L/∂weight and ∂L/∂bias."""
        product = grad_y.bfloat16().T @ self.short_x  # (n_out, batch) @ (batch, n_in)
        self.grads = {"weight": product.to(grad_y.dtype), "bias": grad_y.sum(0)}


# %% [markdown]
# In PyTorch two lines choose the format, and one compiles:
#
# ```
# with torch.autocast("cpu", torch.bfloat16):
#     loss = criterion(model(x), target)
# compiled = torch.compile(model)
# ```
#
# **`torch.compile`** watches one call and writes a program for its operations, forward
# and backward. Chains of elementwise operations become one loop that reads and writes
# each number once. The products go to the library as before. It needs a C++ compiler,
# or on a GPU Triton, a compiler for those.
#
# **A fused optimiser**, `SGD(…, fused=True)`, updates all parameters in one call.


# %% tags=["hide-input"]
def bf16_mlp(sizes: tuple[int, ...]) -> MLP:
    """Lesson 17's MLP with `Bf16Linear` in each linear layer's place."""
    model = MLP(sizes)
    layers = list(model.layers)
    layers[::2] = [Bf16Linear(n_in, n_out) for n_in, n_out in pairwise(sizes)]
    model.layers = tuple(layers)
    return model


def torch_step_with(
    model: nn.Module, fused: bool = False, bf16: bool = False
) -> Callable[[Tensor, Tensor], Tensor]:
    """Lesson 17's step, with what makes it faster, or not."""
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, fused=fused or None)

    def step(x: Tensor, target: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = criterion(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def torch_ways(x: Tensor, target: Tensor, compiler: bool) -> dict[str, Any]:
    """PyTorch's rows of the table, ready to run."""
    steps = {
        EAGER: torch_step_with(TorchMLP(SIZES)),
        "torch, fused SGD": torch_step_with(TorchMLP(SIZES), fused=True),
        "torch, bf16 products": torch_step_with(TorchMLP(SIZES), bf16=True),
    }
    if compiler:
        compiled: Any = torch.compile(TorchMLP(SIZES))
        steps["torch.compile"] = torch_step_with(compiled)
    return {name: partial(step, x, target) for name, step in steps.items()}


def speed_table(compiler: bool = False, batches: tuple[int, ...] = (64, 512)) -> Table:
    """A row for each way, µs of a step and multiples of the floor for each batch size.

    `compiler`: also `torch.compile`, which takes half a minute and a C++ compiler.
    """
    found: dict[str, list[str]] = {}
    for batch in batches:
        x = torch.rand(batch, 784)
        target = torch.arange(batch) % 10
        jobs: dict[str, Any] = torch_ways(x, target, compiler)
        ours = {name: step for name, (_, step) in engines().items()}
        del ours[EAGER]
        ours["by hand, bf16 products"] = lesson17.scratch_step(bf16_mlp(SIZES))
        for name, step in ours.items():
            jobs[name] = partial(step, x, target, 0.01)
        for name, dtype in (
            (FLOOR, torch.float32),
            (FLOOR + ", bf16", torch.bfloat16),
        ):
            every = list(products(SIZES, batch, dtype).values())
            jobs[name] = partial(run_all, every)
        seconds = timed(jobs, calls=30, rounds=3)
        for name, time in seconds.items():
            times = f"{time / seconds[FLOOR]:.2f}"
            found.setdefault(name, []).extend((f"{1e6 * time:,.0f}", times))
    heads = [head for size in batches for head in (f"{size} digits: µs", "× floor")]
    return Table(("a step", *heads), [(name, *cells) for name, cells in found.items()])


def run_all(jobs: list[partial[Tensor]]) -> None:
    """One after the other."""
    for job in jobs:
        job()


@demo
def every_way() -> Table:
    """One table for all: a step of 784–128–64–10, with 64 digits and with 512"""
    return speed_table()


# %% [markdown]
# What we see on our machine (two cores of a server CPU with bf16 instructions, one
# thread); yours may differ:
#
# - **bf16 is a matter of size.** With 64 digits it loses: each conversion costs some
#   µs, whatever the size. With 512 it wins: autocast took 0.65 to 0.8 of the eager
#   step, and the products alone half of the floor. On a CPU without such instructions
#   it is hopeless: there one product took 40 times as long as in float32.
# - **`torch.compile` gained nothing here**: 1.0 to 1.2 times the eager step, after 25 s
#   of compiling. There is little to fuse: products and a few ReLUs. To have it as a
#   row: `python -c "from lessons.lesson24_speed import *; print(speed_table(True))"`.
# - **A fused optimiser** saves calls. Here that is within a few percent, either way. It
#   pays with many parameters or with Adam.
# - **FastMLP** saves what is between the products, hence most with small batches.
#
# ## Show it failing once: weights in bf16
#
# `model.bfloat16()` turns *everything* into bf16, weights too. It runs, and saves
# memory. What does it learn? The offline digits, 4 epochs, five starts each, batches of
# 64. "Moved" counts the weights that changed in the first step, of those with a
# gradient other than 0.


# %% tags=["hide-input"]
def torch_learn(dtype: torch.dtype, lr: float, seed: int) -> tuple[float, float]:
    """Weights in this dtype: the share moved by the first step, the loss at the end."""
    x, target = load("digits").train
    model = TorchMLP(SIZES)
    model.load_state_dict(lesson17.first_weights(SIZES, seed))
    model.to(dtype)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr)
    generator = torch.Generator().manual_seed(seed)
    moved = 0.0
    before = [param.detach().clone() for param in model.parameters()]
    for _ in range(4):
        for rows in minibatches(len(x), BATCH_SIZE, generator):
            loss = criterion(model(x[rows].to(dtype)).float(), target[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if not moved:
                found = []
                for param, old in zip(model.parameters(), before, strict=True):
                    assert param.grad is not None
                    found.append((param != old)[param.grad != 0].float())
                moved = torch.cat(found).mean().item()
    with torch.no_grad():
        return moved, criterion(model(x.to(dtype)).float(), target).item()


@cache
def both_formats(lr: float) -> list[list[tuple[float, float]]]:
    """Float32 and bf16, five seeds."""
    return [
        [torch_learn(dtype, lr, seed) for seed in range(5)]
        for dtype in (torch.float32, torch.bfloat16)
    ]


def from_to(values: Iterable[float], digits: int) -> str:
    """The smallest and the largest."""
    ordered = sorted(values)
    return f"{ordered[0]:.{digits}f} to {ordered[-1]:.{digits}f}"


@demo
def weights_in_bf16() -> Table:
    """Learning with weights in float32 and in bf16, from five starts"""
    rows = []
    for lr in (0.02, 0.005):
        wide, short = both_formats(lr)
        for name, runs in (("float32", wide), ("bf16", short)):
            moved = from_to([100 * share for share, _ in runs], 0)
            rows.append((lr, name, moved, from_to([loss for _, loss in runs], 2)))
    return Table(("lr", "weights in", "moved, %", "loss after 4 epochs"), rows)


# %% [markdown]
# Most steps are lost: they are smaller than half the distance to the next number. The
# loss falls all the same, for the large gradients get through, so nobody is warned. In
# each of the five starts it stays higher. At a rate of 0.2 most steps are large enough,
# 75 to 90 % of the weights move, and no difference is left that stands out from the
# seeds.
#
# ## See it: the ladder
#
# Before a step somebody must hand over the digits. Tutorials keep pictures and convert
# each one when it is asked for: to a PIL image, to a tensor, standardised. A
# `DataLoader` asks 64 times and stacks the answers. Below: one epoch of the offline
# digits, 1,197 in 18 batches of 64 and one of 45, five ways, with the same first
# weights and the same order. In float64 they find the same losses.


# %% tags=["hide-input"]
class TorchPictures(Dataset[tuple[Tensor, Tensor]]):
    """Training digits as tutorials keep them: bytes, converted one by one."""

    def __init__(self, data: Data) -> None:
        from torchvision.transforms import Compose, Normalize, ToPILImage, ToTensor

        self.pictures = (255 * data.images(data.train.x)).round().byte()
        self.target = data.train.target
        normalise = Normalize((data.mean,), (data.std,))
        self.transform = Compose([ToPILImage(), ToTensor(), normalise, torch.flatten])

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.transform(self.pictures[index]), self.target[index]


def ladder() -> dict[str, Callable[[], list[float]]]:
    """Five ways through an epoch, the slowest first. Each returns the losses."""
    data = load("digits")
    x, target = data.train
    generator = torch.Generator().manual_seed(SEED)
    order = torch.cat([*minibatches(len(x), BATCH_SIZE, generator)])
    loader = partial(DataLoader, batch_size=BATCH_SIZE, sampler=order.tolist())

    def slices() -> Iterable[Any]:
        return ((x[rows], target[rows]) for rows in order.split(BATCH_SIZE))

    def epoch(
        engine: str, batches: Callable[[], Iterable[Any]]
    ) -> Callable[[], list[float]]:
        _, step = engines()[engine]
        return lambda: [step(x, target, LR).item() for x, target in batches()]

    pictures = partial(loader, TorchPictures(data))
    tensors = partial(loader, TensorDataset(x, target))
    return {
        "pictures, DataLoader,\ntorch, eager": epoch(EAGER, pictures),
        "tensors, DataLoader,\ntorch, eager": epoch(EAGER, tensors),
        **{f"tensors, sliced,\n{name}": epoch(name, slices) for name in engines()},
    }


@demo
def the_ladder() -> Figure:
    """One epoch of 1,197 digits, five ways: what each rung gains"""
    jobs = ladder()
    ms = [1000 * time for time in timed(jobs, calls=1, rounds=3).values()]
    figure, axis = new_figure(width=7.5)
    colours = (TORCH, TORCH, TORCH, SCRATCH, SCRATCH)
    bars = axis.barh(list(jobs), ms, color=colours, height=0.6)
    labels = [f"{ms[0]:.1f} ms"]
    for before, after in pairwise(ms):
        labels.append(f"{after:.1f} ms · {before / after:.1f} × faster")
    axis.bar_label(bars, labels, padding=4)
    axis.set(
        xlabel="milliseconds per epoch (the quickest of 3)", xlim=(0, 1.2 * max(ms))
    )
    axis.invert_yaxis()
    return figure


# %% [markdown]
# The first rungs have nothing to do with learning. Data that fits into memory should be
# converted once. `DataLoader` is for data that does not fit, or that is changed anew
# each time it is shown. `num_workers=4` then lets four processes prepare batches while
# this one learns; starting them costs time at each epoch, unless
# `persistent_workers=True`.
#
# ## Where a GPU differs
#
# We have none here; this is how to measure on one.
#
# - **It works behind your back.** A call returns before the work is done. Whoever stops
#   the time then has measured only the asking. So call `torch.cuda.synchronize()` first
#   (`torch.utils.benchmark.Timer` does). `loss.item()` waits, too: at each step it
#   leaves the GPU idle until Python has asked for more.
# - **Asking is what costs.** A small product can be over before Python has asked for
#   the next. *CUDA graphs* record the operations of one step with the places of their
#   tensors, and later start them all with one call. So tensors must stay in place, as
#   our buffers do, and a falling rate must live in a tensor; our `lr` may be one.
# - **Fusing pays** where much of the time goes into memory traffic or into starting
#   small operations: `torch.compile` can gain there what it does not gain here.
# - **Formats.** bf16 is the usual choice. *TF32* keeps 32 bits and multiplies with 11
#   binary digits: `torch.set_float32_matmul_precision("high")`. With float16, which
#   cannot hold small gradients, the loss is multiplied first (`GradScaler`); bf16 needs
#   none of that.
# - **Feeding it.** Keep the digits on the GPU. If they do not fit: `num_workers`,
#   `pin_memory=True`, `x.to("cuda", non_blocking=True)`.
#
# ## They agree
#
# Three steps, with batches of two sizes. One neuron has only zero weights, so its ReLU
# stands at the kink for every example. Then two epochs of the offline digits. And
# `Bf16Linear` against autograd, on whole numbers, whose sums no order of adding rounds.


# %% tags=["hide-input"]
def three_steps(engine: str, hidden: tuple[int, ...], case: Case) -> Results:
    """The loss of each step, the parameters, and what was handed over, unchanged."""
    params, step = engines((case.n_in, *hidden, case.n_out))[engine]
    for name, param in params.items():
        param.copy_(case.tensor(name, *param.shape))
    params["0.weight"][0] = 0.0
    params["0.bias"][0] = 0.0
    results: Results = {}
    for i, batch in enumerate((case.batch, case.batch + 2, case.batch)):
        x = case.tensor(f"x_{i}", batch, case.n_in)
        target = case.classes(f"target_{i}", batch, case.n_out)
        results[f"loss_{i}"] = step(x, target, 0.1)
        results |= {f"x_{i}": x, f"target_{i}": target}
    return results | params


def digits_run(engine: str, case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """Two epochs on the offline digits; losses and parameters."""
    params, step = engines()[engine]
    return lesson17.short_run(step), params


def whole_numbers(case: Case) -> dict[str, Tensor]:
    """x, weight, bias and the gradient of y, from −4 to 4."""
    shapes = {
        "x": (case.batch, case.n_in),
        "weight": (case.n_out, case.n_in),
        "bias": (1, case.n_out),
        "grad_y": (case.batch, case.n_out),
    }
    drawn = {}
    for name, (rows, columns) in shapes.items():
        numbers = case.classes(name, rows * columns, 9).view(rows, columns) - 4
        drawn[name] = numbers.to(case.dtype)
    drawn["bias"] = drawn["bias"][0]
    return drawn


def bf16_by_hand(case: Case) -> Results:
    """`Bf16Linear` forward and back."""
    given = whole_numbers(case)
    layer = Bf16Linear(case.n_in, case.n_out)
    layer.params = {name: given[name] for name in ("weight", "bias")}
    y = layer.forward(given["x"])
    grad_x = layer.backward(given["grad_y"])
    grads = {f"grad_{name}": grad for name, grad in layer.grads.items()}
    return {"output": y, "grad_x": grad_x, **grads}


def bf16_by_torch(case: Case) -> Results:
    """The same product, and autograd's way back through the conversions."""
    given = whole_numbers(case)
    x, weight, bias = (given[n].requires_grad_() for n in ("x", "weight", "bias"))
    y = nn.functional.linear(x.bfloat16(), weight.bfloat16()).to(case.dtype) + bias
    found = torch.autograd.grad(y, (x, weight, bias), given["grad_y"])
    names = ("grad_x", "grad_weight", "grad_bias")
    return {"output": y, **dict(zip(names, found, strict=True))}


PAIRS = [
    *(
        Pair(
            name,
            partial(three_steps, "FastMLP", hidden),
            partial(three_steps, EAGER, hidden),
        )
        for name, hidden in {
            "one layer": (),
            "two layers": (7,),
            "four layers": (7, 5, 6),
        }.items()
    ),
    Pair("bf16 products", bf16_by_hand, bf16_by_torch),
    training_pair(
        "digits, two epochs",
        partial(digits_run, "FastMLP"),
        partial(digits_run, EAGER),
    ),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - PyTorch keeps the gradients: any optimiser, clipping and logs work. `FastMLP` can do
#   plain descent only.
# - `autocast` adds the bias in bf16, too, and hands bf16 on to the ReLU. The loss it
#   computes in float32.
#
# ## You can now
#
# - profile a step and say which part of it a saving could save;
# - measure fairly: warm, in turns, the quickest, with the floor beside it;
# - say when bf16, a compiler, a larger batch or a `DataLoader` is worth it, and keep
#   the weights in float32.
#
# Exercises: `curriculum start 24a` (momentum inside the product), `24b` (find the bug:
# a slow drift), `24c` (predict, run, explain: master weights) and `24d` (find the bug:
# a look that changes things); `curriculum check 24a` says how far you are.
#
# This is the last lesson. The loop is still that of lesson 11: guess, measure, find the
# blame, adjust. Next: `curriculum bench` times the engines on your machine;
# `models/recipes` holds networks to train.
