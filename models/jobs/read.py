"""`curriculum read`: a user's pictures, read by the best network at hand.

What came out is written to `<log_dir>/read/version_N`: a page, a sheet as PNG, and the sheet as an image for
TensorBoard. The pictures themselves are only read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from curriculum import UserError
from curriculum.data import DIGITS
from curriculum.data_names import OFFLINE_DIGITS
from curriculum.files import write_whole
from curriculum.picture import Prepared, Whole
from models.jobs import read_page, read_sheet
from models.jobs.reader import Reader, Say, best_at_hand
from models.jobs.reading import Reading, Symbol
from models.networks.novelty import Novelty
from models.records.folder import RunFolder
from models.records.log import event_writer

JOB = "read"  # its folder's name
Pictures = Mapping[Path, Sequence[Prepared | Whole]]


@dataclass(frozen=True)
class Report:
    """All readings, who read, and where page and sheet lie."""

    reader: Reader
    val_acc: float
    readings: list[Reading]
    page: Path
    sheet: Path

    @property
    def network(self) -> str:
        """One line on the network: which, what it learned from, how well it reads."""
        return (
            f"{self.reader.name} · learned from {self.reader.data.name} · "
            f"{self.val_acc:.2%} of its {len(self.reader.data.val.target):,} validation pictures right"
        )

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "network": self.reader.name,
            "data": self.reader.data.name,
            "data_sha256": self.reader.data.sha256,
            "data_source": self.reader.data.source,
            "data_pictures": {"val": len(self.reader.data.val.x)},
            "val_acc": self.val_acc,
            "pictures": [reading.plain() for reading in self.readings],
            "page": str(self.page),
            "sheet": str(self.sheet),
        }


def run(
    pictures: Pictures,
    run: str | None,
    log_dir: Path,
    data_dir: Path | None,
    say: Say,
) -> Report:
    """Read every symbol of every picture. `say` gets lines for the user.

    Args:
        pictures: what is on each, at least one symbol.
        run: see `best_at_hand`.

    Raises:
        UserError: the run or its data cannot be used, or `log_dir` cannot be written to.
    """
    reader = best_at_hand(run, log_dir, data_dir, say)
    if reader.data.name == OFFLINE_DIGITS:
        say(
            "the network has learned from scans of 8×8 pixels only: such a one read 43 of 60 drawn "
            "photographs, and took 55 for strange; a better one: curriculum mnist --data mnist"
        )
    every = [symbol for symbols in pictures.values() for symbol in symbols]
    if reader.data.classes != DIGITS and not all(isinstance(symbol, Whole) for symbol in every):
        say(
            f"the pictures are prepared as MNIST's digits were, in a box of 20×20 and centred by mass; "
            f"those of {reader.data.name} may have been made in another way: --as-is feeds them whole"
        )
    readings = read(pictures, reader)
    folder = RunFolder.create(log_dir, (JOB,))[JOB].path
    report = Report(reader, reader.val_acc(), readings, folder / "read.html", folder / "read.png")
    sheet = read_sheet.png(readings)
    try:
        write_whole(report.sheet, sheet)
        write_whole(report.page, read_page.html(readings, report.network))
        with event_writer(folder, "basic") as writer:
            assert writer is not None
            pixels = np.asarray(Image.open(report.sheet).convert("RGB"))
            writer.add_image("read", pixels, dataformats="HWC")
            writer.add_text("run", report.network)
    except OSError as error:
        raise UserError(f"cannot write to {folder} ({error.strerror}); choose another --log-dir") from error
    return report


def read(pictures: Pictures, reader: Reader) -> list[Reading]:
    """The network's answers, and whether each symbol may be no digit."""
    every = [prepared for found in pictures.values() for prepared in found]
    x = torch.tensor(np.stack([prepared.digit for prepared in every]), dtype=torch.float32).flatten(1)
    novelty = Novelty.fit(reader.logits, reader.data)
    symbols = iter(
        Symbol(prepared, probabilities, strangeness > novelty.limit, reader.data.classes)
        for prepared, probabilities, strangeness in zip(
            every,
            reader.logits(x).softmax(1).tolist(),
            novelty.scores(x).tolist(),
            strict=True,
        )
    )
    return [Reading(path, [next(symbols) for _ in found]) for path, found in pictures.items()]
