"""Event files are read as they were written; runs are shown in the terminal and as a page, safely."""

import base64
import json
import math
import os
import re
import struct
import subprocess
import sys
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from curriculum import UserError
from curriculum.runs import catalogue as runs
from curriculum.runs import events, page

NASTY = "<script>alert(1)</script>"
STEERING = "\x1b[2J"


def write(run: Path, train_loss: list[float] | None = None, **last: float) -> Path:
    """A run with a training curve, a point at every step, and single values."""
    with SummaryWriter(str(run)) as writer:
        for step, value in enumerate(train_loss or []):
            writer.add_scalar("train_loss", value, step)
        for tag, value in last.items():
            writer.add_scalar(tag, value, len(train_loss or []))
    return run


def event_file(run: Path) -> Path:
    (file,) = run.glob(events.EVENT_FILES)
    return file


def record_ends(data: bytes) -> list[int]:
    """Where each record of an event file ends."""
    ends = [0]
    while ends[-1] < len(data):
        ends.append(ends[-1] + 16 + struct.unpack_from("<Q", data, ends[-1])[0])
    return ends[1:]


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A run with something of every kind."""
    from torch.utils.tensorboard.summary import hparams

    run = tmp_path / "runs" / "fit" / "version_0"
    generator = torch.Generator().manual_seed(0)
    with SummaryWriter(str(run)) as writer:
        for step in range(30):
            writer.add_scalar("train_loss", 2 / (step + 1), step)
            writer.add_scalar("epoch", step // 10, step)
            for name in ("0.weight", "0.bias"):
                writer.add_scalar(f"grad_norm/{name}", step + len(name), step)
        for step in (9, 19, 29):
            writer.add_scalar("val_acc", step / 30, step)
            writer.add_image("answers", torch.rand(3, 4, 5, generator=generator), step)
            writer.add_histogram("weights", torch.rand(20, generator=generator), step)
        writer.add_scalar("test_acc", 0.5, 30)
        writer.add_text("run", "| | |\n|---|---|\n| data | digits |\n| torch | 2 |")
        writer.add_text("note", "first")
        writer.add_text("note", f"second {NASTY}", 1)
        for summary in hparams({"lr": 0.25, "optimizer": "sgd"}, {"val_acc": 0.0}):
            writer._get_file_writer().add_summary(summary)
    (run / "config.yaml").write_text("trainer:\n  max_epochs: 3\nmodel:\n  lr: 9.0\n")
    return run


# ---------------------------------------------------------------- events


def test_all_points_come_back_as_they_were_written(tmp_path: Path) -> None:
    values = torch.rand(500, generator=torch.Generator().manual_seed(0)).tolist()
    run = write(tmp_path / "run", values, test_acc=0.75)
    points = events.scalars(run, "train_loss")
    assert [(point.step, point.value) for point in points] == list(enumerate(values))
    assert events.final(run) == {"train_loss": values[-1], "test_acc": 0.75}
    assert points[0].wall_time <= points[-1].wall_time <= events.written(run)
    assert not events.breaks_off(run)


@pytest.mark.parametrize("purge_step", [None, 25])
def test_scalars_are_those_of_tensorboard(full: Path, purge_step: int | None) -> None:
    with SummaryWriter(str(full), purge_step=purge_step, filename_suffix=".resumed") as writer:
        for step in range(25, 35):
            writer.add_scalar("train_loss", -step, step)
    theirs = EventAccumulator(str(full)).Reload()
    for tag in theirs.Tags()["scalars"]:
        expected = [(point.step, point.value, point.wall_time) for point in theirs.Scalars(tag)]
        assert [tuple(point) for point in events.scalars(full, tag)] == expected
    assert len(events.scalars(full, "train_loss")) == (40 if purge_step is None else 35)
    assert ("test_acc" in events.final(full)) == (purge_step is None)
    assert events.find(full) == [full]


def test_scalars_written_as_tensors_are_scalars(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(3):
            writer.add_scalar("loss", step / 4, step, new_style=True)
    assert [(p.step, p.value) for p in events.scalars(tmp_path, "loss")] == [(0, 0.0), (1, 0.25), (2, 0.5)]
    assert events.tags(tmp_path)["tensors"] == []


def test_every_kind_of_tag(full: Path) -> None:
    tags = events.tags(full)
    assert set(tags["scalars"]) == {
        "train_loss", "epoch", "grad_norm/0.weight", "grad_norm/0.bias", "val_acc", "test_acc",
    }  # fmt: skip
    assert (tags["images"], tags["histograms"], tags["texts"]) == (["answers"], ["weights"], ["run", "note"])
    assert events.texts(full)["note"] == f"second {NASTY}"
    assert events.hparams(full) == {"lr": 0.25, "optimizer": "sgd"}


def test_images_are_the_bytes_that_were_written(full: Path) -> None:
    from PIL import Image

    images = events.images(full, "answers")
    assert [image.step for image in images] == [9, 19, 29]
    path = full / "picture.png"
    path.write_bytes(images[0].png)
    written = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))
    assert np.array_equal(np.asarray(Image.open(path)), (written * 255).byte().permute(1, 2, 0).numpy())


def test_an_unknown_tag_names_those_there_are(full: Path) -> None:
    with pytest.raises(UserError, match=r"no 'loss'; it has: .*train_loss"):
        events.scalars(full, "loss")
    with pytest.raises(UserError, match=r"no 'train_loss'; it has: answers"):
        events.images(full, "train_loss")


def test_a_run_is_read_once_and_again_when_it_has_grown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, opened = events._events, []
    monkeypatch.setattr(events, "_events", lambda path: (opened.append(path), read(path))[1])
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("a", 1.0, 0)
        writer.flush()
        assert events.final(tmp_path) == {"a": 1.0}
        events.scalars(tmp_path, "a")
        assert len(opened) == 1
        writer.add_scalar("a", 2.0, 1)
        writer.flush()
        assert events.final(tmp_path) == {"a": 2.0}
        assert len(opened) == 2


def test_a_cut_file_is_read_up_to_the_cut(tmp_path: Path) -> None:
    file = event_file(write(tmp_path, [0.5, 1.5, 2.5]))
    whole = file.read_bytes()
    ends = record_ends(whole)
    for cut in range(ends[-2] + 1, ends[-1]):
        file.write_bytes(whole[:cut])
        assert [point.value for point in events.scalars(tmp_path, "train_loss")] == [0.5, 1.5]
        assert events.breaks_off(tmp_path)
    file.write_bytes(whole[: ends[-2]])
    assert not events.breaks_off(tmp_path)


def test_no_damaged_value_is_believed(tmp_path: Path) -> None:
    """Every single byte of the second last point, turned over, ends the reading before that point."""
    file = event_file(write(tmp_path, [0.5, 1.5, 2.5]))
    whole = file.read_bytes()
    *_, start, end, _ = record_ends(whole)
    for place in range(start, end):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        file.write_bytes(damaged)
        os.utime(file, ns=(place, place))  # the size stays: the time tells that it changed
        assert [point.value for point in events.scalars(tmp_path, "train_loss")] == [0.5]
        assert events.breaks_off(tmp_path)


@pytest.mark.parametrize("content", [b"", b"nothing of the kind" * 50])
def test_files_without_an_event_are_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "events.out.tfevents.1").write_bytes(content)
    with pytest.raises(UserError, match="empty or damaged; delete it"):
        events.final(tmp_path)


def test_a_folder_without_events_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no run"):
        events.tags(tmp_path)


def test_runs_are_found_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = ["a/version_2", "a/version_10", "b/version_0"]
    for name in reversed(names):
        write(tmp_path / name)
    assert events.find(tmp_path) == [tmp_path / name for name in names]
    assert events.find(tmp_path / "nowhere") == []


def test_reading_runs_needs_no_torch() -> None:
    look = "import sys, curriculum.runs.catalogue, curriculum.runs.page; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


# ---------------------------------------------------------------- the list of runs


def test_one_row_per_run_newest_last(tmp_path: Path) -> None:
    write(tmp_path / "mnist/torch/version_0", [2.0, 1.0], val_loss=0.5, val_acc=0.25)
    write(tmp_path / "lesson03")
    write(tmp_path / "a", [math.nan])
    rows = runs.rows(tmp_path)
    assert [row["name"] for row in rows] == sorted(
        (row["name"] for row in rows), key=lambda name: events.written(tmp_path / name)
    )
    by_name = {row["name"]: row for row in rows}
    trained = by_name["mnist/torch/version_0"]
    assert [trained[name] for name in ("steps", *runs.RESULTS)] == [3, 1.0, 0.5, 0.25, None]
    assert by_name["a"]["train_loss"] == "nan"
    assert {by_name["lesson03"][name] for name in ("steps", *runs.RESULTS)} == {None}
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_steps_count_what_was_trained_not_where_the_test_stands(tmp_path: Path) -> None:
    write(tmp_path / "tested", [1.0] * 7, test_acc=0.5)
    write(tmp_path / "running", [1.0] * 7)
    assert [row["steps"] for row in runs.rows(tmp_path)] == [7, 7]


def test_newest_is_by_time_not_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        write(tmp_path / name)
    times = {"a": 3e8, "b": 1e8, "c": 2e8}
    monkeypatch.setattr(events, "written", lambda run: times[run.name])
    rows = runs.rows(tmp_path)
    assert [row["name"] for row in rows] == ["b", "c", "a"]
    assert rows[0]["when"].startswith("1973-03-03")


def test_a_run_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    write(tmp_path / "good", [1.0])
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "events.out.tfevents.1").write_bytes(b"damaged")
    steps = {row["name"]: row["steps"] for row in runs.rows(tmp_path)}
    assert steps == {"good": 1, "bad": None}


def test_no_runs_says_how_to_make_some(tmp_path: Path) -> None:
    for tell in (runs.rows, runs.table, lambda folder: runs.resolve("x", folder)):
        with pytest.raises(
            UserError, match=f"no runs in {tmp_path}; .*curriculum mnist --log-dir {tmp_path}"
        ):
            tell(tmp_path)


def test_the_table_fits_80_columns(tmp_path: Path) -> None:
    write(tmp_path / "mnist/lightning/version_10", [2.0, 0.123456], val_acc=0.9876)
    write(tmp_path / "[red]lesson[/x]")
    out = StringIO()
    Console(file=out, width=80).print(runs.table(tmp_path))
    lines = out.getvalue().splitlines()
    assert "…" not in out.getvalue()
    assert len(lines) == 4  # two for the head, one for each run
    row = r"mnist/lightning/version_10 +3 +0\.1235 +- +98\.76% +- +\d\d \w{3} \d\d:\d\d *"
    assert re.fullmatch(row, lines[2])
    assert re.match(r"\[red\]lesson\[/x\] +- +- +- +- +- ", lines[3])


# ---------------------------------------------------------------- which run is meant


@pytest.fixture
def several(tmp_path: Path) -> Path:
    for name in ("scratch/version_2", "scratch/version_10", "torch/version_2", "torch_old/version_0"):
        write(tmp_path / "mnist" / name)
    write(tmp_path / "lesson03")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("{log_dir}/mnist/torch/version_2", "mnist/torch/version_2"),
        ("mnist/scratch/version_2", "mnist/scratch/version_2"),
        ("mnist/scratch/version_2/", "mnist/scratch/version_2"),
        ("scratch/version_2", "mnist/scratch/version_2"),
        ("scratch", "mnist/scratch/version_10"),
        ("{log_dir}/mnist/scratch", "mnist/scratch/version_10"),
        ("version_10", "mnist/scratch/version_10"),
        ("torch", "mnist/torch/version_2"),
        ("lesson03", "lesson03"),
    ],
)
def test_a_run_by_path_or_part(several: Path, name: str, meant: str) -> None:
    assert runs.resolve(name.format(log_dir=several), several) == several / meant


def test_an_unknown_run_names_the_nearest(several: Path) -> None:
    with pytest.raises(UserError, match=r"no run 'scrach' in .*; the nearest: mnist/scratch/version_"):
        runs.resolve("scrach", several)


@pytest.mark.parametrize("name", ["mnist", "version_2"])
def test_a_part_of_several_runs_asks_which(several: Path, name: str) -> None:
    with pytest.raises(
        UserError, match=r"more than one run .*mnist/scratch/version_\d+, mnist/torch/version_2"
    ):
        runs.resolve(name, several)


# ---------------------------------------------------------------- in the terminal


def test_plot_draws_the_curve_it_was_given() -> None:
    falling = [(0, 3.0), (1, 2.0), (2, 1.0), (3, 0.0)]
    assert runs.plot(falling, 4, 4, unicode=False) == ["*   ", " *  ", "  * ", "   *"]
    assert runs.plot(falling, 2, 1, unicode=True) == ["⠑⢄"]
    assert runs.plot([(5, 1.0), (9, 1.0)], 3, 3, unicode=False) == ["   ", "***", "   "]
    assert runs.plot([(5, 1.0)], 1, 1, unicode=False) == ["*"]
    peak = [(0, 0.0), (50, 1.0), (100, 0.0)]
    assert runs.plot(peak, 5, 3, unicode=False) == ["  *  ", " * * ", "*   *"]


@pytest.mark.parametrize("width", [80, 40, 24])
@pytest.mark.parametrize("unicode", [True, False])
def test_show_fits_the_terminal(full: Path, width: int, unicode: bool) -> None:
    text = runs.show(full, full.parents[1], width, unicode)
    assert max(map(len, text.splitlines())) <= width
    text.encode("utf-8" if unicode else "ascii")
    assert text.startswith("fit/version_0\n")


def test_show_tells_what_was_run_and_how_it_went(full: Path) -> None:
    lines = runs.show(full, full.parents[1], 80).splitlines()
    assert lines[1] == "data digits, optimizer sgd, lr 0.25, max_epochs 3, torch 2"
    assert lines[2] == "train_loss 0.06667, val_acc 96.67%, test_acc 50.00%"
    start = lines.index("train_loss  2 → 0.06667")
    assert lines[start + 1].startswith("      2 │")
    assert lines[start + runs.LINES].startswith("0.06667 │")
    assert lines[start + runs.LINES + 1].split() == ["0", "29"]
    assert lines[-1] == "grad_norm/ (2), 1 image, 2 texts, 1 histogram"
    assert "epoch" not in " ".join(lines[3:])


def test_show_survives_what_is_not_finite(tmp_path: Path) -> None:
    write(tmp_path / "some", [1.0, 3.0, math.inf, math.nan])
    write(tmp_path / "none", [math.nan, math.nan])
    some = runs.show(tmp_path / "some", tmp_path).splitlines()
    assert "train_loss  1 → nan  (2 not finite)" in some
    assert some[some.index("train_loss  1 → nan  (2 not finite)") + 1].startswith("3 │")
    assert "train_loss  nan → nan  (2 not finite)" in runs.show(tmp_path / "none", tmp_path)
    assert "No finite value" in page.html(tmp_path / "none", "none")


def test_nothing_in_a_file_steers_the_terminal(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(3):
            writer.add_scalar(f"tag{STEERING}", step, step)
    (tmp_path / "report.json").write_text(json.dumps({"engine": f"x{STEERING}"}))
    text = runs.show(tmp_path, tmp_path)
    assert "tag?[2J" in text
    assert "engine x?[2J" in text
    assert "\x1b" not in text


def test_facts_come_from_everything_beside_the_log(full: Path) -> None:
    known = runs.facts(full)
    assert known == {
        "data": "digits", "torch": "2", "lr": "0.25", "optimizer": "sgd",
        "max_epochs": "3",
    }  # fmt: skip
    (full / "report.json").write_text('{"data": "MNIST", "options": {"data": "auto", "seed": 7}, "x": null}')
    assert runs.facts(full) == {**known, "data": "MNIST", "seed": "7"}
    (full / "report.json").write_text('{"data": ')
    assert runs.facts(full) == {"report.json": "cannot be read", **known}


def test_a_log_that_breaks_off_is_told(full: Path) -> None:
    assert runs.BREAKS_OFF not in runs.show(full, full) + page.html(full, "x")
    file = event_file(full)
    file.write_bytes(file.read_bytes()[:-1])
    assert runs.BREAKS_OFF in runs.show(full, full)
    assert runs.BREAKS_OFF in page.html(full, "x")


# ---------------------------------------------------------------- the page


class Reader(HTMLParser):
    """The elements of a page; fails where one is not closed."""

    VOID = ("meta", "img", "line")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        self.open += [tag] if tag not in self.VOID else []

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_everything_from_files_is_escaped(full: Path) -> None:
    with SummaryWriter(str(full), filename_suffix=".nasty") as writer:
        for step in (40, 41):
            writer.add_scalar(f'{NASTY}/"a" onload="x', step, step)
            writer.add_scalar(NASTY, step, step)
            writer.add_scalar("group/<script>", step, step)
            writer.add_scalar("group/other", step, step)
            writer.add_image(f'"{NASTY}', torch.zeros(1, 2, 2), step)
        writer.add_text(NASTY, NASTY)
    (full / "config.yaml").write_text(f"lr: {NASTY}")
    (full / "report.json").write_text(json.dumps({NASTY: NASTY}))
    page_ = Reader(page.html(full, f"fit/{NASTY} $name"))
    assert not page_.all("script")
    assert not [name for _, attributes in page_.elements for name in attributes if name.startswith("on")]
    assert sum(NASTY in word for word in page_.words) >= 9
    assert f"fit/{NASTY} $name" in page_.words


def test_the_page_needs_nothing_from_elsewhere(full: Path) -> None:
    text = page.html(full, "fit")
    addresses = [
        value
        for _, attributes in Reader(text).elements
        for name, value in attributes.items()
        if name in ("src", "href", "action", "data", "xlink:href")
    ]
    assert addresses
    assert all(address and address.startswith("data:image/png;base64,") for address in addresses)
    assert not re.search(r"url\(|@import|https?:", text)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text


def test_the_last_pictures_are_in_the_page(full: Path) -> None:
    (image,) = Reader(page.html(full, "fit")).all("img")
    assert image["alt"] == "answers at step 29"
    encoded = (image["src"] or "").partition(",")[2]
    assert base64.b64decode(encoded) == events.images(full, "answers")[-1].png


def test_charts_one_per_tag_and_one_per_prefix(full: Path) -> None:
    read = Reader(page.html(full, "fit"))
    labels = [svg["aria-label"] for svg in read.all("svg") if "aria-label" in svg]
    assert labels == ["train_loss", "val_acc", "grad_norm/…"]
    lines = [line["points"] or "" for line in read.all("polyline")]
    assert [len(line.split()) for line in lines] == [30, 3, 30, 30]
    # 2/1 … 2/30 over steps 0 … 29: the axis ends at the steps themselves and at round values, 0 and 2
    first, *_, last = lines[0].split()
    inner = page.HEIGHT - page.BOTTOM - page.TOP
    assert first == f"{page.LEFT:.1f},{page.TOP:.1f}"
    assert last == f"{page.WIDTH - page.RIGHT:.1f},{page.HEIGHT - page.BOTTOM - inner / 30:.1f}"
    assert "0.weight 37" in read.words
    assert "0.bias 35" in read.words


def test_the_page_says_results_facts_and_texts(full: Path) -> None:
    words = Reader(page.html(full, "fit")).words
    for expected in ("96.67%", "50.00%", "0.06667 at step 29", "sgd", f"second {NASTY}"):
        assert expected in words
    assert any("max_epochs: 3" in word for word in words)
    assert any("TensorBoard: histograms (1)" in word for word in words)


def test_long_curves_are_thinned_and_keep_their_spikes() -> None:
    line = [(step, math.sin(step)) for step in range(100_000)]
    line[54_321], line[77_777] = (54_321, 9.0), (77_777, -9.0)
    thinned = page._thinned(line)
    assert len(thinned) <= 2 * page.BUCKETS + 2
    assert {line[0], line[-1], line[54_321], line[77_777]} <= set(thinned)
    assert thinned == sorted(thinned)
    assert set(thinned) <= set(line)
    assert page._thinned(line[:800]) == line[:800]


def test_the_page_is_written_whole_or_not_at_all(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = page.write(full, "fit/version_0")
    assert path == full / "run.html"
    before = path.read_text(encoding="utf-8")
    assert before == page.html(full, "fit/version_0")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match="No space left"):
        page.write(full, "another")
    assert path.read_text(encoding="utf-8") == before
    assert not [name for name in os.listdir(full) if name.startswith(".run")]


# ---------------------------------------------------------------- a real run


def test_a_real_run(tmp_path: Path) -> None:
    from models.jobs import mnist

    (report,) = mnist.run(
        mnist.Options(engine="torch", data="digits", epochs=1, log_dir=tmp_path), say=lambda line: None
    )
    run = runs.resolve("torch", tmp_path)
    assert run == Path(report.folder)
    (row,) = runs.rows(tmp_path)
    assert row["steps"] == 19  # 1,197 digits, 64 per step
    assert row["val_acc"] == pytest.approx(report.val_acc, rel=1e-6)
    assert row["test_acc"] == pytest.approx(report.test_acc, rel=1e-6)
    assert f"test_acc {report.test_acc:.2%}" in runs.show(run, tmp_path)
    assert page.write(run, "torch").stat().st_size < 2_000_000
