"""Answers to exercise 04c as learners write them."""

NAMES = (
    "sum of neuron 1",
    "sum of neuron 2",
    "output of neuron 1",
    "output of neuron 2",
    "y",
    "y for (0, 0)",
    "y along x₁",
    "y along x₂",
    "y along the weight from x₂ to neuron 2",
    "parameters",
    "parameters of 5–3–2",
)


def numbers(*values):
    return lambda: dict(zip(NAMES, values, strict=True))


def by_code():
    weight = ((1, -1), (2, 1))

    def run(x1, x2, more=0):
        sums = [
            weight[0][0] * x1 + weight[0][1] * x2,
            weight[1][0] * x1 + (weight[1][1] + more) * x2 - 1,
        ]
        h = [max(0, s) for s in sums]
        return sums, h, 4 * h[0] - h[1] + 2

    sums, h, y = run(1, 2)
    nudge = 2**-10
    slopes = [(run(*at)[2] - y) / nudge for at in ((1 + nudge, 2), (1, 2 + nudge), (1, 2, nudge))]
    return numbers(*sums, *h, y, run(0, 0)[2], *slopes, 2 * 2 + 2 + 2 + 1, 5 * 3 + 3 + 3 * 2 + 2)()


RIGHT = [numbers(-1, 3, 0, 3, -1, 2, -2, -1, -2, 9, 26), by_code]
WRONG = [
    ("weights read by columns", numbers(5, 0, 5, 0, 22, 2, -2, -1, -2, 9, 26)),
    ("ReLU forgotten", numbers(-1, 3, -1, 3, -5, 3, 2, -5, -2, 9, 26)),
    ("slope passed by a neuron that is quiet", numbers(-1, 3, 0, 3, -1, 2, 2, -5, -2, 9, 26)),
    ("ReLU on the output", numbers(-1, 3, 0, 3, 0, 2, -2, -1, -2, 9, 26)),
    ("biases not added", numbers(-1, 4, 0, 4, -4, 0, -2, -1, -2, 9, 26)),
    ("biases not counted", numbers(-1, 3, 0, 3, -1, 2, -2, -1, -2, 6, 21)),
    ("input forgotten in the slope along a weight", numbers(-1, 3, 0, 3, -1, 2, -2, -1, -1, 9, 26)),
    ("", numbers(-1, 3, 0, 3, 5, 2, -2, -1, -2, 9, 26)),
    ("", numbers(-1, 3, 0, 3, -1, 2, -1, -2, -2, 9, 26)),
]
