"""Exercise 15c · Predict, run, explain: two rows and two columns

Difficulty: 2 of 3 · Time: 15 minutes · After: lesson 15

With pencil and paper, no code. A batch of two examples with two numbers each: (1, 4) and (3, 8). ε is all but
0, γ is 1 and β is 0. Batch norm is fresh: running mean 0, running variance 1, momentum 0.1.
The loss grows with the first number of the first output only: grad_y is ((1, 0), (0, 0)).

Predict first: how large can an output of batch norm be in a batch of two? Write the numbers down. Then run
`curriculum check 15c`. Last, explain in one sentence each, as a comment: why does a batch of two pass no
gradient on, and how can the way around vanish after all?
"""


def predictions() -> dict[str, float]:
    """Your numbers. Put one in the place of each `...`."""
    raise NotImplementedError("write your numbers, and take this line away")
    return {
        "batch norm in training: the first number of the first output": ...,
        "batch norm: the running mean of the first column after this batch": ...,
        "batch norm: the running variance of the first column after this batch": ...,
        "batch norm: the gradient of the first number of the first example": ...,
        "layer norm: the first number of the first output": ...,
        "a way around: the gradient through three blocks whose slope is 1, each": ...,
        "a way around: the gradient through three blocks whose slope is −1/2, each": ...,
    }
