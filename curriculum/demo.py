"""Demonstrations: short functions in a lesson that return what there is to see.

A function marked `@demo` returns a `Table`, a figure (`new_figure`) or a line of text. In a script or a
notebook it shows itself on the spot. In an imported lesson it is only marked, so that `curriculum run`
and the tests can call it by name.
"""

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from curriculum import UserError
from curriculum.discover import Lesson
from curriculum.draw import describe, for_page, png

Demo = TypeVar("Demo", bound=Callable[[], Any])

_output_folder = Path("runs")


def output_folder() -> Path:
    """The folder that demonstrations write figures and logs to."""
    return _output_folder


def set_output_folder(folder: Path) -> None:
    """Let all demonstrations of this process write to `folder`."""
    global _output_folder
    _output_folder = folder


def demo(function: Demo) -> Demo:
    """Mark a demonstration. In a script or a notebook, also show it at once."""
    function.is_demo = True  # type: ignore[attr-defined]
    if function.__module__ == "__main__":
        _show_here(function)
    return function


def heading(function: Callable[[], Any]) -> str:
    """The first line of a demo's docstring."""
    return (function.__doc__ or function.__name__).strip().splitlines()[0]


def show_lesson(lesson: Lesson, log_dir: Path, console: Console) -> None:
    """Show every demo under its heading; figures also go to `log_dir`, as PNG and for TensorBoard.

    Raises:
        UserError: `log_dir` cannot be written to.
    """
    import numpy as np
    from PIL import Image
    from torch.utils.tensorboard import SummaryWriter

    set_output_folder(log_dir)
    folder = log_dir / lesson.folder_name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()  # a demo shows the same every time: keep one copy
        writer = SummaryWriter(str(folder))
    except OSError as error:
        raise UserError(f"cannot write to {folder} ({error.strerror}); choose another --log-dir") from error
    console.rule(f"[bold]Lesson {lesson.number:02} · {lesson.title}", characters="═")
    console.print(f"{lesson.question}\n{lesson.path}\n", highlight=False, soft_wrap=True)
    with writer:
        for function in lesson.demos():
            picture = show(function, folder, console)
            if picture:
                pixels = np.array(Image.open(io.BytesIO(picture)))
                writer.add_image(function.__name__, pixels, dataformats="HWC")


def show(function: Callable[[], Any], folder: Path, console: Console) -> bytes:
    """Run a demo and show it in the terminal. A figure is saved under `folder`.

    Returns:
        The figure as PNG; nothing where the demo made none.
    """
    console.print(heading(function), style="bold", highlight=False, markup=False)
    console.rule(style="dim")
    with _clock(console):
        result = function()
    picture = b""
    if isinstance(result, Figure):
        picture = png(result)
        path = folder / f"{function.__name__}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
        console.print(f"figure: {path}", soft_wrap=True)
    else:
        console.print(result, soft_wrap=isinstance(result, str), markup=False, highlight=False)
    console.print()
    return picture


@contextlib.contextmanager
def _clock(console: Console) -> Iterator[None]:
    """In a terminal, a line that counts the seconds of a demo that takes some. It goes when the demo ends."""
    if not console.is_terminal:
        yield
        return
    columns = SpinnerColumn(), TextColumn("[dim]working"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        progress.add_task("", total=None)
        yield


def _show_here(function: Callable[[], Any]) -> None:
    """Show a demo where it stands: in the notebook, or in the terminal of the script."""
    main = sys.modules["__main__"]
    if "get_ipython" in vars(main):
        from IPython.display import Markdown, display

        result = function()
        display(Markdown(f"**{heading(function)}**"))
        if isinstance(result, Figure):
            content = for_page(result)
            words = f"{heading(function)}. {describe(result)}"
            display(content, raw=True, metadata={kind: {"alt": words} for kind in content})
        else:
            display(result)
    else:
        script = Path(getattr(main, "__file__", "notebook"))
        show(function, output_folder() / script.stem.split("_")[0], Console())
