"""The law of an update: what a call makes of a tensor, as a combination of what is at hand.

`param ← param − lr · grad / (√square + ε)` is found by least squares from the numbers of many calls, for the
answer and for the solution alike. What differs between the two laws is what is wrong.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from curriculum.grader import factors, terms
from curriculum.grader.factors import COUNTS, Factor, Product
from curriculum.grader.terms import Observation, Term
from curriculum.grader.watch import Run

FAR = 1e6  # between two terms
EXACT = 1e-9  # of the largest number: a law holds to the last digits or not at all


@dataclass(frozen=True)
class Law:
    """`target` becomes the sum of these terms, each times its product."""

    target: str
    parts: tuple[tuple[Term, Product], ...]

    @property
    def text(self) -> str:
        said = ""
        for term, product in self.parts:
            sign = "−" if product.sign < 0 else "+"
            times = f"{product.text} · {term.text}" if product.text else term.text
            said += f" {sign} {times}" if said else f"{'−' if sign == '−' else ''}{times}"
        return f"{self.target} ← {said or '0'}"


def difference(mine: list[Run], ours: list[Run]) -> tuple[str, str] | None:
    """What is wrong with an update, and both laws; None where no law is found, or none differs."""
    for name, first in _targets(ours):
        right = _law(ours, name, first)
        own = _law(mine, name, first) if right else None
        if right is None:
            continue
        if own is None:
            return None  # what comes later may be wrong because of it
        if own.text != right.text:
            words = _in_words(own, right)
            when = " in the first step" if first else ""
            return words, f"yours{when}: {own.text}; wanted: {right.text}"
    return None


def _targets(runs: list[Run]) -> list[tuple[str, bool]]:
    """What the solution changes or makes: state before parameters. True: made in the first call."""
    found: Counter[tuple[str, bool]] = Counter()
    for run in runs:
        for call in run.calls:
            for place in call.after:
                new = place not in call.before
                if (new and place.owner == "self" and call.number == 1) or (not new and call.changed(place)):
                    found[place.name, new] += 1
    names = sorted(found, key=lambda target: (target[0] == "params", not target[1], target[0]))
    made = {name for name, new in names if new}
    return [(name, new) for name, new in names if new or name not in made] + [
        (name, False) for name in made if (name, False) in names
    ]


def _law(runs: list[Run], name: str, first: bool) -> Law | None:
    """The plainest law that holds in all calls of all runs; `first`: in the calls that make the tensor."""
    seen = [one for run in runs for one in terms.observations(run.calls, name)]
    seen = [one for one in seen if (one.before is None) == first and bool(one.after.isfinite().all())]
    if len(seen) < 2:
        return None
    target = {"params": "param"}.get(name, name)
    table = factors.table([one.moment for one in seen], "shrinking" if target == "param" else "number")
    for basis in _bases(seen, target):
        parts = _fit(seen, basis, table)
        if parts is not None:
            return Law(target, parts)
    return None


Basis = list[dict[Term, Tensor]]  # for each observation


def _bases(seen: list[Observation], target: str) -> Iterator[Basis]:
    """Sums of what lies at hand; then the old value and one fraction."""
    plain = [terms.plain(one) for one in seen]
    common = [term for term in plain[0] if all(term in one for one in plain)]
    common.sort(key=lambda term: term.text != target)  # as one writes it, the old value first
    small = [term for term in common if term.text in (target, "grad", "param") or "ᵀ" in term.text]
    squares = [term for term in common if term.text in (target, "grad²")]
    for chosen in (small, squares, *_one_more(common, target), common):
        yield [{term: one[term] for term in chosen} for one in plain]
    if target != "param":
        return
    largest = max(range(len(seen)), key=lambda i: (seen[i].after.numel(), seen[i].moment.step))
    old = Term("param")
    for term, value in terms.fractions(seen[largest]):
        if _holds(seen[largest].after, [plain[largest][old], value]):
            rest = [terms.fraction(one, term) for one in seen]
            if all(one is not None for one in rest):
                yield [{old: plain[i][old], term: one} for i, one in enumerate(rest) if one is not None]


def _one_more(common: list[Term], target: str) -> Iterator[list[Term]]:
    old = [term for term in common if term.text == target]
    yield from ([*old, term] for term in common if term not in old)


def _holds(after: Tensor, columns: list[Tensor]) -> bool:
    matrix = torch.stack([column.flatten() for column in columns], dim=1)
    if not bool(matrix.isfinite().all()) or len(matrix) <= len(columns):
        return False
    solved = torch.linalg.lstsq(matrix, after.flatten()[:, None], driver="gelsd").solution
    off = (matrix @ solved - after.flatten()[:, None]).abs().max()
    return bool(off <= EXACT * (1 + after.abs().max()))


def _fit(
    seen: list[Observation], basis: Basis, table: dict[Factor, Tensor]
) -> tuple[tuple[Term, Product], ...] | None:
    """The coefficients in every observation, each with its name; None where there is no such law."""
    names = list(basis[0])
    coefficients = torch.full((len(seen), len(names)), torch.nan, dtype=torch.float64)
    for i, (one, columns) in enumerate(zip(seen, basis, strict=True)):
        values = list(columns.values())
        if not values or not _holds(one.after, values):
            return None
        scale = torch.stack([value.abs().max() for value in values])
        used = [j for j in range(len(values)) if scale[j] > 0]  # of a column of zeros nothing is known
        if not used or float(scale[used].max()) > FAR * float(scale[used].min()):
            continue  # the small one drowns
        matrix = torch.stack([values[j].flatten() for j in used], dim=1)
        solved = torch.linalg.lstsq(matrix, one.after.flatten()[:, None], driver="gelsd")
        if int(solved.rank) < len(used):
            continue
        coefficients[i, used] = solved.solution[:, 0]
    parts = []
    for j, term in enumerate(names):
        known = coefficients[:, j].isfinite()
        if not bool(known.any()):
            return None
        size = torch.stack([one[term].abs().max() for one in basis])
        if bool((coefficients[:, j].abs() * size)[known].max() < EXACT):
            continue
        product = factors.name(coefficients[:, j], table, known)
        if product is None:
            return None
        parts.append((term, product))
    return tuple(parts)


# ---------------------------------------------------------------- in words


def _in_words(mine: Law, ours: Law) -> str:
    """The first difference."""
    own, right = dict(mine.parts), dict(ours.parts)
    about = f"in {mine.target}, " if mine.target != "param" else ""
    gone = [term for term in right if term not in own]
    extra = [term for term in own if term not in right]
    if gone and extra:
        return about + _another_term(extra[0], gone[0])
    if gone:
        return f"{about}{gone[0].text} is missing"
    for term in right:
        if own[term] != right[term]:
            said = _another_factor(term, own[term], right[term])
            return about + said
    return (
        f"{about}{extra[0].text} is one too many" if extra else f"the update of {mine.target} is another one"
    )


def _another_term(mine: Term, ours: Term) -> str:
    if not mine.form or not ours.form:
        return f"it takes {mine.text} for {ours.text}"
    if mine.above != ours.above:
        return f"it moves along {mine.above}, not along {ours.above}"
    if mine.below != ours.below:
        late = "; the gradient has to come in first" if mine.below == f"old {ours.below}" else ""
        return f"it divides by the root of {mine.below}, not of {ours.below}{late}"
    if mine.form != ours.form:
        return _another_form(mine.form, ours.form)
    if mine.correction != ours.correction:
        if not mine.correction:
            return f"the start correction of {ours.below} is missing"
        return f"{mine.below} is corrected with {mine.correction}, not with {ours.correction or 'nothing'}"
    return COUNTS[mine.count] or f"it takes {mine.text} for {ours.text}"


def _another_form(mine: str, ours: str) -> str:
    if mine == terms.BESIDE:
        return "the start correction stands beside the root, not inside it"
    if "√" not in mine:
        return "the root is missing"
    if "ε" not in mine:
        return "eps is missing"
    if "ε" in ours:
        return f"eps is {'inside' if mine == '√(s + ε)' else 'outside'} the root"
    return f"it divides by {mine}, not by {ours}"


def _another_factor(term: Term, mine: Product, ours: Product) -> str:
    gone = _without(ours.above, mine.above) + _without(ours.below, mine.below)
    extra = _without(mine.above, ours.above) + _without(mine.below, ours.below)
    if not gone and not extra:
        return f"the sign of {term.text} is the opposite one"
    for one in extra:
        for other in gone:
            if one.kind == other.kind == "clipping":
                return f"it clips by the {one.of}, not by the {other.of}"
            if one.kind == other.kind and one.of == other.of and one.count != other.count:
                return COUNTS[one.count] or f"{one.text} stands for {other.text}"
    after = next((one for one in extra if one.kind == "shrinking"), None)
    if after:
        return f"the decay comes after the step, and shrinks the step too: {after.of}"
    said = [f"{_named(factor)} is missing" for factor in gone]
    said += [f"{_named(factor)} is one too many" for factor in extra]
    if mine.sign != ours.sign:
        said.append("the sign is the opposite one")
    if len(gone) == len(extra) == 1:
        said = [f"{_named(extra[0])} stands in the place of {_named(gone[0])}"]
    return f"{' and '.join(said)} (beside {term.text})"


def _named(factor: Factor) -> str:
    if factor.kind == "correction":
        return f"the start correction {factor.text}"
    if factor.kind == "shrinking":
        return f"the decay {factor.text}"
    if factor.kind == "slowing":
        return f"the decay of the rate {factor.text}"
    return factor.text


def _without(some: tuple[Factor, ...], others: tuple[Factor, ...]) -> list[Factor]:
    left = list(some)
    for other in others:
        if other in left:
            left.remove(other)
    return left
