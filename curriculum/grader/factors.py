"""Numbers at hand, and products of them: a coefficient that was measured in many calls gets a name.

`Factor` is one number per observation: `lr`, `1 − beta1^t`, the share that clipping leaves. `name` finds the
product of at most three that equals a measured coefficient in every observation.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

CLOSE = 1e-8  # relative: coefficients come out of a least-squares fit
COUNTS = {  # how a step may be counted
    "t": "",
    "t + 1": "the step is counted one too far",
    "t − 1": "the step is counted one too late: the first one counts as 0",
    "2t": "the steps are counted twice",
    "t per parameter": "the steps are counted once per parameter, not once per step",
    "1": "the step does not count up",
}


@dataclass(frozen=True)
class Moment:
    """When something was observed: in which step, for which of how many parameters."""

    step: int
    parameter: int
    parameters: int
    numbers: tuple[tuple[str, float], ...]  # lr, eps, …
    norms: tuple[tuple[str, float], ...]  # lengths of all gradients together, measured in several ways
    rows: int  # of what the call was given; 0 where it has no rows

    def counted(self, count: str) -> int:
        return {
            "t": self.step,
            "t + 1": self.step + 1,
            "t − 1": self.step - 1,
            "2t": 2 * self.step,
            "t per parameter": (self.step - 1) * self.parameters + self.parameter + 1,
            "1": 1,
        }[count]


@dataclass(frozen=True)
class Factor:
    """`kind` says what it does for a reader, `of` which number it is made from."""

    text: str
    kind: str
    of: str
    count: str = ""


@dataclass(frozen=True)
class Product:
    """A sign and the factors above and below the line."""

    sign: int
    above: tuple[Factor, ...] = ()
    below: tuple[Factor, ...] = ()

    @cached_property
    def text(self) -> str:
        """Without the sign. Empty for 1."""
        top = " · ".join(factor.text for factor in self.above)
        bottom = "".join(f" / {factor.text}" for factor in self.below)
        return f"{top or '1'}{bottom}" if bottom else top


def table(moments: list[Moment], first: str) -> dict[Factor, Tensor]:
    """Every factor that these moments have, with its number in each of them; those of the kind `first` first.

    Two numbers may be the same by chance, as 1 − lr · weight_decay and beta2: the first is told.
    """
    found: dict[Factor, list[float]] = {}
    for moment in moments:
        for factor, value in _factors(moment).items():
            found.setdefault(factor, []).append(value)
    whole = {factor: values for factor, values in found.items() if len(values) == len(moments)}
    whole = dict(sorted(whole.items(), key=lambda item: item[0].kind != first))
    tensors = {factor: torch.tensor(values, dtype=torch.float64) for factor, values in whole.items()}
    # A factor that is 1 everywhere says nothing.
    return {factor: value for factor, value in tensors.items() if not bool((value - 1).abs().max() < CLOSE)}


def name(measured: Tensor, factors: dict[Factor, Tensor], known: Tensor) -> Product | None:
    """The plainest product that is `measured` wherever it is `known`; None where there is none."""
    values = measured[known]
    if not len(values) or not (bool((values > 0).all()) or bool((values < 0).all())):
        return None
    sign = 1 if values[0] > 0 else -1
    wanted = values.abs().log()
    usable = [factor for factor, value in factors.items() if bool((value[known] > 0).all())]
    if not usable:
        return Product(sign) if bool(wanted.abs().max() < CLOSE) else None
    logs = torch.stack([factors[factor][known].log() for factor in usable])
    chosen = _combination(wanted, torch.cat([logs, -logs]))
    if chosen is None:
        return None
    above = tuple(usable[i] for i in chosen if i < len(usable))
    below = tuple(usable[i - len(usable)] for i in chosen if i >= len(usable))
    return Product(sign, above, below)


def _combination(wanted: Tensor, logs: Tensor) -> tuple[int, ...] | None:
    """The fewest rows of `logs`, the first of these, that add up to `wanted`: three at most."""
    if bool(wanted.abs().max() < CLOSE):
        return ()
    single = _matches(wanted[None], logs)
    if single is not None:
        return (single[1],)
    pair = _matches(wanted - logs, logs)
    if pair is not None:
        return tuple(sorted(pair))
    first, second = torch.triu_indices(len(logs), len(logs))
    found = _matches(wanted - logs, logs[first] + logs[second])
    if found is None:
        return None
    one, two = found
    return tuple(sorted((one, int(first[two]), int(second[two]))))


def _matches(wanted: Tensor, rows: Tensor) -> tuple[int, int] | None:
    """Which of `wanted` is which of `rows`; the first of `wanted`, and of `rows` the earliest.

    They are sorted by their last number, so that few have to be compared whole.
    """
    order = rows[:, -1].argsort(stable=True)
    last = rows[order, -1].contiguous()
    begins = torch.searchsorted(last, wanted[:, -1] - CLOSE)
    ends = torch.searchsorted(last, wanted[:, -1] + CLOSE)
    for i in (ends > begins).nonzero().flatten().tolist():
        near = order[int(begins[i]) : int(ends[i])].sort().values
        fits = (rows[near] - wanted[i]).abs().amax(1) < CLOSE
        if bool(fits.any()):
            return i, int(near[fits][0])
    return None


def _factors(moment: Moment) -> dict[Factor, float]:
    numbers = dict(moment.numbers)
    found = {Factor("2", "constant", "2"): 2.0}
    if moment.rows:
        found[Factor("n", "examples", "n")] = float(moment.rows)
    for name_, value in numbers.items():
        if value > 0:
            found[Factor(name_, "number", name_)] = value
        if 0 < value < 1 and name_ not in ("lr", "eps"):
            found[Factor(f"(1 − {name_})", "rest", name_)] = 1 - value
            found |= _powers(moment, name_, value)
        if "decay" in name_:
            found |= _slowing(moment, name_, value)
            if "lr" in numbers:
                found[Factor(f"(1 − lr · {name_})", "shrinking", name_)] = 1 - numbers["lr"] * value
                found[Factor(f"(1 + lr · {name_})", "growing", name_)] = 1 + numbers["lr"] * value
        if "max" in name_ and moment.norms:
            found |= _clipping(moment, name_, value)
    return found


def _powers(moment: Moment, name_: str, value: float) -> dict[Factor, float]:
    """The start corrections of running averages, and their roots."""
    found = {}
    for count in COUNTS:
        left = 1 - value ** moment.counted(count)
        if count != "1" and left > 0:
            text = f"1 − {name_}^{_short(count)}"
            found[Factor(f"({text})", "correction", name_, count)] = left
            found[Factor(f"√({text})", "root of the correction", name_, count)] = math.sqrt(left)
    return found


def _slowing(moment: Moment, name_: str, value: float) -> dict[Factor, float]:
    found = {}
    for count in COUNTS:
        text = f"(1 + ({_short(count)} − 1) · {name_})"
        found[Factor(text, "slowing", name_, count)] = 1 + (moment.counted(count) - 1) * value
    return found


def _clipping(moment: Moment, name_: str, value: float) -> dict[Factor, float]:
    """What is left of a gradient that is too long."""
    found = {}
    for norm, length in moment.norms:
        found[Factor(f"min(1, {name_} / ({norm} + 1e-6))", "clipping", norm)] = min(
            1, value / (length + 1e-6)
        )
        found[Factor(f"({name_} / ({norm} + 1e-6))", "stretching", norm)] = value / (length + 1e-6)
        if length:
            found[Factor(f"min(1, {name_} / {norm})", "clipping", f"{norm} without 1e-6")] = min(
                1, value / length
            )
        inside = math.sqrt(length**2 + 1e-6)
        text = f"min(1, {name_} / √({norm}² + 1e-6))"
        found[Factor(text, "clipping", f"{norm} with 1e-6 inside the root")] = min(1, value / inside)
    return found


def _short(count: str) -> str:
    return count if len(count) == 1 else f"({count})"
