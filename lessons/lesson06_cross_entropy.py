# %% [markdown]
# # Lesson 06 · Softmax and cross-entropy
#
# *Which of many is it, and what does a wrong answer cost?*
#
# Needs: lessons 03, 04, 05 · Time: 25 minutes

# %%
import math
from functools import partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.contracts import class_per_row, same_shape, within
from curriculum.demo import demo
from curriculum.draw import OTHER, SCRATCH, new_figure
from curriculum.pair import Case, layer_pair, loss_pair
from curriculum.table import Table
from lessons.lesson03_activations import Activation, ReLU, edges
from lessons.lesson04_layers import Linear, Sequential
from lessons.lesson05_losses import Loss

# %% [markdown]
# ## From scratch
#
# ### Softmax: from scores to shares
#
# A network that tells dogs from wolves and coyotes gives one raw score per animal, a *logit*. Softmax turns
# logits into positive shares that add up to 1: $y_i = e^{x_i} / \sum_j e^{x_j}$. The exponentials of 2.833,
# 0.693 and 0 are 17, 2 and 1, together 20. The shares are 85 % dog, 10 % wolf, 5 % coyote:
#
# ```python
# >>> Softmax().forward(torch.tensor([2.833, 0.693, 0.0]))
# tensor([0.8500, 0.1000, 0.0500])
# ```
#
# Only the differences between logits count: adding $c$ to each multiplies every exponential by $e^c$, and the
# factor cancels. So we may subtract the largest logit first. Then no exponential exceeds 1 or overflows.


# %%
class Softmax(Activation):
    """Shares over the last dimension: y = e^x / sum of e^x. x: (…, n) → y: (…, n), each row adds up to 1."""

    def forward(self, x: Tensor) -> Tensor:
        e = torch.exp(x - x.amax(-1, keepdim=True))
        self.y = e / e.sum(-1, keepdim=True)
        return self.y

    def backward(self, grad_y: Tensor) -> Tensor:
        """Every input moves every output. Write yᵢ = eᵢ / S, where S is the sum of the exponentials.

        Its own input:   ∂yᵢ/∂xᵢ = eᵢ/S − eᵢ·eᵢ/S² = yᵢ·(1 − yᵢ).
        Another's input: ∂yᵢ/∂xⱼ = −eᵢ·eⱼ/S² = −yᵢ·yⱼ.
        Over all outputs, with g = `grad_y`: ∂L/∂xⱼ = gⱼ·yⱼ − Σᵢ gᵢ·yᵢ·yⱼ = yⱼ · (gⱼ − Σᵢ gᵢ·yᵢ).
        The largest logit that `forward` subtracts cancels in y: it adds nothing to the slope.
        """
        return self.y * (grad_y - (grad_y * self.y).sum(-1, keepdim=True))


@demo
def softmax_stays_finite() -> Table:
    """Add a number to all logits: the formula as written breaks down, ours does not"""
    rows = []
    for added in (0, 50, 100, 10_000, -10_000):
        x = (
            torch.tensor([math.log(17), math.log(2), math.log(1)], dtype=torch.float32)
            + added
        )
        as_written = torch.exp(x) / torch.exp(x).sum()
        rows.append((added, as_written[0].item(), *Softmax().forward(x).tolist()))
    return Table(("added", "dog, as written", "dog", "wolf", "coyote"), rows)


@demo
def share_by_its_logit() -> Figure:
    """The dog's share while only the dog's logit moves, and its slope"""
    x = torch.linspace(-5, 5, 1001)
    softmax, logits = Softmax(), torch.stack((x, 0 * x + math.log(2), 0 * x), 1)
    share, dog = softmax.forward(logits)[:, 0], torch.tensor([1.0, 0.0, 0.0])
    figure, axis = new_figure()
    axis.plot(x, share, color=SCRATCH, label="share")
    axis.plot(x, softmax.backward(dog)[:, 0], "--", color=OTHER[3], label="slope")
    axis.set(xlabel="the dog's logit", ylabel="the dog's share")
    axis.legend(frameon=False)
    return figure


# %% [markdown]
# `nan` is "not a number": infinity divided by infinity, or 0 by 0. The coyote's last digit is rounding.
#
# Positive and adding up to 1 is the *form* of a probability. Whether 85 of 100 pictures called "85 % dog" are
# dogs is another question. Often they are not (Guo et al. 2017, arXiv:1706.04599).
#
# ### The price of confidence
#
# Now there are three classes: cat, dog, bird. Softmax turns the logits into probabilities, say 90 %, 8 % and
# 2 %. Cross-entropy looks up the probability of the right class and takes its negative logarithm.
#
# ```python
# >>> -torch.log(torch.tensor([0.90, 0.34, 0.02]))
# tensor([0.1054, 1.0788, 3.9120])
# ```
#
# Sure and right costs little, unsure costs some, sure and wrong costs a lot. There is no upper limit.


# %%
class CrossEntropyLoss(Loss):
    """Cross-entropy of softmax(prediction), one loss per example.

    prediction: (batch, classes). target: the index of the right class (batch,), or a probability for every
    class (batch, classes). `label_smoothing` 0.1 with ten classes: instead of 1 the right class gets 0.91,
    instead of 0 the others get 0.01 each (Szegedy et al. 2015, arXiv 1512.00567, section 7).
    `weight` (classes,): how much each class counts. `ignore_index`: examples with this index count nothing.
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
        self.weight, self.ignore_index = weight, ignore_index

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """ln p_k = z_k − ln Σ e^z. The largest z is taken off all: no p changes, no e^z is above 1."""
        of_probabilities = target.is_floating_point()
        if of_probabilities:
            same_shape("prediction", prediction, "target of probabilities", target)
        else:
            class_per_row(prediction, target)
        shifted = prediction - prediction.amax(1, keepdim=True)
        log_sum = torch.log(torch.exp(shifted).sum(1, keepdim=True))  # (batch, 1)
        log_p = shifted - log_sum  # (batch, classes)
        self.p = torch.exp(log_p)
        self.count: float = len(log_p)
        if of_probabilities:
            self.q = (
                self.smooth(target)
                if self.weight is None
                else self.smooth(target) * self.weight
            )
            return self.reduce(
                (self.q * -log_p).sum(1)
            )  # (batch, classes) → (batch,) → ()
        right = target.long()[:, None]  # (batch, 1)
        if (
            self.label_smoothing
            or self.weight is not None
            or self.ignore_index is not None
        ):
            return self.weighed(log_p, right)
        self.q = torch.zeros_like(log_p).scatter_(1, right, 1)
        return self.reduce(
            (log_sum - shifted.gather(1, right))[:, 0]
        )  # q · ln p would be 0 · ∞ at times

    def smooth(self, q: Tensor) -> Tensor:
        """Probabilities (batch, classes), a little less certain."""
        if self.label_smoothing == 0:
            return q
        return (1 - self.label_smoothing) * q + self.label_smoothing / q.shape[1]

    def weighed(self, log_p: Tensor, right: Tensor) -> Tensor:
        """The same with smoothing, weights and ignored examples; "mean" divides by the weights that count."""
        ignored = (
            torch.zeros_like(right) > 0
            if self.ignore_index is None
            else right == self.ignore_index
        )
        right = right.masked_fill(ignored, 0)
        weight = (
            torch.ones_like(log_p[0]) if self.weight is None else self.weight
        )  # (classes,)
        q = self.smooth(torch.zeros_like(log_p).scatter_(1, right, 1))
        self.q = (q * weight).masked_fill(ignored, 0)
        self.count = weight[right].masked_fill(ignored, 0).sum().item()
        losses = (self.q * -log_p).masked_fill(self.q == 0, 0).sum(1)
        return (
            losses.sum() / self.count
            if self.reduction == "mean"
            else self.reduce(losses)
        )

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        """One example, right class c: L = −ln p_c = ln Σ e^z − z_c.

        ∂/∂z_k of the first term is e^z_k / Σ e^z = p_k. The second gives −1 if k = c and else 0: −q_k.
        Together p_k − q_k. For any other q: L = Σ_c q_c · (ln Σ e^z − z_c) has the slope p_k · Σq − q_k,
        and probabilities have Σq = 1. Shape: (batch, classes).
        """
        grad_loss = (
            None if grad_loss is None else grad_loss[..., None]
        )  # (batch,) → (batch, 1)
        return (self.p * self.q.sum(1, keepdim=True) - self.q) * self.share(
            self.count, grad_loss
        )


@demo
def confidence_has_a_price() -> Table:
    """Sure and right is cheap, sure and wrong is dear. The gradient is p − q"""
    criterion, rows, sure, unsure = (
        CrossEntropyLoss(),
        [],
        (0.90, 0.08, 0.02),
        (0.34, 0.33, 0.33),
    )
    for name, says, truth in (
        ("right", sure, "cat"),
        ("unsure", unsure, "cat"),
        ("wrong", sure, "bird"),
    ):
        target = torch.tensor([("cat", "dog", "bird").index(truth)])
        loss = criterion.forward(
            torch.tensor([says]).log(), target
        ).item()  # softmax undoes log
        gradient = "/".join(f"{g:+.2f}" for g in criterion.backward()[0].tolist())
        rows.append((name, "/".join(f"{p:.0%}" for p in says), truth, loss, gradient))
    return Table(
        ("", "says cat/dog/bird", "truth", "cross-entropy", "∂L/∂logits"), rows
    )


@demo
def untrained_starts_at_ln_10() -> str:
    """Ten classes, no training yet: 500 random images with random labels"""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        network = Sequential(
            Linear(784, 128), ReLU(), Linear(128, 64), ReLU(), Linear(64, 10)
        )
        images, labels = torch.rand(500, 784), torch.randint(10, (500,))
    return f"ln 10 is 2.3026, its loss is {CrossEntropyLoss().forward(network.forward(images), labels):.4f}"


# %% [markdown]
# In the last row bird's logit has slope −0.98 and wants up, cat's has +0.90 and wants down. $p - q$ is what
# the network says minus what is true. It adds up to 0.
#
# A network that has learned nothing should give each of ten classes about 10 %, and $-\ln 0.1 = \ln 10$ is
# 2.3026. That is a good first check: a first loss far above it means that the network starts out too sure.
#
# And large logits? Typed in as it stands, the formula breaks. $e^{1000}$ is too large for a computer (`inf`),
# infinite divided by infinite is not a number (`nan`), and $-\ln 0$ is `inf` again. Our `forward` holds.
#
# ```python
# >>> z = torch.tensor([[1000.0, -1000.0]])
# >>> -torch.log(torch.exp(z) / torch.exp(z).sum())  # the loss if class 0 is right, if class 1 is
# tensor([[nan, inf]])
# >>> CrossEntropyLoss("none").forward(torch.cat([z, z]), torch.tensor([0, 1]))
# tensor([   0., 2000.])
# ```
#
# ## They agree


# %%
def made(loss: Any, reduction: str, case: Case) -> Any:
    """The same loss for every case."""
    return loss(reduction=reduction)


def weighted(loss: Any, reduction: str, case: Case) -> Any:
    """Its weights are drawn anew for every case."""
    return loss(
        reduction=reduction, weight=0.5 + case.tensor("weight", case.n_out).abs()
    )


CE = (CrossEntropyLoss, nn.CrossEntropyLoss)
SMOOTH = (partial(CE[0], label_smoothing=0.1), partial(CE[1], label_smoothing=0.1))
LESS = (partial(CE[0], ignore_index=-100), partial(CE[1], ignore_index=-100))
ALL_OPTIONS = (
    partial(SMOOTH[0], ignore_index=-100),
    partial(SMOOTH[1], ignore_index=-100),
)
LARGE: Any = {
    "prediction": lambda case: 1000 * case.tensor("prediction", case.batch, case.n_out)
}
BETWEEN: Any = {
    "target": lambda case: case.tensor("target", case.batch, case.n_out).clamp(0, 1)
}
INDICES: Any = {"target": lambda case: case.classes("target", case.batch, case.n_out)}


def every_second(case: Case) -> Tensor:
    """Classes, of which every second is not known: −100."""
    target = case.classes("target", case.batch, case.n_out)
    return torch.where(torch.arange(case.batch) % 2 == 1, -100, target)


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
# - **What the mean divides by.** `CrossEntropyLoss` divides by the number of examples.
# - **More dimensions.** Its cross-entropy also takes (batch, classes, places), one answer for every place.
#
# Now we know which way is up. Next, lesson 07: how far to step down.
