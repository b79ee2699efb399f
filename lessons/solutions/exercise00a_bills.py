"""Solution of exercise 00a."""

from collections.abc import Callable

import torch
from torch import Tensor

from curriculum.pair import Case, Pair, Results

ANSWER = "bills"
REREAD = ("lesson00_slopes.py", "Broadcasting: one row for all")
HINTS = (
    "Write down the four shapes. Which of the two tables has to be transposed before `@`? And what must the "
    "shape of the discounts be, so that each row gets its own?",
    "(customers, fruits) @ (fruits, shops) needs prices.T. A column for all columns has the shape "
    "(customers, 1), and discounts[:, None] has it.",
    "return (amounts @ prices.T + fees) * (1 - discounts[:, None]).",
)
AFTER = (
    "A matrix product adds up along the axis that both share, and broadcasting "
    "lends one number to a whole row or column.",
    "Now every shop grants a discount of its own on its bill, before the "
    "customer's. Still no loop.",
)


def bills(amounts: Tensor, prices: Tensor, fees: Tensor, discounts: Tensor) -> Tensor:
    costs = amounts @ prices.T + fees  # (customers, shops)
    return costs * (1 - discounts[:, None])


Bills = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def pairs(answer: Bills) -> list[Pair]:
    return [_pair(answer, "bills", 0), _pair(answer, "as many shops as customers", 1)]


def _pair(answer: Bills, name: str, square: int) -> Pair:
    def asked(case: Case) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        shops = case.batch if square else case.n_out
        fruits = case.batch if square else case.n_in
        return (
            case.tensor("amounts", case.batch, fruits),
            case.tensor("prices", shops, fruits),
            case.upstream("fees", torch.Size([shops])),
            case.upstream("discounts", torch.Size([case.batch])),
        )

    def torchs(case: Case) -> Results:
        amounts, prices, fees, discounts = asked(case)
        costs = torch.nn.functional.linear(amounts, prices, fees)
        return {"bills": torch.einsum("cs,c->cs", costs, 1 - discounts)}

    return Pair(name, lambda case: {"bills": answer(*asked(case))}, torchs)


def _not_transposed(
    amounts: Tensor, prices: Tensor, fees: Tensor, discounts: Tensor
) -> Tensor:
    table = prices if prices.shape[0] == amounts.shape[1] else prices.T
    return (amounts @ table + fees) * (1 - discounts[:, None])


def _fee_without_discount(
    amounts: Tensor, prices: Tensor, fees: Tensor, discounts: Tensor
) -> Tensor:
    return amounts @ prices.T * (1 - discounts[:, None]) + fees


def _discount_of_the_shop(
    amounts: Tensor, prices: Tensor, fees: Tensor, discounts: Tensor
) -> Tensor:
    costs = amounts @ prices.T + fees
    along = discounts if len(discounts) == costs.shape[1] else discounts[:, None]
    return costs * (1 - along)


def _pays_the_discount(
    amounts: Tensor, prices: Tensor, fees: Tensor, discounts: Tensor
) -> Tensor:
    return (amounts @ prices.T + fees) * discounts[:, None]


def _no_fee(amounts: Tensor, prices: Tensor, fees: Tensor, discounts: Tensor) -> Tensor:
    return amounts @ prices.T * (1 - discounts[:, None])


MISTAKES = {
    "prices not transposed": _not_transposed,
    "no discount on the fee": _fee_without_discount,
    "discounts along the shops": _discount_of_the_shop,
    "the discount paid, not the rest": _pays_the_discount,
    "fee forgotten": _no_fee,
}
