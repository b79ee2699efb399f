"""The numbers that lesson 18 states."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from curriculum import demo
from lessons import lesson18_lightning as lesson
from tests.support.lessons import shown


@pytest.fixture(scope="module")
def runs_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the four runs are written, once for all tests of this file."""
    before = demo.output_folder()
    folder = tmp_path_factory.mktemp("runs")
    demo.set_output_folder(folder)
    lesson.four_runs.cache_clear()
    yield folder
    demo.set_output_folder(before)
    lesson.four_runs.cache_clear()


def test_the_trainer_calls_in_the_order_of_the_loop() -> None:
    step = ["batch comes", "old gradients cleared", "backward", "optimiser steps"]
    calls = [call for _, call in shown(lesson.what_the_trainer_calls).rows]
    assert calls == [*step, *step, "validation batch comes"]


def test_three_runs_follow_one_curve_and_the_answers_are_in_the_event_files(runs_folder: Path) -> None:
    losses = lesson.four_runs(runs_folder / "lesson18")
    for name in ("torch", "lightning"):
        assert losses[name][:20] == pytest.approx(losses["scratch"][:20], abs=1e-5)
        assert losses[name] == pytest.approx(losses["scratch"], abs=0.01)
    for name, values in losses.items():
        logged = lesson.scalars(name, "train_loss")
        assert logged[:, 0].tolist() == list(range(len(values)))
        torch.testing.assert_close(logged[:, 1], torch.tensor(values))
    worst = max(range(152), key=losses["spoilt"].__getitem__)
    assert [lesson.true_answer(question) for question in (1, 3, 4)] == [152, 2, worst]
    val_acc = [lesson.scalars(name, "val_acc") for name in ("scratch", "torch", "lightning")]
    assert all(torch.equal(points[:, 0], val_acc[0][:, 0]) for points in val_acc), "the same steps"
    assert lesson.true_answer(2) == pytest.approx(100 * val_acc[0][-1, 1].item())


def test_an_answer_is_checked(runs_folder: Path) -> None:
    assert lesson.check_answer(1, 152) == lesson.check_answer(1, 151) == "right"
    assert lesson.check_answer(1, 19) == "look again"
    assert lesson.check_answer(3, 3) == "look again"


def test_the_bridge_takes_one_forward_pass_before_each_backward_pass() -> None:
    """Two would give the gradients of the second twice; what the model remembers is one batch."""
    model = lesson.LitMLP((4, 3, 2), engine="scratch")
    x = torch.randn(5, 4)
    first, second = (model.loss(x, torch.full((5,), label)) for label in (0, 1))
    second.backward()
    with pytest.raises(RuntimeError, match="call backward after each forward"):
        first.backward()
