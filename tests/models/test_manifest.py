"""What a run was made of, and the same run again."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.tensorboard import SummaryWriter

from curriculum import UserError
from curriculum.data import load
from models.jobs import mnist
from models.jobs.options import Options, options_of
from models.jobs.rerun import differences, rerun
from models.lightning import cli as fit
from models.records import manifest
from tests.support.training import quiet


@pytest.fixture
def run(tmp_path: Path) -> Path:
    options = Options(engine="scratch", data="digits", epochs=1, log="basic", log_dir=tmp_path)
    (report,) = mnist.run(options, quiet)
    return Path(report.folder)


def edit(run: Path, **changes: Any) -> None:
    known = manifest.read(run)
    (run / manifest.NAME).write_text(json.dumps(known | changes))


def test_a_manifest_says_what_the_run_was_made_of(run: Path) -> None:
    known = manifest.read(run)
    assert known["data_sha256"] == load("digits").sha256
    assert (known["seed"], known["device"], known["job"]) == (0, "cpu", "mnist")
    assert {"Python", "torch", "torchvision", "lightning", "tensorboard", "numpy"} == known["versions"].keys()
    assert known["threads"] >= 1
    assert known["options"]["epochs"] == 1


@pytest.mark.parametrize(("top", "commit"), [("", "cafe"), ("..", None)])
def test_only_this_packages_own_commit_is_told(
    top: str, commit: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment may lie in the user's own repository. What git cannot say is not known."""
    package = Path(manifest.__file__).parents[2]
    answers = {"--show-toplevel": str((package / top).resolve()), "HEAD": "cafe", "--porcelain": None}
    monkeypatch.setattr(manifest, "_git", lambda *arguments: answers[arguments[-1]])
    manifest.write(tmp_path, "fit", {}, load("digits"), 0, "cpu")
    known = manifest.read(tmp_path)
    assert (known["commit"], known["changed since the commit"]) == (commit, None)


def test_a_manifest_tells_how_many_threads_the_run_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other threads add up in another order, which changes the last bits."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    manifest.write(tmp_path, "mnist", {}, load("digits"), seed=0, device="cpu")
    assert manifest.read(tmp_path)["threads"] == 3


def test_a_run_again_goes_to_the_folder_that_is_named_now(run: Path, tmp_path: Path) -> None:
    known = manifest.read(run)
    assert known["options"]["log_dir"] == str(tmp_path)
    assert options_of(known, tmp_path / "other").log_dir == tmp_path / "other"


def test_a_curve_of_one_run_alone_is_a_difference(run: Path, tmp_path: Path) -> None:
    """Whichever of the two has it."""
    other = tmp_path / "other"
    shutil.copytree(run, other)
    with SummaryWriter(str(other), filename_suffix=".more") as writer:
        writer.add_scalar("more", 1.0, 0)
    assert differences(run, other) == ["the curve more, 0 points and 1"]
    assert differences(other, run) == ["the curve more, 1 points and 0"]


def test_every_option_comes_back_from_the_manifest(tmp_path: Path) -> None:
    options = Options(
        engine="torch",
        data="digits",
        data_dir=Path("a"),
        epochs=2,
        batch_size=7,
        lr=0.5,
        seed=3,
        dtype="float64",
        device="meta",
        log="off",
        log_dir=tmp_path,
        mine=Path("b.py"),
    )
    assert not [name for name, value in asdict(Options()).items() if value == getattr(options, name)]
    manifest.write(tmp_path, "mnist", asdict(options), load("digits"), options.seed, options.device)
    assert options_of(manifest.read(tmp_path), tmp_path) == options


def test_a_run_can_be_repeated_to_the_last_bit(run: Path, tmp_path: Path) -> None:
    assert rerun(run, tmp_path, quiet) == []
    assert (run.parent / "version_1" / "report.json").exists()


def test_a_difference_is_named_with_what_could_explain_it(run: Path, tmp_path: Path) -> None:
    known = manifest.read(run)
    edit(run, options=known["options"] | {"seed": 1}, versions=known["versions"] | {"torch": "1.0"})
    found = rerun(run, tmp_path, quiet)
    assert any(line.startswith("0.weight by up to ") for line in found)
    assert "the curve train_loss, first at step 9" in found
    assert any(line.startswith("(versions: ") for line in found)


def test_a_fit_can_be_repeated_to_the_last_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["curriculum"])
    small = (
        "--data.dataset=digits",
        "--model.sizes=[784,8,10]",
        "--model.dropout=0.2",
        "--data.augment=affine",
    )
    made = fit.main(["fit", f"--log_dir={tmp_path}", *small, "--trainer.max_epochs=1", "--log.level=basic"])
    assert made == tmp_path / "fit/version_0"  # by this folder rerun knows its own run among others
    assert rerun(tmp_path / "fit/version_0", tmp_path, quiet) == []
    assert (tmp_path / "fit/version_1/report.json").exists()


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"no weights")])
def test_weights_that_cannot_be_compared_are_said_before_the_run(
    run: Path, tmp_path: Path, damage: Callable[[Path], Any]
) -> None:
    damage(run / "model.safetensors")
    with pytest.raises(UserError, match=r"model.safetensors cannot be read .*; expected the weights"):
        rerun(run, tmp_path, quiet)
    assert not (run.parent / "version_1").exists()


def test_what_cannot_be_repeated_is_one_clear_line(run: Path, tmp_path: Path) -> None:
    (run / "report.json").unlink()
    with pytest.raises(UserError, match="is not finished; go on with it first: curriculum mnist --resume"):
        rerun(run, tmp_path, quiet)
    (run / manifest.NAME).write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        rerun(run, tmp_path, quiet)
    for nonsense in ("[]", "{}", '{"job": "mnist", "options": {}, "threads": "many"}'):
        (run / manifest.NAME).write_text(nonsense)
        with pytest.raises(UserError, match=r"does not tell the run's (job|threads); expected"):
            rerun(run, tmp_path, quiet)
    (run / manifest.NAME).unlink()
    with pytest.raises(UserError, match="expected a run of mnist or fit"):
        rerun(run, tmp_path, quiet)


def test_a_stopped_run_whose_manifest_lacks_its_engines_is_one_clear_line(run: Path, tmp_path: Path) -> None:
    (run / "report.json").unlink()
    edit(run, options={"epochs": 1})
    with pytest.raises(UserError, match="does not tell the run's engines; begin anew: curriculum mnist"):
        mnist.unfinished(tmp_path)


def test_a_stopped_run_that_was_renamed_is_no_obstacle(run: Path, tmp_path: Path) -> None:
    (run / "report.json").unlink()
    run.rename(run.with_name("version_best"))
    _, folders = mnist.unfinished(tmp_path)
    assert folders["scratch"].path.name == "version_best"
