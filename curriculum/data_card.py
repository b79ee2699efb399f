"""A data set's card: what it is, how large its parts are, what looks odd, and ten of its pictures."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch

from curriculum.data import Data

EXAMPLES = 10
LISTED = 30  # classes that are counted one by one in the terminal


@dataclass(frozen=True)
class Example:
    """A picture of the training part: the name of its class, and 28 rows of 28 pixels, 0 to 255."""

    label: str
    pixels: list[list[int]]


@dataclass(frozen=True)
class Card:
    """What one wants to know of a data set before a network learns it.

    parts: pictures by part: train, validate, test.
    classes: by name, pictures in each of these parts.
    mean, std: of the training pixels, on the scale 0 to 1.
    """

    name: str
    source: str
    sha256: str
    parts: dict[str, int]
    classes: dict[str, list[int]]
    mean: float
    std: float
    remarks: list[str]
    examples: list[Example]

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """For the terminal, without the examples."""
        parts = ", ".join(f"{count:,} to {part}" for part, count in self.parts.items())
        yield f"data:    {self.name}"
        yield f"source:  {self.source}"
        yield f"sha256:  {self.sha256}"
        yield f"parts:   {parts}"
        yield f"pixels:  28×28, mean {self.mean:.3f}, deviation {self.std:.3f} of 1"
        yield f"classes: {len(self.classes)}"
        width = max(map(len, self.classes))
        for name, counts in list(self.classes.items())[:LISTED]:
            yield f"  {name:<{width}}  {'  '.join(f'{count:>6,}' for count in counts)}"
        if len(self.classes) > LISTED:
            yield f"  and {len(self.classes) - LISTED} more"
        for remark in self.remarks or ["nothing looks odd"]:
            yield f"remark:  {remark}"


def card_of(data: Data) -> Card:
    """The card of a data set as `load` gives it."""
    parts = {"train": data.train, "validate": data.val, "test": data.test}
    counts = [torch.bincount(part.target, minlength=len(data.classes)) for part in parts.values()]
    by_class = torch.stack(counts, dim=1).tolist()
    return Card(
        name=data.name,
        source=data.source,
        sha256=data.sha256,
        parts={name: len(part.x) for name, part in parts.items()},
        classes=dict(zip(data.classes, by_class, strict=True)),
        mean=data.mean,
        std=data.std,
        remarks=list(data.remarks),
        examples=_examples(data),
    )


def _examples(data: Data) -> list[Example]:
    """Ten, of as many classes as there are: the first of each, then the second."""
    chosen: list[int] = []
    places = [(data.train.target == number).nonzero().flatten() for number in range(len(data.classes))]
    for turn in range(EXAMPLES):
        chosen += [int(place[turn]) for place in places if turn < len(place)]
    chosen = chosen[:EXAMPLES]
    pictures = (data.images(data.train.x[chosen]) * 255).round().int().tolist()
    targets = data.train.target[chosen].tolist()
    return [Example(data.classes[target], picture) for target, picture in zip(targets, pictures, strict=True)]
