"""Data sets that have names; all else that `--data` takes is a path. No torch here, for the command line."""

OFFLINE_DIGITS = "scikit-learn digits"
PARTS_OF_EMNIST = ("letters", "digits", "balanced", "byclass", "bymerge", "mnist")
# What the user types, and what the data set is called.
OF_TORCHVISION = {"fashion": "Fashion-MNIST", "kmnist": "Kuzushiji-MNIST"} | {
    f"emnist-{part}": f"EMNIST {part}" for part in PARTS_OF_EMNIST
}
TITLES = {"mnist": "MNIST", "digits": OFFLINE_DIGITS} | OF_TORCHVISION
NAMES = ("auto", *TITLES)  # auto: MNIST where it can be had
OF_DIGITS = ("auto", "mnist", "digits")


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
