# %% [markdown]
# # Lesson 12 · Optimisers
#
# *What better step can be made of a gradient?*
#
# Needs: lessons 04, 05, 07, 11 · Time: 25 minutes

# %%
from functools import partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, optim

from curriculum.contracts import within
from curriculum.demo import demo
from curriculum.draw import OTHER, SCRATCH, new_figure
from curriculum.pair import Pair, optimizer_pair, training_pair
from lessons.lesson07_descent import SGD
from lessons.lesson11_training import tiny_scratch, tiny_torch

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
        old = self.velocity.get(
            name
        )  # there is none yet at the first step: its gradient counts in full
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
# **Adam** is both: average gradient over typical size, each corrected for its start at 0. With
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


class Adam:
    """Adam (Kingma & Ba 2015). `params`: tensors by name, changed in place. `mean` is m, `square` is v.

    The very first step moves a weight by lr, however large its gradient is:
    >>> params = {"a": torch.zeros(1), "b": torch.zeros(1)}
    >>> Adam(params, lr=0.01).step({"a": torch.tensor([100.0]), "b": torch.tensor([-0.001])})
    >>> [round(param.item(), 6) for param in params.values()]
    [-0.01, 0.01]
    """

    def __init__(
        self,
        params: dict[str, Tensor],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        within("lr", lr)
        within("eps", eps)
        for beta in betas:
            within("beta", beta, 0, 1, below=True)
        self.params, self.lr, self.betas, self.eps, self.steps = (
            params,
            lr,
            betas,
            eps,
            0,
        )
        self.mean = {name: torch.zeros_like(param) for name, param in params.items()}
        self.square = {name: torch.zeros_like(param) for name, param in params.items()}

    def step(self, grads: dict[str, Tensor]) -> None:
        self.steps += 1
        beta1, beta2 = self.betas
        for name, param in self.params.items():
            grad = grads[name]  # a method that ends in _ writes over its tensor
            self.mean[name].lerp_(
                grad, 1 - beta1
            )  # m + (1 − β₁) · (g − m) = β₁ m + (1 − β₁) g
            self.square[name].mul_(beta2).addcmul_(
                grad, grad, value=1 - beta2
            )  # β₂ v + (1 − β₂) g²
            size = (
                self.typical_square(name)
                .sqrt()
                .div_((1 - beta2**self.steps) ** 0.5)
                .add_(self.eps)
            )
            param.addcdiv_(
                self.mean[name], size, value=-self.lr / (1 - beta1**self.steps)
            )

    def typical_square(self, name: str) -> Tensor:
        """What the step takes the root of: v. A method, so that lesson 12 can put another in its place."""
        return self.square[name]


class AdamL2(Adam):
    """Adam with weight decay as part of the gradient, and amsgrad: `torch.optim.Adam`."""

    def __init__(
        self, params: dict[str, Tensor], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8, weight_decay: float = 0, amsgrad: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps)
        within("weight_decay", weight_decay)
        self.weight_decay, self.amsgrad = weight_decay, amsgrad
        self.largest = {name: torch.zeros_like(param) for name, param in params.items()}

    def step(self, grads: dict[str, Tensor]) -> None:
        super().step(
            {
                name: grads[name] + self.weight_decay * p
                for name, p in self.params.items()
            }
        )

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

    def __init__(
        self, params: dict[str, Tensor], lr: float = 1e-3, **options: Any
    ) -> None:
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
CURVATURES = [
    [[1.0, 0.0], [0.0, 25.0]],
    [[13.0, -12.0], [-12.0, 13.0]],
]  # loss ½ wᵀ c w, gradient c w
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
    a, b = torch.meshgrid(
        torch.linspace(-3, 5, 90), torch.linspace(-4, 4, 90), indexing="xy"
    )
    for column, (name, make) in enumerate(WALKERS.items()):
        for axis, curvature, start in zip(
            axes[:, column], CURVATURES, STARTS, strict=True
        ):
            c = torch.tensor(curvature, dtype=torch.float64)
            w = torch.tensor(start, dtype=torch.float64)
            optimizer, path = make({"w": w}), [w.clone()]
            for _ in range(40):
                optimizer.step({"w": c @ w})  # (2, 2) @ (2,) → (2,)
                path.append(w.clone())
            height = (c[0, 0] * a**2 + 2 * c[0, 1] * a * b + c[1, 1] * b**2) / 2
            axis.contour(
                a,
                b,
                height,
                levels=[0.5, 2, 6, 14, 30, 60],
                colors="0.85",
                linewidths=0.8,
            )
            axis.plot(
                *torch.stack(path).T, "o-", color=SCRATCH, markersize=2.5, linewidth=0.9
            )
            axis.plot(0, 0, "+", color=OTHER[3], markersize=11, markeredgewidth=1.5)
            axis.set(
                xlim=(-3, 5),
                ylim=(-4, 4),
                xticks=[],
                yticks=[],
                xlabel=f"loss {w @ c @ w / 2:.1g}",
            )
        axes[0, column].set_title(
            f"{name}\nrate {make.keywords['lr']:.2g}", fontsize=10
        )
    return figure


# %% [markdown]
# Momentum beats plain descent a hundredfold, Nesterov a thousandfold, however the valley lies. RMSprop and
# Adam do care: a step size per weight helps where the steep direction *is* a weight. Turned, RMSprop ends
# thousands of times higher. Adam hardly beats plain descent here. Lesson 13 shows its merit.

# %% [markdown]
# ## They agree
#
# The options of `torch.optim` have the names of ours. The tests try them all, and absurd rates too.


# %%
def _same(ours: Any, theirs: Any, **options: Any) -> Pair:
    return optimizer_pair(
        f"{ours.__name__} {options}",
        partial(ours, **options),
        partial(theirs, **options),
    )


PAIRS = [
    training_pair(
        "tiny program, Adam",
        lambda case: tiny_scratch(Adam, 0.01),
        lambda case: tiny_torch(torch.optim.Adam, 0.01),
    ),
    optimizer_pair(
        "adam", lambda params: Adam(params), lambda params: torch.optim.Adam(params)
    ),
    _same(
        MomentumSGD, optim.SGD, lr=0.01, momentum=0.9, dampening=0.5, weight_decay=0.1
    ),
    _same(
        MomentumSGD, optim.SGD, lr=10.0, momentum=0.9, nesterov=True, weight_decay=0.01
    ),
    _same(RMSprop, optim.RMSprop, lr=0.01, momentum=0.5, weight_decay=0.1),
    _same(RMSprop, optim.RMSprop, lr=10.0, centered=True),
    _same(AdamL2, optim.Adam, lr=10.0, weight_decay=0.1, amsgrad=True),
    _same(AdamW, optim.AdamW, lr=0.01, weight_decay=0.1),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - `torch.optim.Adam` is our `AdamL2`. Negative rates and decays raise an error there as here.
# - In the paper AdamW's decay does not depend on the rate, only on the schedule. PyTorch multiplies the two.
#
# Next: which rate to begin with, and how it should move.
