"""Solution of exercise 21b."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results
from lessons.exercises import exercise21b_wandering_attack as stub
from lessons.exercises.exercise21b_wandering_attack import length
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson17_mnist import MLP, TorchMLP, first_weights
from lessons.lesson21_limits import Box

ANSWER = "pgd_l2"
REREAD = ("lesson21_limits.py", "def pgd")
HINTS = (
    "The distance from `x` is kept below ε, and yet it is not. From which `x`?",
    "Print `x` before the first step and after it. How many tensors are there, and how many names?",
    "`moved += step` writes into the tensor that `x` names too. `moved = moved + step` makes a new one.",
)
AFTER = (
    "A change is measured from where it began, so that place must not move "
    "along: += writes under every name.",
    "Begin at a random place within the ball, as PGD often does.",
)


def pgd_l2(model: MLP, x: Tensor, target: Tensor, eps: float, box: Box) -> Tensor:
    criterion = CrossEntropyLoss()
    moved = x
    for _ in range(10):
        criterion.forward(model.forward(moved), target)
        slope = model.backward(criterion.backward())
        # A new tensor: the caller's x stays as it was.
        moved = moved + eps / 4 * slope / length(slope)
        change = moved - x
        shorter = (eps / length(change)).clamp(max=1)
        moved = (x + shorter * change).clamp(*box)
    return moved


def pairs(answer: Callable[..., Tensor]) -> list[Pair]:
    """The pictures found, and the caller's pictures, which stay as they were."""
    return [
        Pair(
            "ten steps in a ball",
            lambda case: attacked(
                case, MLP((case.n_in, 7, 6, case.n_out), input_grad=True), answer
            ),
            lambda case: attacked(
                case, TorchMLP((case.n_in, 7, 6, case.n_out)), torch_pgd_l2
            ),
        )
    ]


def torch_pgd_l2(
    model: nn.Module, x: Tensor, target: Tensor, eps: float, box: Box
) -> Tensor:
    """The same by autograd."""
    moved = x
    for _ in range(10):
        leaf = moved.clone().requires_grad_()
        slope = torch.autograd.grad(
            nn.functional.cross_entropy(model(leaf), target), leaf
        )[0]
        change = moved.add(nn.functional.normalize(slope, dim=1), alpha=eps / 4) - x
        far = torch.linalg.vector_norm(change, dim=1, keepdim=True) > eps
        moved = torch.where(
            far, x + eps * nn.functional.normalize(change, dim=1), x + change
        ).clamp(*box)
    return moved


def attacked(case: Case, model: Any, attack: Callable[..., Tensor]) -> Results:
    model.load_state_dict(first_weights((case.n_in, 7, 6, case.n_out), case.seed))
    x = case.tensor("x", case.batch, case.n_in).clamp(-1, 1)
    moved = attack(
        model, x, case.classes("target", case.batch, case.n_out), 0.3, (-1.0, 1.0)
    )
    return {"moved": moved, "x": x}


def _with(project: Callable[[Tensor, Tensor, float], Tensor]) -> Callable[..., Tensor]:
    """The attack with another way back: project(x, change, eps) is where x + change ends."""

    def attack(model: MLP, x: Tensor, target: Tensor, eps: float, box: Box) -> Tensor:
        criterion = CrossEntropyLoss()
        moved = x
        for _ in range(10):
            criterion.forward(model.forward(moved), target)
            slope = model.backward(criterion.backward())
            change = moved + eps / 4 * slope / length(slope) - x
            moved = project(x, change, eps).clamp(*box)
        return moved

    return attack


MISTAKES = {
    "input changed in place": stub.pgd_l2,
    # One step is never too long.
    "measured from the last place": _with(lambda x, change, eps: x + change),
    "always out to the edge": _with(
        lambda x, change, eps: x + eps * change / length(change)
    ),
    "each pixel bounded": _with(lambda x, change, eps: x + change.clamp(-eps, eps)),
}
