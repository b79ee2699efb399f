"""Exercise 04c · Predict, then check: a network on paper

Difficulty: 1 of 3 · Time: 20 minutes · After: lesson 04

With pencil and paper, no code. Two inputs, two hidden neurons with ReLU, one output without:

    weight1 = ((1, −1), (2, 1)),  bias1 = (0, −1),  weight2 = ((4, −1),),  bias2 = (2,)

The input is x = (1, 2). First in words: which of the two hidden neurons is quiet, and which of the nine
parameters can move y at all? Then draw the network and write down the numbers.

- The sums of the two hidden neurons, what ReLU makes of them, and y.
- y for another input, (0, 0).
- The slope of y along x₁ and along x₂, at (1, 2).
- The slope of y along the weight that leads from x₂ to neuron 2.
- How many parameters this network has, and how many one of the sizes 5–3–2 has.

Then check. Where a number is not PyTorch's, find out why before you ask for a hint. Say in one sentence why
the weights of neuron 1 get no slope from this example.
"""


def predictions() -> dict[str, float]:
    """Your numbers. Put one in the place of each `...`."""
    raise NotImplementedError("write your numbers, and take this line away")
    return {
        "sum of neuron 1": ...,
        "sum of neuron 2": ...,
        "output of neuron 1": ...,
        "output of neuron 2": ...,
        "y": ...,
        "y for (0, 0)": ...,
        "y along x₁": ...,
        "y along x₂": ...,
        "y along the weight from x₂ to neuron 2": ...,
        "parameters": ...,
        "parameters of 5–3–2": ...,
    }
