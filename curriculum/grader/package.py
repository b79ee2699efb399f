"""What is installed here stays as it is, whatever an answer does to it. Nothing here imports torch."""

import contextlib
import os
from pathlib import Path

from curriculum.files import write_whole

ROOT = Path(__file__).parents[2]
FOLDERS = ("curriculum", "lessons")  # what grades, and what is held against answers

State = tuple[int, int, int]  # size, time of the last change, number on the disk


class Package:
    """Remembers the source of this package, and puts back what is not as it was.

    It reads two megabytes, once, and looks at the dates of the files after each answer.
    """

    def __init__(self) -> None:
        files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
        self.contents = {path: path.read_bytes() for path in files}
        self.states = {path: _state(path) for path in files}

    def restore(self) -> list[str]:
        """Put back what was changed or removed, remove what came; their names below the package's folder."""
        changed = [path for path, state in self.states.items() if _state(path) != state]
        found = {path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
        added = sorted(found - self.contents.keys())
        for path in changed:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, self.contents[path])
            self.states[path] = _state(path)
        for path in added:
            path.unlink()
        return [path.relative_to(ROOT).as_posix() for path in (*changed, *added)]


def _state(path: Path) -> State | None:
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return found.st_size, found.st_mtime_ns, found.st_ino
    return None
