"""Files that are whole or not there."""

import os
from pathlib import Path


def write_whole(path: Path, content: bytes | str) -> None:
    """Write or replace a file. Whoever reads it, whenever this is killed, finds the old content or the new.

    Raises:
        OSError: there is no room, or no permission. The old content is still there.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")  # beside it: a rename within a disk is atomic
    try:
        with fresh.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave the new name on no content
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove what a killed `write_whole` has left in a folder that nobody else writes to."""
    for left in folder.glob(".*.[0-9]*"):
        left.unlink(missing_ok=True)
