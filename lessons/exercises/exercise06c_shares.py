"""Exercise 06c · Predict, then check: shares and slopes

Difficulty: 1 of 3 · Time: 15 minutes · After: lesson 06

With pencil and paper, no code. A network gives apple, pear and plum the scores ln 3, 0 and 0. (e to the power
of ln 3 is 3.) The truth is pear.

First in words: which score wants up, which want down, and which of these two more? What would change if each
score were larger by 7? Then write down the numbers.

- The share of the apple, and that of the pear.
- How fast the apple's share moves with the apple's score, and how fast with the pear's.
- The slope of the cross-entropy along each of the three scores.
- Somebody adds 7 to all three scores: the share of the apple now.
- A second example joins the batch. The loss is the mean: the slope along the first example's pear now.

Then check. Where a number is not PyTorch's, find out why before you ask for a hint. Say in one sentence why
the three slopes add up to 0.
"""


def predictions() -> dict[str, float]:
    """Your numbers. Put one in the place of each `...`."""
    raise NotImplementedError("write your numbers, and take this line away")
    return {
        "share of the apple": ...,
        "share of the pear": ...,
        "apple's share along the apple's score": ...,
        "apple's share along the pear's score": ...,
        "loss along the apple's score": ...,
        "loss along the pear's score": ...,
        "loss along the plum's score": ...,
        "share of the apple, 7 added": ...,
        "mean loss along the first pear's score": ...,
    }
