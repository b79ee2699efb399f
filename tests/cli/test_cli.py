"""The command line as its user meets it: a process, its output, its exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from curriculum.discover import lessons
from tests.support.commands import curriculum, refused


def test_help_and_list_do_not_import_torch(tmp_path: Path) -> None:
    for argument in ("--help", "list"):
        code = (
            f"import sys; sys.argv = ['curriculum', '{argument}']\n"
            "from curriculum.cli.main import main\n"
            "try: main()\n"
            "finally: assert not {'torch', 'matplotlib', 'lessons'} & set(sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


def test_list_shows_every_lesson(tmp_path: Path) -> None:
    lines = curriculum("list", cwd=tmp_path).stdout.splitlines()
    for lesson in lessons():
        assert any(f"{lesson.number:02}" in line and lesson.title in line for line in lines)


def test_compare_prints_json_and_succeeds(tmp_path: Path) -> None:
    done = curriculum("compare", "1", "--json", cwd=tmp_path)
    assert done.returncode == 0
    rows = json.loads(done.stdout)
    assert all(row["ok"] for row in rows)
    assert {result["name"] for row in rows for result in row["results"]} >= {
        "output",
        "grad_x",
        "grad_weight",
    }


def test_compare_fails_on_a_mismatch(tmp_path: Path) -> None:
    code = (
        "import sys; from lessons import lesson01_neuron as lesson\n"
        "lesson.Sigmoid.backward = lambda self, grad: grad\n"
        "sys.argv = ['curriculum', 'compare', 'neuron']\n"
        "from curriculum.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "grad_x: values differ" in " ".join(done.stdout.split())


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


def test_mnist_json_is_json_alone(tmp_path: Path) -> None:
    done = curriculum(
        "mnist", "--data", "digits", "--engine", "torch", "--epochs", "1", "--json", cwd=tmp_path
    )
    (report,) = json.loads(done.stdout)
    assert report["engine"] == "torch"
    assert report["data"] == "scikit-learn digits"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "99"], "there is no lesson '99'"),
        (["compare", "nothing"], "there is no lesson 'nothing'"),
        (["compare", "1", "--device", "abacus"], "--device abacus cannot be used"),
        (["mnist", "--epochs", "0"], "--epochs"),
        (["mnist", "--lr", "nan"], "--lr is nan; expected a number above 0"),
        (["mnist", "--lr", "fast"], "--lr"),
        (["mnist", "--engine", "abacus"], "--engine"),
        (["mnist", "--dtype", "float8"], "--dtype"),
        (["mnist", "--data", "digits", "--batch-size", "5000"], "--batch-size 5000 is more than"),
        (["mnist", "--data", "digits", "--log-dir", "a_file"], "choose another --log-dir"),
        (["run", "1", "--log-dir", "a_file"], "choose another --log-dir"),
        (["tensorboard", "--log-dir", "empty"], "there are no logs in empty"),
        (["notebooks", "a_file"], "choose another folder"),
        (["fly"], "No such command 'fly'"),
        (["mnist", "--wings"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_clear_line(tmp_path: Path, arguments: list[str], expected: str) -> None:
    (tmp_path / "a_file").write_text("in the way")
    assert expected in refused(curriculum(*arguments, cwd=tmp_path))


def test_a_damaged_data_file_is_one_clear_line(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images", "train-labels", "t10k-images", "t10k-labels"):
        (raw / f"{name}-idx{3 if 'images' in name else 1}-ubyte").write_bytes(b"not MNIST")
    line = refused(curriculum("mnist", "--data-dir", str(tmp_path), cwd=tmp_path))
    assert "train-images-idx3-ubyte is damaged" in line
    done = curriculum("doctor", "--data-dir", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 1
    assert "damaged" in done.stdout


def test_doctor_says_what_will_be_used(tmp_path: Path) -> None:
    done = curriculum("doctor", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 0
    assert "will be downloaded to" in " ".join(done.stdout.split())


def test_output_may_be_closed_early(tmp_path: Path) -> None:
    command = f"{sys.executable} -c 'from curriculum.cli.main import main; main()' list | head -n 1"
    done = subprocess.run(
        command, shell=True, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
