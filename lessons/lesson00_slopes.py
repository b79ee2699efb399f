# %% [markdown]
# # Lesson 00 · Tensors and slopes
#
# *What happens to the last number of a calculation if the first one moves a little?*
#
# Needs: nothing · Time: 20 minutes

# %%
import math
from collections.abc import Callable
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from curriculum.demo import demo
from curriculum.draw import DATA, GRADIENT, new_figure
from curriculum.pair import Case, Pair, Results, compare
from curriculum.table import Table

# %% [markdown]
# You need some Python and school mathematics. This lesson brings the two tools that all
# others use: tables of numbers, and slopes. If you know both, go on to lesson 01.
#
# (The lines above fetch what this file uses. Skip such lines; what matters is explained
# where it is used.)
#
# ## How to use these lessons
#
# Each lesson is one file that you read from top to bottom. It holds text and code that
# runs. In a terminal:
#
# ```
# curriculum run 0          show the pictures and tables of this lesson
# curriculum compare 0      our code beside PyTorch's, every number
# curriculum start 00a      get an exercise
# curriculum check 00a      is my answer right, and if not, what is wrong?
# ```
#
# Each piece is built twice: once by hand, so that nothing stays hidden, and once with
# PyTorch, as one writes it at work. Then both are run on the same numbers and have to
# agree. PyTorch is the library that does the arithmetic.
#
# A function marked `@demo` makes a picture or a table, and the page shows it below.
# Code that only draws is folded; you need not open it.
#
# ## Tensors
#
# A *tensor* is a block of numbers. This one is a table of three rows and two columns:
# three baskets, with apples and pears.
#
# ```python
# >>> amounts = torch.tensor([[2.0, 1.0], [0.0, 3.0], [4.0, 4.0]])
# >>> amounts.shape
# torch.Size([3, 2])
# >>> amounts[0]
# tensor([2., 1.])
# >>> amounts[:, 1]
# tensor([1., 3., 4.])
# >>> amounts.sum()
# tensor(14.)
# >>> amounts.sum(0), amounts.sum(1)
# (tensor([6., 8.]), tensor([3., 3., 8.]))
# >>> amounts.sum().item(), amounts[0].tolist()
# (14.0, [2.0, 1.0])
#
# ```
#
# Its *shape* is (3, 2): rows first. `amounts[0]` is the first row, and `amounts[:, 1]`
# is the second column; counting begins at 0. `sum(0)` adds along dimension 0, down the
# rows: one number for each column is left, 6 apples and 8 pears. `sum(1)` adds along
# each row. What comes out is a tensor again, if only of one number. `item()` and
# `tolist()` turn it into Python's numbers and lists.
#
# In all lessons a row is one *example*: one film, one house, one handwritten digit.
# Text such as `x: (batch, n_in)` means: as many rows as there are examples in the
# *batch*, and `n_in` numbers for each.
#
# Arithmetic goes number by number, between tensors of one shape:
#
# ```python
# >>> torch.tensor([1.0, 2.0]) * torch.tensor([10.0, 20.0]) + 1
# tensor([11., 41.])
#
# ```
#
# ## `@`: row by column
#
# Two shops have different prices. An apple costs 3 in one and 2 in the other, a pear 1
# and 4. What does the first basket, 2 apples and 1 pear, cost in each?
#
# $$2 \cdot 3 + 1 \cdot 1 = 7 \qquad 2 \cdot 2 + 1 \cdot 4 = 8$$
#
# Multiply in pairs and add up. `@` does that for each row of the left table with each
# column of the right one:
#
# ```python
# >>> prices = torch.tensor([[3.0, 2.0], [1.0, 4.0]])   # (fruits, shops)
# >>> amounts @ prices
# tensor([[ 7.,  8.],
#         [ 3., 12.],
#         [16., 24.]])
#
# ```
#
# This is a *matrix product*. The shapes tell whether it is possible, and what comes
# out: (3, 2) @ (2, 2) → (3, 2). The two numbers in the middle have to be the same, and
# they vanish. In general (n, k) @ (k, m) → (n, m). `prices.T` is the table with rows
# and columns swapped, the *transpose*.
#
# <details><summary>What do you expect: how many multiplications does (64, 784) @
# (784, 128) take? Lesson 17 reads handwritten digits with it: 64 of them, 784 pixels
# each.</summary>
#
# 64 · 128 numbers come out, and each takes 784 multiplications: 6,422,528.
#
# </details>
#
# ## Broadcasting: one row for all
#
# Each shop takes a fee, 1 and 5. It is to be added to every row. The fees are one row
# of two numbers, so their shape is (2,). The costs have (3, 2). PyTorch repeats the
# fees as if there were three rows:
#
# ```python
# >>> amounts @ prices + torch.tensor([1.0, 5.0])
# tensor([[ 8., 13.],
#         [ 4., 17.],
#         [17., 29.]])
#
# ```
#
# The rule: write the two shapes with their *right* ends aligned. In each place the two
# numbers have to be the same, or one of them is 1 or missing. What is 1 or missing is
# repeated.
#
# | left | right | comes out |
# |---|---|---|
# | (3, 2) | (2,) | (3, 2): a row for all rows |
# | (3, 2) | (3, 1) | (3, 2): a column for all columns |
# | (3, 2) | (3,) | an error: 2 and 3 |
# | (3, 1) | (3,) | (3, 3): seldom what was meant |
#
# The last row is the commonest silent mistake with tensors. Nothing crashes, and nine
# numbers come out where three were meant. Later lessons refuse it where it would do
# harm.
#
# ## From scratch
#
# Here is what `@` and a broadcast `+` do, with nothing but loops.


# %%
def matrix_product(left: Tensor, right: Tensor) -> Tensor:
    """Row by column. left: (n, k), right: (k, m) → (n, m)."""
    n, k = left.shape
    m = right.shape[1]
    product = torch.zeros(n, m)
    for row in range(n):
        for column in range(m):
            for i in range(k):
                product[row, column] += left[row, i] * right[i, column]
    return product


def add_row(table: Tensor, row: Tensor) -> Tensor:
    """One row added to all rows. table: (n, m), row: (m,) → (n, m)."""
    total = torch.zeros(table.shape)
    for index in range(len(table)):
        total[index] = table[index] + row
    return total


# %% [markdown]
# ## A slope, by nudging
#
# Now the second tool. A calculation turns a number $x$ into a number $y$. If $x$ moves
# a little, how much does $y$ move?
#
# Take $y = x^2$ at $x = 3$. Nudge $x$ by 0.001:
#
# $$3.001^2 - 3^2 = 9.006001 - 9 = 0.006001$$
#
# The output moved about 6 times as far as the input. With a smaller nudge the ratio
# comes closer to 6. For any $x$ and a nudge $e$ it is
#
# $$\frac{(x + e)^2 - x^2}{e} = \frac{2xe + e^2}{e} = 2x + e$$
#
# What is left as $e$ shrinks to nothing is the *slope*, or the *derivative*: $2x$, as
# school has it, and $2 \cdot 3 = 6$. At $x = -1$ it is −2: there $y$ falls as $x$
# grows.
#
# The slope is written $\partial y / \partial x$. Read it as "how far $y$ moves for each
# unit that $x$ moves, if the move is tiny". School writes $dy/dx$. The round
# $\partial$ adds: if $y$ hangs on other numbers as well, these are held still.
#
# In code we nudge to both sides and divide by the distance, which is more exact:


# %%
def slope(f: Callable[[float], float], x: float, nudge: float = 1e-4) -> float:
    """The slope of f at x, measured: the way up and the way down, divided.

    >>> round(slope(lambda x: x**2, 3.0), 6)
    6.0
    """
    return (f(x + nudge) - f(x - nudge)) / (2 * nudge)


# %% [markdown]
# Why care? A *network* is a calculation full of numbers that can be turned, its
# *weights* (lesson 01). If $y$ is its error and $x$ one of its weights, the slope says
# which way to turn the weight: against the slope, so that the error falls. All learning
# in these lessons is this.
#
# ## The chain rule
#
# A network is many small calculations, one behind the other. Let us take two:
#
# $$u = 3x + 1 \qquad y = u^2$$
#
# At $x = 1$: $u = 4$ and $y = 16$. How far does $y$ move if $x$ does? Think of three
# dials in a row. Turning the first turns the second, and that turns the third.
#
# - $u$ moves 3 times as far as $x$: $\partial u / \partial x = 3$.
# - $y$ moves $2u = 8$ times as far as $u$: $\partial y / \partial u = 8$.
# - So $y$ moves $3 \cdot 8 = 24$ times as far as $x$.
#
# Slopes in a row are multiplied. This is the *chain rule*:
#
# $$\frac{\partial y}{\partial x} =
#   \frac{\partial u}{\partial x} \cdot \frac{\partial y}{\partial u}$$
#
# Try it with a nudge: at $x = 1.001$, $u = 4.003$ and $y = 16.024009$. It moved by
# 0.024, and that is 24 times 0.001.
#
# <details><summary>What do you expect if the nudge is not tiny: x from 1 to 1.1? The
# slope promises 24 · 0.1 = 2.4.</summary>
#
# $u = 4.3$ and $y = 18.49$: it moved by 2.49. A slope is exact for tiny moves only,
# because it changes on the way: at $u = 4.3$ it is already 8.6 and not 8.
#
# </details>


# %% tags=["hide-input"]
def hand(axis: Axes, centre: float, turn: float, label: str, **look: Any) -> None:
    """From the centre of a dial outwards, turned by 60 degrees a unit."""
    angle = math.radians(90 - 60 * turn)
    across = [centre, centre + math.cos(angle)]
    axis.plot(
        across, [0, math.sin(angle)], label=label if centre == 0 else None, **look
    )


def dial(axis: Axes, centre: float, name: str, moved: float, promised: float) -> None:
    """A round scale: what it showed before and after, and what the slope promised."""
    axis.add_patch(Circle((centre, 0), 1.08, facecolor="none", edgecolor=DATA))
    hand(axis, centre, 0, "before", color="0.6", linewidth=2)
    hand(
        axis, centre, promised, "where the slope sends it", color=GRADIENT, linewidth=5
    )
    hand(axis, centre, moved, "after", color=DATA, linewidth=2)
    axis.text(centre, 1.3, name, ha="center", color=DATA)
    axis.text(centre, -1.55, f"moved by {moved:.3g}", ha="center", color=DATA)


@demo
def three_dials() -> Figure:
    """Turn x by 0.1: each dial moves the next one by its slope"""
    figure, axis = new_figure(width=8.0, height=3.6)
    dial(axis, 0.0, "x, from 1", 0.1, 0.1)
    dial(axis, 4.0, "u = 3x + 1, from 4", 0.3, 3 * 0.1)
    dial(axis, 8.0, "y = u², from 16", 4.3**2 - 16, 8 * 3 * 0.1)
    for start, factor in ((1.3, "slope 3"), (5.3, "slope 8")):
        arrow = {"arrowstyle": "-|>", "color": DATA}
        axis.annotate("", xy=(start + 1.4, 0), xytext=(start, 0), arrowprops=arrow)
        axis.text(start + 0.7, 0.15, factor, ha="center", color=DATA)
    axis.text(4.0, -2.1, "from x to y: 3 · 8 = 24", ha="center", color=DATA)
    axis.set(xlim=(-1.3, 9.3), ylim=(-2.3, 1.6))
    axis.set_aspect("equal")
    axis.axis("off")
    figure.legend(frameon=False, loc="outside lower center", ncols=3)
    return figure


# %% [markdown]
# Grey is before, dark is after. Yellow is where the slope says the hand will be. At
# the second dial the two agree, because $3x + 1$ has the same slope everywhere. At the
# third the hand went a little further.
#
# ## Two paths to the same place
#
# Often a number reaches the result on more than one path. Let
#
# $$u = 3x \qquad v = x^2 \qquad y = u + v$$
#
# A nudge of $x$ moves $u$, and that moves $y$. It also moves $v$, and that moves $y$,
# too. The two moves *add up*: $\partial y / \partial x = 3 + 2x$. At $x = 2$ that is 7.
#
# So there are two rules for putting slopes together, and the whole curriculum needs no
# third: **along a path multiply, over several paths add.** Lesson 01 needs both: one
# weight is used for every example of a batch, and what the examples say about it is
# added up.


# %%
def chain(x: Tensor) -> Results:
    """u = 3x + 1, v = x², y = u² + v, and the slopes, by the two rules. x: any shape.

    >>> chain(torch.tensor(1.0))["slope_x"]
    tensor(26.)
    """
    u = 3 * x + 1
    v = x**2
    slope_u = 2 * u  # of y, as u moves
    slope_v = torch.ones(x.shape)  # of y, as v moves
    slope_x = 3 * slope_u + 2 * x * slope_v  # two paths
    return {"y": u**2 + v, "slope_u": slope_u, "slope_v": slope_v, "slope_x": slope_x}


# %% [markdown]
# ## The same with PyTorch
#
# PyTorch finds slopes by itself. It writes down each step of a calculation and then
# goes back through it with the two rules. This is *autograd*, and lesson 09 builds one.
# Until then we use it only to check what we do by hand.


# %%
def torch_chain(x: Tensor) -> Results:
    """The same slopes by autograd."""
    x = x.clone().requires_grad_()  # please watch what becomes of x
    u = 3 * x + 1
    v = x**2
    y = u**2 + v
    # Slopes are of one number, so we hand over the sum of all y. Each x moves its own y
    # only: the slope of the sum is the slope of that y.
    slope_u, slope_v, slope_x = torch.autograd.grad(y.sum(), (u, v, x))
    return {"y": y, "slope_u": slope_u, "slope_v": slope_v, "slope_x": slope_x}


@demo
def slopes_three_ways() -> Table:
    """y = (3x + 1)² + x²: by the two rules, by a nudge, and by PyTorch"""
    rows = []
    for x in (-1.0, 0.0, 1.0, 2.0):
        rule = chain(torch.tensor(x))["slope_x"].item()
        nudged = slope(lambda x: (3 * x + 1) ** 2 + x**2, x)
        torch_says = torch_chain(torch.tensor(x))["slope_x"].item()
        rows.append((x, rule, nudged, torch_says))
    return Table(("x", "two rules", "nudge", "torch"), rows)


# %% [markdown]
# ## They agree
#
# A *pair* is our code and PyTorch's on the same numbers, which a `Case` draws for both.
# Each result is compared by its name. They may differ by one part in a billion, no
# more.


# %% tags=["hide-input"]
def tables(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    """Amounts (batch, n_in), prices (n_in, n_out) and fees (n_out,)."""
    amounts = case.tensor("amounts", case.batch, case.n_in)
    prices = case.tensor("prices", case.n_in, case.n_out)
    return amounts, prices, case.tensor("fees", case.n_out)


def costs_by_hand(case: Case) -> Results:
    """Costs with the fee, by loops."""
    amounts, prices, fees = tables(case)
    product = matrix_product(amounts, prices)
    return {"product": product, "with_fee": add_row(product, fees)}


def costs_by_torch(case: Case) -> Results:
    """Costs with the fee, by `@` and broadcasting."""
    amounts, prices, fees = tables(case)
    return {"product": amounts @ prices, "with_fee": amounts @ prices + fees}


PAIRS = [
    Pair("row by column", costs_by_hand, costs_by_torch),
    Pair(
        "two rules",
        lambda case: chain(case.tensor("x", case.batch, case.n_in)),
        lambda case: torch_chain(case.tensor("x", case.batch, case.n_in)),
    ),
]


# %% [markdown]
# What does it look like when they do *not* agree? Here somebody forgot the second path,
# through $v$.


# %%
def forgot_a_path(case: Case) -> Results:
    """Wrong on purpose: the slope through v is missing."""
    x = case.tensor("x", case.batch, case.n_in)
    return {**chain(x), "slope_x": 3 * 2 * (3 * x + 1)}


# %% tags=["hide-input"]
@demo
def a_pair_that_fails() -> Table:
    """One forgotten path, found by comparing"""
    wrong = Pair("forgot a path", forgot_a_path, PAIRS[1].torch)
    rows = [(d.name, d.largest, d.problem or "equal") for d in compare(wrong)]
    return Table(("result", "largest difference", ""), rows)


# %% [markdown]
# Three results agree, and the one that is wrong is named. This is how every piece of
# this curriculum is kept honest.
#
# ## Where PyTorch differs
#
# - Python computes with 16 digits (`float64`), PyTorch by default with 7 (`float32`):
#   half the memory, and enough for learning. The pairs compute with 16.
# - `torch.tensor([1, 2])` holds whole numbers (`int64`), `torch.tensor([1.0, 2.0])`
#   numbers with a decimal point. Only these have slopes.
# - `x.T` and `x[0]` are *views*: they share their numbers with `x`. Change one and the
#   other changes. `x[0].clone()` is a copy.
#
# ## You can now
#
# - read shapes, and say what `@` and `+` make of two of them;
# - measure a slope by nudging;
# - find the slope of a calculation of several steps: along a path multiply, over
#   several paths add.
#
# Exercises: `curriculum start 00a` (a bill for every customer: `@` and broadcasting)
# and `curriculum start 00b` (predict a slope, then write it: three steps and one more
# path). `curriculum check 00a` says how far you are.
#
# Next: lesson 01 builds one neuron of these two tools and lets it learn.
