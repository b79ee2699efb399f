# %% [markdown]
# # Lesson 24 · Speed
#
# *Where does the time of a training step go, and how much can be saved without changing what is learned?*
#
# Needs: lessons 03, 04, 05, 07, 11, 17 · Time: 25 minutes

# %%
import statistics
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader, Dataset, TensorDataset

from curriculum.data import Data, load
from curriculum.demo import demo
from curriculum.draw import OTHER, SCRATCH, TORCH, new_figure
from curriculum.pair import Case, Pair, Results, training_pair
from curriculum.table import Table
from lessons import lesson17_mnist as lesson17
from lessons.lesson11_training import minibatches
from lessons.lesson17_mnist import BATCH_SIZE, LR, MLP, SEED, SIZES, Step, TorchMLP

# %% [markdown]
# ## The idea
#
# Lesson 17's network, 784–128–64–10, learns from a batch of 64 digits. That takes three matrix products
# forward, three for the gradients of the weights, two for the gradients of the layers' inputs. (The pixels
# need none.) A product of (64, 784) and (784, 128) has 64 · 128 results of 784 multiplications each. The
# layer's other products combine the same three numbers in another order: they cost the same.
#
# ```python
# >>> layers = [784 * 128, 128 * 64, 64 * 10]
# >>> products = layers + layers + layers[1:]  # forward, weights, inputs
# >>> len(products), 64 * sum(products), round(2 * layers[0] / sum(products), 3)
# (8, 14540800, 0.883)
# ```
#
# Eight products, 14,540,800 multiplications and about as many additions; 88.3 % belong to the first layer.
# Whoever wants these gradients needs these products. The time that they take alone is the *floor*. The rest
# is overhead. *New memory*: every result gets a tensor of its own. *Memory traffic*: ReLU reads each number,
# does almost nothing and writes it back. *Bookkeeping*: Python calls, PyTorch chooses, autograd takes notes.
#
# How much is each? That depends on the machine: measure. First calls are slow, and other programs interrupt.
# So: one thread, warm up, many calls at a time (`Timer` does all three), take turns, take the median.


# %%
def timed(
    jobs: Mapping[str, Callable[[], Any]], calls: int, rounds: int = 7
) -> dict[str, float]:
    """Seconds per call of each job: the median of `rounds`. Jobs take turns: a bad moment hits all alike."""
    from torch.utils.benchmark import Timer

    timers = [Timer("job()", globals={"job": job}) for job in jobs.values()]
    seconds = [[timer.timeit(calls).mean for timer in timers] for _ in range(rounds)]
    return dict(
        zip(jobs, map(statistics.median, zip(*seconds, strict=True)), strict=True)
    )


def products(sizes: tuple[int, ...], batch: int) -> dict[str, partial[Tensor]]:
    """The products of a step, ready to run: (m, k) @ (k, n) into a tensor (m, n) that is there already.
    The numbers are made up; shapes and layout in memory are those of a real step."""
    found = {}
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        h, delta, weight = (
            torch.full(s, 0.5) for s in ((batch, n_in), (batch, n_out), (n_out, n_in))
        )
        sides = {
            "output": (h, weight.T),
            "grad_weight": (delta.T, h),
            "grad_input": (delta, weight),
        }
        for name, (left, right) in list(sides.items())[: 3 if i else 2]:
            out = torch.empty(len(left), right.shape[1])
            found[f"{n_in}→{n_out} {name}"] = partial(torch.mm, left, right, out=out)
    return found


@demo
def eight_products() -> Table:
    """The eight products of a step: shares of the multiplications, shares of the floor"""
    jobs = products(SIZES, BATCH_SIZE)
    counts = [
        job.args[0].numel() * job.args[1].shape[1] for job in jobs.values()
    ]  # (m · k) · n
    seconds = timed(jobs, calls=200).values()
    rows = [
        (
            name,
            f"{count:,}",
            f"{count / sum(counts):.1%}",
            f"{1e6 * time:.1f}",
            f"{time / sum(seconds):.1%}",
        )
        for name, count, time in zip(jobs, counts, seconds, strict=True)
    ]
    return Table(
        ("product", "multiplications", "share", "µs", "share of the floor"), rows
    )


# %% [markdown]
# ## From scratch
#
# Lesson 17's `MLP` gets a method `step` that does what `scratch_step` does and saves what is not a product.
# $h_i$ is what layer $i$ reads, $\delta_i$ the slope of each example's loss along the layer's outputs, $n$
# the number of examples. The gradient of $W_i$ is $\frac{1}{n} \delta_i^\top h_i$, so descent is
#
# $$W_i \leftarrow W_i - \frac{\text{lr}}{n}\; \delta_i^\top h_i$$
#
# | symbol | in code | shape | lives in |
# |---|---|---|---|
# | $h_0$ | `x` | (batch, sizes[0]) | the caller's memory; it is only read |
# | $h_i$ | `inputs[i]` | (batch, sizes[i]) | a buffer; later it holds the slope of its ReLU |
# | $\delta_i$ | `delta` | (batch, sizes[i + 1]) | a second buffer; for the last layer that of the logits |
#
# Six savings, and why each leaves the result alone, up to rounding:
#
# 1. *Buffers.* Results go to tensors made at the first batch of this size (`out=`, and methods that end in
#    `_`). Each is overwritten before it is read.
# 2. *Product and bias in one.* `addmm` computes bias + h Wᵀ, as in lesson 04.
# 3. *ReLU in place.* Its output is above 0 where its input was, and 0 elsewhere: the input need not be kept.
# 4. *Its slope in place.* `sign_` turns what is above 0 into 1 and leaves 0: at exactly 0 the slope is 0, as
#    in lesson 03. By then nobody needs the outputs any more.
# 5. *Softmax and its slope in place.* By lesson 05 the slope along the logits is softmax minus 1 at the right
#    class. The logits' buffer becomes, in turn, z − max z, its exponentials, the probabilities, the slope.
# 6. *The update inside the product.* `addmm_` adds a product to a tensor. The slopes are multiplied by −lr/n
#    once, at the logits; from there the factor travels through all products. No gradient is ever stored.
#
# The sixth has a price: gradients that are not stored cannot be clipped, logged or given to Adam. And order
# matters: the slope goes down through $W_i$ as it was in the forward pass, so before the update.


# %%
# For batches of one size: each layer's outputs (batch, n_out), the slopes (all but the last), ones (batch,).
Buffers = tuple[list[Tensor], list[Tensor], Tensor]


class FastMLP(MLP):
    """Lesson 17's MLP with a `step` that stores no gradient. From the second batch of a size on it makes no
    new tensor larger than (batch, 1). `params`, `forward` and `load_state_dict` are those of `MLP`."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__(sizes)
        self.sizes = sizes
        self.buffers: dict[tuple[int, torch.dtype, torch.device], Buffers] = {}

    def buffers_for(self, x: Tensor) -> Buffers:
        """Those for x's batch size, dtype and device; made when first asked for."""
        key = (len(x), x.dtype, x.device)
        if key not in self.buffers:
            outputs = [x.new_empty(len(x), n_out) for n_out in self.sizes[1:]]
            self.buffers[key] = (
                outputs,
                [torch.empty_like(out) for out in outputs[:-1]],
                x.new_ones(len(x)),
            )
        return self.buffers[key]

    def step(self, x: Tensor, target: Tensor, lr: float | Tensor) -> Tensor:
        """One step of descent on the mean cross-entropy. Returns the loss before it, shape ().

        x: (batch, sizes[0]), of the parameters' dtype; target: (batch,) int64; lr: a number or a tensor ().
        Raises `RuntimeError` where dtypes differ, and outside inference mode after a first step inside.

        One example, one weight: z = w·h + b, and δ = ∂L/∂z is known. Then ∂L/∂w = δ·h and ∂L/∂b = δ, so
        w ← w − lr·δ·h and b ← b − lr·δ. What goes down to h is δ·w, with w as it was. With n examples the
        mean over them is a sum times 1/n, and the sum over examples is the matrix product δᵀ @ h.
        """
        outputs, slopes, ones = self.buffers_for(x)
        linears = [
            layer.params for layer in self.layers[::2]
        ]  # between them stand the ReLUs
        inputs = [x, *outputs[:-1]]
        for i, params in enumerate(linears):
            h = inputs[i].clamp_min_(0) if i else x  # ReLU
            torch.addmm(
                params["bias"], h, params["weight"].T, out=outputs[i]
            )  # (n, n_in) @ (n_in, n_out)
        loss, delta = loss_and_slope(outputs[-1], target, ones)
        delta.mul_(-lr / len(x))
        for i in reversed(range(len(linears))):
            weight, bias = linears[i]["weight"], linears[i]["bias"]
            if i:
                torch.mm(
                    delta, weight, out=slopes[i - 1]
                )  # (n, n_out) @ (n_out, n_in) → (n, n_in)
            weight.addmm_(delta.T, inputs[i])  # (n_out, n) @ (n, n_in) → (n_out, n_in)
            bias.addmv_(
                delta.T, ones
            )  # (n_out, n) @ (n,) → (n_out,), the sum over examples
            if i:
                delta = slopes[i - 1].mul_(inputs[i].sign_())
        return loss


def loss_and_slope(
    logits: Tensor, target: Tensor, ones: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy, shape (), and each example's slope (batch, classes), in the memory of `logits`.

    With m = max z: −ln p_t = ln Σ e^(z − m) − (z_t − m). The slope along z is p, at the target p − 1.
    """
    right = target[:, None]  # (batch, 1), as are the next two
    at_target = logits.sub_(logits.amax(1, keepdim=True)).gather(1, right)
    total = logits.exp_().sum(1, keepdim=True)
    slope = logits.div_(total).scatter_add_(1, right, -ones[:, None])
    return total.log_().sub_(at_target).mean(), slope


# %% [markdown]
# ## The same with PyTorch
#
# PyTorch's plain way, lesson 17's `torch_step`, is called *eager*. There are two ways to make it faster.
#
# **`torch.compile(model)`** watches one call and writes a program for its operations, forward and backward.
# Chains of elementwise operations become one loop that reads and writes each number once. The products go to
# the library as before. It needs a C++ compiler, or Triton on a GPU, and the first call takes long.
#
# **CUDA graphs** are for GPUs. There a small product can be over before Python has asked for the next one. A
# graph records the operations of one step with the places of their tensors, and later starts them all with
# one call. So tensors must stay in place, as our buffers do, and each batch is copied into the same one. A
# number such as a falling rate must live in a tensor; our `lr` may be one. (Not measured here.)
#
# ## See it: where the time goes
#
# PyTorch can hand us each operation before it runs. We count them, views such as `.T` included, and the bytes
# of new results. Counts are exact. Times are not: run it twice.


# %%
class Counter(TorchDispatchMode):
    """While on (`with`), counts the operations that PyTorch carries out and the bytes of new tensors."""

    operations = new_bytes = 0

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = operation(*args, **(kwargs or {}))
        given = [
            value
            for value in (*args, *(kwargs or {}).values())
            if isinstance(value, Tensor)
        ]
        known = {value.untyped_storage().data_ptr() for value in given}
        for value in result if isinstance(result, tuple) else (result,):
            if (
                isinstance(value, Tensor)
                and value.untyped_storage().data_ptr() not in known
            ):
                self.new_bytes += value.nbytes
        self.operations += 1
        return result


def engines(
    sizes: tuple[int, ...] = SIZES,
) -> dict[str, tuple[dict[str, Tensor], Step]]:
    """Parameters and step of three models that start from the same weights."""
    by_torch, by_hand, fast = TorchMLP(sizes), MLP(sizes), FastMLP(sizes)
    for model in (by_torch, by_hand, fast):
        model.load_state_dict(lesson17.first_weights(sizes, SEED))
    return {
        "torch, eager": (dict(by_torch.state_dict()), lesson17.torch_step(by_torch)),
        "lesson 17 by hand": (by_hand.params, lesson17.scratch_step(by_hand)),
        "FastMLP": (fast.params, fast.step),
    }


@demo
def one_step_four_ways() -> Table:
    """One step on 64 digits: operations, new memory, time"""
    x, target = (part[:BATCH_SIZE] for part in load("digits").train)
    floor = products(SIZES, BATCH_SIZE).values()
    jobs: dict[str, Callable[[], Any]]
    jobs = {
        name: partial(step, x, target, 0.01) for name, (_, step) in engines().items()
    }
    jobs["the eight products"] = lambda: [job() for job in floor]
    seconds, rows = timed(jobs, calls=50), []
    for name, job in jobs.items():
        with Counter() as counter:
            job()
        time, kib = seconds[name], f"{counter.new_bytes / 1024:.1f}"
        rows.append(
            (
                name,
                counter.operations,
                kib,
                f"{1e6 * time:.0f}",
                time / seconds["torch, eager"],
            )
        )
    return Table(("one step", "operations", "new KiB", "µs", "× eager"), rows)


# %% [markdown]
# The last row is the floor. FastMLP comes closest: fewer operations, hardly any new memory. Larger batches
# push all towards the floor: the bookkeeping is the same for 64 digits as for 512.
#
# ## See it: the ladder
#
# Before a step somebody must hand over the digits. Tutorials keep pictures and convert each one when it is
# asked for: to a PIL image, to a tensor, standardised. A `DataLoader` asks 64 times and stacks the answers.
# Below: one epoch of the offline digits, 1,197 in 18 batches of 64 and one of 45, five ways, with the same
# first weights and the same order. In float64 they find the same losses. In float32 they round differently
# and drift apart, as in lesson 17.


# %%
class TorchPictures(Dataset[tuple[Tensor, Tensor]]):
    """Training digits as tutorials keep them: bytes (count, 28, 28), converted one by one, every time."""

    def __init__(self, data: Data) -> None:
        from torchvision.transforms import Compose, Normalize, ToPILImage, ToTensor

        self.pictures, self.target = (
            (255 * data.images(data.train.x)).round().byte(),
            data.train.target,
        )
        normalise = Normalize((data.mean,), (data.std,))
        self.transform = Compose([ToPILImage(), ToTensor(), normalise, torch.flatten])

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.transform(self.pictures[index]), self.target[index]


def ladder() -> dict[str, Callable[[], list[float]]]:
    """Five ways through an epoch, the slowest first. Each returns the losses; called again, it learns on."""
    data = load("digits")
    x, target = data.train
    order = torch.cat(
        [*minibatches(len(x), BATCH_SIZE, torch.Generator().manual_seed(SEED))]
    )
    loader = partial(DataLoader, batch_size=BATCH_SIZE, sampler=order.tolist())

    def slices() -> Iterable[Any]:
        return ((x[rows], target[rows]) for rows in order.split(BATCH_SIZE))

    def epoch(
        engine: str, batches: Callable[[], Iterable[Any]]
    ) -> Callable[[], list[float]]:
        _, step = engines()[engine]
        return lambda: [
            step(inputs, answers, LR).item() for inputs, answers in batches()
        ]

    return {
        "pictures, DataLoader,\ntorch, eager": epoch(
            "torch, eager", partial(loader, TorchPictures(data))
        ),
        "tensors, DataLoader,\ntorch, eager": epoch(
            "torch, eager", partial(loader, TensorDataset(x, target))
        ),
        **{
            f"tensors, sliced,\n{engine}": epoch(engine, slices) for engine in engines()
        },
    }


@demo
def the_ladder() -> Figure:
    """One epoch of 1,197 digits, five ways: what each rung gains"""
    ms = [1000 * seconds for seconds in timed(ladder(), calls=1, rounds=3).values()]
    figure, axis = new_figure(width=7.5)
    bars = axis.barh(
        list(ladder()),
        ms,
        color=(OTHER[3], OTHER[1], TORCH, OTHER[0], SCRATCH),
        height=0.6,
    )
    gains = [
        "",
        *(f"   {before / after:.1f} × faster" for before, after in pairwise(ms)),
    ]
    axis.bar_label(
        bars,
        [f"{t:.1f} ms{gain}" for t, gain in zip(ms, gains, strict=True)],
        padding=4,
    )
    axis.set(
        xscale="log",
        xlabel="milliseconds per epoch (median of 3)",
        xlim=(min(ms) / 5, 6 * max(ms)),
    )
    axis.invert_yaxis()
    return figure


# %% [markdown]
# The first rungs have nothing to do with learning. Data that fits into memory should be converted once.
# `DataLoader` is for data that does not fit, or that is changed anew each time it is shown.
#
# ## They agree
#
# Three steps, with batches of two sizes. One neuron has only zero weights, so its ReLU stands at the kink for
# every example. Then two epochs of the offline digits.


# %%
def three_steps(engine: str, hidden: tuple[int, ...], case: Case) -> Results:
    """The loss of each step, then the parameters, and what was handed over, which must not have changed."""
    params, step = engines((case.n_in, *hidden, case.n_out))[engine]
    for name, param in params.items():
        param.copy_(case.tensor(name, *param.shape))
    params["0.weight"][0], params["0.bias"][0], results = 0.0, 0.0, dict[str, Tensor]()
    for i, batch in enumerate((case.batch, case.batch + 2, case.batch)):
        x, target = (
            case.tensor(f"x_{i}", batch, case.n_in),
            case.classes(f"target_{i}", batch, case.n_out),
        )
        results |= {
            f"loss_{i}": step(x, target, 0.1),
            f"x_{i}": x,
            f"target_{i}": target,
        }
    return results | params


def digits_run(engine: str, case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """Two epochs on the offline digits; losses and parameters."""
    params, step = engines()[engine]
    return lesson17.short_run(step), params


PAIRS = [
    *(
        Pair(
            name,
            partial(three_steps, "FastMLP", hidden),
            partial(three_steps, "torch, eager", hidden),
        )
        for name, hidden in {
            "one layer": (),
            "two layers": (7,),
            "four layers": (7, 5, 6),
        }.items()
    ),
    training_pair(
        "digits, two epochs",
        partial(digits_run, "FastMLP"),
        partial(digits_run, "torch, eager"),
    ),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - PyTorch keeps the gradients: any optimiser, clipping and logs work. Ours can do plain descent only.
# - `torch.optim.SGD(…, foreach=True)` or `fused=True` updates many parameters in one call.
#
# This is the last lesson. The loop is still that of lesson 11: guess, measure, find the blame, adjust.
# Next: `curriculum bench` times the engines on your machine; `models/recipes` holds networks to train.
