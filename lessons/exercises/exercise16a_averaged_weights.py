"""Exercise 16a · Averaged weights

Difficulty: 1 of 3 · Time: 15 minutes · After: lesson 16

Each mini-batch kicks the weights somewhere else. Where the last one left them is chance. So keep a running
average a beside them, to be used for validation and in the end. Training itself never sees it. After each
step of the optimiser comes one `update()`:

    the first:  a ← w
    later:      a ← decay · a + (1 − decay) · w

Each parameter has its own a, of its shape. On paper, with decay 0.9: w is 1, then 2, then 2. The average
is 1, then 0.9 · 1 + 0.1 · 2 = 1.1, then 1.19. It is called an *exponential moving average*,
EMA. In PyTorch it is `torch.optim.swa_utils.AveragedModel` with `get_ema_multi_avg_fn`.
"""

from torch import Tensor


class AveragedWeights:
    """A running average of `params`: tensors by name, which an optimiser changes in place between updates.

    `average`: the averages by name. It is empty before the first update.
    """

    def __init__(self, params: dict[str, Tensor], decay: float = 0.99) -> None:
        self.params, self.decay = params, decay
        self.average: dict[str, Tensor] = {}

    def update(self) -> None:
        """Takes in `params` as they are now. They are read, not changed."""
        raise NotImplementedError("write update")
