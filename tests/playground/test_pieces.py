"""The live pieces of the lessons: their numbers are the lessons', keys reach all, every marker has one."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe

from curriculum.discover import FOLDER
from lessons.lesson07_descent import SGD
from lessons.lesson08_backprop import by_hand, example
from lessons.lesson12_optimizers import Adam, MomentumSGD, walk
from tests.support.playground import PAGE, assert_close, flat, needs_browser, opened
from tests.support.speed import fast

SOURCE = (PAGE / "pieces.js").read_text(encoding="utf-8")
NAMES = re.findall(r"^  (\w+): \w+Piece,$", SOURCE, flags=re.MULTILINE)
MARKER = re.compile(r"^# <!-- piece: (\w+) -->$", re.MULTILINE)


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    said: list[str] = []
    page = opened(chromium, "pieces.html", said)
    yield page
    page.close()
    assert said == []


class Piece:
    """One piece on the page, used by its names: as somebody who hears the page does."""

    def __init__(self, page: Any, name: str) -> None:
        self.page = page
        self.box = page.locator(f"[data-piece={name}]")

    def press(self, words: str, times: int = 1) -> None:
        """With the keyboard."""
        button = self.box.get_by_role("button", name=words, exact=True)
        for _ in range(times):
            button.press("Enter")

    def move(self, name: str, keys: str, times: int = 1) -> None:
        for _ in range(times):
            self.box.get_by_role("slider", name=name).press(keys)

    def row(self, name: str) -> list[str]:
        row = self.box.get_by_role("row").filter(
            has=self.page.get_by_role("rowheader", name=name, exact=True)
        )
        return row.locator("td").all_inner_texts()

    def state(self, script: str) -> Any:
        return self.box.evaluate(f"(box) => {{ const piece = box.piece; return {script}; }}")


def test_every_marker_has_its_piece() -> None:
    """And stands by itself between empty lines, as the site needs it."""
    marked = {}
    for path in sorted(FOLDER.glob("lesson*.py")):
        text = path.read_text(encoding="utf-8")
        for name in MARKER.findall(text):
            marked[name] = path.name
            assert f"#\n# <!-- piece: {name} -->\n#\n" in text
        assert text.count("<!-- piece") == len(MARKER.findall(text))
    assert marked.keys() <= set(NAMES)
    assert len(NAMES) == 6
    assert marked.keys() >= {"neuron", "slope", "gradients", "batches", "optimizers"}
    page = (PAGE / "pieces.html").read_text(encoding="utf-8")
    assert re.findall(r'data-piece="(\w+)"', page) == NAMES


@needs_browser
def test_the_neuron_is_the_papers(page: Any) -> None:
    piece = Piece(page, "neuron")
    assert piece.row("weight of the stars") == ["0.9", "−0.24"]
    assert piece.row("weight of the year") == ["−0.4", "−0.15"]
    assert piece.row("bias") == ["0.1", "−0.3"]
    assert (piece.row("guess"), piece.row("loss")[0]) == (["0.62", "−0.3"], "0.0225")
    piece.press("One step")
    assert piece.row("guess")[0] == "0.6767"
    piece.press("Begin again")
    piece.move("learning rate", "End")
    assert piece.row("weight of the stars")[0] == "0.9"
    piece.box.get_by_role("checkbox").press("Space")
    assert piece.row("guess")[0] == "0.6502"


@needs_browser
def test_the_line_bends_by_hand_and_by_descent(page: Any) -> None:
    piece = Piece(page, "bend")
    loss = piece.state("piece.loss")
    piece.press("100 steps of descent", 20)
    assert piece.state("piece.loss") < loss / 20
    piece.press("Begin again")
    assert piece.state("piece.loss") == loss
    piece.move("neuron 2 adds slope", "ArrowRight", 4)
    assert piece.state("piece.loss") != loss


@needs_browser
def test_the_slope_and_the_step_are_the_papers(page: Any) -> None:
    piece = Piece(page, "slope")
    assert piece.row("slope 2w (yellow)") == ["8"]
    assert piece.row("by the nudge (orange)") == ["9"]
    piece.press("One step", 3)
    assert piece.state("piece.trail.concat(piece.w)") == pytest.approx([4, 3.2, 2.56, 2.048], abs=1e-15)
    piece.move("nudge", "Home")
    assert abs(piece.state("piece.quotient - piece.slope")) == pytest.approx(0.001, abs=1e-9)
    piece.press("Begin again")
    piece.move("learning rate", "End")
    piece.press("One step", 2)
    assert piece.state("piece.w") == pytest.approx(4 * 1.2**2)  # beyond the slider's end


@needs_browser
def test_gradients_are_the_lessons(page: Any) -> None:
    piece = Piece(page, "gradients")
    given = {name: value.double() for name, value in example().items()}
    wanted = by_hand(given)
    found = piece.state(
        "({z: piece.values.sums.data, h: piece.values.hidden.data, y: piece.values.y.data,"
        " grad_y: piece.grads.y.data, grad_h: piece.grads.hidden.data, grad_z: piece.grads.sums.data,"
        " grad_x: piece.grads.x.data, grad_weight1: piece.model.grads['0.weight'].data,"
        " grad_bias1: piece.model.grads['0.bias'].data, grad_weight2: piece.model.grads['2.weight'].data,"
        " grad_bias2: piece.model.grads['2.bias'].data, loss: [piece.values.loss]})"
    )
    listed = {
        name: list(value.values()) if isinstance(value, dict) else value for name, value in found.items()
    }
    assert_close(listed, flat({name: value.flatten() for name, value in wanted.items()}))
    texts = "[...box.querySelectorAll('svg text')].map((text) => text.textContent)"
    assert "17.25" not in piece.state(texts)
    piece.press("Next", 8)
    assert {"−7.5", "17.25", "12", "−4.5"} <= set(piece.state(texts))
    assert piece.box.get_by_role("button", name="Next").is_disabled()
    piece.move("x₁", "End")  # the second sum falls below zero, and nothing comes back through it
    assert piece.state("[piece.values.sums.data[1], piece.grads.sums.data[1]]") == [-0.5, 0]
    piece.press("Begin again")
    before = piece.state("piece.values.loss")
    piece.press("One step, rate 0.01")
    assert piece.state("piece.values.loss") < before


@needs_browser
def test_batches_race(page: Any) -> None:
    piece = Piece(page, "batches")
    piece.press("One epoch")
    steps = [int(row.locator("td").first.inner_text()) for row in piece.box.locator("tr").all()[1:]]
    assert steps == [200, 25, 7, 1]
    losses = piece.state("piece.lanes.map((lane) => lane.losses.at(-1))")
    assert losses[0] < losses[2] < losses[3]
    piece.press("Ten epochs")
    assert piece.state("piece.epochs") == 11
    piece.move("seed", "ArrowRight")
    assert piece.state("piece.epochs") == 0


@needs_browser
def test_optimisers_go_the_lessons_way(page: Any) -> None:
    piece = Piece(page, "optimizers")
    piece.press("Ten steps", 5)
    kinds = (partial(SGD, lr=0.0178), partial(MomentumSGD, lr=0.0316, momentum=0.9), partial(Adam, lr=1.0))
    curvature = torch.tensor([[1.0, 0.0], [0.0, 100.0]], dtype=torch.float64)
    start = torch.tensor([4.0, 1.0], dtype=torch.float64)
    paths = piece.state("piece.walkers.map((walker) => walker.path.flat())")
    for path, kind in zip(paths, kinds, strict=True):
        assert_close({"path": path}, {"path": walk(kind, curvature, start, 50).flatten().tolist()})


@needs_browser
@pytest.mark.parametrize("width", fast([390, 1280], 390))
@pytest.mark.parametrize("scheme", fast(["light", "dark"], "dark"))
def test_they_fit_and_are_for_everybody(chromium: Any, width: int, scheme: str) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto((PAGE / "pieces.html").as_uri())
    for words in ("All", "Ten epochs", "Ten steps", "100 steps of descent"):
        page.get_by_role("button", name=words, exact=True).click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [fault["id"] for fault in Axe().run(page).response["violations"]] == []
    page.close()


@needs_browser
def test_without_javascript_nothing_is_missing(chromium: Any) -> None:
    page = chromium.new_page(java_script_enabled=False)
    page.goto((PAGE / "pieces.html").as_uri())
    assert not any(piece.is_visible() for piece in page.locator(".piece").all())
    page.close()
