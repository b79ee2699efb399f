"""Digits as a few numbers: principal components in, distortions as matrices, and the way back to pixels.

A network that learns on 80 components instead of 784 pixels has a first layer a tenth as large. Afterwards it
is folded back: a linear map before a linear layer is a linear layer, so the result is an ordinary MLP on
pixels. While it learns, the weights of its first layer move in those 80 directions only.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from models.networks.augment import DEGREES, SCALE, SHEAR, SIDE, TRANSLATE, resample

SPARE = 16  # columns beyond those kept, so that the last kept ones are found well
ROUNDS = 2  # of the power iteration


class Components(NamedTuple):
    """Pixels x (batch, 784) become (x − mean) @ basis.

    mean: (784,). basis: (784, count), orthogonal columns, each scaled. scales: (count,), by what.
    """

    mean: Tensor
    basis: Tensor
    scales: Tensor

    def project(self, x: Tensor) -> Tensor:
        """x: (batch, 784) → (batch, count)."""
        return torch.addmm(-(self.mean @ self.basis), x, self.basis)

    def fold(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """A network on components becomes one on pixels: W (x − m) B + b = (W Bᵀ) x + (b − W Bᵀ m).

        state: by torch's names, its "0.weight" (out, count). Returns the same with "0.weight" (out, 784).
        """
        weight = state["0.weight"] @ self.basis.T
        bias = state["0.bias"] - weight @ self.mean
        return {**state, "0.weight": weight, "0.bias": bias}


def principal_components(x: Tensor, count: int, power: float, generator: torch.Generator) -> Components:
    """The `count` directions in which the rows of x vary most, found by a randomised power iteration.

    x: (batch, 784). Each component is divided by eigenvalue^power, then all are scaled to a mean square of 1.
    power 0 keeps their proportions, 0.5 makes all equally large (whitening).
    Source: Halko, Martinsson and Tropp, arXiv 0909.4061, algorithms 4.4 and 5.3.
    """
    mean = x.mean(0)
    centred = x - mean
    covariance = centred.T @ centred / len(x)
    start = torch.randn(x.shape[1], count + SPARE, generator=generator, dtype=x.dtype)
    columns = start
    for _ in range(ROUNDS):
        columns = torch.linalg.qr(covariance @ columns).Q
    values, vectors = torch.linalg.eigh(columns.T @ covariance @ columns)
    kept = values.flip(0)[:count]
    basis = columns @ vectors.flip(1)[:, :count]
    scales = kept.pow(-power)
    scales /= (kept * scales**2).mean().sqrt()
    return Components(mean, basis * scales, scales)


class LinearDistortions:
    """Small turns, shifts, stretches and leans of a digit, on its components.

    Moved a little, a picture changes by a linear map of its pixels. So each of the six distortions of
    `augment.affine` is a fixed matrix (found from pictures moved there and back by half its range), and a
    picture's distortion is their sum with six drawn weights. It holds for small amounts only: see `amount`.

    amount: the share of `augment`'s ranges that is drawn from, uniformly.
    """

    def __init__(self, components: Components, background: Tensor, amount: float) -> None:
        """background: (784,), a picture without a digit, as the network's inputs are scaled."""
        back = (components.basis / components.scales**2).T  # (count, 784): components → pixels
        pictures = back.view(-1, SIDE, SIDE)
        moved = [_slope(pictures, index).flatten(1) @ components.basis for index in range(len(_RANGES))]
        constant = (components.mean - background).view(1, SIDE, SIDE)
        shifts = [_slope(constant, index).flatten(1) @ components.basis for index in range(len(_RANGES))]
        self.matrices = torch.cat(moved, 1)  # (count, 6 · count)
        self.shifts = torch.cat(shifts, 1)  # (1, 6 · count)
        self.amount = amount

    def __call__(self, z: Tensor, generator: torch.Generator) -> Tensor:
        """z: (batch, count) → (batch, count), every row distorted by its own draw."""
        draw = torch.rand(len(z), 1, len(_RANGES), generator=generator, dtype=z.dtype)
        weights = draw.mul_(2).sub_(1).mul_(self.amount)
        directions = torch.addmm(self.shifts, z, self.matrices).view(len(z), len(_RANGES), -1)
        return torch.baddbmm(z[:, None], weights, directions)[:, 0]


# Half of each range of `augment`, in the order of `_map`: angle, lean, width, height, right, down.
_RANGES = tuple((high - low) / 2 for low, high in (DEGREES, SHEAR, SCALE, SCALE, TRANSLATE, TRANSLATE))


def _slope(pictures: Tensor, index: int) -> Tensor:
    """How pictures (count, 28, 28) change per full amount of one distortion: a central difference."""
    step = 0.5
    there = resample(pictures, _map(index, step).expand(len(pictures), 2, 3))
    back = resample(pictures, _map(index, -step).expand(len(pictures), 2, 3))
    return (there - back) / (2 * step)


def _map(index: int, share: float) -> Tensor:
    """(2, 3): from a pixel of the new picture to its place in the old one, for a share of one distortion."""
    amount = share * _RANGES[index]
    way = torch.eye(2, 3, dtype=torch.float64)
    angle = torch.tensor(amount, dtype=torch.float64).deg2rad()
    if index == 0:
        way[:, :2] = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).view(2, 2)
    elif index == 1:
        way[0, 1] = -angle.tan()
    elif index in (2, 3):
        way[index - 2, index - 2] = 1 / (1 + amount)
    else:
        way[index - 4, 2] = -amount
    return way
