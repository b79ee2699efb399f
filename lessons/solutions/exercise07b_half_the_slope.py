"""Solution of exercise 07b."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from curriculum.pair import Case, Pair, Results
from lessons.exercises import exercise07b_half_the_slope as stub

ANSWER = "gradient_by_trying"
REREAD = ("lesson07_descent.py", "up = x.clone()")
HINTS = (
    "Print `before` at the start of the loop, and again after the upward nudge.",
    "`flat[i]` of a tensor is not a copy but a view: it shows what stands in x now. So `before - eps` "
    "takes back the upward nudge, and goes no further down.",
    "Keep the number, not the view: before = flat[i].item(), or flat[i].clone().",
)
AFTER = (
    "An element of a tensor is a view, not a copy: what is nudged in place "
    "changes under every name.",
    "Check a gradient of two arguments at once. Which nudges can share a call "
    "of the function?",
)


def gradient_by_trying(
    function: Callable[[Tensor], Tensor], x: Tensor, eps: float = 1e-6
) -> Tensor:
    grad, flat = torch.zeros_like(x), x.view(-1)
    for i in range(x.numel()):
        before = flat[i].item()  # a number of Python's: it does not follow x
        flat[i] = before + eps
        up = function(x)
        flat[i] = before - eps
        down = function(x)
        grad.view(-1)[i] = (up - down) / (2 * eps)
        flat[i] = before
    return grad


def pairs(answer: Any) -> list[Pair]:
    """What the learner's `answer` is held against: autograd, where central differences are exact."""

    def start(case: Case) -> Tensor:
        return case.upstream("x", torch.Size((case.n_out, case.n_in)))

    def pair(
        name: str, function: Callable[[Case], Callable[[Tensor], Tensor]], eps: float
    ) -> Pair:
        def by_hand(case: Case) -> Results:
            x = start(case)
            return {"grad": answer(function(case), x, eps), "x": x}

        def by_torch(case: Case) -> Results:
            x = start(case).requires_grad_()
            return {"grad": torch.autograd.grad(function(case)(x), x)[0], "x": x}

        return Pair(name, by_hand, by_torch)

    return [pair("bowl", lambda case: bowl, 1.0), pair("linear layer", regression, 0.5)]


def bowl(x: Tensor) -> Tensor:
    """A parabola along every element, steeper from one to the next, and tilted. Any shape → ()."""
    curvature = torch.arange(1.0, 1 + x.numel()).view(x.shape)
    return (curvature * x.square() / x.numel() + x).sum() + x.mean().square()


def regression(case: Case) -> Callable[[Tensor], Tensor]:
    """The mean squared error of a linear layer, a parabola in its weight (n_out, n_in) → ()."""
    inputs = case.upstream("inputs", torch.Size((case.batch, case.n_in)))
    target = case.upstream("target", torch.Size((case.batch, case.n_out)))
    return lambda weight: (inputs @ weight.T - target).square().mean()


def _with(
    ups: float, downs: float, over: float, back: bool = True
) -> Callable[..., Tensor]:
    """(f(x + ups · e) − f(x + downs · e)) / (over · e). Without `back`, elements stay at their last nudge."""

    def tried(
        function: Callable[[Tensor], Tensor], x: Tensor, eps: float = 1e-6
    ) -> Tensor:
        grad, flat = torch.zeros_like(x), x.view(-1)
        for i, before in enumerate(flat.tolist()):
            flat[i] = before + ups * eps
            up = function(x)
            flat[i] = before + downs * eps
            grad.view(-1)[i] = (up - function(x)) / (over * eps)
            if back:
                flat[i] = before
        return grad

    return tried


MISTAKES: dict[str, Callable[..., Tensor]] = {
    "view kept instead of the number": stub.gradient_by_trying,
    "forward difference": _with(1, 0, 1),
    "backward difference": _with(0, -1, 1),
    "divided by one nudge instead of two": _with(1, -1, 1),
    "sign": _with(-1, 1, 2),
    "input changed in place": _with(1, -1, 2, back=False),
}
