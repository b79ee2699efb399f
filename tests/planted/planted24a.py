"""Answers to exercise 24a as learners write them."""

import torch


def by_examples(weight, velocity, delta, h, lr, momentum, decay):
    velocity *= momentum
    for slopes, read in zip(delta, h, strict=True):
        velocity.addr_(slopes, read, alpha=1 / len(h))
    velocity.add_(weight, alpha=decay)
    weight.sub_(velocity, alpha=lr)


def decay_first(weight, velocity, delta, h, lr, momentum, decay):
    velocity.mul_(momentum / decay).add_(weight)
    torch.addmm(velocity, delta.T, h, beta=decay, alpha=1 / h.shape[0], out=velocity)
    torch.add(weight, velocity, alpha=-lr, out=weight)


def sums(weight, velocity, delta, h, lr, momentum, decay):
    velocity.mul_(momentum).add_(weight, alpha=decay).addmm_(delta.T, h)
    weight.sub_(velocity, alpha=lr)


def as_in_the_lesson(weight, velocity, delta, h, lr, momentum, decay):
    velocity.mul_(momentum).addmm_(delta.T, h, alpha=-lr / len(h)).sub_(weight, alpha=lr * decay)
    weight.add_(velocity)


def never_fades(weight, velocity, delta, h, lr, momentum, decay):
    velocity.addmm_(delta.T, h, alpha=1 / len(h))
    velocity.add_(weight, alpha=decay)
    weight.sub_(velocity, alpha=lr)


def like_adamw(weight, velocity, delta, h, lr, momentum, decay):
    velocity.addmm_(delta.T, h, beta=momentum, alpha=1 / len(h))
    weight.sub_(weight, alpha=lr * decay).sub_(velocity, alpha=lr)


def no_decay(weight, velocity, delta, h, lr, momentum, decay):
    velocity.addmm_(delta.T, h, beta=momentum, alpha=1 / len(h))
    weight.sub_(velocity, alpha=lr)


def mean_into_delta(weight, velocity, delta, h, lr, momentum, decay):
    delta /= len(delta)
    velocity.addmm_(delta.T, h, beta=momentum).add_(weight, alpha=decay)
    weight.sub_(velocity, alpha=lr)


def with_a_gradient(weight, velocity, delta, h, lr, momentum, decay):
    grad = torch.einsum("no,ni->oi", delta, h) / len(h)
    velocity.copy_(momentum * velocity + grad + decay * weight)
    weight -= lr * velocity


def names_only(weight, velocity, delta, h, lr, momentum, decay):
    """Gives new tensors to its own names; the caller's stay as they were."""
    velocity = momentum * velocity + delta.T @ h / len(h) + decay * weight
    weight = weight - lr * velocity


def running_average(weight, velocity, delta, h, lr, momentum, decay):
    velocity.addmm_(delta.T, h, beta=momentum, alpha=(1 - momentum) / len(h)).add_(weight, alpha=decay)
    weight.sub_(velocity, alpha=lr)


RIGHT = [by_examples, decay_first]
WRONG = [
    ("mean forgotten", sums),
    ("learning rate inside the velocity", as_in_the_lesson),
    ("old velocity kept in full", never_fades),
    ("weight decay on the wrong side", like_adamw),
    ("weight decay forgotten", no_decay),
    ("input changed in place", mean_into_delta),
    ("gradient stored", with_a_gradient),
    ("", names_only),
    ("", running_average),
]
