"""What Sphinx does not do by itself: formulas as MathML, docstrings as they stand."""

from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from math_core import LatexToMathML

CONVERTER = LatexToMathML()


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    app.add_directive("div", Div)
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
