"""Solution of exercise 24a."""

from collections.abc import Callable

import torch
from torch import Tensor

from curriculum.pair import Case, Pair, Results
from lessons.lesson24_speed import Counter

ANSWER = "momentum_update"
REREAD = ("lesson24_speed.py", "weight.addmm_(delta.T")
HINTS = (
    "Which of the two tensors should the product be added to?",
    "One call multiplies the old velocity by `momentum` and the product by 1/n. Decay and step are an `add_` "
    "with `alpha` each. Which W does the decay see?",
    "velocity.addmm_(delta.T, h, beta=momentum, alpha=1 / len(h)), then velocity.add_(weight, alpha=decay), "
    "and last weight.add_(velocity, alpha=-lr).",
)
AFTER = (
    "What is added where it is computed needs no tensor of its own.",
    "Nesterov's momentum, again without a new tensor.",
)


def momentum_update(
    weight: Tensor,
    velocity: Tensor,
    delta: Tensor,
    h: Tensor,
    lr: float,
    momentum: float,
    decay: float,
) -> None:
    # (n_out, n) @ (n, n_in) → (n_out, n_in)
    velocity.addmm_(delta.T, h, beta=momentum, alpha=1 / len(h)).add_(
        weight, alpha=decay
    )
    weight.add_(velocity, alpha=-lr)


def pairs(answer: Callable[..., None]) -> list[Pair]:
    """Three steps with a falling rate: the weight, what was only lent, and whether new tensors were made."""

    def by_hand(case: Case) -> Results:
        weight = case.tensor("weight", case.n_out, case.n_in)
        velocity, counter, results = (
            torch.zeros_like(weight),
            Counter(),
            dict[str, Tensor](),
        )
        for step, lr in enumerate(RATES):
            delta, h = tensors(case, step)
            with counter:
                answer(weight, velocity, delta, h, lr, MOMENTUM, DECAY)
            results |= {
                f"weight_{step}": weight.clone(),
                f"delta_{step}": delta,
                f"h_{step}": h,
            }
        return results | {"new_tensors": torch.tensor(counter.new_bytes > 0)}

    return [Pair("three steps", by_hand, by_torch)]


RATES, MOMENTUM, DECAY = (0.1, 0.05, 0.01), 0.9, 0.2


def tensors(case: Case, step: int) -> tuple[Tensor, Tensor]:
    delta = case.upstream(f"delta_{step}", torch.Size((case.batch, case.n_out)))
    return delta, case.tensor(f"h_{step}", case.batch, case.n_in)


def by_torch(case: Case) -> Results:
    """torch's optimiser; autograd finds the gradient of the mean of Σⱼ δⱼ yⱼ, which is δᵀ h / n."""
    weight = torch.nn.Parameter(case.tensor("weight", case.n_out, case.n_in))
    optimizer = torch.optim.SGD([weight], lr=0.0, momentum=MOMENTUM, weight_decay=DECAY)
    results: Results = {}
    for step, lr in enumerate(RATES):
        optimizer.param_groups[0]["lr"] = lr
        delta, h = tensors(case, step)
        optimizer.zero_grad()
        (delta * (h @ weight.T)).sum(1).mean().backward()
        optimizer.step()
        results |= {
            f"weight_{step}": weight.detach().clone(),
            f"delta_{step}": delta,
            f"h_{step}": h,
        }
    return results | {"new_tensors": torch.tensor(False)}


# Each in one expression: w, v, d and h are weight, velocity, delta and h; m is the momentum.
MISTAKES = {
    "mean forgotten": lambda w, v, d, h, lr, m, decay: w.add_(
        v.addmm_(d.T, h, beta=m).add_(w, alpha=decay), alpha=-lr
    ),
    "learning rate inside the velocity": lambda w, v, d, h, lr, m, decay: w.sub_(
        v.addmm_(d.T, h, beta=m, alpha=lr / len(h)).add_(w, alpha=lr * decay)
    ),
    "old velocity kept in full": lambda w, v, d, h, lr, m, decay: w.add_(
        v.addmm_(d.T, h, alpha=1 / len(h)).add_(w, alpha=decay), alpha=-lr
    ),
    "weight decay on the wrong side": lambda w, v, d, h, lr, m, decay: w.mul_(
        1 - lr * decay
    ).add_(v.addmm_(d.T, h, beta=m, alpha=1 / len(h)), alpha=-lr),
    "weight decay forgotten": lambda w, v, d, h, lr, m, decay: momentum_update(
        w, v, d, h, lr, m, 0.0
    ),
    "input changed in place": lambda w, v, d, h, lr, m, decay: w.add_(
        v.mul_(m).addmm_(d.div_(len(h)).T, h).add_(w, alpha=decay), alpha=-lr
    ),
    "gradient stored": lambda w, v, d, h, lr, m, decay: w.add_(
        v.mul_(m).add_(d.T @ h / len(h) + decay * w), alpha=-lr
    ),
}
