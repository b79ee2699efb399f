"""`curriculum read`: who reads, how many photographs are read right, and what the user gets to see."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from curriculum import UserError
from curriculum.data import load
from curriculum.picture import Prepared, prepare
from curriculum.runs.events import EventLog
from models.jobs import read, read_page
from models.jobs.reader import Reader, best_at_hand, of_run, trained
from models.jobs.reading import Reading, Symbol
from models.lightning import cli as fit
from models.networks.novelty import Novelty
from models.records.folder import RunFolder
from tests.support.commands import curriculum_here
from tests.support.photos import Photo, digit_photos, other_photos
from tests.support.recorded_network import RecordedNetwork

# Never looked at while anything was chosen.
DIGITS_SEED, OTHERS_SEED = 510_000, 560_000


def largest(photo: Photo) -> Prepared:
    """The one symbol of a photograph; of more, the largest."""
    found = prepare(photo.image.convert("L"))
    return max(found, key=lambda prepared: float(prepared.ink.sum()))


def stacked(photos: list[Photo]) -> torch.Tensor:
    """(count, 28, 28)."""
    return torch.tensor(np.stack([largest(photo).digit for photo in photos]), dtype=torch.float32)


@pytest.fixture(scope="module")
def digits() -> list[Photo]:
    return digit_photos(60, DIGITS_SEED)


@pytest.fixture(scope="module")
def others() -> list[Photo]:
    return other_photos(40, OTHERS_SEED)


@pytest.fixture(scope="module")
def offline_reader() -> Reader:
    """The bundled digits, learned."""
    data = load("digits")
    return Reader("for tests", trained(data).forward, data)


# ---------------------------------------------------------------- how many are read right


@pytest.mark.slow
def test_sixty_photographs_by_the_recorded_network(digits: list[Photo]) -> None:
    answers = RecordedNetwork.load().answers(stacked(digits))
    right = sum(answer == photo.digit for answer, photo in zip(answers, digits, strict=True))
    assert right >= 57


@pytest.mark.slow
def test_photographs_of_digits_and_of_none(mnist_dir: Path, digits: list[Photo], others: list[Photo]) -> None:
    data = load("mnist", mnist_dir)
    by = Reader("for tests", trained(data).forward, data)
    assert by.val_acc() >= 0.975
    pictures = {Path(f"digit{index}"): [largest(photo)] for index, photo in enumerate(digits)}
    pictures |= {Path(f"other{index}"): [largest(photo)] for index, photo in enumerate(others)}
    symbols = [reading.symbols[0] for reading in read.read(pictures, by)]
    right = sum(symbol.answer == photo.digit for symbol, photo in zip(symbols[:60], digits, strict=True))
    assert right >= 57
    assert sum(symbol.is_strange for symbol in symbols[60:]) >= 36
    assert sum(symbol.is_strange for symbol in symbols[:60]) <= 2


def test_noise_is_no_digit(offline_reader: Reader) -> None:
    data = offline_reader.data
    novelty = Novelty.fit(offline_reader.logits, data)
    noise = torch.rand(20, 784, generator=torch.Generator().manual_seed(0))
    assert (novelty.scores(noise) > novelty.limit).all()
    held_out = novelty.scores(data.images(data.test.x).flatten(1)) > novelty.limit
    assert held_out.float().mean() < 0.2  # 8 of 100 are meant to be


# ---------------------------------------------------------------- who reads


def finished(folder: Path, **changes: object) -> RunFolder:
    """A run of `mnist` on the bundled digits, as far as reading looks at one."""
    manifest = {
        "job": "mnist", "data": "scikit-learn digits", "threads": 1, "begun": "2026-01-01",
        "options": {"engine": "scratch"},
    } | changes  # fmt: skip
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    run = RunFolder(folder)
    run.finish(RecordedNetwork.load().model.state_dict(), {"val_acc": 0.9})
    return run


def test_the_newest_finished_run_reads(tmp_path: Path) -> None:
    finished(tmp_path / "mnist" / "scratch" / "version_0", begun="2026-01-02")
    finished(tmp_path / "mnist" / "scratch" / "version_1", begun="2026-01-03")
    finished(tmp_path / "mnist" / "scratch" / "version_2", begun="2026-01-01")
    finished(tmp_path / "mnist" / "scratch" / "version_3", begun="2026-01-04").report.unlink()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "manifest.json").write_text("{")
    said: list[str] = []
    assert best_at_hand(None, tmp_path, None, said.append).name.endswith("version_1")
    assert not said
    assert best_at_hand("version_2", tmp_path / "mnist" / "scratch", None, said.append).name.endswith("2")


def test_a_run_that_cannot_read_is_passed_over(tmp_path: Path) -> None:
    finished(tmp_path / "good")
    finished(tmp_path / "narrow", begun="2027", options={"sizes": [64, 10]})
    finished(tmp_path / "own", begun="2028", options={"engine": "mine", "mine": str(tmp_path / "gone.py")})
    finished(tmp_path / "wide", begun="2029", options={"sizes": [784, 5, 10]})
    finished(tmp_path / "other", begun="2030", data="Fashion-MNIST")
    said: list[str] = []
    assert best_at_hand(None, tmp_path, None, said.append).name == str(tmp_path / "good")
    for line, word in zip(said, ("Fashion-MNIST", "does not fit", "gone.py", "64 pixels"), strict=True):
        assert word in line
        assert line.startswith("passed over: ")
    with pytest.raises(UserError, match="Fashion-MNIST"):
        best_at_hand("other", tmp_path, None, said.append)


def test_a_run_of_fit_reads_as_it_validated(tmp_path: Path) -> None:
    """Other sizes, activation, batch norm, dropout, pixels from 0 to 1: the same share of digits right."""
    options = "--model.sizes=[784,40,30,10] --model.activation=tanh --model.batch_norm=true"
    options += " --model.dropout=0.1 --model.input_dropout=0.1 --model.normalize=false"
    options += " --data.dataset=digits --trainer.max_epochs=3 --trainer.enable_progress_bar=false"
    folder = fit.main(["fit", *options.split(), f"--log_dir={tmp_path}"])
    assert folder is not None
    report = json.loads((folder / "report.json").read_text())
    assert of_run(RunFolder(folder), None).val_acc() == pytest.approx(report["val_acc"], abs=1e-6)


# ---------------------------------------------------------------- what the user gets to see


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with a run and with pictures, good ones and others."""
    finished(tmp_path / "runs" / "mnist" / "torch" / "version_0")
    for photo in digit_photos(3, 1_000):
        photo.image.save(tmp_path / f"{photo.what}.jpg")
    (tmp_path / "text.png").write_text("no picture")
    Image.new("L", (1, 1)).save(tmp_path / "pixel.png")
    return tmp_path


def test_read(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in photos.glob("*.*")}
    done = curriculum_here("read", "1.jpg", "2.jpg")
    assert done.returncode == 0
    assert "network: runs/mnist/torch/version_0 · learned from scikit-learn digits · " in done.stdout
    assert re.search(r"^1\.jpg: \d\??$", done.stdout, re.MULTILINE)
    assert done.stdout.count("second guess") == 2
    assert "8×8 pixels only" in done.stderr
    folder = Path("runs/read/version_0")
    assert list(EventLog.read(folder).images) == ["read"]
    assert (folder / "read.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "read.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 8
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before


def test_the_good_ones_are_read_and_the_others_named(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    done = curriculum_here("read", "none.png", "1.jpg", "text.png", "pixel.png", ".", "--json")
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line.startswith("curriculum: ")]
    for line, word in zip(
        lines, ("no picture none.png", "text.png", "nothing on pixel.png", "directory"), strict=True
    ):
        assert word in line
    report = json.loads(done.stdout)
    assert [picture["picture"] for picture in report["pictures"]] == ["1.jpg"]
    (symbol,) = report["pictures"][0]["symbols"]
    assert sum(symbol["probabilities"]) == pytest.approx(1)
    assert symbol["answer"] != symbol["second"]


def test_errors_and_help_come_before_torch(tmp_path: Path) -> None:
    script = "import sys\nfrom curriculum.cli.main import main\ntry:\n    main(sys.argv[1:])\nfinally:\n"
    script += "    assert 'torch' not in sys.modules"
    for arguments, code in ((["read", "--help"], 0), (["read", "gone.png"], 2)):
        done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr


def symbol_of(probabilities: list[float], is_strange: bool = False) -> Symbol:
    image = Image.new("L", (100, 100), "white")
    image.paste("black", (40, 20, 60, 80))
    return Symbol(prepare(image)[0], probabilities, is_strange)


@pytest.mark.parametrize("width", [30, 50, 80, 200])
@pytest.mark.parametrize("unicode", [True, False])
def test_it_fits_the_terminal(width: int, unicode: bool) -> None:
    shares = [0.9, 0.05, 0.05, *7 * [0.0]]
    lines = list(Reading(Path("a.png"), [symbol_of(shares)]).lines(width, unicode))
    drawn = [line for line in lines if "second guess" not in line]
    assert max(map(len, drawn)) <= width
    assert unicode or all(line.isascii() for line in lines)
    for digit in range(10):
        assert any(re.search(rf"(^|\s){digit} .*%$", line) for line in drawn), digit


def test_the_verdict_in_words() -> None:
    shares = [0.0, 0.2, 0.7, 0.1, *6 * [0.0]]
    assert symbol_of(shares).verdict == "2 (70.0%), second guess 1 (20.0%)"
    assert symbol_of(shares, True).verdict.endswith(": this may be no digit")
    assert Reading(Path("a"), [symbol_of(shares), symbol_of(shares, True)]).answers == "2 2?"


def test_names_of_files_steer_nothing() -> None:
    reading = Reading(Path("<b>\x1b[31m.png"), [symbol_of([0.1] * 10)])
    assert "\x1b" not in "".join(reading.lines(80, True))
    assert "<b>" not in read_page.html([reading], "network <i>")
    assert "<i>" not in read_page.html([reading], "network <i>")
