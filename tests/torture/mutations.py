"""Small mistakes, put into the machinery one at a time. Does a test catch each?

    python -m tests.torture.mutations --json found.jsonl
    python -m tests.torture.mutations --only log_is_late --tests tests/models

Every mutation is a mistake that somebody could make, and it breaks what somebody was promised. It is put into
a copy of the checkout, and pytest runs there the tests that should catch it. The checkout stays as it is.

caught       a test fails, and passes again once the mistake is taken out
survived     all tests pass
timed out    the tests did not end
red anyway   the test fails without the mistake, too
no tests     the tests that are named are not there any more
stale        the text to be found is not there any more, or more than once: adapt the mutation

Where PATH_DATASETS names no folder with MNIST, tests of the data are skipped and their mutations survive.
Mutations that change nothing that can be seen are left out; each area names some.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 900.0  # for the tests of one mutation; generous, because machines are slow
MISSING = (4, 5)  # pytest's exit codes for tests that are not there
# Every run of pytest is a process that begins with these imported, where the system can fork: that takes most
# of the time of a short test. Nothing of ours is among them.
PRELOADED = [
    "lightning.pytorch.cli", "matplotlib.figure", "sklearn.datasets", "torch.utils.tensorboard",
    "torchmetrics.classification", "torchvision.datasets",
]  # fmt: skip


@dataclass(frozen=True)
class Mutation:
    """One mistake: what it breaks, where, and the tests that are to catch it, as pytest's command line."""

    name: str
    breaks: str
    file: str
    find: str  # stands once in the file
    put: str
    tests: str


@dataclass(frozen=True)
class Finding:
    """What became of one mutation, and by which test."""

    area: str
    name: str
    result: str
    by: str
    tests: str
    seconds: float


def try_out(area: str, mutation: Mutation, tests: str) -> Finding:
    """Put the mistake into a copy, and run the tests there."""
    begin = time.monotonic()
    with copy_of_the_checkout() as copy:
        file = copy / mutation.file
        right = file.read_text(encoding="utf-8") if file.is_file() else ""
        if right.count(mutation.find) == 1:
            file.write_text(right.replace(mutation.find, mutation.put), encoding="utf-8")
            result, by = verdict(copy, file, right, shlex.split(tests))
        else:
            result, by = "stale", f"{right.count(mutation.find)} places in {mutation.file}"
    return Finding(area, mutation.name, result, by, tests, round(time.monotonic() - begin, 1))


def verdict(copy: Path, file: Path, right: str, tests: list[str]) -> tuple[str, str]:
    """Run the tests on the mistake; where one fails, run that one again without it."""
    code, output = pytest_in(copy, tests)
    if code is None:
        return "timed out", ""
    if code == 0:
        return "survived", ""
    if code in MISSING:
        return "no tests", output.strip().splitlines()[-1]
    found = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", output, re.MULTILINE)
    by = found[1] if found else f"exit code {code}"
    file.write_text(right, encoding="utf-8")
    again, _ = pytest_in(copy, [by, "-m", ""] if found else tests)  # slow or not
    return ("caught" if again == 0 else "red anyway"), by


def pytest_in(copy: Path, arguments: list[str]) -> tuple[int | None, str]:
    """Exit code and output of pytest in the copy, up to the first failure; no code where it did not end."""
    printed = copy.parent / "printed"
    process = multiprocessing.Process(target=run_pytest, args=(copy, arguments, printed))
    process.start()
    process.join(SECONDS)
    code = process.exitcode
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid or 0, signal.SIGKILL)  # with all that the tests have started
    process.kill()
    process.join()
    return code, printed.read_text(encoding="utf-8", errors="replace")


def run_pytest(copy: Path, arguments: list[str], printed: Path) -> None:
    """What the process does: as `python -m pytest` in the copy, but for the imports that are made already."""
    with printed.open("w", encoding="utf-8") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    if hasattr(os, "setsid"):
        os.setsid()
    os.chdir(copy)
    os.environ.update(PYTHONPATH=str(copy), PYTHONDONTWRITEBYTECODE="1")
    sys.dont_write_bytecode = True  # else old bytecode could hide a mistake that was put in within a second
    sys.path.insert(0, str(copy))
    for name in [name for name in sys.modules if name.split(".")[0] == "tests"]:
        del sys.modules[name]  # those of the checkout

    import curriculum
    import lessons
    import models

    for package in (curriculum, lessons, models):
        assert Path(str(package.__file__)).is_relative_to(copy), f"{package} is not that of the copy"
    import pytest

    sys.argv = ["pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider", f"--basetemp={copy.parent}/tests"]
    sys.argv += arguments
    os._exit(int(pytest.main(sys.argv[1:])))  # a thread that a test has left does not hold us up


@contextlib.contextmanager
def copy_of_the_checkout() -> Iterator[Path]:
    """What git knows, and what is new and not ignored, in a folder of its own."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    with tempfile.TemporaryDirectory(prefix="mutation-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # some tests become another user
        copy = Path(folder) / "checkout"
        for name in filter(None, names):
            if (ROOT / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copy / name)
        yield copy


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these mutations, or areas")
    parser.add_argument("--list", action="store_true", help="print the mutations and end")
    parser.add_argument(
        "--tests", metavar="ARGUMENTS", help="what pytest is told, instead of each one's tests"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="append each finding, one a line")
    options = parser.parse_args()
    everything = [(area, mutation) for area, mutations in AREAS.items() for mutation in mutations]
    chosen = [
        (area, mutation)
        for area, mutation in everything
        if not options.only or {area, mutation.name} & {*options.only}
    ]
    if unknown := {*(options.only or ())} - {*AREAS, *(mutation.name for _, mutation in everything)}:
        parser.error(f"there is no {', '.join(sorted(unknown))} (see: --list)")
    if options.list:
        for area, mutation in chosen:
            print(f"{area:<9} {mutation.name:<32} {mutation.breaks}")
        return 0
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if "forkserver" in multiprocessing.get_all_start_methods():
        multiprocessing.set_start_method("forkserver")
        multiprocessing.set_forkserver_preload(PRELOADED)
    counts = Counter[tuple[str, str]]()
    for area, mutation in chosen:
        finding = try_out(area, mutation, options.tests or mutation.tests)
        counts[area, finding.result] += 1
        print(f"{finding.result:<10} {mutation.name:<32} {finding.by or mutation.breaks}", flush=True)
        if options.json:
            with options.json.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(finding), ensure_ascii=False) + "\n")
    for (area, result), count in counts.items():
        print(f"{area}: {count} {result}")
    return int(any(result != "caught" for _, result in counts))


# ---------------------------------------------------------------- the harness: pairs, demonstrations, lessons

# Left out: lessons that are not sorted (the disk may sort them); a demo of another lesson taken for this
# one's (none imports one).
PAIR = "tests/kit/test_pair.py"
HARNESS = (
    Mutation(
        "pair_bound_relative",
        "Results that are 1e-8 apart, relatively, count as equal.",
        "curriculum/pair.py",
        "torch.float64: (1e-9, 1e-10)",
        "torch.float64: (1e-7, 1e-10)",
        PAIR,
    ),
    Mutation(
        "pair_bound_absolute",
        "Results that are 1e-7 apart count as equal, however small they are.",
        "curriculum/pair.py",
        "torch.float64: (1e-9, 1e-10)",
        "torch.float64: (1e-9, 1e-6)",
        PAIR,
    ),
    Mutation(
        "pair_float32_bound",
        "In float32 results that are a hundredth apart count as equal.",
        "curriculum/pair.py",
        "torch.float32: (1e-4, 1e-5)",
        "torch.float32: (1e-2, 1e-5)",
        f"{PAIR} tests/grader/test_judge.py",
    ),
    Mutation(
        "pair_one_step_only",
        "A layer meets one input only, so what it keeps from the step before is not seen.",
        "curriculum/pair.py",
        '{"x_before": "grad_output_before", "x": "grad_output"}',
        '{"x": "grad_output"}',
        PAIR,
    ),
    Mutation(
        "pair_autograd_allowed",
        "The scratch side may use autograd.",
        "curriculum/pair.py",
        "with torch.inference_mode():\n            scratch",
        "with torch.no_grad():\n            scratch",
        PAIR,
    ),
    Mutation(
        "pair_zeros_upstream",
        "The upstream gradient has zeros, which hide what is multiplied by them.",
        "curriculum/pair.py",
        "return self._normal(name, shape).to(self.device, self.dtype)",
        "return self.tensor(name, *shape)",
        PAIR,
    ),
    Mutation(
        "pair_no_minus_zero",
        "The inputs have no zero with a minus sign.",
        "curriculum/pair.py",
        "flat[4::15] = -0.0",
        "flat[4::15] = 0.0",
        PAIR,
    ),
    Mutation(
        "pair_seed_ignored",
        "Every seed gives the same inputs.",
        "curriculum/pair.py",
        'f"{self.seed} {name}".encode()',
        'f"0 {name}".encode()',
        PAIR,
    ),
    Mutation(
        "pair_dtype_unseen",
        "A result in another precision counts as equal where its numbers are.",
        "curriculum/pair.py",
        "if scratch.dtype != reference.dtype:",
        "if scratch.is_floating_point() != reference.is_floating_point():",
        f"{PAIR} tests/grader/test_grade.py",
    ),
    Mutation(
        "pair_shape_unseen",
        "A result of another shape is broadcast, and counts as equal where its numbers are.",
        "curriculum/pair.py",
        "if scratch.shape != reference.shape:",
        "if scratch.numel() != reference.numel():",
        PAIR,
    ),
    Mutation(
        "pair_infinity_equals_all",
        "Where torch's side is infinite, every finite number counts as equal.",
        "curriculum/pair.py",
        "scratch.isfinite().all() and reference.isfinite().all()",
        "scratch.isfinite().all() or reference.isfinite().all()",
        PAIR,
    ),
    Mutation(
        "pair_extra_results_unseen",
        "A result that only the scratch side has is not reported.",
        "curriculum/pair.py",
        "names = [*reference, *(name for name in scratch if name not in reference)]",
        "names = [*reference]",
        PAIR,
    ),
    Mutation(
        "pair_input_not_compared",
        "A layer that changes its input in place passes.",
        "curriculum/pair.py",
        'results |= {"grad_x": grad_x, "x": value}',
        'results |= {"grad_x": grad_x, "x": case.place(step, x(case, step))}',
        PAIR,
    ),
    Mutation(
        "pair_forgotten_gradient",
        "A layer that leaves out the gradient of a parameter is not told which.",
        "curriculum/pair.py",
        "if layer.grads.keys() != layer.params.keys():",
        "if not layer.grads.keys() <= layer.params.keys():",
        PAIR,
    ),
    Mutation(
        "pair_dtype_stays",
        "After a comparison the default dtype is that of the case.",
        "curriculum/pair.py",
        "            torch.set_default_dtype(before)",
        "            torch.set_default_dtype(self.dtype)",
        PAIR,
    ),
    Mutation(
        "pair_loss_upstream_of_ones",
        "A loss without reduction gets an even upstream gradient, so that one which ignores it passes.",
        "curriculum/pair.py",
        'return (case.upstream("grad_loss", loss.shape),) if loss.dim() else ()',
        "return (torch.ones_like(loss),) if loss.dim() else ()",
        f"{PAIR} tests/grader/test_judge.py tests/grader/test_exercises.py -k 'pair or judge or exercise05'",
    ),
    Mutation(
        "pair_last_step_alone",
        "Of an optimiser's path only the last point is compared.",
        "curriculum/pair.py",
        "            if count in after:",
        "            if count == max(after):",
        PAIR,
    ),
    Mutation(
        "pair_same_gradient_every_step",
        "An optimiser gets the same gradient at every step, so that a memory of gradients is not tried.",
        "curriculum/pair.py",
        'case.tensor(f"{key}_{step}", *start.shape)',
        'case.tensor(f"{key}_1", *start.shape)',
        f"{PAIR} tests/grader/test_exercises.py -k 'pair or exercise06 or exercise09 or exercise10'",
    ),
    Mutation(
        "pair_softmax_allowed",
        "A scratch class may call torch.softmax.",
        "curriculum/pair.py",
        '{"sigmoid", "relu", "softmax", "log_softmax"}',
        '{"sigmoid", "relu"}',
        f"{PAIR} tests/lessons/test_lessons.py -k 'pair or from_scratch'",
    ),
    Mutation(
        "demo_figures_in_one_file",
        "Every figure of a lesson is written over the one before.",
        "curriculum/demo.py",
        'path = folder / f"{function.__name__}.png"',
        'path = folder / "figure.png"',
        "tests/cli/test_cli.py -k run_shows",
    ),
    Mutation(
        "demo_log_dir_ignored",
        "`curriculum run --log-dir` is ignored.",
        "curriculum/demo.py",
        "_runs = folder or _runs",
        "_runs = _runs or folder",
        "tests/cli/test_cli.py -k 'run_shows or bad_input'",
    ),
    Mutation(
        "demo_script_shows_nothing",
        "A lesson run as a script or a notebook shows no demonstration.",
        "curriculum/demo.py",
        'if function.__module__ == "__main__":',
        'if function.__module__ == "main":',
        "tests/authoring/test_notebooks.py -m slow -k lesson01",
    ),
    Mutation(
        "discover_number_as_listed",
        "A lesson cannot be chosen by its number as the list prints it: 03.",
        "curriculum/discover.py",
        'which in (str(lesson.number), f"{lesson.number:02}", lesson.name)',
        "which in (str(lesson.number), lesson.name)",
        "tests/cli tests/authoring tests/house/test_structure.py",
    ),
    Mutation(
        "discover_wrong_header",
        "A lesson whose first cell has another number than its file is taken.",
        "curriculum/discover.py",
        'if not name or not header or name[1] != header["number"]:',
        "if not name or not header:",
        "tests/cli tests/authoring tests/house/test_structure.py",
    ),
    Mutation(
        "show_error_is_equal",
        "`curriculum compare` counts a pair that raises as equal, and ends with 0.",
        "curriculum/show.py",
        'Difference("pair", float("inf"), f"{type(error).__name__}: {error}")',
        'Difference("pair", float("inf"))',
        "tests/cli/test_cli.py -k compare",
    ),
    Mutation(
        "show_one_equal_is_enough",
        "`curriculum compare` calls a pair equal where one of its results is.",
        "curriculum/show.py",
        "not any(result.problem for result in results)",
        "not all(result.problem for result in results)",
        "tests/cli/test_cli.py -k compare",
    ),
    Mutation(
        "table_cut_off",
        "In a narrow terminal tables are cut off.",
        "curriculum/table.py",
        "self).minimum <= options.max_width:",
        "self).minimum <= 10_000:",
        "tests/house/test_environment.py -k 40_columns",
    ),
)

# ---------------------------------------------------------------- the grader

# Left out: the watch on the time not called off after the verdict (the process ends at once); what torch says
# while it is imported left in the learner's output (it says nothing). No limit of memory at all would be
# caught, and fill the machine on the way.
JUDGE, GRADE, EXERCISES = (f"tests/grader/test_{name}.py" for name in ("judge", "grade", "exercises"))
GRADER = (
    Mutation(
        "judge_accuses_too_early",
        "A mistake of the list is named although it spoils more than the answer does.",
        "curriculum/grader/judge.py",
        "if (trial.failed or other.failed) and not _same(trial.got, other.got):",
        "if trial.failed and not _same(trial.got, other.got):",
        f"{EXERCISES} -k wrong_answers",
    ),
    Mutation(
        "judge_one_match_is_a_pattern",
        "A relation is told that holds for one of the results that differ, not for all.",
        "curriculum/grader/judge.py",
        "if all((would := relation(wrong)) is not None and _equal",
        "if any((would := relation(wrong)) is not None and _equal",
        JUDGE,
    ),
    Mutation(
        "judge_sign",
        "An answer with the opposite sign is not told so.",
        "curriculum/grader/judge.py",
        "lambda wrong: -wrong.wanted",
        "lambda wrong: wrong.wanted",
        f"{GRADE} -k bug_is_named",
    ),
    Mutation(
        "judge_batch_size_by_chance",
        "'Mean forgotten' is told where only batches of one size differ, and it may be another number.",
        "curriculum/grader/judge.py",
        'if "batch size" in words and len({wrong.trial.case.batch for wrong in wrongs}) == 1:',
        'if "batch size" in words and len({wrong.trial.case.batch for wrong in wrongs}) == 0:',
        f"{GRADE} {JUDGE} {EXERCISES} -k 'named or judge or wrong_answers'",
    ),
    Mutation(
        "judge_nn_passes",
        "An answer that lets torch.nn do the work passes.",
        "curriculum/grader/judge.py",
        "if names := [] if allowed else _forbidden(answer):",
        "if names := _forbidden(answer) if allowed else []:",
        f"{GRADE} -k misbehaviour_is",
    ),
    Mutation(
        "judge_no_single_example",
        "Answers are not tried on a batch of one.",
        "curriculum/grader/judge.py",
        "Case(batch=1), Case(batch=7",
        "Case(batch=7",
        f"{GRADE} -k some_cases",
    ),
    Mutation(
        "judge_no_float32",
        "Answers are not tried in float32.",
        "curriculum/grader/judge.py",
        "seed=1), Case(dtype=torch.float32))",
        "seed=1))",
        JUDGE,
    ),
    Mutation(
        "judge_not_seeded",
        "The two sides of an exercise with dropout draw different numbers.",
        "curriculum/grader/judge.py",
        "    torch.default_generator.manual_seed(0)  # faster",
        "    # faster",
        f"{EXERCISES} -k exercise12",
    ),
    Mutation(
        "judge_slope_at_a_kink",
        "Finite differences are told at a kink, where left and right slope differ.",
        "curriculum/grader/judge.py",
        "return (left + right) / 2 if math.isclose(left, right, rel_tol=1e-3, abs_tol=1e-3) else None",
        "return (left + right) / 2",
        JUDGE,
    ),
    Mutation(
        "judge_halves_swapped",
        "The learner is told to mend forward where backward is wrong.",
        "curriculum/grader/judge.py",
        'said = "backward does not fit forward" if right else',
        'said = "backward does not fit forward" if fits else',
        JUDGE,
    ),
    Mutation(
        "judge_outer_line",
        "An error is located where the learner's function was called from, not where it was raised.",
        "curriculum/grader/judge.py",
        'f" (line {lines[-1]})" if lines',
        'f" (line {lines[0]})" if lines',
        f"{GRADE} -k misbehaviour",
    ),
    Mutation(
        "shrink_not_the_plainest",
        "The smallest example goes on past the plainest number that fails.",
        "curriculum/grader/shrink.py",
        "case, value = other, plainer\n                    break\n",
        "case, value = other, plainer\n",
        JUDGE,
    ),
    Mutation(
        "shrink_shared_tensors",
        "A side that changes its input changes the other side's, too.",
        "curriculum/grader/shrink.py",
        "return self.known[key].clone()",
        "return self.known[key]",
        JUDGE,
    ),
    Mutation(
        "child_twice_the_memory",
        "A learner's code may take twice the memory that is said.",
        "curriculum/grader/child.py",
        "allowed = pages * resource.getpagesize() + MEMORY",
        "allowed = pages * resource.getpagesize() + 2 * MEMORY",
        f"{GRADE} -k 'misbehaviour_of_a_process and huge'",
    ),
    Mutation(
        "session_programs_live_on",
        "What a learner's code has started goes on after the grading.",
        "curriculum/grader/session.py",
        'os.killpg(self.process.pid, signal.SIGKILL) if hasattr(os, "killpg") else self.process.kill()',
        "self.process.kill()",
        f"{GRADE} -k started_programs",
    ),
    Mutation(
        "session_untouched_is_a_try",
        "An exercise that is as it was handed out counts as tried.",
        "curriculum/grader/session.py",
        'not in ("missing", "not begun")',
        '!= "missing"',
        f"{GRADE} -k from_start",
    ),
    Mutation(
        "session_mistakes_unsorted",
        "The mistakes of a class are not told the most frequent first.",
        "curriculum/grader/session.py",
        "for (name, bug), count in counts.most_common()]",
        "for (name, bug), count in counts.items()]",
        GRADE,
    ),
    Mutation(
        "exercise_start_overwrites",
        "`curriculum start` writes over the learner's answers.",
        "curriculum/grader/exercise.py",
        "if not (folder / stub.name).exists():",
        "if stub.exists():",
        f"{GRADE} -k start",
    ),
    Mutation(
        "exercise_hint_again",
        "The second hint is the first one again.",
        "curriculum/grader/exercise.py",
        '.get("hints", 0) + 1, len(hints))',
        '.get("hints", 1), len(hints))',
        f"{GRADE} -k from_start",
    ),
    Mutation(
        "exercise_solution_for_all",
        "The solution is shown to a learner who has neither passed nor given up.",
        "curriculum/grader/exercise.py",
        'if not give_up and not read_progress(own(folder)).get(exercise.id, {}).get("passed"):',
        'if give_up and not read_progress(own(folder)).get(exercise.id, {}).get("passed"):',
        f"{GRADE} -k from_start",
    ),
    Mutation(
        "exercise_reset_stays_passed",
        "An exercise that was put back still counts as passed.",
        "curriculum/grader/exercise.py",
        "    update_progress(folder, exercise, passed=False)\n",
        "    update_progress(folder, exercise)\n",
        GRADE,
    ),
    Mutation(
        "exercise_progress_forgotten",
        "A hint erases that an exercise is passed, and the next check the hints.",
        "curriculum/grader/exercise.py",
        "progress[exercise.id] = progress.get(exercise.id, {}) | changes",
        "progress[exercise.id] = changes",
        GRADE,
    ),
)

# ---------------------------------------------------------------- the data, and files

# Left out: the deviation over n − 1 pixels instead of n (n is 938,448); the parts not moved to the device (in
# the tests it is the CPU); the size of a file not looked at (a test would fill the memory).
KIT_DATA = "tests/kit/test_data.py"
DATA = (
    Mutation(
        "data_unproven",
        "Damaged files are read and trained on.",
        "curriculum/data.py",
        "if _sha256_of(tensor) == SHA256[path.name]:",
        "if len(tensor):",
        f"{KIT_DATA} -k 'damaged or changed'",
    ),
    Mutation(
        "data_download_unproven",
        "A download is taken whose content is not MNIST's.",
        "curriculum/data.py",
        "if _sha256(scratch / name) == SHA256[name]:",
        "if (scratch / name).exists():",
        f"{KIT_DATA} -k another_file",
    ),
    Mutation(
        "data_standardised_with_all",
        "Mean and deviation are those of all digits, the test digits among them.",
        "curriculum/data.py",
        "pixels = images[: sizes[0]].to(torch.float64) / 255",
        "pixels = images.to(torch.float64) / 255",
        f"{KIT_DATA} -k standardised",
    ),
    Mutation(
        "data_validation_is_learned",
        "With a val_count the digits for validation are among those to train.",
        "curriculum/data.py",
        "train = Split(both.x[:-val_count], both.target[:-val_count])",
        "train = Split(both.x[val_count:], both.target[val_count:])",
        f"{KIT_DATA} tests/models/test_lit.py -k 'data or kept_back'",
    ),
    Mutation(
        "data_half_is_none",
        "Where some of MNIST's files are missing and there is no network, other digits take their place.",
        "curriculum/data.py",
        'if which == "mnist" or len(missing) < len(SHA256):',
        'if which == "mnist":',
        f"{KIT_DATA} -k 'missing or goes_on'",
    ),
    Mutation(
        "data_cache_before_environment",
        "The user's cache goes before PATH_DATASETS.",
        "curriculum/data.py",
        '[Path(p) for p in [os.environ.get("PATH_DATASETS")] if p] + [CACHE]',
        '[CACHE] + [Path(p) for p in [os.environ.get("PATH_DATASETS")] if p]',
        f"{KIT_DATA} -k places",
    ),
    Mutation(
        "data_broken_link_is_absence",
        "A link to nothing counts as a missing file, and is written over by a download.",
        "curriculum/data.py",
        "path.lstat()",
        "path.stat()",
        f"{KIT_DATA} -k 'four_links or damaged'",
    ),
    Mutation(
        "data_one_mirror",
        "Where the first server fails, no other is asked.",
        "curriculum/data.py",
        "for mirror in MNIST.mirrors]",
        "for mirror in MNIST.mirrors[:1]]",
        KIT_DATA,
    ),
    Mutation(
        "data_timeout_stays",
        "After a download every connection of the process has its timeout.",
        "curriculum/data.py",
        "socket.setdefaulttimeout(before)",
        "socket.setdefaulttimeout(before or TIMEOUT)",
        KIT_DATA,
    ),
    Mutation(
        "data_labels_in_old_order",
        "The offline digits are shuffled, and what they are is not.",
        "curriculum/data.py",
        "images[order], target[order], (1_197, 300, 300)",
        "images[order], target, (1_197, 300, 300)",
        f"{KIT_DATA} tests/models/test_bench.py -k 'data or race'",
    ),
    Mutation(
        "data_centred_sideways",
        "The offline digits are shifted down by what they should be shifted to the right.",
        "curriculum/data.py",
        "for axis in (1, 0)\n",
        "for axis in (0, 1)\n",
        f"{KIT_DATA} -k look_like",
    ),
    Mutation(
        "data_unscaled_remembers",
        "Pixels from 0 to 1 are said to be standardised still.",
        "curriculum/data.py",
        "test=test, mean=0.0, std=1.0)",
        "test=test)",
        f"{KIT_DATA} -k unscaled",
    ),
    Mutation(
        "data_home_not_expanded",
        "PATH_DATASETS=~/data means a folder that is called ~.",
        "curriculum/data.py",
        "Path(os.path.expanduser(place))",
        "Path(place)",
        KIT_DATA,
    ),
    Mutation(
        "files_without_fsync",
        "A power cut can leave a new file's name on no content.",
        "curriculum/files.py",
        "            os.fsync(file.fileno())  # else a power cut could leave the new name on no content\n",
        "",
        "tests/models/test_resume.py -k full_disk",
    ),
    Mutation(
        "files_leftovers",
        "A file that could not be written leaves half of itself behind.",
        "curriculum/files.py",
        "fresh.unlink(missing_ok=True)",
        "pass",
        "tests/models/test_resume.py -k full_disk",
    ),
    Mutation(
        "files_swept_too_much",
        "A run that goes on loses its event files.",
        "curriculum/files.py",
        '".*.[0-9]*"',
        '"*.[0-9]*"',
        "tests/models/test_resume.py -k 'killed and scratch'",
    ),
)

# ---------------------------------------------------------------- logs, and runs

# Left out: the ratio of an update to the weight before it instead of after (they are equal to a thousandth).
LOGS, RUNS = "tests/models/test_logs.py", "tests/runs/test_runs.py"
WRITTEN = (
    Mutation(
        "log_is_late",
        "Losses are written at steps 0, 10, 20 instead of 9, 19, 29.",
        "models/records/log.py",
        "return self.basic and (step + 1) % self.every == 0",
        "return self.basic and step % self.every == 0",
        f"{LOGS} -k same_tags",
    ),
    Mutation(
        "log_weights_not_copied",
        "The weights before a step are those after it, and every update has size 0.",
        "models/records/log.py",
        "{name: weight.clone() for name, weight",
        "{name: weight for name, weight",
        f"{LOGS} -k 'same_tags or numbers_mean'",
    ),
    Mutation(
        "log_train_acc_on_fewer",
        "train_acc looks at 1,000 training digits, not at 10,000.",
        "models/records/log.py",
        "(part[:SAMPLE] for part in self.data.train)",
        "(part[:LOOK] for part in self.data.train)",
        LOGS,
    ),
    Mutation(
        "log_dead_digits",
        "dead_units counts digits that all units answer alike, not units that answer all digits alike.",
        "models/records/log.py",
        "(value.amax(0) == value.amin(0))",
        "(value.amax(1) == value.amin(1))",
        LOGS,
    ),
    Mutation(
        "log_one_curve_for_all",
        "All precision-recall curves are drawn from the probability of a 0.",
        "models/records/log.py",
        "target == digit, probabilities[:, digit], step)",
        "target == digit, probabilities[:, 0], step)",
        LOGS,
    ),
    Mutation(
        "log_misread_least_sure",
        "The misread digits that are shown are those with the least confidence.",
        "models/records/log.py",
        "argsort(descending=True)",
        "argsort()",
        LOGS,
    ),
    Mutation(
        "log_confusion_transposed",
        "The confusion matrix has what was read in its rows.",
        "models/records/log.py",
        "axis.text(column, row, count,",
        "axis.text(row, column, count,",
        f"{LOGS} -k confusion",
    ),
    Mutation(
        "log_basic_is_full",
        "--log basic writes all that full does.",
        "models/records/log.py",
        'self.basic, self.full = level != "off", level == "full"',
        'self.basic, self.full = level != "off", level != "off"',
        f"{LOGS} -k lower_levels",
    ),
    Mutation(
        "log_taken_back_too_little",
        "A run that goes on has the first step after its checkpoint twice in its curves.",
        "models/records/log.py",
        "purge_step=step)",
        "purge_step=step + 1)",
        "tests/models/test_resume.py -k 'killed or stopped'",
    ),
    Mutation(
        "events_unproven",
        "A damaged value is shown as if it had been measured.",
        "curriculum/runs/events.py",
        "            if length <= CHECKED and "
        'masked_crc32c(record) != int.from_bytes(tail, "little"):\n                return\n',
        "",
        RUNS,
    ),
    Mutation(
        "events_step_twice",
        "A run that went on shows the step at which it did twice.",
        "curriculum/runs/events.py",
        "[point for point in points if point.step < step]",
        "[point for point in points if point.step <= step]",
        RUNS,
    ),
    Mutation(
        "events_old_pictures",
        "Pictures that a run has taken back are shown.",
        "curriculum/runs/events.py",
        "[image for image in images if image.step < step]",
        "[image for image in images]",
        RUNS,
    ),
    Mutation(
        "events_breaks_off_for_ever",
        "A run that was killed and went on is said to break off.",
        "curriculum/runs/events.py",
        "log.breaks_off = end < size",
        "log.breaks_off |= end < size",
        RUNS,
    ),
    Mutation(
        "events_stale",
        "A log that was changed is not read again.",
        "curriculum/runs/events.py",
        "(file, stat.st_size, stat.st_mtime_ns) for",
        "(file, stat.st_size, 0) for",
        RUNS,
    ),
    Mutation(
        "events_ten_before_two",
        "version_10 stands before version_2.",
        "curriculum/runs/events.py",
        "for file in log_dir.rglob(EVENT_FILES)}, key=natural)",
        "for file in log_dir.rglob(EVENT_FILES)})",
        RUNS,
    ),
    Mutation(
        "catalogue_one_step_less",
        "The list of runs tells one step less than was trained.",
        "curriculum/runs/catalogue.py",
        "events.scalars(run, tag)[-1].step + 1 for",
        "events.scalars(run, tag)[-1].step for",
        RUNS,
    ),
    Mutation(
        "catalogue_oldest",
        "`runs show scratch` shows the oldest run of that name.",
        "curriculum/runs/catalogue.py",
        'versions[inside.rpartition("/version_")[0] or inside] = run',
        'versions.setdefault(inside.rpartition("/version_")[0] or inside, run)',
        RUNS,
    ),
    Mutation(
        "catalogue_part_of_a_name",
        '"torch" means torch_old, too.',
        "curriculum/runs/catalogue.py",
        """f"/{name.strip('/')}/" in f"/{inside}/\"""",
        "name.strip('/') in inside",
        RUNS,
    ),
    Mutation(
        "catalogue_steered",
        "A text in a log can steer the terminal.",
        "curriculum/runs/catalogue.py",
        'char if char.isprintable() else "?"',
        'char if char != "\\0" else "?"',
        RUNS,
    ),
    Mutation(
        "catalogue_report_last",
        "A hyperparameter in the log goes before what the report says.",
        "curriculum/runs/catalogue.py",
        "(_report(run), text, events.hparams(run), _config(run))",
        "(text, events.hparams(run), _config(run), _report(run))",
        RUNS,
    ),
    Mutation(
        "page_not_escaped",
        "A value in a log can put a script into the page.",
        "curriculum/runs/page.py",
        "<td>{escape(value)}</td>",
        "<td>{value}</td>",
        RUNS,
    ),
    Mutation(
        "page_first_picture",
        "The page shows the first picture of a tag instead of the last.",
        "curriculum/runs/page.py",
        "events.images(run, tag)[-1]",
        "events.images(run, tag)[0]",
        RUNS,
    ),
    Mutation(
        "page_valleys_lost",
        "A long curve loses its lowest points.",
        "curriculum/runs/page.py",
        "for pick in (min, max)}",
        "for pick in (max,)}",
        RUNS,
    ),
    Mutation(
        "tensorboard_for_all",
        "TensorBoard listens to the whole network.",
        "curriculum/runs/tensorboard.py",
        '"--host=localhost"',
        '"--host=0.0.0.0"',
        f"{LOGS} -k this_machine_only",
    ),
    Mutation(
        "tensorboard_sample",
        "TensorBoard shows a sample of 1,000 points of a curve instead of all.",
        "curriculum/runs/tensorboard.py",
        "scalars=100000",
        "scalars=1000",
        LOGS,
    ),
)

# ---------------------------------------------------------------- resume, checkpoints, manifest, options

# Left out: a run's seed read from another place (the same number).
RESUME, MANIFEST, FIT = (f"tests/models/test_{name}.py" for name in ("resume", "manifest", "fit"))
LASTING = (
    Mutation(
        "checkpoint_unproven",
        "A damaged checkpoint is gone on with.",
        "models/records/checkpoint.py",
        'if header.get("sha256") != _digest(tensors, header.get("facts", "")):',
        'if not header.get("sha256") or not header.get("facts"):',
        f"{RESUME} -k damaged",
    ),
    Mutation(
        "stop_wrong_code",
        "A run that was stopped ends with 128, whatever the signal.",
        "models/records/checkpoint.py",
        "return Stopped(message, 128 + (self.signal or 0))",
        "return Stopped(message, 128)",
        f"{RESUME} -k 'stopped and scratch'",
    ),
    Mutation(
        "stop_not_restored",
        "After the training Ctrl-C is noted and not obeyed.",
        "models/records/checkpoint.py",
        "signal.signal(number, handler or signal.SIG_DFL)",
        "pass",
        f"{RESUME} -k outside_of_training",
    ),
    Mutation(
        "manifest_one_thread",
        "The manifest says one thread, however many the run had.",
        "models/records/manifest.py",
        '"threads": torch.get_num_threads(),',
        '"threads": 1,',
        MANIFEST,
    ),
    Mutation(
        "mnist_oldest_goes_on",
        "--resume goes on with the oldest run that was stopped.",
        "models/jobs/mnist.py",
        "newest = max(found, key=",
        "newest = min(found, key=",
        f"{RESUME} {MANIFEST}",
    ),
    Mutation(
        "mnist_finished_goes_on",
        "--resume trains a finished run once more.",
        "models/jobs/mnist.py",
        'found = [folder for folder in found if not (folder / "report.json").exists()]',
        "",
        f"{RESUME} {MANIFEST}",
    ),
    Mutation(
        "mnist_one_engine_goes_on",
        "--resume of a run of three engines goes on with the first alone.",
        "models/jobs/mnist.py",
        'engine=engines[0] if len(engines) == 1 else "all")',
        "engine=engines[0])",
        f"{RESUME} -k 'not killed_run and not a_fit'",
    ),
    Mutation(
        "mnist_checkpoint_gone_early",
        "A kill between two reports leaves an engine without checkpoint and without report.",
        "models/jobs/mnist.py",
        "    for run, report in zip(runs, reports, strict=True):\n",
        "    for run, report in zip(runs, reports, strict=True):\n"
        "        (run.folder / checkpoint.NAME).unlink(missing_ok=True)\n",
        f"{RESUME} -k 'not a_fit'",
    ),
    Mutation(
        "mnist_log_dir_of_the_first",
        "`rerun --log-dir` writes to the folder of the first run.",
        "models/jobs/mnist.py",
        'return Options(**options | {"log_dir": log_dir})',
        "return Options(**options)",
        MANIFEST,
    ),
    Mutation(
        "mnist_two_of_twenty",
        "The difference of the first 20 losses is that of the first two.",
        "models/jobs/mnist.py",
        "losses[:20].max().item()",
        "losses[:2].max().item()",
        "tests/models/test_models.py",
    ),
    Mutation(
        "train_log_behind_weights",
        "A kill loses points of the curves that the checkpoint has left behind.",
        "models/jobs/train.py",
        "writer.flush()",
        "pass",
        RESUME,
    ),
    Mutation(
        "train_seconds_forgotten",
        "A run that went on tells only the seconds since then.",
        "models/jobs/train.py",
        "return before + time.perf_counter() - begin",
        "return time.perf_counter() - begin",
        RESUME,
    ),
    Mutation(
        "train_from_the_start",
        "A run that goes on sees the batches from the first on.",
        "models/jobs/train.py",
        "options.epochs, options.batch_size, options.lr, generator, len(losses)\n        ):",
        "options.epochs, options.batch_size, options.lr, generator, 0\n        ):",
        f"{RESUME} -k 'killed and scratch'",
    ),
    Mutation(
        "train_stops_late",
        "Ctrl-C is obeyed at the end of the epoch, not after the step.",
        "models/jobs/train.py",
        "            if stop.signal:\n",
        "            if stop.signal and len(losses) % per_epoch == 0:\n",
        f"{RESUME} -k 'stopped_run and scratch'",
    ),
    Mutation(
        "train_mine_half_resumed",
        "A run with the learner's optimiser goes on without what that remembers.",
        "models/jobs/train.py",
        'if name != "mine":  # what',
        "if name:  # what",
        f"{RESUME} tests/models/test_mine.py",
    ),
    Mutation(
        "train_through_learns_again",
        "Engines that were through learn again when a run goes on.",
        "models/jobs/train.py",
        'if kept is None or "test_acc" not in kept[2]:',
        "if kept is None or kept[2]:",
        f"{RESUME} -k were_through",
    ),
    Mutation(
        "rerun_curve_too_many",
        "rerun does not see a curve that only the second run has.",
        "models/jobs/rerun.py",
        "sorted(curves[0].keys() | curves[1].keys())",
        "sorted(curves[0].keys())",
        MANIFEST,
    ),
    Mutation(
        "parity_nan_is_equal",
        "A difference that is not a number is within every bound.",
        "models/jobs/parity.py",
        "if not now[key] <= bound)",
        "if now[key] > bound)",
        "tests/models/test_parity.py -k 'not_a_number'",
    ),
    Mutation(
        "fit_dropout_draws_anew",
        "A fit with dropout that goes on draws other numbers than one in peace.",
        "models/lightning/module.py",
        'torch.set_rng_state(self._saved_rng["rng"][rank].clone())',
        "pass",
        f"{RESUME} -k a_fit_goes_on",
    ),
    Mutation(
        "fit_oldest_goes_on",
        "fit --resume goes on with the oldest run that was stopped.",
        "models/lightning/cli.py",
        "return max(runs, key=lambda run: run.stat().st_mtime_ns)",
        "return min(runs, key=lambda run: run.stat().st_mtime_ns)",
        f"{RESUME} -k fit",
    ),
    Mutation(
        "fit_code_is_run",
        "Code in a checkpoint is run.",
        "models/lightning/checkpoint.py",
        "found = torch.load(path, map_location, weights_only=True)",
        "found = torch.load(path, map_location, weights_only=False)",
        f"{FIT} -k never_run",
    ),
    Mutation(
        "fit_damage_unseen",
        "A checkpoint with a flipped bit is used.",
        "models/lightning/checkpoint.py",
        "damaged = archive.testzip()",
        "damaged = None",
        f"{FIT} -k damaged",
    ),
    Mutation(
        "fit_writes_anywhere",
        "Somebody else's configuration writes outside of the log folder.",
        "models/lightning/cli.py",
        'PLACES = ("log_dir", "dirpath", "save_dir", "root_dir")',
        'PLACES = ("log_dir", "dirpath", "save_dir")',
        f"{FIT} -k log_folder_only",
    ),
    Mutation(
        "fit_patience_with_accuracy",
        "--patience waits for a lower accuracy, not for a lower loss.",
        "models/lightning/cli.py",
        'EarlyStopping("val_loss", patience=config.patience)',
        'EarlyStopping("val_acc", patience=config.patience)',
        f"{FIT} -k early_stopping",
    ),
    Mutation(
        "fit_keeps_the_worst",
        "The best checkpoint is that with the lowest accuracy.",
        "models/lightning/cli.py",
        '"checkpoint.mode": "max"',
        '"checkpoint.mode": "min"',
        f"{FIT} -k 'a_run_has or a_checkpoint or default'",
    ),
    Mutation(
        "fit_same_distortions",
        "Every batch is distorted by the same draws.",
        "models/lightning/data.py",
        'f"{self.seed} {self.trainer.global_step} {self.trainer.global_rank}"',
        'f"{self.seed} {self.trainer.global_rank}"',
        f"tests/models/test_lit.py {RESUME} -k 'augmentation or pixels or a_fit_goes_on'",
    ),
    Mutation(
        "fit_output_layer_shortened",
        "max_norm shortens the weights of the output layer, too.",
        "models/lightning/module.py",
        "*hidden, _ = (weight",
        "hidden = (weight",
        "tests/models/test_lit.py",
    ),
    Mutation(
        "fit_shares_unweighed",
        "Two processes with 23 and 22 digits of a batch do not give what one process gives.",
        "models/lightning/module.py",
        "loss = self.loss(x, target) * self._share_of_batch(x)",
        "loss = self.loss(x, target)",
        f"{FIT} -k two_processes",
    ),
)

# ---------------------------------------------------------------- networks, and the benchmark

BENCH = "tests/models/test_bench.py"
NETWORKS = (
    Mutation(
        "scratch_averages_apart",
        "By hand, batch norm's running averages are not those that are saved.",
        "models/networks/scratch.py",
        'layer.buffers = {name: params[f"{index}.{name}"] for name in layer.buffers}',
        'layer.buffers = {name: params[f"{index}.{name}"].clone() for name in layer.buffers}',
        "tests/models/test_lit.py -k learn_the_same",
    ),
    Mutation(
        "augment_leans_to_the_left",
        "A positive shear moves the lower end to the left.",
        "models/networks/augment.py",
        "-(sin + tan * cos) / scale_x",
        "-(sin - tan * cos) / scale_x",
        "tests/models/test_augment.py",
    ),
    Mutation(
        "augment_one_field_for_all",
        "All pictures of a batch are bent by the same field.",
        "models/networks/augment.py",
        "_uniform(generator, count, 2, height, width)",
        "_uniform(generator, 1, 2, height, width)",
        "tests/models/test_augment.py",
    ),
    Mutation(
        "mine_learns_nothing",
        "The learner's optimiser is not told the learning rate of the step.",
        "models/networks/mine.py",
        "        self.optimizer.lr = lr\n",
        "",
        "tests/models/test_mine.py",
    ),
    Mutation(
        "graph_old_rate",
        "A recorded step keeps the learning rate of the recording.",
        "models/networks/cuda_graph.py",
        "        self.lr.fill_(lr)\n",
        "",
        f"{BENCH} -k recorded",
    ),
    Mutation(
        "bench_ninth_product",
        "The floor has a product too many: the gradient of the pixels.",
        "models/jobs/bench.py",
        "            if index:\n",
        "            if index >= 0:\n",
        f"{BENCH} -k floor",
    ),
    Mutation(
        "bench_target_missed",
        "A run that ends exactly at its target counts as one that did not reach it.",
        "models/jobs/bench.py",
        "value >= recipe['target']",
        "value > recipe['target']",
        f"{BENCH} -k races",
    ),
    Mutation(
        "bench_one_start_for_all_seeds",
        "All seeds of a race begin with the same weights.",
        "models/jobs/bench.py",
        "model.load_state_dict(first_weights(SIZES, seed))",
        "model.load_state_dict(first_weights(SIZES, 0))",
        BENCH,
    ),
)

# ---------------------------------------------------------------- authoring, and the command line

CLI = "tests/cli"
DOOR = (
    Mutation(
        "new_overwrites",
        "`curriculum new` writes over a lesson that was begun.",
        "curriculum/authoring/new.py",
        "fresh = [path for path in texts if not path.exists()]",
        "fresh = [*texts]",
        "tests/authoring",
    ),
    Mutation(
        "new_forgets_a_table",
        "`curriculum new` does not miss the row in the README's table.",
        "curriculum/authoring/new.py",
        'for page in ("README.md", "lessons/README.md"):',
        'for page in ("lessons/README.md",):',
        "tests/authoring",
    ),
    Mutation(
        "cli_mismatch_ends_well",
        "`curriculum compare` ends with 0 where pairs differ.",
        "curriculum/cli/main.py",
        'if not all(row["ok"] for row in rows):',
        'if not any(row["ok"] for row in rows):',
        f"{CLI} -k compare",
    ),
    Mutation(
        "cli_check_ends_well",
        "`curriculum check` ends with 0 although an exercise is not passed.",
        "curriculum/cli/main.py",
        "if not all(grade.verdict.passed for grade in grades):",
        "if not grades:",
        f"{CLI} tests/grader/test_grade.py tests/house/test_environment.py",
    ),
    Mutation(
        "cli_resume_takes_options",
        "`mnist --resume --lr 1` takes no notice of --lr instead of refusing it.",
        "curriculum/cli/main.py",
        'source.name == "COMMANDLINE"',
        'source.name == "ENVIRONMENT"',
        f"{CLI} {RESUME}",
    ),
    Mutation(
        "cli_stopped_is_an_error",
        "A run that Ctrl-C has stopped ends with 2, as a wrong option does.",
        "curriculum/cli/main.py",
        "_fail(str(stopped), stopped.code)",
        "_fail(str(stopped))",
        f"{CLI} {RESUME}",
    ),
    Mutation(
        "cli_json_with_words",
        "`mnist --json` prints other lines beside the JSON.",
        "curriculum/cli/main.py",
        "Console(stderr=as_json,",
        "Console(stderr=False,",
        f"{CLI} -k json",
    ),
    Mutation(
        "cli_rate_of_zero",
        "A learning rate of 0 is taken, and nothing is learned.",
        "curriculum/cli/main.py",
        'if not 0 < lr < float("inf"):',
        'if not 0 <= lr < float("inf"):',
        CLI,
    ),
    Mutation(
        "cli_all_threads",
        "The commands take all threads, which beside other programs can be 60 times slower.",
        "curriculum/cli/main.py",
        'os.environ.setdefault("OMP_NUM_THREADS", "1")',
        'os.environ.get("OMP_NUM_THREADS", "1")',
        CLI,
    ),
)

AREAS = {
    "harness": HARNESS,
    "grader": GRADER,
    "data": DATA,
    "logs": WRITTEN,
    "lasting": LASTING,
    "networks": NETWORKS,
    "door": DOOR,
}

if __name__ == "__main__":
    sys.exit(main())
