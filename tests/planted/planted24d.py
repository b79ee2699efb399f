"""Answers to exercise 24d as learners write them."""

import torch
from torch.nn import functional as F


def with_try(model, x, target):
    was = model.training
    try:
        return F.cross_entropy(model.eval()(x), target).detach()
    finally:
        model.train(was)


@torch.no_grad()
def decorated(model, x, target):
    was = model.training
    model.train(False)
    logits = model(x)
    model.train(was)
    return -F.log_softmax(logits, 1).gather(1, target[:, None]).mean()


def detached(model, x, target):
    return F.cross_entropy(model(x), target).detach()


def as_it_was(model, x, target):
    return F.cross_entropy(model(x), target)


def stays_in_use(model, x, target):
    with torch.no_grad():
        return F.cross_entropy(model.eval()(x), target)


def back_to_training(model, x, target):
    loss = stays_in_use(model, x, target)
    model.train()
    return loss


def with_a_graph(model, x, target):
    was = model.training
    loss = F.cross_entropy(model.eval()(x), target)
    model.train(was)
    return loss


def summed(model, x, target):
    return with_try(model, x, target) * len(x)


RIGHT = [with_try, decorated]
WRONG = [
    ("neither eval() nor no_grad()", as_it_was),
    ("no_grad() in place of eval()", detached),
    ("eval() without no_grad()", with_a_graph),
    ("left in eval mode", stays_in_use),
    ("train() although it was in use", back_to_training),
    ("", summed),
]
