"""Answers to exercise 17a as learners write them."""

import torch
from torch import Tensor


def row_by_row(logits: Tensor, target: Tensor) -> Tensor:
    hits = [0] * logits.shape[1]
    for row, right in zip(logits.tolist(), target.tolist(), strict=True):
        place = sorted(row, reverse=True).index(row[right])
        for k in range(place, len(row)):
            hits[k] += 1
    return torch.tensor(hits, dtype=logits.dtype) / len(target)


def added_up(logits: Tensor, target: Tensor) -> Tensor:
    at_place = logits.argsort(1, descending=True) == target[:, None]
    return at_place.to(logits.dtype).cumsum(1).mean(0)


def counted_itself_out(logits: Tensor, target: Tensor) -> Tensor:
    before = torch.stack([(row > row[t]).sum() for row, t in zip(logits, target, strict=True)])
    return torch.stack([(before <= k).sum() / len(target) for k in range(1, logits.shape[1] + 1)])


def sorted_upwards(logits: Tensor, target: Tensor) -> Tensor:
    at_place = logits.argsort(1) == target[:, None]
    return at_place.to(logits.dtype).cumsum(1).mean(0)


def did_not_add_up(logits: Tensor, target: Tensor) -> Tensor:
    at_place = logits.argsort(1, descending=True) == target[:, None]
    return at_place.to(logits.dtype).mean(0)


def counted(logits: Tensor, target: Tensor) -> Tensor:
    at_place = logits.argsort(1, descending=True) == target[:, None]
    return at_place.to(logits.dtype).cumsum(1).sum(0)


def in_float32(logits: Tensor, target: Tensor) -> Tensor:
    at_place = logits.argsort(1, descending=True) == target[:, None]
    return at_place.cumsum(1).float().mean(0)


def crossed_out(logits: Tensor, target: Tensor) -> Tensor:
    found, hits = torch.zeros(len(target), dtype=torch.bool), []
    for _ in range(logits.shape[1]):
        best = logits.argmax(1)
        found = found | (best == target)
        hits.append(found.to(logits.dtype).mean())
        logits[torch.arange(len(best)), best] = -1e9
    return torch.stack(hits)


def subtracted_in_place(logits: Tensor, target: Tensor) -> Tensor:
    rows = torch.arange(len(target))
    logits.sub_(logits[rows, target].clone()[:, None])
    before = (logits > 0).sum(1)
    return torch.stack([(before < k).to(logits.dtype).mean() for k in range(1, logits.shape[1] + 1)])


def mean_over_the_classes(logits: Tensor, target: Tensor) -> Tensor:
    at_place = logits.argsort(1, descending=True) == target[:, None]
    return at_place.to(logits.dtype).cumsum(1).sum(0) / logits.shape[1]


RIGHT = [row_by_row, added_up]
WRONG = [
    ("one place too many", counted_itself_out),
    ("smallest instead of largest", sorted_upwards),
    ("only those at place k, not those before", did_not_add_up),
    ("mean forgotten", counted),
    ("dtype lost", in_float32),
    ("input changed in place", subtracted_in_place),
    ("", mean_over_the_classes),
    ("", crossed_out),
]
