"""Solution of exercise 06a."""

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results
from lessons.exercises import exercise06a_clipped_sgd as stub
from lessons.lesson06_descent import SGD

ANSWER = "ClippedSGD"
REREAD = ("lesson06_descent.py", "class SGD")
HINTS = (
    "How many norms are there in one step, if there are two parameters? How many factors?",
    "Add up the squares of all gradients first, in one loop, and take the root once. "
    "A factor above 1 would make a short gradient longer: hold it at 1.",
    "total = sum(grad.square().sum() for grad in grads.values()), then "
    "factor = (max_norm / (total.sqrt() + 1e-6)).clamp(max=1), then SGD's step with factor · grad.",
)


class ClippedSGD(stub.ClippedSGD):
    def step(self, grads: dict[str, Tensor]) -> None:
        SGD.step(self, self.clipped(grads))

    def clipped(self, grads: dict[str, Tensor]) -> dict[str, Tensor]:
        factor = self.factor(self.norm(grads))
        return {name: factor * grad for name, grad in grads.items()}

    def norm(self, grads: dict[str, Tensor]) -> Tensor:
        return torch.stack([grad.square().sum() for grad in grads.values()]).sum().sqrt()

    def factor(self, norm: Tensor) -> Tensor:
        return (self.max_norm / (norm + 1e-6)).clamp(max=1)


def pairs(answer: type[stub.ClippedSGD]) -> list[Pair]:
    """Four steps beside `clip_grad_norm_` and `torch.optim.SGD`: steep slopes, gentle ones, none at all."""

    def tensors(case: Case, end: str = "") -> dict[str, Tensor]:
        shapes = {"weight": (case.n_out, case.n_in), "bias": (case.n_out,)}
        return {name: case.tensor(name + end, *shape) for name, shape in shapes.items()}

    def slopes(case: Case) -> list[dict[str, Tensor]]:
        sizes = enumerate((10.0, 1.0, 0.01, 0.0))
        return [{name: size * g for name, g in tensors(case, f"_{i}").items()} for i, size in sizes]

    def named(params: dict[str, Tensor], grads: dict[str, Tensor], step: int) -> Results:
        now = {f"{name}_after_{step}": param.detach().clone() for name, param in params.items()}
        return now | {f"grad_{name}_{step}": grad for name, grad in grads.items()}

    def pair(lr: float, max_norm: float) -> Pair:
        def by_hand(case: Case) -> Results:
            results: Results = {}
            params = tensors(case)
            optimizer = answer(params, lr, max_norm)
            for step, grads in enumerate(slopes(case), start=1):
                optimizer.step(grads)
                results |= named(params, grads, step)
            return results

        def by_torch(case: Case) -> Results:
            results: Results = {}
            params = {name: nn.Parameter(start) for name, start in tensors(case).items()}
            optimizer = torch.optim.SGD(params.values(), lr)
            for step, grads in enumerate(slopes(case), start=1):
                for name, param in params.items():
                    param.grad = grads[name].clone()
                nn.utils.clip_grad_norm_(params.values(), max_norm)
                optimizer.step()
                results |= named(dict(params), grads, step)
            return results

        return Pair(f"clipped sgd, lr {lr}, max_norm {max_norm}", by_hand, by_torch, drawn=False)

    return [pair(0.1, 2.0), pair(2.5, 0.5)]


class _OneByOne(ClippedSGD):
    def clipped(self, grads: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: self.factor(self.norm({name: grad})) * grad for name, grad in grads.items()}


class _ByValue(ClippedSGD):
    def clipped(self, grads: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: grad.clamp(-self.max_norm, self.max_norm) for name, grad in grads.items()}


class _NeverClipped(ClippedSGD):
    def factor(self, norm: Tensor) -> Tensor:
        return torch.ones_like(norm)


class _AlwaysScaled(ClippedSGD):
    def factor(self, norm: Tensor) -> Tensor:
        return self.max_norm / (norm + 1e-6)


class _NoRoot(ClippedSGD):
    def norm(self, grads: dict[str, Tensor]) -> Tensor:
        return super().norm(grads).square()


class _NormsAdded(ClippedSGD):
    def norm(self, grads: dict[str, Tensor]) -> Tensor:
        return torch.stack([grad.norm() for grad in grads.values()]).sum()


class _WithTheRate(ClippedSGD):
    def factor(self, norm: Tensor) -> Tensor:
        return super().factor(self.lr * norm)


class _NoEpsilon(ClippedSGD):
    def factor(self, norm: Tensor) -> Tensor:
        return (self.max_norm / norm).clamp(max=1)


class _Uphill(ClippedSGD):
    def clipped(self, grads: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: -grad for name, grad in super().clipped(grads).items()}


class _InPlace(ClippedSGD):
    def clipped(self, grads: dict[str, Tensor]) -> dict[str, Tensor]:
        factor = self.factor(self.norm(grads))
        return {name: grad.mul_(factor) for name, grad in grads.items()}


MISTAKES = {
    "each tensor clipped by its own norm": _OneByOne,
    "each element clipped": _ByValue,
    "clipping forgotten": _NeverClipped,
    "short gradients made longer": _AlwaysScaled,
    "root forgotten": _NoRoot,
    "norms added instead of squares": _NormsAdded,
    "rate taken into the norm": _WithTheRate,
    "1e-6 forgotten": _NoEpsilon,
    "sign": _Uphill,
    "input changed in place": _InPlace,
}
