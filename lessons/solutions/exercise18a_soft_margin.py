"""Solution of exercise 18a."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from curriculum.pair import Case, Pair, Results
from lessons.exercises import exercise18a_soft_margin as stub

ANSWER = "SoftMargin"
REREAD = ("lesson18_lightning.py", "class TorchBridge")
HINTS = (
    "One number first: what is the slope of ln(1 + e^u), and what is u here? Then: what does the mean do to "
    "it, and what does ∂L/∂loss?",
    "The slope of ln(1 + e^u) is the sigmoid of u, and u = −t·z has the slope −t. The mean divides by the "
    "number of entries. The chain rule multiplies by grad_loss.",
    "forward: ctx.save_for_backward(z, target). backward: z, target = ctx.saved_tensors, then "
    "-target / (1 + torch.exp(target * z)) / z.numel() * grad_loss, and None.",
)
AFTER = (
    "A bridge needs the loss, its slope, and the factor that comes from above.",
    "Ask for second derivatives with torch.autograd.gradgradcheck. What does "
    "the bridge lack?",
)


class SoftMargin(stub.SoftMargin):
    @staticmethod
    def forward(ctx: Any, z: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(z, target)
        return torch.log1p(torch.exp(-target * z)).mean()

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
        """ln(1 + e^u) has the slope e^u / (1 + e^u) = 1 / (1 + e^−u), and u = −t·z has the slope −t."""
        z, target = ctx.saved_tensors
        return -target / (1 + torch.exp(target * z)) / z.numel() * grad_loss, None


def pairs(answer: Any) -> list[Pair]:
    """What the learner's `answer` is held against: `F.soft_margin_loss`, two losses in one graph."""

    def run(loss: Callable[[Tensor, Tensor], Tensor], case: Case) -> Results:
        z = {
            name: case.tensor(name, case.batch, case.n_out).requires_grad_()
            for name in ("a", "b")
        }
        target = {
            name: case.upstream(f"target {name}", z[name].shape).sign() for name in z
        }
        losses = {name: loss(z[name], target[name]) for name in z}
        (3 * losses["a"] - losses["b"]).backward()
        grads = {
            f"grad_{name}": value.grad
            for name, value in z.items()
            if value.grad is not None
        }
        results = z | {f"loss_{name}": value for name, value in losses.items()} | grads
        return results | {f"target {name}": value for name, value in target.items()}

    def by_hand(case: Case) -> Results:
        with torch.inference_mode(False):  # the answer is a piece of autograd
            return run(answer.apply, case)

    return [Pair("soft margin", by_hand, lambda case: run(F.soft_margin_loss, case))]


def _backward(change: Callable[[Any, Tensor, Tensor], Tensor]) -> type[SoftMargin]:
    """The solution with the gradient of z changed by `change(ctx, grad_z, grad_loss)`."""

    class Changed(SoftMargin):
        @staticmethod
        def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
            grad = SoftMargin.backward(ctx, grad_loss)[0]
            assert grad is not None
            return change(ctx, grad, grad_loss), None

    return Changed


class _BesideCtx(SoftMargin):
    @staticmethod
    def forward(ctx: Any, z: Tensor, target: Tensor) -> Tensor:
        _BesideCtx.kept = z, target  # type: ignore[attr-defined]
        return SoftMargin.forward(ctx, z, target)

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
        z, target = _BesideCtx.kept  # type: ignore[attr-defined]
        return -target / (1 + torch.exp(target * z)) / z.numel() * grad_loss, None


MISTAKES = {
    "mean forgotten": _backward(lambda ctx, grad, _: grad * grad.numel()),
    "mean taken twice": _backward(lambda ctx, grad, _: grad / grad.numel()),
    "upstream gradient ignored": _backward(
        lambda ctx, grad, grad_loss: grad / grad_loss
    ),
    "sign": _backward(lambda ctx, grad, _: -grad),
    "target forgotten in the slope": _backward(
        lambda ctx, grad, _: grad * ctx.saved_tensors[1]
    ),
    "kept beside ctx": _BesideCtx,
}
