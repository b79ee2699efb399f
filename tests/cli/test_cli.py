"""The command line as its user meets it: its output, its exit code. One real process for each group."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from curriculum import Stopped, UserError, doctor
from curriculum.cli import lessons as lesson_commands
from curriculum.cli.main import main
from curriculum.discover import lessons
from lessons import lesson01_neuron
from models.jobs.options import Options
from tests.support.commands import curriculum, curriculum_here, refused


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The working folder, empty; MNIST cannot be found by the environment variable."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PATH_DATASETS", raising=False)
    return tmp_path


# ---------------------------------------------------------------- processes


@pytest.mark.parametrize(
    "argument", ["--help", "data --help", "list", "run 99", "compare nothing", "mnist --lr 0"]
)
def test_what_is_quick_does_not_import_torch(tmp_path: Path, argument: str) -> None:
    code = (
        f"import sys; from curriculum.cli.main import main\n"
        f"try: main({argument.split()})\n"
        "finally: assert not {'torch', 'matplotlib', 'lessons', 'models'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == (0 if argument.endswith(("--help", "list")) else 2)
    assert "Traceback" not in done.stderr


def test_run_shows_a_lesson_and_saves_its_figures(tmp_path: Path) -> None:
    done = curriculum("run", "1", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "The neuron finds the taste" in done.stdout
    assert (tmp_path / "runs/lesson01/taste_is_learned.png").stat().st_size > 5000
    assert list((tmp_path / "runs/lesson01").glob("events.out.tfevents.*"))


def test_mnist_runs_offline_and_says_on_what(tmp_path: Path) -> None:
    proxy = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = curriculum("mnist", "--epochs", "1", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path / "cache"), **proxy)
    assert done.returncode == 0, done.stderr
    assert "data: scikit-learn digits" in done.stdout
    assert "could not download" in done.stdout
    assert "curriculum tensorboard --log-dir runs" in done.stdout
    assert "Warning" not in done.stderr
    assert "Tip" not in done.stderr


# ---------------------------------------------------------------- lessons


FULL_DISK = """
import resource
from curriculum.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows bounds no files")
def test_a_log_that_finds_no_room_is_one_clear_line(tmp_path: Path) -> None:
    """A bound on the size of files stands in for a full disk. Only the log is larger."""
    options = ["--data.dataset=digits", "--model.sizes=[784,16,10]", "--trainer.max_epochs=10"]
    options += ["--trainer.enable_checkpointing=false", "--trainer.enable_progress_bar=false"]
    command = [sys.executable, "-c", FULL_DISK, "fit", *options]
    done = subprocess.run([*command, "--log.level=full"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert re.search(r"curriculum: .*File too large.*; make room\. What was saved is whole", done.stderr)
    done = subprocess.run([*command, "--log.level=off"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, "without a log there is room"


def test_list_shows_every_lesson(here: Path) -> None:
    lines = curriculum_here("list").stdout.splitlines()
    for lesson in lessons():
        assert any(f"{lesson.number:02}" in line and lesson.title in line for line in lines)


def test_letters_that_the_terminal_lacks_become_plain(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lesson = replace(lessons()[0], title="1–2 × 3 → 4 ÷ 5 µs · é")
    monkeypatch.setattr(lesson_commands, "lessons", lambda: [lesson])
    assert lesson.title in curriculum_here("list").stdout
    assert "1-2 x 3 -> 4 / 5 us | ?" in curriculum_here("list", encoding="ascii").stdout


def test_compare_prints_json_and_succeeds(here: Path) -> None:
    done = curriculum_here("compare", "1", "--json")
    assert done.returncode == 0
    rows = json.loads(done.stdout)
    assert all(row["ok"] for row in rows)
    names = {result["name"] for row in rows for result in row["results"]}
    assert names >= {"output", "grad_x", "grad_weight"}


def test_compare_says_what_is_equal(here: Path) -> None:
    done = curriculum_here("compare", "neuron", "--dtype", "float32")
    assert (done.returncode, done.stderr) == (0, "")
    count = len(lesson01_neuron.PAIRS)
    assert f"{count} of {count} pairs equal" in done.stdout


def wrong_backward(self: object, grad_y: Tensor) -> Tensor:
    return grad_y


def test_compare_fails_on_a_mismatch(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson01_neuron.Sigmoid, "backward", wrong_backward)
    done = curriculum_here("compare", "neuron")
    assert done.returncode == 1
    assert "grad_x: values differ" in " ".join(done.stdout.split())
    assert f"of {len(lesson01_neuron.PAIRS)} pairs equal" in done.stdout
    assert f"{len(lesson01_neuron.PAIRS)} of" not in done.stdout


def raises(self: object, grad_y: Tensor) -> Tensor:
    raise ZeroDivisionError("no")


def test_compare_goes_on_where_a_side_raises(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson01_neuron.Sigmoid, "backward", raises)
    done = curriculum_here("compare", "neuron", "--json")
    assert done.returncode == 1
    rows = json.loads(done.stdout)
    assert len(rows) == len(lesson01_neuron.PAIRS)
    assert "ZeroDivisionError: no" in {result["problem"] for row in rows for result in row["results"]}


# ---------------------------------------------------------------- training


@pytest.mark.parametrize(("set_by_user", "used"), [(None, "1"), ("3", "3")])
def test_one_thread_where_nothing_else_is_set(
    here: Path, set_by_user: str | None, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", set_by_user or "")  # put back in the end, whatever comes
    if set_by_user is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    assert curriculum_here("list").returncode == 0
    assert os.environ["OMP_NUM_THREADS"] == used


def test_mnist_json_is_json_alone(here: Path) -> None:
    small = ("--data", "digits", "--engine", "torch", "--epochs", "1", "--log", "off")
    done = curriculum_here("mnist", *small, "--json")
    (report,) = json.loads(done.stdout)
    assert report["engine"] == "torch"
    assert report["data"] == "scikit-learn digits"


def recorder(calls: list[Any], result: Any = None) -> Callable[..., Any]:
    def record(*arguments: Any) -> Any:
        calls.append(arguments)
        return result

    return record


def test_every_option_of_mnist_arrives(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr("models.jobs.mnist.run", recorder(calls, []))
    given = (
        "--engine torch --data digits --data-dir a --epochs 2 --batch-size 7 --lr 0.5 --seed 3 "
        "--dtype float64 --device meta --log off --log-dir b --mine c.py --json"
    )
    assert curriculum_here("mnist", *given.split()).returncode == 0
    assert calls[0][0] == Options(
        engine="torch",
        data="digits",
        data_dir=Path("a"),
        epochs=2,
        batch_size=7,
        lr=0.5,
        seed=3,
        dtype="float64",
        device="meta",
        log="off",
        log_dir=Path("b"),
        mine=Path("c.py"),
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_option_of_parity_arrives(here: Path, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr("models.jobs.parity.run", recorder(calls, []))
    given = (
        "--data digits --data-dir a --epochs 2 --batch-size 7 --lr 0.5 --seed 3 "
        f"--dtype {dtype} --bound 0.01 --log-dir b"
    )
    assert curriculum_here("parity", *given.split()).returncode == 0
    options, _, bound = calls[0]
    assert bound == 0.01
    assert options == Options(
        engine="all",
        data="digits",
        data_dir=Path("a"),
        epochs=2,
        batch_size=7,
        lr=0.5,
        seed=3,
        dtype=dtype,
        log_dir=Path("b"),
    )


@pytest.mark.parametrize("command", ["fit", "validate", "test", "predict"])
def test_lightning_gets_what_follows(here: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr("models.lightning.cli.main", recorder(calls))
    assert curriculum_here(command, "--name", "x", "--help").returncode == 0
    assert calls == [([command, "--name", "x", "--help"],)]


# ---------------------------------------------------------------- what can go wrong


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("run 99", "there is no lesson '99'"),
        ("compare nothing", "there is no lesson 'nothing'"),
        ("compare 1 --device abacus", "--device abacus cannot be used"),
        ("mnist --epochs 0", "--epochs"),
        ("mnist --lr nan", "--lr is nan; expected a number above 0"),
        ("mnist --lr inf", "--lr is inf; expected a number above 0"),
        ("mnist --lr fast", "--lr"),
        ("parity --lr 0", "--lr is 0.0; expected a number above 0"),
        ("mnist --engine abacus", "--engine"),
        ("mnist --dtype float8", "--dtype"),
        ("mnist --resume --epochs 3", "--resume goes on with the options that the run began with"),
        ("mnist --data digits --batch-size 5000", "--batch-size 5000 is more than"),
        ("mnist --data digits --log-dir a_file", "choose another --log-dir"),
        ("run 1 --log-dir a_file", "choose another --log-dir"),
        ("tensorboard --log-dir empty", "there are no logs in empty"),
        ("notebooks a_file", "choose another folder"),
        ("new convolution", "'convolution' is not a lesson's name"),
        ("fly", "No such command 'fly'"),
        ("mnist --wings", "No such option"),
    ],
)
def test_bad_input_is_one_clear_line(here: Path, arguments: str, expected: str) -> None:
    (here / "a_file").write_text("in the way")
    assert expected in refused(curriculum_here(*arguments.split()))


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (UserError("two\n  lines"), 2, "curriculum: two lines\n"),
        (Stopped("saved; go on with --resume", 143), 143, "curriculum: saved; go on with --resume\n"),
    ],
    ids=["what the user can mend", "stopped"],
)
def test_what_ends_a_command_is_one_line(
    here: Path, raised: Exception, code: int, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lesson_commands, "lessons", raiser(raised))
    done = curriculum_here("list")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", line)


def raiser(error: BaseException) -> Callable[[], None]:
    def end() -> None:
        raise error

    return end


def test_ctrl_c_is_no_traceback(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typer ends silently, older versions of it let us say a word."""
    monkeypatch.setattr(lesson_commands, "lessons", raiser(KeyboardInterrupt()))
    done = curriculum_here("list")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr in ("", "curriculum: interrupted\n")


def test_a_mistake_of_ours_is_not_hidden(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson_commands, "lessons", raiser(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        main(["list"])


@pytest.fixture
def no_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """`doctor` leaves out what takes seconds, to import every package; tests/house/test_doctor.py does it."""
    monkeypatch.setattr(doctor, "_imports", lambda: iter(()))


def test_a_damaged_data_file_is_one_clear_line(here: Path, no_imports: None) -> None:
    raw = here / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images", "train-labels", "t10k-images", "t10k-labels"):
        (raw / f"{name}-idx{3 if 'images' in name else 1}-ubyte").write_bytes(b"not MNIST")
    line = refused(curriculum_here("mnist", "--data-dir", "."))
    assert "train-images-idx3-ubyte is damaged" in line
    done = curriculum_here("doctor", "--data-dir", ".")
    assert done.returncode == 1
    assert "damaged" in done.stdout


def test_doctor_says_what_will_be_used(here: Path, offline: Path, no_imports: None) -> None:
    done = curriculum_here("doctor")
    assert done.returncode == 0
    assert f"will be downloaded to {offline / 'MNIST' / 'raw'}" in " ".join(done.stdout.split())
