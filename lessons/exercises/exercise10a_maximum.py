"""Exercise 10a · The larger of two

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 10

Teach the engine a new operation, y = max(a, b), number by number, as `torch.maximum`. The larger number made
the result, so it gets the blame. The other one could move a little without any effect.

And if both are equal? Then PyTorch gives each of them half of the blame. The road itself you need not walk:
a node only has to note its parents and the slopes. Broadcasting is `Node.send`'s concern.

a = [1, 5, 2] and b = [4, 5, −2] give y = [4, 5, 2]. Blame of [10, 10, 10] for y becomes [0, 5, 10] for a and
[10, 5, 0] for b.
"""

from torch import Tensor

from lessons.lesson10_tensor_autograd import Node


def maximum(a: Node, b: Node | Tensor) -> Node:
    """a: a node, b: a node or a plain tensor, of shapes that broadcast → a node of the broadcast shape."""
    raise NotImplementedError("write maximum")
