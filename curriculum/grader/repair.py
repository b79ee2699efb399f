"""Which small change of an answer's source would make it right: that is where its mistake is.

One thing at a time is changed: a sum for a mean, another axis, + for −, ≥ for >, one factor left out. A
change that makes all trials right names the line and what stands there. Nothing is said where changes in
several lines would do.
"""

import ast
import contextlib
import copy
import io
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from curriculum.grader.trials import Trial, run_side
from curriculum.pair import Pair

SECONDS = 1.5  # for all changes: after that, nothing is said
SECONDS_OF_ONE = 1.0  # for one change, of which some never end
LONGEST = 40  # characters of the source that are shown

TWINS = (
    ("sum", "mean"),
    ("max", "min"),
    ("amax", "amin"),
    ("maximum", "minimum"),
    ("argmax", "argmin"),
    ("max", "median"),
    ("sum", "cumsum"),
    ("split", "chunk"),
    ("ones_like", "zeros_like"),
)
WITHOUT = ("abs", "sqrt", "square", "exp", "log", "sign", "neg", "mean", "sum")  # calls that can be left out
WRAPPED = ("abs", "sqrt", "square")  # and those that can be forgotten
OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
}
COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}


@dataclass(frozen=True)
class Repair:
    """What is wrong in which line."""

    line: int
    words: str


def repair(file: str, solution: ModuleType, trials: list[Trial]) -> Repair | None:
    """The change of `file` that makes all `trials` right; None where none does, or several lines' do."""
    trials = sorted(trials, key=lambda trial: not trial.failed)  # most changes are out after the first
    with contextlib.suppress(OSError, SyntaxError, UnicodeDecodeError):
        with open(file, encoding="utf-8") as source:
            tree = ast.parse(source.read())
        found: list[Repair] = []
        end = time.monotonic() + SECONDS
        for changed, one in _changes(tree):
            if time.monotonic() > end:
                break
            if _is_right(changed, file, solution, trials):
                found.append(one)
        if len({one.line for one in found}) == 1:
            return found[0]
    return None


def _is_right(tree: ast.Module, file: str, solution: ModuleType, trials: list[Trial]) -> bool:
    """Whether the answer of that source passes every trial."""
    module: dict[str, Any] = {"__name__": "answer", "__file__": file}
    try:
        with contextlib.redirect_stdout(io.StringIO()), _bounded():
            exec(compile(tree, file, "exec"), module)
            pairs = {pair.name: pair for pair in solution.pairs(module[solution.ANSWER])}
            return not any(_fails(pairs[trial.pair.name], trial) for trial in trials)
    except Exception:
        return False


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Raise TimeoutError where it takes too long; only where the system can wake a thread in its work."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def give_up(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, SECONDS_OF_ONE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _fails(pair: Pair, trial: Trial) -> bool:
    return Trial(pair, trial.case, run_side(pair.run_scratch, trial.case), trial.wanted).failed


# ---------------------------------------------------------------- changes

Edit = tuple[ast.expr, str]  # what would stand there, and what is wrong


def _changes(tree: ast.Module) -> Iterator[tuple[ast.Module, Repair]]:
    """Each change on a copy of the tree."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for change in CHANGES:
        for node in ast.walk(tree):
            inside = any(isinstance(one, ast.FunctionDef) for one in _above(node, parents))
            if isinstance(node, ast.expr) and inside and not _is_annotation(node, parents):
                for new, words in change(node):
                    yield _with(tree, node, new), Repair(node.lineno, words)


def _above(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[ast.AST]:
    while node in parents:
        node = parents[node]
        yield node


def _is_annotation(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    return isinstance(parents.get(node), ast.arg | ast.FunctionDef | ast.AnnAssign) and not isinstance(
        getattr(parents.get(node), "value", None), type(node)
    )


def _with(tree: ast.Module, old: ast.expr, new: ast.expr) -> ast.Module:
    """A copy of the tree in which `new` stands for `old`."""

    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            if node is old:
                return new
            return super().visit(node)

    copied = copy.deepcopy(tree, {id(old): old})  # `old` itself stays in the copy, to be found there
    Replace().visit(copied)
    return ast.fix_missing_locations(copied)


def _calls(node: ast.expr) -> Iterator[Edit]:
    """Another function, one left out."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    name = node.func.attr
    for one, other in TWINS:
        if name in (one, other):
            twin = other if name == one else one
            func = ast.Attribute(node.func.value, twin, ast.Load())
            yield ast.Call(func, node.args, node.keywords), f"{twin} is wanted where {name} stands"
    if name in WITHOUT and (not node.args or not isinstance(node.func.value, ast.Name)):
        yield node.func.value, f".{name}() is one too many"


def _axes(node: ast.expr) -> Iterator[Edit]:
    """Another whole number among the arguments of a call: an axis, an end."""
    if not isinstance(node, ast.Call):
        return
    for i, argument in enumerate(node.args):
        for new, words in _numbers(argument):
            yield ast.Call(node.func, [*node.args[:i], new, *node.args[i + 1 :]], node.keywords), words
    for i, keyword in enumerate(node.keywords):
        for new, words in _numbers(keyword.value):
            named = ast.keyword(keyword.arg, new)
            keywords = [*node.keywords[:i], named, *node.keywords[i + 1 :]]
            yield ast.Call(node.func, node.args, keywords), f"{keyword.arg}: {words}"


def _numbers(node: ast.expr) -> Iterator[Edit]:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        for value in sorted({1 - node.value, node.value + 1, node.value - 1} - {node.value}):
            yield ast.Constant(value), f"{value} is wanted where {node.value} stands"


def _counted(node: ast.expr) -> Iterator[Edit]:
    """The rows in place of all entries, and the other way round."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len":
        new = ast.Call(ast.Attribute(node.args[0], "numel", ast.Load()), [], [])
        yield new, f"{_shown(new)} is wanted where {_shown(node)} stands"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "numel":
        new = ast.Call(ast.Name("len", ast.Load()), [node.func.value], [])
        yield new, f"{_shown(new)} is wanted where {_shown(node)} stands"


def _operators(node: ast.expr) -> Iterator[Edit]:
    if isinstance(node, ast.BinOp):
        for kind in OPERATORS.get(type(node.op), ()):
            new = ast.BinOp(node.left, kind(), node.right)
            yield new, f"{_shown(new)} is wanted where {_shown(node)} stands"
        if isinstance(node.op, ast.Mult | ast.Div | ast.Add | ast.Sub | ast.Pow):
            yield node.left, f"{_sign(node.op)} {_operand(node.right)} is one too many"
        if isinstance(node.op, ast.Mult | ast.Add):
            yield node.right, f"{_shown(node.left)} {_sign(node.op)} is one too many"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand, "the − is one too many"


def _comparisons(node: ast.expr) -> Iterator[Edit]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for kind in COMPARISONS.get(type(node.ops[0]), ()):
            new = ast.Compare(node.left, [kind()], node.comparators)
            yield new, f"{_shown(new)} is wanted where {_shown(node)} stands"


def _forgotten(node: ast.expr) -> Iterator[Edit]:
    """A function around it, a minus before it."""
    if not isinstance(node, ast.Name | ast.Attribute | ast.BinOp | ast.Call | ast.Subscript):
        return
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return
    for name in WRAPPED:
        call = ast.Call(ast.Attribute(node, name, ast.Load()), [], [])
        yield call, f".{name}() is missing at {_shown(node)}"
    column = ast.Call(ast.Attribute(node, "sum", ast.Load()), [ast.Constant(0)], [])
    yield column, f".sum(0) is missing at {_shown(node)}"
    yield ast.UnaryOp(ast.USub(), node), f"a − is missing before {_shown(node)}"


CHANGES: tuple[Callable[[ast.expr], Iterator[Edit]], ...] = (  # the likeliest first
    _calls,
    _axes,
    _comparisons,
    _counted,
    _operators,
    _forgotten,
)


def _shown(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _operand(node: ast.expr) -> str:
    return f"({_shown(node)})" if isinstance(node, ast.BinOp | ast.Compare) else _shown(node)


def _sign(operator: ast.operator) -> str:
    return {ast.Mult: "·", ast.Div: "/", ast.Add: "+", ast.Sub: "−", ast.Pow: "**"}[type(operator)]
