# %% [markdown]
# # Lesson 16 · Overfitting
#
# *When has a network learned, and when has it only memorised?*
#
# Needs: lessons 03, 04, 05, 06, 07, 11, 12, 14 · Time: 25 minutes

# %%
from dataclasses import replace
from functools import cache, partial
from itertools import chain, islice, repeat
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.contracts import within
from curriculum.data import Split, load
from curriculum.demo import demo
from curriculum.draw import SCRATCH, new_figure
from curriculum.drawings import GREY, LINES, curves, paired
from curriculum.pair import Case, Pair, layer_pair, optimizer_pair, training_pair
from curriculum.table import Table
from lessons.lesson03_activations import ReLU
from lessons.lesson04_layers import Linear, Sequential, mlp
from lessons.lesson05_losses import MSELoss
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson07_descent import SGD
from lessons.lesson11_training import accuracy, fit, minibatches, train_step
from lessons.lesson12_optimizers import Adam

# %% [markdown]
# ## Three points, on paper
#
# Say the truth is $y = x$, and we measure it three times, once badly: (0, 0), (1, 1.3),
# (2, 2). The parabola $1.6x - 0.3x^2$ goes through all three points. The line $0.1 + x$
# misses each a little. And at $x = 4$, where the truth is 4?
#
# ```python
# >>> for x in (0, 1, 2, 4):
# ...     print(x, round(1.6 * x - 0.3 * x**2, 1), 0.1 + x)
# 0 0.0 0.1
# 1 1.3 1.1
# 2 2.0 2.1
# 4 1.6 4.1
#
# ```
#
# The parabola has one parameter more, and spends it on the bad measurement. To fit
# one's own examples better and new ones worse is *overfitting*. The training loss
# cannot show it. So one keeps some examples back, a *validation set*: the model never
# learns from them, and we choose by them. How good the chosen model is, a third set
# tells, the *test set*: nobody chooses by that one.
#
# ## Two defences, on paper
#
# **Weight decay** (lesson 12) adds the squares of the weights to the loss, times a
# small $\lambda / 2$. Its slope is $\lambda w$. Let the loss itself not care for a
# weight of 4. With $\lambda = 0.5$ and the rate 0.1 the weight becomes
# $4 - 0.1 \cdot 0.5 \cdot 4 = 3.8$. What is not needed shrinks.
#
# **Dropout** silences every hidden neuron with probability $p$, anew in each step. So
# none can rely on one other. The rest is divided by $1 - p$, to keep the sum: four
# neurons that give 3 each add up to 12. With $p = 0.5$ two of them stay on average,
# each gives 6, and the sum is still 12. In use all of them work, and nothing is
# divided. The *mask* $m$ is 1 where a neuron stays and 0 where it is silenced.
#
# $$L' = L + \frac{\lambda}{2} \sum_i w_i^2 \qquad\qquad y_i = \frac{m_i}{1 - p}\, x_i$$
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $\lambda$ | `weight_decay` | | what large weights cost |
# | $m / (1 - p)$ | `mask` | as $x$ | which neurons stay, and how much they grow |
#
# ## From scratch


# %%
class Dropout:
    """Inverted dropout (Srivastava et al. 2014): what stays grows, in training only.

    x, y: any shape.
    """

    def __init__(self, p: float = 0.5) -> None:
        within("p", p, 0, 1)
        self.params: dict[str, Tensor] = {}
        self.grads: dict[str, Tensor] = {}
        self.p = p
        self.training = True

    def train(self, mode: bool = True) -> "Dropout":
        self.training = mode
        return self

    def eval(self) -> "Dropout":
        return self.train(False)

    def forward(self, x: Tensor) -> Tensor:
        stay = 1 - self.p if self.training else 1.0
        self.mask = torch.full_like(x, stay)  # right already where stay is 0 or 1
        if 0 < stay < 1:
            self.mask = self.mask.bernoulli_(stay) / stay  # 1 with probability `stay`
        return x * self.mask

    def backward(self, grad_y: Tensor) -> Tensor:
        """One number: y = m · x with a fixed m, so ∂y/∂x = m. Silenced: no gradient."""
        return grad_y * self.mask


class DecayingSGD(SGD):
    """Gradient descent on L + λ/2 · Σ w², where λ is `weight_decay`.

    >>> w = torch.tensor([4.0])
    >>> DecayingSGD({"w": w}, lr=0.1, weight_decay=0.5).step({"w": torch.zeros(1)})
    >>> round(w.item(), 6)
    3.8
    """

    def __init__(
        self, params: dict[str, Tensor], lr: float, weight_decay: float
    ) -> None:
        super().__init__(params, lr)
        within("weight_decay", weight_decay)
        self.weight_decay = weight_decay

    def step(self, grads: dict[str, Tensor]) -> None:
        """One weight: the slope of λ/2 · w² is λw, so the gradient is grad + λw."""
        decay = self.weight_decay
        super().step({name: grads[name] + decay * w for name, w in self.params.items()})


# %% [markdown]
# **Early stopping**, a third defence, does not change the step. Every now and then it
# looks at the validation loss, and notes the weights whenever that was never lower. If
# `patience` looks in a row bring nothing new, it says stop, and one goes back to the
# noted weights.


# %%
class EarlyStopping:
    """Stop after `patience` looks without a new lowest validation loss.

    >>> stopping = EarlyStopping({"w": torch.zeros(1)}, patience=2)
    >>> [stopping.should_stop(loss) for loss in (0.9, 0.5, 0.6, 0.55)]
    [False, False, False, True]
    """

    def __init__(self, params: dict[str, Tensor], patience: int) -> None:
        self.params = params
        self.patience = patience
        self.waited = 0
        self.lowest = float("inf")

    def should_stop(self, loss: float) -> bool:
        self.waited += 1
        if loss < self.lowest:
            self.lowest = loss
            self.waited = 0
            self.best = {name: param.clone() for name, param in self.params.items()}
        return self.waited >= self.patience

    def restore(self) -> None:
        for name, param in self.params.items():
            param.copy_(self.best[name])


# %% [markdown]
# ## The same with PyTorch
#
# `nn.Dropout(p)` and `torch.optim.SGD(…, weight_decay=λ)`. Early stopping is yours to
# write; lesson 18's Lightning brings one.


# %% tags=["hide-input"]
def both_scratch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """50 steps with dropout and weight decay; losses and parameters."""
    model = Sequential(
        Linear(case.n_in, 8), ReLU(), Dropout(0.3), Linear(8, case.n_out)
    )
    optimizer = DecayingSGD(model.params, lr=0.1, weight_decay=0.05)
    x = case.tensor("x", 20, case.n_in)
    target = case.classes("target", 20, case.n_out)
    losses = []
    for _ in range(50):
        loss = train_step(model, CrossEntropyLoss(), optimizer, x, target)
        losses.append(loss.item())
    return losses, model.params


def both_torch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """The same with `nn.Dropout` and the `weight_decay` of `torch.optim.SGD`."""
    model = nn.Sequential(
        nn.Linear(case.n_in, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, case.n_out)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.05)
    x = case.tensor("x", 20, case.n_in)
    target = case.classes("target", 20, case.n_out)
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, dict(model.named_parameters())


# %% [markdown]
# ## See it: the gap opens
#
# A setup in which overfitting is easy: 150 digits to learn from, 50 for validation, and
# *every fifth label is wrong*, in both, as in data that people labelled in a hurry. (A
# *label* is the answer that somebody wrote beside an example.) New digits with right
# labels are the test: 1,000 of MNIST (lesson 17), or 300 scans where MNIST is not at
# hand. (They come from the part that `load` calls validation. The real test sets stay
# closed.) The pictures are halved to 14 × 14 pixels, so that a hundred networks train
# in seconds. A 196–128–10 network takes 300 steps of plain descent with batches of 30
# and the rate 0.1. A seed draws the digits, the wrong labels, the first weights and the
# order.


# %% tags=["hide-input"]
class Setup(NamedTuple):
    """Pictures of 14 × 14 pixels: to learn from, (1197, 196), and new ones."""

    pool: Split
    new: Split
    name: str
    background: float


pictures = cache(load)


@cache
def setup() -> Setup:
    """MNIST, or else the scans; halved by taking the mean of 2 × 2 pixels."""
    data = pictures()

    def halved(part: Split, count: int) -> Split:
        x = part.x[:count].view(-1, 14, 2, 14, 2).mean((2, 4)).flatten(1)
        return Split(x, part.target[:count])

    pool = halved(data.train, 1197)
    return Setup(pool, halved(data.val, 1000), data.name, pool.x.min().item())


def spoiled(target: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """The first `share` of the labels become wrong: another digit, by chance."""
    bad = round(share * len(target))
    away = torch.randint(1, 10, (bad,), generator=generator)
    return torch.cat([(target[:bad] + away) % 10, target[bad:]])


def shifted(x: Tensor, generator: torch.Generator, reach: int = 1) -> Tensor:
    """Each picture, (batch, 196), moved by up to `reach` pixels across and down."""
    count = len(x)
    side = 14 + 2 * reach
    framed = torch.full((count, side, side), setup().background)
    framed[:, reach : reach + 14, reach : reach + 14] = x.view(-1, 14, 14)
    down, right = torch.randint(2 * reach + 1, (2, count, 1), generator=generator)
    rows = down + torch.arange(14)  # (batch, 14)
    columns = right + torch.arange(14)
    which = torch.arange(count)[:, None, None]
    return framed[which, rows[:, :, None], columns[:, None, :]].flatten(1)


# %% tags=["hide-input"]
class Look(NamedTuple):
    """What there is to see after so many steps; `new` is the test."""

    after: int
    train_loss: float
    val_loss: float
    new_loss: float
    new_right: float


def drawn(
    seed: int, count: int = 150, wrong: float = 0.2, labels: str = "as given"
) -> tuple[Split, Split, torch.Generator]:
    """`count` digits to learn from, 50 for validation, and the source of chance."""
    generator = torch.Generator().manual_seed(seed)
    pool = setup().pool
    kept, chosen = torch.randperm(1197, generator=generator)[: 50 + count].split(
        (50, count)
    )
    val = Split(pool.x[kept], spoiled(pool.target[kept], wrong, generator))
    target = spoiled(pool.target[chosen], wrong, generator)
    right = target == pool.target[chosen]
    train = Split(pool.x[chosen], target)
    if labels == "wrong ones removed":
        train = Split(train.x[right], target[right])
    if labels == "corrected":
        train = Split(train.x, pool.target[chosen])
    return train, val, generator


@torch.random.fork_rng(devices=[])  # leaves the global generator as it was
def learn(
    seed: int,
    count: int = 150,
    wrong: float = 0.2,
    labels: str = "as given",
    hidden: int = 128,
    p: float = 0.0,
    decay: float = 0.0,
    shift: int = 0,
    patience: int | None = None,
    steps: int = 300,
    every: int = 20,
    stopper: Any = EarlyStopping,
    lr: float = 0.1,
) -> tuple[list[Look], dict[str, Tensor]]:
    """Train with one change or more. A look every so many steps, and the weights."""
    torch.manual_seed(seed)
    train, val, generator = drawn(seed, count, wrong, labels)
    first, relu, last = mlp(196, hidden, 10, seed=seed).layers
    dropout = Dropout(p)
    model = Sequential(first, relu, *([dropout] if p else []), last)
    criterion = CrossEntropyLoss()
    optimizer = SGD(model.params, lr)
    if decay:
        optimizer = DecayingSGD(model.params, lr, decay)
    stopping = stopper(model.params, patience or steps)
    epochs = (minibatches(len(train.x), 30, generator) for _ in repeat(None))

    def look(step: int) -> Look:
        dropout.eval()
        logits = model.forward(setup().new.x)
        found = Look(
            step,
            criterion.forward(model.forward(train.x), train.target).item(),
            criterion.forward(model.forward(val.x), val.target).item(),
            criterion.forward(logits, setup().new.target).item(),
            accuracy(logits, setup().new.target),
        )
        dropout.train()
        return found

    looks = []
    batches = islice(chain.from_iterable(epochs), steps)
    for step, rows in enumerate(batches, start=1):
        x = shifted(train.x[rows], generator, shift) if shift else train.x[rows]
        train_step(model, criterion, optimizer, x, train.target[rows])
        if step % every == 0:
            looks.append(look(step))
            if patience and (stopping.should_stop(looks[-1].val_loss) or step == steps):
                stopping.restore()
                looks.append(look(step))
                break
    return looks, model.params


# %% tags=["hide-input"]
SEEDS = range(5)


@cache
@torch.inference_mode()  # gradients are by hand: autograd need not look on
def undefended() -> Tensor:
    """(5 seeds, 15 looks, 5)."""
    return torch.tensor([learn(seed)[0] for seed in SEEDS])


@demo
def the_gap_opens() -> Figure:
    """No defence: the mean of five seeds, and their range"""
    figure, axis = new_figure(width=6.4, height=3.6)
    runs = undefended()
    steps = runs[0, :, 0]
    names = ("training", "validation", "new digits, right labels")
    series = {}
    for place, name in enumerate(names, start=1):
        losses = runs[:, :, place]
        series[name] = (steps, losses.mean(0))
        axis.fill_between(
            steps, losses.amin(0), losses.amax(0), color=LINES[place - 1], alpha=0.12
        )
    curves(axis, series, across="step", upwards="loss")
    axis.set(ylim=(0, None), title=setup().name)
    return figure


# %% [markdown]
# The training loss falls to the end. The validation loss falls at first, for some 40
# steps on MNIST and 100 on the scans, and then rises. What the network learns after
# that serves its own 150 digits and no others. The loss of the new digits turns as
# well, and later, after some 80 steps on MNIST and 200 on the scans. Why later? Of the
# validation digits, too, a fifth has wrong labels, and these cost the more, the surer
# the network is of the right answer. We checked: with right labels the same 50 digits
# turn when the new ones do. So a noisy validation set stops us early. It still stops
# us.
#
# ## See it: defences, seed by seed
#
# Now one change at a time. Six are defences:
#
# - **1,000 digits** to learn from in place of 150, with 200 labels wrong.
# - **Weight decay**, **dropout**, **early stopping**, as above.
# - **Augmentation** makes new examples from old ones: each picture is moved by up to
#   one pixel across and down, anew each time.
# - **A smaller model**: 16 hidden neurons in place of 128.
#
# Two more are *controls*, above the dotted line. They need someone who knows which
# labels are wrong: these are **removed**, so that 120 digits are left, or
# **corrected**.
#
# It has to be like for like. All have the same wrong labels and the same validation
# digits of their seed. How strong each defence is was chosen by nothing but the
# validation loss, with eight other seeds on both data sets: $\lambda$ of 0.03, 0.06,
# 0.1 and 0.2; $p$ of 0.5, 0.65, 0.8 and 0.9; shifts of 1, 2 and 3 pixels; a patience of
# 2, 4 and 8 looks. And seeds differ more than defences do: some draw easy digits. So we
# look at the *difference* to the same seed without a defence.
#
# <details><summary>What do you expect? The 30 wrong labels are removed. Does it help or
# harm to have a fifth fewer examples?</summary>
#
# It helps, by 12 to 15 points, more than any defence that keeps them and the number of
# digits. Wrong labels do not teach nothing. They teach something wrong.
#
# </details>


# %% tags=["hide-input"]
DEFENCES: dict[str, dict[str, Any]] = {
    "control: wrong labels removed": {"labels": "wrong ones removed"},
    "control: wrong labels corrected": {"labels": "corrected"},
    "1,000 digits": {"count": 1000},
    "weight decay 0.1": {"decay": 0.1},
    "dropout 0.8": {"p": 0.8},
    "augmentation": {"shift": 1},
    "early stopping": {"patience": 4},
    "16 hidden neurons": {"hidden": 16},
}


@cache
@torch.inference_mode()
def ends(defence: str) -> list[Look]:
    """The last look of each seed."""
    if defence == "none":
        return [Look(*run) for run in undefended()[:, -1].tolist()]
    change = {"every": 300} | DEFENCES[defence]
    if "patience" in change:
        change["every"] = 20
    return [learn(seed, **change)[0][-1] for seed in SEEDS]


def gains(defence: str) -> list[float]:
    """New digits read rightly: points more than without a defence, seed by seed."""
    both = zip(ends(defence), ends("none"), strict=True)
    return [100 * (with_it.new_right - without.new_right) for with_it, without in both]


@demo
def seed_by_seed() -> Figure:
    """Each defence alone, minus none: five seeds, the mean and its 95 % interval"""
    figure, axis = new_figure(width=6.6, height=4.2)
    across = "new digits read rightly: points more than without a defence"
    paired(axis, {name: gains(name) for name in DEFENCES}, across)
    axis.axhline(1.5, color=GREY, linewidth=0.6, linestyle=":")
    axis.set_title(setup().name)
    return figure


@demo
def defences_in_numbers() -> Table:
    """Each defence alone: ranges of five seeds, and the mean difference"""
    rows = []
    for name in ("none", *DEFENCES):
        losses = [look.train_loss for look in ends(name)]
        right = [look.new_right for look in ends(name)]
        gain = 0.0 if name == "none" else sum(gains(name)) / len(SEEDS)
        rows.append(
            (
                name,
                f"{min(losses):.2f} to {max(losses):.2f}",
                f"{min(right):.0%} to {max(right):.0%}",
                f"{gain:+.1f}",
            )
        )
    columns = ("defence", "training loss", "new digits read rightly", "points gained")
    return Table(columns, rows, setup().name)


# %% [markdown]
# The figure has five seeds. These are means of 24, first on MNIST, then on the scans:
#
# - **Better data helps most.** Removing the wrong labels gains 12 and 15 points.
#   Correcting them gains 15 and 16: the 30 pictures with their right labels are worth
#   1 to 3 points. A thousand digits gain 19 and 16, with every fifth label still wrong.
# - **Dropout** gains 5 and 8 points, **augmentation** 5 and 6, **early stopping** 4 and
#   7. Which of them is best depends on the digits, and five seeds cannot tell. Early
#   stopping also saves more than 100 of the 300 steps.
# - **Weight decay** gains 3 points on MNIST. On the scans it gains 2 on average and
#   harms with every fourth seed.
# - **The smaller model** does not help. It reads 3 points *fewer* on both. It does so
#   after 100 steps and after 1,000, too, and with early stopping.
#
# How strong a defence is matters as much as which it is. Dropout with $p = 0.2$ gains 1
# and 2 points, and we should have called it weak. And gains do not add up: dropout with
# early stopping gains 5 and 7 points, about as much as one of them alone.
#
# **How long one trains matters, too.** We changed the rate alone, with the strengths as
# they are (eight seeds, MNIST and scans). At 0.03, where there is little overfitting
# yet, augmentation *costs* 1 and 6 points, weight decay brings 1 and costs 3, dropout
# brings 1 and costs 1. At 0.3 dropout of 0.8 brings 4 on MNIST and costs 55 on the
# scans: nothing is learned. What holds at all three rates, on both: better data gains 5
# points or more and beats every other defence, early stopping never costs, and 16
# neurons always do. A defence is tuned for one training, and anew for the next.
#
# ## See it: is a smaller model safer?
#
# On paper above, one parameter too many did the harm. The classical picture says: too
# few parameters cannot learn, too many overfit, the best number lies between. The left
# panel has networks with 4 to 256 hidden neurons, five seeds each. They read better and
# better up to 128 neurons on MNIST and 16 on the scans. Above that they are level,
# within 3 points. No best number lies between. (Nor at rates of 0.03 and 0.3, nor after
# 2,000 steps, nor with all or three fifths of the labels right.)
#
# So is the classical picture wrong? The right panel shows where it holds. It has the
# same 150 digits and a network whose first layer is random and stays so. Only the last
# layer is fitted, but *exactly*: the weights with the smallest squared error, and of
# several such the shortest. More neurons help up to 32 or 64. Then it gets worse, down
# to 13 and 19 % where there are about as many neurons as digits, 150. There all 150
# labels, the wrong ones too, can just be fitted: 150 equations with 150 unknowns. That
# can be done in a single way, and takes huge weights. *And then it gets better again.*
# With more neurons there are many exact fits, and the shortest has smaller weights: on
# MNIST their length is 14 at 64 neurons, 271 at 150 and 2 at 1,024. There it reads at
# least as many digits as anywhere before. The error falls, rises and falls again:
# *double descent* (Belkin and others 2019, arXiv:1812.11118).
#
# So the number of parameters does not measure how much a model overfits. How large its
# weights must be is nearer to it. The trained networks on the left have no such peak:
# 300 small steps do not reach such weights. Whether yours have one depends on how noisy
# the labels are and how long they train.


# %% tags=["hide-input"]
WIDTHS = (4, 8, 16, 128, 256)
FITTED = (4, 8, 16, 32, 64, 100, 130, 150, 170, 200, 300, 600, 1024)


@cache
@torch.inference_mode()
def width_sweep() -> Tensor:
    """The share of new digits read rightly by trained networks: (5 widths, 5 seeds)."""
    known = {16: "16 hidden neurons", 128: "none"}  # trained above
    found = []
    for width in WIDTHS:
        if width in known:
            runs = ends(known[width])[:5]
        else:
            runs = [learn(seed, hidden=width, every=300)[0][-1] for seed in range(5)]
        found.append([run.new_right for run in runs])
    return torch.tensor(found)


def fitted_exactly(width: int, seed: int) -> tuple[float, float]:
    """Share of new digits read rightly, and the length of the fitted weights.

    The first layer is random; the last is the shortest least-squares solution.
    """
    train, _, generator = drawn(seed)
    weight = torch.randn(196, width, generator=generator) / 14
    bias = torch.randn(width, generator=generator) / 2
    hidden = (train.x @ weight + bias).clamp(min=0).double()  # (150, width)
    wanted = torch.eye(10, dtype=torch.float64)[train.target]  # 1 for the digit, else 0
    last = torch.linalg.pinv(hidden, rtol=1e-10) @ wanted  # (width, 10)
    new = (setup().new.x @ weight + bias).clamp(min=0).double()
    return accuracy(new @ last, setup().new.target), last.norm().item()


@cache
def exact_sweep() -> Tensor:
    """Share read rightly and length of the weights: (13 widths, 5 seeds, 2)."""
    return torch.tensor(
        [[fitted_exactly(width, seed) for seed in range(5)] for width in FITTED]
    )


@demo
def width_and_double_descent() -> Figure:
    """New digits read rightly from 150, a fifth of them mislabelled; five seeds"""
    figure, axes = new_figure(1, 2, width=4.2, height=3.6)
    panels = (
        ("all layers trained, 300 steps", WIDTHS, width_sweep()),
        ("last layer fitted exactly", FITTED, exact_sweep()[:, :, 0]),
    )
    for axis, (title, widths, shares) in zip(axes, panels, strict=True):
        axis.plot(widths, 100 * shares, "o", color=GREY, markerfacecolor="none")
        axis.plot(widths, 100 * shares.mean(1), color=SCRATCH)
        axis.set(xscale="log", xlabel="hidden neurons", ylim=(0, 100), title=title)
        axis.set(xticks=(4, 16, 64, 256, 1024), xticklabels=(4, 16, 64, 256, "1,024"))
        axis.minorticks_off()
    axes[0].set_ylabel(f"new digits read rightly, % ({setup().name})")
    axes[1].axvline(150, color="0.3", linestyle=":")
    axes[1].text(140, 93, "as many as digits", color="0.3", fontsize=9, ha="right")
    return figure


# %% [markdown]
# ## See it: a million parameters memorise
#
# Zhang and others (2017, arXiv:1611.03530) gave networks *random* labels, with nothing
# to understand. So do we: 1,000 digits of 28 × 28, and a network with 1,061,130
# parameters.


# %% tags=["hide-input"]
@cache
@torch.inference_mode()
def memorise(random_labels: bool) -> tuple[int, float, float]:
    """Epochs (until all are right, at most 200); accuracy in training, on new digits.

    >>> model = mlp(784, 512, 512, 512, 256, 10)
    >>> sum(param.numel() for param in model.params.values())
    1061130
    """
    data = pictures()
    x, target = data.train.x[:1000], data.train.target[:1000]
    new, truth = data.val.x[:1000], data.val.target[:1000]
    generator = torch.Generator().manual_seed(0)
    if random_labels:
        target = torch.randint(10, (1000,), generator=generator)
    model = mlp(784, 512, 512, 512, 256, 10)
    for name, param in model.params.items():  # lesson 14's start
        if "weight" in name:
            param.normal_(0, (2 / param.shape[1]) ** 0.5, generator=generator)
        else:
            param.zero_()
    model.params["0.weight"].mul_(2)  # learns by heart in fewer epochs
    optimizer = Adam(model.params, lr=0.0005)
    model.layers[0].backward = model.layers[0].backward_params  # pixels need none
    epochs = 0
    while epochs < 200 and accuracy(model.forward(x), target) < 1:
        fit(model, CrossEntropyLoss(), optimizer, x, target, 4, 250, generator)
        epochs += 4
    in_training = accuracy(model.forward(x), target)
    return epochs, in_training, accuracy(model.forward(new), truth)


@demo
def random_labels_are_memorised() -> Table:
    """A million parameters learn 1,000 random labels by heart"""
    columns = ("labels", "epochs", "right in training", "right on new digits")
    rows = [("true", *memorise(False)), ("random", *memorise(True))]
    return Table(columns, rows, setup().name)


# %% [markdown]
# All 1,000 random labels are right in the end, and new digits are read no better than
# by guessing. So a perfect score in training proves nothing. Yet the same network with
# true labels, which could have memorised them as well, reads more than 80 % of the new
# digits. Why it does is not fully understood.
#
# ## See it: notes that were not copied
#
# `EarlyStopping` notes the best weights with `clone()`. A common mistake is to note
# them without, or `model.state_dict()`, which is the same. Then the note *is* the
# weights, and goes on changing with them. `restore()` copies them onto themselves. What
# shows it? After `restore()` the validation loss must be the lowest that was seen.


# %% tags=["hide-input"]
class NotCopied(EarlyStopping):
    """Wrong on purpose."""

    def should_stop(self, loss: float) -> bool:
        stop = super().should_stop(loss)
        self.best = dict(self.params)  # names for the same tensors
        return stop


@demo
def notes_that_were_not_copied() -> Table:
    """The bug: the lowest validation loss, and that of the restored weights; seed 0"""
    rows = []
    for name, stopper in (("cloned", EarlyStopping), ("not copied", NotCopied)):
        *looks, restored = learn(0, patience=4, stopper=stopper)[0]
        lowest = min(look.val_loss for look in looks)
        verdict = "equal" if restored.val_loss == lowest else "not the best weights"
        rows.append((name, lowest, restored.val_loss, verdict))
    return Table(("weights", "lowest seen", "after restore()", "verdict"), rows)


# %% [markdown]
# ## See it: two habits
#
# **Standardise the inputs.** Lesson 04 met houses: square feet near 1600, bedrooms near
# 2.5, years near 35. Lesson 07 said: the steepest direction sets the rate, the flattest
# pays. Here prices are an exact sum of the three, and each row has its best rate. Raw,
# the loss is stuck at 0.28. To standardise is `(x − mean) / deviation`, both of the
# *training* examples alone: nothing of the others must leak in.
#
# **Set the seeds.** First weights, order and masks are drawn by chance. A seed fixes
# them, and a run can be repeated exactly, on the same machine with the same PyTorch.
# Elsewhere sums may run in another order.


# %% tags=["hide-input"]
def learn_houses(standardise: bool, lr: float) -> list[float]:
    """The loss of each of 300 steps, from weights 0."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(200, 3, generator=generator)
    price = 3 + z @ torch.tensor([[0.8], [0.4], [-0.3]])  # (200, 3) @ (3, 1)
    spread = torch.tensor([500.0, 1.0, 20.0])  # feet², bedrooms, years
    x = z * spread + torch.tensor([1600.0, 2.5, 35.0])
    if standardise:
        x = (x - x.mean(0)) / x.std(0)
    model = Linear(3, 1)
    model.params = {"weight": torch.zeros(1, 3), "bias": torch.zeros(1)}
    optimizer = SGD(model.params, lr)
    order = torch.Generator().manual_seed(0)
    return fit(model, MSELoss(), optimizer, x, price, 300, 200, order)


@demo
def houses_raw_and_standardised() -> Table:
    """The same houses, raw and standardised, each near its largest rate"""
    rates = {"raw": 10**-6.5, "standardised": 10**-0.5}
    rows = []
    for name, lr in rates.items():
        losses = learn_houses(name != "raw", lr)
        rows.append((name, lr, losses[0], losses[-1]))
    return Table(("inputs", "rate", "first loss", "loss after 300 steps"), rows)


@demo
def seeds_repeat_a_run() -> Table:
    """The same seed twice, then another: 50 steps with dropout"""
    weights = [learn(seed, p=0.5, steps=50)[1]["0.weight"] for seed in (0, 0, 1)]
    rows = []
    for name, weight in zip(("seed 0 again", "seed 1"), weights[1:], strict=True):
        off = (weight - weights[0]).abs().max().item()
        rows.append((name, off, torch.equal(weight, weights[0])))
    columns = (
        "against seed 0",
        "largest difference of a weight",
        "the same to the last bit",
    )
    return Table(columns, rows)


# %% [markdown]
# ## They agree
#
# For the same masks, and in the run for the same first weights, both sides draw from
# the same seed.


# %% tags=["hide-input"]
def _seeded(pair: Pair) -> Pair:
    """The same draws on both sides, and on the CPU: other devices draw otherwise."""

    def run(side: Any, case: Case) -> Any:
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.manual_seed(case.seed)
            return side(replace(case, device="cpu"))

    return replace(
        pair, scratch=partial(run, pair.scratch), torch=partial(run, pair.torch)
    )


PAIRS = [
    _seeded(
        layer_pair(
            "dropout 0.3", lambda case: Dropout(0.3), lambda case: nn.Dropout(0.3)
        )
    ),
    _seeded(
        layer_pair("dropout 1", lambda case: Dropout(1), lambda case: nn.Dropout(1))
    ),
    layer_pair(
        "dropout, eval",
        lambda case: Dropout(0.3).eval(),
        lambda case: nn.Dropout(0.3).eval(),
    ),
    optimizer_pair(
        "decay",
        lambda params: DecayingSGD(params, lr=1, weight_decay=0.1),
        lambda params: torch.optim.SGD(params, lr=1, weight_decay=0.1),
    ),
    _seeded(training_pair("dropout and weight decay", both_scratch, both_torch)),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - `model.eval()` reaches every layer of an `nn.Module`. Without it a network is judged
#   with holes in it.
# - `weight_decay` pulls at biases as well, as ours does. Many recipes spare them.
# - Augmentation is in `torchvision.transforms.v2`, which turns and resizes, too.
#
# ## You can now
#
# - tell learning from memorising, and which of three sets is for what;
# - write dropout, weight decay and early stopping;
# - compare defences fairly: the same data, each tuned by validation, differences seed
#   by seed;
# - doubt the rule that fewer parameters overfit less.
#
# Exercises: `curriculum start 16a` (averaged weights), `16b` (a bug in dropout), `16c`
# (predict, run, explain), each graded by `curriculum check` and its name. `curriculum
# run 16` shows all figures, `curriculum compare 16` all pairs.
#
# Next: lesson 17 puts the pieces together and reads all of MNIST.
