"""What `curriculum play` serves beside the page, MNIST, is learned as PyTorch learns it, and trained on."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from curriculum import UserError
from curriculum.data import Data, load
from curriculum.playground import mnist
from curriculum.playground.server import ADDRESS, MNIST, server
from lessons.lesson17_mnist import SIZES, TorchMLP, first_weights, minibatches
from tests.support.playground import PAGE, assert_close, flat, needs_browser

STEPS = 12  # an epoch of 360 digits in batches of 32


@pytest.fixture
def double() -> Iterator[None]:
    """As the page computes."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@contextmanager
def served(make: Callable[[], bytes]) -> Iterator[str]:
    """The address of the page, where `make` says what it gets for MNIST."""
    with server({MNIST: make}) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield f"http://{ADDRESS}:{serving.server_port}/digits.html#mnist=1"
        serving.shutdown()


def digits_as_mnist(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The bundled digits under the name of MNIST, and fewer of them."""
    monkeypatch.setattr(mnist, "TRAIN", 360)
    monkeypatch.setattr(mnist, "VAL", 40)
    monkeypatch.setattr("curriculum.data.load", lambda which, folder: load("digits"))
    return mnist.as_json(None)


def by_torch(data: Data, model: torch.nn.Module) -> list[float]:
    """The losses of an epoch."""
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    losses = []
    for rows in minibatches(360, 32, torch.Generator().manual_seed(0)):
        x = ((data.train.x[rows] * data.std + data.mean) * 255).round() / 255
        loss = torch.nn.functional.cross_entropy(model((x - data.mean) / data.std), data.train.target[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def learn(page: Any, button: str) -> list[float]:
    page.fill("#epochs", "1")
    page.get_by_role("button", name=button).click()
    page.wait_for_function(f"!state.running && state.losses.length === {STEPS}", timeout=60_000)
    losses: list[float] = page.evaluate("state.losses")
    return losses


@needs_browser
@pytest.mark.usefixtures("double")
def test_what_is_served_is_learned_as_torch_does_and_trained_on(
    chromium: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = digits_as_mnist(monkeypatch)
    said: list[str] = []
    with served(lambda: content) as address:
        page = chromium.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        page.select_option("#digits", "mnist")
        page.wait_for_function("state.digits.sizes[0] === 360")
        assert page.inner_text("#status") == "360 digits to learn from, 40 to read."
        page.fill("#scan", "40")
        assert page.inner_text("#answer") == "There are scans 0 to 39."
        data = load("digits")
        model = TorchMLP(SIZES)
        model.load_state_dict(first_weights(SIZES, 0))
        assert_close({"losses": learn(page, "Start anew")}, {"losses": by_torch(data, model)}, 1e-11)
        assert page.locator("#train-on").is_disabled()
        with page.expect_download() as waited:
            page.click("#save")
        waited.value.save_as(tmp_path / "saved.safetensors")
        page.select_option("#scale", "page")
        page.set_input_files("#load", tmp_path / "saved.safetensors")
        page.wait_for_function("!document.getElementById('train-on').disabled")
        assert_close({"losses": learn(page, "Train on")}, {"losses": by_torch(data, model)}, 1e-11)
        ours = page.evaluate(
            "Object.fromEntries(Object.entries(state.model.params).map(([n, t]) => [n, [...t.data]]))"
        )
        theirs = {name: value.detach() for name, value in model.named_parameters()}
        assert_close(ours, flat(theirs), 1e-11)
        page.close()
    assert said == []


@needs_browser
def test_what_cannot_be_served_any_more_is_one_line(chromium: Any) -> None:
    def damaged() -> bytes:
        raise UserError("train-images is damaged")

    with served(damaged) as address:
        page = chromium.new_page()
        page.goto(address)
        page.select_option("#digits", "mnist")
        page.wait_for_function("document.getElementById('digits').value === 'page'")
        assert page.inner_text("#status").startswith("MNIST cannot be read any more; ")
        assert page.evaluate("state.digits.sizes[0]") == 1197
        page.close()


@needs_browser
def test_from_a_file_there_is_nothing_to_choose(chromium: Any) -> None:
    page = chromium.new_page()
    page.goto((PAGE / "digits.html").as_uri() + "#mnist=1")
    assert not page.locator("#digits").is_visible()
    page.close()


def test_its_pixels_are_those_of_the_files(mnist_dir: Path) -> None:
    facts = json.loads(mnist.as_json(mnist_dir))
    data = load("mnist", mnist_dir)
    assert (facts["mean"], facts["std"]) == (data.mean, data.std)
    assert facts["sizes"] == [mnist.TRAIN, mnist.VAL]
    pixels = torch.frombuffer(bytearray(base64.b64decode(facts["pixels"])), dtype=torch.uint8).view(-1, 784)
    again = (pixels / 255 - data.mean) / data.std
    torch.testing.assert_close(again[: mnist.TRAIN], data.train.x[: mnist.TRAIN])
    torch.testing.assert_close(again[mnist.TRAIN :], data.val.x[: mnist.VAL])
    target = bytearray(base64.b64decode(facts["target"]))
    assert list(target[mnist.TRAIN :]) == data.val.target[: mnist.VAL].tolist()
