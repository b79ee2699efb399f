"""Answers to exercise 12b as learners write them."""

import torch
from torch import Tensor


class Base:
    """What most answers leave as it was."""

    def __init__(
        self, params: dict[str, Tensor], lr: float = 1e-3, betas: tuple = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        self.params, self.lr, self.eps, self.t = params, lr, eps, 0
        self.b1, self.b2 = betas
        self.m = {name: torch.zeros(param.shape) for name, param in params.items()}
        self.v = {name: torch.zeros(param.shape) for name, param in params.items()}

    def averages(self, name: str, grad: Tensor) -> tuple[Tensor, Tensor]:
        self.m[name].mul_(self.b1).add_(grad, alpha=1 - self.b1)
        self.v[name].mul_(self.b2).add_(grad * grad, alpha=1 - self.b2)
        return self.m[name], self.v[name]

    def step(self, grads: dict[str, Tensor]) -> None:
        self.t += 1
        for name in self.params:
            m, v = self.averages(name, grads[name])
            self.params[name].sub_(self.lr * self.quotient(m, v))

    def quotient(self, m: Tensor, v: Tensor) -> Tensor:
        return m / (1 - self.b1**self.t) / ((v / (1 - self.b2**self.t)).sqrt() + self.eps)


class CountPerName(Base):
    """A counter for every parameter: right, and as PyTorch does it."""

    def step(self, grads: dict[str, Tensor]) -> None:
        self.count = {name: 1 + getattr(self, "count", {}).get(name, 0) for name in self.params}
        for name, param in self.params.items():
            self.t = self.count[name]
            param -= self.lr * self.quotient(*self.averages(name, grads[name]))


class RunningPowers(Base):
    """Multiplies the powers of β up, one factor per step."""

    power1 = power2 = 1.0

    def step(self, grads: dict[str, Tensor]) -> None:
        self.power1, self.power2 = self.power1 * self.b1, self.power2 * self.b2
        rate = self.lr * (1 - self.power2) ** 0.5 / (1 - self.power1)
        for name, param in self.params.items():
            m, v = self.averages(name, grads[name])
            param.sub_(rate * m / (v.sqrt() + self.eps * (1 - self.power2) ** 0.5))


class StillInTheLoop(Base):
    def step(self, grads: dict[str, Tensor]) -> None:
        for name, grad in grads.items():
            m, v = self.averages(name, grad)
            self.t = self.t + 1
            self.params[name].sub_(self.lr * self.quotient(m, v))


class SquareUncorrected(Base):
    def quotient(self, m: Tensor, v: Tensor) -> Tensor:
        return m / (v**0.5 + self.eps) / (1 - self.b1**self.t)


class CountsTwice(Base):
    def step(self, grads: dict[str, Tensor]) -> None:
        self.t = max(self.t, 1)
        super().step(grads)


class UnderTheRoot(Base):
    def quotient(self, m: Tensor, v: Tensor) -> Tensor:
        return m / (1 - self.b1**self.t) * torch.rsqrt(v / (1 - self.b2**self.t) + self.eps)


class CountsAfterwards(Base):
    def step(self, grads: dict[str, Tensor]) -> None:
        self.t -= 1
        super().step(grads)
        self.t += 1


class EpsilonUncorrected(Base):
    def quotient(self, m: Tensor, v: Tensor) -> Tensor:
        return m * (1 - self.b2**self.t) ** 0.5 / (1 - self.b1**self.t) / (v.sqrt() + self.eps)


RIGHT = [CountPerName, RunningPowers]
WRONG = [
    ("steps counted once per parameter", StillInTheLoop),
    ("bias correction of the square missing", SquareUncorrected),
    ("step counted one too far", CountsTwice),
    ("epsilon inside the root", UnderTheRoot),
    ("", CountsAfterwards),
    ("", EpsilonUncorrected),
]
