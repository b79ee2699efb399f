"""Exercise 12d · Predict, run, explain: one weight, four optimisers

Difficulty: 1 of 3 · Time: 15 minutes · After: lesson 12

With pencil and paper, no code. A weight stands at 1. The rate is 0.1. Its gradients are 4, 4 and −4, whatever
the weight does. Momentum keeps 0.9. Adam has β₁ = 0.9 and β₂ = 0.999, RMSprop α = 0.99, and ε is 0.

Predict first: the third gradient says "up". Which of plain descent and momentum goes up in the third step?
Write the numbers down. Then run `curriculum check 12d`. Last, explain in one sentence each, as a comment: why
does momentum go on down, why does Adam not care for the thousand, and why does RMSprop leap?
"""


def predictions() -> dict[str, float]:
    """Where the weight is. Put a number in the place of each `...`."""
    raise NotImplementedError("write your numbers, and take this line away")
    return {
        "plain descent, after three steps": ...,
        "momentum, after two steps": ...,
        "momentum, after three steps": ...,
        "Adam, after two steps": ...,
        "Adam, after two steps, gradients a thousand times as large": ...,
        "RMSprop, after one step": ...,
        "AdamW with a decay of 0.5, after one step without any gradient": ...,
    }
