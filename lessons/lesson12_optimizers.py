# %% [markdown]
# # Lesson 12 · Optimisers
#
# *What better step can be made of a gradient, and which learning rate should it start with?*
#
# Needs: lessons 04, 05, 07, 11 · Time: 25 minutes

# %%
import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, optim
from torch.optim import lr_scheduler

from curriculum.contracts import within
from curriculum.data import load
from curriculum.demo import demo
from curriculum.draw import OTHER, SCRATCH, new_figure
from curriculum.pair import Pair, function_pair, optimizer_pair
from lessons.lesson04_layers import mlp
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import SGD
from lessons.lesson11_training import Adam, accuracy, linear_decay, minibatches, train_step

# %% [markdown]
# ## The idea
#
# Lesson 07's curvatures 1 and 10 make a narrow valley: across it, steep walls forbid long steps; along it, a
# flat floor needs them. Plain descent has one rate for both, no memory. A better *optimiser* keeps notes.
#
# **Momentum** (Polyak 1964): the *velocity* $v$ adds up past gradients and forgets them slowly. Keep 0.9 of
# it, add the new gradient. Below, `v` gets the gradient 1 five times, `u` gets 1 and −1 in turn:
#
# ```python
# >>> v = u = 0.0
# >>> for step in range(5):
# ...     v, u = 0.9 * v + 1, 0.9 * u + (-1) ** step
# ...     print(f"  {v:.2f} {u:.2f}", end="")
#   1.00 1.00  1.90 -0.10  2.71 0.91  3.44 -0.18  4.10 0.84
# ```
#
# Gradients that agree, as along the floor, pile up, at last to $1 / (1 - 0.9) = 10$ times one of them. Those
# that disagree, as across, cancel to about half of one. Many call it an average, but it is a *sum*: a
# rate of 0.01 reaches as far as 0.1 without. An average takes less of $g$: how much less is the *dampening*.
#
# $$v \leftarrow \mu v + (1 - \tau)\, g \qquad w \leftarrow w - \eta\, v$$
#
# *Nesterov*'s variant (1983) looks ahead: as $v$ will carry the weight on, it steps by $g + \mu v$ at once.
# *Weight decay* pulls weights towards 0, so that none grows without need (lesson 16). It adds $\lambda w$ to
# the gradient: the slope of $\tfrac{1}{2} \lambda w^2$, an extra loss for large weights, known as *L2*.
#
# | symbol | in code | often | meaning |
# |---|---|---|---|
# | $\eta$, $g$ | `lr`, `grad` | | the learning rate; the gradient, shaped like $w$ |
# | $v$, $\mu$ | `velocity`, `momentum` | $\mu$ = 0.9 | past gradients; how much of them is kept |
# | $\tau$, $\lambda$ | `dampening`, `weight_decay` | 0, 0 to 0.1 | what is left out of $g$; the pull to 0 |
#
# ## From scratch


# %%
class MomentumSGD(SGD):
    """Lesson 07's descent with weight decay, momentum, and Nesterov's look ahead. Options as in torch."""

    def __init__(
        self, params: dict[str, Tensor], lr: float, momentum: float = 0, dampening: float = 0,
        weight_decay: float = 0, nesterov: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr)
        within("momentum", momentum)
        within("weight_decay", weight_decay)
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError("nesterov needs a momentum and no dampening")
        self.momentum, self.dampening, self.nesterov = momentum, dampening, nesterov
        self.weight_decay = weight_decay
        self.velocity: dict[str, Tensor] = {}

    def step(self, grads: dict[str, Tensor]) -> None:
        super().step({name: self.direction(name, grads[name]) for name in self.params})

    def direction(self, name: str, grad: Tensor) -> Tensor:
        """What the weight follows in place of its gradient. The shape of the weight, in and out."""
        grad = self.scaled(name, grad + self.weight_decay * self.params[name])
        if self.momentum == 0:
            return grad
        old = self.velocity.get(name)  # there is none yet at the first step: its gradient counts in full
        new = grad if old is None else self.momentum * old + (1 - self.dampening) * grad
        self.velocity[name] = new
        return grad + self.momentum * new if self.nesterov else new

    def scaled(self, name: str, grad: Tensor) -> Tensor:
        return grad  # a place for a step size per weight


# %% [markdown]
# **RMSprop** (Hinton's lectures, 2012) gives each weight its own step size. Its note $s$ (Adam's $v$) is a
# *running average*, mostly the old one, of the *squared* gradient; its root: how large those typically are.
# Divided by it, steep and flat weights take steps of one size. *Centred*, only the gradients' scatter counts.
#
# $$s \leftarrow \alpha s + (1 - \alpha)\, g^2 \qquad w \leftarrow w - \eta\, g / (\sqrt s + \varepsilon)$$
#
# **Adam** (lesson 11) is both: average gradient over typical size, each corrected for its start at 0. With
# *amsgrad* (Reddi and others 2018) the typical size may grow but not shrink. And there are two ways to decay.
# Add $\lambda w$ to the gradient, and Adam divides it, too, by the gradient's typical size: a weight with
# large gradients is hardly pulled. In plain descent $w - \eta (g + \lambda w)$ is $(1 - \eta \lambda) w -
# \eta g$. **AdamW** (Loshchilov and Hutter 2019, arXiv:1711.05101) does the latter: it shrinks the weight by
# the factor $1 - \eta \lambda$, and Adam sees the gradient alone. The decay is *decoupled*.


# %%
class RMSprop(MomentumSGD):
    """A step size per weight. `square`, `mean`: running averages of g² and of g, which start at 0."""

    def __init__(
        self, params: dict[str, Tensor], lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
        weight_decay: float = 0, momentum: float = 0, centered: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, momentum, weight_decay=weight_decay)
        within("alpha", alpha)
        within("eps", eps)
        self.alpha, self.eps, self.centered = alpha, eps, centered
        self.square = {name: torch.zeros_like(param) for name, param in params.items()}
        self.mean = {name: torch.zeros_like(param) for name, param in params.items()}

    def scaled(self, name: str, grad: Tensor) -> Tensor:
        square, mean = self.square[name], self.mean[name]
        square.mul_(self.alpha).addcmul_(grad, grad, value=1 - self.alpha)
        if self.centered:  # the mean of (g − mean)² is the mean of g² less mean²
            square = square - mean.lerp_(grad, 1 - self.alpha) ** 2
        return grad / (square.sqrt() + self.eps)


class AdamL2(Adam):
    """Lesson 11's Adam with weight decay as part of the gradient, and amsgrad: `torch.optim.Adam`."""

    def __init__(
        self, params: dict[str, Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, amsgrad: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps)
        within("weight_decay", weight_decay)
        self.weight_decay, self.amsgrad = weight_decay, amsgrad
        self.largest = {name: torch.zeros_like(param) for name, param in params.items()}

    def step(self, grads: dict[str, Tensor]) -> None:
        super().step({name: grads[name] + self.weight_decay * p for name, p in self.params.items()})

    def typical_square(self, name: str) -> Tensor:
        self.largest[name] = torch.maximum(self.largest[name], self.square[name])
        return self.largest[name] if self.amsgrad else self.square[name]


class AdamW(AdamL2):
    """Adam with decoupled weight decay, 0.01 unless told otherwise.

    Three weights of 1, gradients ± one size in turn: only the decay should show, 0.999¹⁰⁰⁰ = 0.37 be left.
    >>> for kind in (AdamL2, AdamW):
    ...     optimizer = kind({"w": torch.ones(3)}, lr=0.01, weight_decay=0.1)
    ...     for step in range(1000):
    ...         optimizer.step({"w": torch.tensor([0.01, 1.0, 100.0]) * (-1) ** step})
    ...     print([round(w, 2) for w in optimizer.params["w"].tolist()])
    [0.0, 0.36, 0.97]
    [0.36, 0.36, 0.36]
    """

    def __init__(self, params: dict[str, Tensor], lr: float = 1e-3, **options: Any) -> None:
        super().__init__(params, lr, **{"weight_decay": 1e-2, **options})

    def step(self, grads: dict[str, Tensor]) -> None:
        for param in self.params.values():
            param.mul_(1 - self.lr * self.weight_decay)
        Adam.step(self, grads)  # past AdamL2, which would decay once more


# %% [markdown]
# ## See it: down a narrow valley
#
# Curvatures 1 and 25, 40 steps. Each optimiser has the rate, out of 17 from 0.001 to 10,
# that ended lowest in the upper valley. Below, the same valley is turned by 45°. All this
# in float64: RMSprop's steps hardly shrink, and at some rates its end is a matter of rounding.

# %%
CURVATURES = [[[1.0, 0.0], [0.0, 25.0]], [[13.0, -12.0], [-12.0, 13.0]]]  # loss ½ wᵀ c w, gradient c w
STARTS = [[4.0, 1.0], [3 / 2**0.5, 5 / 2**0.5]]
WALKERS: dict[str, Any] = {
    "SGD": partial(SGD, lr=10**-1.25),
    "momentum 0.8": partial(MomentumSGD, lr=10**-1.5, momentum=0.8),
    "Nesterov 0.8": partial(MomentumSGD, lr=10**-1.5, momentum=0.8, nesterov=True),
    "RMSprop, α = 0.9": partial(RMSprop, lr=10**-0.75, alpha=0.9),
    "Adam": partial(Adam, lr=10**-0.5),
}


@demo
def down_the_valley() -> Figure:
    """Five ways down a straight valley and a turned one; the loss after 40 steps"""
    figure, axes = new_figure(2, 5, width=2.5, height=2.75)
    a, b = torch.meshgrid(torch.linspace(-3, 5, 90), torch.linspace(-4, 4, 90), indexing="xy")
    for column, (name, make) in enumerate(WALKERS.items()):
        for axis, curvature, start in zip(axes[:, column], CURVATURES, STARTS, strict=True):
            c = torch.tensor(curvature, dtype=torch.float64)
            w = torch.tensor(start, dtype=torch.float64)
            optimizer, path = make({"w": w}), [w.clone()]
            for _ in range(40):
                optimizer.step({"w": c @ w})  # (2, 2) @ (2,) → (2,)
                path.append(w.clone())
            height = (c[0, 0] * a**2 + 2 * c[0, 1] * a * b + c[1, 1] * b**2) / 2
            axis.contour(a, b, height, levels=[0.5, 2, 6, 14, 30, 60], colors="0.85", linewidths=0.8)
            axis.plot(*torch.stack(path).T, "o-", color=SCRATCH, markersize=2.5, linewidth=0.9)
            axis.plot(0, 0, "+", color=OTHER[3], markersize=11, markeredgewidth=1.5)
            axis.set(xlim=(-3, 5), ylim=(-4, 4), xticks=[], yticks=[], xlabel=f"loss {w @ c @ w / 2:.1g}")
        axes[0, column].set_title(f"{name}\nrate {make.keywords['lr']:.2g}", fontsize=10)
    return figure


# %% [markdown]
# Momentum beats plain descent a hundredfold, Nesterov a thousandfold, however the valley lies. RMSprop and
# Adam do care: a step size per weight helps where the steep direction *is* a weight. Turned, RMSprop ends
# thousands of times higher. Adam hardly beats plain descent here. It has other merits, as we will see.
#
# ## See it: schedules
#
# A *schedule* says which rate a step has. Lesson 11 had `linear_decay`. Others drop to a tenth now and then,
# or follow half a cosine wave. *One cycle* (Smith 2018, arXiv:1803.09820) starts small, rises, and falls to
# almost nothing, while the momentum goes from 0.95 to 0.85 and back. Below, a constant 0.1 fails from some
# starts, the four others from none. Six runs cannot rank them. (Lesson 11's scans, enlarged to 28 × 28.)


# %%
def step_decay(lr: float, step: int, size: int, gamma: float = 0.1) -> float:
    """Every `size` steps the rate is multiplied by `gamma`."""
    return lr * gamma ** (step // size)


def cosine(lr: float, step: float, steps: float, end: float = 0) -> float:
    """From `lr` to `end` in `steps` steps, slowly at first and at last."""
    return end + (lr - end) * (1 + math.cos(math.pi * step / steps)) / 2


def one_cycle(lr: float, step: int, steps: int, low: float = 1 / 25, end: float = 1 / 25e4) -> float:
    """From `low` · lr up to `lr` in the first 30 % of the steps, then down to `end` · lr."""
    top = 0.3 * steps - 1
    if step <= top:
        return cosine(low * lr, step, top, lr)
    return cosine(lr, step - top, steps - 1 - top, end * lr)


SCHEDULES: dict[str, tuple[list[float], Any]] = {  # our rates for five epochs, and PyTorch's schedule
    "constant": ([0.1] * 190, lambda o: lr_scheduler.ConstantLR(o, factor=1)),
    "linear": ([linear_decay(0.1, t, 190) for t in range(190)], lambda o: lr_scheduler.PolynomialLR(o, 190)),
    "step": ([step_decay(0.1, t, 64) for t in range(190)], lambda o: lr_scheduler.StepLR(o, 64)),
    "cosine": ([cosine(0.1, t, 190) for t in range(190)], lambda o: lr_scheduler.CosineAnnealingLR(o, 190)),
    "1cycle": ([one_cycle(0.1, t, 190) for t in range(190)], lambda o: lr_scheduler.OneCycleLR(o, 0.1, 190)),
}
digits = cache(load)


def learn(make: Any, seed: int, rates: list[float]) -> tuple[list[float], float]:
    """784–64–10 on 1,197 digits, one rate per step: the losses, and the share of 300 others read rightly."""
    (x, target), val, losses = digits("digits").train, digits("digits").val, []
    model, generator = mlp(784, 64, 10, seed=seed), torch.Generator().manual_seed(seed)
    batches = (index for _ in rates[::38] for index in minibatches(len(x), 32, generator))
    optimizer = make(model.params)
    for lr, index in zip(rates, batches, strict=True):
        optimizer.lr = lr
        losses.append(train_step(model, CrossEntropyLoss(), optimizer, x[index], target[index]).item())
    return losses, accuracy(model.forward(val.x), val.target)


@demo
def schedules() -> Figure:
    """Five schedules for 190 steps, and six runs of plain descent with each"""
    figure, (left, right) = new_figure(1, 2, width=4.6)
    for row, (rates, _) in enumerate(SCHEDULES.values()):
        left.plot(rates, color=(SCRATCH, *OTHER)[row])
        shares = [learn(partial(SGD, lr=0.1), seed, rates)[1] for seed in range(6)]
        right.plot(shares, [row] * 6, "o", color=(SCRATCH, *OTHER)[row], alpha=0.6)
    left.set(xlabel="step", ylabel="rate")
    right.set(xlabel="share read rightly", yticks=range(5), yticklabels=SCHEDULES, ylim=(4.5, -0.5))
    return figure


# %% [markdown]
# ## See it: the first rate to try
#
# People say: start at 0.001 with Adam, at 0.1 with SGD. We try nine rates, three starts each, three epochs. A
# *learning-rate finder* is cheaper (after Smith 2017, arXiv:1506.01186): one short run, in which the rate
# grows by a factor per step. Where the loss is lowest, harm is near. A rule of thumb takes a tenth of that.


# %%
CONTENDERS: dict[str, Any] = {"SGD": partial(SGD, lr=0.1), "Adam": partial(Adam, lr=0.001)}
CONTENDERS["momentum 0.9"] = partial(MomentumSGD, lr=0.1, momentum=0.9)


def find(make: Any) -> tuple[list[float], list[float], float]:
    """152 rates from 1e-6 to 10, the losses on the way as a running average, and the rate to try."""
    rates, smooth = [1e-6 * 1e7 ** (step / 151) for step in range(152)], [2.3]
    for loss in learn(make, 0, rates)[0]:
        smooth.append(0.9 * smooth[-1] + 0.1 * loss)
    return rates, smooth[1:], rates[smooth.index(min(smooth)) - 1] / 10


@demo
def which_rate() -> Figure:
    """The finder's run, and 27 runs. Dotted: the advice. Green: the finder's"""
    figure, axes = new_figure(2, 3, width=3.3, height=2.5)
    for (upper, lower), (name, make) in zip(axes.T, CONTENDERS.items(), strict=True):
        rates, losses, found = find(make)
        upper.semilogx(rates, losses, color=SCRATCH)
        for lr in (10 ** (k / 2) for k in range(-8, 1)):
            shares = [learn(make, seed, [lr] * 114)[1] for seed in range(3)]
            lower.semilogx([lr] * 3, shares, "o", color=SCRATCH, alpha=0.5)
        for axis in (upper, lower):
            axis.axvline(make.keywords["lr"], color="0.4", linestyle=":")
            axis.axvline(found, color=OTHER[2])
        upper.set(title=f"{name}: finder {found:.1g}", xlim=(1e-6, 10), ylim=(0, 4), ylabel="loss")
        lower.set(xlabel="rate", xlim=(1e-6, 10), ylim=(0, 1), ylabel="share read rightly")
    return figure


# %% [markdown]
# Adam's 0.001 is good from all three starts. SGD's 0.1 is an edge: two starts read 90 % or
# so, one only 70 %; at 0.3 none reads a quarter. With momentum 0.01 is best, 0.1 too much.
# The finder comes within a factor of 3 of the best. This is one small data set and one
# network. What speaks for Adam's default: multiply the loss by 1,000, and Adam walks on as
# before, while SGD's rates are all 1,000 times too large.
#
# ## They agree
#
# The options of `torch.optim` have the names of ours. The tests try them all, and absurd rates too.


# %%
def rates_torch(make: Callable[[optim.Optimizer], Any]) -> Tensor:
    """190 rates of one of PyTorch's, which changes the rate in the optimiser."""
    optimizer, seen = optim.SGD([torch.zeros(1)], 0.1, momentum=0.9), []
    schedule = make(optimizer)
    for _ in range(190):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return torch.tensor(seen)


def _same(ours: Any, theirs: Any, **options: Any) -> Pair:
    return optimizer_pair(f"{ours.__name__} {options}", partial(ours, **options), partial(theirs, **options))


PAIRS = [
    _same(MomentumSGD, optim.SGD, lr=0.01, momentum=0.9, dampening=0.5, weight_decay=0.1),
    _same(MomentumSGD, optim.SGD, lr=10.0, momentum=0.9, nesterov=True, weight_decay=0.01),
    _same(RMSprop, optim.RMSprop, lr=0.01, momentum=0.5, weight_decay=0.1),
    _same(RMSprop, optim.RMSprop, lr=10.0, centered=True),
    _same(AdamL2, optim.Adam, lr=10.0, weight_decay=0.1, amsgrad=True),
    _same(AdamW, optim.AdamW, lr=0.01, weight_decay=0.1),
    *(function_pair(n, partial(torch.tensor, a), partial(rates_torch, b)) for n, (a, b) in SCHEDULES.items()),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - `torch.optim.Adam` is our `AdamL2`. Negative rates and decays raise an error there as here.
# - In the paper AdamW's decay does not depend on the rate, only on the schedule. PyTorch multiplies the two.
# - Smith's one cycle is made of straight lines. PyTorch's default, and ours, is made of cosines.
#
# Next: many layers. There even the best optimiser gets no gradient to work with, unless the start is right.
