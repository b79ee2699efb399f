"""Exercise 16b · Find the bug: dropout too quiet in use

Difficulty: 1 of 3 · Time: 10 minutes · After: lesson 16

This dropout is meant to give what `nn.Dropout` gives. In training it does. In use the reports are:

- After `eval()` the outputs of the layer are too small: with p = 0.5 half, with p = 0.9 a tenth of what
  they should be.
- The accuracy on new digits is often as good as with torch's dropout, but the loss is larger.

Find what is wrong and mend it. Gradients may be asked for in use, too: lesson 19 looks at the gradient of
the pixels. `draw` is right. Leave it as it is: it draws the same numbers as torch.
"""

import torch
from torch import Tensor


class Dropout:
    """Inverted dropout. x, y: any shape; 0 ≤ p < 1."""

    def __init__(self, p: float = 0.5) -> None:
        self.params: dict[str, Tensor] = {}
        self.grads: dict[str, Tensor] = {}
        self.p, self.training = p, True

    def train(self, mode: bool = True) -> "Dropout":
        self.training = mode
        return self

    def eval(self) -> "Dropout":
        return self.train(False)

    def draw(self, x: Tensor) -> Tensor:
        """1 with probability 1 − p, else 0, in the shape of x."""
        return torch.empty_like(x).bernoulli_(1 - self.p)

    def forward(self, x: Tensor) -> Tensor:
        stay = 1 - self.p
        if self.training:
            self.mask = self.draw(x) / stay
        else:
            self.mask = torch.full_like(
                x, stay
            )  # all neurons work now, not only some of them
        return x * self.mask

    def backward(self, grad_y: Tensor) -> Tensor:
        return grad_y * self.mask
