"""Start a lesson: `curriculum new 20_name` writes its skeleton and says what is missing."""

import re
from collections.abc import Iterator
from pathlib import Path

from curriculum import UserError
from curriculum.discover import FOLDER

LESSON = '''# %% [markdown]
# # Lesson {number} · TODO title
#
# *TODO: the question that this lesson answers?*
#
# Needs: TODO · Time: 20 minutes

# %%
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from curriculum.demo import demo
from curriculum.draw import SCRATCH, new_figure
from curriculum.pair import layer_pair

# %% [markdown]
# ## The idea
#
# TODO: numbers small enough for paper, the equation, the symbols with their shapes.
#
# ## From scratch


# %%
class Double:
    """TODO: what is built here. x: any shape → y: the same shape.

    >>> Double().forward(torch.tensor([1.5]))
    tensor([3.])
    """

    def __init__(self) -> None:
        self.params: dict[str, Tensor] = {{}}
        self.grads: dict[str, Tensor] = {{}}

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x

    def backward(self, grad_y: Tensor) -> Tensor:
        """TODO: the derivation. y = 2x, so ∂y/∂x = 2."""
        return 2 * grad_y


# %% [markdown]
# ## The same with PyTorch


# %%
class TorchDouble(nn.Module):
    """TODO: the same, so that PyTorch finds the gradient."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


# %% [markdown]
# ## See it


# %%
@demo
def doubled() -> Figure:
    """TODO: what there is to see"""
    figure, axis = new_figure()
    x = torch.linspace(-1, 1, 11)
    axis.plot(x, Double().forward(x), color=SCRATCH)
    axis.set(xlabel="x", ylabel="y")
    return figure


# %% [markdown]
# ## They agree

# %%
PAIRS = [layer_pair("double", lambda case: Double(), lambda case: TorchDouble())]

# %% [markdown]
# ## Where PyTorch differs
#
# TODO: what differs, and which lesson comes next.
'''

TEST = '''"""The numbers that lesson {number} states."""

import torch

from lessons import lesson{number}_{name} as lesson


def test_it_doubles() -> None:
    """TODO: one test per idea, named after it."""
    assert lesson.Double().forward(torch.tensor([1.5])).item() == 3.0
'''

EXERCISE = '''"""Exercise {number}a · TODO title

Difficulty: 1 of 3 · Time: 10 minutes · After: lesson {number}

TODO: what to build, a sibling of what the lesson built, with an example small enough for paper.
"""

from torch import Tensor


class Negate:
    """y = −x. x: any shape → y: the same shape."""

    def __init__(self) -> None:
        self.params: dict[str, Tensor] = {{}}
        self.grads: dict[str, Tensor] = {{}}

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError("write forward")

    def backward(self, grad_y: Tensor) -> Tensor:
        raise NotImplementedError("write backward")
'''

SOLUTION = '''"""Solution of exercise {number}a."""

from typing import Any

import torch
from torch import Tensor, nn

from curriculum.pair import Pair, layer_pair
from lessons.exercises import exercise{number}a_{name} as stub

ANSWER = "Negate"  # the name that the learner's file has to define
REREAD = ("lesson{number}_{name}.py", "class Double")  # where to read again
HINTS = ("TODO: a question.", "TODO: the idea.", "TODO: nearly the code.")


class Negate(stub.Negate):
    def forward(self, x: Tensor) -> Tensor:
        return -x

    def backward(self, grad_y: Tensor) -> Tensor:
        return -grad_y


class TorchNegate(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return -x


def pairs(answer: Any) -> list[Pair]:
    """PyTorch is the grader."""
    return [layer_pair("negate", lambda case: answer(), lambda case: TorchNegate())]


class _Unchanged(Negate):
    def backward(self, grad_y: Tensor) -> Tensor:
        return grad_y


class _Alone(Negate):
    def backward(self, grad_y: Tensor) -> Tensor:
        return -torch.ones_like(grad_y)


# TODO: at least four wrong answers that learners write, each under its usual name.
MISTAKES: dict[str, Any] = {{"sign": _Unchanged, "upstream gradient ignored": _Alone}}
'''

PLANTED = '''"""Answers to exercise {number}a as learners write them."""

from torch import Tensor

from lessons.exercises.exercise{number}a_{name} import Negate


class Subtracted(Negate):
    def forward(self, x: Tensor) -> Tensor:
        return 0 - x

    def backward(self, grad_y: Tensor) -> Tensor:
        return 0 - grad_y


class ForgotTheSign(Subtracted):
    def backward(self, grad_y: Tensor) -> Tensor:
        return grad_y


RIGHT = [Subtracted]
WRONG = [("sign", ForgotTheSign)]  # TODO: at least four, one of them ("", X): wrong in a way without a name
'''


def start(which: str, root: Path = FOLDER.parent) -> list[Path]:
    """Write the skeleton of lesson `NN_name`: the lesson, its test, an exercise. Returns the new files.

    Nothing that exists is overwritten. Raises `UserError` for a name that is not one.
    """
    match = re.fullmatch(r"(\d\d)_([a-z][a-z_]*)", which)
    if not match:
        raise UserError(f"'{which}' is not a lesson's name; expected one like 20_convolution")
    number, name = match.groups()
    texts = {
        root / "lessons" / f"lesson{number}_{name}.py": LESSON,
        root / "tests" / "lessons" / f"test_lesson{number}.py": TEST,
        **dict(zip(_exercise(root, number, name), (EXERCISE, SOLUTION, PLANTED), strict=True)),
    }
    others = [path for path in (root / "lessons").glob(f"lesson{number}_*.py") if path not in texts]
    if others:
        raise UserError(f"lesson {number} exists already ({others[0].name}); choose another number")
    fresh = [path for path in texts if not path.exists()]
    for path in fresh:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[path].format(number=number, name=name), encoding="utf-8")
    return fresh


def missing(which: str, root: Path = FOLDER.parent) -> Iterator[str]:
    """What lesson `NN_name` still lacks: every TODO in its files, and its rows in the two tables."""
    number, name = which.split("_", 1)
    for path in (
        root / "lessons" / f"lesson{number}_{name}.py",
        root / "tests" / "lessons" / f"test_lesson{number}.py",
        *_exercise(root, number, name),
    ):
        for line_number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if "TODO" in line:
                yield f"{path.relative_to(root)}:{line_number}: {line.strip(' #')}"
    for page in ("README.md", "lessons/README.md"):
        if f"lesson{number}_{name}.py" not in (root / page).read_text(encoding="utf-8"):
            yield f"{page}: no row for lesson {number} in its table"


def _exercise(root: Path, number: str, name: str) -> tuple[Path, Path, Path]:
    """Its stub, its solution, and answers as learners write them."""
    file = f"exercise{number}a_{name}.py"
    return (
        root / "lessons" / "exercises" / file,
        root / "lessons" / "solutions" / file,
        root / "tests" / "planted" / f"planted{number}a.py",
    )
