# %% [markdown]
# # Lesson 06 · Softmax and cross-entropy
#
# *Which of many is it, and what does a wrong answer cost?*
#
# Needs: lessons 03, 04, 05 · Time: 20 minutes

# %%
import math
from functools import cache, partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.contracts import class_per_row, same_shape, within
from curriculum.demo import demo
from curriculum.draw import DATA, NEGATIVE, OTHER, POSITIVE, new_figure
from curriculum.drawings import curves
from curriculum.pair import Case, layer_pair, loss_pair
from curriculum.table import Table
from lessons.lesson03_activations import Activation, edges
from lessons.lesson04_layers import Linear, Sequential, mlp, two_scans
from lessons.lesson05_losses import Loss

# %% [markdown]
# ## On paper: from scores to shares
#
# A network that tells dogs from wolves and coyotes has three outputs, one score an
# animal. It says 2.833, 0.693 and 0. Which is it, and how sure is the network? We want
# *shares*: positive numbers that add up to 1. Scores may be negative, so dividing by
# their sum will not do. The function $e^x$ is positive everywhere:
#
# | | dog | wolf | coyote | sum |
# |---|---|---|---|---|
# | score $z$ (a *logit*) | 2.833 | 0.693 | 0 | |
# | $e^z$ | 17 | 2 | 1 | 20 |
# | share, $e^z$ / 20 | 85 % | 10 % | 5 % | 100 % |
#
# This is *softmax*:
#
# $$p_i = \frac{e^{z_i}}{\sum_j e^{z_j}}$$
#
# The largest score gets the largest share, but not all of it: a *soft* maximum. The
# hard one (1 for the largest, else 0) would be lesson 05's staircase again, without a
# slope.
#
# Why $e^x$, and not $x^2$ or $2^x$? A square gives −3 the share of 3. The exponential
# always grows, and makes ratios of shares from differences of scores: one more on a
# score makes its odds against each other class $e = 2.718$ times as good, wherever it
# started. (With 2 in place of $e$ it would be twice as good: the same up to a factor in
# the scores.) For two classes with the scores $z$ and 0 it is an old friend:
#
# $$\frac{e^z}{e^z + e^0} = \frac{1}{1 + e^{-z}} = \sigma(z)$$
#
# <details><summary>What do you expect of the shares if 100 is added to each of the
# three scores?</summary>
#
# Nothing: each exponential is multiplied by $e^{100}$, and that cancels. Only
# differences count.
#
# </details>
#
# So we may take the largest score off all of them first. Then no exponential is above
# 1, and none is too large for a computer.
#
# ## Everyone's share hangs on everyone's score
#
# Let $S$ be the sum of the exponentials. A score moves its own share in two ways, as
# $e^{z_i}$ and as part of $S$. It moves another's share through $S$ only. The slope of
# $e^z$ is $e^z$ itself, and that of $1/S$ is $-1/S^2$ (lesson 01):
#
# $$\frac{\partial p_i}{\partial z_i} = \frac{e^{z_i}}{S} - \frac{e^{z_i} e^{z_i}}{S^2}
# = p_i (1 - p_i) \qquad
# \frac{\partial p_i}{\partial z_j} = -\frac{e^{z_i} e^{z_j}}{S^2} = -p_i\, p_j$$
#
# As the dog's score grows, its own share grows by 0.85 · 0.15 = 0.1275 for each unit,
# the wolf's shrinks by 0.085 and the coyote's by 0.0425. That adds up to 0: a share is
# always taken from somebody.
#
# ## From scratch
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $z$ | `prediction`, `logits` | (batch, classes) | scores |
# | $p$ | `p` | (batch, classes) | shares, a row adds up to 1 |
# | $t$, $c$ | `target` | (batch,) | the number of the right class |
# | $q$ | `q` | (batch, classes) | the right shares: 1 for the right class, else 0 |
#
# `backward` is told $g_i = \partial L/\partial p_i$ for each share. A score reaches the
# loss through all of them, and over several paths we add:
#
# $$\frac{\partial L}{\partial z_j} =
# g_j\, p_j (1 - p_j) - \sum_{i \ne j} g_i\, p_i\, p_j =
# p_j \Big( g_j - \sum_i g_i\, p_i \Big)$$


# %%
class Softmax(Activation):
    """Shares over the last dimension. x: (…, n) → y: (…, n), each row adds up to 1."""

    def forward(self, x: Tensor) -> Tensor:
        e = torch.exp(x - x.amax(-1, keepdim=True))
        self.y = e / e.sum(-1, keepdim=True)
        return self.y

    def backward(self, grad_y: Tensor) -> Tensor:
        """∂L/∂xⱼ = yⱼ (gⱼ − Σᵢ gᵢ yᵢ), with g = `grad_y`. Shape: as x."""
        return self.y * (grad_y - (grad_y * self.y).sum(-1, keepdim=True))


# %% [markdown]
# ```python
# >>> softmax = Softmax()
# >>> softmax.forward(torch.tensor([2.833, 0.693, 0.0]))
# tensor([0.8500, 0.1000, 0.0500])
# >>> softmax.backward(torch.tensor([1.0, 0.0, 0.0]))  # of the dog's share
# tensor([ 0.1275, -0.0850, -0.0425])
#
# ```


# %% tags=["hide-input"]
ANIMALS = ("dog", "wolf", "coyote")
ANIMAL_COLORS = (OTHER[1], OTHER[2], OTHER[0])


@demo
def share_by_its_logit() -> Figure:
    """The three shares while only the dog's score moves; and how fast each moves"""
    dog = torch.linspace(-4, 6, 501)
    logits = torch.stack((dog, 0 * dog + math.log(2), 0 * dog), 1)  # (501, 3)
    softmax = Softmax()
    shares = softmax.forward(logits)
    slopes = {}
    for i, name in enumerate(ANIMALS):
        own = torch.zeros_like(logits)
        own[:, i] = 1.0
        slopes[f"{name}'s share"] = (dog, softmax.backward(own)[:, 0])
    figure, (left, right) = new_figure(1, 2, width=4.8, height=3.6)
    left.stackplot(dog, *shares.T, colors=ANIMAL_COLORS, alpha=0.75)
    at = math.log(17)
    left.axvline(at, color=DATA, linewidth=1)
    look = {"color": "black", "va": "center", "fontsize": 9}
    left.text(at + 0.15, 0.4, "at 2.833:\ncoyote 5 %\nwolf 10 %\ndog 85 %", **look)
    for name, place in (
        ("dog", (4.9, 0.1)),
        ("wolf", (-3, 0.4)),
        ("coyote", (-3, 0.85)),
    ):
        left.text(*place, name, **look)
    left.set(xlabel="the dog's score", ylabel="shares, stacked", xlim=(-4, 6))
    left.set(ylim=(0, 1), title="one grows, the others shrink")
    colors = dict(zip(slopes, ANIMAL_COLORS, strict=True))
    curves(right, slopes, "the dog's score", "slope along the dog's score", colors)
    right.axhline(0, color="0.7", linewidth=1, zorder=0)
    right.axvline(at, color=DATA, linewidth=1)
    right.set_title("the three slopes add up to 0")
    return figure


@demo
def softmax_stays_finite() -> Table:
    """Add a number to all scores: the formula as written breaks down, ours does not"""
    rows = []
    for added in (0, 50, 100, 10_000, -10_000):
        x = torch.tensor([17.0, 2.0, 1.0], dtype=torch.float32).log() + added
        as_written = torch.exp(x) / torch.exp(x).sum()
        rows.append((added, as_written[0].item(), *Softmax().forward(x).tolist()))
    return Table(("added", "dog, as written", "dog", "wolf", "coyote"), rows)


# %% [markdown]
# `nan` is "not a number": infinity divided by infinity, or 0 by 0.
#
# ## The price of confidence
#
# Now cat, dog, bird. Softmax says 90 %, 8 % and 2 %. How wrong is that? Lesson 05
# answered by counting: minus the logarithm of the probability that was given to the
# truth. With many classes this is the *cross-entropy*:
#
# $$L = -\ln p_c \qquad\text{or, with the right shares } q: \qquad
# L = -\sum_k q_k \ln p_k$$
#
# - It is a cat: $-\ln 0.90 = 0.1054$. Sure and right is cheap.
# - Another network says 34 %, 33 %, 33 %, and it is a cat: $-\ln 0.34 = 1.0788$.
# - The first, but it is a bird: $-\ln 0.02 = 3.912$. Sure and wrong is dear.
#
# There is no upper limit. Each time the share of the truth is halved, the price grows
# by $\ln 2 = 0.69$.
#
# <details><summary>What do you expect? You are right nine times of ten. What should you
# say each time, to pay the least on average: 60 %, 90 %, 99 %, 99.9 %?</summary>
#
# Say 90 %, the truth. With $p$ for your answer and $1 - p$ for the other one you pay
# $-0.9 \ln p - 0.1 \ln (1 - p)$ on average:
#
# ```python
# >>> says = torch.tensor([0.6, 0.9, 0.99, 0.999])
# >>> -0.9 * torch.log(says) - 0.1 * torch.log(1 - says)
# tensor([0.5514, 0.3251, 0.4696, 0.6917])
#
# ```
#
# Who says 99.9 % pays nearly as much as somebody who has no idea and says 50 %: that
# costs $\ln 2 = 0.6931$ each time.
#
# </details>


# %% tags=["hide-input"]
@demo
def price_of_confidence() -> Figure:
    """Left: what the truth's share costs. Right: too sure costs more than too modest"""
    figure, (left, right) = new_figure(1, 2, width=4.8, height=3.6)
    p = torch.linspace(0.004, 0.999, 996)
    left.plot(p, -torch.log(p), color=OTHER[2])
    for share, name in ((0.9, "sure, right"), (0.34, "unsure"), (0.02, "sure, wrong")):
        paid = -math.log(share)
        left.plot(share, paid, "o", color=DATA)
        look = {"color": DATA, "va": "bottom"}
        if share > 0.5:
            left.text(1.0, paid + 0.5, f"{name}: {paid:.4g}", ha="right", **look)
        else:
            left.text(share + 0.03, paid, f"{name}: {paid:.4g}", ha="left", **look)
    left.set(xlabel="share given to the right class", ylabel="price −ln p")
    left.set(ylim=(0, 5.6), title="one answer")
    price = -0.9 * torch.log(p) - 0.1 * torch.log(1 - p)
    right.plot(p, price, color=OTHER[2])
    for says in (0.6, 0.9, 0.99, 0.999):
        paid = -0.9 * math.log(says) - 0.1 * math.log(1 - says)
        right.plot(says, paid, "o", color=DATA)
        words = f"{100 * says:g} %"
        if says > 0.95:
            right.text(says - 0.02, paid, words, ha="right", va="center", color=DATA)
        else:
            right.text(says, paid + 0.05, words, ha="center", color=DATA)
    right.set(xlabel="p, what you say", ylabel="mean price", xlim=(0.4, 1.02))
    right.set(ylim=(0, 1.1), title="right nine times of ten")
    return figure


# %% [markdown]
# So cross-entropy rewards honesty: best is the $p$ that is the share of times one is
# right. But a network is paid on its *training* pictures. On new ones it is right less
# often, and then too sure. Many networks are (Guo et al. 2017, arXiv 1706.04599).
# Shares have the form of probabilities. Whether they are good ones has to be measured.
#
# ## The slope: p − q
#
# How does the loss move with the scores? From the formula of softmax,
# $\ln p_c = z_c - \ln \sum_j e^{z_j}$. So
#
# $$L = \ln \sum_j e^{z_j} - z_c \qquad
# \frac{\partial L}{\partial z_k} = \frac{e^{z_k}}{\sum_j e^{z_j}} - q_k = p_k - q_k$$
#
# The second term has the slope −1 along the right class's score and 0 along the others:
# $-q_k$; the slope of $\ln S$ is $1/S$. What is said minus what is true, as for yes and
# no. When it is a bird, the slopes are +0.90, +0.08 and −0.98: the bird's score wants
# up, the cat's wants down, and together they are 0. One step of the rate 1 against
# them, and the bird has 11 % in place of 2 %:
#
# ```python
# >>> z = torch.log(torch.tensor([0.90, 0.08, 0.02]))
# >>> Softmax().forward(z - torch.tensor([0.90, 0.08, -0.98]))
# tensor([0.7421, 0.1498, 0.1081])
#
# ```
#
# No share appears inside a logarithm here. That matters: a right class far behind has a
# share that a computer rounds to 0, and $\ln 0$ is minus infinity. The class below
# works with scores all the way.


# %%
class CrossEntropyLoss(Loss):
    """Cross-entropy of softmax(prediction), one loss per example.

    prediction: (batch, classes). target: the number of the right class (batch,), or the
    right shares (batch, classes). "More" explains the options.
    """

    def __init__(
        self,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
        weight: Tensor | None = None,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(reduction)
        within("label_smoothing", label_smoothing, 0, 1)
        self.label_smoothing = label_smoothing
        self.weight = weight
        self.ignore_index = ignore_index

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """L = ln Σ e^z − z_c. The largest z is taken off all: no p changes."""
        of_shares = target.is_floating_point()
        if of_shares:
            same_shape("prediction", prediction, "target of probabilities", target)
        else:
            class_per_row(prediction, target)
        shifted = prediction - prediction.amax(1, keepdim=True)
        log_sum = torch.log(torch.exp(shifted).sum(1, keepdim=True))  # (batch, 1)
        log_p = shifted - log_sum  # (batch, classes)
        self.p = torch.exp(log_p)
        self.count: float = len(log_p)
        if of_shares or has_options(self):
            return with_options(self, log_p, target)
        right = target.long()[:, None]  # (batch, 1)
        self.q = torch.zeros_like(log_p).scatter_(1, right, 1)  # a 1 in each row
        losses = log_sum - shifted.gather(1, right)  # of each row, the right column
        return self.reduce(losses[:, 0])

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        """∂L/∂z = p − q, times its share of the mean. Shape: (batch, classes).

        If q adds up to Σq, not 1 (weights): p · Σq − q.
        """
        if grad_loss is not None:
            grad_loss = grad_loss[..., None]  # (batch,) → (batch, 1)
        slope = self.p * self.q.sum(1, keepdim=True) - self.q
        return slope * self.share(self.count, grad_loss)


# %% [markdown]
# `scatter_(1, right, 1)` writes a 1 into the column `right` of each row, and `gather`
# reads that column. Large scores are no trouble, where the formula as written fails:
#
# ```python
# >>> z = torch.tensor([[1000.0, -1000.0]])
# >>> -torch.log(torch.exp(z) / torch.exp(z).sum())  # class 0 is right; class 1 is
# tensor([[nan, inf]])
# >>> CrossEntropyLoss("none").forward(torch.cat([z, z]), torch.tensor([0, 1]))
# tensor([   0., 2000.])
#
# ```
#
# <details><summary>More: the options</summary>
#
# - **Right shares.** A target may be $q$ itself: "70 % cat, 30 % dog".
# - **`label_smoothing`** 0.1 with ten classes: in place of 1 the right class gets 0.91,
#   in place of 0 each other gets 0.01 (Szegedy et al. 2015, arXiv 1512.00567, section
#   7). The network is no longer asked to be infinitely sure.
# - **`weight`** (classes,): how much each class counts. The mean is then divided by the
#   weights of the examples, not by their number.
# - **`ignore_index`**: examples with this target count nothing.
#
# For any $q$, $L = \sum_c q_c (\ln \sum_j e^{z_j} - z_c)$ has the slope
# $p_k \sum_c q_c - q_k$.
#
# </details>


# %% tags=["hide-input"]
def smooth(q: Tensor, smoothing: float) -> Tensor:
    """Shares (batch, classes), a little less certain."""
    if smoothing == 0:
        return q
    return (1 - smoothing) * q + smoothing / q.shape[1]


def has_options(criterion: CrossEntropyLoss) -> bool:
    """Whether a target of class numbers needs more than a look at one column."""
    if criterion.weight is not None or criterion.ignore_index is not None:
        return True
    return criterion.label_smoothing != 0


def with_options(criterion: CrossEntropyLoss, log_p: Tensor, target: Tensor) -> Tensor:
    """The loss with right shares, smoothing, weights or ignored examples. Sets q."""
    weight = criterion.weight
    if target.is_floating_point():
        q = smooth(target, criterion.label_smoothing)
        criterion.q = q if weight is None else q * weight
        return criterion.reduce((criterion.q * -log_p).sum(1))
    if weight is None:
        weight = torch.ones_like(log_p[0])  # (classes,)
    right = target.long()[:, None]  # (batch, 1)
    ignored = torch.zeros_like(right) > 0
    if criterion.ignore_index is not None:
        ignored = right == criterion.ignore_index
    right = right.masked_fill(ignored, 0)
    q = torch.zeros_like(log_p).scatter_(1, right, 1)
    q = smooth(q, criterion.label_smoothing)
    criterion.q = (q * weight).masked_fill(ignored, 0)
    criterion.count = weight[right].masked_fill(ignored, 0).sum().item()
    losses = (criterion.q * -log_p).masked_fill(criterion.q == 0, 0).sum(1)
    if criterion.reduction == "mean":
        return losses.sum() / criterion.count
    return criterion.reduce(losses)


@demo
def confidence_has_a_price() -> Table:
    """Sure and right is cheap, sure and wrong is dear. The gradient is p − q"""
    criterion = CrossEntropyLoss()
    sure = (0.90, 0.08, 0.02)
    unsure = (0.34, 0.33, 0.33)
    rows = []
    for name, says, truth in (
        ("right", sure, "cat"),
        ("unsure", unsure, "cat"),
        ("wrong", sure, "bird"),
    ):
        target = torch.tensor([("cat", "dog", "bird").index(truth)])
        logits = torch.tensor([says]).log()  # softmax undoes the logarithm
        loss = criterion.forward(logits, target).item()
        gradient = "/".join(f"{g:+.2f}" for g in criterion.backward()[0].tolist())
        rows.append((name, "/".join(f"{p:.0%}" for p in says), truth, loss, gradient))
    columns = ("", "says cat/dog/bird", "truth", "cross-entropy", "∂L/∂logits")
    return Table(columns, rows)


# %% [markdown]
# ## A network that knows nothing
#
# Lesson 04 sent a 3 and a 7 through an untrained network, and ten numbers came out that
# meant nothing. Now we can judge them.
#
# <details><summary>What do you expect its loss to be?</summary>
#
# It cannot know, so each of ten digits should get about a tenth, and
# $-\ln 0.1 = \ln 10 = 2.3026$. That is a good first check of any *classifier*, a
# network that names a class. A first loss far above says: it starts out sure, and
# wrong.
#
# </details>


# %% tags=["hide-input"]
@cache
def scans() -> tuple[Tensor, Tensor]:
    """Scikit-learn's 1,797 scans of digits, (1797, 64), from 0 to 1; and the digits."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return torch.tensor(found.data / 16), torch.tensor(found.target)


def three_and_seven() -> tuple[Tensor, Tensor]:
    """Lesson 04's two scans, (2, 784), from 0 (paper) to 1 (ink); and their digits."""
    return two_scans(), torch.tensor([3, 7])


@demo
def untrained_starts_at_ln_10() -> Table:
    """First losses of five untrained networks; and with a hundred times the scores"""
    generator = torch.Generator().manual_seed(5)
    noise = torch.rand(500, 784, generator=generator)
    labels = torch.randint(10, (500,), generator=generator)
    rows = []
    for seed in range(5):
        network = mlp(784, 128, 64, 10, seed=seed)
        losses = []
        for factor in (1, 100):
            for x, target in (three_and_seven(), (noise, labels)):
                logits = factor * network.forward(x)
                losses.append(CrossEntropyLoss().forward(logits, target).item())
        rows.append((seed, *losses))
    names = ("a 3 and a 7", "500 random images", "the same, 100 z", "random, 100 z")
    return Table(("seed", *names), rows)


def learn_two(
    steps: int, seed: int = 0, lr: float = 0.1
) -> tuple[Tensor, Tensor, Tensor]:
    """Show the 3 and the 7, step by step. Before the steps and after them: p (2, 10),
    and p − q before them.
    """
    x, target = three_and_seven()
    network = mlp(784, 128, 64, 10, seed=seed)
    criterion = CrossEntropyLoss()
    criterion.forward(network.forward(x), target)
    first = criterion.p
    wanted = 2 * criterion.backward()  # of each example alone, not of their mean
    for _ in range(steps):
        network.backward(criterion.backward())
        for name, param in network.params.items():
            param.sub_(lr * network.grads[name])
        criterion.forward(network.forward(x), target)
    return first, criterion.p, wanted


@demo
def the_three_and_the_seven() -> Figure:
    """An untrained network judged; what each score hears; and 20 steps later"""
    x, target = three_and_seven()
    first, last, slopes = learn_two(20)
    figure, axes = new_figure(2, 3, width=3.4, height=2.5)
    titles = ("untrained: p", "slopes: p − q", "after 20 steps: p")
    for row, digit in enumerate(target.tolist()):
        for axis, values in zip(axes[row], (first, slopes, last), strict=True):
            colors = [OTHER[2] if k == digit else "0.7" for k in range(10)]
            if values is slopes:
                signs = (slopes[row] > 0).tolist()
                colors = [POSITIVE if sign else NEGATIVE for sign in signs]
            axis.bar(range(10), values[row].tolist(), color=colors)
            axis.axhline(0, color="0.6", linewidth=0.8)
            low, high = (-1, 0.3) if values is slopes else (0, 1.3)
            axis.set(xticks=range(10), ylim=(low, high))
            if values is not slopes:
                axis.set_yticks((0, 0.5, 1))
                share = values[row, digit].item()
                words = f"{digit}: {100 * share:.1f} %, price {-math.log(share):.3f}"
                axis.text(9.4, 1.12, words, ha="right", fontsize=9, color=DATA)
        picture = axes[row, 0].inset_axes((0.05, 0.3, 0.22, 0.45))
        picture.imshow(x[row].view(28, 28).numpy(), cmap="gray_r")
        picture.set(xticks=[], yticks=[])
        axes[row, 0].set_ylabel(f"a {digit}")
    for column, title in enumerate(titles):
        axes[0, column].set_title(title)
        axes[1, column].set_xlabel("digit")
    return figure


# %% [markdown]
# The 3 gets a share of 10.6 %, the 7 gets 9.5 %. That costs 2.245 and 2.349. With other
# starts, and other pictures, it is about the same: 2.22 to 2.40 in the table. Make the
# scores a hundred times as large, and the first loss is 9 to 24.
#
# The slopes (middle) say what is wanted: the right score up, nine others a little down.
# And since each layer has a `backward`, the network can do it: 20 steps with the rate
# 0.1, and both right classes have more than 97 %. So it is with seeds 0 to 4. It has
# learned two pictures, not to read. Lesson 17 does that.
#
# ## See it: a mistake that nothing reports
#
# "The network should put out probabilities", somebody thinks, and ends it with a
# softmax. The loss applies its own to that. Nothing crashes:
#
# ```python
# >>> z = torch.tensor([[2.833, 0.693, 0.0]])
# >>> nn.CrossEntropyLoss()(z, torch.tensor([0]))  # −ln 0.85
# tensor(0.1625)
# >>> nn.CrossEntropyLoss()(Softmax().forward(z), torch.tensor([0]))
# tensor(0.6532)
#
# ```
#
# <details><summary>What do you expect? How low can the loss get with two softmaxes and
# ten classes?</summary>
#
# At best the first says 1, 0, 0, …, 0. The second makes $e$ of the 1 and 1 of each 0.
# The right share is $e / (e + 9) = 0.23$, and the loss $\ln(e + 9) - 1 = 1.4612$.
#
# </details>


# %% tags=["hide-input"]
DIGIT_RATES = (0.3, 1.0, 3.0, 10.0)


def learn_digits(
    layers: list[Any], lr: float, seed: int, steps: int = 100
) -> tuple[list[float], float]:
    """One linear layer, then `layers`, learns 500 scans; 1,297 others are unseen.

    Returns every loss, and the share of the unseen that it reads.
    """
    x, target = scans()
    x = x.to(torch.get_default_dtype())
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    known, unseen = order[:500], order[500:]
    linear = Linear(64, 10)
    for param in linear.params.values():
        param.zero_()
    network = Sequential(linear, *layers)
    criterion = CrossEntropyLoss()
    losses = []
    for _ in range(steps):
        logits = network.forward(x[known])
        losses.append(criterion.forward(logits, target[known]).item())
        network.backward(criterion.backward())
        for name, param in network.params.items():
            param.sub_(lr * network.grads[name])
    answers = network.forward(x[unseen]).argmax(1)
    return losses, (answers == target[unseen]).double().mean().item()


@demo
def one_softmax_too_many() -> Figure:
    """Two softmaxes: slower at most rates, and a loss with a floor at 1.46; 5 seeds"""
    figure, (left, right) = new_figure(1, 2, width=4.8, height=3.6)
    for name, make, color, line in (
        ("right: scores", list, OTHER[2], "-"),
        ("wrong: softmax, then the loss", lambda: [Softmax()], NEGATIVE, "--"),
    ):
        read = []
        for lr in DIGIT_RATES:
            runs = [learn_digits(make(), lr, seed) for seed in range(5)]
            read.append([100 * accuracy for _, accuracy in runs])
            for seed, (losses, _) in enumerate(runs):
                label = name if seed == 0 else None
                if lr == 1:
                    left.plot(losses, line, color=color, linewidth=1, label=label)
        middle = [sorted(values)[2] for values in read]
        right.plot(DIGIT_RATES, middle, line, color=color)
        for lr, values in zip(DIGIT_RATES, read, strict=True):
            right.plot([lr] * 5, values, "o", color=color, markersize=4, mfc="none")
    left.axhline(math.log(math.e + 9) - 1, color="0.6", linewidth=1)
    left.text(100, 1.38, "floor of two: 1.461", ha="right", va="top", color="0.4")
    left.set(xlabel="step", ylabel="loss", ylim=(0, 2.4), title="rate 1")
    left.legend(frameon=False, loc="upper right", bbox_to_anchor=(1.0, 0.5))
    right.set(xlabel="rate", ylabel="unseen digits read, %", xscale="log")
    right.set(title="after 100 steps: each ring a seed", ylim=(30, 100))
    right.set_xticks(DIGIT_RATES, [f"{lr:g}" for lr in DIGIT_RATES])
    right.minorticks_off()
    return figure


# %% [markdown]
# Two results. After the same 100 steps the wrong network reads fewer digits, at rates
# of 0.3, 1 and 3: the second softmax sees numbers from 0 to 1 only and passes small
# slopes on. But at the rate 10 both read 93 to 95 %. So accuracy alone may not show
# this mistake. The loss does: it never gets below 1.46. Know the floor of your loss, as
# you know its start.
#
# ## The same with PyTorch
#
# `nn.CrossEntropyLoss` takes logits. It is the logarithm of softmax, and a loss that
# looks up the right column and turns the sign (NLL, *negative log-likelihood*):
#
# ```python
# >>> target = torch.tensor([0])
# >>> nn.NLLLoss()(nn.LogSoftmax(dim=1)(z), target)
# tensor(0.1625)
# >>> CrossEntropyLoss().forward(z, target)
# tensor(0.1625)
#
# ```
#
# <details><summary>More: why the name, and where the floor is</summary>
#
# The *entropy* of shares $q$ is $-\sum q \ln q$: what you pay on average if you know
# them and say them. *Cross*-entropy is what you pay if you say $p$ while $q$ is true.
# The difference is never negative. It is called the Kullback–Leibler divergence of $p$
# from $q$. With one right class the entropy is 0, and 0 is the floor of the loss. In
# the nine-of-ten game it is $-0.9 \ln 0.9 - 0.1 \ln 0.1 = 0.3251$, and nobody can pay
# less on average. The same holds for smoothed labels: their loss does not go to 0.
#
# </details>
#
# ## They agree
#
# Softmax at the edges; the loss with each reduction, with large logits, with every
# option. `curriculum compare 6` shows all.


# %% tags=["hide-input"]
def made(loss: Any, reduction: str, case: Case) -> Any:
    """The same loss for every case."""
    return loss(reduction=reduction)


def weighted(loss: Any, reduction: str, case: Case) -> Any:
    """Its weights are drawn anew for every case."""
    weight = 0.5 + case.tensor("weight", case.n_out).abs()
    return loss(reduction=reduction, weight=weight)


def large(case: Case) -> Tensor:
    """Logits around a thousand, and minus a thousand."""
    return 1000 * case.tensor("prediction", case.batch, case.n_out)


def between(case: Case) -> Tensor:
    """Shares of classes, from 0 to 1; they need not add up to 1."""
    return case.tensor("target", case.batch, case.n_out).clamp(0, 1)


def every_second(case: Case) -> Tensor:
    """Classes, of which every second is not known: −100."""
    target = case.classes("target", case.batch, case.n_out)
    return torch.where(torch.arange(case.batch) % 2 == 1, -100, target)


CE = (CrossEntropyLoss, nn.CrossEntropyLoss)
SMOOTH = (partial(CE[0], label_smoothing=0.1), partial(CE[1], label_smoothing=0.1))
LESS = (partial(CE[0], ignore_index=-100), partial(CE[1], ignore_index=-100))
ALL_OPTIONS = (
    partial(SMOOTH[0], ignore_index=-100),
    partial(SMOOTH[1], ignore_index=-100),
)
LARGE: Any = {"prediction": large}
BETWEEN: Any = {"target": between}
INDICES: Any = {"target": lambda case: case.classes("target", case.batch, case.n_out)}
SOME: Any = {"target": every_second}
SOFTMAX = (lambda case: Softmax()), (lambda case: nn.Softmax(dim=-1))
PAIRS = [
    layer_pair("softmax", *SOFTMAX),
    layer_pair("softmax at the edges", *SOFTMAX, x=edges),
]
PAIRS += [
    loss_pair(
        f"{name}, {mode}",
        partial(make, ours, mode),
        partial(make, theirs, mode),
        **inputs,
    )
    for name, make, (ours, theirs), inputs in (
        ("classes", made, CE, INDICES),
        ("classes, large", made, CE, INDICES | LARGE),
        ("classes, smooth", made, SMOOTH, INDICES),
        ("classes, weighted", weighted, CE, INDICES),
        ("classes, ignored", made, LESS, SOME),
        ("classes, all options", weighted, ALL_OPTIONS, SOME),
        ("probabilities", made, CE, BETWEEN),
        ("probabilities, smooth", made, SMOOTH, BETWEEN),
        ("probabilities, weighted", weighted, SMOOTH, BETWEEN),
    )
    for mode in ("mean", "sum", "none")
]

# %% [markdown]
# ## Where PyTorch differs
#
# - `nn.Softmax` wants to be told the dimension, `dim=-1`. Ours always takes the last.
# - **What the mean divides by.** `CrossEntropyLoss` divides by the number of examples;
#   with weights by the sum of theirs. `MSELoss` divides by all entries (lesson 05).
# - **More dimensions.** Its cross-entropy also takes (batch, classes, places), one
#   answer for every place.
#
# ## You can now
#
# - make shares of scores, and say why adding a number to all of them changes nothing;
# - say what a wrong answer costs, and why it pays to be as sure as one is right;
# - get the slope $p - q$ from the formula, and read it;
# - check a classifier's first loss ($\ln$ of the number of classes) and its floor.
#
# Exercises: `curriculum start 06c` (predict shares and slopes on paper, then check),
# `curriculum start 06a` (find the bug: a loss that becomes `nan`) and
# `curriculum start 06b` (a loss that is content with a margin); `curriculum check 06c`
# says how far you are.
#
# Now we know which way is up. Next, lesson 07: how far to step down.
