"""The same MLP as an `nn.Module`, trained with autograd and `torch.optim`."""

import itertools
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from lessons.lesson17_mnist import torch_step

ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "silu": nn.SiLU, "gelu": nn.GELU}


class MLP(nn.Sequential):
    """The network of `scratch.MLP`: same arguments, same layers, same names in the state dict."""

    def __init__(
        self,
        sizes: tuple[int, ...],
        activation: str = "relu",
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:
        layers: list[nn.Module] = [nn.Dropout(input_dropout)] if input_dropout else []
        for n_in, n_out in itertools.pairwise(sizes[:-1]):
            layers.append(nn.Linear(n_in, n_out))
            if batch_norm:
                layers.append(nn.BatchNorm1d(n_out))
            layers.append(ACTIVATIONS[activation]())
            if dropout:
                layers.append(nn.Dropout(dropout))
        super().__init__(*layers, nn.Linear(sizes[-2], sizes[-1]))

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """x: (batch, sizes[0]) → each layer's (batch, units), under names like "1.ReLU"; the last: logits."""
        found = {}
        for index, layer in enumerate(self):
            x = layer(x)
            found[f"{index}.{type(layer).__name__}"] = x
        return found


class SquaredError(nn.Module):
    """`models.networks.scratch.SquaredError` with autograd."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """logits (batch, classes), target (batch,) → the loss, ()."""
        one_hot = nn.functional.one_hot(target, logits.shape[1]).to(logits.dtype)
        return nn.functional.mse_loss(logits.sigmoid(), one_hot)


class BinaryCrossEntropy(nn.Module):
    """`models.networks.scratch.BinaryCrossEntropy` with autograd."""

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """logits (batch, classes), target (batch,) → the loss, ()."""
        one_hot = nn.functional.one_hot(target, logits.shape[1]).to(logits.dtype)
        return nn.functional.binary_cross_entropy_with_logits(logits, one_hot)


class TorchEngine:
    """Trains and asks the `nn.Module`. Starts from a state dict."""

    def __init__(self, sizes: tuple[int, ...], start: Mapping[str, Tensor]) -> None:
        self.model = MLP(sizes)
        self.model.load_state_dict(start)
        self._step = torch_step(self.model)

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from these parameters, by torch's names."""
        self.model.load_state_dict(weights)

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
        return self.model(x)

    def weights(self) -> dict[str, Tensor]:
        """The parameters by name: weights (out, in), biases (out,). The next step changes them in place."""
        return {name: param.detach() for name, param in self.model.named_parameters()}

    def grads(self) -> dict[str, Tensor]:
        """The gradients of the last step, under the names of `weights`, in the same shapes."""
        return {name: param.grad for name, param in self.model.named_parameters() if param.grad is not None}

    def traceable(self) -> Callable[[Tensor], Tensor]:
        """The forward pass, for the picture of the graph."""
        return self.model
