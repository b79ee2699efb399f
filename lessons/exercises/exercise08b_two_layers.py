"""Exercise 08b · Find the bug: two layers learn, but not as PyTorch's

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 08

The code below learns: the loss falls. But it does not learn what PyTorch learns. The first loss is PyTorch's.
After one step weight2 and bias2 are PyTorch's, too. weight1 and bias1 are not. With a tenth of the learning
rate they are off by a hundredth as much after that step, so small rates hide the bug.

Find it and mend it. One or two lines are enough.
"""

from torch import Tensor


def step(params: dict[str, Tensor], x: Tensor, target: Tensor, lr: float) -> Tensor:
    """One step of gradient descent on the mean squared error of a two-layer network with tanh.

    params, changed in place: weight1 (n_hidden, n_in), bias1 (n_hidden,), weight2 (n_out, n_hidden),
    bias2 (n_out,). x: (batch, n_in), target: (batch, n_out) → the loss before the step, ().
    """
    h = (x @ params["weight1"].T + params["bias1"]).tanh()  # (batch, n_hidden)
    y = h @ params["weight2"].T + params["bias2"]  # (batch, n_out)
    error = y - target
    loss = (error**2).mean()

    grad_y = 2 * error / y.numel()
    params["weight2"] -= lr * grad_y.T @ h
    params["bias2"] -= lr * grad_y.sum(0)

    grad_h = grad_y @ params["weight2"]
    grad_z = grad_h * (1 - h**2)  # the slope of tanh
    params["weight1"] -= lr * grad_z.T @ x
    params["bias1"] -= lr * grad_z.sum(0)
    return loss
