# %% [markdown]
# # Lesson 15 · Normalisation and residual connections
#
# *What lets a network of 50 layers learn, and does it need 50 layers?*
#
# Needs: lessons 01, 03, 04, 06, 07, 08, 11, 14 · Time: 25 minutes

# %%
from functools import cache, partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.contracts import shaped
from curriculum.data import load
from curriculum.demo import demo
from curriculum.draw import new_figure
from curriculum.drawings import curves
from curriculum.pair import Case, Pair, layer_pair
from curriculum.table import Table
from lessons.lesson03_activations import ReLU
from lessons.lesson04_layers import Linear, Sequential
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import SGD, loss_and_grads
from lessons.lesson11_training import accuracy, fit
from lessons.lesson14_initialization import kaiming_normal_, similarity

# %% [markdown]
# ## One column, on paper
#
# Lesson 14 chose first weights so that numbers keep their size. Then learning moves the
# weights, and the size drifts again. *Batch normalisation* (Ioffe & Szegedy 2015,
# arXiv:1502.03167) sets it anew at every step.
#
# Take one neuron and a batch of three examples. Its sums are 1, 2 and 6.
#
# | | | |
# |---|---|---|
# | mean | (1 + 2 + 6) / 3 | 3 |
# | variance | ((−2)² + (−1)² + 3²) / 3 | 4.667 |
# | deviation | √4.667 | 2.160 |
# | standardised | −2 / 2.160, −1 / 2.160, 3 / 2.160 | −0.926, −0.463, 1.389 |
#
# Now the column has the mean 0 and the variance 1, whatever the weights did. Perhaps
# the next layer wants another centre or spread. So two learned numbers follow: multiply
# by γ (`weight`, starts at 1) and add β (`bias`, starts at 0).
#
# Two things are new here. First, **an example's output depends on its neighbours** in
# the batch. In use there may be none. So the layer keeps *running* averages of mean and
# variance while it trains, and in use takes those. They are not learned by descent;
# PyTorch calls such numbers *buffers*. And the layer must be told which of the two it
# does: `train()` and `eval()`.
#
# Second, in training the gradient has more than one way from $x_i$ to the loss.
#
# ## Three ways back
#
# Write $\mu$ for the mean (not lesson 12's share) and $s = \sqrt{v + \varepsilon}$ for
# the deviation (the tiny ε, `eps`, prevents a division by 0). Then
# $\hat x = (x - \mu)/s$. Write $g_i$ for the gradient of $\hat x_i$. A
# nudge to one $x_i$ moves three things: $\hat x_i$ itself, the mean, and the variance.
# The chain rule adds the three ways (lesson 08). $n$ is the number of examples.
#
# 1. Through $\hat x_i$ itself: $g_i / s$.
# 2. Through the mean: $\partial\mu/\partial x_i = 1/n$, and a larger mean lowers every
#    $\hat x_j$ by $1/s$ of it. Together $-\frac{1}{s} \cdot \frac{1}{n} \sum_j g_j$.
# 3. Through the variance: $\partial v/\partial x_i = 2(x_i - \mu)/n$,
#    $\partial s/\partial v = 1/(2s)$, and $\partial\hat x_j/\partial s = -\hat x_j/s$.
#    Together $-\frac{1}{s} \cdot \hat x_i \cdot \frac{1}{n} \sum_j g_j \hat x_j$.
#
# The sum of the three:
#
# $$\frac{\partial L}{\partial x_i} = \frac{1}{s}\Bigl(g_i - \mathrm{mean}(g)
# - \hat x_i \cdot \mathrm{mean}(g \hat x)\Bigr)$$
#
# In use mean and variance are fixed numbers. Then only the first way is left.
#
# ## From scratch: normalising
#
# First a few folded lines: a `Mode` has `train()` and `eval()` and hands them on to the
# layers inside.


# %% tags=["hide-input"]
class Mode:
    """In training or in use; the layers inside follow."""

    training = True
    layers: Any = ()

    def train(self, mode: bool = True) -> None:
        self.training = mode
        for layer in self.layers:
            if isinstance(layer, Mode):
                layer.train(mode)

    def eval(self) -> None:
        self.train(False)


# %%
class Norm(Mode):
    """y = γ · (x − μ) / √(v + eps) + β. x, y: (batch, n).

    `dim`: along which mean and variance are taken. `fixed`: they are given, not taken
    from this batch.
    """

    dim = 0
    fixed = False

    def __init__(self, n: int, eps: float = 1e-5) -> None:
        self.params = {"weight": torch.ones(n), "bias": torch.zeros(n)}
        self.grads: dict[str, Tensor] = {}
        self.eps = eps

    def normalise(self, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        self.deviation = (var + self.eps).sqrt()
        self.x_hat = (x - mean) / self.deviation
        return self.x_hat * self.params["weight"] + self.params["bias"]

    def backward(self, grad_y: Tensor) -> Tensor:
        """∂L/∂x = (g − mean(g) − x̂ · mean(g·x̂)) / s, g = γ · grad_y; g / s if fixed.

        All examples share γ and β: ∂L/∂γ = Σ grad_y · x̂ and ∂L/∂β = Σ grad_y.
        """
        weight_per_example = grad_y * self.x_hat  # (batch, n)
        self.grads = {"weight": weight_per_example.sum(0), "bias": grad_y.sum(0)}
        g = grad_y * self.params["weight"]  # (batch, n)
        if not self.fixed:
            through_mean = g.mean(self.dim, keepdim=True)
            through_var = (g * self.x_hat).mean(self.dim, keepdim=True)
            g = g - through_mean - self.x_hat * through_var
        return g / self.deviation


class BatchNorm1d(Norm):
    """Each column over the batch.

    momentum: the newest batch's share in the running averages (not lesson 12's). None:
    all batches count the same.

    >>> BatchNorm1d(1).forward(torch.tensor([[1.0], [2.0], [6.0]])).flatten()
    tensor([-0.9258, -0.4629,  1.3887])
    """

    def __init__(self, n: int, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        super().__init__(n, eps)
        self.momentum = momentum
        self.buffers = {
            "running_mean": torch.zeros(n),
            "running_var": torch.ones(n),
            "num_batches_tracked": torch.tensor(0),
        }

    def forward(self, x: Tensor) -> Tensor:
        shaped("x", x, ("batch", len(self.params["weight"])))
        self.fixed = not self.training
        if self.fixed:
            running = self.buffers["running_mean"], self.buffers["running_var"]
            return self.normalise(x, *running)
        if len(x) < 2:
            raise ValueError(
                f"batch norm in training needs 2 examples or more, got {len(x)}; "
                "in use, call eval()"
            )
        mean = x.mean(0)  # (n,)
        var = x.var(0, correction=0)  # (n,); correction 0: divide by the count
        self.keep(mean, var, len(x))
        return self.normalise(x, mean, var)

    def keep(self, mean: Tensor, var: Tensor, count: int) -> None:
        """Move the running averages. The running variance is the one over count − 1."""
        self.buffers["num_batches_tracked"] += 1
        share = self.momentum
        if share is None:
            share = 1 / self.buffers["num_batches_tracked"].item()
        self.buffers["running_mean"].mul_(1 - share).add_(mean, alpha=share)
        unbiased = var * count / (count - 1)
        self.buffers["running_var"].mul_(1 - share).add_(unbiased, alpha=share)


class LayerNorm(Norm):
    """Each row by itself: no neighbours, no buffers, modes alike.

    Ba, Kiros & Hinton (2016, arXiv:1607.06450).
    """

    dim = 1

    def forward(self, x: Tensor) -> Tensor:
        shaped("x", x, ("batch", len(self.params["weight"])))
        mean = x.mean(1, keepdim=True)  # (batch, 1)
        var = x.var(1, correction=0, keepdim=True)  # (batch, 1)
        return self.normalise(x, mean, var)


# %% [markdown]
# *Layer norm* is the second class: the same formula along the other dimension. Each row
# is standardised over its own $n$ numbers. No neighbour has a say, so there is nothing
# to remember, and training and use are the same. Language models use it for that.
#
# ## From scratch: a way around
#
# Normalising serves the way forward. For the way back there is a simpler idea, the
# *residual connection* (He et al. 2016, arXiv:1512.03385): a block's output is added to
# its input.
#
# $$y = x + f(x) \qquad \frac{\partial y}{\partial x} = 1 + f'(x)$$
#
# On paper: let $f'$ be 0.1 in each of 50 blocks. Without the way around the gradient
# gets $0.1^{50} = 10^{-50}$. With it each block has the factor 1.1, and
# $1.1^{50} = 117$. With $f' = -0.1$ it is $0.9^{50} = 0.005$, far from $10^{-50}$, too.
# While the blocks are small it does not vanish. (At $f' = -1$ it would: $1 - 1 = 0$.)
#
# The block inside: norm, then ReLU, then Linear. This order is called *pre-activation*
# (He et al. 2016, arXiv:1603.05027). Nothing stands on the way around itself, from the
# first layer to the last.


# %%
class Stack(Mode, Sequential):
    """The `Sequential` of lesson 04, in both modes."""


class Residual(Stack):
    """A way around a block: y = x + scale · block(x), all of one shape."""

    def __init__(self, block: Any, scale: float = 1.0) -> None:
        super().__init__(block)
        self.scale = scale

    @property
    def params(self) -> dict[str, Tensor]:
        return {f"block.{name}": p for name, p in self.layers[0].params.items()}

    @property
    def grads(self) -> dict[str, Tensor]:
        return {f"block.{name}": g for name, g in self.layers[0].grads.items()}

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.layers[0].forward(x)

    def backward(self, grad_y: Tensor) -> Tensor:
        """∂L/∂x = grad_y + f′ · scale · grad_y: the first way has no factor at all."""
        return grad_y + self.layers[0].backward(self.scale * grad_y)


def block(norm: Any, width: int) -> Stack:
    """Perhaps a norm, then ReLU, then Linear."""
    before = [norm(width)] if norm else []
    return Stack(*before, ReLU(), started(width, width))


# %% [markdown]
# And the whole network: a Linear, 48 blocks, and at the end norm, ReLU and a last
# Linear.


# %% tags=["hide-input"]
def deep(
    norm: Any = None,
    scale: float | None = None,
    sizes: tuple[int, int, int] = (784, 32, 10),
    depth: int = 50,
    seed: int = 0,
) -> Stack:
    """Linear, then blocks (norm, ReLU, Linear), then norm, ReLU and Linear.

    Args:
        norm: BatchNorm1d or LayerNorm; None for none.
        scale: of the block beside the way around; None for no way around.
        sizes: inputs, width, outputs.
        depth: linear layers in all.
    """
    n_in, width, n_out = sizes
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        first = started(n_in, width)
        blocks = [block(norm, width) for _ in range(depth - 2)]
        last = started(width, n_out)
    if scale is not None:
        blocks = [Residual(inner, scale) for inner in blocks]
    ending = [norm(width)] if norm else []
    return Stack(first, *blocks, *ending, ReLU(), last)


def started(n_in: int, n_out: int) -> Linear:
    """A Linear with Kaiming's weights and no biases (lesson 14)."""
    linear = Linear(n_in, n_out)
    kaiming_normal_(linear.params["weight"])
    linear.params["bias"].zero_()
    return linear


# %% [markdown]
# ## The same with PyTorch
#
# `nn.BatchNorm1d` and `nn.LayerNorm` have the same names inside. A residual connection
# is one line of your own, `return x + self.block(x)`.


# %% tags=["hide-input"]
class TorchResidual(nn.Module):
    """y = x + scale · block(x)."""

    def __init__(self, block: nn.Module, scale: float = 1.0) -> None:
        super().__init__()
        self.block = block
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.block(x)


# %% [markdown]
# ## See it: before training
#
# As in lesson 14: 50 layers of 32 neurons, 128 digits, float64. How alike are two
# different digits behind each block, and how long is the gradient of each layer?

# %% tags=["hide-input"]
SMALL = 50**-0.5  # 1/√50
RECIPES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "batch norm": {"norm": BatchNorm1d},
    "layer norm": {"norm": LayerNorm},
    "way around": {"scale": 1.0},
    "way around, blocks ÷ √50": {"scale": SMALL},
    "way around, blocks silent": {"scale": 0.0},
    "batch norm + way around, blocks silent": {"norm": BatchNorm1d, "scale": 0.0},
    "batch norm + way around": {"norm": BatchNorm1d, "scale": 1.0},
    "layer norm + way around": {"norm": LayerNorm, "scale": 1.0},
}
DRAWN = ("nothing", "batch norm", "way around, blocks ÷ √50", "batch norm + way around")
digits = cache(partial(load, "digits"))


@cache
def watched(name: str) -> tuple[list[float], list[float]]:
    """Similarity behind the first layer and each block; the length of each gradient."""
    x, target = digits().train
    x, target = x[:128].double(), target[:128]
    with Case().defaults():
        network = deep(**RECIPES[name])
        grads = loss_and_grads(network, CrossEntropyLoss(), x, target)[1]
        alike = []
        for layer in network.layers[:49]:
            x = layer.forward(x)
            alike.append(similarity(x))
    return alike, [g.norm().item() for g in grads.values() if g.dim() == 2]


@demo
def before_training() -> Figure:
    """50 layers before training: similarity of two digits, and the gradient"""
    figure, (left, right) = new_figure(1, 2, width=4.3, height=4)
    across = "layer (1 is next to the pixels)"
    curves(
        left,
        {name: watched(name)[0] for name in DRAWN},
        across,
        "similarity of two digits",
    )
    curves(
        right,
        {name: watched(name)[1] for name in DRAWN},
        across,
        "length of the gradient",
    )
    left.get_legend().remove()
    right.get_legend().remove()
    right.set_yscale("log")
    names = left.get_legend_handles_labels()
    figure.legend(*names, loc="outside upper center", ncols=2)
    return figure


# %% [markdown]
# **Batch norm** alone keeps the digits apart: it takes away what they have in common,
# in every layer. But its gradient grows on the way back, from 0.4 at layer 49 to 30,000
# at the pixels. One step of that size destroys everything.
#
# **The way around** with small blocks leaves the digits as they came, and the gradient
# has one length in all blocks. **Both together** keep digits apart *and* gradients
# even.
#
# <details><summary>What do you expect? Which of these will learn: norm alone, the way
# around alone, both?</summary>
#
# Both together learn at the widest range of rates. The norms alone do not learn in so
# few steps. The way around alone learns if its blocks are small and the rate is, too.
#
# </details>
#
# ## See it: after training
#
# Now 57 steps of plain descent, three passes over 1,197 digits, at three rates. The
# share of *unseen* digits that are read rightly:


# %% tags=["hide-input"]
@cache
@torch.inference_mode()  # gradients are by hand: autograd need not look on
def trained(name: str, lr: float, seed: int = 0) -> Stack:
    """A network after three epochs, in use."""
    network = deep(**RECIPES[name], seed=seed)
    generator = torch.Generator().manual_seed(seed)
    optimizer = SGD(network.params, lr)
    fit(network, CrossEntropyLoss(), optimizer, *digits().train, 3, 64, generator)
    network.eval()
    return network


def right(name: str, lr: float, seed: int = 0) -> float:
    """Its accuracy on the validation digits."""
    x, target = digits().val
    return accuracy(trained(name, lr, seed).forward(x), target)


# %% tags=["hide-input"]
RATES = (0.02, 0.1, 0.5)


@demo
def what_learns_at_depth_50() -> Table:
    """50 layers after three epochs: unseen digits read rightly, seed 0"""
    rows = [(name, *(f"{right(name, lr):.0%}" for lr in RATES)) for name in RECIPES]
    return Table(("network", *(f"rate {lr}" for lr in RATES)), rows)


# %% [markdown]
# Guessing gets 10 %. Over five seeds:
#
# - Nothing, norms alone, and a way around with blocks of full size stay below 20 % at
#   each of these rates, and at 0.001, and with Adam at 0.003. With a way around and no
#   norm the numbers double from block to block, and after one step they are no numbers
#   any more (`nan`). Patience helps some: after 30 epochs of Adam at 0.0003 the network
#   with nothing reads 80 to 85 %, layer norm 40 to 46 %, batch norm still 10 to 12 %.
# - Batch norm with a way around reads 90 to 96 % at the rates 0.1 and 0.5. Layer norm
#   with a way around reads 62 to 88 % there.
# - Without any norm, blocks scaled by 1/√50 read 79 to 87 % at rate 0.02, less at
#   0.1, and nothing at 0.5. So a norm is not needed to train 50 layers. It makes
#   larger rates safe.
#
# Now the rows that spoil the story: **blocks silent**. Their outputs are multiplied by
# 0, so 48 of 50 layers do nothing and learn nothing. Without a norm two layers so read
# 86 to 91 % at rate 0.02, more than the scaled blocks. With batch norm they read 93 to
# 97 % at 0.1 and 87 to 97 % at 0.5, as much as the 50 layers that work. The norm helps
# these digits, depth does not. The table shows that 50 layers
# *can* be trained, not that they should be. Problems that need depth are larger.
#
# <details><summary>How firm are these ranks?</summary>
#
# Ranks among the failing rows mean nothing, and other settings move the others: with
# 128 neurons in a layer the scaled blocks read 92 to 93 % at rate 0.02, like the silent
# ones, and with 20 layers batch norm alone reads 60 to 70 %. The tests hold the ranges
# above, with five seeds.
#
# </details>
#
# ## See it: forgotten `eval()`
#
# The commonest mistake with batch norm: a network is used while still in training mode.
# It then standardises by the digits that happen to be in the batch.


# %% tags=["hide-input"]
@demo
@torch.inference_mode()
def forgotten_eval() -> Table:
    """One trained network, 300 unseen digits, three ways to ask it"""
    x, target = digits().val
    network = trained("batch norm + way around", 0.5)
    by_class = target.argsort(stable=True)
    rows = []
    for name, order, training in (
        ("eval()", by_class, False),
        ("still training, all at once", by_class, True),
    ):
        network.train(training)
        rows.append((name, f"{accuracy(network.forward(x[order]), target[order]):.0%}"))
    network.train()
    asked = [network.forward(x[target == digit]) for digit in range(10)]
    hits = sum(
        (logits.argmax(1) == digit).sum().item() for digit, logits in enumerate(asked)
    )
    rows.append(("still training, one kind of digit at a time", f"{hits / len(x):.0%}"))
    network.eval()
    return Table(("asked", "read rightly"), rows)


# %% [markdown]
# All at once the mistake costs little: 300 mixed digits have nearly the mean and
# variance of the training digits. One kind of digit at a time the network is close to
# guessing: the norm subtracts exactly what makes them that kind. Nothing crashes, and
# the training curve looks perfect. `curriculum compare` runs every norm in both modes
# for that reason.
#
# ## They agree
#
# Both norms, in training and in use, the buffers, and the way around. A single row in
# training raises an error, as in PyTorch. The tests also compare networks of ten
# layers, before and during training.


# %% tags=["hide-input"]
def several(case: Case, name: str) -> Tensor:
    """An input (batch + 1, n_in): at least two rows."""
    return case.tensor(name, case.batch + 1, case.n_in)


def used(norm: Any, case: Case) -> Any:
    """A norm after three batches in training, switched to use."""
    layer = norm(case.n_in)
    for number in range(3):
        layer.forward(several(case, f"x{number}"))
    layer.eval()
    return layer


PAIRS = [
    layer_pair(
        "training",
        lambda c: BatchNorm1d(c.n_in),
        lambda c: nn.BatchNorm1d(c.n_in),
        several,
    ),
    layer_pair(
        "use", lambda c: used(BatchNorm1d, c), lambda c: used(nn.BatchNorm1d, c)
    ),
    Pair(
        "kept",
        lambda c: used(BatchNorm1d, c).buffers,
        lambda c: dict(used(nn.BatchNorm1d, c).named_buffers()),
    ),
    Pair(
        "kept, all batches alike",
        lambda c: used(partial(BatchNorm1d, momentum=None), c).buffers,
        lambda c: dict(used(partial(nn.BatchNorm1d, momentum=None), c).named_buffers()),
    ),
    layer_pair(
        "layer norm", lambda c: LayerNorm(c.n_in), lambda c: nn.LayerNorm(c.n_in)
    ),
    layer_pair(
        "residual",
        lambda c: Residual(LayerNorm(c.n_in)),
        lambda c: TorchResidual(nn.LayerNorm(c.n_in)),
    ),
    layer_pair(
        "residual, scaled",
        lambda c: Residual(LayerNorm(c.n_in), SMALL),
        lambda c: TorchResidual(nn.LayerNorm(c.n_in), SMALL),
    ),
]

# %% [markdown]
# <details><summary>More: other orders, and no norm at all</summary>
#
# The first residual networks put ReLU *behind* the sum. Then nothing negative passes,
# and the way around is no longer free; the order used here came a year later.
#
# Norms can be done without if each block starts small. Zhang, Dauphin & Ma (2019,
# arXiv:1901.09321) start the last layer of each block at 0 and call it *Fixup*. Here
# the blocks are scaled by 1/√50, which is a relative of that.
#
# Batch norm alone makes gradients *grow* on the way back, a little at every layer (Yang
# et al. 2019, arXiv:1902.08129).
#
# </details>
#
# ## Where PyTorch differs
#
# - `nn.BatchNorm1d` also takes (batch, n, length), and `nn.LayerNorm` can norm over
#   several last dimensions.
# - Layers have one `training` flag each; `model.eval()` sets all of them, as here.
#
# ## You can now
#
# - standardise a column by hand and say which numbers are learned, which are kept;
# - build a block with a way around, and say why its gradient does not vanish;
# - put a question to any "deeper is better": what does the same network do without its
#   blocks?
#
# Exercises: `curriculum start 15a` (RMSNorm), `15b` (a bug in batch norm), `15c`
# (predict, run, explain), each graded by `curriculum check` and its name.
#
# Next: a network that can learn can also learn by heart. Lesson 16 looks for what
# prevents it.
