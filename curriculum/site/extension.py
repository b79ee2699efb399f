"""What Sphinx does not do by itself: formulas as MathML, docstrings as they stand."""

import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from math_core import LatexToMathML

CONVERTER = LatexToMathML()
NAMED = 3  # pairs of a piece; a reader follows the link to the others
DOCUMENTATION = "https://docs.pytorch.org/docs/stable/generated/"


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    app.add_directive("div", Div)
    app.add_config_value("proofs", "", "env", types=[str])
    app.connect("autodoc-process-docstring", as_it_stands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class Div(Directive):
    """A block with a class, for the style sheet."""

    has_content = True
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """One container."""
        container = nodes.container(classes=["plain", self.arguments[0]])
        self.state.nested_parse(self.content, self.content_offset, container)
        return [container]


def inline(translator: Any, node: nodes.math) -> None:
    """A formula in a line: the browser draws MathML, without a script and without the network."""
    translator.body.append(CONVERTER.convert_with_local_state(node.astext(), displaystyle=False))
    raise nodes.SkipNode


def block(translator: Any, node: nodes.math_block) -> None:
    """A formula by itself, which scrolls where it is too wide."""
    formula = CONVERTER.convert_with_local_state(node.astext(), displaystyle=True)
    translator.body.append(f'<div class="formula">{formula}</div>')
    raise nodes.SkipNode


def as_it_stands(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text with formulas, which reStructuredText would read as markup."""
    text = [*lines]
    if any(text):
        lines[:] = [".. code-block:: text", "", *(f"   {line}" for line in text), ""]
    lines += _proof(app.config.proofs, name)


def _proof(folder: str, name: str) -> list[str]:
    """Which pairs run a piece of a lesson, and what it is called in PyTorch."""
    module, _, piece = name.rpartition(".")
    lesson = module.removeprefix("lessons.")
    kept = Path(folder, f"{lesson}.json")
    if not folder or not kept.is_file():
        return []
    proof = json.loads(kept.read_text(encoding="utf-8")).get(piece)
    if proof is None:
        return []
    number = re.sub(r"\D", "", lesson.partition("_")[0])
    pairs = [f"``{pair}``" for pair in proof["pairs"]]
    more = f" and {len(pairs) - NAMED} more" if len(pairs) > NAMED else ""
    words = [f"Proven on :doc:`compare{number}` by {', '.join(pairs[:NAMED])}{more}."]
    if proof["twin"]:
        words.append(f"In PyTorch: `{proof['twin']} <{DOCUMENTATION}{proof['twin']}.html>`__.")
    return [" ".join(words), ""]
