"""Readings as one web page: a file that needs no server, no script and no network."""

import base64
import io
from html import escape

import numpy as np
from PIL import Image

from curriculum.picture import Picture
from curriculum.runs.page import PAGE
from models.jobs.read_sheet import STAGES, stages
from models.jobs.reading import Reading, Symbol, percent

LONGEST = 224  # pixels of the longer side of what is shown larger than that
RULES = """\
.stages { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-end; margin: 0.5rem 0 2rem; }
.stages img { width: 8rem; height: 8rem; object-fit: contain; background: #000; image-rendering: pixelated; }
.bars { font-variant-numeric: tabular-nums; line-height: 1.1; }
.bars td { padding: 0 0.5rem 0 0; border: 0; }
.bars div { background: #00798c; height: 0.7rem; min-width: 1px; }
.bars td:nth-child(2) { width: 12rem; }"""


def html(readings: list[Reading], network: str) -> str:
    """The page as text. `network`: one line on who has read."""
    parts = [f"<p>Network: {escape(network)}</p>"]
    for reading in readings:
        parts.append(f"<h2>{escape(str(reading.path))}: {escape(reading.answers)}</h2>")
        parts += [_symbol(symbol) for symbol in reading.symbols]
    return PAGE.substitute(name="Pictures, read", warning="", body="\n".join(parts), rules=RULES)


def _symbol(symbol: Symbol) -> str:
    kind = ' class="warning"' if symbol.is_strange else ""
    figures = [_figure(name, picture) for name, picture in zip(STAGES, stages(symbol), strict=True)]
    shown = "".join([*figures, _bars(symbol)])
    return f'<p{kind}>{escape(symbol.verdict)}</p>\n<div class="stages">{shown}</div>'


def _figure(name: str, picture: Picture) -> str:
    image = Image.fromarray((picture * 255).round().astype(np.uint8))
    image.thumbnail((LONGEST, LONGEST))
    content = io.BytesIO()
    image.save(content, "PNG")
    source = f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"
    return f'<figure><img alt="{name}" src="{source}"><figcaption>{name}</figcaption></figure>'


def _bars(symbol: Symbol) -> str:
    rows = [
        f'<tr><td>{digit}</td><td><div style="width: {share:.1%}"></div></td><td>{percent(share)}</td></tr>'
        for digit, share in enumerate(symbol.probabilities)
    ]
    return f'<table class="bars">{"".join(rows)}</table>'
