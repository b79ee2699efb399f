"""The command that shows a data set's card."""

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from curriculum.cli.options import AsJson, DataDir

if TYPE_CHECKING:
    from curriculum.data_card import Card, Example

GAP = 2  # columns between two pictures


def data(
    source: Annotated[
        str, typer.Argument(metavar="[PATH]", help="Your data set, or a name that --data takes.")
    ] = "auto",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show a data set: its size, classes, SHA-256, what looks odd, and ten pictures."""
    from curriculum.data import load  # takes seconds to import
    from curriculum.data_card import card_of

    card = card_of(load(source, data_dir))
    if as_json:
        print(json.dumps(card.plain(), indent=2))
        return
    _print(card)


def _print(card: "Card") -> None:
    from curriculum.runs.terminal import printable

    for line in card.lines():
        print(printable(line))
    columns = max(1, (Console().width + GAP) // (28 + GAP))
    for start in range(0, len(card.examples), columns):
        print()
        for line in _side_by_side(card.examples[start : start + columns]):
            print(printable(line))


def _side_by_side(examples: "list[Example]") -> list[str]:
    """Each picture with the name of its class above it."""
    import numpy as np

    from models.jobs.reading import picture

    unicode = "utf" in (sys.stdout.encoding or "").lower()
    blocks = [
        [f"{example.label:<28.28}", *picture(np.array(example.pixels) / 255, unicode)] for example in examples
    ]
    return [(" " * GAP).join(row).rstrip() for row in zip(*blocks, strict=True)]
