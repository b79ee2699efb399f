"""Data sets that have names; all else that `--data` takes is a path. No torch here, for the command line."""

from collections.abc import Mapping

OFFLINE_DIGITS = "scikit-learn digits"
PARTS_OF_EMNIST = ("letters", "digits", "balanced", "byclass", "bymerge", "mnist")
# What the user types, and what the data set is called.
OF_TORCHVISION = {"fashion": "Fashion-MNIST", "kmnist": "Kuzushiji-MNIST"} | {
    f"emnist-{part}": f"EMNIST {part}" for part in PARTS_OF_EMNIST
}
TITLES = {"mnist": "MNIST", "digits": OFFLINE_DIGITS} | OF_TORCHVISION
NAMES = ("auto", *TITLES)  # auto: MNIST where it can be had
OF_DIGITS = ("auto", "mnist", "digits")
PARTS = {"train": "to train", "val": "to validate", "test": "to test"}  # of every data set


def name_of(title: str, source: str) -> str:
    """What `curriculum.data.load` takes to find the same data again: a name or a path.

    Args:
        title: what the data set is called.
        source: where it lay.
    """
    for name, called in TITLES.items():
        if called == title:
            return name
    return source


def counted(title: str, pictures: Mapping[str, int]) -> str:
    """What a network learned from, or what a result was measured on.

    Args:
        title: what the data set is called.
        pictures: how many of each of `PARTS`; a part that was not looked at is left out.

    >>> counted("MNIST", {"val": 10_000, "test": 10_000})
    'MNIST, 10,000 to validate, 10,000 to test'
    """
    return f"{title}, {in_words(pictures)}" if pictures else title


def in_words(pictures: Mapping[str, int]) -> str:
    """How many pictures of each part: 50,000 to train, 10,000 to validate."""
    return ", ".join(f"{pictures[part]:,} {words}" for part, words in PARTS.items() if part in pictures)
