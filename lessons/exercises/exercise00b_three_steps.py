"""Exercise 00b · Three steps and one more path

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 00

A calculation in three steps:

    u = 1 − 2x        v = u²        y = v + x · u

x reaches y on three paths: through u and v, through u in the product, and in the product itself.

Predict before you write: at x = 1, u = −1, v = 1 and y = 0. Is the slope ∂y/∂x positive or negative there?
Work it out by the two rules of the lesson (it is 1), then write the function for any x. `curriculum run 0`
shows how the lesson checks such slopes with a nudge.
"""

from torch import Tensor


def slopes(x: Tensor) -> dict[str, Tensor]:
    """The slopes of y, number by number, each of the shape of x.

    x: any shape.

    Returns:
        "v": how y moves as v moves and nothing else does; "u": as u moves, through v and through the product;
        "x": as x moves, on all paths.
    """
    raise NotImplementedError("write slopes")
