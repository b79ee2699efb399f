"""A run as a page: whole, safe, sufficient to itself."""

import base64
import json
import math
import os
import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from torch.utils.tensorboard import SummaryWriter

from curriculum import UserError
from curriculum.runs import page
from curriculum.runs.events import EventLog
from curriculum.runs.facts import BREAKS_OFF, RecordedRun
from tests.support.commands import ROOT
from tests.support.runs import NASTY, event_file, recorded, write


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


@pytest.fixture(scope="module")
def text(full: Path) -> str:
    """The page of the run that has something of every kind."""
    return page.html(recorded(full))


def test_everything_from_files_is_escaped(own: Path) -> None:
    with SummaryWriter(str(own), filename_suffix=".nasty") as writer:
        for step in (40, 41):
            writer.add_scalar(f'{NASTY}/"a" onload="x', step, step)
            writer.add_scalar(NASTY, step, step)
            writer.add_scalar("group/<script>", step, step)
            writer.add_scalar("group/other", step, step)
            writer.add_image(f'"{NASTY}', torch.zeros(1, 2, 2), step)
        writer.add_text(NASTY, NASTY)
    (own / "config.yaml").write_text(f"lr: {NASTY}")
    (own / "report.json").write_text(json.dumps({NASTY: NASTY}))
    name = f"fit/{NASTY} $name {{{{ name }}}}"
    read = Reader(page.html(RecordedRun.read(own, name)))
    assert not read.all("script")
    assert not [name for _, attributes in read.elements for name in attributes if name.startswith("on")]
    assert sum(NASTY in word for word in read.words) >= 9
    assert name in read.words


def test_no_value_is_marked_as_safe() -> None:
    """Else escaping would depend on each place where a value is made."""
    source = Path(page.__file__).read_text(encoding="utf-8")
    template = Path(page.__file__).with_name("page.html").read_text(encoding="utf-8")
    assert "autoescape=True" in source
    assert "Markup" not in source
    assert not re.search(r"\|\s*safe|autoescape", template)


def test_the_page_needs_nothing_from_elsewhere(text: str) -> None:
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


def test_the_last_pictures_are_in_the_page(full: Path, text: str) -> None:
    (image,) = Reader(text).all("img")
    assert image["alt"] == "answers at step 29"
    encoded = (image["src"] or "").partition(",")[2]
    assert base64.b64decode(encoded) == EventLog.read(full).images["answers"][-1].encoded


def test_charts_one_per_tag_and_one_per_prefix(text: str) -> None:
    read = Reader(text)
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


def test_curves_and_their_legend_have_the_same_colours(text: str) -> None:
    read = Reader(text)
    drawn = [line["class"] for line in read.all("polyline")]
    keys = [line["class"] for line in read.all("line") if line["class"] != "rule"]
    assert (drawn, keys) == (["s0", "s0", "s0", "s1"], ["s0", "s1"])
    assert f".s1 {{ stroke: {page.COLOURS[1]}; stroke-dasharray: none; }}" in text
    assert len(re.findall(r"^\.s\d+ ", text, re.MULTILINE)) == len(page.COLOURS) * len(page.DASHES)


def test_numbers_stand_beside_the_axes(text: str) -> None:
    """Of train_loss: values from 0 to 2, steps from 0 to 29."""
    chart = text.partition('aria-label="train_loss"')[2].partition("</svg>")[0]
    marks = re.findall(r'<text class="(.)" x="([\d.]+)" y="([\d.]+)">(.*)</text>', chart)
    assert [text for axis, _, _, text in marks if axis == "y"] == ["0", "0.5", "1", "1.5", "2"]
    assert [text for axis, _, _, text in marks if axis == "x"] == ["0", "10", "20"]
    heights = [float(y) for axis, _, y, _ in marks if axis == "y"]
    assert heights == sorted(heights, reverse=True)


def test_a_chart_without_finite_values_says_so(tmp_path: Path) -> None:
    text = page.html(recorded(write(tmp_path, [math.nan, math.nan])))
    assert "No finite value" in text
    assert not Reader(text).all("polyline")


def test_the_page_says_results_facts_and_texts(text: str) -> None:
    words = Reader(text).words
    for expected in ("96.67%", "50.00%", "0.06667 at step 29", "sgd", f"second {NASTY}"):
        assert expected in words
    assert any("max_epochs: 3" in word for word in words)
    assert any("TensorBoard: histograms (1)" in word for word in words)
    assert "val_acc" in words
    assert "epoch" not in words  # Lightning's count of epochs says nothing


def test_what_is_of_the_machine_stays_off_the_page(own: Path) -> None:
    """A page is mailed to others."""
    known = {"command": ["curriculum", "--log-dir", "/home/me/runs"], "options": {"log_dir": "/home/me/runs"}}
    (own / "manifest.json").write_text(json.dumps(known | {"machine": "of me", "device": "cpu"}))
    (own / "report.json").write_text(json.dumps({"folder": "/home/me/runs/fit/version_0"}))
    text = page.html(recorded(own))
    assert "<th>device</th>" in text
    assert "/home/me" not in text
    assert "of me" not in text


def test_a_log_that_breaks_off_is_told(own: Path, text: str) -> None:
    assert BREAKS_OFF not in text
    file = event_file(own)
    file.write_bytes(file.read_bytes()[:-1])
    assert BREAKS_OFF in page.html(recorded(own))


def test_long_curves_are_thinned_and_keep_their_spikes() -> None:
    line = [(step, math.sin(step)) for step in range(20_000)]
    line[4_321] = (4_321, 9.0)
    line[17_777] = (17_777, -9.0)
    thinned = page._thinned(line)
    assert len(thinned) <= 2 * page.BUCKETS + 2
    assert {line[0], line[-1], line[4_321], line[17_777]} <= set(thinned)
    assert thinned == sorted(thinned)
    assert set(thinned) <= set(line)
    assert page._thinned(line[:800]) == line[:800]


def test_the_page_is_written_whole_or_not_at_all(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = page.write(recorded(own))
    assert path == own / "run.html"
    before = path.read_text(encoding="utf-8")
    assert before == page.html(recorded(own))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match="No space left"):
        page.write(RecordedRun.read(own, "another"))
    assert path.read_text(encoding="utf-8") == before
    assert not [name for name in os.listdir(own) if name.startswith(".run")]


def test_the_template_is_installed_with_the_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    installed = settings["tool"]["setuptools"]["package-data"]["curriculum.runs"]
    beside = [path.name for path in Path(page.__file__).parent.iterdir() if path.is_file()]
    assert [name for name in beside if not name.endswith(".py")] == installed
