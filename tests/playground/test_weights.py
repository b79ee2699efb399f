"""Own weights in the page of digits: read from a run, answering as its network does, and written back."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from curriculum import UserError
from curriculum.data import load
from lessons.lesson17_mnist import SIZES, first_weights
from models.jobs.play import weights_of
from models.networks.torch_nn import MLP
from tests.support.commands import curriculum_here, refused
from tests.support.playground import assert_close, needs_browser, opened
from tests.support.recorded_network import RecordedNetwork

FILE = "model.safetensors"


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    said: list[str] = []
    page = opened(chromium, "digits.html", said)
    yield page
    page.close()
    assert said == []


def given(page: Any, folder: Path, content: bytes) -> str:
    """What the page says to a file."""
    file = folder / FILE
    file.write_bytes(content)
    page.evaluate("document.getElementById('status').textContent = ''")
    page.evaluate("document.getElementById('message').textContent = ''")
    page.set_input_files("#load", file)
    filled = "document.getElementById('message').textContent + document.getElementById('status').textContent"
    page.wait_for_function(f"({filled}) !== ''")
    return page.inner_text("#message") or page.inner_text("#status")


def saved(page: Any, folder: Path) -> bytes:
    with page.expect_download() as waited:
        page.click("#save")
    assert waited.value.suggested_filename == FILE
    waited.value.save_as(folder / "saved")
    return (folder / "saved").read_bytes()


@needs_browser
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_network_of_mnist_reads_here_as_there(page: Any, tmp_path: Path, dtype: torch.dtype) -> None:
    known = RecordedNetwork.load()
    model = known.model.to(dtype)
    content = safetensors.torch.save({name: value.contiguous() for name, value in model.state_dict().items()})
    line = given(page, tmp_path, content)
    assert line.startswith(f"Weights of {FILE}: ")
    page.fill("#scan", "7")
    shown = torch.tensor(page.evaluate("[...state.shown]"), dtype=torch.float64)
    mean, std = (float(word) for word in page.input_value("#scale").split())
    assert (mean, std) == pytest.approx((known.mean, known.std), abs=1e-7)
    logits = known.model.double()((shown[None] - mean) / std)
    wanted = logits.softmax(1)[0].tolist()
    widths = page.evaluate(
        "[...document.querySelectorAll('.bar div')].map((bar) => parseFloat(bar.style.width))"
    )
    assert_close({"p": [width / 100 for width in widths]}, {"p": wanted}, 1e-6)
    assert saved(page, tmp_path) == content


@needs_browser
def test_what_the_page_has_learned_goes_back(page: Any, tmp_path: Path) -> None:
    """Into `torch.nn`, which reads the same digits right; and into the page again."""
    page.fill("#epochs", "2")
    page.press("#epochs", "Enter")
    page.wait_for_function("!state.running && state.losses.length > 0", timeout=60_000)
    right = page.evaluate("state.accuracies.at(-1)")
    content = saved(page, tmp_path)
    model = MLP(SIZES).double()
    model.load_state_dict(safetensors.torch.load(content))
    val = load("digits").val
    found = (model(val.x.double()).argmax(1) == val.target).double().mean().item()
    assert found == pytest.approx(right, abs=1 / 250)  # the package's pixels are float32
    page.select_option("#scale", "page")
    line = given(page, tmp_path, content)
    assert line == f"Weights of {FILE}: {100 * right:.1f} % of 300 digits read right."


@needs_browser
def test_what_does_not_fit_is_one_line(page: Any, tmp_path: Path) -> None:
    right = {name: value.float() for name, value in first_weights(SIZES, 0).items()}
    small = right | {"0.weight": torch.zeros(64, 784)}
    half = right | {"4.bias": torch.zeros(10, dtype=torch.float16)}
    less = {name: value for name, value in right.items() if name != "2.bias"}
    more = right | {"6.weight": torch.zeros(2, 2)}
    whole = safetensors.torch.save(right)
    cases = {
        b"": "This is no safetensors file",
        b"PK\x03\x04 and so on": "This is no safetensors file",
        b"\x02" + 7 * b"\0" + b"[]": "The file has no 0.weight",
        whole[:5000]: "The file is not whole: the numbers of 0.weight are missing",
        safetensors.torch.save(small): "0.weight is 64×784: this page's network has 128×784",
        safetensors.torch.save(half): "4.bias is stored as F16: expected F32 or F64",
        safetensors.torch.save(less): "The file has no 2.bias",
        safetensors.torch.save(more): "The file also has 6.weight",
    }
    before = page.evaluate("[...state.model.params['4.weight'].data]")
    for content, line in cases.items():
        said = given(page, tmp_path, content)
        assert said.startswith(line)
        assert said.endswith(". Nothing was changed.")
    assert page.evaluate("[...state.model.params['4.weight'].data]") == before
    assert given(page, tmp_path, whole).startswith("Weights of")


# ---------------------------------------------------------------- curriculum play --run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of digits of one epoch."""
    folder = tmp_path_factory.mktemp("runs")
    options = ("--engine", "scratch", "--data", "digits", "--epochs", "1", "--log", "off")
    done = curriculum_here("mnist", *options, "--log-dir", str(folder))
    assert done.returncode == 0, done.stderr
    return folder


@needs_browser
@pytest.mark.skipif(os.name == "nt", reason="stops it by a signal")
@pytest.mark.slow
def test_the_command_opens_a_run(chromium: Any, runs: Path) -> None:
    command = [sys.executable, "-m", "curriculum", "play", "--no-browser", "--run", "scratch"]
    command += ["--log-dir", str(runs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[1]
        page = chromium.new_page()
        page.goto(address)
        page.wait_for_function("state.loaded")
        line = page.inner_text("#status")
        weights = page.evaluate("[...state.model.params['4.bias'].data]")
        page.close()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    (file,) = runs.rglob(FILE)
    assert line.startswith(f"Weights of {file.parent}: ")
    assert weights == safetensors.torch.load_file(file)["4.bias"].double().tolist()


def test_a_run_that_is_none_is_one_line(runs: Path) -> None:
    asked = ("play", "--no-browser", "--run", "nothing", "--log-dir", str(runs))
    assert "there is no run 'nothing'" in refused(curriculum_here(*asked))


def test_another_network_is_refused(runs: Path, tmp_path: Path) -> None:
    (file,) = runs.rglob(FILE)
    manifest = (file.parent / "manifest.json").read_text(encoding="utf-8")
    told = manifest.replace('"options": {', '"options": {"sizes": [784, 32, 10],', 1)
    (tmp_path / "manifest.json").write_text(told, encoding="utf-8")
    safetensors.torch.save_file(MLP((784, 32, 10)).state_dict(), tmp_path / FILE)
    with pytest.raises(
        UserError, match="is another network; the page shows 784–128–64–10 with ReLU, for dig"
    ):
        weights_of(str(tmp_path), runs, None)
