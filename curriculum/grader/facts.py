"""Facts about an answer, seen under watch: what it changed, replaced or left alone, and what it called.

Each is found by laying a call of the answer beside the same call of the solution. A fact that `breaks` what
the exercise asks for fails an answer even where its numbers are right.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from curriculum.grader.places import Place, equal
from curriculum.grader.watch import Call, Inner, Run


@dataclass(frozen=True)
class Fact:
    """`words`: what is wrong; `look`: what to look at; `where`: the call in which it was first seen.

    `is_cause`: wrong numbers come from it, whatever else they look like.
    """

    words: str
    look: str = ""
    where: str = ""
    breaks: bool = False
    is_cause: bool = False


@dataclass(frozen=True)
class Both:
    """One call of the answer beside the solution's."""

    mine: Call
    ours: Call
    text: str  # what the exercise says of the function or class
    moved: frozenset[Place] = frozenset()  # what the solution changes in one call or another

    @property
    def where(self) -> str:
        if not self.mine.what:
            return ""
        turn = {1: "first", 2: "second", 3: "third"}.get(self.mine.number, f"{self.mine.number}th")
        return f"in the {turn} call of {self.mine.what}"


def facts(mine: list[Run], ours: list[Run], text: str) -> list[Fact]:
    """What is wrong by watching, the most telling first. `text`: the docstrings of what is asked for."""
    moved = frozenset(place for run in ours for call in run.calls for place in _changed(call))
    calls = [
        Both(one, other, text, moved)
        for run, reference in zip(mine, ours, strict=False)
        for one, other in zip(run.calls, reference.calls, strict=False)
        if one.what == other.what
    ]
    found = []
    for look in LOOKS:
        fact = next((fact for both in calls for fact in look(both)), None)
        if fact:
            found.append(fact)
    return found


# ---------------------------------------------------------------- what it changed


def changed_what_is_lent(both: Both) -> Iterator[Fact]:
    for place in _changed(both.mine):
        if not _reads_only(both, place) or not _is_lent(both.mine, place):
            continue
        if place in both.moved:
            yield Fact(f"it changes {place} where that has to stay as it was", "", both.where, breaks=True)
        else:
            yield Fact(
                f"it changes {place}, which it should only read",
                f"work on a copy, or write the result to a new tensor ({_hint(place)})",
                both.where,
                breaks=True,
            )


def changed_a_parameter(both: Both) -> Iterator[Fact]:
    """Where the exercise does not: forward and backward only read them."""
    for place in _changed(both.mine):
        if place.name == "params" and _reads_only(both, place) and not _is_lent(both.mine, place):
            yield Fact(
                f"{both.mine.what or 'it'} changes {place}, which it should only read",
                "an optimiser changes parameters, later",
                both.where,
                breaks=True,
            )


def replaced(both: Both) -> Iterator[Fact]:
    for place in both.mine.before:
        in_place = both.ours.changed(place) and not both.ours.replaced(place)
        if in_place and _is_lent(both.mine, place) and both.mine.replaced(place):
            yield Fact(
                f"it puts a new tensor in the place of {place}; it has to be changed in place",
                "whoever else holds the tensor, as the model does, still sees the old numbers: "
                "use −=, .sub_ or .copy_",
                both.where,
                breaks=True,
            )


def never_changed(both: Both) -> Iterator[Fact]:
    wanted = [place for place in _changed(both.ours) if place in both.mine.before]
    wanted = [place for place in wanted if _is_lent(both.ours, place)]
    left = [place for place in wanted if not both.mine.changed(place) and not both.mine.replaced(place)]
    if not both.mine.returned or not left or not _begin_alike(both):
        return
    names = ", ".join(map(str, left))
    if len(left) < len(wanted):
        yield Fact(f"{names} did not change", "each of them has to move", both.where)
        return
    alike = "which are no longer" if len(left) > 1 else "which is no longer"
    yield Fact(
        f"{names} did not change" if len(left) == 1 else f"the parameters did not change: {names}",
        f"`param = param − …` makes a new tensor and gives it the name, {alike} the old; "
        "−= changes the tensor itself",
        both.where,
    )


def same_tensor(both: Both) -> Iterator[Fact]:
    """A tensor of its own that is the caller's: whoever changes one changes both."""
    for place, tensor in both.mine.left.items():
        other = both.ours.left.get(place)
        is_own = place.owner == "self" and place.name != "params"
        if not is_own or other is None or place in both.mine.before:
            continue
        shared = [name for name, lent in both.mine.left.items() if lent is tensor and name != place]
        shared_too = [name for name, lent in both.ours.left.items() if lent is other and name != place]
        if shared and not shared_too:
            yield Fact(
                f"{place} is the same tensor as {shared[0]}, no copy of it",
                "what changes one changes the other: take .clone()",
                both.where,
                is_cause=True,
            )


# ---------------------------------------------------------------- whom it called


def too_many_at_once(both: Both) -> Iterator[Fact]:
    """Where the exercise says: at most `size`."""
    for name in re.findall(r"at most `(\w+)`", both.text):
        limit = both.mine.numbers.get(name)
        pieces = _pieces(both.mine)
        if limit and max(pieces, default=0) > limit:
            yield Fact(
                f"it sends {max(pieces)} examples through the model at once; at most {name} = {limit:g} may",
                f"x.split({name}) gives pieces of {name}; chunk({name}) gives that many pieces",
                breaks=True,
            )


def optimiser_bypassed(both: Both) -> Iterator[Fact]:
    mine, ours = _count(both.mine, "step"), _count(both.ours, "step")
    if ours and not mine and both.mine.returned:
        moved = any(place.name == "params" for place in _changed(both.mine))
        words = "it moves the parameters past the optimiser" if moved else "it takes no step"
        yield Fact(words, "optimizer.step(…) moves them, by whatever rule it has", breaks=True)
    if mine > ours and ours:
        wanted = "one is wanted" if ours == 1 else f"{ours} are wanted"
        each_piece = mine == len(_pieces(both.mine)) > 1
        yield Fact(
            f"it takes {mine} steps, {'one after each piece' if each_piece else wanted}",
            "add the gradients up first, and take one step at the end",
            breaks=True,
        )


def uncalled_for(both: Both) -> Iterator[Fact]:
    """Backward or a step where nothing should learn."""
    for what in ("backward", "step"):
        who = next((inner.who for inner in both.mine.inner if inner.what == what), "")
        if who and both.ours.inner and not _count(both.ours, what) and not _count(both.ours, "step"):
            yield Fact(
                f"it calls {who}.{what}, although nothing should learn here", "forward is enough", breaks=True
            )


def examples_left_out(both: Both) -> Iterator[Fact]:
    mine, ours = _pieces(both.mine), _pieces(both.ours)
    if not mine or not ours or sum(mine) == sum(ours) or not both.mine.returned:
        return
    fewer = sum(mine) < sum(ours)
    words = f"{sum(mine)} of {sum(ours)} examples go through the model"
    if fewer and mine == ours[: len(mine)]:
        words += ": the last piece is left out"
    elif fewer and mine == ours[-len(mine) :]:
        words += ": the first piece is left out"
    yield Fact(words, f"your pieces have {_listed(mine)} examples; {_listed(ours)} are wanted", is_cause=True)


def not_finite(both: Both) -> Iterator[Fact]:
    """The first place where a number is lost."""
    for place, value in both.ours.after.items():
        mine = both.mine.after.get(place)
        if mine is None or not _begin_alike(both) or not bool(value.isfinite().all()):
            continue
        if not bool(mine.isfinite().all()):
            yield Fact(
                f"{place} is no longer finite",
                "is something divided by 0? 1 − β^t is 0 as long as t is: count the step first",
                both.where,
            )


def all_forwards_first(both: Both) -> Iterator[Fact]:
    if _longest_run(both.mine.inner) > 1 and _longest_run(both.ours.inner) == 1:
        yield Fact(
            "all forwards come first, then all backwards: a layer remembers only its latest input",
            "go back right after each forward",
            is_cause=True,
        )


# ---------------------------------------------------------------- what it returned


def result_of_another_kind(both: Both) -> Iterator[Fact]:
    mine, ours = both.mine.result, both.ours.result
    if not both.mine.returned:
        return
    name = both.mine.what or "it"
    if mine is None and ours is not None:
        yield Fact(f"{name} returns nothing", "is a return missing?", both.where)
    elif isinstance(mine, Tensor) and isinstance(ours, Tensor):
        if mine.shape != ours.shape:
            shapes = f"{tuple(mine.shape)}; {tuple(ours.shape)} is wanted"
            yield Fact(f"{name} returns a tensor of the shape {shapes}", _about_shapes(mine, ours))
    elif type(mine).__name__ != type(ours).__name__ and not _is_number(mine, ours):
        kinds = f"{type(mine).__name__}; {type(ours).__name__} is wanted"
        yield Fact(f"{name} returns a {kinds}", "", both.where)


LOOKS: tuple[Callable[[Both], Iterator[Fact]], ...] = (
    same_tensor,
    changed_what_is_lent,
    changed_a_parameter,
    replaced,
    too_many_at_once,
    optimiser_bypassed,
    uncalled_for,
    examples_left_out,
    all_forwards_first,
    result_of_another_kind,
    never_changed,
    not_finite,
)


def _changed(call: Call) -> list[Place]:
    """What is another one after the call. A tensor that lies in two places counts in the first."""
    first = {id(tensor): place for place, tensor in reversed(call.held.items())}
    return [place for place in call.before if call.changed(place) and first[id(call.held[place])] == place]


def _reads_only(both: Both, place: Place) -> bool:
    """Whether the solution leaves it. What nobody has set yet differs by chance, and says nothing."""
    known = both.ours.before.get(place)
    return known is not None and equal(known, both.mine.before[place]) and not both.ours.changed(place)


def _begin_alike(both: Both) -> bool:
    """Whether nothing has gone wrong before."""
    return all(
        place in both.mine.before and equal(both.mine.before[place], value)
        for place, value in both.ours.before.items()
    )


def _is_lent(call: Call, place: Place) -> bool:
    return id(call.held[place]) in call.lent


def _count(call: Call, what: str) -> int:
    return sum(inner.what == what for inner in call.inner)


def _pieces(call: Call) -> list[int]:
    """How many examples each forward had, of the first that the answer was given."""
    forwards = [inner for inner in call.inner if inner.what == "forward"]
    return [inner.examples for inner in forwards if inner.who == forwards[0].who]


def _longest_run(inner: list[Inner]) -> int:
    """How many forwards of one thing come in a row, of those that are followed by a backward."""
    longest = 0
    for who in {one.who for one in inner}:
        whats = "".join(one.what[0] for one in inner if one.who == who)
        if "b" in whats:
            longest = max(longest, *map(len, re.findall("f+", whats)), 0)
    return longest


def _listed(sizes: list[int]) -> str:
    return ", ".join(map(str, sizes))


def _hint(place: Place) -> str:
    name = place.key or place.name
    return f"{name} = {name}.clone()" if name.isidentifier() else "take .clone()"


def _about_shapes(mine: Tensor, ours: Tensor) -> str:
    if mine.numel() == ours.numel():
        return "the numbers are as many: keep the dimension (keepdim=True), or add one with [:, None]"
    if mine.dim() == ours.dim():
        return "is it summed over the right axis?"
    return "is something to be summed over, or is an axis missing?"


def _is_number(mine: Any, ours: Any) -> bool:
    """A float for a tensor with one number, or the other way round."""
    kinds = (int, float, Tensor)
    return isinstance(mine, kinds) and isinstance(ours, kinds)
