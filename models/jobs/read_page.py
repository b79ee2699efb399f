"""Readings as one web page: a file that needs no server, no script and no network.

This module prepares the values, `read.html` has the words and the markup. Jinja2 escapes every value.
"""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from curriculum.picture import Picture
from models.jobs.reading import Reading, Symbol, percent

LONGEST = 224  # pixels of the longer side, at most


@dataclass(frozen=True)
class Bar:
    """A class's name, and its probability: how wide its bar is, in CSS, and in words."""

    name: str
    width: str
    text: str


@dataclass(frozen=True)
class Shown:
    """One symbol: the verdict, a data address for each stage by its name, and up to ten bars."""

    verdict: str
    is_strange: bool
    stages: dict[str, str]
    bars: list[Bar]


def html(readings: list[Reading], network: str) -> str:
    """The page as text. `network`: one line on who has read."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    headings = {
        f"{reading.path}: {reading.answers}": [_shown(symbol) for symbol in reading.symbols]
        for reading in readings
    }
    return environment.get_template("read.html").render(network=network, readings=headings)


def _shown(symbol: Symbol) -> Shown:
    return Shown(
        verdict=symbol.verdict,
        is_strange=symbol.is_strange,
        stages={name: _address(picture) for name, picture in symbol.prepared.stages.items()},
        bars=[Bar(name, f"{share:.1%}", percent(share)) for name, share in symbol.shares.items()],
    )


def _address(picture: Picture) -> str:
    """The picture itself, as PNG, in the form of an address."""
    image = Image.fromarray((picture * 255).round().astype(np.uint8))
    image.thumbnail((LONGEST, LONGEST))
    content = io.BytesIO()
    image.save(content, "PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
