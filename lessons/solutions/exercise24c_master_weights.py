"""Solution of exercise 24c."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from curriculum.pair import Case, Pair, Results
from lessons.exercises import exercise24c_master_weights as stub

ANSWER = "MasterSGD"
REREAD = ("lesson24_speed.py", "master")
HINTS = (
    "Which of the two copies is allowed to forget the last digits, and which is not?",
    "Make the masters once, in __init__. A step reads and moves only them; the weights are written, never "
    "read.",
    "self.masters = {name: param.float() ...}; then master.sub_(lr * grad.float()) and param.copy_(master).",
)
AFTER = (
    "Steps too small for bf16 add up in the master until they show.",
    "Round up or down at random, by how near each side is, instead of to the "
    "nearest. What becomes of the weight without a master?",
)


class MasterSGD(stub.MasterSGD):
    def __init__(self, params: dict[str, Tensor], lr: float) -> None:
        self.params = params
        self.lr = lr
        self.masters = {name: param.float() for name, param in params.items()}

    def step(self, grads: dict[str, Tensor]) -> None:
        for name, master in self.masters.items():
            master.sub_(self.lr * grads[name].float())
            self.params[name].copy_(master)


# Their products with a bf16 number are exact in float32: both sides round alike.
RATES = {"small steps": 1 / 512, "large steps": 1 / 8}
STEPS = 12


def pairs(answer: Callable[..., Any]) -> list[Pair]:
    """Twelve steps with small and with large steps: `torch.optim.SGD` on float32, rounded after each."""

    def pair(name: str, lr: float) -> Pair:
        def by_hand(case: Case) -> Results:
            params = start(case)
            optimizer = answer(params, lr)
            results: Results = {}
            for count in range(STEPS):
                grads = gradients(case, count)
                optimizer.step(grads)
                results |= noted(count, params)
                results |= {f"grad_{n}_{count}": g.float() for n, g in grads.items()}
            return results

        def by_torch(case: Case) -> Results:
            masters = {n: torch.nn.Parameter(p.float()) for n, p in start(case).items()}
            optimizer = torch.optim.SGD(masters.values(), lr=lr)
            results: Results = {}
            for count in range(STEPS):
                grads = gradients(case, count)
                for key, master in masters.items():
                    master.grad = grads[key].float()
                optimizer.step()
                rounded = {n: m.detach().bfloat16() for n, m in masters.items()}
                results |= noted(count, rounded)
                results |= {f"grad_{n}_{count}": g.float() for n, g in grads.items()}
            return results

        return Pair(name, by_hand, by_torch)

    return [pair(name, lr) for name, lr in RATES.items()]


def noted(count: int, params: dict[str, Tensor]) -> Results:
    return {f"{name}_{count}": param.float().clone() for name, param in params.items()}


def start(case: Case) -> dict[str, Tensor]:
    shape = torch.Size((case.n_out, case.n_in))
    return {
        "weight": case.upstream("weight", shape).bfloat16(),
        "bias": case.upstream("bias", shape[:1]).bfloat16(),
    }


def gradients(case: Case, count: int) -> dict[str, Tensor]:
    """They mostly point one way: small steps have to add up."""
    shape = torch.Size((case.n_out, case.n_in))
    weight = case.upstream(f"grad weight {count}", shape).abs()
    bias = case.upstream(f"grad bias {count}", shape[:1]).abs()
    return {"weight": weight.bfloat16(), "bias": bias.bfloat16()}


class _NoMaster(MasterSGD):
    def step(self, grads: dict[str, Tensor]) -> None:
        for name, param in self.params.items():
            param.sub_(self.lr * grads[name])


class _NotWrittenBack(MasterSGD):
    def step(self, grads: dict[str, Tensor]) -> None:
        for name, master in self.masters.items():
            master.sub_(self.lr * grads[name].float())


class _OneStepLate(MasterSGD):
    def step(self, grads: dict[str, Tensor]) -> None:
        for name, master in self.masters.items():
            self.params[name].copy_(master)
            master.sub_(self.lr * grads[name].float())


class _Uphill(MasterSGD):
    def step(self, grads: dict[str, Tensor]) -> None:
        super().step({name: -grad for name, grad in grads.items()})


MISTAKES = {
    "moved in bf16: small steps are lost": _NoMaster,
    "weights not written back": _NotWrittenBack,
    "written back before the step": _OneStepLate,
    "sign": _Uphill,
}
