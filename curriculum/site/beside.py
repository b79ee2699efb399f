"""Scratch beside PyTorch: a page for each lesson, made by running its pairs and watching what runs."""

import inspect
import itertools
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch

from curriculum.discover import FOLDER, Lesson
from curriculum.pair import Case, Difference, Pair, differences
from curriculum.site.extension import DOCUMENTATION

FENCE = "```"
TORCH = Path(torch.__file__).parent
# Where in torch the names that users know lie, and what documentation calls that place.
PLACES = {
    "nn/modules": "torch.nn",
    "nn/functional.py": "torch.nn.functional",
    "nn/init.py": "torch.nn.init",
    "optim": "torch.optim",
}
# On a phone one side is shown at a time; the style sheet does it.
CHOICE = """<fieldset class="choice"><legend>Show</legend>
<label><input type="radio" name="{name}" checked>By hand</label>
<label><input type="radio" name="{name}">PyTorch</label></fieldset>"""
INNER = {"Module", "Optimizer", "LRScheduler", "Sequential"}  # whatever is used, these are, too


def beside(lesson: Lesson) -> tuple[str, dict[str, dict[str, Any]]]:
    """Run the lesson's pairs.

    Returns:
        The page: for each piece its two codes and, below, every result of every pair with its difference.
        And for the reference: the name of each piece → the pairs that run it, and its twin in PyTorch.
    """
    case = Case()
    runs = [_Run.of(pair, case) for pair in lesson.pairs()]
    return _page(lesson, runs), _proofs(lesson, runs)


def _page(lesson: Lesson, runs: list["_Run"]) -> str:
    parts = [f"# Scratch beside PyTorch: {lesson.title}", ""]
    parts += [
        f"[Lesson {lesson.number:02}]({lesson.path.name}) has {len(runs)} pairs. Each ran for this page, "
        "both sides on the same inputs in float64. "
        f"`curriculum compare {lesson.number}` does it on your machine.",
        "",
    ]
    shown: set[tuple[Path, str]] = set()
    for run in runs:
        parts += [f"## {run.pair.name}", "", *run.code(lesson, shown), *run.table(), ""]
    return "\n".join(parts)


def _proofs(lesson: Lesson, runs: list["_Run"]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for run in runs:
        twins = {name.rpartition(".")[2]: name for name in _names_in_torch(run.theirs)}
        for path, name in _pieces(run.ours):
            if path == lesson.path:
                piece = found.setdefault(name, {"pairs": [], "twin": None})
                piece["pairs"].append(run.pair.name)
                piece["twin"] = piece["twin"] or twins.get(name)
    for piece in found.values():
        piece["pairs"] = list(dict.fromkeys(piece["pairs"]))
    return found


class _Run:
    """A pair that has run, and the code that ran on either side."""

    def __init__(
        self, pair: Pair, found: list[Difference], ours: set[CodeType], theirs: set[CodeType]
    ) -> None:
        self.pair = pair
        self.found = found
        self.ours = ours
        self.theirs = theirs

    @classmethod
    def of(cls, pair: Pair, case: Case) -> "_Run":
        left, ours = _watched(pair.run_scratch, case)
        right, theirs = _watched(pair.run_torch, case)
        return cls(pair, differences(left, right), ours, theirs)

    def table(self) -> Iterator[str]:
        """Every result by name with its largest difference; those of many steps are one row."""
        yield "| result | largest difference | verdict |"
        yield "|---|---|---|"
        for of_steps, group in itertools.groupby(self.found, _without_step):
            results = list(group)
            name = f"`{results[0].name}`"
            if of_steps and len(results) > 1:
                name += f" … `{results[-1].name}`, {len(results)} results"
            problems = [result.problem for result in results if result.problem]
            largest = max(result.largest for result in results)
            yield f"| {name} | {largest:.1e} | {problems[0] if problems else 'equal'} |"

    def code(self, lesson: Lesson, shown: set[tuple[Path, str]]) -> Iterator[str]:
        """What ran, side by side; each piece of code once on a page."""
        ours = list(dict.fromkeys(_pieces(self.ours)))
        theirs = [piece for piece in dict.fromkeys(_pieces(self.theirs)) if piece not in ours]
        left = [_source(piece) for piece in ours if piece not in shown and piece[0] == lesson.path]
        right = [_source(piece) for piece in theirs if piece not in shown and piece[0] == lesson.path]
        shown.update(ours, theirs)
        others = sorted({f"`{name}`" for path, name in ours if path != lesson.path})
        known = [f"[`{name}`]({DOCUMENTATION}{name}.html)" for name in _names_in_torch(self.theirs)]
        if left and not right:
            right = _own_lines(self.pair.run_torch, lesson) or list(
                map(_as_called, _names_in_torch(self.theirs))
            )
        if left or right:
            yield "::::{div} " + ("beside" if left and right else "below")
            if left and right:
                yield from (f"{FENCE}{{raw}} html", CHOICE.format(name=f"side{len(shown)}"), FENCE)
            yield from _column("By hand", left, others and f"From earlier lessons: {', '.join(others)}.")
            yield from _column("PyTorch", right, known and ", ".join(known))
            yield "::::"
            yield ""
        elif known:
            yield f"By hand: {', '.join(f'`{name}`' for _, name in ours)}. PyTorch: {', '.join(known)}."
            yield ""


def _without_step(result: Difference) -> str:
    """What results of many steps have in common: loss_0, loss_1, … are "loss". Others keep their names."""
    match = re.fullmatch(r"(.+)_\d+", result.name)
    return match[1] if match else result.name


def _column(title: str, sources: list[str], words: Any) -> Iterator[str]:
    yield ":::{div} column"
    yield f"**{title}**"
    yield ""
    if words:
        yield words
        yield ""
    for source in sources:
        yield from (f"{FENCE}python", source.rstrip(), FENCE, "")
    yield ":::"


def _watched(function: Callable[[Case], Any], case: Case) -> tuple[Any, set[CodeType]]:
    """The function's result, and all code that ran on the way."""
    seen: set[CodeType] = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        seen.add(frame.f_code)

    sys.setprofile(note)
    try:
        return function(case), seen
    finally:
        sys.setprofile(None)


def _pieces(seen: set[CodeType]) -> Iterator[tuple[Path, str]]:
    """Classes and functions of lessons that ran, in the order of the text: where they lie, and their name."""
    ours = [code for code in seen if Path(code.co_filename).parent == FOLDER]
    for code in sorted(ours, key=lambda code: (code.co_filename, code.co_firstlineno)):
        name = code.co_qualname.partition(".")[0]
        if re.fullmatch(r"[A-Za-z]\w*", name):
            yield Path(code.co_filename), name


def _source(piece: tuple[Path, str]) -> str:
    """The code of a class or function, without decorators that only tests need."""
    path, name = piece
    return inspect.getsource(getattr(sys.modules[f"lessons.{path.stem}"], name))


def _own_lines(function: Callable[[Case], Any], lesson: Lesson) -> list[str]:
    """The code of a pair's side that the lesson itself defines by name: how PyTorch's piece is used."""
    named = inspect.isfunction(function) and function.__name__ != "<lambda>"
    if not named or Path(function.__code__.co_filename) != lesson.path:
        return []
    return [inspect.getsource(function)]


def _as_called(name: str) -> str:
    """A piece of torch with the options that it takes; its gradient is autograd's."""
    place, _, last = name.removeprefix("torch.").rpartition(".")
    piece: Any = torch
    for part in [*place.split("."), last]:
        piece = getattr(piece, part)
    return f"{name}{inspect.signature(piece)}"


def _names_in_torch(seen: set[CodeType]) -> list[str]:
    """The classes and functions of torch that ran, as its documentation calls them."""
    found = set()
    for code in seen:
        path = Path(code.co_filename)
        for place, prefix in PLACES.items():
            if path.is_relative_to(TORCH / place):
                found.add((prefix, code.co_qualname.partition(".")[0]))
    return sorted(f"{prefix}.{name}" for prefix, name in found if _is_known(prefix, name))


def _is_known(prefix: str, name: str) -> bool:
    """Public, documented by itself, and not what every module has."""
    if name.startswith("_") or name in INNER:
        return False
    place: Any = torch
    for part in prefix.split(".")[1:]:
        place = getattr(place, part)
    return hasattr(place, name) and (prefix != "torch.nn.functional" or "loss" in name or "entropy" in name)
