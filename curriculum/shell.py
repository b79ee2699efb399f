"""Words that can be pasted into a terminal."""

import os
import re
import shlex
from pathlib import Path

WINDOWS = os.name == "nt"


def quoted(word: str | Path) -> str:
    """One word for the shell. On Windows quotes are double, and a command in quotes is no command."""
    text = str(word)
    if not WINDOWS:
        return shlex.quote(text)
    return text if re.fullmatch(r"[\w.:\\/-]+", text) else f'"{text}"'
