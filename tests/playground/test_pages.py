"""The page in a browser, opened from its file: it learns what the lessons learn, and reads what is drawn."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.support.playground import (
    ALL,
    ask_node,
    assert_close,
    needs_browser,
    needs_node,
    opened,
    texts,
)
from tests.support.speed import fast

SETTINGS = {"lr": 0.05, "batchSize": 32, "seed": 0, "epochs": 3}


def learn(page: Any) -> None:
    page.fill("#epochs", str(SETTINGS["epochs"]))
    page.press("#epochs", "Enter")  # no mouse
    page.wait_for_function("!state.running && state.losses.length > 0", timeout=60_000)


@needs_browser
@needs_node
def test_it_learns_live_as_the_engine_does(chromium: Any) -> None:
    said: list[str] = []
    page = opened(chromium, "digits.html", said)
    learn(page)
    (run,) = ask_node([{"kind": "digits", "sizes": [784, 128, 64, 10], **SETTINGS}], texts(ALL))
    assert_close({"losses": page.evaluate("state.losses")}, {"losses": run["losses"]})
    assert re.search(r"Epoch 3, loss 0\.\d+, \d\d\.\d %", page.inner_text("#status"))
    page.fill("#scan", "7")
    assert page.locator(".bar").count() == 10
    assert page.inner_text("#answer").startswith("A ")
    page.fill("#scan", "300")
    assert page.inner_text("#answer") == "There are scans 0 to 299."
    page.close()
    assert said == []


@needs_browser
def test_a_drawn_one_is_read(chromium: Any) -> None:
    said: list[str] = []
    page = opened(chromium, "digits.html", said)
    learn(page)
    box = page.locator("#pad").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 195, box["y"] + 240, steps=8)
    page.mouse.up()
    assert page.inner_text("#answer").startswith("A 1")
    page.click("#clear")
    assert page.evaluate("state.shown") is None
    assert said == []
    page.close()


@needs_browser
@pytest.mark.parametrize("width", fast([390, 1280], 390))
@pytest.mark.parametrize("scheme", fast(["light", "dark"], "dark"))
def test_it_fits(chromium: Any, width: int, scheme: str) -> None:
    said: list[str] = []
    size = {"width": width, "height": 900}
    page = opened(chromium, "digits.html", said, viewport=size, color_scheme=scheme)
    learn(page)
    page.fill("#scan", "7")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if os.environ.get("PLAYGROUND_PICTURES"):
        page.screenshot(path=f"{os.environ['PLAYGROUND_PICTURES']}/{width}-{scheme}.png", full_page=True)
    assert said == []
    assert [fault["id"] for fault in Axe().run(page).response["violations"]] == []
    page.close()


@pytest.mark.skipif(os.name == "nt", reason="stops it by a signal")
def test_the_command_serves_it_to_this_machine() -> None:
    command = [sys.executable, "-m", "curriculum", "play", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().split()[1]
            assert address.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(address) as answer:
                assert b"A network learns to read digits" in answer.read()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        finally:
            process.kill()  # where a shell has made it deaf to Ctrl-C
    assert process.returncode == 130
