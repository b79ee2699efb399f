# %% [markdown]
# # Lesson 11 · The training loop
#
# *How do guess, measure and adjust, repeated thousands of times, become learning?*
#
# Needs: lessons 01, 03, 04, 05, 07, 08 · Time: 25 minutes

# %%
from collections.abc import Iterator
from typing import Any

import torch
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from torch import Tensor, nn

from curriculum.contracts import within
from curriculum.demo import demo
from curriculum.draw import OTHER, SCRATCH, TORCH, new_figure
from curriculum.pair import optimizer_pair, training_pair
from curriculum.table import Table
from lessons.lesson03_activations import ReLU
from lessons.lesson04_layers import Linear, Sequential
from lessons.lesson05_losses import MSELoss
from lessons.lesson06_cross_entropy import CrossEntropyLoss

# %% [markdown]
# ## The idea
#
# Training repeats one *step*: guess, measure the error, find the slope, adjust. Take one weight,
# $y = w \cdot x$, and one example: for $x = 2$ the right answer is 6. We start at $w = 1$. The loss is
# $(y - 6)^2$, its slope $2 (y - 6) x$, the learning rate 0.1.
#
# ```python
# >>> w = 1.0
# >>> for step in range(3):
# ...     y = w * 2                                  # guess
# ...     loss = (y - 6) ** 2                        # measure
# ...     grad = 2 * (y - 6) * 2                     # find the slope
# ...     w = w - 0.1 * grad                         # adjust
# ...     print(f"guess {y:.3f}  loss {loss:.4f}  new w {w:.3f}")
# guess 2.000  loss 16.0000  new w 2.600
# guess 5.200  loss 0.6400  new w 2.920
# guess 5.840  loss 0.0256  new w 2.984
# ```
#
# With many examples we could ask all of them before each step. That is exact but slow. Or we ask a few, a
# *mini-batch*, and step at once. When every example has been asked once, an *epoch* is over. 1,437 examples
# make 44 mini-batches of 32 and a last one of 29: such an epoch has 45 steps.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $B$ | `batch_size` | | examples asked before one step |
# | $g$ | `grad` | as the weight | the gradient of the mini-batch |
# | $t$ | `steps` | | steps taken so far |
#
# ## From scratch


# %%
def minibatches(count: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """One epoch: 0 … count − 1 in random order (drawn on the CPU), `batch_size` at a time, the rest last."""
    yield from torch.randperm(count, generator=generator, device="cpu").split(batch_size)


def train_step(model: Any, criterion: Any, optimizer: Any, x: Tensor, target: Tensor) -> Tensor:
    """Guess, measure, find the slopes, adjust. Returns the loss of the guess, a single number."""
    loss = criterion.forward(model.forward(x), target)
    model.backward(criterion.backward())
    optimizer.step(model.grads)
    return loss


def fit(
    model: Any,
    criterion: Any,
    optimizer: Any,
    x: Tensor,
    target: Tensor,
    epochs: int,
    batch_size: int,
    generator: torch.Generator,
) -> list[float]:
    """Go through the examples `epochs` times. Returns the loss of every step."""
    losses = []
    for _ in range(epochs):
        for index in minibatches(len(x), batch_size, generator):
            losses.append(train_step(model, criterion, optimizer, x[index], target[index]).item())
    return losses


def accuracy(logits: Tensor, target: Tensor) -> float:
    """The share of examples whose largest logit is right. logits (batch, classes), target (batch,)."""
    return (logits.argmax(1) == target).sum().item() / len(target)


@demo
def one_epoch_visits_each_once() -> Table:
    """Ten examples in batches of four: every one once per epoch, in a new order"""
    generator = torch.Generator().manual_seed(0)
    rows = [(epoch, *(str(i.tolist()) for i in minibatches(10, 4, generator))) for epoch in (1, 2, 3)]
    return Table(("epoch", "batch 1", "batch 2", "batch 3"), rows)


# %% [markdown]
# ## Adam: a step size for every weight
#
# Plain descent moves a weight by `lr · gradient`. A weight with gradients near 100 and one with gradients
# near 0.001 would need different rates, but there is only one. *Adam* (Kingma & Ba 2015, arXiv:1412.6980)
# keeps two notes per weight: $m$, the average of its latest gradients, and $v$, that of their squares.
# Dividing $m$ by $\sqrt v$ takes the scale out. Gradients that agree give about 1 or −1: the weight moves by
# about `lr`. Gradients that disagree give almost 0. Each average is mostly the old one, a little of the new:
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, g \qquad v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2$$
#
# With $\beta_1 = 0.9$, $\beta_2 = 0.999$ and a start at 0 both are too small at first: after one step $m$ is
# $0.1\, g$. Dividing by $1 - \beta_1^t$, which is 0.1 for $t = 1$, gives $g$ back. The whole step, where the
# tiny $\varepsilon = 10^{-8}$ keeps a weight without gradient from dividing 0 by 0:
#
# $$w \leftarrow w - \text{lr} \cdot \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon}$$
#
# Towards the end the rate should shrink (`linear_decay`). Near the bottom the true gradient is almost 0. What
# is left is chance: which examples were drawn. A constant rate lets it kick the weights about for ever. Let
# 10,000 weights look for 0 by 300 steps of plain descent on $w^2$, with noise of size 1 on each $w$ they see.
# A rate of 0.2 leaves them about 0.5 off, a rate that falls from 0.2 to 0 only 0.13.


# %%
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
        self.params, self.lr, self.betas, self.eps, self.steps = params, lr, betas, eps, 0
        self.mean = {name: torch.zeros_like(param) for name, param in params.items()}
        self.square = {name: torch.zeros_like(param) for name, param in params.items()}

    def step(self, grads: dict[str, Tensor]) -> None:
        self.steps += 1
        beta1, beta2 = self.betas
        for name, param in self.params.items():
            grad = grads[name]  # a method that ends in _ writes over its tensor
            self.mean[name].lerp_(grad, 1 - beta1)  # m + (1 − β₁) · (g − m) = β₁ m + (1 − β₁) g
            self.square[name].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)  # β₂ v + (1 − β₂) g²
            size = self.typical_square(name).sqrt().div_((1 - beta2**self.steps) ** 0.5).add_(self.eps)
            param.addcdiv_(self.mean[name], size, value=-self.lr / (1 - beta1**self.steps))

    def typical_square(self, name: str) -> Tensor:
        """What the step takes the root of: v. A method, so that lesson 12 can put another in its place."""
        return self.square[name]


def linear_decay(lr: float, step: int, steps: int) -> float:
    """The rate of step 0, 1, …, steps − 1: it falls in a straight line from `lr` towards 0."""
    return lr * (1 - step / steps)


# %% [markdown]
# ## The same with PyTorch: the tiny program
#
# Is the sum of two numbers positive? 1 means yes, 0 no. A 2–16–1 network learns it from 256 random points:
# Adam with rate 0.01, mean squared error, 200 steps. Mini-batches of 60 make five steps per epoch, the last
# with 16 points. An output above 0.5 counts as yes. The PyTorch loop has one move more. PyTorch *adds* each
# gradient to those before, so they must be cleared. `clear=False` leaves that out: a bug to watch.


# %%
def mlp(n_in: int, hidden: int, n_out: int, seed: int) -> Sequential:
    """One hidden layer with ReLU. The first weights depend on nothing but `seed`."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Sequential(Linear(n_in, hidden), ReLU(), Linear(hidden, n_out))


def sums() -> tuple[Tensor, Tensor]:
    """256 points (256, 2), and 1 where their two numbers add up to more than 0, else 0: (256, 1)."""
    x = torch.randn(256, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64, device="cpu")
    x = x.to(torch.get_default_device(), torch.get_default_dtype())
    return x, (x.sum(1, keepdim=True) > 0).to(x.dtype)


def tiny_scratch() -> tuple[list[float], dict[str, Tensor]]:
    """The tiny program: the loss of every step and the trained parameters."""
    model, generator = mlp(2, 16, 1, seed=0), torch.Generator().manual_seed(0)
    return fit(model, MSELoss(), Adam(model.params, lr=0.01), *sums(), 40, 60, generator), model.params


def tiny_torch(clear: bool = True) -> tuple[list[float], dict[str, Tensor]]:
    """The same with `torch.nn`, `torch.optim` and autograd."""
    model = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
    model.load_state_dict(mlp(2, 16, 1, seed=0).params)  # the same first weights, under the same names
    criterion, optimizer = nn.MSELoss(), torch.optim.Adam(model.parameters(), lr=0.01)
    (x, target), generator, losses = sums(), torch.Generator().manual_seed(0), []
    for _ in range(40):
        for index in minibatches(256, 60, generator):
            loss = criterion(model(x[index]), target[index])
            if clear:
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses, dict(model.named_parameters())


@demo
def the_boundary_turns_into_place() -> Figure:
    """The tiny network's answers, red no and blue yes; dashed: the truth"""
    model, (x, target), ticks = mlp(2, 16, 1, seed=0), sums(), torch.linspace(-3, 3, 121)
    optimizer, generator = Adam(model.params, lr=0.01), torch.Generator().manual_seed(0)
    figure, axes = new_figure(1, 4, width=2.7, height=3.0)
    for axis, epochs in zip(axes, (0, 1, 4, 35), strict=True):
        fit(model, MSELoss(), optimizer, x, target, epochs, 60, generator)
        right = ((model.forward(x) > 0.5) == (target > 0.5)).sum().item() / 256
        answer = model.forward(torch.cartesian_prod(ticks, ticks)).view(121, 121).T
        axis.contourf(ticks, ticks, answer, levels=[-99, 0.5, 99], colors=[SCRATCH, TORCH], alpha=0.25)
        axis.scatter(*x.T, c=[TORCH if yes else SCRATCH for yes in target], s=4)
        axis.plot([-3, 3], [3, -3], "--", color="0.3", linewidth=1)
        axis.set(title=f"step {optimizer.steps}: {right:.0%} right", xlabel="first number")
        axis.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
    axes[0].set_ylabel("second number")
    return figure


@demo
def a_stale_gradient_is_a_bug() -> Figure:
    """The tiny program in PyTorch, with `zero_grad()` and without"""
    figure, axis = new_figure(width=6)
    for clear, name, color in ((False, "forgotten", SCRATCH), (True, "cleared", TORCH)):
        axis.semilogy(tiny_torch(clear)[0], color=color, label=name)
    axis.legend(frameon=False)
    axis.set(xlabel="step", ylabel="loss of the mini-batch")
    return figure


# %% [markdown]
# Without clearing, each step follows the *sum* of all gradients so far. At the bottom of the valley that sum
# still drives the weights up the other side. Nothing crashes, and for ten steps all looks well.
#
# ## See it: reading small digits
#
# scikit-learn brings 1,797 handwritten digits of 8×8 pixels. We shuffle them (seed 0), train a 64–32–10
# network on 1,437 and keep 360 back, to see whether it reads digits that it has not learned from. (The same
# people wrote both parts. New hands would be harder.)


# %%
def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x (1437, 64) from 0 to 1, target (1437,), and the same for the 360 kept back."""
    bunch = load_digits()
    x, target = torch.tensor(bunch.data / 16, dtype=torch.get_default_dtype()), torch.tensor(bunch.target)
    order = torch.randperm(1797, generator=torch.Generator().manual_seed(0), device="cpu")
    return x[order[:1437]], target[order[:1437]], x[order[1437:]], target[order[1437:]]


def learn_digits(seed: int, lr: float = 0.01, shuffle: bool = True) -> tuple[list[float], list[float]]:
    """Ten epochs, mini-batches of 32: every loss, and the accuracy on the 360 before and after each epoch."""
    x, target, x_kept, target_kept = digits()
    model, generator = mlp(64, 32, 10, seed=seed), torch.Generator().manual_seed(seed)
    criterion, optimizer = CrossEntropyLoss(), Adam(model.params, lr)
    losses, right = [], [accuracy(model.forward(x_kept), target_kept)]
    for _ in range(10):
        batches = minibatches(1437, 32, generator) if shuffle else target.argsort(stable=True).split(32)
        losses += [train_step(model, criterion, optimizer, x[i], target[i]).item() for i in batches]
        right.append(accuracy(model.forward(x_kept), target_kept))
    return losses, right


@demo
def guess_measure_adjust() -> Figure:
    """From blind guesses to reading: ten epochs of 45 steps, from three starts"""
    figure, (left, right) = new_figure(1, 2, width=4.6)
    for seed in range(3):
        losses, share = learn_digits(seed)
        left.plot(losses, color=OTHER[seed], linewidth=0.8)
        right.plot(range(0, 451, 45), share, color=OTHER[seed], label=f"{share[0]:.1%} → {share[-1]:.1%}")
    left.set(xlabel="step", ylabel="loss of the mini-batch", ylim=(0, None))
    right.set(xlabel="step", ylabel="share of the 360 read rightly", ylim=(0, 1))
    right.legend(frameon=False, loc="lower right", title="before → after")
    return figure


# %% [markdown]
# A popular account says 12 % right before training and 97 % after. Ours begin between 4 % and 12 %, chance
# being 10 %, and end between 95 % and 98 %, after 450 adjustments and 14,370 guesses. Nobody wrote a rule.
#
# ## See it: noise, and why we shuffle
#
# A mini-batch's gradient is a noisy guess at the full one. Averaging $B$ independent guesses divides the
# noise by $\sqrt B$: four times the work for half the noise. We draw without putting back, so that all 1,437
# are exact: near the full set the noise falls below the line. At 32 the noise is larger than the gradient
# itself, and yet 32 is what taught the network above.
#
# Cheap, poor steps do well as long as their errors differ from step to step. That is why we shuffle. Sorted
# by class, whole runs of steps see one digit only. At rate 0.01 they push every hidden neuron below 0 for
# every scan: no gradient gets through, and the network stays blind. At 0.001 it learns, but slower.


# %%
def gradient_noise(batch_size: int, tries: int = 200) -> tuple[float, float]:
    """Root mean square distance of mini-batch gradients from the full gradient, and its length."""
    (x, target, _, _), generator = digits(), torch.Generator().manual_seed(0)
    model, criterion, gradients = mlp(64, 32, 10, seed=0), CrossEntropyLoss(), []
    for size in (1437, *[batch_size] * tries):
        index = torch.randperm(1437, generator=generator)[:size]
        criterion.forward(model.forward(x[index]), target[index])
        model.backward(criterion.backward())
        gradients.append(torch.cat([grad.flatten() for grad in model.grads.values()]))  # (2410,)
    full, *noisy = gradients
    return (torch.stack(noisy) - full).square().sum(1).mean().sqrt().item(), full.norm().item()


@demo
def larger_batches_are_less_noisy() -> Figure:
    """How far a mini-batch's gradient is from the full gradient, before training"""
    sizes = [2**i for i in range(11)]
    noise = [gradient_noise(size)[0] for size in sizes]
    figure, axis = new_figure(width=6)
    axis.loglog(sizes, [noise[0] / size**0.5 for size in sizes], "--", color="0.6", label="1 / √B")
    axis.loglog(sizes, noise, "o-", color=SCRATCH, label="measured")
    axis.axhline(gradient_noise(1)[1], color=TORCH, label="length of the full gradient")
    axis.set(xlabel="batch size B", ylabel="distance", xticks=sizes[::2], xticklabels=sizes[::2])
    axis.legend(frameon=False)
    return figure


@demo
def sorted_by_class_learns_badly() -> Table:
    """Share of the 360 read rightly, shuffled or sorted (zeros first, nines last)"""
    runs = [(lr, order) for lr in (0.01, 0.001) for order in ("shuffled", "sorted")]
    rows = [(lr, order, *learn_digits(0, lr, order == "shuffled")[1][2::4]) for lr, order in runs]
    return Table(("rate", "order", "after 2 epochs", "after 6", "after 10"), rows)


# %% [markdown]
# ## They agree
#
# Adam after 1, 10 and 100 steps. The tiny program: all 200 losses and the trained weights.

# %%
PAIRS = [
    optimizer_pair("adam", lambda params: Adam(params), lambda params: torch.optim.Adam(params)),
    training_pair("tiny program", lambda case: tiny_scratch(), lambda case: tiny_torch()),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - `DataLoader(..., batch_size=32, shuffle=True)` does what `minibatches` does. A seed gives another order.
# - Learning-rate schedules are objects there, in `torch.optim.lr_scheduler`. Ours is a function.
#
# Next: Adam's relatives, and which rate to begin with.
