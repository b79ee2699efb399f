"""Answers to exercise 23a as learners write them."""

import torch


def worker_by_worker(parts):
    held, history, distance = parts, [parts], 1
    while distance < len(parts):
        rows = []
        for rank in range(len(parts)):
            partner = rank - distance if (rank // distance) % 2 else rank + distance
            rows.append(held[rank] + held[partner])
        held = torch.stack(rows)
        history.append(held)
        distance *= 2
    return history


def pair_by_pair(parts):
    held, history, distance = parts.clone(), [parts.clone()], 1
    while distance < len(parts):
        for low in range(len(parts)):
            if not low & distance:
                both = held[low] + held[low + distance]
                held[low], held[low + distance] = both, both
        history.append(held.clone())
        distance *= 2
    return history


def too_early(parts):
    held, history, distance = parts.clone(), [parts], 1
    while distance < len(parts):
        for rank, row in enumerate(held):
            row.add_(held[rank ^ distance])
        history.append(held.clone())
        distance *= 2
    return history


def always_to_the_right(parts):
    n, history, distance = len(parts), [parts], 1
    while distance < n:
        last = history[-1]
        history.append(torch.stack([last[rank] + last[(rank - distance) % n] for rank in range(n)]))
        distance *= 2
    return history


def large_steps_first(parts):
    history, distance = [parts], len(parts) // 2
    while distance:
        last = history[-1]
        history.append(torch.stack([last[r] + last[r ^ distance] for r in range(len(parts))]))
        distance //= 2
    return history


def one_tensor(parts):
    held, history, distance = parts.clone(), [], 1
    history.append(held)
    while distance < len(parts):
        held += held[[rank ^ distance for rank in range(len(parts))]]
        history.append(held)
        distance *= 2
    return history


def averages(parts):
    history, distance = [parts], 1
    while distance < len(parts):
        last = history[-1]
        history.append((last + last[[rank ^ distance for rank in range(len(parts))]]) / 2)
        distance *= 2
    return history


def replaces(parts):
    history, distance = [parts], 1
    while distance < len(parts):
        history.append(history[-1][[rank ^ distance for rank in range(len(parts))]])
        distance *= 2
    return history


def never_stops_in_time(parts):
    history = worker_by_worker(parts)
    return [*history, 2 * history[-1]]


RIGHT = [worker_by_worker, pair_by_pair]
WRONG = [
    ("letters opened before all were posted", too_early),
    ("neighbour in place of partner", always_to_the_right),
    ("farthest partner first", large_steps_first),
    ("history not copied", one_tensor),
    ("mean taken in every turn", averages),
    ("", replaces),
    ("", never_stops_in_time),
]
