"""Exercise 19a · How choosy is a unit?

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 19

A number for "this unit leans towards one digit" is the class selectivity index (Morcos and others 2018,
arXiv:1803.06959). Take the unit's mean answer to each class. Call the largest of these means a, and the mean
of all the others b. Then the index is

    (a − b) / (a + b)

It is 0 for a unit that answers to all classes alike, and 1 for one that answers to a single class.

On paper: three classes, mean answers 6, 1 and 3. a = 6, b = (1 + 3) / 2 = 2, and the index is 4 / 8 = 0.5.
"""

from torch import Tensor


def selectivity(h: Tensor, target: Tensor, classes: int) -> Tensor:
    """The index of every unit, (units,).

    h: (pictures, units), what each unit answers, 0 or more. target: (pictures,) int64, the class of each
    picture; every class is there. A unit that never answers gets 0.
    """
    raise NotImplementedError("write selectivity")
