"""Exercise 15b · Find the bug: batch norm that exaggerates in use

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 15

This batch norm is meant to give what `nn.BatchNorm1d` gives. In training it does: the same outputs, the same
gradients. In use, after `eval()`, the reports are:

- What is trained in batches of 2 has, in use, outputs that spread by a factor of about √2 too much. With
  batches of 100 hardly anyone notices.
- Their mean is right.

Find what is wrong and mend it.
"""

import torch
from torch import Tensor

from lessons.lesson15_normalization import Norm


class BatchNorm1d(Norm):
    """Each column over the batch. x, y: (batch, n), in training with a batch of 2 or more."""

    def __init__(self, n: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__(n, eps)
        self.buffers = {"running_mean": torch.zeros(n), "running_var": torch.ones(n)}
        self.buffers["num_batches_tracked"] = torch.tensor(0)
        self.momentum = momentum

    def forward(self, x: Tensor) -> Tensor:
        self.fixed = not self.training  # which gradient `Norm.backward` takes
        if self.training:
            self.update(x)
            return self.normalise(x, x.mean(0), x.var(0, correction=0))
        return self.normalise(
            x, self.buffers["running_mean"], self.buffers["running_var"]
        )

    def update(self, x: Tensor) -> None:
        """The newest batch's share in the averages is `momentum`."""
        for name, new in (
            ("running_mean", x.mean(0)),
            ("running_var", x.var(0, correction=0)),
        ):
            self.buffers[name].mul_(1 - self.momentum).add_(new, alpha=self.momentum)
        self.buffers["num_batches_tracked"] += 1
