"""Exercise 12c · Find the bug: decay that hardly pulls

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 12

This class is meant to be AdamW: Adam with decoupled weight decay. Without decay it takes Adam's
steps. With decay, these are the reports:

- Multiply the loss by 1,000: AdamW should walk on as before, for Adam takes the scale out. Here the
  weights then walk as if there were hardly any decay.
- A weight of 1 whose gradient is always 0 should become 0.999 in its first step with lr = 0.01 and
  weight_decay = 0.1. Here it becomes 0.99, and with weight_decay = 0.5 it becomes 0.99 again.

Find what is wrong and mend it. Only `step` has to change.
"""

from torch import Tensor

from lessons.lesson12_optimizers import Adam


class AdamW(Adam):
    """Adam with decoupled weight decay. `params`: tensors by name, changed in place."""

    def __init__(
        self, params: dict[str, Tensor], lr: float = 1e-3, weight_decay: float = 1e-2
    ) -> None:
        super().__init__(params, lr)
        self.weight_decay = weight_decay

    def step(self, grads: dict[str, Tensor]) -> None:
        """`grads`: the names and shapes of `params`."""
        self.steps += 1
        for name, param in self.params.items():
            decayed = (
                grads[name] + self.weight_decay * param
            )  # the slope of λ/2 · w² is λw
            param -= self.lr * self.direction(name, decayed)

    def direction(self, name: str, grad: Tensor) -> Tensor:
        """Where Adam goes: average gradient over typical size, both corrected for their start at 0."""
        beta1, beta2 = self.betas
        self.mean[name].mul_(beta1).add_(grad, alpha=1 - beta1)
        self.square[name].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        mean = self.mean[name] / (1 - beta1**self.steps)
        square = self.square[name] / (1 - beta2**self.steps)
        return mean / (square.sqrt() + self.eps)
