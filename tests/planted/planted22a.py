"""Answers to exercise 22a as learners write them."""

import torch

from lessons.exercises.exercise22a_low_rank import LowRank as Stub
from lessons.lesson04_layers import Linear


class Merged(Stub):
    """One product with W + s · U D; the chain rule runs through the merged weight."""

    def forward(self, x):
        self.x = x
        self.merged = self.frozen.params["weight"] + self.scale * self.params["up"] @ self.params["down"]
        return torch.einsum("bi,oi->bo", x, self.merged) + self.frozen.params["bias"]

    def backward(self, grad_y):
        grad_merged = torch.einsum("bo,bi->oi", grad_y, self.x)
        self.grads = {
            "down": self.scale * self.params["up"].T @ grad_merged,
            "up": self.scale * grad_merged @ self.params["down"].T,
        }
        return grad_y @ self.merged


class TwoLayers(Stub):
    """Two of lesson 04's layers, with their biases at 0."""

    def forward(self, x):
        rank, n_in = self.params["down"].shape
        self.first, self.second = Linear(n_in, rank), Linear(rank, len(self.params["up"]))
        self.first.params = {"weight": self.params["down"], "bias": torch.zeros(rank)}
        self.second.params = {"weight": self.params["up"], "bias": torch.zeros(len(self.params["up"]))}
        return self.frozen.forward(x) + self.second.forward(self.first.forward(x)) * self.scale

    def backward(self, grad_y):
        grad_x = self.first.backward(self.second.backward(self.scale * grad_y))
        self.grads = {"down": self.first.grads["weight"], "up": self.second.grads["weight"]}
        return grad_x + grad_y @ self.frozen.params["weight"]


class NoScale(TwoLayers):
    def backward(self, grad_y):
        down, up = self.params["down"], self.params["up"]
        self.grads = {"up": grad_y.T @ (self.first.x @ down.T), "down": (grad_y @ up).T @ self.first.x}
        return grad_y @ (self.frozen.params["weight"] + up @ down)


class AdapterOnly(TwoLayers):
    def backward(self, grad_y):
        grad_x = self.first.backward(self.second.backward(self.scale * grad_y))
        self.grads = {"down": self.first.grads["weight"], "up": self.second.grads["weight"]}
        return grad_x


class FrozenOnly(Merged):
    def backward(self, grad_y):
        super().backward(grad_y)
        return torch.einsum("bo,oi->bi", grad_y, self.frozen.params["weight"])


class AllOfIt(Merged):
    def forward(self, x):
        self.frozen.forward(x)
        return super().forward(x)

    def backward(self, grad_y):
        self.frozen.backward_params(grad_y)
        return super().backward(grad_y)


class Collects(Merged):
    def backward(self, grad_y):
        old = dict(self.grads)
        grad_x = super().backward(grad_y)
        for name in old:
            self.grads[name] = self.grads[name] + old[name]
        return grad_x


class IntoTheWeight(Merged):
    """Merges for good: every forward pass adds the adapter once more."""

    def forward(self, x):
        y = super().forward(x)
        self.frozen.params["weight"].copy_(self.merged)
        return y


RIGHT = [Merged, TwoLayers]
WRONG = [
    ("scale forgotten in backward", NoScale),
    ("frozen path missing", AdapterOnly),
    ("adapter's path missing", FrozenOnly),
    ("frozen gradients computed", AllOfIt),
    ("gradient not reset", Collects),
    ("", IntoTheWeight),
]
