"""Solution of exercise 00b."""

from collections.abc import Callable

import torch
from torch import Tensor

from curriculum.pair import Case, Pair, Results

ANSWER = "slopes"
REREAD = ("lesson00_slopes.py", "Two paths to the same place")
HINTS = (
    "Begin at the end. How does y move with v? Then: on which two paths does u reach y? Then the same for x.",
    "u reaches y through v, with the slope 2u · 1, and through the product, with the slope x. x reaches y "
    "through u, with the slope −2 times that of u, and through the product, with the slope u.",
    'slope_u = 2 * u + x and slope_x = -2 * slope_u + u; "v" is torch.ones(x.shape).',
)
AFTER = (
    "Slopes along a path multiply, and paths that meet add up.",
    "Put z = y² − u behind it and find ∂z/∂x by the same two rules. A nudge "
    "tells whether it is right.",
)


def slopes(x: Tensor) -> dict[str, Tensor]:
    u = 1 - 2 * x
    slope_v = torch.ones(x.shape)
    slope_u = 2 * u * slope_v + x  # two paths
    slope_x = -2 * slope_u + u  # two paths again
    return {"v": slope_v, "u": slope_u, "x": slope_x}


Slopes = Callable[[Tensor], dict[str, Tensor]]


def pairs(answer: Slopes) -> list[Pair]:
    def asked(case: Case) -> Tensor:
        return case.tensor("x", case.batch, case.n_in)

    return [Pair("slopes", lambda c: answer(asked(c)), lambda c: _torch(asked(c)))]


def _torch(x: Tensor) -> Results:
    x = x.clone().requires_grad_()
    u = 1 - 2 * x
    v = u**2
    y = v + x * u
    found = torch.autograd.grad(y.sum(), (v, u, x))
    return dict(zip("vux", found, strict=True))


def _with(
    slope_u: Callable[[Tensor, Tensor], Tensor],
    slope_x: Callable[[Tensor, Tensor], Tensor],
) -> Slopes:
    """The slopes with another rule for that of u (from u, x) or of x (from the slope of u, u)."""

    def changed(x: Tensor) -> dict[str, Tensor]:
        u = 1 - 2 * x
        of_u = slope_u(u, x)
        return {"v": torch.ones(x.shape), "u": of_u, "x": slope_x(of_u, u)}

    return changed


def _right_u(u: Tensor, x: Tensor) -> Tensor:
    return 2 * u + x


def _right_x(slope_u: Tensor, u: Tensor) -> Tensor:
    return -2 * slope_u + u


MISTAKES = {
    "the way of u through the product is missing": _with(lambda u, x: 2 * u, _right_x),
    "the way of u through v is missing": _with(lambda u, x: x, _right_x),
    "the way of x through the product is missing": _with(
        _right_u, lambda slope_u, u: -2 * slope_u
    ),
    "the way of x through u is missing": _with(_right_u, lambda slope_u, u: u),
    "sign of the slope of u lost": _with(_right_u, lambda slope_u, u: 2 * slope_u + u),
    "paths multiplied in place of added": _with(
        _right_u, lambda slope_u, u: -2 * slope_u * u
    ),
}
