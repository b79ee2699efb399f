"""The final project: the learner's own pieces in the main job."""

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from curriculum import Stopped, UserError
from curriculum.discover import FOLDER
from lessons.lesson17_mnist import first_weights
from models.jobs import mnist
from models.jobs.options import Options
from models.jobs.report import Report
from models.jobs.rerun import differences
from models.networks.mine import MineEngine
from models.networks.scratch import ScratchEngine
from tests.support.training import quiet

PROJECT = FOLDER / "exercises" / "final_project.py"


def train(path: Path, tmp_path: Path, **options: Any) -> Report:
    chosen = Options(engine="mine", mine=path, data="digits", epochs=3, log="basic", log_dir=tmp_path)
    (report,) = mnist.run(replace(chosen, **options), quiet)
    return report


def changed(tmp_path: Path, *swaps: tuple[str, str]) -> Path:
    text = PROJECT.read_text(encoding="utf-8")
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_as_it_stands_it_is_the_engine_from_scratch(tmp_path: Path) -> None:
    options = Options(engine="scratch", data="digits", epochs=3, log="basic", log_dir=tmp_path)
    (scratch,) = mnist.run(options, quiet)
    mine = train(PROJECT, tmp_path, log="full")
    assert (mine.val_acc, mine.test_acc) == (scratch.val_acc, scratch.test_acc)
    assert mine.engine == "mine"


def test_a_run_that_was_stopped_begins_anew(tmp_path: Path) -> None:
    """What the learner's optimiser remembers is not known: weights without it would be another run."""
    seen: list[str] = []
    whole = train(PROJECT, tmp_path / "whole")

    def stopped_in_the_second_epoch(engine: MineEngine, *batch: Any) -> Any:
        seen.append("step")
        if len(seen) == 25:
            signal.raise_signal(signal.SIGTERM)
        return step(engine, *batch)

    step = MineEngine.step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MineEngine, "step", stopped_in_the_second_epoch)
        with pytest.raises(Stopped, match="so this begins the run anew: curriculum mnist --resume"):
            train(PROJECT, tmp_path)
    options, folders = mnist.unfinished(tmp_path)
    assert not folders["mine"].checkpoint.exists()
    (report,) = mnist.run(options, quiet, folders)
    assert differences(Path(whole.folder), Path(report.folder)) == []


def test_every_piece_may_be_swapped(tmp_path: Path) -> None:
    path = changed(
        tmp_path,
        ("lesson03_activations import ReLU", "lesson03_activations import Tanh"),
        ("Activation = ReLU", "Activation = Tanh"),
        ("lesson07_descent import SGD", "lesson12_optimizers import Adam"),
        ("Optimizer = SGD", "Optimizer = Adam"),
        ("Loss = CrossEntropyLoss", "Loss = lambda: CrossEntropyLoss(label_smoothing=0.1)"),
    )
    assert train(path, tmp_path, lr=1e-3).val_acc > 0.85


@pytest.mark.parametrize("switch", ["def train(self, mode=True): self.training = mode", ""])
def test_a_piece_that_acts_differently_in_training_is_measured_in_use(tmp_path: Path, switch: str) -> None:
    """It silences all in training, so the network learns its last biases only; in use it is ReLU."""
    lines = ["class Silent(ReLU):", "    training = True", *([f"    {switch}"] if switch else [])]
    lines += ["    def forward(self, x):", "        return super().forward(x) * (not self.training)"]
    path = changed(tmp_path, ("Activation = ReLU", "\n".join(lines) + "\n\nActivation = Silent"))
    sizes = (784, 16, 10)
    engine = MineEngine(path, sizes, first_weights(sizes, 0))
    plain = ScratchEngine(sizes, first_weights(sizes, 0))
    x = torch.randn(4, 784)
    assert torch.equal(engine.logits(x), plain.logits(x))
    assert torch.equal(engine.outputs(x)["2.Linear"], plain.logits(x))
    losses = [engine.step(batch, torch.arange(4), lr=0.0) for batch in (x, -x)]
    assert torch.equal(losses[0], losses[1]), "in training it is silent"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Activation = 1 / 0", "does not run: ZeroDivisionError"),
        ("Activation = Loss = Optimizer = None", "a piece of .* cannot be made: TypeError"),
        ("Activation = Loss = None", "has no Optimizer; expected Activation, Loss, Optimizer"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_line(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(UserError, match=expected):
        train(path, tmp_path)
    assert not (tmp_path / "mnist").exists()  # it was refused before a run began


def test_the_pieces_are_made_once(tmp_path: Path) -> None:
    """What a learner's file does when it is loaded, it does once."""
    count = tmp_path / "count"
    path = changed(tmp_path)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\nwith open({str(count)!r}, 'a') as file:\n    file.write('loaded ')\n")
    train(path, tmp_path, epochs=1, log="off")
    assert count.read_text() == "loaded "


def test_a_missing_file_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="begin with: curriculum start"):
        train(tmp_path / "nothing.py", tmp_path)
