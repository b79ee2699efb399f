"""Answers to exercise 04a as learners write them."""

import torch
from torch import Tensor

from lessons.exercises.exercise04a_scaled_linear import ScaledLinear


class Folded(ScaledLinear):
    """The scale goes into the weight first: y = x (scale · W)ᵀ + bias."""

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        self.folded = self.params["scale"][:, None] * self.params["weight"]
        return torch.addmm(self.params["bias"], x, self.folded.T)

    def backward(self, grad_y: Tensor) -> Tensor:
        grad_folded = torch.einsum("bo,bi->oi", grad_y, self.x)
        self.grads["weight"] = grad_folded * self.params["scale"][:, None]
        self.grads["scale"] = (grad_folded * self.params["weight"]).sum(1)
        self.grads["bias"] = torch.ones(len(grad_y)) @ grad_y
        return grad_y @ self.folded


class Base(ScaledLinear):
    """What the wrong ones share: `sums` are x Wᵀ, and `backward` takes its pieces apart."""

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        self.sums = torch.mm(x, self.params["weight"].t())
        return torch.addcmul(self.params["bias"], self.sums, self.params["scale"])

    def backward(self, grad_y: Tensor) -> Tensor:
        scaled = torch.mul(grad_y, self.params["scale"])
        self.grads["weight"] = torch.mm(scaled.t(), self.x)
        self.grads["scale"] = torch.einsum("bo,bo->o", grad_y, self.sums)
        self.grads["bias"] = grad_y.sum(dim=0)
        return torch.mm(scaled, self.params["weight"])


class ScaleLast(Base):
    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y + self.params["bias"] * (self.params["scale"] - 1)


class ScaleTimesOutput(Base):
    def forward(self, x: Tensor) -> Tensor:
        self.y = super().forward(x)
        return self.y

    def backward(self, grad_y: Tensor) -> Tensor:
        grad_x = super().backward(grad_y)
        self.grads["scale"] = (grad_y * self.y).sum(0)
        return grad_x


class CopiedTheInputLine(Base):
    def backward(self, grad_y: Tensor) -> Tensor:
        super().backward(grad_y)
        return torch.einsum("bo,oi->bi", grad_y, self.params["weight"])


class CopiedTheWeightLine(Base):
    def backward(self, grad_y: Tensor) -> Tensor:
        grad_x = super().backward(grad_y)
        self.grads["weight"] = torch.einsum("bo,bi->oi", grad_y, self.x)
        return grad_x


class MeanOfTheBatch(Base):
    def backward(self, grad_y: Tensor) -> Tensor:
        grad_x = super().backward(grad_y)
        self.grads["weight"] = (grad_y * self.params["scale"]).T @ self.x / self.x.shape[0]
        self.grads["scale"] = (grad_y * self.sums).mean(0)
        self.grads["bias"] = grad_y.mean(0)
        return grad_x


class ScaleOnTheBiasToo(Base):
    def backward(self, grad_y: Tensor) -> Tensor:
        grad_x = super().backward(grad_y)
        self.grads["bias"] = (grad_y * self.params["scale"]).sum(0)
        return grad_x


RIGHT = [Folded, Base]
WRONG = [
    ("bias multiplied by the scale", ScaleLast),
    ("scale's gradient taken from y", ScaleTimesOutput),
    ("scale missing in the gradient of x", CopiedTheInputLine),
    ("scale missing in the gradient of the weight", CopiedTheWeightLine),
    ("mean taken twice", MeanOfTheBatch),
    ("", ScaleOnTheBiasToo),
]
