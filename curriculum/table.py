"""Tables: plain values that tests read, and how a terminal or a notebook shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text


@dataclass(frozen=True)
class Table:
    """Columns and rows of plain values: tests read them, `rich` and notebooks draw them."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    title: str = ""

    def __rich__(self) -> RenderableType:
        table = TerminalTable(*self.columns, title=self.title or None, title_justify="left")
        if self.rows:
            for column, value in zip(table.columns, self.rows[0], strict=False):
                column.justify = "left" if isinstance(value, str) else "right"
        for row in self.rows:
            table.add_row(*map(_cell, row))
        return table

    def _repr_markdown_(self) -> str:
        """The table in Markdown. Notebooks look for a method of this name."""
        lines = [self.columns, ["---"] * len(self.columns), *(map(_cell, row) for row in self.rows)]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"**{self.title}**\n\n{table}" if self.title else table


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


class TerminalTable(RichTable):
    """rich's table. Where its longest words do not fit, each row is a paragraph: nothing is cut off."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        needed = Measurement.get(console, options.update(max_width=10_000), self).minimum
        if needed <= options.max_width:
            yield from super().__rich_console__(console, options)
        else:
            yield from self._paragraphs()

    def _paragraphs(self) -> RenderResult:
        """Each row as `header value, header value, …`."""
        if self.title:
            yield Text.from_markup(str(self.title))
        headers = [" ".join(str(column.header).split()) for column in self.columns]
        cells = zip(*(column.cells for column in self.columns), strict=True)
        for row, values in zip(self.rows, cells, strict=True):
            named = [f"{header} {value}".strip() for header, value in zip(headers, values, strict=True)]
            yield Text.from_markup(", ".join(filter(None, named)), style=row.style or "")
