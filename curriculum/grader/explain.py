"""What the learner's code raised, in one line. Nothing here imports torch."""

import re
import traceback

from curriculum.grader.limits import MEMORY
from curriculum.grader.verdict import Verdict

LONGEST = 300  # characters of a message that are told


def explain(error: BaseException, file: str) -> Verdict:
    """The verdict on an answer that raised `error`, with the line of `file` that it came from."""
    said = _shortened(str(error))
    line = _last_line_in(file, error)
    where = f" (line {line})" if line else ""
    if isinstance(error, NotImplementedError):
        return Verdict("not written", f"not written yet: {said or 'a body'}{where}")
    if isinstance(error, SystemExit):
        return Verdict("error", f"it calls sys.exit{where}: let it return instead")
    if isinstance(error, MemoryError) or re.search("can't allocate|not enough memory|bad_alloc", said):
        return Verdict("memory", f"it asks for more than {MEMORY >> 30} GiB of memory{where}")
    if isinstance(error, SyntaxError) and error.filename == file:
        text = f": {error.text.strip()}" if error.text else ""
        return Verdict("error", f"line {error.lineno} is not Python, {error.msg}{text}")
    if "inference" in said.lower() or "does not require grad" in said:
        return Verdict("not by hand", f"it asks autograd for the gradient{where}: write it by hand")
    if line:
        return Verdict("error", f"{type(error).__name__}{where}: {said}")
    if "NoneType" in said:
        return Verdict(
            "error", f"something that should return a tensor returns nothing; is a return missing? ({said})"
        )
    kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
    return Verdict("error", f"it does not fit the exercise: {kind}{said}")


def _shortened(message: str) -> str:
    message = " ".join(message.split())
    return message if len(message) <= LONGEST else f"{message[: LONGEST - 1]}…"


def _last_line_in(file: str, error: BaseException) -> int | None:
    """The innermost line of `file` among the calls that led to `error`."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] if lines else None
