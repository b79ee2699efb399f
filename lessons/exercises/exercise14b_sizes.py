"""Exercise 14b · Predict, run, explain: how large will it be?

Difficulty: 1 of 3 · Time: 15 minutes · After: lesson 14

With pencil and paper, no code. A neuron has four inputs, each of them 1, and weights of + or −, by the toss
of a coin; "mean square" is that of its sum over all tosses. The layer of the other lines has 20 inputs and 30
neurons, unless something else is said.

Predict first: which is larger, the variance of Xavier's start or that of Kaiming's? Write the numbers down; a
fraction like 2 / 3 is fine. Then run `curriculum check 14b`. Last, explain in a sentence each, as a comment:
why do twice as large weights make the mean square four times as large, and where does Kaiming's 2 come from?
"""


def predictions() -> dict[str, float]:
    """Your numbers. Put one in the place of each `...`."""
    raise NotImplementedError("write your numbers, and take this line away")
    return {
        "mean square with weights of 1 and −1": ...,
        "mean square with weights of ¼ and −¼": ...,
        "variance of Xavier's start": ...,
        "variance of Kaiming's start": ...,
        "how far Kaiming's even draw reaches, with 6 inputs": ...,
        "the share of the mean square that 10 layers of variance 1/n, each with ReLU, leave": ...,
        "the share of the mean square that 2 layers of lesson 04's start, each with ReLU, leave": ...,
    }
