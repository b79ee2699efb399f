"""Solution of exercise 07a."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results
from lessons.exercises import exercise07a_clipped_sgd as stub
from lessons.lesson07_descent import SGD

ANSWER = "ClippedSGD"
REREAD = ("lesson07_descent.py", "class SGD")
HINTS = (
    "How many norms are there in one step, if there are two parameters? How many factors?",
    "Add up the squares of all gradients first, in one loop, and take the root once. "
    "A factor above 1 would make a short gradient longer: hold it at 1.",
    "total = sum(grad.square().sum() for grad in grads.values()), then "
    "factor = (max_norm / (total.sqrt() + 1e-6)).clamp(max=1), then SGD's step with factor · grad.",
)
AFTER = (
    "Clipping by the norm shortens a step and keeps its direction.",
    "Clip each element instead (clip_grad_value_), and find a gradient that is "
    "turned by it.",
)


class ClippedSGD(stub.ClippedSGD):
    def step(self, grads: dict[str, Tensor]) -> None:
        norm = (
            torch.stack([grad.square().sum() for grad in grads.values()]).sum().sqrt()
        )  # (): one for all
        factor = (self.max_norm / (norm + 1e-6)).clamp(max=1)
        SGD.step(self, {name: factor * grad for name, grad in grads.items()})


def pairs(answer: type[stub.ClippedSGD]) -> list[Pair]:
    """Four steps beside `clip_grad_norm_` and `torch.optim.SGD`: steep slopes, gentle ones, none at all."""

    def tensors(case: Case, end: str = "", size: float = 1.0) -> dict[str, Tensor]:
        shapes = {"weight": (case.n_out, case.n_in), "bias": (case.n_out,)}
        return {
            name: size * case.tensor(name + end, *shape)
            for name, shape in shapes.items()
        }

    def walk(
        case: Case, params: dict[str, Tensor], step: Callable[[dict[str, Tensor]], None]
    ) -> Results:
        results: Results = {}
        for size in (10.0, 1.0, 0.01, 0.0):
            step(grads := tensors(case, f"_{size}", size))
            results |= {
                f"{name}_after_{size}": param.detach().clone()
                for name, param in params.items()
            }
            results |= {
                f"grad_{name}_{size}": grad for name, grad in grads.items()
            }  # left as they were?
        return results

    def pair(lr: float, max_norm: float) -> Pair:
        def by_hand(case: Case) -> Results:
            params = tensors(case)
            return walk(case, params, answer(params, lr, max_norm).step)

        def by_torch(case: Case) -> Results:
            params = {
                name: nn.Parameter(start) for name, start in tensors(case).items()
            }
            optimizer = torch.optim.SGD(params.values(), lr)

            def step(grads: dict[str, Tensor]) -> None:
                for name, param in params.items():
                    param.grad = grads[name].clone()
                nn.utils.clip_grad_norm_(params.values(), max_norm)
                optimizer.step()

            return walk(case, dict(params), step)

        return Pair(
            f"clipped sgd, lr {lr}, max_norm {max_norm}", by_hand, by_torch, drawn=False
        )

    return [pair(0.1, 2.0), pair(2.5, 0.5)]


def _norm(*grads: Tensor) -> Tensor:
    return torch.stack([grad.square().sum() for grad in grads]).sum().sqrt()


def _factor(longest: float, norm: Tensor) -> Tensor:
    return (longest / (norm + 1e-6)).clamp(max=1)


def _clipped(
    clip: Callable[[ClippedSGD, dict[str, Tensor]], dict[str, Tensor]],
) -> type[ClippedSGD]:
    """Descent along other gradients, made from the optimiser and those it was given."""

    class Clipped(ClippedSGD):
        def step(self, grads: dict[str, Tensor]) -> None:
            SGD.step(self, clip(self, grads))

    return Clipped


def _scaled(factor: Callable[[ClippedSGD, Tensor], Tensor]) -> type[ClippedSGD]:
    """Descent with another factor, made from the optimiser and the norm."""
    return _clipped(
        lambda o, grads: {
            k: factor(o, _norm(*grads.values())) * g for k, g in grads.items()
        }
    )


def _in_place(optimizer: ClippedSGD, grads: dict[str, Tensor]) -> dict[str, Tensor]:
    factor = _factor(optimizer.max_norm, _norm(*grads.values()))
    return {name: grad.mul_(factor) for name, grad in grads.items()}


MISTAKES = {
    "each tensor clipped by its own norm": _clipped(
        lambda o, grads: {
            k: _factor(o.max_norm, _norm(g)) * g for k, g in grads.items()
        }
    ),
    "each element clipped": _clipped(
        lambda o, grads: {k: g.clamp(-o.max_norm, o.max_norm) for k, g in grads.items()}
    ),
    "input changed in place": _clipped(_in_place),
    "clipping forgotten": _clipped(lambda o, grads: grads),
    "sign": _scaled(lambda o, norm: -_factor(o.max_norm, norm)),
    "root forgotten": _scaled(lambda o, norm: _factor(o.max_norm, norm.square())),
    "short gradients made longer": _scaled(lambda o, norm: o.max_norm / (norm + 1e-6)),
    "rate taken into the norm": _scaled(
        lambda o, norm: _factor(o.max_norm, o.lr * norm)
    ),
    "1e-6 forgotten": _scaled(lambda o, norm: (o.max_norm / norm).clamp(max=1)),
}
