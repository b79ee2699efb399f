"""Runs to read: written by torch's SummaryWriter, as training programs do."""

import struct
from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from curriculum.runs.events import EVENT_FILES
from curriculum.runs.facts import RecordedRun

NASTY = "<script>alert(1)</script>"
STEERING = "\x1b[2J"


def write(run: Path, train_loss: list[float] | None = None, **last: float) -> Path:
    """A run with a training curve, a point at every step, and single values."""
    with SummaryWriter(str(run)) as writer:
        for step, value in enumerate(train_loss or []):
            writer.add_scalar("train_loss", value, step)
        for tag, value in last.items():
            writer.add_scalar(tag, value, len(train_loss or []))
    return run


def write_full(run: Path) -> Path:
    """A run with something of every kind, as a version without report and manifest left it."""
    generator = torch.Generator().manual_seed(0)
    with SummaryWriter(str(run)) as writer:
        for step in range(30):
            writer.add_scalar("train_loss", 2 / (step + 1), step)
            writer.add_scalar("epoch", step // 10, step)
            for name in ("0.weight", "0.bias"):
                writer.add_scalar(f"grad_norm/{name}", step + len(name), step)
        for step in (9, 19, 29):
            writer.add_scalar("val_acc", step / 30, step)
            writer.add_image("answers", torch.rand(3, 4, 5, generator=generator), step)
            writer.add_histogram("weights", torch.rand(20, generator=generator), step)
        writer.add_scalar("test_acc", 0.5, 30)
        writer.add_text("run", "| | |\n|---|---|\n| data | digits |\n| torch | 2 |")
        writer.add_text("note", "first")
        writer.add_text("note", f"second {NASTY}", 1)
        add_hparams(writer, {"lr": 0.25, "optimizer": "sgd"})
    (run / "config.yaml").write_text("trainer:\n  max_epochs: 3\nmodel:\n  lr: 9.0\n")
    return run


def add_hparams(writer: SummaryWriter, chosen: dict[str, float | str]) -> None:
    """Into this run; `writer.add_hparams` would start a second one beside it."""
    for summary in hparams(chosen, {"val_acc": 0.0}):
        writer._get_file_writer().add_summary(summary)


def event_file(run: Path) -> Path:
    """The one event file of a run."""
    (file,) = run.glob(EVENT_FILES)
    return file


def record_ends(data: bytes) -> list[int]:
    """Where each record of an event file ends."""
    ends = [0]
    while ends[-1] < len(data):
        ends.append(ends[-1] + 16 + struct.unpack_from("<Q", data, ends[-1])[0])
    return ends[1:]


def recorded(run: Path) -> RecordedRun:
    """What the views are given, under the run's last two names."""
    return RecordedRun.read(run, "/".join(run.parts[-2:]))
