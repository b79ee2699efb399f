"""The offline digits as a file that the page loads: `python -m curriculum.playground.digits` makes it anew.

The scans are "Optical Recognition of Handwritten Digits" of the UCI repository (Alpaydin and Kaynak 1998,
CC BY 4.0), as scikit-learn bundles them. The page itself brings them to 28×28, as `curriculum.data` does.
"""

from pathlib import Path

import torch

from curriculum.data import load
from curriculum.files import write_whole

FILE = Path(__file__).parent / "digits_data.js"
LEVELS = "0123456789abcdefg"  # a scan's pixel is 0 to 16
HEAD = """"use strict";

// Made by `python -m curriculum.playground.digits`. A row is a scan of 8×8 pixels, 0 to g (16),
// and what it is. In the order of `curriculum.data`: those to train, to validate, to test.
// "Optical Recognition of Handwritten Digits", E. Alpaydin and C. Kaynak (1998), UCI Machine Learning
// Repository, https://doi.org/10.24432/C50P49, CC BY 4.0; the 1,797 scans that scikit-learn bundles.
// Changed: the order, and the page scales them to 28×28 pixels.
"""


def script() -> str:
    """The file, whole."""
    from sklearn.datasets import load_digits

    bundle = load_digits()
    order = torch.randperm(len(bundle.target), generator=torch.Generator().manual_seed(0)).tolist()
    data = load("digits")
    sizes = [len(part.target) for part in (data.train, data.val, data.test)]
    rows = [_row(bundle.images[index].astype(int).ravel(), bundle.target[index]) for index in order]
    return "\n".join(
        [
            f"{HEAD}const DIGITS_DATA = {{",
            f"  mean: {data.mean!r},",
            f"  std: {data.std!r},",
            f"  sizes: {sizes},",
            "  rows: [",
            *[f'    "{row}",' for row in rows],
            "  ],",
            "};",
            "",
        ]
    )


def _row(pixels: list[int], target: int) -> str:
    return "".join(LEVELS[pixel] for pixel in pixels) + str(target)


if __name__ == "__main__":
    write_whole(FILE, script())
