"""The final project: the learner's own pieces in the main job."""

from pathlib import Path

import pytest

from curriculum import UserError
from curriculum.discover import FOLDER
from models.jobs import mnist
from models.jobs.options import Options
from models.jobs.report import Report

PROJECT = FOLDER / "exercises" / "final_project.py"


def train(path: Path, tmp_path: Path, **options: float) -> Report:
    chosen = Options(
        engine="mine", mine=path, data="digits", epochs=3, log="full", log_dir=tmp_path, **options
    )  # type: ignore[arg-type]
    (report,) = mnist.run(chosen, lambda line: None)
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
    (scratch,) = mnist.run(
        Options(engine="scratch", data="digits", epochs=3, log_dir=tmp_path), lambda line: None
    )
    mine = train(PROJECT, tmp_path)
    assert (mine.val_acc, mine.test_acc) == (scratch.val_acc, scratch.test_acc)
    assert mine.engine == "mine"


def test_every_piece_may_be_swapped(tmp_path: Path) -> None:
    path = changed(
        tmp_path,
        ("lesson03_activations import ReLU", "lesson03_activations import Tanh"),
        ("Activation = ReLU", "Activation = Tanh"),
        ("lesson06_descent import SGD", "lesson09_training import Adam"),
        ("Optimizer = SGD", "Optimizer = Adam"),
        ("Loss = CrossEntropyLoss", "Loss = lambda: CrossEntropyLoss(label_smoothing=0.1)"),
    )
    assert train(path, tmp_path, lr=1e-3).val_acc > 0.85


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


def test_a_missing_file_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="begin with: curriculum start"):
        train(tmp_path / "nothing.py", tmp_path)
