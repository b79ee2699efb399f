"""Runs on points: steps forwards and back, changes by hand, the address, the programs that repeat a run."""

import contextlib
import io
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.commands import ROOT
from tests.support.playground import POINTS, ask_node, assert_close, flat, needs_node, texts

pytestmark = needs_node
OWN = [[0.5, -0.25, 0], [-0.125, 1, 1], [0, 0, 2], [-1, -0.5, 1], [0.3, 0.3, 2]]
LOSSES = ("CrossEntropyLoss", "MSELoss", "BCEWithLogitsLoss")
ACTIVATIONS = ("Tanh", "ReLU", "Sigmoid", "GELU")
OPTIMIZERS: tuple[dict[str, Any], ...] = (
    {"optimizer": "SGD", "momentum": 0, "lr": 0.3},
    {"optimizer": "SGD", "momentum": 0.9, "lr": 0.05, "decay": 0.01},
    {"optimizer": "Adam", "lr": 0.02, "decay": 0.001},
)
SETS = ("exclusive-or", "circles", "moons", "spiral", "three arms", "four heaps", "five heaps")
CHANGED = [
    ["change", "0.weight", 1, -0.75],
    ["goTo", 13],
    ["change", "lr", 0, 0.01],
    ["change", "0.bias", 0, 1e-7],
    ["goTo", 40],
    ["change", "0.weight", 2, 2.5],
]


def ask(*questions: dict[str, Any]) -> list[Any]:
    return ask_node(questions, texts(POINTS))


def run(actions: list[Any], own: Any = None, **settings: Any) -> dict[str, Any]:
    if own:
        settings["set"] = "own"
    return {"kind": "run", "settings": settings, "own": own, "actions": actions}


def drawn() -> list[dict[str, Any]]:
    """Every activation, loss and optimiser, on changing points, layers and batches."""
    cases = itertools.product(ACTIVATIONS, LOSSES, OPTIMIZERS)
    found = []
    for i, (activation, loss, optimizer) in enumerate(cases):
        how = {"activation": activation, "loss": loss, "hidden": ("5, 3", "", "4", "3, 3, 2")[i % 4]}
        how |= {"set": SETS[i % len(SETS)], "count": 31 + i, "seed": i, "batch": (16, 1, 7, 100)[i % 4]}
        own = OWN if i % 5 == 0 else None
        found.append(run(CHANGED if i % 2 else [["goTo", 40]], own, **how, **optimizer))
    return found


@pytest.fixture
def double() -> Iterator[None]:
    before = torch.get_default_dtype()
    yield  # the programs set it
    torch.set_default_dtype(before)


def printed(program: str) -> tuple[list[float], Any]:
    """What an exported program prints, and its model."""
    names: dict[str, Any] = {}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(program, "exported", "exec"), names)
    return [float(line) for line in said.getvalue().splitlines()], names["model"]


def test_the_programs_print_the_losses_of_the_page(double: None) -> None:
    for found in ask(*drawn()):
        page = {"losses": found["losses"], **found["weights"]}
        losses, model = printed(found["torch"])
        weights = {name: value.detach() for name, value in model.named_parameters()}
        assert_close(page, {"losses": losses, **flat(weights)})
        losses, model = printed(found["scratch"])
        assert_close(page, {"losses": losses, **flat(model.params)})


@pytest.mark.slow
def test_the_programs_run_by_themselves(tmp_path: Path) -> None:
    (found,) = ask(run(CHANGED, OWN, batch=2))
    for name in ("torch", "scratch"):
        file = tmp_path / f"points_{name}.py"
        file.write_text(found[name], encoding="utf-8")
        command = [sys.executable, str(file)]
        done = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        losses = [float(line) for line in done.stdout.splitlines()]
        assert_close({"losses": losses}, {"losses": found["losses"]})


def test_the_way_back_is_the_way_again() -> None:
    """Back, forth and back over kept states and changes: as if one had never gone on."""
    for optimizer in OPTIMIZERS:
        how = {"batch": 7, "count": 40, **optimizer}
        wandered = [["goTo", 333], ["back"], ["goTo", 97], ["goTo", 250], ["goTo", 41], ["back"], ["forward"]]
        there, back = ask(run([*CHANGED, ["goTo", 41]], **how), run([*CHANGED, *wandered], **how))
        assert there == back


def test_a_long_run_keeps_some_states() -> None:
    how = {"batch": 40, "count": 40}
    there, back = ask(run([["goTo", 4999]], **how), run([["goTo", 5100], ["goTo", 4999]], **how))
    assert there == back


def test_changes_are_undone_and_overwritten() -> None:
    plain, undone, again, over = ask(
        run([["goTo", 20]]),
        run([["goTo", 9], ["change", "0.weight", 0, 3], ["goTo", 20], ["undoChange"]]),
        run([["goTo", 9], ["change", "0.weight", 0, 3], ["goTo", 5], ["undoChange"], ["goTo", 20]]),
        run([["goTo", 9], ["change", "lr", 0, 3], ["goTo", 5], ["change", "lr", 0, 0.1], ["goTo", 20]]),
    )
    assert undone == plain
    assert again == plain
    assert over["losses"] == plain["losses"]
    assert over["changes"] == [{"step": 5, "name": "lr", "at": 0, "value": 0.1}]


def test_an_address_holds_the_whole_run() -> None:
    runs = ask(*drawn())
    opened = ask(*({"kind": "opened", "address": found["address"]} for found in runs))
    for found, again in zip(runs, opened, strict=True):
        assert again == {name: found[name] for name in again}


def test_a_cut_address_is_one_line() -> None:
    (found,) = ask(run(CHANGED, OWN))
    address = found["address"]
    cuts = [address[:end] for end in range(0, len(address), 9)]
    changed = address.replace("count=200", "count=100")
    for said in ask(*({"kind": "opened", "address": text} for text in (*cuts, changed))):
        assert said.startswith("refused: The address is not whole")


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"count": 1}, "Number of points: expected 2 to 1000, found 1"),
        ({"lr": "much"}, "Learning rate: expected 0 to 100, found much"),
        ({"seed": 1.5}, "Seed: expected a whole number, found 1.5"),
        (
            {"hidden": "4, x"},
            "Hidden layers: expected up to six numbers from 1 to 32, like 8, 4; found “4, x”",
        ),
        ({"set": "stars"}, "Points: expected exclusive-or"),
    ],
)
def test_odd_settings_are_refused(settings: dict[str, Any], line: str) -> None:
    (said,) = ask(run([], **settings))
    assert said.startswith(f"refused: {line}")


def test_points_of_every_set() -> None:
    runs = ask(*(run([], set=name, count=60, seed=5) for name in SETS))
    for name, found in zip(SETS, runs, strict=True):
        points = torch.tensor(found["points"], dtype=torch.float64)
        assert len(points) == 60, name
        assert points[:, :2].abs().max() <= 1
        counts = points[:, 2].long().bincount()
        assert counts.max() - counts.min() <= 1, name


# ---------------------------------------------------------------- a user's own points


def test_own_points_are_read() -> None:
    first, words, wide = ask(
        {"kind": "csv", "text": "x,y,class\n0.5,-0.25,0\n\n1,1,1\n"},
        {"kind": "csv", "text": "0.1; 0.2; cat\n0.3; 0.4; dog\n-1; 0; cat"},
        {"kind": "csv", "text": "0 0 10\n100 50 9"},
    )
    assert first == {"points": [[0.5, -0.25, 0], [1, 1, 1]], "names": ["0", "1"], "scaled": False}
    assert [point[2] for point in words["points"]] == [0, 1, 0]
    assert wide == {"points": [[-0.95, -0.475, 1], [0.95, 0.475, 0]], "names": ["9", "10"], "scaled": True}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "There is no point: expected lines like 0.5, -0.2, 1"),
        ("x,y,class", "There is no point"),
        ("0,0,1\n0.5,1", "Line 2 is no point: expected x, y and a class, found “0.5, 1”"),
        ("0,0,1\n0.5,big,1", "Line 2 is no point: expected x, y and a class, found “0.5, big, 1”"),
        ("1,nan,0", "Line 1 is no point"),
        ("<html>\n<body>", "Line 2 is no point"),
        ("0,0,1\n" * 1001, "1001 points are too many: at most 1000"),
        ("\n".join(f"0,0,{c}" for c in range(7)), "7 classes are too many: at most 6"),
    ],
)
def test_text_that_is_no_points_is_one_line(text: str, line: str) -> None:
    (said,) = ask({"kind": "csv", "text": text})
    assert said.startswith(f"refused: {line}")
    assert "\n" not in said
