"""Exercise 11a · A large batch in small pieces

Difficulty: 2 of 3 · Time: 20 minutes · After: lesson 11

A batch of ten examples does not fit into memory, but four examples do. So run the batch in pieces of 4, 4
and 2, the micro-batches. Add their gradients up, and take one step at the end. This is gradient accumulation.
Done right, the step is that of the whole batch.

The loss is a mean over its examples, and a piece knows only its own mean. Say one weight's gradient is 1 in
the first piece, 1 in the second and 6 in the third. In the whole batch it is 2, not 8/3 and not 8.

`model.backward` replaces `model.grads`, a dictionary by name.
"""

from typing import Any

from torch import Tensor


def accumulated_step(
    model: Any, criterion: Any, optimizer: Any, x: Tensor, target: Tensor, size: int
) -> None:
    """One step on the whole batch, of which at most `size` examples go through the model at once.

    model, criterion, optimizer: as in lesson 11's `train_step`; the criterion takes the mean.
    x: (batch, n_in), target: (batch, n_out). The last piece may be smaller.
    """
    raise NotImplementedError("write accumulated_step")
