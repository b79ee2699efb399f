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
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import torch

from curriculum.grader.explain import explain
from curriculum.grader.guard import Guard
from curriculum.grader.judge import judge
from curriculum.grader.limits import bound_this_process
from curriculum.grader.verdict import Verdict


def main() -> None:
    """Wait for the job, grade, and end the process."""
    torch.ones(1, requires_grad=True).backward(torch.ones(1))  # the first one imports sympy and more
    folder = Path(sys.argv.pop())
    job = json.loads(sys.stdin.readline() or "null")
    if job is None:  # the parent has gone
        return
    guard = guard_of(job["solution"])
    _forget_what_was_printed()
    work(folder, job, guard)


def guard_of(solution: str) -> Guard:
    """What an answer to that solution's exercise is held against."""
    return Guard(load(solution, f"solution_{Path(solution).stem}"))


def work(folder: Path, job: dict[str, Any], guard: Guard) -> NoReturn:
    """Grade the job's file, write the verdict into `folder`, and end the process."""
    file = job["file"]
    sys.argv = [file]
    (folder / "begun").touch()
    with (folder / "trace").open("w", encoding="utf-8") as trace:
        faulthandler.enable(trace)
        faulthandler.dump_traceback_later(job["seconds"], exit=True, file=trace)
        bound_this_process()
        verdict = grade_alone(file, guard)
        faulthandler.cancel_dump_traceback_later()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    result = {"token": job["token"], "verdict": asdict(verdict)}
    if verdict.passed and "seed" in job:
        result["numbers"] = guard.hidden_numbers(file, job["seed"])
    (folder / "result").write_text(json.dumps(result), encoding="utf-8")
    os._exit(0)  # a thread that the learner has started does not hold us up


def load(path: str, name: str) -> ModuleType:
    """The file as a module.

    Raises:
        Exception: Whatever its code raises.
    """
    loader = SourceFileLoader(name, path)  # the file's name need not end in .py, as Windows' .PY
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loader.exec_module(module)
    return module


def grade_alone(file: str, guard: Guard) -> Verdict:
    """The verdict on the learner's file in a process that does nothing else any more.

    Modules beside the file are found, as where Python runs it. The solutions are closed.
    """
    sys.path.insert(0, str(Path(file).parent))
    sys.dont_write_bytecode = True  # nothing of ours appears in the learner's folder
    guard.close_solutions()
    return grade(file, guard.solution, guard)


def grade(file: str, solution: ModuleType, guard: Guard | None = None) -> Verdict:
    """The verdict on the learner's file, whatever its code does short of ending the process."""
    try:
        module = load(file, Path(file).stem)
        if not hasattr(module, solution.ANSWER):
            return Verdict(
                "error", f"it defines no {solution.ANSWER}; expected that name, as in the file handed out"
            )
        answer = getattr(module, solution.ANSWER)
        verdict = judge(answer, solution, file)
        return guard.look(answer, verdict) if guard else verdict
    except BaseException as error:
        return explain(error, file)


def _forget_what_was_printed() -> None:
    """What torch said while it was imported is not the learner's."""
    os.lseek(sys.stdout.fileno(), 0, os.SEEK_SET)  # on Windows, writing goes on at the old place else
    os.ftruncate(sys.stdout.fileno(), 0)


if __name__ == "__main__":
    main()
