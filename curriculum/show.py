"""What the commands `run` and `compare` do."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.console import Console

from curriculum import UserError
from curriculum.demo import runs, show
from curriculum.device import usable
from curriculum.discover import Lesson
from curriculum.pair import Case, Difference, compare


def show_lesson(lesson: Lesson, log_dir: Path, console: Console) -> None:
    """Show every demo under its heading; figures also go to `log_dir`, as PNG and for TensorBoard."""
    from torch.utils.tensorboard import SummaryWriter

    folder = runs(log_dir) / lesson.folder_name
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
            result = show(function, folder, console)
            if isinstance(result, Figure):
                canvas = FigureCanvasAgg(result)
                canvas.draw()
                writer.add_image(function.__name__, np.asarray(canvas.buffer_rgba()), dataformats="HWC")


def compare_lessons(chosen: list[Lesson], dtype: str, device: str) -> list[dict[str, Any]]:
    """Every pair of the lessons: its named results with their largest differences."""
    usable(device)
    case = Case(dtype=getattr(torch, dtype), device=device)
    rows = []
    for lesson in chosen:
        for pair in lesson.pairs():
            try:
                results = compare(pair, case)
            except Exception as error:
                results = [Difference("pair", float("inf"), f"{type(error).__name__}: {error}")]
            rows.append(
                {
                    "lesson": lesson.number,
                    "pair": pair.name,
                    "ok": not any(result.problem for result in results),
                    "largest": max(result.largest for result in results),
                    "results": [vars(result) for result in results],
                }
            )
    return rows
