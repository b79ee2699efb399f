"""What the learner's code raised, in one line. Nothing here imports torch."""

import re
import sys
import traceback
from pathlib import Path
from types import ModuleType

from curriculum.grader.limits import MEMORY
from curriculum.grader.verdict import SolutionsClosedError, Verdict

LONGEST = 300  # characters of a message that are told


def explain(error: BaseException, file: str) -> Verdict:
    """The verdict on an answer that raised `error`, with the line of `file` that it came from."""
    said = _shortened(_words_of(error))
    line = _last_line_in(file, error)
    where = f" (line {line})" if line else ""
    if isinstance(error, NotImplementedError):
        return Verdict("not written", f"not written yet: {said or 'a body'}{where}")
    if isinstance(error, SystemExit):
        return Verdict("error", f"it calls sys.exit{where}: let it return instead")
    if isinstance(error, MemoryError) or re.search("can't allocate|not enough memory|bad_alloc", said):
        return Verdict("memory", f"it asks for more than {MEMORY >> 30} GiB of memory{where}")
    if isinstance(error, SolutionsClosedError):
        return Verdict("not its own", f"{said}{where}")
    advice = _about_files_beside(error, file)
    if advice:
        return Verdict("error", f"{advice}{where}")
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


def _words_of(error: BaseException) -> str:
    """Its message, which the learner's own class may fail to give."""
    try:
        return str(error)
    except BaseException as another:
        return f"its message cannot be read, __str__ raises {type(another).__name__}"


def _about_files_beside(error: BaseException, file: str) -> str:
    """What to do where a file beside `file` is not found as when Python runs it; empty otherwise."""
    if isinstance(error, FileNotFoundError):
        name = error.filename
        if isinstance(name, str) and Path(file).with_name(name).exists():
            return (
                f"it opens {name} in the folder that it runs in, here an empty one: "
                f"open it as Path(__file__).with_name({name!r})"
            )
    if isinstance(error, ImportError) and "relative import" in str(error):
        return "it is no part of a package, so a relative import finds nothing: leave out the dot"
    if isinstance(error, ImportError) and _is_hidden(error.name, file):
        return f"Python has another module {error.name} than the one beside it: give yours another name"
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        name = error.obj.__name__
        if _is_hidden(name, file):
            return f"Python has another module {name} than the one beside it: give yours another name"
    return ""


def _is_hidden(name: str | None, file: str) -> bool:
    """Whether the module that lies beside `file` under this name is not the one that was imported."""
    beside = Path(file).parent / f"{name}.py"
    return beside.exists() and getattr(sys.modules.get(str(name)), "__file__", None) != str(beside)


def _shortened(message: str) -> str:
    message = " ".join(message.split())
    return message if len(message) <= LONGEST else f"{message[: LONGEST - 1]}…"


def _last_line_in(file: str, error: BaseException) -> int | None:
    """The innermost line of `file` among the calls that led to `error`."""
    frames = traceback.walk_tb(error.__traceback__)  # reads no source, unlike extract_tb
    lines = [line for frame, line in frames if frame.f_code.co_filename == file]
    return lines[-1] if lines else None
