"""Exercise 06a · Find the bug: cross-entropy

Difficulty: 2 of 3 · Time: 10 minutes · After: lesson 06

This cross-entropy follows the formula: softmax, then −ln of the right class's probability. A network trains
well with it for an hour. Then the loss is `nan`, and from the next step on every weight is `nan` too.

The last logits before that were large. With three rows like them:

    logits           right class    this loss    PyTorch
     1000      0     0              nan          0
     1000      0     1              inf          1000
    −1000  −1000     0              nan          0.693

Find the mistake and mend it. `backward` is right. All three rows have to agree: mending the first may leave
the second as it is.
"""

import torch
from torch import Tensor

from lessons.lesson05_losses import Loss


class IndexCrossEntropy(Loss):
    """Cross-entropy of softmax(prediction). prediction: (batch, classes); target: (batch,) int64."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        e = torch.exp(prediction)
        self.p, self.target = e / e.sum(1, keepdim=True), target
        of_the_right_class = self.p.gather(1, target[:, None])[:, 0]  # (batch,)
        return self.reduce(-torch.log(of_the_right_class))

    def backward(self, grad_loss: Tensor | None = None) -> Tensor:
        """∂L/∂z = p − q, where q is 1 for the right class and 0 for the others. Shape: as `prediction`."""
        q = torch.zeros_like(self.p).scatter_(1, self.target[:, None], 1)
        grad_loss = (
            None if grad_loss is None else grad_loss[:, None]
        )  # (batch,) → (batch, 1)
        return (self.p - q) * self.share(len(self.p), grad_loss)
