"""A table that stays readable in a narrow terminal."""

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text


class Table(RichTable):
    """rich's table. Where its longest words do not fit, each row is a paragraph: nothing is cut off."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if Measurement.get(console, options.update(max_width=10_000), self).minimum <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        if self.title:
            yield Text.from_markup(str(self.title))
        headers = [" ".join(str(column.header).split()) for column in self.columns]
        cells = zip(*(column.cells for column in self.columns), strict=True)
        for row, values in zip(self.rows, cells, strict=True):
            named = (f"{header} {value}".strip() for header, value in zip(headers, values, strict=True))
            yield Text.from_markup(", ".join(filter(None, named)), style=row.style or "")
