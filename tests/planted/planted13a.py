"""Answers to exercise 13a as learners write them."""

import math


def with_if(lr, step, steps, power=1.0):
    if step >= steps:
        return 0.0
    return lr * math.pow((steps - step) / steps, power)


def clamped(lr, step, steps, power=1.0):
    done = min(step, steps)
    return lr * (1 - done / steps) ** power


def counts_from_one(lr, step, steps, power=1.0):
    left = max(steps - step - 1, 0) / steps
    return lr * left**power


def raises_everything(lr, step, steps, power=1.0):
    return (lr * max(1 - step / steps, 0)) ** power


def raises_the_past(lr, step, steps, power=1.0):
    past = min(step / steps, 1)
    return lr - lr * past**power


def multiplies(lr, step, steps, power=1.0):
    return power * lr * max(0, 1 - step / steps)


def stays(lr, step, steps, power=1.0):
    return lr


RIGHT = [with_if, clamped]
WRONG = [
    ("one step ahead", counts_from_one),
    ("the rate raised to the power, not the share", raises_everything),
    ("the share of past steps raised to the power", raises_the_past),
    ("times the power", multiplies),
    ("", stays),
]
