"""Runs the page's files in node and in headless Chromium, and compares what they answer."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.commands import ROOT

PAGE = ROOT / "curriculum" / "playground"
HARNESS = Path(__file__).with_suffix(".js")
ENGINE = ("random.js", "engine.js")
ALL = (*ENGINE, "digits_data.js", "bundled.js", "prepare.js")
POINTS = (*ENGINE, "points.js", "session.js", "export.js")
NODE = shutil.which("node") or shutil.which("nodejs")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_node = pytest.mark.skipif(NODE is None, reason="needs node: apt-get install nodejs")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
BROWSER = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

# As the page's own tags load them: scripts of one realm, read one after the other.
IN_NODE = """
const vm = require("node:vm");
const { sources, asked } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
sources.forEach((source) => vm.runInThisContext(source));
process.stdout.write(vm.runInThisContext("answerAll")(asked));
"""

Ask = Callable[[Sequence[Mapping[str, Any]]], list[Any]]


def texts(names: Sequence[str] = ENGINE) -> list[str]:
    return [(PAGE / name).read_text(encoding="utf-8") for name in names]


def ask_node(questions: Sequence[Mapping[str, Any]], sources: Sequence[str] | None = None) -> list[Any]:
    """What the files answer, or the texts that are given instead of them."""
    assert NODE is not None
    everything = [*(texts() if sources is None else sources), HARNESS.read_text(encoding="utf-8")]
    given = json.dumps({"sources": everything, "asked": json.dumps(questions)})
    done = subprocess.run([NODE, "-e", IN_NODE], input=given, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER)
        yield started
        started.close()


def opened(chromium: Any, name: str, said: list[str], address: str = "", **options: Any) -> Any:
    """A page, opened from its file. `said` fills with what it tells the console or asks of the world."""
    page = chromium.new_page(**options)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: None if _is_inside(request.url) else said.append(request.url))
    page.goto((PAGE / name).as_uri() + address)
    return page


def _is_inside(address: str) -> bool:
    return address.startswith(("file:", "data:", "blob:"))


def ask_browser(page: Any, folder: Path, questions: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The same on a page of its own that is opened from a file."""
    tags = [f'<script src="{(PAGE / name).as_uri()}"></script>' for name in ALL]
    tags.append(f'<script src="{HARNESS.as_uri()}"></script>')
    file = folder / "engine.html"
    file.write_text(f'<!doctype html><meta charset="utf-8">{"".join(tags)}', encoding="utf-8")
    page.goto(file.as_uri())
    return json.loads(page.evaluate("answerAll", json.dumps(questions)))


def sent(tensor: Tensor) -> dict[str, Any]:
    """A tensor as the questions carry it."""
    return {"shape": list(tensor.shape), "data": tensor.double().flatten().tolist()}


def flat(values: Mapping[str, Any]) -> dict[str, list[float]]:
    return {name: torch.as_tensor(value).double().flatten().tolist() for name, value in values.items()}


def assert_close(ours: Mapping[str, Any], theirs: Mapping[str, Any], tolerance: float = 1e-12) -> float:
    """Same names, same counts, and apart by no more than `tolerance`, relative where numbers exceed 1.

    Returns the largest difference.
    """
    assert ours.keys() == theirs.keys()
    largest = 0.0
    for name, expected in theirs.items():
        found = np.asarray(ours[name], dtype=np.float64)
        wanted = np.asarray(expected, dtype=np.float64)
        assert found.shape == wanted.shape, name
        apart = np.abs(found - wanted) / np.maximum(np.abs(wanted), 1)
        assert (apart <= tolerance).all(), (name, float(apart.max()))
        largest = max(largest, float(apart.max(initial=0)))
    return largest
