"""Curves for other programs: the figures are TensorBoard's own, and their readers take them."""

import csv
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner, Result

from curriculum import UserError
from curriculum.cli.main import app
from tests.support.runs import write

Rows = list[dict[str, str]]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["runs", "export", *map(str, arguments)])


def export_csv(*arguments: str | Path) -> Rows:
    done = run(*arguments)
    assert done.exit_code == 0, done.exception
    return list(csv.DictReader(done.stdout.splitlines()))


def export_json(*arguments: str | Path) -> Any:
    def refuse(name: str) -> None:
        raise AssertionError(f"a bare {name} is no JSON")

    return json.loads(run(*arguments, "--format", "json").stdout, parse_constant=refuse)


def test_the_figures_are_those_of_tensorboard(full: Path, log_dir: Path) -> None:
    """Each point of each curve, to the last bit, in the order of writing."""
    theirs = EventAccumulator(str(full), size_guidance={"scalars": 0}).Reload()
    wanted = [
        (tag, point.step, point.wall_time, point.value)
        for tag in theirs.Tags()["scalars"]
        for point in theirs.Scalars(tag)
    ]
    assert len(wanted) == 124
    lines = export_csv("fit", "--log-dir", log_dir)
    assert list(lines[0]) == ["run", "tag", "step", "wall_time", "value", "data"]
    assert {line["run"] for line in lines} == {"fit/version_0"}
    got = [(line["tag"], int(line["step"]), float(line["wall_time"]), float(line["value"])) for line in lines]
    assert got == wanted
    (exported,) = export_json("fit", "--log-dir", log_dir)
    curves = exported["curves"].items()
    assert [
        (tag, *point)
        for tag, curve in curves
        for point in zip(curve["step"], curve["wall_time"], curve["value"], strict=True)
    ] == wanted
    assert exported["hparams"] == {"lr": 0.25, "optimizer": "sgd"}


def test_several_runs_or_all(tmp_path: Path) -> None:
    for name in ("a/version_0", "a/version_1", "b"):
        write(tmp_path / name, [1.0])
    assert [line["run"] for line in export_csv("--log-dir", tmp_path)] == ["a/version_0", "a/version_1", "b"]
    assert [line["run"] for line in export_csv("b", "a", "b", "--log-dir", tmp_path)] == ["b", "a/version_1"]
    done = run("c", "--log-dir", tmp_path)
    assert isinstance(done.exception, UserError)
    assert (done.stdout, str(done.exception)[:20]) == ("", "there is no run 'c' ")


def test_runs_of_the_same_name_elsewhere_are_told_apart(tmp_path: Path) -> None:
    one = write(tmp_path / "one/x/y/z", [1.0])
    two = write(tmp_path / "two/x/y/z", [2.0])
    lines = export_csv(one, two, "--log-dir", tmp_path / "runs")
    assert [(line["run"], line["value"]) for line in lines] == [
        (one.as_posix(), "1.0"),
        (two.as_posix(), "2.0"),
    ]


def test_what_is_not_finite_is_read_by_every_reader(tmp_path: Path) -> None:
    write(tmp_path / "a", [math.nan, math.inf, -math.inf])
    (tmp_path / "a" / "report.json").write_text('{"val_acc": NaN, "list": [Infinity]}')
    assert [line["value"] for line in export_csv("--log-dir", tmp_path)] == ["nan", "inf", "-inf"]
    (exported,) = export_json("--log-dir", tmp_path)
    assert exported["curves"]["train_loss"]["value"] == ["nan", "inf", "-inf"]
    assert exported["report"] == {"val_acc": "nan", "list": ["inf"]}


def test_names_with_commas_quotes_and_letters_of_all_kinds(tmp_path: Path) -> None:
    write(tmp_path / 'a, "b"', [], **{"größe, |x|": 1.0})
    (line,) = export_csv("--log-dir", tmp_path)
    assert (line["run"], line["tag"]) == ('a, "b"', "größe, |x|")


def test_each_point_says_what_it_was_measured_on(tmp_path: Path) -> None:
    told = write(tmp_path / "told", [1.0])
    pictures = {"train": 50, "val": 10, "test": 20}
    (told / "report.json").write_text(json.dumps({"data": "my, set", "pictures": pictures}))
    write(tmp_path / "untold", [1.0])
    lines = export_csv("--log-dir", tmp_path)
    assert [line["data"] for line in lines] == ["my, set, 10 to validate, 20 to test", ""]


def test_a_run_without_curves_has_its_facts(tmp_path: Path) -> None:
    (tmp_path / "quiet").mkdir()
    (tmp_path / "quiet" / "manifest.json").write_text('{"job": "mnist", "seed": 7}')
    (tmp_path / "quiet" / "report.json").write_text('{"test_acc": 0.5}')
    done = run("--log-dir", tmp_path)
    assert (done.stdout, done.stderr) == (
        "run,tag,step,wall_time,value,data\n",
        "curriculum: no curves in quiet\n",
    )
    (exported,) = export_json("--log-dir", tmp_path)
    assert (exported["manifest"], exported["results"]) == ({"job": "mnist", "seed": 7}, {"test_acc": 0.5})
    assert exported["curves"] == {}


def test_a_damaged_run_is_left_out_with_a_word_unless_it_was_named(tmp_path: Path) -> None:
    write(tmp_path / "good", [1.0])
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "events.out.tfevents.1").write_bytes(b"damaged")
    done = run("--log-dir", tmp_path)
    assert done.stdout.count("\ngood,") == 1
    assert done.stderr.startswith(f"curriculum: left out: no event in {tmp_path / 'bad'} can be read")
    assert isinstance(run("bad", "--log-dir", tmp_path).exception, UserError)


def test_it_writes_a_file_in_the_form_of_its_name(tmp_path: Path, log_dir: Path) -> None:
    for name, arguments in (("a.csv", []), ("a.json", []), ("b.json", ["--format", "csv"])):
        done = run("fit", "--log-dir", log_dir, "--out", tmp_path / name, *arguments)
        assert (done.exit_code, done.stdout) == (0, "")
    assert (tmp_path / "a.csv").read_text() == run("fit", "--log-dir", log_dir).stdout
    assert json.loads((tmp_path / "a.json").read_text())[0]["run"] == "fit/version_0"
    assert (tmp_path / "b.json").read_text() == (tmp_path / "a.csv").read_text()
    done = run("fit", "--log-dir", log_dir, "--out", tmp_path / "nowhere" / "a.csv")
    assert "choose another --out FILE" in str(done.exception)


def test_it_is_free_of_torch(log_dir: Path) -> None:
    program = (
        "import sys\nfrom curriculum.cli.main import main\n"
        "try: main(['runs', '--log-dir', sys.argv[1], 'export', 'fit'])\n"
        "except SystemExit: sys.exit(bool({'torch', 'numpy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(log_dir)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 125
