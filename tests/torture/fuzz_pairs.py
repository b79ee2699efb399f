"""A fuzz campaign: every pair of every lesson on inputs that are special in value, in memory or in size.

    python -m tests.torture.fuzz_pairs --cases 10000

A trial is a pair, a kind of input, sizes, a seed and a dtype. Both sides must agree in names, shapes, dtypes
and values; infinities and nan are values like others. A trial at which PyTorch itself raises is refused.
A pair with `drawn=False` takes a hundred steps or trains. It is tried once with the sizes it is made for, and
if it asks the case for tensors (a training on fixed data does not), once more per kind and dtype.

The bound. Values of ordinary size (in any memory, with ties) must agree within `TOLERANCE`. For tiny, huge
and zero values, and in float32, a constant absolute part would excuse too much or too little: rounding is
relative to the terms that were added up, not to their sum. So it is measured: PyTorch's side runs again with
its inputs and the result of each operation moved by one unit in the last place, and 1000 times the largest
change is allowed. Without cancellation that is below the relative tolerance and changes nothing. A result of
1e-310 is not excused by 1e-10, nor one of 1e12 blamed for its last digits. Where this allows more than a
hundredth of the largest value, rounding decides the result, not the code, as in the layer norm of one number:
such a trial counts as undecided, not as agreement.
"""

import argparse
import re
import shlex
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, field, fields, replace
from typing import Any

import hypothesis
import torch
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from curriculum.discover import lessons
from curriculum.pair import TOLERANCE, Case, Pair, Results

DTYPES = {"float64": torch.float64, "float32": torch.float32}


@dataclass(frozen=True)
class Known:
    """A difference that is meant. `pair`, `note` and `kind` are patterns.

    `infinite`: only where some of PyTorch's results are not finite.
    """

    lesson: int
    pair: str
    note: str
    kind: str = ".*"
    infinite: bool = False

    def fits(self, trial: "Trial", note: str, finite: bool) -> bool:
        patterns = {self.pair: trial.pair, self.note: note, self.kind: trial.kind}
        fits = all(re.fullmatch(pattern, text) for pattern, text in patterns.items())
        return fits and trial.lesson == self.lesson and not (self.infinite and finite)


KNOWN = (
    # A `Value` holds one Python number. `math` raises where a tensor becomes infinite.
    Known(9, "numbers: .*", "only ours raises OverflowError.*", infinite=True),
    # Weights overflow. A neuron that is off sends grad · 0, nan where grad is infinite; PyTorch writes 0.
    Known(
        24,
        "(two|four) layers",
        r"(loss_\d+|\d\.\w+): (worse|other) than torch where not finite; ours nan.*",
        kind="huge|logits",
    ),
    # p · Σq − q cancels where one class counts a million times another; PyTorch adds up the shares apart.
    Known(6, ".*(weighted|all options).*", "grad_prediction: off by .*", kind="huge"),
)

# ---------------------------------------------------------------- kinds of input

Change = Callable[[Tensor, int], Tensor]  # a tensor and the seed of its case → what a side gets


def same(x: Tensor, seed: int) -> Tensor:
    return x


def zeros(x: Tensor, seed: int) -> Tensor:
    """0 and −0: the sign of each value is kept."""
    return torch.zeros_like(x).copysign(x)


def subnormal(x: Tensor, seed: int) -> Tensor:
    """Below the smallest normal number, which is 2e-308 in float64 and 1e-38 in float32."""
    return x * (1e-310 if x.dtype == torch.float64 else 1e-39)


def huge(x: Tensor, seed: int) -> Tensor:
    return x * 1e6


def logits(x: Tensor, seed: int) -> Tensor:
    """Around 1e3, 1e4 or 1e5: far beyond what exp can take."""
    return x * 10 ** (3 + seed % 3)


def ties(x: Tensor, seed: int) -> Tensor:
    return x.round()


def constant(x: Tensor, seed: int) -> Tensor:
    return torch.full_like(x, x.flatten()[0].item())


def transposed(x: Tensor, seed: int) -> Tensor:
    """Column after column in memory; a vector with gaps."""
    return x.mT.contiguous().mT if x.dim() > 1 else strided(x, seed)


def strided(x: Tensor, seed: int) -> Tensor:
    """Every second place of a larger tensor. Between lies nan: who reads past the strides shows it."""
    if not x.dim():
        return x
    gaps = x.new_full((*x.shape[:-1], 2 * x.shape[-1] + 1), torch.nan)
    gaps[..., 1::2] = x
    return gaps[..., 1::2]


def expanded(x: Tensor, seed: int) -> Tensor:
    """All rows are the first one, in the same memory (stride 0)."""
    return x[:1].expand_as(x) if x.dim() else x


@dataclass(frozen=True)
class Kind:
    """What becomes of a case's tensors. `ordinary`: their values are of ordinary size."""

    values: Change = same
    upstream: Change = same
    layout: Change = same
    ordinary: bool = False


KINDS = {
    "ordinary": Kind(ordinary=True),
    "zeros": Kind(zeros),
    "subnormal": Kind(subnormal),
    "subnormal upstream": Kind(upstream=subnormal),
    "huge": Kind(huge),
    "logits": Kind(logits),
    "ties": Kind(ties, ordinary=True),
    "constant": Kind(constant, ordinary=True),
    "transposed": Kind(layout=transposed, ordinary=True),
    "strided": Kind(layout=strided, ordinary=True),
    "expanded": Kind(layout=expanded, ordinary=True),
}


@dataclass(frozen=True)
class FuzzCase(Case):
    """A case whose tensors are of one kind. `nudge` above 0 moves every value by one unit in its last place.

    `asked` gets the name of everything that a side asks for.
    """

    kind: str = "ordinary"
    nudge: int = 0
    asked: list[str] = field(default_factory=list, compare=False)

    def tensor(self, name: str, *shape: int) -> Tensor:
        # An optimiser changes these two in place. PyTorch refuses that for expanded tensors.
        keep = self.kind == "expanded" and name in ("weight", "bias")
        kind = Kind() if keep else KINDS[self.kind]
        return self._given(name, super().tensor(name, *shape), kind.values, kind.layout)

    def upstream(self, name: str, shape: torch.Size) -> Tensor:
        kind = KINDS[self.kind]
        return self._given(name, super().upstream(name, shape), kind.upstream, kind.layout)

    def classes(self, name: str, count: int, n_classes: int) -> Tensor:
        self.asked.append(name)
        return super().classes(name, count, n_classes)

    def _given(self, name: str, x: Tensor, values: Change, layout: Change) -> Tensor:
        self.asked.append(name)
        x = values(x, self.seed)
        if self.nudge:
            x = last_place(x, torch.Generator().manual_seed(zlib.crc32(f"{name} {self.nudge}".encode())))
        return layout(x, self.seed)


# ---------------------------------------------------------------- rounding, measured


def last_place(x: Tensor, generator: torch.Generator) -> Tensor:
    """Each value up or down by one unit in its last place. Zeros stay: most are exact."""
    up = torch.randint(2, x.shape, generator=generator, device="cpu").to(x.device, x.dtype)
    return torch.where((x == 0) | x.isinf(), x, x.nextafter((2 * up - 1) * torch.inf))


class Rounded(TorchDispatchMode):
    """While on (`with`), the result of every operation is moved by one unit in its last place."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = operation(*args, **(kwargs or {}))
        values = result if isinstance(result, tuple) else (result,)
        for value, returned in zip(values, operation._schema.returns, strict=False):
            alias = returned.alias_info  # a view computes nothing
            if isinstance(value, Tensor) and value.is_floating_point() and (not alias or alias.is_write):
                value.copy_(last_place(value, self.generator))
        return result


def rounding(pair: Pair, trial: "Trial", name: str, result: Tensor) -> float:
    """How far rounding moves PyTorch's `result`, at most, in three tries."""
    moves = []
    for nudge in (1, 2, 3):
        with Rounded(nudge):
            moves.append((run_torch(pair, trial.case(nudge))[name].double() - result).abs())
    return max(move.where(move.isfinite(), 0).max().item() for move in moves)


# ---------------------------------------------------------------- one trial


@dataclass(frozen=True)
class Trial:
    """What is tried. `lesson` and `pair` name the pair."""

    lesson: int
    pair: str
    kind: str = "ordinary"
    batch: int = 5
    n_in: int = 4
    n_out: int = 3
    seed: int = 0
    dtype: str = "float64"

    def case(self, nudge: int = 0) -> FuzzCase:
        sizes = self.batch, self.n_in, self.n_out, self.seed
        return FuzzCase(*sizes, DTYPES[self.dtype], kind=self.kind, nudge=nudge)

    def command(self) -> str:
        """What repeats it."""
        return "python -m tests.torture.fuzz_pairs --again " + shlex.join(map(str, astuple(self)))


@dataclass
class Outcome:
    """`verdict`: agrees, refused, undecided, known or defect. `notes` say which result, and what is wrong.

    `infinite` counts results with infinities or nan: alike on both sides, "better" (only PyTorch's), "worse"
    (only ours) or "other".
    """

    trial: Trial
    verdict: str = "agrees"
    notes: list[str] = field(default_factory=list)
    infinite: Counter[str] = field(default_factory=Counter)
    asked: bool = True


def check(trial: Trial, pair: Pair) -> Outcome:
    """Run both sides of `pair` and judge every named result."""
    outcome, case = Outcome(trial), trial.case()
    try:
        theirs = run_torch(pair, case)
        outcome.asked = bool(case.asked)
    except Exception as error:
        return replace(outcome, verdict="refused", notes=[f"{type(error).__name__}: {error}"])
    try:
        with case.defaults(), torch.inference_mode():
            ours = pair.scratch(case)
        for name in theirs | ours:
            judge(outcome, pair, name, ours.get(name), theirs.get(name))
    except Exception as error:
        outcome.verdict = "defect"
        outcome.notes.append(f"only ours raises {type(error).__name__}: {error}")
    finite = all(value.isfinite().all() for value in theirs.values())
    if outcome.verdict == "defect" and all(is_known(trial, note, finite) for note in outcome.notes):
        outcome.verdict = "known"
    return outcome


def is_known(trial: Trial, note: str, finite: bool) -> bool:
    return any(known.fits(trial, note, finite) for known in KNOWN)


def run_torch(pair: Pair, case: FuzzCase) -> Results:
    with case.defaults():
        return {name: result.detach() for name, result in pair.torch(case).items()}


def judge(outcome: Outcome, pair: Pair, name: str, ours: Tensor | None, theirs: Tensor | None) -> None:
    """Compare one named result, and write into `outcome` what is wrong with it."""
    problem, trial = "", outcome.trial
    if ours is None or theirs is None:
        problem = f"missing on the {'scratch' if ours is None else 'torch'} side"
    elif (ours.shape, ours.dtype) != (theirs.shape, theirs.dtype):
        is_, should_be = ((tuple(side.shape), side.dtype) for side in (ours, theirs))
        problem = f"{is_} instead of {should_be}"
    else:
        ours, theirs = ours.detach().double(), theirs.double()
        finite = ours.isfinite() & theirs.isfinite()
        if not finite.all():
            relation = infinities(ours, theirs)
            outcome.infinite[relation] += 1
            if relation != "alike":
                problem = f"{relation} than torch where not finite" + first(ours, theirs, ~finite)
        gap = torch.where(finite, (ours - theirs).abs(), 0)
        size = torch.where(finite, theirs.abs(), 0)
        ordinary, (rtol, atol) = KINDS[trial.kind].ordinary, TOLERANCE[DTYPES[trial.dtype]]
        beyond = gap > rtol * size + (atol if ordinary else 0)
        if beyond.any() and not (ordinary and trial.dtype == "float64"):
            moved = 1000 * rounding(pair, trial, name, theirs)
            beyond = gap > rtol * size + moved
            if moved > 0.01 * size.max() and outcome.verdict == "agrees":
                outcome.verdict = "undecided"
        if beyond.any():
            problem = problem or f"off by {gap.max().item():.1e}" + first(ours, theirs, beyond)
    if problem:
        outcome.verdict = "defect"
        outcome.notes.append(f"{name}: {problem}")


def infinities(ours: Tensor, theirs: Tensor) -> str:
    """Where one side is infinite or nan: is ours alike, worse, better, or other?"""
    if torch.equal(*(side.where(~side.isfinite(), 0).nan_to_num(1) for side in (ours, theirs))):
        return "alike"
    if (~ours.isfinite() & theirs.isfinite()).any():
        return "worse"
    return "better" if (ours.isfinite() & ~theirs.isfinite()).any() else "other"


def first(ours: Tensor, theirs: Tensor, where: Tensor) -> str:
    """The first place at which the two sides part."""
    return f"; ours {ours[where][0].item():.6g}, torch {theirs[where][0].item():.6g}"


def smallest(outcome: Outcome, pair: Pair) -> Outcome:
    """The same defect with each size as small as it can be."""
    for name in ("batch", "n_in", "n_out"):
        for size in range(1, getattr(outcome.trial, name)):
            change: dict[str, Any] = {name: size}
            smaller = check(replace(outcome.trial, **change), pair)
            if smaller.verdict == "defect":
                outcome = smaller
                break
    return outcome


# ---------------------------------------------------------------- the campaign

Pairs = dict[tuple[int, str], Pair]


def all_pairs(drawn: bool = True) -> Pairs:
    """The pairs by lesson and name: those to draw from, or the others."""
    found = ((lesson.number, pair) for lesson in lessons() for pair in lesson.pairs())
    return {(number, pair.name): pair for number, pair in found if pair.drawn is drawn}


def explore(pairs: Pairs, cases: int, seed: int, kinds: Sequence[str] = tuple(KINDS)) -> list[Outcome]:
    """`cases` trials of these pairs on these kinds of input; the same seed draws the same ones.

    Hypothesis draws sizes, seed and dtype. Pairs and kinds take turns: drawn, some would not come up.
    """
    keys = list(pairs)
    size = st.integers(1, 12)
    outcomes: list[Outcome] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(st.tuples(size, size, size, st.integers(0, 2**31)), st.sampled_from(list(DTYPES)))
    def draw(numbers: tuple[int, int, int, int], dtype: str) -> None:
        turn, place = divmod(len(outcomes), len(keys))
        trial = Trial(*keys[place], kinds[(place + turn) % len(kinds)], *numbers, dtype)
        outcomes.append(check(trial, pairs[keys[place]]))

    draw()
    return outcomes


def visit(pairs: Pairs) -> Iterable[Outcome]:
    """Each pair once; those that ask the case for tensors once more per kind and dtype."""
    for key, pair in pairs.items():
        outcome = check(Trial(*key), pair)
        yield outcome
        if outcome.asked:
            yield from (check(Trial(*key, kind, dtype=dtype), pair) for kind in KINDS for dtype in DTYPES)


@dataclass
class Figures:
    """What a campaign found. `sizes` counts the trials with a batch, n_in or n_out of one."""

    tried: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    dtypes: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    infinite: Counter[str] = field(default_factory=Counter)
    pairs: Counter[tuple[int, str]] = field(default_factory=Counter)
    undecided: Counter[tuple[int, str]] = field(default_factory=Counter)
    defects: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        trial = outcome.trial
        key = trial.lesson, trial.pair
        self.tried += 1
        self.verdicts[outcome.verdict] += 1
        self.kinds[trial.kind] += 1
        self.dtypes[trial.dtype] += 1
        self.sizes.update(name for name in ("batch", "n_in", "n_out") if getattr(trial, name) == 1)
        self.infinite.update(outcome.infinite)
        self.pairs[key] += 1
        self.undecided.update([key] if outcome.verdict == "undecided" else [])
        self.defects += [outcome] if outcome.verdict == "defect" else []


def main(cases: int, seed: int = 0, undrawn: bool = True) -> Figures:
    """`cases` trials or a few more, as many for each drawn pair; then `undrawn` ones."""
    figures, pairs = Figures(), all_pairs()
    for chunk, (key, pair) in enumerate(pairs.items()):
        for outcome in explore({key: pair}, -(-cases // len(pairs)), seed + chunk):
            figures.add(outcome)
    for outcome in visit(all_pairs(drawn=False)) if undrawn else ():
        figures.add(outcome)
    return figures


def show(figures: Figures) -> None:
    for name in (f.name for f in fields(Figures) if f.name not in ("pairs", "defects")):
        value = getattr(figures, name)
        print(f"{name}: {dict(value.most_common()) if isinstance(value, Counter) else value}")
    print(f"pairs: {len(figures.pairs)}, each at least {min(figures.pairs.values())} times")
    pairs, shown = all_pairs() | all_pairs(drawn=False), set()
    for outcome in figures.defects:
        where = outcome.trial.lesson, outcome.trial.pair, outcome.trial.kind, outcome.trial.dtype
        if where not in shown:
            shown.add(where)
            outcome = smallest(outcome, pairs[where[:2]])
            print(f"DEFECT {outcome.notes[0]}\n  {outcome.trial.command()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fuzz every pair of every lesson.")
    parser.add_argument("--cases", type=int, default=10_000, help="how many draws")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other trials")
    parser.add_argument("--drawn-only", action="store_true", help="leave out trainings and optimisers")
    parser.add_argument("--again", nargs=8, metavar="X", help=" ".join(f.name for f in fields(Trial)))
    options = parser.parse_args()
    if options.again:
        number, name, kind, batch, n_in, n_out, seed, dtype = options.again
        again = Trial(int(number), name, kind, int(batch), int(n_in), int(n_out), int(seed), dtype)
        print(check(again, (all_pairs() | all_pairs(drawn=False))[again.lesson, again.pair]))
    else:
        show(main(options.cases, options.seed, not options.drawn_only))
