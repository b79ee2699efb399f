"""Runs in the terminal: they fit it, they say what happened, and nothing in a file steers it."""

import json
import math
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from curriculum.runs.catalogue import rows
from curriculum.runs.facts import BREAKS_OFF
from curriculum.runs.terminal import LINES, measured_on, plot, show, table
from tests.support.runs import STEERING, event_file, recorded, write


def test_the_table_fits_80_columns(tmp_path: Path) -> None:
    write(tmp_path / "mnist/lightning/version_10", [2.0, 0.123456], val_acc=0.9876)
    write(tmp_path / "[red]lesson[/x]")
    out = StringIO()
    Console(file=out, width=80).print(table(rows(tmp_path)))
    lines = out.getvalue().splitlines()
    assert "…" not in out.getvalue()
    assert len(lines) == 4  # two for the head, one for each run
    row = r"mnist/lightning/version_10 +3 +0\.1235 +- +98\.76% +- +\d\d \w{3} \d\d:\d\d *"
    assert re.fullmatch(row, lines[2])
    assert re.match(r"\[red\]lesson\[/x\] +- +- +- +- +- ", lines[3])


def test_results_on_different_data_are_told_apart(tmp_path: Path) -> None:
    for number in range(5):
        run = write(tmp_path / f"version_{number}", [1.0])
        (run / "report.json").write_text(json.dumps({"data": "MNIST" if number else "my <set>\x1b"}))
    found = rows(tmp_path)
    lines = list(measured_on(found))
    assert [row["data"] for row in found].count("MNIST") == 4
    assert sorted(lines) == [
        "measured on MNIST: version_1, version_2, version_3 and 1 more",
        "measured on my <set>?: version_0",
    ]
    assert list(measured_on(found[1:2])) == [f"measured on {found[1]['data']}: all"]
    assert list(measured_on([found[0] | {"data": None}])) == []


def test_it_is_said_how_many_pictures_and_which_of_one_name(tmp_path: Path) -> None:
    mnist = {"data": "MNIST", "data_sha256": "1" * 64, "pictures": {"train": 9, "val": 10_000, "test": 500}}
    runs = {
        "a": mnist,
        "b": mnist | {"pictures": {"train": 8, "val": 10_000, "test": 500}},
        "c": mnist | {"pictures": {"train": 9, "val": 10_000}},
        "d": {"data": "own", "data_sha256": "2" * 64},
        "e": {"data": "own", "data_sha256": "3" * 64, "pictures": ["no", "counts"]},
    }
    for name, report in runs.items():
        (write(tmp_path / name, [1.0]) / "report.json").write_text(json.dumps(report))
    assert sorted(measured_on(rows(tmp_path))) == [
        "measured on MNIST, 10,000 to validate, 500 to test: a, b",
        "measured on MNIST, 10,000 to validate: c",
        "measured on own (SHA-256 22222222…): d",
        "measured on own (SHA-256 33333333…): e",
    ]


def test_plot_draws_the_curve_it_was_given() -> None:
    falling = [(0, 3.0), (1, 2.0), (2, 1.0), (3, 0.0)]
    assert plot(falling, 4, 4, unicode=False) == ["*   ", " *  ", "  * ", "   *"]
    assert plot(falling, 2, 1, unicode=True) == ["⠑⢄"]
    assert plot([(5, 1.0), (9, 1.0)], 3, 3, unicode=False) == ["   ", "***", "   "]
    assert plot([(5, 1.0)], 1, 1, unicode=False) == ["*"]
    peak = [(0, 0.0), (50, 1.0), (100, 0.0)]
    assert plot(peak, 5, 3, unicode=False) == ["  *  ", " * * ", "*   *"]


@pytest.mark.parametrize("width", [80, 40, 24])
@pytest.mark.parametrize("unicode", [True, False])
def test_show_fits_the_terminal(full: Path, width: int, unicode: bool) -> None:
    text = show(recorded(full), width, unicode)
    assert max(map(len, text.splitlines())) <= width
    text.encode("utf-8" if unicode else "ascii")
    assert text.startswith("fit/version_0\n")


def test_show_tells_what_was_run_and_how_it_went(full: Path) -> None:
    lines = show(recorded(full), 80).splitlines()
    assert lines[1] == "data digits, optimizer sgd, lr 0.25, max_epochs 3, torch 2"
    assert lines[2] == "train_loss 0.06667, val_acc 96.67%, test_acc 50.00%"
    start = lines.index("train_loss  2 → 0.06667")
    assert lines[start + 1].startswith("      2 │")
    assert lines[start + LINES].startswith("0.06667 │")
    assert lines[start + LINES + 1].split() == ["0", "29"]
    assert lines[-1] == "grad_norm/ (2), 1 image, 2 texts, 1 histogram"
    assert "epoch" not in " ".join(lines[3:])


def test_a_run_of_other_curves_shows_the_first_of_them(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(2):
            for number in range(7):
                writer.add_scalar(f"curve{number}", step, step)
    text = show(recorded(tmp_path))
    assert re.findall(r"^(curve\d)  0 → 1$", text, re.MULTILINE) == [f"curve{number}" for number in range(5)]
    assert text.endswith("\ncurve5, curve6")


def test_show_survives_what_is_not_finite(tmp_path: Path) -> None:
    write(tmp_path / "some", [1.0, 3.0, math.inf, math.nan])
    write(tmp_path / "none", [math.nan, math.nan])
    some = show(recorded(tmp_path / "some")).splitlines()
    assert "train_loss  1 → nan  (2 not finite)" in some
    assert some[some.index("train_loss  1 → nan  (2 not finite)") + 1].startswith("3 │")
    assert "train_loss  nan → nan  (2 not finite)" in show(recorded(tmp_path / "none"))


def test_nothing_in_a_file_steers_the_terminal(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(3):
            writer.add_scalar(f"tag{STEERING}", step, step)
    (tmp_path / "report.json").write_text(json.dumps({"engine": f"x{STEERING}"}))
    text = show(recorded(tmp_path))
    assert "tag?[2J" in text
    assert "engine x?[2J" in text
    assert "\x1b" not in text


def test_a_log_that_breaks_off_is_told(own: Path) -> None:
    assert BREAKS_OFF not in show(recorded(own))
    file = event_file(own)
    file.write_bytes(file.read_bytes()[:-1])
    assert BREAKS_OFF in show(recorded(own))
