"""The MLP from scratch: the classes of the lessons, no autograd anywhere."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from curriculum.contracts import copy_into
from lessons import lesson17_mnist
from lessons.lesson01_neuron import Sigmoid
from lessons.lesson03_activations import GELU, ReLU, SiLU, Tanh
from lessons.lesson04_layers import Linear
from lessons.lesson05_losses import BCEWithLogitsLoss, MSELoss
from lessons.lesson15_normalization import BatchNorm1d
from lessons.lesson16_overfitting import Dropout
from lessons.lesson17_mnist import scratch_step

ACTIVATIONS = {"relu": ReLU, "sigmoid": Sigmoid, "tanh": Tanh, "silu": SiLU, "gelu": GELU}


class MLP(lesson17_mnist.MLP):
    """Lesson 17's MLP, with pieces of other lessons between its layers where they are asked for.

    Linear, perhaps batch norm, activation, perhaps dropout; and so on; a last Linear.
    x: (batch, sizes[0]) → logits: (batch, sizes[-1]).

    Args:
        sizes: neurons per layer, input first.
        activation: a key of `ACTIVATIONS`.
        dropout: the probability that a hidden neuron is silenced in training.
        input_dropout: the same for a pixel.
        batch_norm: normalise what every hidden layer's activation gets.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        activation: str = "relu",
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:
        super().__init__((), input_grad=input_dropout > 0)  # else the first layer is Linear
        layers: list[Any] = [Dropout(input_dropout)] if input_dropout else []
        for n_in, n_out in itertools.pairwise(sizes[:-1]):
            layers.append(Linear(n_in, n_out))
            if batch_norm:
                layers.append(BatchNorm1d(n_out))
            layers.append(ACTIVATIONS[activation]())
            if dropout:
                layers.append(Dropout(dropout))
        self.layers = (*layers, Linear(sizes[-2], sizes[-1]))

    @property
    def buffers(self) -> dict[str, Tensor]:
        """What is kept and not trained (batch norm's running averages), under torch's names."""
        return {
            f"{index}.{name}": value
            for index, layer in enumerate(self.layers)
            for name, value in getattr(layer, "buffers", {}).items()
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Copy parameters and buffers from a dictionary with the same names and shapes."""
        copy_into(self.params | self.buffers, state)

    def train(self, mode: bool = True) -> None:
        """Batch norm and dropout act differently in training (`True`) and in use."""
        for layer in self.layers:
            if hasattr(layer, "train"):
                layer.train(mode)

    def share(self, params: Mapping[str, Tensor]) -> None:
        """Use these parameters and buffers from now on, without a copy."""
        super().share(params)
        for index, layer in enumerate(self.layers):
            if hasattr(layer, "buffers"):
                layer.buffers = {name: params[f"{index}.{name}"] for name in layer.buffers}

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """x: (batch, sizes[0]) → each layer's (batch, units), under names like "1.ReLU"; the last: logits."""
        found = {}
        for index, layer in enumerate(self.layers):
            x = layer.forward(x)
            found[f"{index}.{type(layer).__name__}"] = x
        return found


class SquaredError:
    """Mean squared error between sigmoid(logits) and the digit written as nine 0s and a 1.

    logits: (batch, classes). target: (batch,). The mean is over examples and classes.
    """

    def __init__(self) -> None:
        self.sigmoid = Sigmoid()
        self.mse = MSELoss()

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """logits (batch, classes), target (batch,) → the loss, ()."""
        return self.mse.forward(self.sigmoid.forward(logits), one_hot(logits, target))

    def backward(self) -> Tensor:
        """The gradient of the logits, (batch, classes)."""
        return self.sigmoid.backward(self.mse.backward())


class BinaryCrossEntropy:
    """Every class decides for itself, yes or no: the mean of batch · classes binary cross-entropies."""

    def __init__(self) -> None:
        self.bce = BCEWithLogitsLoss()

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """logits (batch, classes), target (batch,) → the loss, ()."""
        return self.bce.forward(logits, one_hot(logits, target))

    def backward(self) -> Tensor:
        """The gradient of the logits, (batch, classes)."""
        return self.bce.backward()


def one_hot(logits: Tensor, target: Tensor) -> Tensor:
    """(batch,) → (batch, classes): 1 at the target, else 0, in the dtype of the logits."""
    return torch.zeros_like(logits).scatter_(1, target[:, None], 1)


class ScratchEngine:
    """Trains and asks the hand-made MLP. Starts from a state dict with torch's names."""

    def __init__(self, sizes: tuple[int, ...], start: Mapping[str, Tensor]) -> None:
        self.model = MLP(sizes)
        self.model.load_state_dict(start)
        self._step = scratch_step(self.model)

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from these parameters, by torch's names."""
        self.model.load_state_dict(weights)

    @torch.inference_mode()
    def step(self, x: Tensor, target: Tensor, lr: float) -> Tensor:
        """One step of SGD on x (batch, sizes[0]), target (batch,), int64; returns the loss before it, ()."""
        return self._step(x, target, lr)

    @torch.inference_mode()
    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """x: (batch, sizes[0]) → every layer's output by name, (batch, units); the last are the logits."""
        return self.model.outputs(x)

    @torch.inference_mode()
    def logits(self, x: Tensor) -> Tensor:
        """x: (batch, sizes[0]) → (batch, sizes[-1])."""
        return self.model.forward(x)

    def weights(self) -> dict[str, Tensor]:
        """The parameters by name: weights (out, in), biases (out,). The next step changes them in place."""
        return self.model.params

    def grads(self) -> dict[str, Tensor]:
        """The gradients of the last step, under the names of `weights`, in the same shapes."""
        return self.model.grads

    def traceable(self) -> Callable[[Tensor], Tensor]:
        """The forward pass, for the picture of the graph."""
        return self.model.forward
