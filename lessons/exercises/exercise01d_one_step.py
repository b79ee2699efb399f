"""Exercise 01d · Predict, then check: one step

Difficulty: 1 of 3 · Time: 15 minutes · After: lesson 01

With pencil and paper, no code. A film has the stars 0.5 and the year 1, and you rate it 0.2. The neuron has
the weights 0.4 (stars) and 0.6 (year), the bias −0.2 and no curve. The learning rate is 0.1.

First say in words: will the guess be too high or too low? Which of the three numbers go up, which go down,
and which moves least? Then write down the numbers, and only then check. Where one is not PyTorch's, find out
why before you ask for a hint. Last, say why a film with 0 stars cannot move the weight of the stars.
"""


def predictions() -> dict[str, float]:
    """Your numbers. Put one in the place of each `...`."""
    raise NotImplementedError("write your numbers, and take this line away")
    return {
        "guess": ...,
        "loss": ...,
        "slope along the weight of the stars": ...,
        "slope along the weight of the year": ...,
        "slope along the bias": ...,
        "guess after the step": ...,
        "loss after the step": ...,
    }
