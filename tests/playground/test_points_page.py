"""The page of points in a browser, opened from its file: with the mouse, with keys alone, from an address."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.support.playground import POINTS, ask_node, needs_browser, needs_node, opened, texts
from tests.support.speed import fast

pytestmark = needs_browser
PAGE_OF_POINTS = "points.html"
WEIGHTS = "Object.fromEntries(Object.entries(view.session.model.params).map(([n, t]) => [n, [...t.data]]))"
PIXELS = "[...document.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL())"


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What pages say to the console, and what they ask of the world outside: nothing."""
    lines: list[str] = []
    yield lines
    assert lines == []


def step_of(page: Any) -> int:
    return page.evaluate("view.session.step")


@needs_node
def test_steps_are_those_of_the_engine(chromium: Any, said: list[str]) -> None:
    page = opened(chromium, PAGE_OF_POINTS, said)
    for _ in range(3):
        page.click("#step")
    page.click("#back")
    assert page.inner_text("#status").startswith("Step 2, epoch 0.2: loss ")
    (run,) = ask_node([{"kind": "run", "settings": {}, "actions": [["goTo", 2]]}], texts(POINTS))
    assert page.evaluate("view.session.losses") == run["losses"]
    assert page.text_content("#program") == run["torch"]
    page.close()


def test_it_plays_and_pauses(chromium: Any, said: list[str]) -> None:
    page = opened(chromium, PAGE_OF_POINTS, said)
    page.select_option("#speed", "1000")
    page.click("#play")
    page.wait_for_function("view.session.step > 150")
    page.click("#play")
    stopped = step_of(page)
    page.wait_for_timeout(200)
    assert step_of(page) == stopped
    assert page.evaluate("view.session.onAll().accuracy") > 0.6
    page.click("#reset")
    assert step_of(page) == 0
    page.close()


def test_less_motion_for_who_wants_it(chromium: Any, said: list[str]) -> None:
    page = opened(chromium, PAGE_OF_POINTS, said, reduced_motion="reduce")
    page.evaluate("show = ((old) => () => { view.shows = (view.shows || 0) + 1; old(); })(show)")
    page.click("#play")
    page.wait_for_timeout(1500)
    assert page.evaluate("view.shows") <= 3
    assert step_of(page) > 10
    page.close()


def test_a_weight_by_hand(chromium: Any, said: list[str]) -> None:
    """The gradient beside it is the next step's: plain SGD subtracts rate times gradient."""
    page = opened(chromium, PAGE_OF_POINTS, said)
    page.fill("#momentum", "0")
    page.press("#momentum", "Enter")
    page.click("#neuron-2-3")
    assert page.inner_text("#chosen") == "Weights of neuron 4 of layer 2"
    page.fill("#weight-1", "0.5")
    page.press("#weight-1", "Tab")
    gradient = page.evaluate("view.session.nextGrads()['2.weight'].data[3 * 8 + 1]")
    shown = page.locator("#weights tbody tr").nth(1).locator("td").last.inner_text()
    assert abs(float(shown) - gradient) < 1e-5
    page.click("#step")
    moved = float(page.input_value("#weight-1"))
    assert abs(moved - (0.5 - 0.1 * gradient)) < 1e-15
    page.fill("#weight-1", "")
    page.press("#weight-1", "Tab")
    assert page.inner_text("#message") == "A weight is a number. Nothing was changed."
    page.click("#undo")
    assert step_of(page) == 1
    assert page.evaluate("view.session.changes") == []
    page.close()


def test_settings(chromium: Any, said: list[str]) -> None:
    page = opened(chromium, PAGE_OF_POINTS, said)
    page.click("#step")
    page.fill("#lr", "0.5")
    page.press("#lr", "Tab")
    assert (step_of(page), page.evaluate("view.session.lr")) == (1, 0.5)
    page.select_option("#set", "three arms")
    assert (step_of(page), page.evaluate("view.session.classes")) == (0, 3)
    page.fill("#hidden", "5, 0")
    page.press("#hidden", "Tab")
    assert "Hidden layers: expected up to six numbers" in page.inner_text("#message")
    assert page.input_value("#hidden") == "8, 8"
    page.fill("#hidden", "3")
    page.press("#hidden", "Tab")
    assert page.inner_text("#message") == ""
    assert page.locator("button.neuron").count() == 6
    page.close()


def test_own_points_by_clicks_and_by_text(chromium: Any, said: list[str]) -> None:
    page = opened(chromium, PAGE_OF_POINTS, said)
    page.select_option("#pick", "2")
    page.click("#regions", position={"x": 100, "y": 50})
    points = page.evaluate("view.session.points")
    assert len(points) == 201
    assert points[-1][2] == 2
    assert page.input_value("#set") == "own"
    assert page.evaluate("view.session.classes") == 3
    page.select_option("#pick", "away")
    page.click("#regions", position={"x": 102, "y": 52})
    assert len(page.evaluate("view.session.points")) == 200
    page.click("summary:has-text('Points as text')")
    page.fill("#csv", "0, 0, one\n0.5, 0.5")
    page.click("#take")
    assert page.inner_text("#message").startswith("Line 2 is no point")
    assert len(page.evaluate("view.session.points")) == 200
    page.fill("#csv", "0, 0, one\n0.5, 0.5, two")
    page.click("#take")
    assert page.inner_text("#message") == "2 points of 2 classes: one, two."
    page.click("#tell")
    assert page.input_value("#csv") == "0, 0, 0\n0.5, 0.5, 1"
    page.close()


def test_without_a_mouse(chromium: Any, said: list[str]) -> None:
    """Tab leads to everything; keys set points, choose neurons, make steps."""
    page = opened(chromium, PAGE_OF_POINTS, said)
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    wanted = {"set", "lr", "batch", "back", "step", "play", "speed", "undo", "regions", "pick", "copy"}
    page.keyboard.press("Shift+Tab")
    assert wanted - {"back", "undo"} <= reached  # these two have nothing to do yet
    assert {"neuron-1-0", "neuron-3-1", "weight-0", "torch", "scratch"} <= reached
    page.focus("#regions")
    for key in ("ArrowRight", "ArrowUp", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    assert page.evaluate("view.session.points.at(-1)") == [0.05, 0.1, 0]
    page.keyboard.press("Delete")
    assert page.evaluate("view.session.points.length") == 200
    page.focus("#neuron-3-1")
    page.keyboard.press("Enter")
    assert page.inner_text("#chosen") == "Weights of output of class 1"
    page.focus("#step")
    page.keyboard.press("Space")
    assert step_of(page) == 1
    page.close()


def test_an_address_shows_the_same(chromium: Any, said: list[str]) -> None:
    page = opened(chromium, PAGE_OF_POINTS, said)
    page.select_option("#pick", "3")
    page.click("#regions", position={"x": 150, "y": 250})
    page.evaluate("byHand(() => view.session.goTo(37))")
    page.fill("#weight-0", "-1.5")
    page.press("#weight-0", "Tab")
    page.evaluate("byHand(() => view.session.goTo(60))")
    address = page.url.partition("points.html")[2]
    other = opened(chromium, PAGE_OF_POINTS, said, address)
    assert other.evaluate(WEIGHTS) == page.evaluate(WEIGHTS)
    assert other.evaluate(PIXELS) == page.evaluate(PIXELS)
    assert other.url == page.url
    before = other.evaluate(WEIGHTS)
    other.evaluate("(cut) => { location.hash = cut; }", address[:-20])
    other.wait_for_function("document.getElementById('message').textContent !== ''")
    assert "The address is not whole" in other.inner_text("#message")
    assert other.evaluate(WEIGHTS) == before
    cut = opened(chromium, PAGE_OF_POINTS, said, address[:-20])
    assert "The address is not whole" in cut.inner_text("#message")
    for each in (page, other, cut):
        each.close()


def test_programs_are_given(chromium: Any, said: list[str], tmp_path: Path) -> None:
    page = opened(chromium, PAGE_OF_POINTS, said)
    page.click("#step")
    for button, name in (("#torch", "points_torch.py"), ("#scratch", "points_scratch.py")):
        with page.expect_download() as waited:
            page.click(button)
        assert waited.value.suggested_filename == name
        waited.value.save_as(tmp_path / name)
        assert "STEPS = 1\n" in (tmp_path / name).read_text(encoding="utf-8")
    page.close()


@pytest.mark.parametrize("width", fast([390, 1280], 390))
@pytest.mark.parametrize("scheme", fast(["light", "dark"], "dark"))
def test_it_fits_and_is_for_everybody(chromium: Any, said: list[str], width: int, scheme: str) -> None:
    page = opened(
        chromium, PAGE_OF_POINTS, said, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    page.select_option("#set", "three arms")
    page.fill("#hidden", "8, 8, 8")
    page.press("#hidden", "Tab")
    page.evaluate("byHand(() => view.session.goTo(700))")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []
    faults = Axe().run(page).response["violations"]
    assert [fault["id"] for fault in faults] == []
    said.clear()  # axe looks for the style sheet where a file may not
    if os.environ.get("PLAYGROUND_PICTURES"):
        name = f"{os.environ['PLAYGROUND_PICTURES']}/points-{width}-{scheme}.png"
        page.screenshot(path=name, full_page=True)
    page.close()
