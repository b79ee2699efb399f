"""Exercise 03c · Predict, then check: a bent line

Difficulty: 1 of 3 · Time: 15 minutes · After: lesson 03

With pencil and paper, no code. Three hidden ReLUs and one output draw the line

    y = 1 + 2 · ReLU(x + 1) − 3 · ReLU(2x − 1) + ReLU(3 − x)

First in words: which of the three is awake on the far left, which on the far right? Sketch the line. Then
write down the numbers.

- The place of each kink, in the order of the formula.
- The slope of each of the four straight pieces, from left to right.
- y at 0 and at 4.
- Somebody takes the three ReLUs out and leaves all weights and biases: the slope then, and y at 0.

Then check. Where a number is not PyTorch's, find out why before you ask for a hint. Say in one sentence why
the slope without ReLU is that of one of your four pieces.
"""


def predictions() -> dict[str, float]:
    """Your numbers. Put one in the place of each `...`."""
    raise NotImplementedError("write your numbers, and take this line away")
    return {
        "kink of ReLU(x + 1)": ...,
        "kink of ReLU(2x − 1)": ...,
        "kink of ReLU(3 − x)": ...,
        "slope of piece 1": ...,
        "slope of piece 2": ...,
        "slope of piece 3": ...,
        "slope of piece 4": ...,
        "y at 0": ...,
        "y at 4": ...,
        "slope without ReLU": ...,
        "y at 0 without ReLU": ...,
    }
