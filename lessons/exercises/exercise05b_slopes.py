"""Exercise 05b · Predict, then check: what a filter hears

Difficulty: 1 of 3 · Time: 15 minutes · After: lesson 05

With pencil and paper, no code. Five mails came with the word "prize", and the answers were spam, spam, spam,
spam, not. Which probability of spam, said to all five, makes that likeliest, and how large is the likelihood?

Another filter says p = 0.2 to a mail that is spam. Before you calculate: which loss complains more loudly,
and does the logit want up or down? Then the slopes of the squared error (p − t)² and of the cross-entropy,
each along p and along the logit z, where p = σ(z).

Last, it says 0.2 to a mail that is spam and 0.6 to one that is not. The loss is the mean cross-entropy of the
two. How far does it move with the logit of the second?

Then check. Where a number is not PyTorch's, find out why before you ask for a hint. Say in one sentence why
the two slopes along the logit differ more, by their ratio, for p = 0.002 than for p = 0.2.
"""


def predictions() -> dict[str, float]:
    """Your numbers. Put one in the place of each `...`."""
    raise NotImplementedError("write your numbers, and take this line away")
    return {
        "best p": ...,
        "its likelihood": ...,
        "slope of the squared error along p": ...,
        "slope of the squared error along z": ...,
        "slope of the cross-entropy along p": ...,
        "slope of the cross-entropy along z": ...,
        "slope of the mean along the second z": ...,
    }
