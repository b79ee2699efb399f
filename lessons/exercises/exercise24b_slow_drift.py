"""Exercise 24b · Find the bug: a slow drift

Difficulty: 3 of 3 · Time: 20 minutes · After: lesson 24

Lesson 24's network, taught to predict numbers instead of classes: its loss is the mean squared error. ReLU
is done in place, every gradient goes straight into its weight, and the slope travels down with its factor
−lr · 2 / (number of results).

What users report: the loss of the first step is torch's, to the last digit. So are the weights of the last
layer after it. Those of the layers before are a little off, in every step anew. With a tenth of the rate
they are off by a hundredth. A network without a hidden layer is trained correctly.
"""

from torch import Tensor, addmm

from lessons.lesson24_speed import FastMLP


class FastRegression(FastMLP):
    """x: (batch, sizes[0]) → predictions: (batch, sizes[-1]), with a ReLU between any two linear layers."""

    def step(self, x: Tensor, target: Tensor, lr: float | Tensor) -> Tensor:
        """One step of descent on the mean squared error. Returns the loss before it, shape ().

        target: (batch, sizes[-1]), of the parameters' dtype. x and target are left as they are.
        """
        *hidden, last = [layer.params for layer in self.layers[::2]]
        inputs = [x]
        for params in hidden:
            z = addmm(params["bias"], inputs[-1], params["weight"].T)
            inputs.append(z.clamp_min_(0))
        y = addmm(last["bias"], inputs[-1], last["weight"].T)
        wrong = y.sub_(target)
        loss = wrong.square().mean()
        self.descend(inputs, wrong.mul_(-lr * 2 / wrong.numel()))
        return loss

    def descend(self, inputs: list[Tensor], delta: Tensor) -> None:
        """Changes all parameters in place.

        inputs: what each layer read, (batch, n_in); delta: −lr · ∂L/∂prediction, (batch, sizes[-1]).
        """
        for i in reversed(range(len(inputs))):
            params = self.layers[2 * i].params
            h = inputs[i]
            # (n_out, batch) @ (batch, n_in) → (n_out, n_in)
            params["weight"].addmm_(delta.T, h)
            params["bias"].add_(delta.sum(0))
            if i:
                # (batch, n_in); ReLU's slope is 0 or 1
                delta = (delta @ params["weight"]).mul_(h.sign_())
