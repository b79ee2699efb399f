# %% [markdown]
# # Lesson 05 · Loss functions
#
# *How does a network find out how wrong it is?*
#
# Needs: lessons 00, 01, 03, 04 · Time: 25 minutes

# %%
from functools import partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.contracts import same_shape
from curriculum.demo import demo
from curriculum.draw import DATA, GRADIENT, OTHER, new_figure
from curriculum.drawings import curves
from curriculum.drawings import landscape as contours
from curriculum.pair import Case, compare, function_pair, loss_pair
from curriculum.table import Table
from lessons.lesson01_neuron import Neuron, Sigmoid, films
from lessons.lesson03_activations import Tanh

# %% [markdown]
# ## On paper
#
# A network looks at a picture of a cat. Its output for "cat" should be 1. That is the
# *target* $t$. It says $y = 0.33$. Another network says 0.95. How wrong are they? Take
# the difference and square it:
#
# $$(0.33 - 1)^2 = 0.4489 \qquad (0.95 - 1)^2 = 0.0025$$
#
# The first is worse, and 0 would be perfect. A rule that makes one such number of a
# prediction and its target is a *loss*. This one is the *squared error*. Its slope is
# $\partial L/\partial y = 2 (y - t)$, here −1.34 and −0.1: raise the output and the
# loss falls, most where the output is most wrong.
#
# Why the square, and not just the distance $|y - t|$? Ask what a loss *wants*. Three
# houses look the same to us, and were sold for 1, 2 and 6. We may name one price for
# all. Which one has the smallest loss?
#
# <details><summary>What do you expect? For the squared error, and for the
# distance.</summary>
#
# Squared: the three slopes cancel, $2(y-1) + 2(y-2) + 2(y-6) = 0$, and $y = 3$. That is
# the mean. For the distance each house pulls with the same force, whether it is near or
# far, and the middle house wins: $y = 2$, the median.
#
# </details>
#
# So a loss is a choice. The squared error makes a network predict *means*. It listens
# most to what lies far off. That is good if far off is bad, and not so good if the data
# has misprints (exercise 05a).
#
# ## From scratch
#
# A loss keeps a promise like a layer's: `forward(prediction, target)` gives the loss,
# `backward()` its slope along every prediction. `Sequential.backward` (lesson 04) takes
# it from there.
#
# A batch has many losses and we want one number: their mean, as a rule. Each of
# $n$ losses moves the mean by $1/n$. All losses of this curriculum share that part.
#
# | symbol | in code | shape | meaning |
# |---|---|---|---|
# | $y$, or $z$ | `prediction` | (batch, n) | what the network says |
# | $t$ | `target` | as `prediction` | what it should have said |
# | $\partial L/\partial y$ | `backward()` | as `prediction` | the slope of the loss |


# %%
class Loss:
    """How the losses of a batch become one number: `reduction` mean, sum or none."""

    def __init__(self, reduction: str = "mean") -> None:
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(
                f"reduction is {reduction!r}; expected 'mean', 'sum' or 'none'"
            )
        self.reduction = reduction

    def reduce(self, losses: Tensor) -> Tensor:
        """One loss per entry → their mean, their sum, or themselves ("none")."""
        if self.reduction == "none":
            return losses
        return losses.mean() if self.reduction == "mean" else losses.sum()

    def share(self, count: float, grad_loss: Tensor | None) -> Tensor | float:
        """How far one of `count` losses moves the result, times what comes after."""
        share = 1.0
        if self.reduction == "mean":
            share = 1 / count if count else 0.0
        return share if grad_loss is None else share * grad_loss


class MSELoss(Loss):
    """Mean squared error. `prediction` and `target`: one shape, whatever it is."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        same_shape("prediction", prediction, "target", target)
        self.error = prediction - target
        return self.reduce(self.error**2)

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        """∂L/∂y = 2 (y − t), times its share. Shape: as `prediction`."""
        return 2 * self.error * self.share(self.error.numel(), grad_loss)


# %% tags=["hide-input"]
@demo
def squared_error_of_a_cat() -> Table:
    """The target is 1: a worse answer costs more and has a steeper slope"""
    criterion = MSELoss("none")
    says = torch.tensor([0.33, 0.95, 1.0])
    loss = criterion.forward(says, torch.ones(3))
    columns = (says, loss, criterion.backward())
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    return Table(("the network says", "squared error", "∂L/∂y"), rows)


# %% [markdown]
# `grad_loss` is for a loss that is not the end of the chain. Leave it out and it is 1.
#
# ## Why not count the right answers?
#
# Now a question with two answers: is this mail spam? What we care about is *accuracy*,
# the share of right answers. Why not make it the loss?
#
# Six mails have 0, 1, 2, 3, 4 and 5 exclamation marks. The third, the fifth and the
# sixth are spam. A neuron with one weight says $p = \sigma(w x - 2)$, its probability
# that a mail is spam, and we read more than ½ as yes.
#
# Let $w = 0.8$. It says yes to the mails with 3, 4 and 5: four of six answers are
# right. Nudge $w$ to 0.81, as lesson 01 did: still four of six. The slope is 0. It says
# neither which way to go, nor that there is anything to gain.


# %% tags=["hide-input"]
MAILS = ((0, 0), (1, 0), (2, 1), (3, 0), (4, 1), (5, 1))  # exclamation marks, spam?


def mail_scores(weight: Tensor) -> tuple[Tensor, Tensor]:
    """For each weight (n,) the right answers of six, and a mean loss. (n,) each."""
    marks, spam = torch.tensor(MAILS, dtype=weight.dtype).T  # (6,) each
    p = Sigmoid().forward(weight[:, None] * marks - 2)  # (n, 6)
    right = ((p > 0.5) == (spam > 0.5)).sum(1)
    given = torch.where(spam > 0.5, p, 1 - p)  # to the truth
    return right, -torch.log(given).mean(1)


@demo
def accuracy_is_a_staircase() -> Figure:
    """Six mails: accuracy jumps, and is flat between the jumps; the loss has a slope"""
    weight = torch.linspace(0, 3, 1201)
    right, loss = mail_scores(weight)
    figure, (left, middle) = new_figure(1, 2, width=4.6, height=3.4)
    left.plot(weight, right, ".", color=DATA, markersize=2)
    left.set(ylabel="right answers of 6", ylim=(0, 6.3))
    left.set_title("accuracy: slope 0, or a jump")
    middle.plot(weight, loss, color=OTHER[2])
    middle.set(ylabel="cross-entropy", ylim=(0, 1.5))
    middle.set_title("a loss: down is to the right here")
    start = torch.tensor([0.8])
    for axis, value in zip((left, middle), mail_scores(start), strict=True):
        axis.plot(start, value, "o", color=DATA)
        axis.text(0.8, value.item() - 0.08 * axis.get_ylim()[1], "w = 0.8", va="top")
        axis.set(xlabel="weight w")
    slope = -0.1153
    ends = torch.tensor([0.35, 1.25])
    line = mail_scores(start)[1].item() + slope * (ends - 0.8)
    middle.plot(ends, line, color=GRADIENT, linewidth=4, zorder=1, label="its slope")
    middle.legend(frameon=False)
    return figure


# %% [markdown]
# Left is the count. Wherever it has a slope, that is 0. And it does not see how sure an
# answer is: 0.51 and 0.99 count the same. So we *train* with a loss that has slopes and
# *report* the accuracy. Right is such a loss; where it comes from is told next.
#
# ## Likelihood, by counting
#
# Which loss, then? Let us go back one step. Four mails came with the word "free", and
# the answers were spam, spam, spam, not. What probability should a filter say for the
# next such mail?
#
# Think of the filter as a pack of four cards. On some of them is "spam". Draw a card,
# put it back, four times. There are $4 \cdot 4 \cdot 4 \cdot 4 = 256$ ways to draw. How
# many of them give spam, spam, spam, not? If three cards say spam, there are 3 ways to
# the first answer, 3 to the second, 3 to the third, and 1 to the last: 27.
#
# | spam cards | probability p | ways to what we saw |
# |---|---|---|
# | 0 | 0 | 0 · 0 · 0 · 4 = 0 |
# | 1 | 0.25 | 1 · 1 · 1 · 3 = 3 |
# | 2 | 0.5 | 2 · 2 · 2 · 2 = 16 |
# | 3 | 0.75 | 3 · 3 · 3 · 1 = 27 |
# | 4 | 1 | 4 · 4 · 4 · 0 = 0 |
#
# The pack with three spam cards explains best what happened. And a pack that is *sure*
# of spam is out: one mail was none. Divided by 256, such a count is the probability
# that the filter gave to what really happened, $p \cdot p \cdot p \cdot (1 - p)$. It is
# called the *likelihood* of $p$. To learn is to make it large.
#
# ## The logarithm
#
# With many mails a product is a bad tool. It becomes tiny: 1,100 coin flips have the
# probability $0.5^{1100}$, and that is 0 for a computer. And its slope along one factor
# needs all the others. The *logarithm* makes a sum of it:
#
# $$\ln (a \cdot b) = \ln a + \ln b$$
#
# Where a number is larger, its logarithm is larger, so the best $p$ stays the best.
# Logarithms of probabilities are below 0. Turn the sign around, take the mean, and we
# have a loss, the *binary cross-entropy*:
#
# $$L = -\frac{1}{n} \sum \big( t \ln p + (1 - t) \ln (1 - p) \big)$$
#
# For a yes ($t = 1$) only $-\ln p$ is left, for a no only $-\ln(1 - p)$: always minus
# the logarithm of the probability that was given to the truth. The cat with 0.33 costs
# $-\ln 0.33 = 1.109$, the one with 0.95 costs 0.051.


# %%
def binary_cross_entropy(p: Tensor, target: Tensor) -> Tensor:
    """One loss per entry. p: probabilities of yes. target: 0, 1 or between."""
    return -(target * torch.log(p) + (1 - target) * torch.log(1 - p))


# %% [markdown]
# ```python
# >>> cards = torch.tensor([0.25, 0.5, 0.75])
# >>> answers = torch.tensor([[1.0], [1.0], [1.0], [0.0]])
# >>> binary_cross_entropy(cards, answers).mean(0)
# tensor([1.1116, 0.6931, 0.5623])
# >>> -torch.log(torch.tensor(27 / 256)) / 4  # from the count
# tensor(0.5623)
#
# ```
#
# <details><summary>What do you expect: which p do the squared error (p − t)² and the
# distance |p − t| want for these four mails?</summary>
#
# The squared error wants the mean of 1, 1, 1 and 0. That is ¾, too. The distance wants
# the median, 1: "surely spam". It is no loss for probabilities.
#
# </details>


# %% tags=["hide-input"]
def losses_of_yes(p: Tensor) -> dict[str, Tensor]:
    """What each loss takes for p if the answer is yes."""
    return {
        "cross-entropy": -torch.log(p),
        "squared error": (p - 1) ** 2,
        "distance": (p - 1).abs(),
        "wrong answer": 1.0 * (p <= 0.5),
    }


@demo
def losses_over_the_prediction() -> Figure:
    """Four losses over the probability p of yes; a dot marks where one is least"""
    p = torch.linspace(0.005, 0.995, 199)
    yes = losses_of_yes(p)
    no = losses_of_yes(1 - p)
    for losses in (yes, no):
        losses["wrong answer"][99] = torch.nan  # p is ½ there: a jump, not a slope
    looks = dict(zip(yes, (OTHER[2], OTHER[1], "0.55", DATA), strict=True))
    figure, (left, right) = new_figure(1, 2, width=4.8, height=3.8)
    single = {name: (p, loss) for name, loss in yes.items()}
    four = {name: (p, (3 * yes[name] + no[name]) / 4) for name in yes}
    upwards = "loss"
    curves(left, single, "p, the prediction", upwards, looks)
    left.set(title="the answer is yes", ylim=(-0.05, 3))
    curves(right, four, "p, the prediction", upwards, looks)
    right.get_legend().remove()
    right.set(title="mean of yes, yes, yes, no", ylim=(-0.05, 1.5))
    for name, (_, loss) in list(four.items())[:3]:
        least = int(loss.argmin())
        right.plot(p[least], loss[least], "o", color=looks[name], clip_on=False)
    right.axvline(0.75, color="0.85", linewidth=1, zorder=0)
    right.text(0.74, 1.4, "p = ¾", ha="right", color="0.4")
    return figure


# %% [markdown]
# Cross-entropy and squared error are both least at ¾; counting wrong answers takes
# anything above ½. The two differ at the ends: to have said 0 where the answer is yes
# costs the squared error 1. It costs the cross-entropy *everything*: that is the pack
# without a way in the table above.
#
# ## What the sigmoid hears
#
# Nothing in a weighted sum keeps it between 0 and 1. So $p = \sigma(z)$ (lesson 01).
# The sum $z$ before the sigmoid is called a *logit*. How far does the loss move with
# it? The slope of $\ln p$ is $1/p$. By the chain rule, for a yes:
#
# $$\frac{\partial L}{\partial z} =
# \frac{\partial L}{\partial p} \cdot \frac{\partial p}{\partial z} =
# -\frac{1}{p} \cdot p\,(1 - p) = p - 1$$
#
# For a no it is $\frac{1}{1-p} \cdot p\,(1-p) = p$. Both together, and for targets
# between:
#
# $$\frac{\partial L}{\partial z} = p - t$$
#
# What is said minus what is true. The logarithm and the sigmoid fit each other: the
# small factor $p$ of one cancels the $1/p$ of the other.
#
# The class below takes logits, not probabilities. At $z = -1000$ a computer rounds $p$
# to 0, and $\ln 0$ is minus infinity. From $z$ itself the loss can be had safely.
#
# <details><summary>More: how, and the weight of a yes</summary>
#
# $p = 1/(1 + e^{-z})$, so $-\ln p = \ln(1 + e^{-z})$, called *softplus* of $-z$. And
# $-\ln(1 - p) = \ln(1 + e^z)$ is that plus $z$. Only $e^{-z}$ may be too large. But
#
# $$\ln(1 + e^{-z}) = \max(-z, 0) + \ln(1 + e^{-|z|})$$
#
# and $e^{-|z|}$ is never above 1. `log1p(x)` is $\ln(1 + x)$, exact for tiny $x$, too.
#
# If yes is rare, `pos_weight` lets each yes count several times:
# $-w\, t \ln p - (1 - t) \ln(1 - p)$.
#
# </details>


# %%
class BCEWithLogitsLoss(Loss):
    """Binary cross-entropy of sigmoid(prediction). `target`: 0, 1 or between.

    Both have one shape. `pos_weight`: how many times a yes counts.
    """

    def __init__(
        self, reduction: str = "mean", pos_weight: Tensor | None = None
    ) -> None:
        super().__init__(reduction)
        self.pos_weight = pos_weight

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """L = ln(1 + e^−z) + (1 − t) z."""
        same_shape("prediction", prediction, "target", target)
        self.prediction = prediction
        self.target = target
        rest = torch.log1p(torch.exp(-prediction.abs()))
        minus_ln_p = (-prediction).clamp(min=0) + rest
        losses = minus_ln_p + (1 - target) * prediction
        if self.pos_weight is not None:
            # −t ln p counts w times, of which one is there already.
            losses = losses + (self.pos_weight - 1) * target * minus_ln_p
        return self.reduce(losses)

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        """∂L/∂z = p − t, times its share. Shape: as `prediction`."""
        p = Sigmoid().forward(self.prediction)
        slope = p - self.target
        if self.pos_weight is not None:
            # The slope of −ln p is p − 1.
            slope = slope + (self.pos_weight - 1) * self.target * (p - 1)
        return slope * self.share(self.target.numel(), grad_loss)


# %% [markdown]
# ## See it: sure and wrong
#
# The squared error wants the right $p$, too. What is wrong with it? Its slope. There
# nothing cancels:
#
# $$\frac{\partial (p-1)^2}{\partial z} = 2\,(p - 1) \cdot p\,(1 - p)$$
#
# At $z = -8$, $p$ is 0.0003: sure, and wrong if the answer is yes. Cross-entropy has
# the slope −0.9997 there, the squared error −0.00067.
#
# <details><summary>What do you expect? Both start at z = −8 and take steps of 1 times
# the slope. How many until p is above ½?</summary>
#
# Cross-entropy moves by nearly 1 a step: 9 steps. The squared error needs about 1,500.
# This is the *learning slowdown*. The field says: the sigmoid *saturates*.
#
# </details>


# %% tags=["hide-input"]
def slopes(z: Tensor) -> Tensor:
    """∂L/∂z where the answer is yes; z (n,) → (2, n): squared error, cross-entropy."""
    squash = Sigmoid()
    squared = MSELoss("none")
    cross_entropy = BCEWithLogitsLoss("none")
    squared.forward(squash.forward(z), torch.ones_like(z))
    cross_entropy.forward(z, torch.ones_like(z))
    return torch.stack([squash.backward(squared.backward()), cross_entropy.backward()])


def rescue(steps: int = 2000) -> Tensor:
    """Two logits start at −8 and step down their losses. p before each: (steps, 2)."""
    z = torch.tensor([-8.0, -8.0])
    history = []
    for _ in range(steps):
        history.append(Sigmoid().forward(z))
        z = z - slopes(z).diagonal()
    return torch.stack(history)


@demo
def rescue_from_a_wrong_answer() -> Figure:
    """Sure and wrong: cross-entropy gets out in 9 steps, squared error in 1500"""
    figure, (left, right) = new_figure(1, 2, width=4.8, height=3.6)
    z = torch.linspace(-8, 4, 121)
    p = rescue().flip(1)  # cross-entropy first, as in the figure above
    size = slopes(z).flip(0).abs()
    names = {"cross-entropy": OTHER[2], "squared error": OTHER[1]}
    sizes = {name: (z, size[i]) for i, name in enumerate(names)}
    curves(left, sizes, "logit z", "size of the slope |∂L/∂z|", names)
    left.set(title="the answer is yes", yscale="log", ylim=(1e-4, 3))
    left.legend(frameon=False, loc="lower center")
    taken = torch.arange(1, len(p))
    ways = {name: (taken, p[1:, i]) for i, name in enumerate(names)}
    curves(right, ways, "steps taken", "p of yes", names)
    right.get_legend().remove()
    right.set(title="from z = −8, step by step", xscale="log", ylim=(0, 1.02))
    for i, (color, side) in enumerate(
        zip(names.values(), ("left", "right"), strict=True)
    ):
        out = int((p[:, i] > 0.5).nonzero()[0])
        right.plot(out, p[out, i], "o", color=color)
        shift = 0.8 if side == "right" else 1.25
        right.text(shift * out, 0.47, f"{out} steps", color=color, ha=side)
    return figure


# %% [markdown]
# A larger step would help the squared error here. So give it its chance: a neuron, 200
# films to like or not (lesson 01), and for each loss the best of nine rates from 0.1 to
# 1000. The neuron starts at the *opposite* of the rule, times 2, 10 or 20: the larger,
# the surer and the more wrong. How many steps until 95 % of its answers are right?


# %% tags=["hide-input"]
RATES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


def steps_to_learn(loss: str, scale: float, limit: int = 1000) -> Tensor:
    """Steps until 95 % are right; (rates, five sets of films), `limit` if never."""
    sets = [films(seed) for seed in range(1, 6)]
    ones = torch.ones(200, 1)
    x = torch.stack([torch.cat([film, ones], 1) for film, _ in sets])  # (5, 200, 3)
    target = torch.stack([rating[:, 0] for _, rating in sets]).gt(0.5).to(x.dtype)
    lr = torch.tensor(RATES).view(-1, 1, 1)
    wrong = torch.tensor([-0.9, -0.1, 0.5])  # of stars, of year, bias
    weight = scale * wrong.expand(len(RATES), 5, 3)
    needed = torch.full((len(RATES), 5), limit)
    for step in range(limit):
        z = (x * weight[..., None, :]).sum(-1)  # (rates, 5, 200, 3) → (rates, 5, 200)
        right = ((z > 0) == (target > 0.5)).sum(-1)
        needed = torch.where(right >= 190, needed.clamp(max=step), needed)
        if needed.amax() <= step:
            break
        p = Sigmoid().forward(z)
        grad_z = p - target
        if loss == "squared error":
            grad_z = 2 * grad_z * p * (1 - p)
        grad = (grad_z[..., None] * x).mean(-2)  # (rates, 5, 200, 3) → (rates, 5, 3)
        weight = weight - lr * grad
    return needed


@demo
def each_at_its_best_rate() -> Table:
    """Steps until 95 % are right, each loss at its best rate; five sets of films"""
    rows: list[tuple[Any, ...]] = []
    for scale in (2, 10, 20):
        for loss in ("squared error", "cross-entropy"):
            needed = steps_to_learn(loss, scale)
            worst = needed.amax(1)
            best = int(worst.argmin())
            low, high = (int(found) for found in needed[best].aminmax())
            told = f"{low} to {high}" if high < 1000 else "more than 1000"
            rate = RATES[best] if high < 1000 else "any"
            rows.append((f"{scale} times", loss, rate, told))
    return Table(("the wrong rule", "loss", "best rate", "steps"), rows)


# %% [markdown]
# Mildly wrong, the squared error is as quick as its rival. At 10 times it takes about
# three to four times as long. At 20 times no rate gets it out within 1,000 steps, on
# any set of films. Cross-entropy hardly cares. So the slowdown is about *starting sure
# and wrong*. It is no law that squared errors fail: Hui and Belkin (2020, arXiv
# 2006.07322) put them straight on the logits, without a sigmoid, and on many tasks did
# as well as with cross-entropy. And loud slopes have their price: an answer that was
# labelled wrongly is heard loudly, too.
#
# ## See it: a loss that falls and teaches nothing
#
# Suppose somebody remembers "minus the logarithm of p" and forgets the second half:
# $L = -t \ln p$. With that, a neuron learns which films you like.


# %% tags=["hide-input"]
def make(loss: Any, case: Case) -> Any:
    """The same for every case, with the mean."""
    return loss()


def learn_to_like(criterion: Any) -> tuple[float, float, int]:
    """500 steps of a neuron: its first loss, its last, and the films it has right."""
    x, rating = films()
    liked = (rating > 0.5).to(x.dtype)
    neuron = Neuron(2)
    losses = []
    for _ in range(500):
        losses.append(criterion.forward(neuron.forward(x), liked).item())
        neuron.backward(criterion.backward())
        for name, grad in neuron.grads.items():
            neuron.params[name] = neuron.params[name] - 3.0 * grad
    right = (neuron.forward(x) > 0) == (liked > 0.5)
    return losses[0], losses[-1], int(right.sum())


@demo
def half_a_loss() -> Table:
    """500 steps on lesson 01's films; beside PyTorch's loss: two kinds of targets"""

    class HalfLoss(BCEWithLogitsLoss):
        """Wrong on purpose: −t ln p, and nothing for a no."""

        def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
            ones = torch.ones_like(target)
            losses = BCEWithLogitsLoss("none").forward(prediction, ones)
            self.prediction = prediction
            self.target = target
            return self.reduce(target * losses)

        def backward(self, grad_loss: Tensor | None = None) -> Tensor:
            p = Sigmoid().forward(self.prediction)
            share = self.share(self.target.numel(), grad_loss)
            return self.target * (p - 1) * share

    rows = []
    for name, kind in (("−t ln p", HalfLoss), ("both halves", BCEWithLogitsLoss)):
        told = []
        for answers in ([1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 1.0, 0.0]):

            def target(case: Case, answers: list[float] = answers) -> Tensor:
                return torch.tensor(answers)

            pair = loss_pair(
                name,
                partial(make, kind),
                partial(make, nn.BCEWithLogitsLoss),
                lambda case: case.tensor("prediction", 4),
                target,
            )
            wrong = any(found.problem for found in compare(pair))
            told.append("differs" if wrong else "equal")
        rows.append((name, *learn_to_like(kind()), *told))
    columns = ("loss", "at first", "after 500", "right of 200")
    return Table((*columns, "four yes", "yes and no"), rows)


# %% [markdown]
# Its loss falls nearly to 0, further than the right one. Yet the neuron has learned to
# say yes to everything, which is right for 102 of 200 films. Nobody pays for a false
# alarm. A falling loss shows that *this* loss falls. Look at answers, too, and compare
# with targets of each kind.
#
# ## See it: the loss is a landscape
#
# Keep the data and change the weights: the loss goes up and down. Two weights can be
# drawn, as east and north, with the loss as height. The model is
# $y = w_2 \tanh(w_1 x)$. Its data are 41 points, made with $w_1 = 1$ and $w_2 = 1.5$.
# There the loss is 0: the floor of a valley. Training walks downhill (lesson 07).


# %% tags=["hide-input"]
def walk(start: tuple[float, float], steps: int = 300, lr: float = 0.1) -> Tensor:
    """Train from the weights `start`. w₁, w₂, loss before every step: (steps, 3).

    ∂y/∂w₂ = h with h = tanh(u), ∂y/∂h = w₂, and ∂u/∂w₁ = x. All points are added up.
    """
    w1, w2 = torch.tensor(start)
    x = torch.linspace(-2, 2, 41)
    target = 1.5 * torch.tanh(x)
    criterion = MSELoss()
    tanh = Tanh()
    path = []
    for _ in range(steps):
        h = tanh.forward(w1 * x)  # (41,)
        path.append(torch.stack([w1, w2, criterion.forward(w2 * h, target)]))
        grad_y = criterion.backward()  # (41,)
        grad_w1 = (tanh.backward(grad_y * w2) * x).sum()
        grad_w2 = (grad_y * h).sum()
        w1 = w1 - lr * grad_w1
        w2 = w2 - lr * grad_w2
    return torch.stack(path)


def height(w1: Any, w2: Any) -> Tensor:
    """The loss at each pair of weights. (rows, columns) each."""
    x = torch.linspace(-2, 2, 41, dtype=torch.float64)
    w1 = torch.as_tensor(w1)[..., None]
    w2 = torch.as_tensor(w2)[..., None]
    return ((w2 * torch.tanh(w1 * x) - 1.5 * torch.tanh(x)) ** 2).mean(-1)


STARTS = ((-1.0, 2.5), (-1.7, 2.5))


@demo
def landscape() -> Figure:
    """The loss over two weights: training from two close starts ends in two valleys"""
    figure = Figure(figsize=(9.6, 4.4), layout="constrained", dpi=110)
    flat = figure.add_subplot(1, 2, 1)
    solid: Any = figure.add_subplot(1, 2, 2, projection="3d")
    paths = {f"from {start}": walk(start) for start in STARTS}
    levels = (0.04, 0.1, 0.3, 0.6, 1.2, 2, 4, 7, 14)
    places = {name: path[:, :2] for name, path in paths.items()}
    contours(flat, height, places, levels, (-2.8, 2.8, -2.8, 2.8))
    for line, color in zip(flat.lines, [DATA] * 4 + [OTHER[1]] * 4, strict=True):
        line.set_color(color)
    for east, north in ((1.0, 1.5), (-1.0, -1.5)):
        flat.text(east, north - 0.45, "loss 0", ha="center", color="0.3", fontsize=9)
    flat.legend(frameon=False, loc="lower right")
    flat.set(xlabel="weight $w_1$", ylabel="weight $w_2$")
    flat.set_title("ring: start, dot: end, grey: equal loss", fontsize=10)
    side = torch.linspace(-2.8, 2.8, 81, dtype=torch.float64)
    w1, w2 = torch.meshgrid(side, side, indexing="xy")  # (81, 81) each
    solid.plot_surface(w1, w2, height(w1, w2), alpha=0.45, cmap="Greys")
    for path, color in zip(paths.values(), (DATA, OTHER[1]), strict=True):
        east, north, up = path.T
        solid.plot(east, north, up + 0.1, color=color, linewidth=2.5, zorder=10)
    solid.set(xlabel="$w_1$", ylabel="$w_2$", zlabel="loss")
    solid.set_title("the same, with the loss as height", fontsize=10)
    solid.view_init(elev=48, azim=-120)
    return figure


# %% [markdown]
# There are two valleys: $(-1, -1.5)$ is as good as $(1, 1.5)$, because the signs
# cancel. From $w_1 = -1$ one arrives in the one, from −1.7 in the other, with rates of
# 0.2, 0.1 and 0.01 alike. From −1.5, between them, the rate decides, too: 0.1 goes
# left, 0.01 right. A digit network has over a hundred thousand weights. Nobody can see
# its landscape, but the picture holds: place is weights, height is loss.
#
# ## Which loss for what?
#
# | question | example | last layer | loss |
# |---|---|---|---|
# | how much? (*regression*) | the price of a house | plain sum | squared error |
# | yes or no? | is this mail spam? | sigmoid, in the loss | binary cross-entropy |
# | which of many? (*classes*) | which digit? | softmax, in the loss | lesson 06 |
#
# ## The same with PyTorch
#
# Same names, same options. PyTorch's losses have no `backward`; the tensor that they
# return has one.
#
# ```python
# >>> nn.MSELoss()(torch.tensor([0.33]), torch.tensor([1.0]))
# tensor(0.4489)
# >>> z = torch.tensor([-8.0], requires_grad=True)
# >>> nn.BCEWithLogitsLoss()(z, torch.tensor([1.0])).backward()
# >>> z.grad  # p − t
# tensor([-0.9997])
#
# ```
#
# <details><summary>More: the squared error is a likelihood, too</summary>
#
# Suppose targets scatter around the prediction $y$ as a bell curve does: a target at
# the distance $e = t - y$ has a likelihood proportional to $e^{-(t - y)^2 / 2}$. Minus
# its logarithm is $\tfrac12 (t - y)^2$, and a constant. So the squared error is what
# counting gives if the errors are bell-shaped, and the distance $|t - y|$ if they have
# a pointed hill with long tails, $e^{-|t - y|}$. The recipe is the same each time: say
# how the answers scatter, and take minus the logarithm.
#
# </details>
#
# ## They agree
#
# Each loss with every reduction; yes or no also with large logits, and with weights.
# `curriculum compare 5` shows all.


# %% tags=["hide-input"]
def made(loss: Any, reduction: str, case: Case) -> Any:
    """The same loss for every case."""
    return loss(reduction=reduction)


def pos_weighted(loss: Any, reduction: str, case: Case) -> Any:
    """How much a yes counts is drawn anew for every case."""
    weight = 0.5 + case.tensor("weight", case.n_out).abs()
    return loss(reduction=reduction, pos_weight=weight)


def large(case: Case) -> Tensor:
    """Predictions around a thousand, and minus a thousand."""
    return 1000 * case.tensor("prediction", case.batch, case.n_out)


def between(case: Case) -> Tensor:
    """Targets from 0 to 1."""
    return case.tensor("target", case.batch, case.n_out).clamp(0, 1)


def probabilities(case: Case) -> Tensor:
    """From 0.01 to 0.99: at 0 and 1 the two differ, see below."""
    p = Sigmoid().forward(case.tensor("p", case.batch, case.n_out))
    return 0.01 + 0.98 * p


MSE = (MSELoss, nn.MSELoss)
BCE = (BCEWithLogitsLoss, nn.BCEWithLogitsLoss)
LARGE: Any = {"prediction": large}
BETWEEN: Any = {"target": between}
PAIRS = [
    loss_pair(
        f"{name}, {mode}",
        partial(make, ours, mode),
        partial(make, theirs, mode),
        **inputs,
    )
    for name, make, (ours, theirs), inputs in (
        ("mse", made, MSE, {}),
        ("binary", made, BCE, BETWEEN),
        ("binary, large", made, BCE, BETWEEN | LARGE),
        ("binary, weighted", pos_weighted, BCE, BETWEEN),
    )
    for mode in ("mean", "sum", "none")
]
PAIRS.append(
    function_pair(
        "binary, of probabilities",
        binary_cross_entropy,
        partial(nn.functional.binary_cross_entropy, reduction="none"),
        probabilities,
        between,
    )
)

# %% [markdown]
# ## Where PyTorch differs
#
# - **What the mean divides by.** The number of all entries: four examples with three
#   numbers each are 12.
# - **The factor 2.** Some books take $\frac12 (y-t)^2$, so that the slope is $y - t$.
#   PyTorch and we do not. Half the slope is half the step: a learning rate from such a
#   book is twice ours.
# - **Shapes.** Predictions (5, 1) less targets (5,) are 25 differences, each with each
#   (lesson 00). PyTorch warns, ours raises an error that names both shapes.
# - **ln 0.** `nn.BCELoss`, which takes probabilities, holds the logarithm at −100. Ours
#   says infinity. With logits neither is needed.
#
# ## You can now
#
# - say what a loss wants: means, medians, probabilities;
# - say why one trains with a loss and reports accuracy;
# - get cross-entropy from counting, and its slope $p - t$ from the chain rule;
# - say when the squared error learns slowly, and when it does not.
#
# Exercises: `curriculum start 05b` (predict slopes on paper, then check) and
# `curriculum start 05a` (a loss that forgives outliers); `curriculum check 05b` says
# how far you are.
#
# Next: lesson 06 has more than two answers.
