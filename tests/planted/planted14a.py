"""Answers to exercise 14a as learners write them."""

import math

import torch


def with_power(weight):
    bound = (3 / weight.size(1)) ** 0.5
    return weight.uniform_(-bound, bound)


def from_its_deviation(weight):
    deviation = 1 / math.sqrt(weight.shape[-1])
    bound = math.sqrt(3) * deviation
    weight.uniform_(-bound, bound)
    return weight


def first_of_the_shape(weight):
    bound = (3 / weight.shape[0]) ** 0.5
    return weight.uniform_(-bound, bound)


def forgot_the_three(weight):
    return weight.uniform_(-(weight.shape[1] ** -0.5), weight.shape[1] ** -0.5)


def no_root(weight):
    b = 3 / weight.shape[1]
    return weight.uniform_(-b, b)


def for_relu(weight):
    b = math.sqrt(3) * math.sqrt(2 / weight.shape[1])
    return weight.uniform_(-b, b)


def from_the_bell_curve(weight):
    return weight.normal_(0, weight.shape[1] ** -0.5)


def new_tensor(weight):
    b = math.sqrt(3 / weight.shape[1])
    return torch.empty_like(weight).uniform_(0, b)


RIGHT = [with_power, from_its_deviation]
WRONG = [
    ("n_out in place of n_in", first_of_the_shape),
    ("deviation taken for the bound", forgot_the_three),
    ("root forgotten", no_root),
    ("twice the variance, as before ReLU", for_relu),
    ("", from_the_bell_curve),
    ("", new_tensor),
]
