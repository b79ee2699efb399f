"""Digits drawn on the page, with a mouse and with a finger, are read by a network that has learned MNIST."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch

from curriculum.data import load
from tests.support.photos import HANDS, Stroke, smooth
from tests.support.playground import needs_browser, opened
from tests.support.recorded_network import RecordedNetwork

pytestmark = [needs_browser, pytest.mark.slow]
Place = Callable[[float, float], tuple[float, float]]


def whole(right: float, down: float) -> tuple[float, float]:
    """Large, in the middle. A share of the pad."""
    return 0.15 + 0.7 * right, 0.1 + 0.8 * down


def leaning(right: float, down: float) -> tuple[float, float]:
    """Smaller, in a corner, and slanted."""
    return 0.1 + 0.45 * right + 0.12 * (1 - down), 0.3 + 0.6 * down


# Fifty drawings: three hands, and two of them once more.
DRAWINGS = [
    (digit, hand[digit], place)
    for hand, place in [*((hand, whole) for hand in HANDS), (HANDS[0], leaning), (HANDS[1], leaning)]
    for digit in range(10)
]


@pytest.fixture(scope="module")
def page(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page with the recorded network, on a screen that can be touched."""
    said: list[str] = []
    page = opened(chromium, "digits.html", said, has_touch=True)
    model = RecordedNetwork.load().model
    file = tmp_path_factory.mktemp("weights") / "model.safetensors"
    safetensors.torch.save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()}, file
    )
    page.set_input_files("#load", file)
    page.wait_for_function("document.getElementById('status').textContent.startsWith('Weights of')")
    yield page
    page.close()
    assert said == []


def points(page: Any, stroke: Stroke, place: Place, rng: np.random.Generator) -> list[tuple[float, float]]:
    """A stroke in the window's pixels, as a hand makes it that does not meet every point."""
    pad = page.locator("#pad").bounding_box()
    shares = [place(right, down) for right, down in smooth(stroke, rng)[::8].tolist()]
    return [(pad["x"] + right * pad["width"], pad["y"] + down * pad["height"]) for right, down in shares]


def with_a_mouse(page: Any, stroke: list[tuple[float, float]]) -> None:
    page.mouse.move(*stroke[0])
    page.mouse.down()
    for point in stroke[1:]:
        page.mouse.move(*point)
    page.mouse.up()


def with_a_finger(page: Any, stroke: list[tuple[float, float]]) -> None:
    send = page.context.new_cdp_session(page).send
    send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [_touched(stroke[0])]})
    for point in stroke[1:]:
        send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [_touched(point)]})
    send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def _touched(point: tuple[float, float]) -> dict[str, float]:
    return {"x": point[0], "y": point[1]}


@pytest.mark.parametrize("draw", [with_a_mouse, with_a_finger])
def test_48_of_50_drawings_are_read(page: Any, draw: Callable[..., None]) -> None:
    assert len(DRAWINGS) == 50
    page.locator("#pad").scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    wrong = []
    for number, (digit, strokes, place) in enumerate(DRAWINGS):
        page.click("#clear")
        rng = np.random.default_rng(number)
        for stroke in strokes:
            draw(page, points(page, stroke, place, rng))
        answer = page.inner_text("#answer")
        if not answer.startswith(f"A {digit}, "):
            wrong.append((number, digit, answer))
    assert len(wrong) <= 2, wrong
    assert page.evaluate("scrollY") == before  # a finger draws, it does not scroll


def test_the_network_reads_97_of_100_digits(mnist_dir: Path) -> None:
    known = RecordedNetwork.load()
    data = load("mnist", mnist_dir)
    pixels = (data.test.x * data.std + data.mean - known.mean) / known.std
    assert (known.model(pixels).argmax(1) == data.test.target).double().mean() >= 0.97
