"""Answers to exercise 07b as learners write them."""

import torch


def one_hot(function, x, eps=1e-6):
    """Adds a tensor that is `eps` in one place. x is never touched."""
    nudges = (eps * torch.eye(x.numel(), dtype=x.dtype)).view(-1, *x.shape)
    slopes = [(function(x + nudge) - function(x - nudge)) / (2 * eps) for nudge in nudges]
    return torch.stack(slopes).view(x.shape)


def plus_minus_plus(function, x, eps=1e-6):
    grad = x.clone()
    for i in range(x.numel()):
        x.view(-1)[i] += eps
        up = function(x)
        x.view(-1)[i] -= 2 * eps
        down = function(x)
        x.view(-1)[i] += eps
        grad.view(-1)[i] = (up - down) / eps / 2
    return grad


def another_name_for_the_view(function, x, eps=1e-6):
    grad, flat = torch.zeros_like(x), x.view(-1)
    for i in range(x.numel()):
        before = flat[i : i + 1].squeeze()
        flat[i] = before + eps
        up = function(x)
        flat[i] = before - eps
        grad.view(-1)[i] = (up - function(x)) / (2 * eps)
    return grad


def divided_by_eps(function, x, eps=1e-6):
    """The tempting repair: the view stays, the 2 goes."""
    grad, flat = torch.zeros_like(x), x.view(-1)
    for i in range(x.numel()):
        before = flat[i]
        flat[i] = before + eps
        up = function(x)
        flat[i] = before - eps
        grad.view(-1)[i] = (up - function(x)) / eps
    return grad


def both_repairs(function, x, eps=1e-6):
    grad, flat = torch.zeros_like(x), x.view(-1)
    for i in range(x.numel()):
        before = flat[i].clone()
        flat[i] = before + eps
        up = function(x)
        flat[i] = before - eps
        grad.view(-1)[i] = (up - function(x)) / eps
        flat[i] = before
    return grad


def never_put_back(function, x, eps=1e-6):
    grad, flat = torch.zeros_like(x), x.view(-1)
    for i in range(x.numel()):
        flat[i] += eps
        up = function(x)
        flat[i] -= 2 * eps
        grad.view(-1)[i] = (up - function(x)) / (2 * eps)
    return grad


def down_minus_up(function, x, eps=1e-6):
    return -one_hot(function, x, eps)


def all_at_once(function, x, eps=1e-6):
    return torch.full_like(x, ((function(x + eps) - function(x - eps)) / (2 * eps)).item())


def up_stays(function, x, eps=1e-6):
    """Takes one step back where two are needed, and then one more."""
    grad, flat = torch.zeros_like(x), x.view(-1)
    for i in range(x.numel()):
        flat[i] += eps
        up = function(x)
        flat[i] -= eps
        grad.view(-1)[i] = (up - function(x)) / (2 * eps)
        flat[i] -= eps
    return grad


RIGHT = [one_hot, plus_minus_plus]
WRONG = [
    ("view kept instead of the number", another_name_for_the_view),
    ("forward difference", divided_by_eps),
    ("divided by one nudge instead of two", both_repairs),
    ("input changed in place", never_put_back),
    ("sign", down_minus_up),
    ("", all_at_once),
    ("", up_stays),
]
