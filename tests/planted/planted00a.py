"""Answers to exercise 00a as learners write them."""

import torch


def with_loops(amounts, prices, fees, discounts):
    paid = torch.zeros(len(amounts), len(prices), dtype=amounts.dtype)
    for customer in range(len(amounts)):
        for shop in range(len(prices)):
            cost = (amounts[customer] * prices[shop]).sum() + fees[shop]
            paid[customer, shop] = cost * (1 - discounts[customer])
    return paid


def shop_by_shop(amounts, prices, fees, discounts):
    rest = 1 - discounts
    return (prices @ amounts.T * rest + fees.view(-1, 1) * rest).T


def with_unsqueeze(amounts, prices, fees, discounts):
    full = torch.matmul(amounts, prices.t()) + fees.unsqueeze(0)
    return full - full * discounts.unsqueeze(1)


def fee_later(amounts, prices, fees, discounts):
    fruit = amounts @ prices.T
    return fruit - fruit * discounts.reshape(-1, 1) + fees


def forgot_fee(amounts, prices, fees, discounts):
    rest = (1 - discounts).unsqueeze(-1)
    return rest * (amounts @ prices.T)


def only_the_discount(amounts, prices, fees, discounts):
    return discounts.unsqueeze(1) * (amounts @ prices.T + fees)


def no_transpose(amounts, prices, fees, discounts):
    return (amounts @ prices + fees) * (1 - discounts[:, None])


def rows_missing(amounts, prices, fees, discounts):
    return (amounts @ prices.T + fees) * (1 - discounts)


def fee_taken_off(amounts, prices, fees, discounts):
    return (amounts @ prices.T - fees) * (1 - discounts[:, None])


RIGHT = [with_loops, shop_by_shop, with_unsqueeze]
WRONG = [
    ("no discount on the fee", fee_later),
    ("fee forgotten", forgot_fee),
    ("the discount paid, not the rest", only_the_discount),
    ("", no_transpose),
    ("", rows_missing),
    ("", fee_taken_off),
]
