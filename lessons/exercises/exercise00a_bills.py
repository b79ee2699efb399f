"""Exercise 00a · Bills

Difficulty: 1 of 3 · Time: 10 minutes · After: lesson 00

Every customer fills a basket at every shop, pays the shop's fee, and has a discount of their own: with a
discount of 0.1 one pays 90 % of the whole bill, fee included.

On paper: amounts 2 and 1, prices 3 and 1, fee 1, discount 0.5. The fruit costs 2 · 3 + 1 · 1 = 7, with the
fee 8, and half of that is 4.

Write it without a loop: one `@`, and broadcasting twice.
"""

from torch import Tensor


def bills(amounts: Tensor, prices: Tensor, fees: Tensor, discounts: Tensor) -> Tensor:
    """What each customer pays in each shop, (customers, shops).

    amounts: (customers, fruits). prices: (shops, fruits), a row for each shop. fees: (shops,).
    discounts: (customers,), 0 for none and 1 for all.
    """
    raise NotImplementedError("write bills")
