"""Exercise 16c · Predict, run, explain: three defences on paper

Difficulty: 1 of 3 · Time: 15 minutes · After: lesson 16

With pencil and paper, no code. A neuron gives 3, and dropout with p = 0.75 stands behind it. A weight of 8
has no gradient of its own; the rate is 0.1 and λ = 0.5. Early stopping with patience 2 looks six times, and
the validation losses are 0.9, 0.5, 0.7, 0.4, 0.45 and 0.6. Houses of 1, 3 and 5 rooms are standardised (with
the deviation that divides by n − 1, as `x.std()` does).

Predict first: does a higher p make what is left larger or smaller? Write the numbers down. Then run
`curriculum check 16c`. Last, explain in one sentence each, as a comment: why is the mean in training the
output in use, and why does the rise at the third look not stop the training?
"""


def predictions() -> dict[str, float]:
    """Your numbers. Put one in the place of each `...`."""
    raise NotImplementedError("write your numbers, and take this line away")
    return {
        "dropout in training: what the neuron gives if it stays": ...,
        "dropout in training: the mean of what it gives": ...,
        "dropout in use: what it gives": ...,
        "weight decay: the weight after two steps": ...,
        "early stopping: the number of the look that stops, counted from 1": ...,
        "early stopping: the validation loss of the weights that are restored": ...,
        "standardised: the house of 5 rooms": ...,
    }
