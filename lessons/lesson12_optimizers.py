# %% [markdown]
# # Lesson 12 · Optimisers
#
# *What better step can be made of a gradient?*
#
# Needs: lessons 04, 05, 06, 07, 11 · Time: 25 minutes

# %%
import math
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, optim

from curriculum.contracts import within
from curriculum.data import load
from curriculum.demo import demo
from curriculum.draw import new_figure
from curriculum.drawings import curves, landscape
from curriculum.pair import Pair, compare, optimizer_pair, training_pair
from curriculum.table import Table
from lessons.lesson04_layers import mlp
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import SGD
from lessons.lesson11_training import (
    accuracy,
    minibatches,
    tiny_scratch,
    tiny_torch,
    train_step,
)

Named = dict[str, Tensor]  # parameters or gradients by name

# %% [markdown]
# ## The idea: a valley, on paper
#
# Take two weights and the loss $L = \frac12 (w_1^2 + 100\, w_2^2)$. Its gradient is
# $(w_1,\ 100\, w_2)$: the walls across are 100 times as steep as the floor along.
# Lesson 07's descent from $(4, 1)$ with the learning rate $\eta = 0.015$ takes one
# step:
#
# $$w_1 = 4 - 0.015 \cdot 4 = 3.94 \qquad w_2 = 1 - 0.015 \cdot 100 = -0.5$$
#
# Across, half of the way is gone, on the other side of the floor. Along, 1.5 % of it. A
# rate above 0.02 is too much: $w_2$ grows with every step. So the walls set the rate,
# and the floor pays. Something that chooses steps is called an *optimiser*. A better
# one remembers the gradients before.
#
# <!-- piece: optimizers -->
#
# ## Momentum: keep going
#
# The *velocity* $v$ starts at 0. Each step keeps a share $\mu$ of it, often 0.9, and
# adds the new gradient $g$. The weight follows the velocity (Polyak 1964):
#
# $$v \leftarrow \mu v + g \qquad w \leftarrow w - \eta\, v$$
#
# Below, `along` gets the gradient 1 five times, as along the floor, `across` 1 and −1
# in turn:
#
# ```python
# >>> along = 0.0
# >>> across = 0.0
# >>> for g in (1, -1, 1, -1, 1):
# ...     along = 0.9 * along + 1
# ...     across = 0.9 * across + g
# ...     print(f"along {along:.2f}   across {across:5.2f}")
# along 1.00   across  1.00
# along 1.90   across -0.10
# along 2.71   across  0.91
# along 3.44   across -0.18
# along 4.10   across  0.84
#
# ```
#
# Gradients that agree pile up, until the velocity stands still: $v = 0.9\, v + 1$ makes
# it $1 / (1 - 0.9) = 10$ of them. Those that disagree cancel: $v = -0.9\, v + 1$ makes
# it $1 / 1.9$, with changing sign. It is a *sum*, no average: along the floor a rate of
# 0.01 reaches as far as 0.1 did without.
#
# *Nesterov*'s variant (1983) looks one step ahead. It steps by $g + \mu v$ with the new
# $v$. That is the velocity that the *next* step will have, if its gradient is the same.
#
# <details><summary>All letters of this lesson, to look up</summary>
#
# | symbol | in code | often | meaning |
# |---|---|---|---|
# | $\eta$, $g$ | `lr`, `grad` | | the learning rate; the gradient, shaped like $w$ |
# | $v$, $\mu$ | `velocity`, `momentum` | 0.9 | sum of past gradients; share kept |
# | $m$, $\beta_1$ | `mean`, `betas[0]` | 0.9 | average of past gradients; share kept |
# | $s$, $\alpha$ | `square`, `alpha` | 0.99 | average of their squares; share kept |
# | $s$, $\beta_2$ | `square`, `betas[1]` | 0.999 | the same in Adam |
# | $\varepsilon$ | `eps` | $10^{-8}$ | so that nothing is divided by 0 |
# | $k$ | `steps` | | steps taken so far |
# | $\lambda$ | `weight_decay` | 0 to 0.1 | how much each weight is pulled to 0 |
#
# </details>
#
# ## From scratch
#
# First, folded: settings that make no sense are refused.


# %% tags=["hide-input"]
def not_negative(**settings: float) -> None:
    """An error that names the setting, if one is below 0."""
    for name, value in settings.items():
        within(name, value)


def below_one(betas: tuple[float, float]) -> None:
    """An error if one is not from 0 to below 1."""
    for beta in betas:
        within("beta", beta, 0, 1, below=True)


# %%
class Momentum:
    """Descent with a velocity. `params`: tensors by name, changed in place."""

    def __init__(
        self, params: Named, lr: float, momentum: float = 0.9, nesterov: bool = False
    ) -> None:
        not_negative(lr=lr, momentum=momentum)
        self.params = params
        self.lr = lr
        self.momentum = momentum
        self.nesterov = nesterov
        self.velocity = {name: torch.zeros_like(p) for name, p in params.items()}

    def step(self, grads: Named) -> None:
        """Move every weight once. grads: the names and shapes of `params`."""
        for name, param in self.params.items():
            velocity = self.momentum * self.velocity[name] + grads[name]
            self.velocity[name] = velocity
            if self.nesterov:
                velocity = grads[name] + self.momentum * velocity
            param -= self.lr * velocity


# %% [markdown]
# ## RMSprop: a step size for every weight
#
# Another memory (Hinton's lectures, 2012): how *large* are a weight's gradients,
# typically? $s$ is a *running average* of their squares: mostly the old one, a little
# of the new. The step divides by its root, the *root mean square*, so that a weight
# with gradients near 100 and one with gradients near 0.01 take steps of one size:
#
# $$s \leftarrow \alpha s + (1 - \alpha)\, g^2$$
#
# $$w \leftarrow w - \eta\, g / (\sqrt s + \varepsilon)$$
#
# On paper, with $\alpha = 0.99$ and a first gradient of 3: $s = 0.01 \cdot 9 = 0.09$,
# its root is 0.3, and $3 / 0.3 = 10$. As $s$ starts at 0, the first step is ten times
# the learning rate, for every $g$.


# %%
class RMSprop:
    """Each gradient divided by its typical size. Two weights, gradients 100 and 0.01:

    >>> params = {"a": torch.zeros(1), "b": torch.zeros(1)}
    >>> grads = {"a": torch.tensor(100.0), "b": torch.tensor(0.01)}
    >>> RMSprop(params, lr=0.01).step(grads)
    >>> [round(param.item(), 4) for param in params.values()]
    [-0.1, -0.1]
    """

    def __init__(
        self, params: Named, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8
    ) -> None:
        not_negative(lr=lr, alpha=alpha, eps=eps)
        self.params = params
        self.lr = lr
        self.alpha = alpha
        self.eps = eps
        self.square = {name: torch.zeros_like(p) for name, p in params.items()}

    def step(self, grads: Named) -> None:
        """Move every weight once. grads: the names and shapes of `params`."""
        for name, param in self.params.items():
            new = grads[name] ** 2
            self.square[name] = self.alpha * self.square[name] + (1 - self.alpha) * new
            size = self.square[name].sqrt() + self.eps
            param -= self.lr * grads[name] / size


# %% [markdown]
# ## Adam: both
#
# *Adam* (Kingma and Ba 2015, arXiv:1412.6980) divides the average gradient $m$ by the
# typical size:
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, g$$
#
# $$s \leftarrow \beta_2 s + (1 - \beta_2)\, g^2$$
#
# $$w \leftarrow w - \eta\;
# \frac{m / (1 - \beta_1^k)}{\sqrt{s / (1 - \beta_2^k)} + \varepsilon}$$
#
# Both averages start at 0 and are too small at first. On paper, $g = 3$ in each step:
# $m$ is $0.1 \cdot 3 = 0.3$ after one step and $0.9 \cdot 0.3 + 0.3 = 0.57$ after two.
# That is $(1 - 0.9) \cdot 3$ and $(1 - 0.9^2) \cdot 3$. So the *bias correction*
# divides by $1 - \beta^k$: $0.3 / 0.1 = 3$ and $0.57 / 0.19 = 3$. In the same way $s$
# becomes 9. The step is $3 / \sqrt 9 = 1$ times the rate, from the first one on.
# Gradients that disagree give almost 0.


# %%
class Adam:
    """Average gradient over typical size, both corrected for their start at 0.

    The first step moves a weight by lr, however large its gradient is:
    >>> params = {"a": torch.zeros(1), "b": torch.zeros(1)}
    >>> grads = {"a": torch.tensor([100.0]), "b": torch.tensor([-0.001])}
    >>> Adam(params, lr=0.01).step(grads)
    >>> [round(param.item(), 6) for param in params.values()]
    [-0.01, 0.01]
    """

    def __init__(
        self,
        params: Named,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        not_negative(lr=lr, eps=eps)
        below_one(betas)
        self.params = params
        self.lr = lr
        self.betas = betas
        self.eps = eps
        self.steps = 0
        self.mean = {name: torch.zeros_like(p) for name, p in params.items()}
        self.square = {name: torch.zeros_like(p) for name, p in params.items()}

    def step(self, grads: Named) -> None:
        """Move every weight once. grads: the names and shapes of `params`."""
        self.steps += 1
        beta1, beta2 = self.betas
        for name, param in self.params.items():
            grad = grads[name]
            self.mean[name] = beta1 * self.mean[name] + (1 - beta1) * grad
            self.square[name] = beta2 * self.square[name] + (1 - beta2) * grad**2
            mean = self.mean[name] / (1 - beta1**self.steps)
            square = self.square[name] / (1 - beta2**self.steps)
            param -= self.lr * mean / (square.sqrt() + self.eps)


# %% [markdown]
# <details><summary>What do you expect? Someone forgets the bias correction. How long
# is the first step?</summary>
#
# Then $m = 0.3$ and $s = 0.001 \cdot 9 = 0.009$, and the step is
# $0.3 / \sqrt{0.009} = 3.16$ times the rate. The network still learns, and only a
# comparison shows it.
# </details>


# %% tags=["hide-input"]
@demo
def a_forgotten_correction_is_caught() -> Table:
    """The bug: Adam without bias correction, held against `torch.optim.Adam`"""

    class Uncorrected(Adam):
        def step(self, grads: Named) -> None:
            self.steps = 10**6  # both powers of β are 0 there, and nothing is corrected
            super().step(grads)

    found = compare(optimizer_pair("uncorrected", Uncorrected, optim.Adam))
    rows = [(d.name.replace("_", " "), d.largest, d.problem or "equal") for d in found]
    return Table(("result", "largest difference", "verdict"), rows)


# %% [markdown]
# ## AdamW: decay beside the gradient
#
# *Weight decay* pulls weights towards 0, so that none grows without need (lesson 16).
# The old way adds $\lambda w$ to the gradient: the slope of $\frac12 \lambda w^2$, an
# extra loss for large weights, known as *L2*. In plain descent
# $w - \eta (g + \lambda w)$ is $(1 - \eta \lambda)\, w - \eta g$: every weight shrinks
# by one factor. In Adam the pull, too, is divided by the gradient's typical size, and a
# weight with large gradients is hardly pulled. *AdamW* (Loshchilov and Hutter 2019,
# arXiv:1711.05101) is Adam with one line more, before the step, and Adam sees the
# gradient alone. The decay is *decoupled*:
#
# ```
# param *= 1 - self.lr * self.weight_decay
# ```
#
# Three weights of 1 get gradients of ± one size in turn, 0.01, 1 or 100. The gradients
# cancel, so only the decay should show. With the rate 0.01 and $\lambda = 0.1$ each
# step leaves 0.999, and 1,000 steps $0.999^{1000} = 0.37$:
#
# ```python
# >>> sizes = torch.tensor([0.01, 1.0, 100.0])
# >>> inside = {"w": torch.ones(3)}  # L2: the decay inside the gradient
# >>> beside = {"w": torch.ones(3)}
# >>> adam = Adam(inside, lr=0.01)
# >>> adamw = AdamW(beside, lr=0.01, weight_decay=0.1)
# >>> for step in range(1000):
# ...     grad = sizes * (-1) ** step
# ...     adam.step({"w": grad + 0.1 * inside["w"]})
# ...     adamw.step({"w": grad})
# >>> [round(w, 2) for w in inside["w"].tolist()]
# [0.0, 0.36, 0.97]
# >>> [round(w, 2) for w in beside["w"].tolist()]
# [0.36, 0.36, 0.36]
#
# ```
#
# Inside, the decay took all of the first weight and next to nothing of the last.
# Beside, one share of each. (0.36, not 0.37: the first steps do not quite cancel.)


# %% tags=["hide-input"]
class AdamW:
    """Adam with decoupled weight decay. `params`: tensors by name, changed in place."""

    def __init__(
        self,
        params: Named,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        within("lr", lr)
        within("eps", eps)
        within("weight_decay", weight_decay)
        for beta in betas:
            within("beta", beta, 0, 1, below=True)
        self.params = params
        self.lr = lr
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay
        self.steps = 0
        self.mean = {name: torch.zeros_like(p) for name, p in params.items()}
        self.square = {name: torch.zeros_like(p) for name, p in params.items()}

    def step(self, grads: Named) -> None:
        """Shrink every weight, then move it. grads: names and shapes of `params`."""
        self.steps += 1
        beta1, beta2 = self.betas
        for name, param in self.params.items():
            grad = grads[name]
            self.mean[name] = beta1 * self.mean[name] + (1 - beta1) * grad
            self.square[name] = beta2 * self.square[name] + (1 - beta2) * grad**2
            mean = self.mean[name] / (1 - beta1**self.steps)
            square = self.square[name] / (1 - beta2**self.steps)
            param *= 1 - self.lr * self.weight_decay
            param -= self.lr * mean / (square.sqrt() + self.eps)


# %% [markdown]
# ## See it: down the valley
#
# The valley from above, 100 steps from $(4, 1)$, everybody with the usual settings:
# $\mu = 0.9$, PyTorch's $\alpha$ and $\beta$. Each has the best of 17 rates, from 0.001
# to 10 in equal factors. The ring is the start, the cross the lowest point.
#
# <details><summary>What do you expect? Who is deepest: plain descent, momentum or
# Adam?</summary>
#
# Momentum: 0.00007 against 0.0002 with Adam and 0.2 without any memory. Nesterov's
# variant is deeper still, 0.000002. From other starts momentum and Adam change places.
# Of six that we tried, both were below half of plain descent's loss from every one, and
# mostly a hundred times below.
# </details>


# %% tags=["hide-input"]
VALLEY = torch.tensor([[1.0, 0.0], [0.0, 100.0]], dtype=torch.float64)
START = torch.tensor([4.0, 1.0], dtype=torch.float64)
WALKERS: dict[str, Any] = {
    "plain descent": partial(SGD, lr=10**-1.75),
    "momentum": partial(Momentum, lr=10**-1.5),
    "Nesterov": partial(Momentum, lr=10**-2.25, nesterov=True),
    "Adam": partial(Adam, lr=1.0),
}


def walk(make: Any, curvature: Tensor, start: Tensor, steps: int) -> Tensor:
    """Every place on the way down ½ wᵀ c w, whose gradient is c w: (steps + 1, 2)."""
    w = start.clone()
    optimizer = make({"w": w})
    path = [start]
    for _ in range(steps):
        optimizer.step({"w": curvature @ w})  # (2, 2) @ (2,) → (2,)
        path.append(w.clone())
    return torch.stack(path)


def heights(path: Tensor, curvature: Tensor) -> Tensor:
    """The loss at each place: (steps + 1,)."""
    return (path @ curvature * path).sum(1) / 2


# %% tags=["hide-input"]
@demo
def down_the_valley() -> Figure:
    """A valley 100 times as steep across as along: three ways, and four losses"""
    paths = {name: walk(make, VALLEY, START, 100) for name, make in WALKERS.items()}
    figure, (left, right) = new_figure(1, 2, width=4.2, height=3.6)
    side = (-3.0, 5.0, -2.6, 3.6)
    levels = (2, 20, 80, 200, 450)
    shown = {name: paths[name] for name in ("plain descent", "momentum", "Adam")}
    landscape(left, lambda a, b: (a**2 + 100 * b**2) / 2, shown, levels, side)
    left.plot(0, 0, "x", color="black", markersize=9, markeredgewidth=2, zorder=5)
    losses = {name: heights(path, VALLEY)[1:] for name, path in paths.items()}
    order = ("plain descent", "momentum", "Adam", "Nesterov")  # colours as on the left
    curves(right, {name: losses[name] for name in order}, "step", "loss")
    right.set(yscale="log", ylim=(1e-7, 1e5))
    return figure


# %% [markdown]
# **Is 0.9 the right share?** It depends on the valley. If the walls are
# $\kappa$ times as steep as the floor (the *condition number*), theory has a best share
# for very many steps (Polyak 1964):
#
# $$\mu = \left( \frac{\sqrt \kappa - 1}{\sqrt \kappa + 1} \right)^2$$
#
# For $\kappa = 25$ it is 0.44, for 100 it is 0.67, and 0.9 belongs to about 1,400.
# Below, $\mu$ is a variable, and each $\mu$ has its best of 81 rates. After so few
# steps the best share lies a little above theory's. In the mild valley 0.9 is little
# better than nothing, and 0.95 is worse than nothing: the weight swings past the lowest
# point again and again. Networks have valleys far narrower than 100 to 1 (Sagun and
# others 2017, arXiv:1706.04454). That speaks for the usual 0.9, and is no proof.


# %% tags=["hide-input"]
def left_over(curvature: float, lr: float, momentum: float, steps: int) -> float:
    """Where one weight that starts at 1 ends. Each direction goes its own way."""
    w = 1.0
    velocity = 0.0
    for _ in range(steps):
        velocity = momentum * velocity + curvature * w
        w -= lr * velocity
    return w


def deepest(kappa: float, momentum: float, steps: int) -> float:
    """The loss from (4, 1), best of 81 rates from 0.0001 to the walls' edge."""
    edge = 2 * (1 + momentum) / kappa  # above it the weight across grows
    losses = []
    for k in range(81):
        lr = 1e-4 * (edge / 1e-4) ** (k / 80)
        along = 4 * left_over(1.0, lr, momentum, steps)
        across = left_over(kappa, lr, momentum, steps)
        losses.append((along**2 + kappa * across**2) / 2)
    return min(losses)


# %% tags=["hide-input"]
SHARES = [0.0, 0.2, 0.3, 0.4, 0.45, 0.5, 0.6, 0.67, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98]


@demo
def the_share_as_a_variable() -> Figure:
    """How deep one gets, for every share of velocity; dotted: theory's best"""
    figure, axis = new_figure(width=6.4, height=3.6)
    series = {
        f"walls {kappa} times as steep, {steps} steps": (
            SHARES,
            [deepest(kappa, m, steps) for m in SHARES],
        )
        for kappa, steps in ((25, 40), (100, 100))
    }
    curves(
        axis,
        series,
        across="share μ of the velocity that is kept",
        upwards="loss at the end",
    )
    for line, kappa in zip(list(axis.lines), (25, 100), strict=True):
        best = ((kappa**0.5 - 1) / (kappa**0.5 + 1)) ** 2
        axis.axvline(best, color=line.get_color(), linestyle=":")
    axis.axvline(0.9, color="0.6", linewidth=1)
    axis.text(0.9, 12, "usual 0.9", ha="center", fontsize=9)
    axis.text(0.45, 1e-14, "theory", ha="left", fontsize=9)
    axis.text(0.68, 1e-14, "theory", ha="left", fontsize=9)
    axis.set(yscale="log", ylim=(1e-15, 10))
    axis.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.45, 1.04), ncols=2)
    return figure


# %% [markdown]
# **What does a step size per weight bring?** Divided by its own
# gradients' size, a weight no longer feels how steep its direction is. So where the
# valley lies along a weight, RMSprop walks as if it were round, and ends at 0 for all
# purposes. Now turn the valley by 45°, and both weights feel the same mix of steep and
# flat: nothing is left of it. Plain descent and momentum do not notice the turn. Adam's
# end depends on the start as much as on the turn.


# %% tags=["hide-input"]
TURN = torch.tensor([[1.0, -1.0], [1.0, 1.0]], dtype=torch.float64) / 2**0.5
RATES = [10 ** (k / 4) for k in range(-12, 5)]


def best_of_rates(kind: Any, curvature: Tensor, start: Tensor) -> tuple[float, float]:
    """The lowest loss after 100 steps with one of 17 rates, and that rate."""
    ends = []
    for lr in RATES:
        path = walk(partial(kind, lr=lr), curvature, start, 100)
        loss = heights(path, curvature)[-1].item()
        if not math.isnan(loss):  # it flew away
            ends.append((loss, lr))
    return min(ends)


@demo
def a_turned_valley() -> Table:
    """The loss after 100 steps, best of 17 rates, in the valley and in a turned one"""
    kinds: dict[str, Any] = {
        "plain descent": SGD,
        "momentum": Momentum,
        "Nesterov": partial(Momentum, nesterov=True),
        "RMSprop": RMSprop,
        "Adam": Adam,
    }
    turned = TURN @ VALLEY @ TURN.T
    rows = []
    for name, kind in kinds.items():
        straight = best_of_rates(kind, VALLEY, START)[0]
        askew = best_of_rates(kind, turned, TURN @ START)[0]
        rows.append((name, f"{straight:.1e}", f"{askew:.1e}"))
    return Table(("optimiser", "along the weights", "turned by 45°"), rows)


# %% [markdown]
# ## Muon: a step size for every direction of a matrix
#
# So why not look at the whole weight *matrix*? A matrix makes of an arrow another one.
# Take the update $\begin{pmatrix} 3 & 0 \\ 0 & 0.1 \end{pmatrix}$: an arrow to the
# right becomes three times as long, one upwards a tenth. Every matrix has such
# directions. The factors are its *singular values*. In updates of networks a few are
# large, and the other directions hardly learn. *Muon* (Jordan and others 2024; Liu and
# others 2025, arXiv:2502.16982) takes the averaged gradient and brings all factors near
# 1: every direction steps as far as any other, however the matrix is turned. (With
# factors of exactly 1 it is called *orthogonal*.) To find the factors is dear. So it
# sends them five times through a polynomial that lifts small ones quickly and keeps all
# near 1.
#
# <details><summary>The polynomial, on paper</summary>
#
# $$p(x) = 3.4445\, x - 4.775\, x^3 + 2.0315\, x^5$$
#
# On paper: the update's length is 3.0017. Divided by that its factors are 0.9994 and
# 0.0333. Each goes through $p$ alone:
#
# ```python
# >>> def p(x):
# ...     return 3.4445 * x - 4.775 * x**3 + 2.0315 * x**5
# >>> large = 0.9994
# >>> small = 0.0333
# >>> for _ in range(5):
# ...     large = p(large)
# ...     small = p(small)
# ...     print(f"large {large:.2f}   small {small:.2f}")
# large 0.70   small 0.11
# large 1.11   small 0.39
# large 0.72   small 1.07
# large 1.09   small 0.69
# large 0.70   small 1.13
#
# ```
#
# The product $X X^T X$ has the same directions as $X$, and the cubes of its factors. So
# a round needs matrix products only, and nobody has to know the factors:
#
# ```
# square = x @ x.T                                   # (rows, rows)
# x = 3.4445 * x + (-4.775 * square + 2.0315 * square @ square) @ x
# ```
#
# </details>


# %% tags=["hide-input"]
def orthogonalised(
    update: Tensor,
    coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
    rounds: int = 5,
    eps: float = 1e-7,
) -> Tensor:
    """All factors near 1. update: (out, in); in 16-bit numbers, as PyTorch has it."""
    a, b, c = coefficients
    tall = update.shape[0] > update.shape[1]
    x = update.bfloat16()
    if tall:
        x = x.T  # not more rows than columns: X Xᵀ is smaller
    x = x / x.norm().clamp(min=eps)
    for _ in range(rounds):
        square = x @ x.T  # (rows, columns) @ (columns, rows) → (rows, rows)
        both = torch.addmm(square, square, square, beta=b, alpha=c)  # b·XXᵀ + c·(XXᵀ)²
        x = torch.addmm(x, both, x, beta=a)  # a·X + (b·XXᵀ + c·(XXᵀ)²) X
    return x.T if tall else x


# %% tags=["hide-input"]
def adjusted(lr: float, n_out: int, n_in: int, rule: str | None) -> float:
    """The rate for a matrix of that shape, by one of PyTorch's three rules."""
    if rule == "match_rms_adamw":
        return 0.2 * lr * max(n_out, n_in) ** 0.5
    if rule == "spectral_unclamped":
        return lr * (n_out / n_in) ** 0.5
    return lr * max(1, n_out / n_in) ** 0.5


class Muon:
    """For matrices alone: averaged gradient, all factors near 1; decoupled decay.

    It rounds to 16-bit numbers, so that a difference in the last digit can show. That
    is why each operation is the one that PyTorch uses.
    """

    def __init__(
        self,
        params: Named,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        within("lr", lr)
        within("weight_decay", weight_decay)
        within("momentum", momentum)
        within("ns_steps", ns_steps, 0, 100, below=True)
        if adjust_lr_fn not in (
            None,
            "original",
            "match_rms_adamw",
            "spectral_unclamped",
        ):
            raise ValueError(
                f"adjust_lr_fn is {adjust_lr_fn!r}; expected a rule of torch.optim.Muon"
            )
        for name, param in params.items():
            if param.dim() != 2:
                raise ValueError(
                    f"{name} has the shape {tuple(param.shape)}; Muon expects (out, in)"
                )
        self.params = params
        self.lr = lr
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.nesterov = nesterov
        self.ns_coefficients = ns_coefficients
        self.eps = eps
        self.ns_steps = ns_steps
        self.adjust_lr_fn = adjust_lr_fn
        self.mean = {name: torch.zeros_like(p) for name, p in params.items()}

    def step(self, grads: Named) -> None:
        """Shrink every matrix, then move it. grads: names and shapes of `params`."""
        for name, param in self.params.items():
            grad = grads[name]
            mean = self.mean[name].lerp_(grad, 1 - self.momentum)  # 0.95 m + 0.05 g
            update = grad.lerp(mean, self.momentum) if self.nesterov else mean
            update = orthogonalised(
                update, self.ns_coefficients, self.ns_steps, self.eps
            )
            n_out, n_in = param.shape
            param.mul_(1 - self.lr * self.weight_decay)
            param.add_(update, alpha=-adjusted(self.lr, n_out, n_in, self.adjust_lr_fn))


class MuonAndAdam:
    """A whole network: Muon for its matrices, Adam with its usual rate for biases."""

    def __init__(self, params: Named, lr: float) -> None:
        self.lr = lr
        self.muon = Muon(
            {n: p for n, p in params.items() if p.dim() == 2}, lr, weight_decay=0
        )
        self.adam = Adam({n: p for n, p in params.items() if p.dim() != 2})

    def step(self, grads: Named) -> None:
        """Move every parameter once. grads: the names and shapes of all."""
        self.muon.lr = self.lr
        self.muon.step(grads)
        self.adam.step(grads)


# %% [markdown]
# ## See it: on digits
#
# A 784–64–10 network learns 1,197 of scikit-learn's digits, enlarged to 28 × 28, in
# batches of 32. Three epochs are 114 steps. The rate falls to 0 on the way (lesson 13
# says why). Each optimiser has its best of the rates …, 0.01, 0.018, 0.032, 0.056, 0.1,
# …, chosen with four starts that are not shown. RMSprop is there twice: with PyTorch's
# $\alpha$ of 0.99 and with 0.9. Then eight starts are measured on 300 other digits.


# %% tags=["hide-input"]
TUNED: dict[str, Any] = {
    "plain descent": partial(SGD, lr=10**-1),
    "momentum": partial(Momentum, lr=10**-1.25),
    "Nesterov": partial(Momentum, lr=10**-1.5, nesterov=True),
    "RMSprop, α 0.99": partial(RMSprop, lr=10**-2.5),
    "RMSprop, α 0.9": partial(RMSprop, lr=10**-2, alpha=0.9),
    "Adam": partial(Adam, lr=10**-2.25),
    "Muon, and Adam for biases": partial(MuonAndAdam, lr=10**-1.5),
}
digits = cache(load)


def learn(make: Any, seed: int, epochs: int = 3) -> float:
    """Train with a rate that falls to 0; the share of 300 others read rightly."""
    x, target = digits("digits").train
    generator = torch.Generator().manual_seed(seed)
    batches: list[Tensor] = []
    for _ in range(epochs):
        batches += minibatches(len(x), 32, generator)
    model = mlp(784, 64, 10, seed=seed)
    optimizer = make(model.params)
    first = optimizer.lr
    for step, index in enumerate(batches):
        optimizer.lr = first * (1 - step / len(batches))
        train_step(model, CrossEntropyLoss(), optimizer, x[index], target[index])
    others = digits("digits").val
    return accuracy(model.forward(others.x), others.target)


# %% tags=["hide-input"]
@cache
def shares(name: str, epochs: int = 3) -> list[float]:
    """The share read rightly from each of eight starts."""
    return [learn(TUNED[name], seed, epochs) for seed in range(8)]


@demo
def six_optimisers_read_digits() -> Figure:
    """Digits read rightly after 114 steps, from eight starts, and the mean"""
    figure, axis = new_figure(width=6.4, height=3.2)
    for row, name in enumerate(TUNED):
        found = shares(name)
        axis.plot(
            [100 * share for share in found],
            [row] * 8,
            "o",
            color="0.6",
            markerfacecolor="none",
        )
        axis.plot(
            100 * sum(found) / 8,
            row,
            "|",
            color="black",
            markersize=16,
            markeredgewidth=2,
        )
    names = [f"{name}: rate {make.keywords['lr']:.2g}" for name, make in TUNED.items()]
    axis.set(xlabel="new digits read rightly, %", yticks=range(7), yticklabels=names)
    axis.set(ylim=(6.5, -0.5))
    return figure


# %% [markdown]
# Muon is ahead: some 97 % on average, against 96 % with momentum and Nesterov, 95 %
# with plain descent and Adam. Adam is *not* better than momentum here. Its merit is
# another: lesson 13 shows how little it asks of the rate. RMSprop reads 93 % with
# $\alpha = 0.99$, and 95 %, like Adam, with 0.9: there the first step is 3 rates long
# in place of 10. A setting that nobody looks at can be worth more than the optimiser.
#
# Three things to hold against the winner. Steps are not time: Muon's five rounds for 64
# × 784 weights take 33 million multiplications, the forward and the backward pass of 32
# digits 5 million. The lead does not last: after 10 epochs at the same rates Adam,
# momentum and Muon all read 97 to 98 %, and who is ahead depends on how sums are
# rounded. And it is not there on other digits: from 1,197 digits of MNIST (lesson 17)
# all seven, tuned in the same way, read 85 to 87 %. So this says nothing about your
# network but "try several, each with its own best rate".
#
# ## They agree
#
# Every optimiser takes 100 steps as `torch.optim` does. The tests do so with every
# option.


# %% tags=["hide-input"]
class MomentumSGD:
    """`torch.optim.SGD` with all its options; "More" explains the new ones."""

    def __init__(
        self,
        params: Named,
        lr: float,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
    ) -> None:
        within("lr", lr)
        within("momentum", momentum)
        within("weight_decay", weight_decay)
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError("nesterov needs a momentum and no dampening")
        self.params = params
        self.lr = lr
        self.momentum = momentum
        self.dampening = dampening
        self.weight_decay = weight_decay
        self.nesterov = nesterov
        self.velocity: dict[str, Tensor] = {}

    def step(self, grads: Named) -> None:
        """Move every weight once. grads: the names and shapes of `params`."""
        for name, param in self.params.items():
            grad = grads[name] + self.weight_decay * param
            if self.momentum == 0:
                param -= self.lr * grad
                continue
            velocity = grad  # the first gradient counts in full
            if name in self.velocity:
                velocity = (
                    self.momentum * self.velocity[name] + (1 - self.dampening) * grad
                )
            self.velocity[name] = velocity
            param -= self.lr * (
                grad + self.momentum * velocity if self.nesterov else velocity
            )


class FullRMSprop:
    """`torch.optim.RMSprop` with all its options; "More" explains the new ones."""

    def __init__(
        self,
        params: Named,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
    ) -> None:
        within("lr", lr)
        within("alpha", alpha)
        within("eps", eps)
        within("weight_decay", weight_decay)
        within("momentum", momentum)
        self.params = params
        self.lr = lr
        self.alpha = alpha
        self.eps = eps
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.centered = centered
        self.square = {name: torch.zeros_like(p) for name, p in params.items()}
        self.mean = {name: torch.zeros_like(p) for name, p in params.items()}
        self.velocity = {name: torch.zeros_like(p) for name, p in params.items()}

    def step(self, grads: Named) -> None:
        """Move every weight once. grads: the names and shapes of `params`."""
        keep = self.alpha
        for name, param in self.params.items():
            grad = grads[name] + self.weight_decay * param
            self.square[name].mul_(keep).addcmul_(grad, grad, value=1 - keep)
            square = self.square[name]
            if self.centered:  # the mean of (g − mean)² is the mean of g² less mean²
                square = square - self.mean[name].lerp_(grad, 1 - keep) ** 2
            direction = grad / (square.sqrt() + self.eps)
            self.velocity[name] = self.momentum * self.velocity[name] + direction
            param -= self.lr * self.velocity[name]


class AdamL2:
    """`torch.optim.Adam` with all its options: L2 or decoupled decay, and amsgrad."""

    def __init__(
        self,
        params: Named,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        within("lr", lr)
        within("eps", eps)
        within("weight_decay", weight_decay)
        for beta in betas:
            within("beta", beta, 0, 1, below=True)
        self.params = params
        self.lr = lr
        self.betas = betas
        self.eps = eps
        self.weight_decay = weight_decay
        self.amsgrad = amsgrad
        self.decoupled = decoupled_weight_decay
        self.steps = 0
        self.mean = {name: torch.zeros_like(p) for name, p in params.items()}
        self.square = {name: torch.zeros_like(p) for name, p in params.items()}
        self.largest = {name: torch.zeros_like(p) for name, p in params.items()}

    def step(self, grads: Named) -> None:
        """Move every weight once. grads: the names and shapes of `params`."""
        self.steps += 1
        beta1, beta2 = self.betas
        for name, param in self.params.items():
            grad = grads[name]
            if self.decoupled:
                param *= 1 - self.lr * self.weight_decay
            else:
                grad = grad + self.weight_decay * param
            self.mean[name] = beta1 * self.mean[name] + (1 - beta1) * grad
            self.square[name] = beta2 * self.square[name] + (1 - beta2) * grad**2
            self.largest[name] = torch.maximum(self.largest[name], self.square[name])
            mean = self.mean[name] / (1 - beta1**self.steps)
            square = self.largest[name] if self.amsgrad else self.square[name]
            size = (square / (1 - beta2**self.steps)).sqrt() + self.eps
            param -= self.lr * mean / size


class MuonAndAdamTorch:
    """The same two as `MuonAndAdam`, of `torch.optim`."""

    def __init__(self, params: list[Any], lr: float) -> None:
        self.muon = optim.Muon([p for p in params if p.dim() == 2], lr, weight_decay=0)
        self.adam = optim.Adam([p for p in params if p.dim() != 2])

    def step(self) -> None:
        """Move every parameter once."""
        self.muon.step()
        self.adam.step()


def _same(ours: Any, theirs: Any, **options: Any) -> Pair:
    return optimizer_pair(
        f"{ours.__name__} {options}",
        partial(ours, **options),
        partial(theirs, **options),
    )


def _matrices(
    make: Callable[[Any], Any], torch_make: Callable[[Any], Any], name: str
) -> Pair:
    """Muon takes no bias: the pair's own is left where it is."""
    return optimizer_pair(
        name,
        lambda params: make({"weight": params["weight"]}),
        lambda params: torch_make(params[:1]),
    )


PAIRS = [
    training_pair(
        "tiny program, Adam",
        lambda case: tiny_scratch(Adam, 0.01),
        lambda case: tiny_torch(torch.optim.Adam, 0.01),
    ),
    _same(Momentum, optim.SGD, lr=0.01, momentum=0.9),
    _same(Momentum, optim.SGD, lr=10.0, momentum=0.9, nesterov=True),
    _same(
        MomentumSGD, optim.SGD, lr=0.01, momentum=0.9, dampening=0.5, weight_decay=0.1
    ),
    _same(
        MomentumSGD, optim.SGD, lr=10.0, momentum=0.9, nesterov=True, weight_decay=0.01
    ),
    _same(RMSprop, optim.RMSprop, lr=0.01),
    _same(FullRMSprop, optim.RMSprop, lr=0.01, momentum=0.5, weight_decay=0.1),
    _same(FullRMSprop, optim.RMSprop, lr=10.0, centered=True),
    optimizer_pair("Adam", Adam, optim.Adam),
    _same(AdamL2, optim.Adam, lr=10.0, weight_decay=0.1, amsgrad=True),
    _same(AdamW, optim.AdamW, lr=0.01, weight_decay=0.1),
    _matrices(Muon, optim.Muon, "Muon"),
    _matrices(
        partial(Muon, lr=0.02, nesterov=False, adjust_lr_fn="match_rms_adamw"),
        partial(optim.Muon, lr=0.02, nesterov=False, adjust_lr_fn="match_rms_adamw"),
        "Muon with the rate of AdamW",
    ),
    _same(MuonAndAdam, MuonAndAdamTorch, lr=0.02),
]

# %% [markdown]
# <details><summary>More: rare options</summary>
#
# - *Dampening* (`MomentumSGD`) takes $1 - \tau$ of each gradient but the first. With
#   $\tau = \mu$ the velocity is an average.
# - *Centred* (`FullRMSprop`): the typical size counts the scatter of the gradients
#   about their mean only. And RMSprop can keep a velocity of its quotients, too.
# - *Amsgrad* (`AdamL2`; Reddi and others 2018): the typical size may grow but not
#   shrink.
# - Nesterov took the gradient at the place ahead, $w - \eta \mu v$. PyTorch's form is
#   the same walk, seen from there: with $u = w - \eta \mu v$ it becomes
#   $u \leftarrow u - \eta (g + \mu v)$, $g$ taken at $u$.
# - Muon's rate is multiplied by $\sqrt{\max(1, \text{out} / \text{in})}$, or by a rule
#   that makes its steps as large as AdamW's.
#
# </details>
#
# ## Where PyTorch differs
#
# - `torch.optim.SGD` is plain descent, momentum and Nesterov in one. Adam's L2 is in
#   `torch.optim.Adam`.
# - In the paper AdamW's decay does not depend on the rate, only on the schedule
#   (lesson 13). PyTorch multiplies the two.
# - `torch.optim.Muon` takes matrices only. Biases need a second optimiser, and so does
#   the last layer, in the authors' advice, which we did not follow.
#
# ## You can now
#
# - say what each optimiser remembers, and write it down from memory;
# - tell why the usual $\mu = 0.9$ suits narrow valleys, and why Adam does not care for
#   the gradient's scale;
# - see whether a new optimiser is better, or only had the better rate.
#
# Exercises: `curriculum start 12a` (Adagrad), `12b` (a bug in Adam), `12c` (a bug in
# AdamW), `12d` (predict, run, explain), each graded by `curriculum check` and its name.
# `curriculum run 12` shows all figures, `curriculum compare 12` all pairs.
#
# Next: lesson 13 finds the rate, and asks whether it should stay.
