"""Solution of exercise 22b."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from curriculum.pair import Case, Pair, Results
from lessons.exercises import exercise22b_restless_layer as stub

ANSWER = "FreezingSGD"
REREAD = ("lesson22_finetuning.py", "class Frozen")
HINTS = (
    "A gradient of 0 says: do not push. What else moves a weight here?",
    "The velocity of earlier steps and the weight decay act without any gradient. A frozen parameter has to "
    "be left out of the step, not to take part with a 0.",
    "The loop begins with: if name in self.frozen: continue. Nothing else happens to a frozen parameter.",
)
AFTER = (
    "A gradient of 0 is no rest: momentum and decay still move the weight.",
    "Do the same in Adam. What has to wait besides the weight?",
)


class FreezingSGD(stub.FreezingSGD):
    def step(self, grads: dict[str, Tensor]) -> None:
        for name, param in self.params.items():
            if name in self.frozen:
                continue  # neither the weight nor its velocity: torch skips what has no gradient
            velocity = self.velocity[name]
            velocity.mul_(self.momentum).add_(grads[name] + self.decay * param)
            param.sub_(self.lr * velocity)


def pairs(answer: type[stub.FreezingSGD]) -> list[Pair]:
    """Weight and bias after ten steps; the weight is frozen from the fourth to the seventh."""

    def by_hand(case: Case) -> Results:
        optimizer = answer(params := start(case), LR, MOMENTUM, DECAY)

        def step(grads: dict[str, Tensor], frozen: bool) -> None:
            optimizer.frozen = {"weight"} if frozen else set()
            optimizer.step(grads)

        return phases(case, params, step)

    return [Pair("frozen for four steps", by_hand, with_torch, drawn=False)]


Step = Callable[[dict[str, Tensor], bool], None]


LR, MOMENTUM, DECAY = 0.1, 0.8, 0.05


def phases(case: Case, params: dict[str, Tensor], step: Step) -> Results:
    """Three steps with everything free, four with the weight frozen, three free again."""
    results: Results = {}
    for count in range(1, 11):
        grads = {
            name: case.tensor(f"{name}_{count}", *param.shape)
            for name, param in params.items()
        }
        step(grads, 3 < count <= 7)
        if count in (3, 4, 7, 10):
            results |= {
                f"{name}_after_{count}": param.detach().clone()
                for name, param in params.items()
            }
    return results


def start(case: Case) -> dict[str, Tensor]:
    return {
        "weight": case.tensor("weight", case.n_out, case.n_in),
        "bias": case.tensor("bias", case.n_out),
    }


def with_torch(case: Case) -> Results:
    params = {name: nn.Parameter(value) for name, value in start(case).items()}
    optimizer = torch.optim.SGD(
        params.values(), lr=LR, momentum=MOMENTUM, weight_decay=DECAY
    )

    def step(grads: dict[str, Tensor], frozen: bool) -> None:
        for name, param in params.items():
            param.grad = None if frozen and name == "weight" else grads[name]
        optimizer.step()

    return phases(case, dict(params), step)


class _Meddled(FreezingSGD):
    """Right, but for what is done before each step to every frozen parameter."""

    def step(self, grads: dict[str, Tensor]) -> None:
        for name in self.frozen:
            self.meddle(name)
        super().step(grads)

    def meddle(self, name: str) -> None:
        raise NotImplementedError


class _MomentumMoves(_Meddled):
    def meddle(self, name: str) -> None:
        self.velocity[name].mul_(self.momentum)
        self.params[name].sub_(self.lr * self.velocity[name])


class _DecayMoves(_Meddled):
    def meddle(self, name: str) -> None:
        self.params[name].mul_(1 - self.lr * self.decay)


class _VelocityLost(_Meddled):
    def meddle(self, name: str) -> None:
        self.velocity[name].zero_()


class _VelocityFades(_Meddled):
    def meddle(self, name: str) -> None:
        self.velocity[name].mul_(self.momentum)


class _NothingFrozen(FreezingSGD):
    def step(self, grads: dict[str, Tensor]) -> None:
        self.frozen = set()
        super().step(grads)


MISTAKES = {
    "gradient zeroed, parameter not skipped": stub.FreezingSGD,
    "momentum still moves it": _MomentumMoves,
    "weight decay still moves it": _DecayMoves,
    "velocity lost while frozen": _VelocityLost,
    "velocity fades while frozen": _VelocityFades,
    "frozen names ignored": _NothingFrozen,
}
