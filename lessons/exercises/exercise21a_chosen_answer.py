"""Exercise 21a · A step towards a chosen answer

Difficulty: 2 of 3 · Time: 20 minutes · After: lesson 21

Lesson 21 drives a picture away from its right answer, each pixel by at most ε. Now pull it towards an
answer of your choice, and bound the length of the whole change instead of each pixel:

    x' = x − ε · g / ‖g‖,   g = ∂L/∂x,   ‖g‖ = √(Σ gᵢ²)

L is the cross-entropy against the wanted answer. Every picture is divided by the length of its own slope.
Then the pixels are kept in the box. A picture whose slope is exactly 0 stays where it is. (Add no small
number to the other lengths: in float64 it shows.)

On paper: the slope (3, −4) has the length 5. With ε = 0.5 this picture moves by (−0.3, 0.4).
"""

from torch import Tensor

from lessons.lesson17_mnist import MLP
from lessons.lesson21_limits import Box


def towards(model: MLP, x: Tensor, wanted: Tensor, eps: float, box: Box) -> Tensor:
    """One step of length `eps` towards the answer `wanted`: x (batch, n_in) → (batch, n_in), a new tensor.

    wanted: (batch,) int64. Needs a model with `input_grad`, as lesson 21's `uphill` does.
    """
    raise NotImplementedError("write towards")
