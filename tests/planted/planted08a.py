"""Answers to exercise 08a as learners write them."""

import torch
from torch import Tensor

from lessons.exercises.exercise08a_skip_network import SkipNetwork


class OneExampleAtATime(SkipNetwork):
    def backward(self, grad_y: Tensor) -> Tensor:
        self.grads = {name: torch.zeros_like(param) for name, param in self.params.items()}
        grad_x = torch.zeros_like(self.x)
        for i, g in enumerate(grad_y):
            blame = torch.where(self.z[i] > 0, self.params["weight2"].T @ g, torch.zeros(()))
            found = {"weight1": torch.outer(blame, self.x[i]), "bias1": blame}
            found |= {"weight2": torch.outer(g, self.h[i]), "bias2": g, "skip": torch.outer(g, self.x[i])}
            for name, value in found.items():
                self.grads[name] += value
            grad_x[i] = self.params["weight1"].T @ blame + self.params["skip"].T @ g
        return grad_x


class Indices(SkipNetwork):
    def backward(self, grad_y: Tensor) -> Tensor:
        p, x, e = self.params, self.x, torch.einsum
        on = self.h.sign()
        g = e("bo,oh,bh->bh", grad_y, p["weight2"], on)
        self.grads["skip"], self.grads["bias2"] = e("bo,bi->oi", grad_y, x), e("bo->o", grad_y)
        self.grads["weight2"], self.grads["bias1"] = e("bo,bh->oh", grad_y, self.h), e("bh->h", g)
        self.grads["weight1"] = e("bh,bi->hi", g, x)
        return e("bh,hi->bi", g, p["weight1"]) + e("bo,oi->bi", grad_y, p["skip"])


def layers(net: SkipNetwork, g: Tensor, h_slope: Tensor, h: Tensor) -> Tensor:
    """Both paths with chosen slopes and activations; the gradient of x."""
    gh = (g @ net.params["weight2"]).mul(h_slope)
    net.grads = {
        "weight1": gh.T.mm(net.x),
        "bias1": gh.sum(dim=0),
        "weight2": g.T.mm(h),
        "bias2": g.sum(dim=0),
    }
    net.grads["skip"] = g.T.mm(net.x)
    return gh.mm(net.params["weight1"]).add(g.mm(net.params["skip"]))


class ForgotTheStraightRoad(SkipNetwork):
    def backward(self, grad_y: Tensor) -> Tensor:
        layers(self, grad_y, self.h.sign(), self.h)
        return (self.grads["bias1"] * 0 + (grad_y @ self.params["weight2"]) * self.h.sign()) @ self.params[
            "weight1"
        ]


class ForgotTheSlope(SkipNetwork):
    def backward(self, grad_y: Tensor) -> Tensor:
        return layers(self, grad_y, torch.ones(self.h.shape), self.h)


class OnAtTheKink(SkipNetwork):
    def backward(self, grad_y: Tensor) -> Tensor:
        return layers(self, grad_y, 1.0 - (self.z < 0).to(grad_y.dtype), self.h)


class SumForActivation(SkipNetwork):
    def backward(self, grad_y: Tensor) -> Tensor:
        return layers(self, grad_y, self.h.sign(), self.x @ self.params["weight1"].T + self.params["bias1"])


class ForgotTheUpstream(SkipNetwork):
    def backward(self, grad_y: Tensor) -> Tensor:
        return layers(self, grad_y / grad_y, self.h.sign(), self.h)


class Divides(SkipNetwork):
    def backward(self, grad_y: Tensor) -> Tensor:
        grad_x = layers(self, grad_y, self.h.sign(), self.h)
        for grad in self.grads.values():
            grad /= self.x.shape[0]
        return grad_x


class BiasOfBothPaths(SkipNetwork):
    def backward(self, grad_y: Tensor) -> Tensor:
        grad_x = layers(self, grad_y, self.h.sign(), self.h)
        self.grads["bias2"] = self.grads["bias2"] * 2
        return grad_x


RIGHT = [OneExampleAtATime, Indices]
WRONG = [
    ("skip forgotten in the gradient of x", ForgotTheStraightRoad),
    ("activation derivative missing", ForgotTheSlope),
    ("wrong at exactly 0", OnAtTheKink),
    ("sum taken for the activation", SumForActivation),
    ("upstream gradient ignored", ForgotTheUpstream),
    ("mean taken twice", Divides),
    ("", BiasOfBothPaths),
]
