"""Answers to exercise 20b as learners write them."""

import torch

from lessons.lesson06_cross_entropy import CrossEntropyLoss


def mean_loss(last, h, target):
    return CrossEntropyLoss().forward(last.forward(h), target)


def masked(last, h, target):
    losses = [mean_loss(last, h * (torch.arange(h.shape[1]) != unit), target) for unit in range(h.shape[1])]
    return torch.stack(losses) - mean_loss(last, h, target)


def taken_from_the_logits(last, h, target):
    """No layer is run again: without unit j, the logits lack h_j times its column of weights."""
    logits = last.forward(h)
    lacking = torch.einsum("bj,kj->jbk", h, last.params["weight"])
    whole = CrossEntropyLoss().forward(logits, target)
    return torch.stack([CrossEntropyLoss().forward(logits - part, target) - whole for part in lacking])


def put_back_too_early(last, h, target):
    whole, costs = mean_loss(last, h, target), []
    for unit in range(h.shape[1]):
        h[:, : unit + 1] = 0
        costs.append(mean_loss(last, h, target) - whole)
    return torch.stack(costs)


def cloned_once(last, h, target):
    without, costs = h.clone(), []
    for unit in range(h.shape[1]):
        without[:, unit] = 0
        costs.append(mean_loss(last, without, target) - mean_loss(last, h, target))
    return torch.stack(costs)


def only_that_unit(last, h, target):
    losses = [mean_loss(last, h * (torch.arange(h.shape[1]) == unit), target) for unit in range(h.shape[1])]
    return torch.stack(losses) - mean_loss(last, h, target)


def just_the_losses(last, h, target):
    return masked(last, h, target) + mean_loss(last, h, target)


def the_other_way_round(last, h, target):
    return mean_loss(last, h, target) - just_the_losses(last, h, target)


def summed(last, h, target):
    criterion, costs = CrossEntropyLoss("sum"), []
    for unit in range(h.shape[1]):
        without = h.clone()
        without[:, unit] = 0
        loss = criterion.forward(last.forward(without), target)
        costs.append(loss - criterion.forward(last.forward(h), target))
    return torch.stack(costs)


def set_to_its_mean(last, h, target):
    costs = []
    for unit in range(h.shape[1]):
        without = h.clone()
        without[:, unit] = h[:, unit].mean() / 2
        costs.append(mean_loss(last, without, target) - mean_loss(last, h, target))
    return torch.stack(costs)


def switched_off_in_the_weights(last, h, target):
    whole, costs = mean_loss(last, h, target), []
    for unit in range(h.shape[1]):
        last.params["weight"][:, unit] = 0
        costs.append(mean_loss(last, h, target) - whole)
    return torch.stack(costs)


RIGHT = [masked, taken_from_the_logits]
WRONG = [
    ("input changed in place", put_back_too_early),
    ("units not switched on again", cloned_once),
    ("all others silenced", only_that_unit),
    ("loss instead of its rise", just_the_losses),
    ("sign", the_other_way_round),
    ("mean forgotten", summed),
    ("", set_to_its_mean),
    ("", switched_off_in_the_weights),
]
