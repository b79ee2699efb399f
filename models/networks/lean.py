"""An MLP that learns with as little beside its matrix products as possible; its first layer may use bfloat16.

Lesson 24's `FastMLP` stores no gradient, so it cannot have momentum. `LeanMLP` keeps all parameters in one
flat tensor, all gradients in a second, all velocities in a third: an update is two operations, however many
layers there are. It computes no loss, only what the loss sends back.

In bfloat16 a number has 8 significant bits: rounding moves it by at most its 2⁻⁹th part. Only the products of
the first layer take it, by far the largest ones; parameters, velocities and sums stay in float32. PyTorch
calls this mixed precision (`torch.autocast`).
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor

# Below this batch size the conversions cost more than the products save.
BFLOAT16_FROM = 128


class LeanMLP:
    """Linear layers with ReLU between them, trained by SGD on the mean cross-entropy.

    sizes: of the layers, the input's first.
    momentum, nesterov: as `torch.optim.SGD` has them (dampening 0).
    bfloat16: the first layer's products in it, for batches of at least `BFLOAT16_FROM`.
    params, grads: views by torch's names, weights (out, in), biases (out,).
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        momentum: float = 0.0,
        nesterov: bool = False,
        bfloat16: bool = False,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.sizes = sizes
        self.momentum = momentum
        self.nesterov = nesterov
        self.bfloat16 = bfloat16
        count = sum(n_out * (n_in + 1) for n_in, n_out in pairwise(sizes))
        self.flat = torch.zeros(count, dtype=dtype, device=device)
        self.flat_grads = torch.zeros_like(self.flat)
        self.velocity = torch.zeros_like(self.flat)
        self.params = dict(_views(self.flat, sizes))
        self.grads = dict(_views(self.flat_grads, sizes))
        self.buffers: dict[int, list[Tensor]] = {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Copies the values of `state` into `params`; velocities start at 0.

        Raises:
            KeyError: a name is missing.
            RuntimeError: a shape is another.
        """
        for name, value in self.params.items():
            value.copy_(state[name])
        self.velocity.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, sizes[0]) → logits (batch, sizes[-1]), in the parameters' precision."""
        h = x
        for index, (weight, bias) in enumerate(self._layers(self.params)):
            h = torch.addmm(bias, h.clamp_min(0) if index else h, weight.T)
        return h

    def step(self, x: Tensor, shares: Tensor, lr: float) -> None:
        """One step of descent.

        x: (batch, sizes[0]), of the parameters' dtype, or bfloat16 where the first layer uses it.
        shares: (batch, classes), what the function of that name makes of the targets.
        """
        self.backward(x, shares)
        self._update(lr)

    def backward(self, x: Tensor, shares: Tensor) -> None:
        """Fills `grads`. Along the logits the mean cross-entropy's slope is (softmax − shares) / batch."""
        outputs = self._buffers_for(len(x))
        layers = list(self._layers(self.params))
        grads = list(self._layers(self.grads))
        first = self._first_layer(x)
        for index, (weight, bias) in enumerate(layers):
            if index == 0:
                first.forward(weight, bias, outputs[0])
            else:
                torch.addmm(bias, outputs[index - 1].clamp_min_(0), weight.T, out=outputs[index])
        delta = torch.softmax(outputs[-1], 1).sub_(shares).mul_(1 / len(x))
        for index in reversed(range(len(layers))):
            grad_weight, grad_bias = grads[index]
            torch.sum(delta, 0, out=grad_bias)
            if index == 0:
                first.backward(delta, grad_weight)
                return
            below = outputs[index - 1]
            torch.mm(delta.T, below, out=grad_weight)
            down = delta @ layers[index][0]
            delta = torch.ops.aten.threshold_backward.grad_input(down, below, 0, grad_input=down)

    def _update(self, lr: float) -> None:
        """v ← μ v + g; w ← w − lr v, or with Nesterov's look ahead w ← w − lr (g + μ v)."""
        if not self.momentum:
            self.flat.sub_(self.flat_grads, alpha=lr)
            return
        self.velocity.mul_(self.momentum).add_(self.flat_grads)
        if self.nesterov:
            self.flat.sub_(self.flat_grads, alpha=lr)
            self.flat.sub_(self.velocity, alpha=lr * self.momentum)
        else:
            self.flat.sub_(self.velocity, alpha=lr)

    def _layers(self, named: dict[str, Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Weight and bias of each linear layer; ReLUs stand between them, hence every second number."""
        for index in range(len(self.sizes) - 1):
            yield named[f"{2 * index}.weight"], named[f"{2 * index}.bias"]

    def _buffers_for(self, batch: int) -> list[Tensor]:
        """A tensor (batch, out) for each layer's output, made when a batch size first comes."""
        if batch not in self.buffers:
            self.buffers[batch] = [self.flat.new_empty(batch, n_out) for n_out in self.sizes[1:]]
        return self.buffers[batch]

    def _first_layer(self, x: Tensor) -> "_FirstLayer":
        if self.bfloat16 and len(x) >= BFLOAT16_FROM:
            return _Bfloat16(x)
        return _FirstLayer(x.to(self.flat.dtype))


class _FirstLayer:
    """The two products of the first layer, which reads x (batch, in)."""

    def __init__(self, x: Tensor) -> None:
        self.x = x

    def forward(self, weight: Tensor, bias: Tensor, out: Tensor) -> None:
        torch.addmm(bias, self.x, weight.T, out=out)

    def backward(self, delta: Tensor, out: Tensor) -> None:
        torch.mm(delta.T, self.x, out=out)


class _Bfloat16(_FirstLayer):
    """The same with factors and results rounded to bfloat16, summed in float32 in between."""

    def __init__(self, x: Tensor) -> None:
        super().__init__(x.bfloat16())

    def forward(self, weight: Tensor, bias: Tensor, out: Tensor) -> None:
        torch.add(self.x @ weight.bfloat16().T, bias, out=out)

    def backward(self, delta: Tensor, out: Tensor) -> None:
        out.copy_(delta.bfloat16().T @ self.x)


def _views(flat: Tensor, sizes: tuple[int, ...]) -> Iterator[tuple[str, Tensor]]:
    """The parameters by torch's names, each a view of its stretch of `flat`."""
    place = 0
    for index, (n_in, n_out) in enumerate(pairwise(sizes)):
        yield f"{2 * index}.weight", flat[place : place + n_out * n_in].view(n_out, n_in)
        place += n_out * n_in
        yield f"{2 * index}.bias", flat[place : place + n_out]
        place += n_out


def shares(target: Tensor, classes: int, smoothing: float, dtype: torch.dtype) -> Tensor:
    """What the softmax is to become: smoothing / classes everywhere, and 1 − smoothing more at the target.

    target: (batch,) of integers → (batch, classes). As `torch.nn.CrossEntropyLoss(label_smoothing=…)`, from
    Szegedy and others, arXiv 1512.00567.

    >>> shares(torch.tensor([2]), 4, 0.1, torch.float64)
    tensor([[0.0250, 0.0250, 0.9250, 0.0250]], dtype=torch.float64)
    """
    rows = torch.full((len(target), classes), smoothing / classes, dtype=dtype, device=target.device)
    right = torch.ones_like(rows[:, :1])
    return rows.scatter_add_(1, target[:, None], right * (1 - smoothing))


class RunningAverage:
    """An exponential running average of parameters, often better than their last values.

    The same as `torch.optim.swa_utils.AveragedModel` with `get_ema_multi_avg_fn(decay)`.
    """

    def __init__(self, flat: Tensor, decay: float) -> None:
        self.decay = decay
        self.flat = flat.clone()

    def update(self, flat: Tensor) -> None:
        """average ← decay · average + (1 − decay) · flat."""
        self.flat.lerp_(flat, 1 - self.decay)


def triangle(share: float, warm: float) -> float:
    """The learning rate after this share of a run, as a part of its peak: up in a straight line, down to 0.

    >>> [round(triangle(share, 0.2), 3) for share in (0, 0.1, 0.2, 0.6)]
    [0.0, 0.5, 1.0, 0.5]
    """
    return share / warm if share < warm else (1 - share) / (1 - warm)
