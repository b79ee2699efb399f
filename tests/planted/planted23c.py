"""Answers to exercise 23c as learners write them."""

import itertools

import torch


def order_of(size, epoch, seed):
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed + epoch))


def with_tensors(size, rank, count, epoch, seed):
    order = order_of(size, epoch, seed)
    missing = (count - size % count) % count
    return torch.cat([order, order[:missing]]).view(-1, count)[:, rank].tolist()


def with_cycle(size, rank, count, epoch, seed):
    each = (size + count - 1) // count
    endless = itertools.cycle(order_of(size, epoch, seed).tolist())
    return list(itertools.islice(endless, each * count))[rank::count]


def set_epoch_forgotten(size, rank, count, epoch, seed):
    return with_tensors(size, rank, count, 0, seed)


def seeded_by_rank(size, rank, count, epoch, seed):
    return with_cycle(size, rank, count, epoch + rank, seed)


def in_blocks(size, rank, count, epoch, seed):
    order = order_of(size, epoch, seed)
    order = torch.cat([order, order[: -size % count]])
    return order.chunk(count)[rank].tolist()


def unequal(size, rank, count, epoch, seed):
    return order_of(size, epoch, seed)[rank::count].tolist()


def drop_last(size, rank, count, epoch, seed):
    order = order_of(size, epoch, seed)
    return order[: size // count * count][rank::count].tolist()


def last_again(size, rank, count, epoch, seed):
    order = order_of(size, epoch, seed).tolist()
    while len(order) % count:
        order.append(order[-1])
    return order[rank::count]


def not_shuffled(size, rank, count, epoch, seed):
    order = list(range(size))
    return (order + order[: -size % count])[rank::count]


def filled_with_zeros(size, rank, count, epoch, seed):
    order = order_of(size, epoch, seed).tolist() + [0] * (-size % count)
    return order[rank::count]


RIGHT = [with_tensors, with_cycle]
WRONG = [
    ("the same order in every epoch", set_epoch_forgotten),
    ("each worker its own order", seeded_by_rank),
    ("blocks in place of every n-th", in_blocks),
    ("shares of unequal size", unequal),
    ("what does not fit is dropped", drop_last),
    ("filled up with the last in place of the first", last_again),
    ("", not_shuffled),
    ("", filled_with_zeros),
]
