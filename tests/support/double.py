"""A tiny exercise, y = 2x, in a folder of lessons of its own, and answers to it."""

from pathlib import Path

STUB = '''"""Exercise 01{letter} · Double, {letter}

Difficulty: 1 of 3 · Time: 5 minutes · After: lesson 01

y = 2x.
"""

from torch import Tensor


class Double:
    def __init__(self) -> None:
        self.params, self.grads = {{}}, {{}}

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError("write forward")

    def backward(self, grad_y: Tensor) -> Tensor:
        raise NotImplementedError("write backward")
'''
SOLUTION = '''"""Solution of exercise 01a."""

import torch
from torch import nn

from curriculum.pair import layer_pair

ANSWER = "Double"
REREAD = ("lesson01_neuron.py", "class Neuron")
HINTS = ("one", "two", "three")
AFTER = ("Twice is a sum.", "Thrice.")


class Double:
    def __init__(self):
        self.params, self.grads = {}, {}

    def forward(self, x):
        return 2 * x

    def backward(self, grad_y):
        return 2 * grad_y


class _TorchDouble(nn.Module):
    def forward(self, x):
        return 2 * x


def pairs(answer):
    return [layer_pair("double", lambda case: answer(), lambda case: _TorchDouble())]


class _Forgotten(Double):
    def backward(self, grad_y):
        return grad_y


MISTAKES = {"activation derivative missing": _Forgotten}
'''


def build(folder: Path) -> None:
    """A folder of lessons with two such exercises, 01a and 01b."""
    for name in ("exercises", "solutions"):
        (folder / name).mkdir(parents=True)
    (folder / "lesson01_neuron.py").write_text("\n\nclass Neuron: ...\n")
    for letter in "ab":
        (folder / "exercises" / f"exercise01{letter}_double.py").write_text(STUB.format(letter=letter))
        (folder / "solutions" / f"exercise01{letter}_double.py").write_text(SOLUTION)
    (folder / "exercises" / "final_project.py").write_text("Activation = None\n")


def answer(forward: str = "return 2 * x", backward: str = "return 2 * grad_y", top: str = "") -> str:
    """A learner's file. The body of forward stands in line 11, that of backward in line 14."""
    return f"""\
import math, os, sys, time
import torch
from torch import nn
{top}

class Double:
    params, grads = {{}}, {{}}

    def forward(self, x):
        self.x = x
        {forward}

    def backward(self, grad_y):
        {backward}
"""


WRONG = answer(backward="return grad_y")
MISTAKE = "it looks like: activation derivative missing"
AFTER = ["  the idea: Twice is a sum.", "  harder: Thrice."]  # what is said below "passed"
