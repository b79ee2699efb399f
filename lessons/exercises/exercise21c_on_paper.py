"""Exercise 21c · Predict, run, explain: an attack on paper

Difficulty: 1 of 3 · Time: 20 minutes · After: lesson 21

With pencil and paper. A picture of four pixels is 0.9, 0.3, 0.1, 0.3, and the box goes from 0 to 1. The logit
of the right answer is the sum with the weights 1, −2, 3, −2. The other logit is always 0. There is no bias.

First say in words: which pixels will FGSM make darker? Which one stops early, and why? Then the numbers, for
ε = 0.2. The loss is the cross-entropy, so its slope along the right logit is p − 1, where p is the share that
softmax gives the right answer.

Last, run and explain. `curriculum run 21` shows that random signs of 0.2 leave most answers right, and that
FGSM of half the size does not. Your last two numbers say why; with 784 pixels it is more so than with four.
"""


def predictions() -> dict[str, float]:
    """Your numbers. Put one in the place of each `...`."""
    raise NotImplementedError("write your numbers, and take this line away")
    return {
        "p before": ...,
        "slope of the loss along pixel 1": ...,
        "slope of the loss along pixel 2": ...,
        "slope of the loss along pixel 3": ...,
        "pixel 1 after FGSM": ...,
        "pixel 3 after FGSM": ...,
        "right logit after FGSM": ...,
        "right logit after the signs −, −, +, + of the same size": ...,
    }
