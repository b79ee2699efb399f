"""Exercise 02b · Find the bug: a ladder of neurons

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 02

Sigmoid neurons stand in a row. Each hears all inputs and all neurons before it; what each says is an output.
With two inputs the first neuron has 2 weights, the second 3, the third 4.

The outputs are PyTorch's. The gradients are not, except those of the last neuron's weights and bias. Of the
others not even the sign can be relied on. A ladder of one neuron shows no error at all.

Find the mistake and mend it. One line of `backward` is wrong.
"""

import torch
from torch import Tensor

from lessons.lesson01_neuron import Neuron, Sigmoid


class Ladder:
    """Each neuron hears the inputs and the neurons before it. x: (batch, n_in) → y: (batch, n_neurons)."""

    def __init__(self, n_in: int, n_neurons: int) -> None:
        self.n_in = n_in
        self.neurons = [Neuron(n_in + before, Sigmoid()) for before in range(n_neurons)]

    @property
    def params(self) -> dict[str, Tensor]:
        return {
            f"{i}.{key}": p
            for i, neuron in enumerate(self.neurons)
            for key, p in neuron.params.items()
        }

    @property
    def grads(self) -> dict[str, Tensor]:
        return {
            f"{i}.{key}": g
            for i, neuron in enumerate(self.neurons)
            for key, g in neuron.grads.items()
        }

    def forward(self, x: Tensor) -> Tensor:
        heard = x
        for neuron in self.neurons:
            heard = torch.cat((heard, neuron.forward(heard)), dim=1)  # one column more
        return heard[:, self.n_in :]

    def backward(self, grad_y: Tensor) -> Tensor:
        """From the last neuron to the first. `grad` has a column for each input and each neuron so far."""
        grad = torch.cat((grad_y.new_zeros(len(grad_y), self.n_in), grad_y), dim=1)
        for neuron in reversed(self.neurons):
            own = grad[:, -1:]  # (batch, 1), the last column
            grad = neuron.backward(own)  # (batch, one column less)
        return grad
