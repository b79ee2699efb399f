"""Tensors at hand in one call of an optimiser, and what can be made from them: the terms of a law."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from curriculum.grader.factors import COUNTS, Moment
from curriculum.grader.places import Place
from curriculum.grader.watch import Call


@dataclass(frozen=True)
class Term:
    """A tensor in words. `above` / `below`: of a fraction, whose `form` is √s + eps or the like."""

    text: str
    above: str = ""
    below: str = ""
    form: str = ""
    correction: str = ""  # the number whose power corrects what is below
    count: str = ""  # and how that power counts


@dataclass(frozen=True)
class Observation:
    """One entry of what a call changes: `weight` of `params` in step 3, say."""

    call: Call
    place: Place
    moment: Moment

    @property
    def after(self) -> Tensor:
        return self.call.after[self.place].double()

    @property
    def before(self) -> Tensor | None:
        value = self.call.before.get(self.place)
        return None if value is None else value.double()


def observations(calls: list[Call], name: str) -> list[Observation]:
    """What those calls made of the places of that name."""
    found = []
    for call in calls:
        places = [
            place for place in call.after if place.name == name and _is_number_tensor(call.after[place])
        ]
        for i, place in enumerate(places):
            found.append(Observation(call, place, _moment(call, i, len(places))))
    return found


def plain(seen: Observation) -> dict[Term, Tensor]:
    """What may be added up: the old values, the gradient and its square, what else has the shape."""
    found = _tensors(seen)
    gradient = found.get(Term("grad"))
    if gradient is not None:
        found[Term("grad²")] = gradient**2
        found[Term("|grad|")] = gradient.abs()
        found[Term("mean(grad²)")] = (gradient**2).mean().expand_as(gradient)
    return found | _products(seen)


def fractions(seen: Observation) -> Iterator[tuple[Term, Tensor]]:
    """What an adaptive step moves along: something over the root of something."""
    above, below = _ends(seen)
    corrections = list(_corrections(seen.moment))
    for under in below:
        for over in above:
            if over != under:
                for correction, count in corrections:
                    for form in FORMS if correction else FORMS[:-1]:
                        term = _fraction(over, under, form, correction, count)
                        value = _value(seen, term, above, below)
                        if value is not None:
                            yield term, value


def fraction(seen: Observation, term: Term) -> Tensor | None:
    """The same term in another observation; None where there is no such thing."""
    return _value(seen, term, *_ends(seen))


BESIDE = "√s / c + ε"  # corrected outside of the root
FORMS = ("√s + ε", "√(s + ε)", "s + ε", "√s", "s", BESIDE)


def _fraction(over: str, under: str, form: str, correction: str, count: str) -> Term:
    by = f" / (1 − {correction}^{count})" if correction else ""
    if form == BESIDE:
        shown = f"√{under}{by} + ε"
    elif "√s" in form:
        shown = form.replace("√s", f"√({under}{by})" if by else f"√{under}")
    else:
        shown = form.replace("s", f"{under}{by}")
    divisor = shown if form == "√s" else f"({shown})"
    return Term(f"{over} / {divisor}", over, under, form, correction, count)


Named = dict[str, Tensor]


def _ends(seen: Observation) -> tuple[Named, Named]:
    """What may stand above, and below the line."""
    tensors = {term.text: value for term, value in _tensors(seen).items() if term.text != "param"}
    below = {text: value for text, value in tensors.items() if text != "grad"}
    if "grad" in tensors:
        below["grad²"] = tensors["grad"] ** 2
    return tensors, {text: value for text, value in below.items() if bool((value >= 0).all())}


def _value(seen: Observation, term: Term, above: Named, below: Named) -> Tensor | None:
    numbers = dict(seen.moment.numbers)
    if term.above not in above or term.below not in below:
        return None
    eps = numbers.get("eps", 0.0)
    value = below[term.below]
    left = 1.0
    if term.correction:
        left = 1 - numbers[term.correction] ** seen.moment.counted(term.count)
        if left <= 0:
            return None
    if term.form != BESIDE:
        value = value / left
    if "ε" in term.form and not eps:
        return None
    divisor = _divisor(term.form, value, eps, left)
    # Where nothing has come in yet, 0 / 0 moves nothing.
    return torch.where((divisor == 0) & (above[term.above] == 0), 0.0, above[term.above] / divisor)


def _divisor(form: str, s: Tensor, eps: float, left: float) -> Tensor:
    """What a fraction of that form divides by; `left` is what the start correction leaves."""
    if form == BESIDE:
        return s.sqrt() / left + eps
    if form == "√(s + ε)":
        return (s + eps).sqrt()
    root = s.sqrt() if "√" in form else s
    return root + eps if "ε" in form else root


def _corrections(moment: Moment) -> Iterator[tuple[str, str]]:
    yield "", ""
    for name, number in moment.numbers:
        if 0 < number < 1 and name.startswith("beta"):
            yield from ((name, count) for count in COUNTS if count != "1")


def _tensors(seen: Observation) -> dict[Term, Tensor]:
    """Of the same key and shape: old values, and new ones of what the call has changed before."""
    found: dict[Term, Tensor] = {}
    shape = seen.after.shape
    for place, value in seen.call.before.items():
        if place.key != seen.place.key or value.shape != shape or not _is_number_tensor(value):
            continue
        text = _called(place)
        new = seen.call.after.get(place)
        if place == seen.place or new is None or text in ("grad", "param"):
            found[Term(text)] = value.double()
            continue
        found[Term(text)] = new.double()
        if not torch.equal(new, value):
            found[Term(f"old {text}")] = value.double()
    for place, value in seen.call.after.items():  # what the call has made
        fits = place.key == seen.place.key and value.shape == shape and place != seen.place
        if fits and place not in seen.call.before and _is_number_tensor(value):
            found[Term(_called(place))] = value.double()
    return found


def _products(seen: Observation) -> dict[Term, Tensor]:
    """aᵀ b of two arguments with a row per example, where it has the shape."""
    given = {
        place: value for place, value in seen.call.before.items() if not place.owner and value.dim() == 2
    }
    found = {}
    for one, a in given.items():
        for other, b in given.items():
            if one != other and len(a) == len(b) and (a.shape[1], b.shape[1]) == seen.after.shape:
                found[Term(f"{one}ᵀ {other}")] = (a.T @ b).double()
    return found


def _moment(call: Call, i: int, many: int) -> Moment:
    gradients = [value.double() for place, value in call.before.items() if place.name == "grads"]
    rows = [len(value) for place, value in call.before.items() if not place.key and value.dim() == 2]
    own = [gradients[i]] if len(gradients) == many else []
    norms = _norms(gradients, own) if gradients else {}
    numbers = tuple(call.numbers.items())
    return Moment(call.number, i, many, numbers, tuple(norms.items()), rows[0] if rows else 0)


def _norms(gradients: list[Tensor], own: list[Tensor]) -> dict[str, float]:
    """The norm of all gradients together, and what is taken for it."""
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    found = {
        "norm": flat.norm(),
        "sum of the norms": sum(gradient.norm() for gradient in gradients),
        "norm²": flat.square().sum(),
        "sum of all |g|": flat.abs().sum(),
        "largest |g|": flat.abs().max(),
        "root of the mean of all g²": flat.square().mean().sqrt(),
        "root of the sum of the means of g²": sum(g.square().mean() for g in gradients) ** 0.5,
    }
    if own:
        found["norm of each tensor"] = own[0].norm()
    return {name: float(value) for name, value in found.items()}


def _called(place: Place) -> str:
    return {"params": "param", "grads": "grad"}.get(place.name, place.name)


def _is_number_tensor(value: Tensor) -> bool:
    return value.is_floating_point() and value.numel() > 0
