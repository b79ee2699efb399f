"""Solution of exercise 21a."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results
from lessons.lesson06_cross_entropy import CrossEntropyLoss
from lessons.lesson17_mnist import MLP, TorchMLP, first_weights
from lessons.lesson21_limits import Box

ANSWER = "towards"
REREAD = ("lesson21_limits.py", "def uphill")
HINTS = (
    "Does the loss against the wanted answer have to rise or to fall? How long is the step of each picture?",
    "Find ∂L/∂x as `uphill` does, without the sign. One length per row: square, sum over the pixels, root. "
    "Where the length is 0, divide by anything else.",
    "length = slope.norm(dim=1, keepdim=True).clamp(min=1e-12), and the answer is "
    "(x - eps * slope / length).clamp(*box).",
)
AFTER = (
    "A bound on the length lets a few pixels move far. A bound on each pixel "
    "moves all of them a little.",
    "Take ten small steps, and keep the whole change within ε.",
)


def slope_of(model: MLP, x: Tensor, wanted: Tensor) -> Tensor:
    """∂L/∂x, (batch, n_in)."""
    criterion = CrossEntropyLoss()
    criterion.forward(model.forward(x), wanted)
    return model.backward(criterion.backward())


def towards(model: MLP, x: Tensor, wanted: Tensor, eps: float, box: Box) -> Tensor:
    slope = slope_of(model, x, wanted)
    length = slope.norm(dim=1, keepdim=True).clamp(
        min=1e-12
    )  # (batch, 1); 0 / 1e-12 is 0
    return (x - eps * slope / length).clamp(*box)


def pairs(answer: Callable[..., Tensor]) -> list[Pair]:
    """One ordinary batch, and one with a picture whose slope is exactly 0."""

    def pair(name: str, dead: bool) -> Pair:
        def sizes(case: Case) -> tuple[int, ...]:
            return case.n_in, 7, 6, case.n_out

        return Pair(
            name,
            lambda case: attacked(
                case, MLP(sizes(case), input_grad=True), answer, dead
            ),
            lambda case: attacked(case, TorchMLP(sizes(case)), torch_towards, dead),
        )

    return [pair("a step of length eps", False), pair("a picture without slope", True)]


def torch_towards(
    model: nn.Module, x: Tensor, wanted: Tensor, eps: float, box: Box
) -> Tensor:
    """The same by autograd."""
    x = x.clone().requires_grad_()
    slope = torch.autograd.grad(nn.functional.cross_entropy(model(x), wanted), x)[0]
    return x.detach().sub(nn.functional.normalize(slope, dim=1), alpha=eps).clamp(*box)


def attacked(
    case: Case, model: Any, attack: Callable[..., Tensor], dead: bool
) -> Results:
    """`dead`: the first picture is all 0 and every bias of the first layer negative: no neuron answers."""
    weights = first_weights((case.n_in, 7, 6, case.n_out), case.seed)
    x = case.tensor("x", case.batch, case.n_in).clamp(-1, 1)
    if dead:
        weights["0.bias"], x[0] = -weights["0.bias"].abs(), 0.0
    model.load_state_dict(weights)
    moved = attack(
        model, x, case.classes("wanted", case.batch, case.n_out), 0.3, (-1.0, 1.0)
    )
    return {"moved": moved, "x": x}


def _one_length(model: MLP, x: Tensor, wanted: Tensor, eps: float, box: Box) -> Tensor:
    slope = slope_of(model, x, wanted)
    return (x - eps * slope / slope.norm().clamp(min=1e-12)).clamp(*box)


MISTAKES = {
    "sign": lambda model, x, wanted, eps, box: towards(model, x, wanted, -eps, box),
    "length of the whole batch": _one_length,
    "not divided by the length": lambda m, x, wanted, eps, box: (
        x - eps * slope_of(m, x, wanted)
    ).clamp(*box),
    "sign of the slope taken": lambda m, x, want, eps, box: (
        x - eps * slope_of(m, x, want).sign()
    ).clamp(*box),
    "not kept in the box": lambda m, x, want, eps, _: towards(
        m, x, want, eps, (-torch.inf, torch.inf)
    ),
    "input changed in place": lambda m, x, want, eps, box: x.copy_(
        towards(m, x, want, eps, box)
    ),
}
