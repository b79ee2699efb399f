"""Exercise 13b · Predict, run, explain: rates and what they leave

Difficulty: 1 of 3 · Time: 15 minutes · After: lesson 13

With pencil and paper, no code. The bowl of the lesson: the loss is w², and before each step a coin shows the
slope 2(w + 1) or 2(w − 1). The typical distance is the root of the mean of w². And three schedules.

Predict first: with the rate 0.5, how many steps does the weight need from 10 to the distance at which it
stays for ever? Write the numbers down; a fraction like 1 / 3 is fine. Then run `curriculum check 13b`. Last,
explain in one sentence each, as a comment: why does the largest rate arrive first and stay farthest off, and
why does nobody notice a schedule that is stepped once an epoch?
"""


def predictions() -> dict[str, float]:
    """Your numbers. Put one in the place of each `...`."""
    raise NotImplementedError("write your numbers, and take this line away")
    return {
        "rate 0.5: typical distance after one step from 10": ...,
        "rate 0.5: the distance that stays": ...,
        "rate 0.2: the distance that stays": ...,
        "from 0.8 in a line to 0 in 4 steps: the last rate": ...,
        "from 0.8 along a cosine in 100 steps: the rate half way": ...,
        "warm-up to 0.8 from a tenth of it: the rate half way": ...,
        "from 0.8, a tenth every 30 steps, stepped once an epoch of 100: the last rate of 5 epochs": ...,
    }
