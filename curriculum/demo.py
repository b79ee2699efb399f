"""Demonstrations: short functions in a lesson that return what there is to see.

A function marked `@demo` returns a `Table`, a figure (`new_figure`) or a line of text. In a script or a
notebook it shows itself on the spot. In an imported lesson it is only marked, so that `curriculum run`
and the tests can call it by name.
"""

import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from matplotlib.figure import Figure
from rich.console import Console, RenderableType

from curriculum.table import Table as RichTable

Demo = TypeVar("Demo", bound=Callable[[], Any])


@dataclass(frozen=True)
class Table:
    """Columns and rows of plain values: tests read them, `rich` and notebooks draw them."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    title: str = ""

    def __rich__(self) -> RenderableType:
        table = RichTable(*self.columns, title=self.title or None, title_justify="left")
        for column, value in zip(table.columns, self.rows[0] if self.rows else (), strict=False):
            column.justify = "left" if isinstance(value, str) else "right"
        for row in self.rows:
            table.add_row(*map(_cell, row))
        return table

    def _repr_markdown_(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *(map(_cell, row) for row in self.rows)]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"**{self.title}**\n\n{table}" if self.title else table


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


# The two sides keep their colours in every figure.
SCRATCH, TORCH = "#d1495b", "#00798c"
OTHER = ("#edae49", "#6a4c93", "#66a182", "#2e4057")


def new_figure(
    rows: int = 1, columns: int = 1, width: float = 4.0, height: float = 3.2
) -> tuple[Figure, Any]:
    """An empty figure and its axes (an array where there is more than one), `width` × `height` inches each.

    It is made without pyplot: nothing opens and nothing is left behind.
    """
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained", dpi=110)
    axes = figure.subplots(rows, columns)
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


_runs = Path("runs")


def runs(folder: Path | None = None) -> Path:
    """The folder for figures and logs; with an argument, set it for this process."""
    global _runs
    _runs = folder or _runs
    return _runs


def demo(function: Demo) -> Demo:
    """Mark a demonstration. In a script or a notebook, also show it at once."""
    function.is_demo = True  # type: ignore[attr-defined]
    if function.__module__ == "__main__":
        _show_here(function)
    return function


def heading(function: Callable[[], Any]) -> str:
    """The first line of a demo's docstring."""
    return (function.__doc__ or function.__name__).strip().splitlines()[0]


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def show(function: Callable[[], Any], folder: Path, console: Console) -> Any:
    """Run a demo and show it in the terminal; a figure is saved under `folder`. Returns what it made."""
    console.print(heading(function), style="bold", highlight=False, markup=False)
    console.rule(style="dim")
    result = function()
    if isinstance(result, Figure):
        path = folder / f"{function.__name__}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(result))
        console.print(f"figure: {path}", soft_wrap=True)
    else:
        console.print(result, soft_wrap=isinstance(result, str), markup=False, highlight=False)
    console.print()
    return result


def _show_here(function: Callable[[], Any]) -> None:
    if "get_ipython" in vars(sys.modules["__main__"]):
        from IPython.display import Image, Markdown, display

        result = function()
        display(Markdown(f"**{heading(function)}**"))
        display(Image(png(result)) if isinstance(result, Figure) else result)
    else:
        script = Path(getattr(sys.modules["__main__"], "__file__", "notebook"))
        show(function, runs() / script.stem.split("_")[0], Console())
