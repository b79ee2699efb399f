# %% [markdown]
# # Lesson 16 · Overfitting
#
# *When has a network learned, and when has it only memorised?*
#
# Needs: lessons 03, 04, 05, 07, 11 · Time: 25 minutes

# %%
from dataclasses import replace
from functools import cache, partial
from itertools import islice
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.contracts import within
from curriculum.data import load
from curriculum.demo import demo
from curriculum.draw import OTHER, new_figure
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
# ## The idea
#
# Say the truth is $y = x$, and we measure it three times, once badly: (0, 0), (1, 1.3), (2, 2). The parabola
# $1.6x - 0.3x^2$ goes through all three points, the line $0.1 + x$ misses each a little. And at $x = 4$?
#
# ```python
# >>> [(round(1.6 * x - 0.3 * x**2, 10), 0.1 + x) for x in (0, 1, 2, 4)]
# [(0.0, 0.1), (1.3, 1.1), (2.0, 2.1), (1.6, 4.1)]
# ```
#
# The parabola has one parameter more, and spends it on the bad measurement. To fit one's own examples better
# and new ones worse is *overfitting*. The training loss cannot show it. So we keep back a *validation set*,
# examples that the model never learns from. Two old defences change the step itself:
#
# - **Weight decay** (lesson 12) adds the squares of the weights to the loss, times a small $\lambda / 2$.
#   Large weights now cost something, and each step pulls every weight a little towards 0.
# - **Dropout** silences every hidden neuron with probability $p$, anew in each step: none can rely on one
#   other. The rest is divided by $1 - p$. Of four neurons that each give 3, with $p = 0.5$ two stay on
#   average, each gives 6, and the sum is still 12. The mask $m$ is 1 where a neuron stays, else 0.
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
    """Inverted dropout (Srivastava et al. 2014): what stays grows, but only in training. Any shape."""

    def __init__(self, p: float = 0.5) -> None:
        within("p", p, 0, 1)
        self.params: dict[str, Tensor] = {}
        self.grads: dict[str, Tensor] = {}
        self.p, self.training = p, True

    def train(self, mode: bool = True) -> "Dropout":
        self.training = mode
        return self

    def eval(self) -> "Dropout":
        return self.train(False)

    def forward(self, x: Tensor) -> Tensor:
        stay = 1 - self.p if self.training else 1.0
        self.mask = torch.full_like(x, stay)  # right already where stay is 0 or 1
        if 0 < stay < 1:
            self.mask = (
                self.mask.bernoulli_(stay) / stay
            )  # 1 with probability `stay`, else 0; enlarged
        return x * self.mask

    def backward(self, grad_y: Tensor) -> Tensor:
        """One number: y = m · x with a fixed m, so ∂y/∂x = m. A silenced neuron gets no gradient."""
        return grad_y * self.mask


class DecayingSGD(SGD):
    """Gradient descent on L + λ/2 · Σ w², where λ is `weight_decay`. A weight of 4, left alone by L:

    >>> DecayingSGD({"w": (w := torch.tensor([4.0]))}, lr=0.1, weight_decay=0.5).step({"w": torch.zeros(1)})
    >>> round(w.item(), 6)  # 4 − 0.1 · 0.5 · 4
    3.8
    """

    def __init__(
        self, params: dict[str, Tensor], lr: float, weight_decay: float
    ) -> None:
        super().__init__(params, lr)
        within("weight_decay", weight_decay)
        self.weight_decay = weight_decay

    def step(self, grads: dict[str, Tensor]) -> None:
        """One weight: the slope of λ/2 · w² is λw. The other squares do not change with w, so grad + λw."""
        super().step(
            {
                name: grads[name] + self.weight_decay * w
                for name, w in self.params.items()
            }
        )


class EarlyStopping:
    """The third defence: stop after `patience` looks at the loss on examples kept back without a new best.

    >>> stopping = EarlyStopping({"w": torch.zeros(1)}, patience=2)
    >>> [stopping.should_stop(loss) for loss in (0.9, 0.5, 0.6, 0.55)]
    [False, False, False, True]
    """

    def __init__(self, params: dict[str, Tensor], patience: int) -> None:
        self.params, self.patience, self.waited, self.lowest = (
            params,
            patience,
            0,
            float("inf"),
        )

    def should_stop(self, loss: float) -> bool:
        self.waited += 1
        if loss < self.lowest:
            self.lowest, self.waited = loss, 0
            self.best = {name: param.clone() for name, param in self.params.items()}
        return self.waited >= self.patience

    def restore(self) -> None:
        for name, param in self.params.items():
            param.copy_(self.best[name])


def both_scratch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """50 steps with dropout and weight decay; losses and parameters."""
    model = Sequential(
        Linear(case.n_in, 8), ReLU(), Dropout(0.3), Linear(8, case.n_out)
    )
    optimizer = DecayingSGD(model.params, lr=0.1, weight_decay=0.05)
    x, target = case.tensor("x", 20, case.n_in), case.classes("target", 20, case.n_out)
    losses = [
        train_step(model, CrossEntropyLoss(), optimizer, x, target).item()
        for _ in range(50)
    ]
    return losses, model.params


# %% [markdown]
# ## The same with PyTorch


# %%
def both_torch(case: Case) -> tuple[list[float], dict[str, Tensor]]:
    """The same with `nn.Dropout` and the `weight_decay` of `torch.optim.SGD`."""
    model = nn.Sequential(
        nn.Linear(case.n_in, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, case.n_out)
    )
    optimizer, losses = (
        torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.05),
        [],
    )
    x, target = case.tensor("x", 20, case.n_in), case.classes("target", 20, case.n_out)
    for _ in range(50):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, dict(model.named_parameters())


# %% [markdown]
# ## See it: the gap opens, and seven ways to narrow it
#
# 784–256–10 learns from 150 digits, 500 steps of 30. To make it hard, 30 of the labels are wrong: what they
# teach does not help with new digits. The up to 1,000 validation labels are right. `load` takes MNIST, lesson
# 17's 70,000 digits, or else lesson 11's scans. Then one change at a time. Two mend the data: right labels,
# and 1,000 examples (200 labels wrong). *Augmentation* makes new examples: each mini-batch is turned,
# shifted, resized a little (usually each picture on its own, which is slower). Early stopping watches up to
# 500 other digits, so that its choice does not flatter its result. (Their labels are right: an advantage.)


# %%
data_set = cache(load)  # read once
DEFENCES: dict[str, dict[str, Any]] = {
    "none": {}, "right labels": {"wrong": 0.0}, "1,000 examples": {"count": 1000},
    "weight decay 0.03": {"decay": 0.03}, "dropout 0.5": {"p": 0.5}, "augmentation": {"augment": True},
    "early stopping": {"patience": 4}, "16 neurons": {"hidden": 16},
}  # fmt: skip


@torch.random.fork_rng(devices=[])  # leaves the global generator as it was
def learn(
    seed: int, count: int = 150, wrong: float = 0.2, hidden: int = 256, p: float = 0.0, decay: float = 0.0,
    augment: bool = False, patience: int = 99, steps: int = 500,
) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
    """Every 25 steps: training loss, validation loss, validation accuracy, (looks, 3). And the weights."""
    from torchvision.transforms import v2

    torch.manual_seed(seed)
    generator, criterion = torch.Generator().manual_seed(seed), CrossEntropyLoss()
    chosen, bad = (
        torch.randperm(1000, generator=generator)[:count],
        round(wrong * count),
    )
    x, target = (part[chosen] for part in data_set().train)  # (count, 784), (count,)
    target[:bad] = (
        target[:bad] + torch.randint(1, 10, (bad,), generator=generator)
    ) % 10
    val, watched = (
        [part[:1000] for part in data_set().val],
        [part[1000:1500] for part in data_set().train],
    )
    first, relu, last = mlp(784, hidden, 10, seed=seed).layers
    model = Sequential(first, relu, dropout := Dropout(p), last)
    optimizer, stopping = (
        DecayingSGD(model.params, 0.05, decay),
        EarlyStopping(model.params, patience),
    )
    change = v2.RandomAffine(
        10, translate=(0.07, 0.07), scale=(0.9, 1.1), fill=x.min().item()
    )
    batches = (rows for _ in range(steps) for rows in minibatches(count, 30, generator))
    looks: list[tuple[Any, ...]] = []
    while len(looks) < steps // 25:
        for rows in islice(batches, 25):
            batch = change(x[rows].view(-1, 28, 28)).flatten(1) if augment else x[rows]
            train_step(model, criterion, optimizer, batch, target[rows])
        dropout.eval()
        if stop := stopping.should_stop(
            criterion.forward(model.forward(watched[0]), watched[1]).item()
        ):
            stopping.restore()
        train_loss, logits = (
            criterion.forward(model.forward(x), target),
            model.forward(val[0]),
        )
        looks.append(
            (train_loss, criterion.forward(logits, val[1]), accuracy(logits, val[1]))
        )
        dropout.train()
        if stop:  # from here on nothing changes
            looks += looks[-1:] * (steps // 25 - len(looks))
    return torch.tensor(looks), model.params


@cache
def measured() -> Tensor:
    """Every defence alone; a seed sets digits, weights and order. (8 defences, 3 seeds, 20 looks, 3)"""
    changes = DEFENCES.values()
    return torch.stack(
        [
            torch.stack([learn(seed, **change)[0] for seed in range(3)])
            for change in changes
        ]
    )


@demo
def defences_in_numbers() -> Table:
    """Each defence alone: mean ± standard deviation over three seeds"""
    columns = ("defence", "training loss", "validation loss", "validation accuracy")
    last = measured()[:, :, -1]  # (8, 3 seeds, 3)
    ends = torch.stack([last.mean(1), last.std(1)], 2).tolist()  # (8, 3, 2)
    rows = [
        (name, *(f"{m:.2f} ± {s:.2f}" for m, s in row))
        for name, row in zip(DEFENCES, ends, strict=True)
    ]
    return Table(columns, rows, data_set().name)


@demo
def gap_and_defences() -> Figure:
    """Training loss falls, validation loss turns round; what helps"""
    figure, (gap, *axes) = new_figure(1, 3, width=4.2, height=3.6)
    for losses, name, color in zip(
        measured()[0, 0].T, ("training", "validation"), OTHER, strict=False
    ):
        gap.plot(range(25, 501, 25), losses, color=color, label=name)
    gap.set(
        title=f"no defence, {data_set().name}",
        xlabel="step",
        ylabel="loss",
        ylim=(0, None),
    )
    gap.legend(frameon=False)
    for axis, column, title in zip(
        axes, (1, 2), ("loss (lower is better)", "accuracy"), strict=True
    ):
        last = measured()[:, :, -1, column]  # (8, 3 seeds)
        axis.axvline(last[0].mean(), color="0.7", linewidth=1)
        axis.errorbar(
            last.mean(1), range(8), xerr=last.std(1), fmt="o", color=OTHER[1], capsize=3
        )
        axis.set(
            xlabel=f"validation {title}",
            yticks=range(8),
            yticklabels=DEFENCES if column == 1 else [],
        )
        axis.invert_yaxis()
    return figure


# %% [markdown]
# Dots are means of three seeds, bars standard deviations; much of a bar is which digits were drawn, and those
# are the same for all but 1,000 examples. The grey line is no defence. On both data sets:
#
# - Better data helps most: right labels, more examples, examples made from old ones.
# - Early stopping helps less, but even saves steps. Weight decay and dropout: less than four points.
# - The smaller model does *not* help. "Fewer parameters, less overfitting" is only a rule of thumb.
#
# ## See it: a million parameters memorise
#
# Zhang et al. (2017, arXiv:1611.03530) gave networks random labels, with nothing to understand. So do we.


# %%
@cache
def memorise(random_labels: bool) -> tuple[int, float, float]:
    """Epochs (until all are right, at most 200), accuracy in training and on the validation set.

    >>> sum(param.numel() for param in mlp(784, 512, 512, 512, 256, 10).params.values())
    1061130
    """
    (x, target), val = (
        (part[:1000] for part in data_set().train),
        [part[:1000] for part in data_set().val],
    )
    generator = torch.Generator().manual_seed(0)
    target = (
        torch.randint(10, (1000,), generator=generator) if random_labels else target
    )
    model = mlp(784, 512, 512, 512, 256, 10)
    optimizer, epochs = Adam(model.params), 0
    while epochs < 200 and accuracy(model.forward(x), target) < 1:
        fit(model, CrossEntropyLoss(), optimizer, x, target, 5, 250, generator)
        epochs += 5
    return (
        epochs,
        accuracy(model.forward(x), target),
        accuracy(model.forward(val[0]), val[1]),
    )


@demo
def random_labels_are_memorised() -> Table:
    """A million parameters learn 1,000 random labels by heart"""
    columns = ("labels", "epochs", "right in training", "right on new digits")
    return Table(
        columns,
        [("true", *memorise(False)), ("random", *memorise(True))],
        data_set().name,
    )


# %% [markdown]
# All 1,000 random labels are right in the end, and new digits are read no better than by guessing. A perfect
# score in training proves nothing. Yet with true labels the same network, which could have memorised them,
# reads new digits well. Why is not fully understood.
#
# ## See it: two habits
#
# **Standardise the inputs.** Lesson 04 met houses: square feet near 1600, bedrooms near 2.5, years near 35.
# Lesson 07 said: the steepest direction sets the rate, the flattest pays. Prices here are an exact sum of the
# three. Raw, the loss is stuck at 0.28. To standardise is `(x − mean) / deviation`, both of the *training*
# examples: nothing of the others must leak in. (Pixels share one scale. `load` standardises them too.)
#
# **Set the seeds.** First weights, order and masks are drawn by chance. A seed fixes them, and a run can be
# repeated exactly, on the same machine with the same PyTorch. Elsewhere sums may run in another order.


# %%
def learn_houses(standardise: bool, lr: float) -> list[float]:
    """The loss of each of 300 steps, from weights 0."""
    z = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    price = 3 + z @ torch.tensor([[0.8], [0.4], [-0.3]])  # (200, 3) @ (3, 1) → (200, 1)
    x = z * torch.tensor([500.0, 1.0, 20.0]) + torch.tensor(
        [1600.0, 2.5, 35.0]
    )  # feet², bedrooms, years
    if standardise:
        x = (x - x.mean(0)) / x.std(0)
    model = Linear(3, 1)
    model.params = {"weight": torch.zeros(1, 3), "bias": torch.zeros(1)}
    return fit(
        model,
        MSELoss(),
        SGD(model.params, lr),
        x,
        price,
        300,
        200,
        torch.Generator().manual_seed(0),
    )


@demo
def houses_raw_and_standardised() -> Table:
    """The same houses, raw and standardised, each near its largest rate"""
    rates = {"raw": 10**-6.5, "standardised": 10**-0.5}
    rows = [
        (name, lr, *learn_houses(name != "raw", lr)[::299])
        for name, lr in rates.items()
    ]
    return Table(("inputs", "rate", "first loss", "loss after 300 steps"), rows)


@demo
def seeds_repeat_a_run() -> Table:
    """The same seed twice, then another: 50 steps with dropout"""
    rows, weights = (
        [],
        [learn(seed, p=0.5, steps=50)[1]["0.weight"] for seed in (0, 0, 1)],
    )
    for name, weight in zip(("seed 0 again", "seed 1"), weights[1:], strict=True):
        rows.append(
            (
                name,
                (weight - weights[0]).abs().max().item(),
                torch.equal(weight, weights[0]),
            )
        )
    return Table(
        (
            "against seed 0",
            "largest difference of a weight",
            "the same to the last bit",
        ),
        rows,
    )


# %% [markdown]
# ## They agree
#
# For the same masks, and in the run for the same first weights, both sides draw from the same seed.


# %%
def _seeded(pair: Pair) -> Pair:
    """The same draws on both sides. On the CPU: every other device draws in a way of its own."""

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
        lambda p: DecayingSGD(p, 1, 0.1),
        lambda p: torch.optim.SGD(p, 1, 0, 0, 0.1),
    ),
    _seeded(training_pair("dropout and weight decay", both_scratch, both_torch)),
]

# %% [markdown]
# ## Where PyTorch differs
#
# - `model.eval()` reaches every layer of an `nn.Module`. Without it a network is judged with holes in it.
# - `weight_decay`, the fifth argument above, pulls at biases as well, as ours does.
#
# Next: lesson 17 reads all of MNIST.
