"""Answers to exercise 21b as learners write them."""

import torch

from lessons.lesson06_cross_entropy import CrossEntropyLoss


def gradient(model, x, target):
    loss = CrossEntropyLoss()
    loss.forward(model.forward(x), target)
    return model.backward(loss.backward())


def size(rows):
    return (rows * rows).sum(1, keepdim=True).sqrt() + 1e-14


def copied(model, x, target, eps, box):
    moved = x.clone()
    for _ in range(10):
        g = gradient(model, moved, target)
        moved += g * (eps / 4 / size(g))
        change = moved - x
        moved = (x + change / (size(change) / eps).clamp(min=1)).clamp(*box)
    return moved


def only_the_change(model, x, target, eps, box):
    change = torch.zeros_like(x)
    for _ in range(10):
        g = gradient(model, x + change, target)
        change = change + eps / 4 * g / size(g)
        change = torch.where(size(change) > eps, eps * change / size(change), change)
        change = (x + change).clamp(*box) - x
    return x + change


def still_in_place(model, x, target, eps, box):
    first = gradient(model, x, target)
    x += eps / 4 * first / size(first)
    moved = x.clamp(*box)
    for _ in range(9):
        g = gradient(model, moved, target)
        change = moved + eps / 4 * g / size(g) - x
        moved = (x + torch.where(size(change) > eps, eps * change / size(change), change)).clamp(*box)
    return moved


def no_way_back(model, x, target, eps, box):
    moved = x.clone()
    for _ in range(10):
        before = moved.clone()
        g = gradient(model, moved, target)
        change = moved + eps / 4 * g / size(g) - before
        moved = (before + change * torch.clamp(eps / size(change), max=1)).clamp(*box)
    return moved


def to_the_edge(model, x, target, eps, box):
    moved = x.clone()
    for _ in range(10):
        g = gradient(model, moved, target)
        change = moved + eps / 4 * g / size(g) - x
        moved = (x + eps * change / size(change)).clamp(*box)
    return moved


def pixel_by_pixel(model, x, target, eps, box):
    moved = x.clone()
    for _ in range(10):
        g = gradient(model, moved, target)
        moved = torch.clamp(moved + eps / 4 * g / size(g), x - eps, x + eps).clamp(*box)
    return moved


def once_at_the_end(model, x, target, eps, box):
    moved = x.clone()
    for _ in range(10):
        g = gradient(model, moved, target)
        moved = (moved + eps / 4 * g / size(g)).clamp(*box)
    change = moved - x
    return x + change * (eps / size(change)).clamp(max=1)


RIGHT = [copied, only_the_change]
WRONG = [
    ("input changed in place", still_in_place),
    ("measured from the last place", no_way_back),
    ("always out to the edge", to_the_edge),
    ("each pixel bounded", pixel_by_pixel),
    ("", once_at_the_end),
]
