"""Answers to exercise 18a as learners write them."""

import torch
from torch import Tensor
from torch.autograd import Function


def sigmoid(u: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-u))


def losses(z: Tensor, target: Tensor) -> Tensor:
    """ln(1 + e^u) without a large e^u."""
    u = -z * target
    return u.clamp(min=0) + torch.log(1 + torch.exp(-u.abs()))


class Attributes(Function):
    @staticmethod
    def forward(ctx, z, target):
        ctx.slope = -target * sigmoid(-z * target) / target.numel()
        return losses(z, target).mean()

    @staticmethod
    def backward(ctx, grad_loss):
        return grad_loss * ctx.slope, None


class ByProbability(Function):
    """As (p − yes) / count, lesson 05's slope: the targets 1 and −1 made 1 and 0."""

    @staticmethod
    def forward(ctx, z, target):
        ctx.z, ctx.yes = z.clone(), target > 0
        return losses(z, target).sum() / len(z) / z.shape[1]

    @staticmethod
    def backward(ctx, grad_loss):
        p = sigmoid(ctx.z)
        return torch.where(ctx.yes, p - 1, p) / ctx.z.numel() * grad_loss, None


class ForgotTheMean(Attributes):
    @staticmethod
    def backward(ctx, grad_loss):
        return ctx.slope * len(ctx.slope.flatten()) * grad_loss, None


class NothingFromAbove(Attributes):
    @staticmethod
    def backward(ctx, grad_loss):
        return ctx.slope, None


class Uphill(ByProbability):
    @staticmethod
    def backward(ctx, grad_loss):
        p = sigmoid(ctx.z)
        return torch.where(ctx.yes, 1 - p, -p) / ctx.z.numel() * grad_loss, None


class NoTarget(Function):
    @staticmethod
    def forward(ctx, z, target):
        ctx.u = -z * target
        return losses(z, target).mean()

    @staticmethod
    def backward(ctx, grad_loss):
        return -sigmoid(ctx.u) / ctx.u.numel() * grad_loss, None


class OnTheClass(Function):
    @staticmethod
    def forward(ctx, z, target):
        OnTheClass.slope = -target * sigmoid(-z * target) / target.numel()
        return losses(z, target).mean()

    @staticmethod
    def backward(ctx, grad_loss):
        return grad_loss * OnTheClass.slope, None


class LinearInsteadOfSoft(Attributes):
    @staticmethod
    def backward(ctx, grad_loss):
        return ctx.slope.sign() / ctx.slope.numel() * grad_loss, None


RIGHT = [Attributes, ByProbability]
WRONG = [
    ("mean forgotten", ForgotTheMean),
    ("upstream gradient ignored", NothingFromAbove),
    ("sign", Uphill),
    ("target forgotten in the slope", NoTarget),
    ("kept beside ctx", OnTheClass),
    ("", LinearInsteadOfSoft),
]
