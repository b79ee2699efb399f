# %% [markdown]
# # Lesson 14 · Going deep
#
# *Why does a network of 50 layers learn nothing at all, and what makes it learn?*
#
# Needs: lessons 01, 03, 04, 05, 07, 08, 11 · Time: 25 minutes

# %%
import math
from functools import cache, partial
from itertools import pairwise
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.contracts import shaped
from curriculum.data import load
from curriculum.demo import demo
from curriculum.draw import OTHER, SCRATCH, new_figure
from curriculum.pair import Case, Pair, Results, layer_pair
from curriculum.table import Table
from lessons.lesson01_neuron import Sigmoid
from lessons.lesson03_activations import ReLU
from lessons.lesson04_layers import Linear, Sequential
from lessons.lesson05_losses import CrossEntropyLoss
from lessons.lesson07_descent import SGD, loss_and_grads
from lessons.lesson11_training import accuracy, fit

# %% [markdown]
# ## The idea
#
# Backpropagation multiplies: every layer that the gradient passes is one more factor (lesson 08). The slope
# of the sigmoid is ¼ at most. In a stack of 50 linear layers the gradient of the first passes 48 sigmoids.
# They leave at best a share of 10⁻²⁹, 0.25 to the power of 48. Weights are factors too. A weighted sum $z$
# of $n$ inputs, with random weights around 0, has on average (mixed terms cancel)
#
# $$\mathrm{mean}(z^2) = n \cdot \mathrm{Var}(w) \cdot \mathrm{mean}(x^2)$$
#
# Var is the *variance*, the mean squared distance from the mean. So each layer multiplies the squares by
# $n \cdot \mathrm{Var}(w)$, and ReLU halves them: it sets half of the sums to 0. Lesson 04's start, evenly
# between ±1/√n, has the variance $1/(3n)$. Each layer with ReLU then leaves ⅓ · ½ of the squares, forward and
# back; 48 leave 2 · 10⁻¹⁹ of the numbers, the root of (1/6)⁴⁸: they *vanish*. Above 1, factors *explode*.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\mu$, $v$ | `mean`, `var` | (n,) | mean and variance of each column |
# | $s$ | `deviation` | (n,) | $\sqrt{v + \varepsilon}$; the tiny ε, `eps`, prevents division by 0 |
# | $\hat x$ | `x_hat` | (batch, n) | standardised input: mean 0, variance 1 |
# | $\gamma$, $\beta$ | `weight`, `bias` | (n,) | learned spread and learned centre |
#
# ## From scratch: better first weights
#
# We want the factor 1. Without ReLU, forward needs the variance $1/n_{in}$, backward $1/n_{out}$: it adds up
# over the outputs. Glorot & Bengio (2010, AISTATS) take $2/(n_{in} + n_{out})$: *Xavier*. He et al. (2015,
# arXiv:1502.01852) make up for the half that ReLU removes, $2/n_{in}$: *Kaiming*. Both are first names. Draw
# evenly between ±b, where the variance is $b^2/3$, or from the bell curve ("normal").


# %%
def xavier_uniform_(weight: Tensor, gain: float = 1.0) -> Tensor:
    """Fill weight (n_out, n_in) in place, evenly, with variance gain² · 2 / (n_in + n_out)."""
    shaped("weight", weight, ("n_out", "n_in"))
    bound = math.sqrt(3.0) * (gain * math.sqrt(2.0 / sum(weight.shape)))
    return weight.uniform_(-bound, bound)


def xavier_normal_(weight: Tensor, gain: float = 1.0) -> Tensor:
    """The same variance, from the bell curve."""
    shaped("weight", weight, ("n_out", "n_in"))
    return weight.normal_(0, gain * math.sqrt(2.0 / sum(weight.shape)))


def kaiming_uniform_(weight: Tensor, a: float = 0.0, mode: str = "fan_in") -> Tensor:
    """Fill weight (n_out, n_in) in place, evenly, with variance 2 / (1 + a²) / n_in; a: the slope below 0.

    `mode` "fan_out": n_out in place of n_in, which keeps the size of gradients.
    """
    bound = math.sqrt(3.0) * (math.sqrt(2.0 / (1 + a**2)) / math.sqrt(fan(weight, mode)))
    return weight.uniform_(-bound, bound)


def kaiming_normal_(weight: Tensor, a: float = 0.0, mode: str = "fan_in") -> Tensor:
    """The same variance, from the bell curve."""
    return weight.normal_(0, math.sqrt(2.0 / (1 + a**2)) / math.sqrt(fan(weight, mode)))


def fan(weight: Tensor, mode: str) -> int:
    """The neurons before ("fan_in") or behind ("fan_out") a weight (n_out, n_in)."""
    shaped("weight", weight, ("n_out", "n_in"))
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode is {mode!r}; expected 'fan_in' or 'fan_out'")
    return weight.shape[1] if mode == "fan_in" else weight.shape[0]


# %% [markdown]
# ## From scratch: normalising
#
# First weights set the scale once; learning moves it. *Batch normalisation* (Ioffe & Szegedy 2015,
# arXiv:1502.03167) sets it at every step. It standardises every column over the batch, then lets the network
# choose spread and centre. The column 1, 2, 6 has the mean 3 and the variance (4 + 1 + 9)/3 = 4.667.
# So a row's output depends on the other rows. In use there may be none: the layer then takes averages kept
# from training (*running*; stored in *buffers*, not learned). Hence `train()`, `eval()`. The running variance
# has /(n − 1), here 7. *Layer norm* takes each row alone. A *residual* connection adds x to block(x).


# %%
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


class Norm(Mode):
    """y = γ · (x − μ) / √(v + eps) + β, with μ and v taken along `dim`. x, y: (batch, n)."""

    dim, fixed = 0, False

    def __init__(self, n: int, eps: float = 1e-5) -> None:
        self.params = {"weight": torch.ones(n), "bias": torch.zeros(n)}
        self.grads: dict[str, Tensor] = {}
        self.eps = eps

    def normalise(self, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        self.deviation = (var + self.eps).sqrt()
        self.x_hat = (x - mean) / self.deviation
        return self.x_hat * self.params["weight"] + self.params["bias"]

    def backward(self, grad_y: Tensor) -> Tensor:
        """Write s = √(v + eps), x̂ = (x − μ)/s, y = γ·x̂ + β. The examples share γ and β: ∂L/∂β = Σ grad_y and
        ∂L/∂γ = Σ grad_y·x̂ over the batch. The gradient of x̂ is g = γ·grad_y.
        With μ and v fixed (batch norm in use), ∂x̂/∂x = 1/s, so ∂L/∂x = g/s.
        Else three roads lead from xᵢ to L, and their blame is added. n counts the numbers that share μ and v.
        1. xᵢ itself: gᵢ/s.
        2. Through μ: ∂μ/∂xᵢ = 1/n, and a larger μ lowers every x̂: ∂x̂ⱼ/∂μ = −1/s. Together −Σⱼ gⱼ / (n·s).
           (v does not feel μ: ∂v/∂μ = −2·Σ(xⱼ − μ)/n = 0.)
        3. Through v: ∂v/∂xᵢ = 2(xᵢ − μ)/n. From s² = v + eps, ∂s/∂v = 1/(2s). And ∂x̂ⱼ/∂s = −x̂ⱼ/s.
           Together −Σⱼ gⱼx̂ⱼ · (1/s) · (1/(2s)) · 2(xᵢ − μ)/n = −x̂ᵢ · Σⱼ gⱼx̂ⱼ / (n·s).
        Sum: ∂L/∂xᵢ = (gᵢ − mean(g) − x̂ᵢ · mean(g·x̂)) / s.
        """
        self.grads = {"weight": (grad_y * self.x_hat).sum(0), "bias": grad_y.sum(0)}  # each (n,)
        g = grad_y * self.params["weight"]  # (batch, n)
        if not self.fixed:
            along = (g * self.x_hat).mean(self.dim, keepdim=True)
            g = g - g.mean(self.dim, keepdim=True) - self.x_hat * along
        return g / self.deviation


class BatchNorm1d(Norm):
    """Each column over the batch. `momentum`: the newest batch's share in averages, not lesson 12's.
    None: all batches count the same.

    >>> BatchNorm1d(1).forward(torch.tensor([[1.0], [2.0], [6.0]])).flatten()
    tensor([-0.9258, -0.4629,  1.3887])
    """

    def __init__(self, n: int, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        super().__init__(n, eps)
        self.buffers = {"running_mean": torch.zeros(n), "running_var": torch.ones(n)}
        self.buffers["num_batches_tracked"] = torch.tensor(0)
        self.momentum = momentum

    def forward(self, x: Tensor) -> Tensor:
        shaped("x", x, ("batch", len(self.params["weight"])))
        self.fixed = not self.training
        if self.fixed:
            return self.normalise(x, self.buffers["running_mean"], self.buffers["running_var"])
        if (n := len(x)) < 2:
            raise ValueError(f"batch norm in training needs 2 examples or more, got {n}; in use, call eval()")
        var, mean = torch.var_mean(x, 0, correction=0)  # each (n,); correction 0: divide by the count
        self.buffers["num_batches_tracked"] += 1
        share = 1 / self.buffers["num_batches_tracked"].item() if self.momentum is None else self.momentum
        for name, new in (("running_mean", mean), ("running_var", var * n / (n - 1))):
            self.buffers[name].mul_(1 - share).add_(new, alpha=share)
        return self.normalise(x, mean, var)


class LayerNorm(Norm):
    """Each row by itself (Ba et al. 2016, arXiv:1607.06450): no neighbours, no buffers, modes alike."""

    dim = 1

    def forward(self, x: Tensor) -> Tensor:
        shaped("x", x, ("batch", len(self.params["weight"])))
        var, mean = torch.var_mean(x, 1, correction=0, keepdim=True)  # each (batch, 1)
        return self.normalise(x, mean, var)


class Stack(Mode, Sequential):
    """The `Sequential` of lesson 04, in both modes."""


class Residual(Stack):
    """A way around the block: y = x + block(x), all of one shape (He et al. 2016, arXiv:1512.03385)."""

    params = property(lambda self: {f"block.{key}": p for key, p in self.layers[0].params.items()})
    grads = property(lambda self: {f"block.{key}": g for key, g in self.layers[0].grads.items()})

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(x)

    def backward(self, grad_y: Tensor) -> Tensor:
        """y = x + f(x), so ∂y/∂x = 1 + f′: two roads from x, and the first has no factor at all."""
        return grad_y + super().backward(grad_y)


def deep(
    activation: Any = ReLU, init: Any = kaiming_normal_, norm: Any = None, residual: bool = False,
    sizes: tuple[int, int, int] = (784, 32, 10), depth: int = 50, seed: int = 0,
) -> Stack:  # fmt: skip
    """Linear, then blocks (Linear, perhaps norm, activation), then Linear. `sizes`: n_in, width, n_out."""
    n_in, width, n_out = sizes
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        linears = [Linear(*pair) for pair in pairwise((n_in, *[width] * (depth - 1), n_out))]
        for linear in linears if init else []:  # without init, they keep the start of lesson 04
            init(linear.params["weight"])
            linear.params["bias"].zero_()
    blocks = [Stack(linear, *([norm(width)] if norm else []), activation()) for linear in linears[1:-1]]
    return Stack(linears[0], *(map(Residual, blocks) if residual else blocks), linears[-1])


# %% [markdown]
# ## The same with PyTorch


# %%
class TorchResidual(nn.Module):
    """y = x + block(x)."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)


# %% [markdown]
# ## See it: 50 layers, trick by trick
#
# All networks here have 50 linear layers, 32 neurons wide, and get scikit-learn's digits. First we look at
# the gradients before training, from 128 digits, in float64: below 10⁻³⁸ float32 runs out of digits. Then we
# train on 1,197 digits, three seeds each: plain descent with rate 0.02, three epochs of 19 steps.

# %%
RECIPES: dict[str, dict[str, Any]] = {
    "sigmoid, default start": {"activation": Sigmoid, "init": None},
    "ReLU, default start": {"init": None},
    "ReLU, Kaiming": {},
    "… + batch norm": {"norm": BatchNorm1d},
    "… + batch norm + residual": {"norm": BatchNorm1d, "residual": True},
    "… + layer norm": {"norm": LayerNorm},
    "… + layer norm + residual": {"norm": LayerNorm, "residual": True},
    "… + residual, no norm": {"residual": True},
    "ReLU, weights around ±1": {"init": lambda weight: weight.normal_()},
    "sigmoid, weights around ±5": {"activation": Sigmoid, "init": lambda weight: weight.normal_(0, 5)},
}
digits = cache(partial(load, "digits"))


@cache
def first_gradients(name: str) -> list[Tensor]:
    """∂L/∂weight of each of the 50 layers before training, in float64."""
    x, target = digits().train
    with Case().defaults():
        grads = loss_and_grads(deep(**RECIPES[name]), CrossEntropyLoss(), x[:128].double(), target[:128])[1]
    return [grad for grad in grads.values() if grad.dim() == 2]


@demo
def gradients_by_layer() -> Figure:
    """How large the gradient of each layer is (left), and how its numbers spread"""
    figure, (left, *others) = new_figure(1, 3, width=4.4, height=4.2)
    names = [*list(RECIPES)[:5], *list(RECIPES)[-2:]]
    for name, color in zip(names, (SCRATCH, *OTHER, "0.5", "0.75"), strict=True):
        left.semilogy(range(1, 51), [grad.norm() for grad in first_gradients(name)], color=color, label=name)
    left.set(xlabel="layer (1 is next to the pixels)", title="length of the gradient", ylim=(1e-45, 1e90))
    left.set_yticks([1e-40, 1e-20, 1, 1e20, 1e40])
    left.legend(frameon=False, fontsize=8, loc="upper left")
    for axis, name, color in zip(others, (names[0], names[4]), (SCRATCH, OTHER[3]), strict=True):
        for place, layer in enumerate((1, 10, 20, 30, 40, 50)):
            counts, edges = first_gradients(name)[layer - 1].abs().log10().histogram(60, range=(-45.0, 3.0))
            axis.stairs(0.9 * counts / counts.max() - place, edges, baseline=-place, fill=True, color=color)
        axis.set(title=name, xlabel="power of ten of each number", ylabel="layer", yticks=range(0, -6, -1))
        axis.set_yticklabels((1, 10, 20, 30, 40, 50))
    return figure


@cache
def trained(name: str, seed: int) -> tuple[float, float]:
    """Loss and accuracy on the training digits after 57 steps, in eval mode."""
    (x, target), criterion, model = digits().train, CrossEntropyLoss(), deep(**RECIPES[name], seed=seed)
    fit(model, criterion, SGD(model.params, 0.02), x, target, 3, 64, torch.Generator().manual_seed(seed))
    model.eval()
    logits = model.forward(x)
    return criterion.forward(logits, target).item(), accuracy(logits, target)


@demo
def tricks_at_depth_50() -> Table:
    """What learns at depth 50: layer 1's first gradient, then digits read rightly"""
    rows = []
    for name in list(RECIPES)[:8]:
        (loss, *_), right = trained(name, 0), [f"{trained(name, seed)[1]:.0%}" for seed in range(3)]
        rows.append((name, f"{first_gradients(name)[0].norm():.0e}", f"{loss:.3f}", *right))
    return Table(("network", "gradient", "loss, seed 0", "right, seed 0", "seed 1", "seed 2"), rows)


# %% [markdown]
# A popular account has early gradients *grow* in deep sigmoid stacks. From the default start they vanish: 0.4
# at layer 50, 2 · 10⁻⁴¹ at layer 1. Growth takes weights some 50 times as large; then sigmoids sit near 0 or
# 1. ReLU with weights around ±1 has 10³¹ everywhere. Batch norm alone surprises: its gradient *grows* on
# the way back, to 10⁴, a little at every layer (Yang et al. 2019, arXiv:1902.08129).
#
# Guessing gets 10 %. The two with norm *and* residual connections learn with every seed; take either away and
# 50 layers fail. Without norm, sums reach 10¹² at the start and overflow after one step: `nan`, not a number.
# The numbers of the failing rows hang on the seed: do not rank them. Width, rate and steps matter, too.
#
# ## They agree
#
# A single row in training raises an error, as in PyTorch. The tests also compare ten layers, even trained.


# %%
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


def filled(fill: Any, case: Case) -> Results:
    """A weight (n_out, n_in), drawn with the seed of the case."""
    with torch.random.fork_rng():
        torch.manual_seed(case.seed)
        return {"weight": fill(torch.empty(case.n_out, case.n_in))}


INITS: dict[str, dict[str, Any]] = {
    "xavier_uniform_": {},
    "xavier_normal_": {},
    "kaiming_uniform_": {},
    "kaiming_normal_": {},
    "kaiming_uniform_, to the back": {"mode": "fan_out"},
    "kaiming_normal_, leaky": {"mode": "fan_out", "a": 0.2},
}
OURS = {init.__name__: init for init in (xavier_uniform_, xavier_normal_, kaiming_uniform_, kaiming_normal_)}
PAIRS = [
    *(
        Pair(
            name,
            partial(filled, partial(OURS[name.split(",")[0]], **options)),
            partial(filled, partial(getattr(nn.init, name.split(",")[0]), **options)),
        )
        for name, options in INITS.items()
    ),
    layer_pair("training", lambda c: BatchNorm1d(c.n_in), lambda c: nn.BatchNorm1d(c.n_in), several),
    layer_pair("use", lambda c: used(BatchNorm1d, c), lambda c: used(nn.BatchNorm1d, c)),
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
    layer_pair("layer norm", lambda c: LayerNorm(c.n_in), lambda c: nn.LayerNorm(c.n_in)),
    layer_pair(
        "residual", lambda c: Residual(LayerNorm(c.n_in)), lambda c: TorchResidual(nn.LayerNorm(c.n_in))
    ),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - `nn.Linear` starts with `kaiming_uniform_(weight, a=√5)`: lesson 04's ±1/√n in other words.
# - `nn.BatchNorm1d` also takes (batch, n, length); `nn.LayerNorm` can norm over several last dimensions.
#
# Next: a network that can learn can also learn by heart. Lesson 16 looks for what prevents it.
