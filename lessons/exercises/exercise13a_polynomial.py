"""Exercise 13a · A rate that falls along a power

Difficulty: 1 of 3 · Time: 10 minutes · After: lesson 13

Between "falls in a straight line" and "stays long and falls late" lies a whole family: polynomial decay.
In step k = 0, 1, …, steps − 1 the rate is

    lr · (1 − k / steps)^power

With power 1 it is the straight line of the lesson. With power 2 it falls fast at first, with ½ late. From
step `steps` on the rate is 0.

On paper: lr = 0.8, steps = 4, power = 2. The rates are 0.8, 0.45, 0.2, 0.05, and then 0.
"""


def polynomial(lr: float, step: int, steps: int, power: float = 1.0) -> float:
    """The rate of one step.

    step: counted from 0. steps: after how many the rate is 0, 1 or more. power: above 0.
    """
    raise NotImplementedError("write polynomial")
