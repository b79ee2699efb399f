"""Exercise 22c · Predict, run, explain: what a new example does to the old ones

Difficulty: 1 of 3 · Time: 20 minutes · After: lesson 22

With pencil and paper. A pretrained network is y = w₂ · w₁ · x, with w₁ = 2 and w₂ = 3. It has learned that
x = 2 gives 12. Now one new example comes: x = 1, and the answer should be 5. The loss is (y − 5)², η is 0.1.

First say in words: which of these forgets most of "x = 2 gives 12", and which comes nearest to the new
answer: w₁ frozen, s = 0.1, or both weights free? Then the numbers, after one step each.

Last, run and explain. `curriculum run 22` shows a network that forgets *more* when its first layers are
frozen. On paper it is the other way round. Say what the head of that network has to learn that w₂ has not.
"""


def predictions() -> dict[str, float]:
    """Your numbers. Put one in the place of each `...`."""
    raise NotImplementedError("write your numbers, and take this line away")
    return {
        "slope along w2": ...,
        "slope along w1": ...,
        "new answer, w1 frozen": ...,
        "old answer, w1 frozen": ...,
        "new answer, s = 0.1": ...,
        "new answer, both free": ...,
        "old answer, both free": ...,
    }
