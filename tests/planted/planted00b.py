"""Answers to exercise 00b as learners write them."""

import torch


def multiplied_out(x):
    return {"v": x * 0 + 1, "u": 2 - 3 * x, "x": 4 * x - 3}


def step_by_step(x):
    u = 1 - 2 * x
    dy_dv = torch.ones_like(x)
    dv_du = 2 * u
    dy_du = dy_dv * dv_du + x
    return {"v": dy_dv, "u": dy_du, "x": dy_du * (-2) + u}


def v_alone(x):
    u = 1 - 2 * x
    through_v = 2 * u
    return {"v": torch.ones_like(x), "u": through_v, "x": through_v * -2 + u}


def forgot_the_direct_way(x):
    u = 1 - 2 * x
    du = 2 * u + x
    return {"v": torch.ones_like(x), "u": du, "x": du * -2}


def plus_two(x):
    u = 1 - 2 * x
    du = 2 * u + x
    return {"v": torch.ones_like(x), "u": du, "x": du * 2 + u}


def product_of_paths(x):
    u = 1 - 2 * x
    du = 2 * u + x
    return {"v": torch.ones_like(x), "u": du, "x": -2 * du * u}


def v_itself(x):
    u = 1 - 2 * x
    return {"v": u**2, "u": 2 * u + x, "x": -2 * (2 * u + x) + u}


RIGHT = [multiplied_out, step_by_step]
WRONG = [
    ("the way of u through the product is missing", v_alone),
    ("the way of x through the product is missing", forgot_the_direct_way),
    ("sign of the slope of u lost", plus_two),
    ("paths multiplied in place of added", product_of_paths),
    ("", v_itself),
]
