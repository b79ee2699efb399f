"""Arguments and configuration files that nobody would write: no traceback, no hang, one clear line.

    python -m tests.torture.fuzz_inputs --cases 1000

hypothesis draws command lines from the options that the commands have, and YAML for `curriculum fit`. Each is
tried in a process of its own, offline, in an empty folder.
"""

import argparse
import contextlib
import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import typer
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from torchvision.datasets import MNIST

from curriculum.cli.main import app
from curriculum.cli.main import main as curriculum
from models.jobs import mnist, parity  # noqa: F401 (imported once, for all cases)
from models.lightning import cli as fit  # noqa: F401 (imported once, for all cases)
from tests.torture import end_without_fork

SECONDS = 120  # the longest that is right here: a run of MNIST's network on the offline digits
# Those that go on until they are stopped, and those that take minutes when all is well.
LEFT_OUT = (
    "tensorboard",
    "watch",
    "bench",
    "notebooks",
    "run",
    "fit",
    "validate",
    "test",
    "predict",
    "grade",
)
WORDS = (
    "", " ", "-1", "0", "1", "2", "3.5", "nan", "inf", "-inf", "1e999", "1e-320", "9" * 30, "true",
    "null", "all", "é", "💥", "a" * 5000, "..", "../..", "/", "/dev/null", "/nowhere/at/all", "a b",
    "--", "-", "[1,2", "{", "%s", "$HOME", "`id`", "1,2", "[784,10]", "digits", "cpu", "cuda:99",
    "meta", "float64", "scratch", "03a", "a\nb",
)  # fmt: skip
KEYS = (
    "model.sizes", "model.engine", "model.activation", "model.dropout", "model.input_dropout",
    "model.batch_norm", "model.init", "model.optimizer", "model.lr", "model.momentum", "model.nesterov",
    "model.weight_decay", "model.schedule", "model.loss", "model.label_smoothing", "model.max_norm",
    "model.normalize",
    "data.batch_size", "data.augment", "data.val_count", "data.seed", "data.data_dir", "log.level",
    "patience", "seed_everything", "name", "log_dir", "trainer.precision", "trainer.accelerator",
    "trainer.devices", "trainer.max_epochs", "trainer.callbacks", "trainer.limit_train_batches",
    "trainer.log_every_n_steps", "trainer.gradient_clip_val", "trainer.logger",
    "trainer.accumulate_grad_batches", "trainer.check_val_every_n_epoch", "trainer.fast_dev_run",
    "ckpt_path", "checkpoint.monitor", "checkpoint.dirpath", "checkpoint.save_top_k", "model", "data",
    "trainer", "wings",
)  # fmt: skip
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from((10**9, 2**31, 2**64, -(10**20), 64, 100, 1197, 1198)),
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(0, 1),
    st.sampled_from(WORDS),
    st.sampled_from(
        ("adam", "relu", "mse", "bce", "elastic", "affine", "16-true", "64-true", "bf16-mixed", "full")
    ),
    st.lists(st.integers(-1, 800), max_size=4),
    st.just([784, 10]),
    st.dictionaries(st.sampled_from(("class_path", "a")), st.sampled_from(WORDS), max_size=2),
)


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command with some of its own options, and with values that may fit."""
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    name = draw(st.sampled_from(sorted(commands.keys() - set(LEFT_OUT))))
    words = [name]
    for param in commands[name].params:
        if param.param_type_name == "argument" and draw(st.booleans()):
            words.append(draw(st.sampled_from(WORDS)))
        elif param.param_type_name == "option" and draw(st.integers(0, 3)) == 0:
            words.append(draw(st.sampled_from(param.opts)))
            if not param.is_flag or draw(st.integers(0, 9)) == 0:
                words.append(draw(st.sampled_from(WORDS)))
    return words + draw(st.lists(st.sampled_from(("--wings", "--help", "x", "--", "-v")), max_size=1))


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """{"model.lr": 1} → {"model": {"lr": 1}}."""
    found: dict[str, Any] = {}
    for name, value in flat.items():
        outer, _, inner = name.partition(".")
        if not inner:
            found[outer] = value
        elif isinstance(found.setdefault(outer, {}), dict):
            found[outer][inner] = value
    return found


CONFIGS = st.one_of(
    st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=4).map(nested).map(yaml.safe_dump),
    st.text(max_size=60),
)


Look = Callable[[Path, int, str], str]


def attempt(arguments: list[str], files: dict[str, bytes], look: Look | None = None) -> str:
    """Try one command line; what is wrong with how it went, an empty text where nothing is.

    Args:
        arguments: of `curriculum`.
        files: what lies in the folder, by name.
        look: gets that folder, the exit code and what was said, and says what is wrong.
    """
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said"
        if (child := os.fork()) == 0:
            _child(arguments, files, Path(folder), said)
        for _ in range(10 * SECONDS):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                code = os.waitstatus_to_exitcode(status)
                words = said.read_text(errors="replace")
                problem = judge(code, words)
                return problem or (look(said.parent / "work", code, words) if look else "")
            time.sleep(0.1)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return f"no end after {SECONDS} s"


def _child(arguments: list[str], files: dict[str, bytes], folder: Path, said: Path) -> None:
    os.setsid()
    (folder / "work").mkdir()
    os.chdir(folder / "work")
    os.environ |= {"HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "80"}
    os.environ.pop("PATH_DATASETS", None)
    MNIST.mirrors = ["http://127.0.0.1:9/"]
    for name, content in files.items():
        Path(name).write_bytes(content)
    with said.open("w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    # Whoever captures what this process says, as pytest does, has put other streams in their place.
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
    sys.argv = ["curriculum", *arguments]
    code: Any = 70
    try:
        curriculum()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        import traceback

        traceback.print_exc()
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 70)


def judge(code: int, said: str) -> str:
    """A refusal is exit code 2 and one line; all else ends with 0, or with 1 where a check has failed."""
    if "Traceback (most recent call last)" in said:
        last = [
            line for line in said.strip().splitlines() if re.match(r"[\w.]+(Error|Exception|Warning)\b", line)
        ]
        return f"traceback: {(last or [said[-200:]])[-1][:160]}"
    if code == 2 and len(re.findall(r"^curriculum: ", said, re.MULTILINE)) != 1:
        return f"no clear line: {said.strip()[-160:]}"
    return "" if code in (0, 1, 2) else f"exit code {code}: {said.strip()[-160:]}"


def campaign(cases: int) -> tuple[Counter[str], dict[str, str]]:
    """Try `cases` inputs. How many of each kind, and for each way to fail the first input that did."""
    tried, wrong = Counter[str](), dict[str, str]()

    def note(kind: str, what: Any, problem: str) -> None:
        tried[kind] += 1
        way = f"{kind}: {re.sub('[0-9]+', 'N', problem)}"
        if problem and way not in wrong:
            wrong[way] = repr(what)
            print(f"{way}\n  {repr(what)[:600]}", flush=True)

    how = settings(
        max_examples=max(1, cases // 2), deadline=None, derandomize=True, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip

    @how
    @given(command_lines())
    def try_arguments(words: list[str]) -> None:
        note("command line", words, attempt(words, {}))

    @how
    @given(CONFIGS)
    def try_config(text: str) -> None:
        quick = ["--data.dataset=digits", "--trainer.max_steps=3", "--trainer.enable_progress_bar=false"]
        note(
            "configuration",
            text,
            attempt(["fit", "--config", "drawn.yaml", *quick], {"drawn.yaml": text.encode(errors="replace")}),
        )

    try_arguments()
    try_config()
    return tried, wrong


if __name__ == "__main__":
    end_without_fork()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    torch.set_num_threads(1)  # a fork must not find threads in this process
    tries, problems = campaign(parser.parse_args().cases)
    print(f"tried: {dict(tries)}; ways to fail: {len(problems)}")
    sys.exit(bool(problems))
