"""An answer under watch: each call of it, with every tensor in reach before and after, and whom it calls.

`Watch.wrap` makes an answer that does the same and leaves a record. It is compared with that of the solution
(`diagnosis`).
"""

import contextlib
import functools
import inspect
import io
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

from curriculum.grader.places import Place, copies, equal, tensors_in
from curriculum.grader.trials import run_side
from curriculum.pair import Case

CALLS_KEPT = 5  # of one object: what goes wrong goes wrong early
HELPERS = ("forward", "backward", "step")  # the calls of arguments that are noted

# Larger than those of the trials: coefficients are found from the entries.
CASES = (Case(batch=6, n_in=7, n_out=5, seed=11), Case(batch=3, n_in=4, n_out=6, seed=12))


@dataclass(frozen=True)
class Inner:
    """One call, from inside the answer, of something it was given: `model.forward` with 4 examples."""

    who: str
    what: str
    examples: int


@dataclass
class Call:
    """One call of the answer.

    Attributes:
        what: the method; empty for a function.
        number: 1 for the object's first call of that method.
        before, after: copies of what lay in each place.
        held, left: the tensors themselves.
        lent: the numbers of those that the caller owns.
        numbers: the numbers among the arguments and those of the constructor, by name.
        result: what it returned, copied; None where it raised.
    """

    what: str
    number: int
    before: dict[Place, Tensor]
    held: dict[Place, Tensor]
    lent: frozenset[int]
    numbers: dict[str, float]
    after: dict[Place, Tensor] = field(default_factory=dict)
    left: dict[Place, Tensor] = field(default_factory=dict)
    result: Any = None
    inner: list[Inner] = field(default_factory=list)
    returned: bool = False

    def changed(self, place: Place) -> bool:
        """Whether there are other numbers. What was moved and moved back may be off by a rounding."""
        if place not in self.before or place not in self.after:
            return False
        return not equal(self.before[place], self.after[place])

    def replaced(self, place: Place) -> bool:
        return place in self.held and place in self.left and self.left[place] is not self.held[place]


@dataclass(frozen=True)
class Run:
    """One pair on one case: all calls of the answer in it."""

    pair: str
    case: Case
    calls: list[Call]
    error: Exception | None = None


class Watch:
    """Collects the calls of what it has wrapped."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.depth = 0

    def wrap(self, answer: Any) -> Any:
        """The same answer, watched; one of another kind than a function or a class as it is."""
        if isinstance(answer, FunctionType):
            return self._function(answer)
        if isinstance(answer, type) and not issubclass(answer, torch.autograd.Function):
            return self._class(answer)
        return answer

    def _function(self, answer: FunctionType) -> Callable[..., Any]:
        @functools.wraps(answer)
        def watched(*args: Any, **options: Any) -> Any:
            given = _given(answer, args, options)
            call = functools.partial(answer, *args, **options)
            return self._note("", 1, given, given, {}, call)

        return watched

    def _class(self, answer: type) -> type:
        watch = self
        base: Any = answer

        class Watched(base):
            def __init__(self, *args: Any, **options: Any) -> None:
                given = _given(base.__init__, (self, *args), options)
                given.pop("self", None)
                self.__dict__["_watched"] = Maker(given)
                super().__init__(*args, **options)

            def __getattribute__(self, name: str) -> Any:
                value = super().__getattribute__(name)
                is_method = name[0] != "_" and inspect.ismethod(value) and "_watched" in vars(self)
                return watch._method(self, value) if is_method else value

        Watched.__name__ = answer.__name__
        Watched.__qualname__ = answer.__qualname__
        return Watched

    def _method(self, owner: Any, method: Callable[..., Any]) -> Callable[..., Any]:
        if self.depth:
            return method

        @functools.wraps(method)
        def watched(*args: Any, **options: Any) -> Any:
            maker: Maker = vars(owner)["_watched"]
            call = functools.partial(method, *args, **options)
            number = next(maker.counts.setdefault(method.__name__, itertools.count(1)))
            if self.depth or number > CALLS_KEPT:
                return self._unwatched(call)
            given = _given(method, args, options)
            made_of = _settings(owner) | maker.given
            return self._note(method.__name__, number, given | {"self": owner}, given, made_of, call)

        return watched

    def _unwatched(self, call: Callable[[], Any]) -> Any:
        """What the object calls of itself is not noted either."""
        self.depth += 1
        try:
            return call()
        finally:
            self.depth -= 1

    def _note(
        self,
        what: str,
        number: int,
        reach: dict[str, Any],
        given: dict[str, Any],
        made_of: dict[str, Any],
        call: Callable[[], Any],
    ) -> Any:
        held = tensors_in(reach)
        lent = frozenset(id(tensor) for tensor in (tensors_in(given) | tensors_in(made_of)).values())
        noted = Call(what, number, copies(held), held, lent, _numbers(made_of) | _numbers(given))
        self.calls.append(noted)
        self.depth += 1
        try:
            with _overheard(given, noted.inner):
                result = call()
            noted.returned = True
            noted.result = _copied(result)
            return result
        finally:
            self.depth -= 1
            noted.left = tensors_in(reach)
            noted.after = copies(noted.left)


class Maker:
    """What an object was made with, and how often each of its methods was called."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.counts: dict[str, Iterator[int]] = {}


def record(solution: Any, answer: Any) -> list[Run]:
    """What the answer does in each of the solution's pairs."""
    watch = Watch()
    runs = []
    for pair in solution.pairs(watch.wrap(answer)):
        for case in CASES:
            watch.calls = []
            with contextlib.redirect_stdout(io.StringIO()):  # what the answer prints was read once
                outcome = run_side(pair.run_scratch, case)
            runs.append(Run(pair.name, case, watch.calls, outcome.error))
    return runs


def _given(function: Any, args: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """The arguments by name, with the defaults. Empty where they do not fit: the call will say so."""
    try:
        bound = inspect.signature(function).bind(*args, **options)
    except (TypeError, ValueError):
        return {}
    bound.apply_defaults()
    return dict(bound.arguments)


def _settings(owner: Any) -> dict[str, Any]:
    """The numbers that an object keeps, but for what it counts."""
    return {name: value for name, value in vars(owner).items() if isinstance(value, float | tuple)}


def _numbers(given: dict[str, Any]) -> dict[str, float]:
    found = {}
    for name, value in given.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = float(value)
        if isinstance(value, tuple) and all(isinstance(entry, int | float) for entry in value):
            found |= {f"{name.removesuffix('s')}{i}": float(entry) for i, entry in enumerate(value, start=1)}
    return found


def _copied(result: Any) -> Any:
    return result.detach().clone() if isinstance(result, Tensor) else result


@contextmanager
def _overheard(given: dict[str, Any], inner: list[Inner]) -> Iterator[None]:
    """Note the calls of what the answer was given, while it runs."""
    tapped = []
    for name, thing in given.items():
        if isinstance(thing, Tensor | type) or not hasattr(thing, "__dict__"):
            continue
        for what in HELPERS:
            method = getattr(thing, what, None)
            if inspect.ismethod(method) and what not in vars(thing):
                vars(thing)[what] = _noting(method, Inner(name, what, 0), inner)
                tapped.append((thing, what))
    try:
        yield
    finally:
        for thing, what in tapped:
            vars(thing).pop(what, None)


def _noting(method: Any, blank: Inner, inner: list[Inner]) -> Callable[..., Any]:
    @functools.wraps(method)
    def noted(*args: Any, **options: Any) -> Any:
        first = next(iter(args), None)
        examples = len(first) if isinstance(first, Tensor) and first.dim() else 0
        inner.append(Inner(blank.who, blank.what, examples))
        return method(*args, **options)

    return noted
