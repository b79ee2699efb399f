"""Answers to exercise 08b as learners write them."""

import torch
from torch import Tensor

Params = dict[str, Tensor]


def copied(params: Params, x: Tensor, target: Tensor, lr: float) -> Tensor:
    old = {name: value.clone() for name, value in params.items()}
    h = torch.tanh(torch.addmm(old["bias1"], x, old["weight1"].T))
    error = torch.addmm(old["bias2"], h, old["weight2"].T) - target
    grad_y = error * (2 / error.numel())
    params["weight2"] -= lr * grad_y.T @ h
    params["bias2"] -= lr * grad_y.sum(0)
    grad_z = (grad_y @ old["weight2"]) * (1 - h) * (1 + h)
    params["weight1"] -= lr * grad_z.T @ x
    params["bias1"] -= lr * grad_z.sum(0)
    return error.square().sum() / error.numel()


def gradients(params: Params, x: Tensor, target: Tensor) -> tuple[Tensor, Params]:
    h = torch.tanh(x @ params["weight1"].T + params["bias1"])
    error = h @ params["weight2"].T + params["bias2"] - target
    g2 = 2 * error / error.numel()
    g1 = torch.einsum("bo,oh,bh->bh", g2, params["weight2"], 1 - h * h)
    grads = {"weight1": g1.T @ x, "bias1": g1.sum(0), "weight2": g2.T @ h, "bias2": g2.sum(0)}
    return error.pow(2).mean(), grads


def first_layer_first(params: Params, x: Tensor, target: Tensor, lr: float) -> float:
    loss, grads = gradients(params, x, target)
    for name in grads:
        params[name].copy_(params[name] - lr * grads[name])
    return loss.item()


def still_too_late(params: Params, x: Tensor, target: Tensor, lr: float) -> Tensor:
    loss, grads = gradients(params, x, target)
    for name in ("weight2", "bias2"):
        h_old = torch.tanh(x @ params["weight1"].T + params["bias1"])
        params[name] -= lr * grads[name]
    error = (
        h_old @ (params["weight2"] + lr * grads["weight2"]).T + params["bias2"] + lr * grads["bias2"] - target
    )
    blame = 2 * error / error.numel() @ params["weight2"] * (1 - h_old**2)
    params["weight1"] -= lr * blame.T @ x
    params["bias1"] -= lr * blame.sum(0)
    return loss


def no_slope(params: Params, x: Tensor, target: Tensor, lr: float) -> Tensor:
    loss, grads = gradients(params, x, target)
    h = torch.tanh(x @ params["weight1"].T + params["bias1"])
    g2 = 2 * (h @ params["weight2"].T + params["bias2"] - target) / target.numel()
    grads["weight1"], grads["bias1"] = (g2 @ params["weight2"]).T @ x, (g2 @ params["weight2"]).sum(0)
    for name, grad in grads.items():
        params[name].sub_(lr * grad)
    return loss


def no_mean(params: Params, x: Tensor, target: Tensor, lr: float) -> Tensor:
    loss, grads = gradients(params, x, target)
    for name, grad in grads.items():
        params[name].sub_(lr * grad * (target.shape[0] * target.shape[1]))
    return loss


def mean_over_examples(params: Params, x: Tensor, target: Tensor, lr: float) -> Tensor:
    loss, grads = gradients(params, x, target)
    for name, grad in grads.items():
        params[name] -= lr * grad * target.numel() / len(target)
    return loss


def uphill(params: Params, x: Tensor, target: Tensor, lr: float) -> Tensor:
    loss, grads = gradients(params, x, target)
    for name, grad in grads.items():
        params[name].add_(grad, alpha=lr)
    return loss


def second_layer_looks_again(params: Params, x: Tensor, target: Tensor, lr: float) -> Tensor:
    loss, grads = gradients(params, x, target)
    for names in (("weight1", "bias1"), ("weight2", "bias2")):
        grads = gradients(params, x, target)[1]
        for name in names:
            params[name] -= lr * grads[name]
    return loss


RIGHT = [copied, first_layer_first]
WRONG = [
    ("weight changed before the blame went through it", still_too_late),
    ("activation derivative missing", no_slope),
    ("mean forgotten", no_mean),
    ("mean over the examples only", mean_over_examples),
    ("sign", uphill),
    ("", second_layer_looks_again),
]
