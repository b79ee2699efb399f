"""The digits on the page are those of the package, and so is what it learns from them."""

from typing import Any

import numpy as np
import pytest
import torch

from curriculum import picture
from curriculum.data import load
from curriculum.playground import digits
from lessons.lesson07_descent import SGD
from lessons.lesson11_training import fit
from lessons.lesson17_mnist import MLP, SIZES, CrossEntropyLoss, TorchMLP, first_weights, minibatches
from tests.support.playground import ALL, ask_node, assert_close, flat, needs_node, texts

pytestmark = needs_node
RUN = {"kind": "digits", "epochs": 10, "lr": 0.1, "batchSize": 32, "seed": 3, "sizes": SIZES}


@pytest.fixture
def double() -> Any:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def test_the_file_is_what_the_generator_makes() -> None:
    assert digits.FILE.read_text(encoding="utf-8") == digits.script()
    assert "CC BY 4.0" in digits.HEAD


def test_the_pictures_are_the_packages(double: None) -> None:
    (found,) = ask_node([{"kind": "bundled"}], texts(ALL))
    data = load("digits")
    parts = (data.train, data.val, data.test)
    assert found["x"] == torch.cat([part.x for part in parts]).flatten().tolist()
    assert found["target"] == torch.cat([part.target for part in parts]).tolist()


@pytest.mark.slow
def test_ten_epochs_are_the_lessons_and_torchs(double: None) -> None:
    (found,) = ask_node([RUN], texts(ALL))
    train = load("digits").train
    model = MLP(SIZES)
    model.load_state_dict(first_weights(SIZES, 3))
    generator = torch.Generator().manual_seed(3)
    losses = fit(model, CrossEntropyLoss(), SGD(model.params, 0.1), *train, 10, 32, generator)
    theirs = TorchMLP(SIZES)
    theirs.load_state_dict(first_weights(SIZES, 3))
    optimizer = torch.optim.SGD(theirs.parameters(), 0.1)
    generator = torch.Generator().manual_seed(3)
    torch_losses = []
    for _ in range(10):
        for rows in minibatches(len(train.x), 32, generator):
            loss = torch.nn.functional.cross_entropy(theirs(train.x[rows]), train.target[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            torch_losses.append(loss.item())
    del found["accuracy"]
    weights = flat({f"weight {name}": value for name, value in model.params.items()})
    assert_close(found, {"losses": losses, **weights}, 1e-11)
    weights = flat({f"weight {name}": value.detach() for name, value in theirs.named_parameters()})
    assert_close(found, {"losses": torch_losses, **weights}, 1e-11)


# ---------------------------------------------------------------- drawn digits


def drawing(seed: int) -> np.ndarray[Any, Any]:
    """A line of some corners, as a thin or thick pen draws it, on a sheet of some size."""
    random = np.random.default_rng(seed)
    height, width = random.integers(30, 281, 2)
    corners = random.random((int(random.integers(1, 6)), 2)) * (height - 1, width - 1)
    radius = float(random.uniform(0.8, 14))
    rows, columns = np.mgrid[:height, :width]
    nearest = np.full((height, width), np.inf)
    for start, end in zip(corners, np.roll(corners, -1, 0), strict=True):
        for share in np.linspace(0, 1, 60):
            r, c = start + share * (end - start)
            nearest = np.minimum(nearest, np.hypot(rows - r, columns - c))
    return (radius + 0.5 - nearest).clip(0, 1)


def test_a_drawing_is_prepared_as_python_does() -> None:
    """Both keep pictures in float32 on the way, whose last bit is 6e-8."""
    drawings = [drawing(seed) for seed in range(24)]
    asked = [
        {"kind": "prepare", "height": d.shape[0], "width": d.shape[1], "data": d.ravel().tolist()}
        for d in drawings
    ]
    for ink, found in zip(drawings, ask_node(asked, texts(ALL)), strict=True):
        rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
        box = picture.to_box(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
        assert_close(found, {"box": box.ravel(), "digit": picture.centred(box).ravel()}, 1e-7)


def test_nothing_drawn_is_nothing() -> None:
    assert ask_node([{"kind": "prepare", "height": 2, "width": 2, "data": [0] * 4}], texts(ALL)) == [None]
