"""Answers to exercise 21a as learners write them."""

import torch

from lessons.lesson06_cross_entropy import CrossEntropyLoss


def gradient(model, x, wanted):
    loss = CrossEntropyLoss()
    loss.forward(model.forward(x), wanted)
    return model.backward(loss.backward())


def picture_by_picture(model, x, wanted, eps, box):
    low, high = box
    rows = []
    for i in range(len(x)):
        g = gradient(model, x[i : i + 1], wanted[i : i + 1])[0]
        size = (g * g).sum().sqrt()
        row = x[i] - g * (eps / size) if size > 0 else x[i]
        rows.append(torch.maximum(torch.minimum(row, torch.tensor(high)), torch.tensor(low)))
    return torch.stack(rows)


def where_there_is_a_slope(model, x, wanted, eps, box):
    g = gradient(model, x, wanted)
    size = torch.sqrt((g**2).sum(1))[:, None]
    return torch.clamp(x - eps * torch.where(size == 0, 0.0, g / size), box[0], box[1])


def away(model, x, wanted, eps, box):
    g = gradient(model, x, wanted)
    return (x + eps * g / torch.sqrt((g**2).sum(1, keepdim=True)).clamp(min=1e-12)).clamp(*box)


def one_for_all(model, x, wanted, eps, box):
    g = gradient(model, x, wanted)
    total = (g * g).sum().sqrt()
    return (x - eps * (g / total if total > 0 else g)).clamp(*box)


def plain_descent(model, x, wanted, eps, box):
    return (x - gradient(model, x, wanted) * eps).clamp(*box)


def like_fgsm(model, x, wanted, eps, box):
    g = gradient(model, x, wanted)
    return (x + torch.where(g > 0, -eps, torch.where(g < 0, eps, 0.0))).clamp(*box)


def out_of_the_box(model, x, wanted, eps, box):
    g = gradient(model, x, wanted)
    return x - eps * g / (g * g).sum(1, keepdim=True).sqrt().clamp(min=1e-12)


def in_place(model, x, wanted, eps, box):
    g = gradient(model, x, wanted)
    x -= eps * g / (g * g).sum(1, keepdim=True).sqrt().clamp(min=1e-12)
    return x.clamp_(*box)


def sum_of_sizes(model, x, wanted, eps, box):
    g = gradient(model, x, wanted)
    return (x - eps * g / g.abs().sum(1, keepdim=True).clamp(min=1e-12)).clamp(*box)


def nothing_by_nothing(model, x, wanted, eps, box):
    g = gradient(model, x, wanted)
    return (x - eps * g / g.norm(dim=1, keepdim=True)).clamp(*box)


def a_small_number_for_all(model, x, wanted, eps, box):
    g = gradient(model, x, wanted)
    return (x - eps * g / (g.norm(dim=1, keepdim=True) + 1e-8)).clamp(*box)


RIGHT = [picture_by_picture, where_there_is_a_slope]
WRONG = [
    ("sign", away),
    ("length of the whole batch", one_for_all),
    ("not divided by the length", plain_descent),
    ("sign of the slope taken", like_fgsm),
    ("not kept in the box", out_of_the_box),
    ("input changed in place", in_place),
    ("", sum_of_sizes),
    ("", nothing_by_nothing),
    ("", a_small_number_for_all),
]
