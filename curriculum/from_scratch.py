"""From scratch means from scratch: what the source of a scratch class may not use."""

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

# What would find the gradient for it. `F` and `nn` are torch.nn.functional and torch.nn.
FORBIDDEN = {
    "F", "nn", "autograd", "func", "enable_grad", "set_grad_enabled", "inference_mode", "requires_grad",
    "requires_grad_", "functional", "optim",
}  # fmt: skip
# Finished pieces: forbidden when they are torch's own, free as names of a lesson's methods.
FORBIDDEN_OF_TORCH = {"sigmoid", "relu", "softmax", "log_softmax"}


def forbidden_names(scratch: type | Callable[..., Any]) -> list[str]:
    """The names in the source of a scratch class or function that mean it is not from scratch.

    `F.one_hot` is a table of integers, wherever it lives, and spares nobody a gradient.
    """
    tree = ast.parse(textwrap.dedent(inspect.getsource(scratch)))
    one_hots = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "one_hot"]
    free = {part for node in one_hots for part in ast.walk(node)}
    used = set()
    used_of_torch = set()
    for node in ast.walk(tree):
        if node in free:
            continue
        if isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.Attribute):
            used.add(node.attr)
            if isinstance(node.value, ast.Name) and node.value.id == "torch":
                used_of_torch.add(node.attr)
    return sorted((FORBIDDEN & used) | (FORBIDDEN_OF_TORCH & used_of_torch))
