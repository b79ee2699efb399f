"""Exercise 10b · Side by side

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 10

Teach the engine to put two tensors side by side, as `torch.cat((a, b), dim=1)`. Each number of a and b lands
in one place of y, so its blame is the blame of that place. No slope can be multiplied element by element: the
shapes differ. So each road needs a function, from the blame of y to the blame of the parent.

a = [[1, 2], [3, 4]] and b = [[5], [6]] give y = [[1, 2, 5], [3, 4, 6]]. Blame of [[10, 20, 30], [40, 50, 60]]
for y becomes [[10, 20], [40, 50]] for a and [[30], [60]] for b.
"""

from torch import Tensor

from lessons.lesson10_tensor_autograd import Node


def beside(a: Node, b: Node | Tensor) -> Node:
    """a: a node (n, k), b: a node or a plain tensor (n, m) → a node (n, k + m)."""
    raise NotImplementedError("write beside")
