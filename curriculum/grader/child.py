"""The process that runs one learner's file: `python -m curriculum.grader.child FOLDER`, the job on stdin.

The folder gets `begun` when the learner's code starts, `trace` when it hangs or crashes, and `result`.
"""

import contextlib
import faulthandler
import importlib.util
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import torch

from curriculum.grader.judge import explain, judge
from curriculum.grader.session import MEMORY, Verdict


def main() -> None:
    torch.ones(1, requires_grad=True).backward(torch.ones(1))  # the first one imports sympy and more
    folder, job = Path(sys.argv.pop()), json.loads(sys.stdin.readline() or "null")
    if job is None:  # the parent has gone
        return
    file, solution = job["file"], load(job["solution"], f"solution_{Path(job['solution']).stem}")
    sys.argv = [file]
    os.ftruncate(sys.stdout.fileno(), 0)  # what torch said while it was imported is not the learner's
    (folder / "begun").touch()
    with (folder / "trace").open("w", encoding="utf-8") as trace:
        faulthandler.enable(trace)
        faulthandler.dump_traceback_later(job["seconds"], exit=True, file=trace)
        limit()
        verdict = grade(file, solution)
        faulthandler.cancel_dump_traceback_later()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    (folder / "result").write_text(json.dumps(asdict(verdict)), encoding="utf-8")
    os._exit(0)  # a thread that the learner has started does not hold us up


def load(path: str, name: str) -> ModuleType:
    """The file as a module."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def grade(file: str, solution: ModuleType) -> Verdict:
    """The verdict on the learner's file, whatever its code does short of ending the process."""
    try:
        module = load(file, Path(file).stem)
        if not hasattr(module, solution.ANSWER):
            return Verdict(
                "error", f"it defines no {solution.ANSWER}; expected that name, as in the file handed out"
            )
        return judge(getattr(module, solution.ANSWER), solution, file)
    except BaseException as error:
        return explain(error, file)


def limit() -> None:
    """Bound memory and files, where the system can: `MEMORY` on top of what is in use now."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        allowed = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))


if __name__ == "__main__":
    main()
