"""`curriculum fit`, `validate`, `test` and `predict`: what Lightning users know, without its known pains."""

import csv
import io
import json
import pickle
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from curriculum import UserError
from curriculum.runs.catalogue import find, rows
from curriculum.runs.events import EventLog, event_files
from models.jobs import mnist
from models.jobs.options import Options
from models.lightning import cli as fit
from models.lightning.arguments import RECIPES, complete
from models.lightning.checkpoint import load as load_checkpoint
from tests.support.commands import curriculum, curriculum_here, refused
from tests.support.speed import fast
from tests.support.training import quiet

SMALL = (
    "--data.dataset=digits", "--model.sizes=[784,16,10]", "--trainer.max_epochs=2", "--log.level=basic",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs go to the test's own folder, and the process's arguments are the test's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["curriculum"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run with everything logged. To be looked at, not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["curriculum"])
        run = fit.main(["fit", *SMALL, "--log.level=full", f"--log_dir={tmp_path_factory.mktemp('trained')}"])
    assert run is not None
    return run


def weights(checkpoint: str | Path) -> dict[str, torch.Tensor]:
    return torch.load(checkpoint, weights_only=True)["state_dict"]


def assert_equal_weights(one: str | Path, other: str | Path, atol: float = 0.0) -> None:
    for name, value in weights(one).items():
        torch.testing.assert_close(weights(other)[name], value, rtol=0.0, atol=atol, msg=name)


def test_a_run_has_config_checkpoints_and_one_full_log(trained: Path) -> None:
    run = trained
    assert run.parts[-2:] == ("fit", "version_0")
    assert find(run.parents[1]) == [run]
    log = EventLog.read(run)
    assert {"train_loss", "train_acc", "val_loss", "val_acc", "test_acc", "lr"} <= log.scalars.keys()
    assert "hp_metric" not in log.scalars
    assert {"weights/first_layer", "answers/confusion", "answers/misread"} == log.images.keys()
    chosen = log.hparams
    assert (chosen["batch_size"], chosen["epochs"], chosen["seed"]) == (64, 2, 0)
    assert yaml.safe_load((run / "config.yaml").read_text())["model"]["sizes"] == [784, 16, 10]
    best, last = sorted((run / "checkpoints").iterdir())
    assert (best.name.split("=")[0], last.name) == ("epoch", "last.ckpt")
    for checkpoint in (best, last):  # a plain, safe load: no code in the file is run
        assert set(weights(checkpoint)) == {
            "model.0.weight",
            "model.0.bias",
            "model.2.weight",
            "model.2.bias",
        }


def test_the_best_checkpoint_is_of_the_epoch_that_read_most() -> None:
    fit.main(["fit", *SMALL, "--model.lr", "0.3"])
    run = Path("runs/fit/version_0")
    accuracies = [point.value for point in EventLog.read(run).scalars["val_acc"]]
    assert max(accuracies) > min(accuracies)
    (best,) = (run / "checkpoints").glob("epoch=*")
    assert best.name.startswith(f"epoch={accuracies.index(max(accuracies))}-")


def test_the_saved_config_repeats_the_run(capfd: pytest.CaptureFixture[str]) -> None:
    fit.main(["fit", *SMALL, "--model.dropout", "0.2", "--data.augment", "affine"])
    printed = capfd.readouterr()
    assert "Warning" not in printed.err + printed.out
    assert "test_acc" in printed.out
    fit.main(["fit", "--config", "runs/fit/version_0/config.yaml"])
    first, second = Path("runs/fit/version_0"), Path("runs/fit/version_1")
    assert_equal_weights(first / "checkpoints/last.ckpt", second / "checkpoints/last.ckpt")
    assert EventLog.read(first).final() == EventLog.read(second).final()


def test_a_folder_that_has_a_config_may_be_used_again() -> None:
    logger = ("TensorBoardLogger", "save_dir=runs", "name=again", "version=7")
    options = [part for value in logger[1:] for part in (f"--trainer.logger.{value}",)]
    for _ in range(2):
        fit.main(["fit", *SMALL, "--trainer.logger", logger[0], *options, "--trainer.max_epochs", "1"])
    assert [run.name for run in find(Path("runs"))] == ["version_7"]


def test_the_engines_give_the_same_run() -> None:
    common = (*SMALL, "--log.level", "off", "--trainer.precision", "64-true")
    for engine in ("torch", "scratch"):
        fit.main(["fit", *common, "--model.engine", engine, "--name", engine])
    one, other = (f"runs/{engine}/version_0/checkpoints/last.ckpt" for engine in ("torch", "scratch"))
    assert_equal_weights(one, other, atol=1e-9)


def test_fit_is_what_the_main_job_trains() -> None:
    (report,) = mnist.run(Options(engine="lightning", data="digits", epochs=2, log="basic"), quiet)
    fit.main(["fit", "--data.dataset", "digits", "--trainer.max_epochs", "2", "--log.level", "basic"])
    ours = weights("runs/fit/version_0/checkpoints/last.ckpt")
    for name, value in load_file(Path(report.folder) / "model.safetensors").items():
        assert torch.equal(ours[f"model.{name}"], value), name


@pytest.mark.parametrize("engine", fast(["torch", "scratch"], "torch"))
def test_two_processes_are_one(engine: str, tmp_path: Path) -> None:
    """DDP on the CPU against one process with the joint batch: the losses of all steps, all weights."""
    precise = ("--trainer.precision", "64-true", "--trainer.log_every_n_steps", "1")
    common = (*SMALL, "--model.engine", engine, *precise)
    fit.main(["fit", *common, "--name", "one"])
    done = curriculum(
        "fit", *common, "--name", "two", "--trainer.strategy", "ddp", "--trainer.devices", "2", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "arning" not in done.stderr
    one, two = Path("runs/one/version_0"), Path("runs/two/version_0")
    assert_equal_weights(one / "checkpoints/last.ckpt", two / "checkpoints/last.ckpt", atol=1e-9)
    for tag in ("train_loss", "train_acc", "val_loss", "val_acc", "test_acc", "lr"):
        expected = EventLog.read(one).scalars[tag]
        found = EventLog.read(two).scalars[tag]
        assert [point.step for point in found] == [point.step for point in expected], tag
        # Event files hold float32.
        assert [p.value for p in found] == pytest.approx([p.value for p in expected], abs=1e-6), tag
    assert len(find(Path("runs"))) == 2
    counts = [json.loads((run / "report.json").read_text())["pictures"] for run in (one, two)]
    assert counts == [{"train": 1_197, "val": 300, "test": 300}] * 2


@pytest.mark.slow
def test_only_what_was_looked_at_is_counted(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("models.lightning.data.IN_USE", 70)
    few = ("--trainer.limit_train_batches=3", "--trainer.limit_val_batches=2", "--data.batch_size=50")
    run = fit.main(["fit", *SMALL, *few, "--test=false", "--trainer.max_epochs=1", "--log.level=off"])
    assert run is not None
    assert json.loads((run / "report.json").read_text())["pictures"] == {"train": 150, "val": 140}
    assert "scikit-learn digits, 150 to train, 140 to validate (" in capfd.readouterr().out
    checkpoint = ("--data.dataset=digits", f"--ckpt_path={run / 'checkpoints/last.ckpt'}")
    fit.main(["validate", *checkpoint])
    assert "scikit-learn digits, 300 to validate (" in capfd.readouterr().out
    fit.main(["test", *checkpoint, "--trainer.limit_test_batches=2"])
    assert "scikit-learn digits, 140 to test (" in capfd.readouterr().out
    for command, option in (("validate", "val"), ("test", "test"), ("predict", "predict")):
        with pytest.raises(
            UserError, match=rf"limit_{option}_batches is 0, and {command} would look at nothing"
        ):
            fit.main([command, *checkpoint, f"--trainer.limit_{option}_batches=0"])


def test_a_checkpoint_is_validated_tested_and_used(trained: Path, capfd: pytest.CaptureFixture[str]) -> None:
    checkpoint = str(trained / "checkpoints/last.ckpt")
    known = EventLog.read(trained).final()
    for command, tag in (("validate", "val_acc"), ("test", "test_acc")):
        capfd.readouterr()
        fit.main([command, "--data.dataset", "digits", "--ckpt_path", checkpoint])
        assert f"{known[tag]:.2%}" in capfd.readouterr().out
    fit.main(["predict", "--data.dataset", "digits", "--ckpt_path", checkpoint])
    with Path("runs/predict/version_0/predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["index"]) for row in rows] == list(range(300))
    from curriculum.data import load

    right = sum(
        int(row["digit"]) == t for row, t in zip(rows, load("digits").test.target.tolist(), strict=True)
    )
    assert right / 300 == pytest.approx(known["test_acc"])
    assert all(0.1 <= float(row["probability"]) <= 1 for row in rows)


def test_early_stopping_is_an_option() -> None:
    fit.main(["fit", *SMALL, "--trainer.max_epochs", "30", "--model.lr", "2.0", "--patience", "1"])
    assert len(EventLog.read(Path("runs/fit/version_0")).scalars["val_loss"]) < 30


def test_patience_goes_on_while_the_loss_falls() -> None:
    """It is the loss that is waited for: here the accuracy rises."""
    fit.main(["fit", *SMALL, "--trainer.max_epochs", "5", "--model.lr", "0.05", "--patience", "1"])
    curves = EventLog.read(Path("runs/fit/version_0")).scalars
    assert len(curves["val_loss"]) == 5
    assert curves["val_acc"][4].value > curves["val_acc"][0].value


def test_a_checkpoint_knows_what_pixels_its_network_was_fed() -> None:
    fit.main(["fit", *SMALL, "--model.normalize", "false"])
    run = Path("runs/fit/version_0")
    last = str(run / "checkpoints/last.ckpt")
    fit.main(["test", "--ckpt_path", last, "--data.dataset", "digits"])
    tested = EventLog.read(Path("runs/test/version_0")).final()
    assert tested["test_acc"] == pytest.approx(json.loads((run / "report.json").read_text())["test_acc"])
    with pytest.raises(UserError, match=r'"data.normalize" must be given via "model.normalize"'):
        fit.main(["fit", *SMALL, "--data.normalize", "false"])


def test_logging_may_be_switched_off() -> None:
    fit.main(["fit", *SMALL, "--log.level", "off"])
    (run,) = find(Path("runs"))
    assert event_files(run) == []
    (row,) = rows(Path("runs"))
    assert row["test_acc"] == json.loads((run / "report.json").read_text())["test_acc"]


TWO_STEPS = (
    "--data.dataset=digits", "--data.batch_size=20", "--trainer.max_epochs=1",
    "--trainer.limit_train_batches=2", "--log.level=basic", "--checkpoint.save_top_k=0",
)  # fmt: skip


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_train(path: Path) -> None:
    """Two steps of each: the network, the loss, the distortions and the precision fit together."""
    fit.main(["fit", "--config", path.stem, *TWO_STEPS])
    (run,) = find(Path("runs"))
    assert run.parent.name == ("fit" if path.stem == "default" else path.stem)
    assert "test_acc" in EventLog.read(run).final()


def test_the_default_recipe_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    printed = []
    for config in ([], ["--config", "default"]):
        with pytest.raises(SystemExit):
            fit.main(["fit", *config, "--print_config"])
        printed.append(yaml.safe_load(capsys.readouterr().out))
    assert printed[0] == printed[1]


def test_a_file_goes_before_a_recipe_of_that_name() -> None:
    assert complete(["--config", "default"]) == ["--config", str(RECIPES / "default.yaml")]
    assert complete(["--name", "default"]) == ["--name", "default"]
    Path("default").write_text("trainer: {max_epochs: 1}")
    assert complete(["--config", "default"]) == ["--config", "default"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["fit", "--model.engine", "numpy"], "model.engine"),
        (["fit", "--model.wings", "2"], "--model.wings"),
        (["fit", "--model.dropout", "2"], "model.dropout is 2.0; expected 0 or more, below 1"),
        (["fit", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (
            ["fit", *SMALL, "--model.sizes", "[100,10]"],
            "expected 784 pixels and 10 digits",
        ),
        (
            ["fit", "--data.dataset", "digits", "--data.batch_size", "0"],
            "data.batch_size is 0; expected 1 to 1,197",
        ),
        (
            [
                "fit",
                "--trainer.callbacks=GradientAccumulationScheduler",
                "--trainer.callbacks.scheduling=often",
            ],
            "scheduling\": Expected a <class 'dict'>. Got value: often",
        ),
        (["test"], "test needs a trained network"),
        (["test", "--ckpt_path", "nowhere.ckpt"], "there is no checkpoint nowhere.ckpt"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_clear_line(arguments: list[str], expected: str) -> None:
    with pytest.raises(UserError, match=expected.replace("[", r"\[")):
        fit.main(arguments)


def test_the_command_says_it_in_one_line() -> None:
    assert "model.lr is -1.0" in refused(curriculum_here("fit", "--model.lr", "-1"))


def test_the_loopback_interface_is_one_that_this_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes on Linux and macOS talk over it; elsewhere they are left to find their way."""
    for names, expected in ((["eth0", "lo"], "lo"), (["en0", "lo0"], "lo0"), (["ethernet_32769"], None)):
        monkeypatch.setattr(socket, "if_nameindex", lambda names=names: list(enumerate(names, start=1)))
        assert fit._loopback_interface() == expected


# ---------------------------------------------------------------- steps and batches


def final(run: str) -> dict[str, float]:
    return EventLog.read(Path(run)).final()


@pytest.mark.parametrize("engine", fast(["torch", "scratch"], "scratch"))
def test_accumulated_batches_are_one_large_batch(engine: str) -> None:
    """Of 1,197 digits: 12 batches of 100 by fours are 3 of 400, the last with 397; the curves, too."""
    precise = (*SMALL, "--model.engine", engine, "--trainer.precision=64-true", "--log.level=full")
    fit.main(["fit", *precise, "--name=large", "--data.batch_size=400"])
    by_fours = ("--data.batch_size=100", "--trainer.accumulate_grad_batches=4")
    fit.main(["fit", *precise, "--name=fours", *by_fours])
    large, fours = (EventLog.read(Path(f"runs/{name}/version_0")) for name in ("large", "fours"))
    checkpoints = [f"runs/{name}/version_0/checkpoints/last.ckpt" for name in ("large", "fours")]
    assert_equal_weights(checkpoints[0], checkpoints[1], atol=1e-12)
    assert large.scalars.keys() == fours.scalars.keys()
    for tag in ("train_loss", "lr"):
        steps, values = zip(*[(point.step, point.value) for point in large.scalars[tag]], strict=True)
        assert [point.step for point in fours.scalars[tag]] == list(steps)
        assert [point.value for point in fours.scalars[tag]] == pytest.approx(values, rel=1e-6)


def test_an_uneven_number_of_batches_is_accumulated_to_the_same_mean() -> None:
    """Two batches of 500 and one of 197 by twos: the second step has the 197 alone."""
    precise = (*SMALL, "--trainer.precision=64-true", "--trainer.max_epochs=1", "--data.batch_size=500")
    fit.main(["fit", *precise, "--trainer.accumulate_grad_batches=3", "--name=all"])
    fit.main(["fit", *SMALL, "--trainer.precision=64-true", "--trainer.max_epochs=1",
              "--data.batch_size=1197", "--name=one"])  # fmt: skip
    all_of_them, one = (f"runs/{name}/version_0/checkpoints/last.ckpt" for name in ("all", "one"))
    assert_equal_weights(all_of_them, one, atol=1e-12)


@pytest.mark.parametrize("level", ["off", "full"])
def test_looking_changes_nothing(level: str) -> None:
    """Dropout and batch norm act differently in training: the graph is drawn in use, and undone."""
    both = ("--model.dropout=0.3", "--model.batch_norm=true", "--model.engine=scratch")
    fit.main(["fit", *SMALL, *both, "--name=basic"])
    fit.main(["fit", *SMALL, *both, "--name=other", f"--log.level={level}"])
    basic, other = (f"runs/{name}/version_0/checkpoints/last.ckpt" for name in ("basic", "other"))
    assert_equal_weights(basic, other)


def test_a_single_callback_needs_no_list() -> None:
    fit.main(["fit", *SMALL, "--trainer.callbacks=ModelSummary", "--data.augment=affine"])
    fit.main(["fit", *SMALL, "--trainer.callbacks=ModelSummary", "--trainer.precision=64-true"])
    assert len(find(Path("runs"))) == 2


def test_drop_last_takes_whole_batches_only() -> None:
    fit.main(["fit", *SMALL, "--data.batch_size=100", "--data.drop_last=true"])
    (row,) = rows(Path("runs"))
    assert row["steps"] == 2 * 11  # of 1,197 digits to train


@pytest.mark.parametrize(
    "option",
    ["--trainer.max_steps=30", "--trainer.check_val_every_n_epoch=3", "--trainer.val_check_interval=10"],
)
def test_all_results_are_of_the_last_step(option: str) -> None:
    fit.main(["fit", *SMALL, option])
    (row,) = rows(Path("runs"))
    assert row["steps"] == (30 if "max_steps" in option else 38)
    fit.main(["validate", "--ckpt_path", "runs/fit/version_0/checkpoints/last.ckpt"])
    fit.main(["test", "--ckpt_path", "runs/fit/version_0/checkpoints/last.ckpt"])
    report = json.loads(Path("runs/fit/version_0/report.json").read_text())
    for name, command in (("val_loss", "validate"), ("val_acc", "validate"), ("test_acc", "test")):
        assert report[name] == pytest.approx(final(f"runs/{command}/version_0")[name], rel=1e-6), name
        assert final("runs/fit/version_0")[name] == pytest.approx(report[name], rel=1e-6), name


@pytest.mark.filterwarnings("error:.*could not find the monitored key")
def test_a_training_that_ends_within_an_epoch_has_no_best_network() -> None:
    """Nothing was validated, so nothing is compared; two checkpoints may be kept, one has a measurement."""
    fit.main(["fit", *SMALL, "--patience=1", "--trainer.max_steps=5", "--name=first"])
    assert not list(Path("runs/first/version_0/checkpoints").glob("epoch=*"))
    fit.main(["fit", *SMALL, "--checkpoint.save_top_k=2", "--trainer.max_steps=25", "--name=second"])
    (best,) = Path("runs/second/version_0/checkpoints").glob("epoch=*")
    assert best.name == "epoch=0-step=19.ckpt"


@pytest.mark.filterwarnings("error:.*could not find the monitored key")
@pytest.mark.parametrize("callback", ["EarlyStopping", "ModelCheckpoint"])
def test_a_callback_of_ones_own_looks_after_a_validation(callback: str) -> None:
    chosen = (f"--trainer.callbacks={callback}", "--trainer.callbacks.monitor=val_loss")
    fit.main(["fit", *SMALL, *chosen, "--trainer.max_steps=5"])
    (row,) = rows(Path("runs"))
    assert row["steps"] == 5


def test_a_plateau_is_looked_for_after_a_validation() -> None:
    """No improvement is enough here, so every look halves the rate: after two epochs, and after four."""
    chosen = ("--optimizer=SGD", "--optimizer.lr=0.1", "--lr_scheduler=ReduceLROnPlateau")
    values = {"monitor": "val_loss", "patience": 0, "factor": 0.5, "threshold": 10}
    how = [f"--lr_scheduler.{name}={value}" for name, value in values.items()]
    every = ("--trainer.check_val_every_n_epoch=2", "--trainer.max_epochs=6")
    fit.main(["fit", *SMALL, *chosen, *how, *every])
    rates = EventLog.read(Path("runs/fit/version_0")).scalars["lr"]
    assert sorted({point.value for point in rates}) == pytest.approx([0.025, 0.05, 0.1])


def test_a_trial_validation_is_no_result() -> None:
    """Without a step there is a validation all the same, which stands in report and curves alike."""
    fit.main(["fit", *SMALL, "--trainer.num_sanity_val_steps=1", "--trainer.max_time=00:00:00:00"])
    run = Path("runs/fit/version_0")
    report = json.loads((run / "report.json").read_text())
    assert final(str(run))["val_loss"] == pytest.approx(report["val_loss"], rel=1e-6)


def test_overfitting_takes_the_same_batch_in_every_pass() -> None:
    """A network that stays as it is has the same loss in each of them."""
    few = ("--trainer.overfit_batches=1", "--trainer.max_epochs=4", "--trainer.log_every_n_steps=1")
    fit.main(["fit", *SMALL, *few, "--model.lr=1e-30"])
    losses = [point.value for point in EventLog.read(Path("runs/fit/version_0")).scalars["train_loss"]]
    assert len(losses) == 4
    assert len(set(losses)) == 1


@pytest.mark.slow
def test_one_batch_is_not_all_batches(tmp_path: Path) -> None:
    """In a process of its own: what was imported before had decided which type a word is read as first."""
    of_share = [f"limit_{part}_batches" for part in ("train", "val", "test", "predict")]
    options = [*of_share, "overfit_batches", "val_check_interval"]
    words = [word for option in options for word in (f"--trainer.{option}", "1")]
    trainer = yaml.safe_load(curriculum("fit", *words, "--print_config", cwd=tmp_path).stdout)["trainer"]
    assert {option: repr(trainer[option]) for option in options} == dict.fromkeys(options, "1")


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_both_engines_take_bfloat16(precision: str) -> None:
    """Eight bits: three digits and a little; so many steps later the losses are still alike."""
    losses = []
    for engine in ("torch", "scratch"):
        name = ("--name", engine, "--model.engine", engine, "--trainer.max_steps=10")
        fit.main(["fit", *SMALL, "--trainer.precision", precision, "--trainer.log_every_n_steps=1", *name])
        log = EventLog.read(Path(f"runs/{engine}/version_0"))
        losses.append([point.value for point in log.scalars["train_loss"]])
    assert len(losses[0]) == 10
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


# ---------------------------------------------------------------- any optimiser, any start


def test_any_optimizer_of_torch_trains_either_engine() -> None:
    chosen = ("--optimizer=NAdam", "--optimizer.lr=0.01")
    slower = ("--lr_scheduler=StepLR", "--lr_scheduler.step_size=1", "--lr_scheduler.gamma=0.5")
    for engine in ("torch", "scratch"):
        name = ("--name", engine, "--model.engine", engine)
        fit.main(["fit", *SMALL, "--trainer.precision=64-true", *name, *chosen, *slower])
    one, other = (f"runs/{engine}/version_0/checkpoints/last.ckpt" for engine in ("torch", "scratch"))
    assert_equal_weights(one, other, atol=1e-9)
    log = EventLog.read(Path("runs/torch/version_0"))
    assert sorted({point.value for point in log.scalars["lr"]}) == pytest.approx([0.005, 0.01])
    assert (log.hparams["optimizer"], log.hparams["lr"]) == ("NAdam", pytest.approx(0.01))
    known = json.loads(Path("runs/torch/version_0/manifest.json").read_text())["options"]
    assert (known["optimizer"], known["lr"], known["schedule"]) == ("NAdam", 0.01, "StepLR")
    fit.main(["fit", "--config", "runs/torch/version_0/config.yaml", "--name=again"])
    assert_equal_weights(one, "runs/again/version_0/checkpoints/last.ckpt")


@pytest.mark.parametrize("kind", ["checkpoints/last.ckpt", "model.safetensors", "state dict"])
def test_a_run_starts_from_any_weights(kind: str, trained: Path, tmp_path: Path) -> None:
    """With other options, and at the learning rate 0 of the last step they would not change."""
    path = trained / kind
    if kind == "state dict":
        path = tmp_path / "plain.pt"
        torch.save(load_file(trained / "model.safetensors"), path)
    small = [option for option in SMALL if "sizes" not in option]
    fit.main(["fit", *small, "--weights", str(path), "--model.lr=1e-30"])
    assert_equal_weights(trained / "checkpoints/last.ckpt", "runs/fit/version_0/checkpoints/last.ckpt")
    fit.main(["test", "--weights", str(path), "--data.dataset=digits"])
    assert final("runs/test/version_0")["test_acc"] == pytest.approx(final(str(trained))["test_acc"])


def test_a_trained_network_is_tried_on_the_data_it_learned_from(trained: Path) -> None:
    for path in ("checkpoints/last.ckpt", "model.safetensors"):
        option = "--ckpt_path" if path.endswith("ckpt") else "--weights"
        fit.main(["test", option, str(trained / path), f"--name={option[2:]}"])
        tested = final(f"runs/{option[2:]}/version_0")["test_acc"]
        assert tested == pytest.approx(final(str(trained))["test_acc"])


def test_weights_of_another_network_are_refused(trained: Path, tmp_path: Path) -> None:
    weights = load_file(trained / "model.safetensors")
    wrong = {
        "short": ({name: value for name, value in weights.items() if name != "2.bias"}, "it lacks 2.bias"),
        "long": (weights | {"4.bias": weights["2.bias"]}, "it has 4.bias"),
        "narrow": (weights | {"0.weight": weights["0.weight"][:1]}, r"0.weight is \(1, 784\)"),
        "no tensors": ({"0.weight": 1}, "holds no weights"),
    }
    for content, expected in wrong.values():
        torch.save(content, tmp_path / "wrong.pt")
        with pytest.raises(UserError, match=expected):
            fit.main(["fit", *SMALL, "--weights", str(tmp_path / "wrong.pt")])
    torch.save({"state_dict": Harm(tmp_path / "mark")}, tmp_path / "code.pt")
    with pytest.raises(UserError, match="not opened"):
        fit.main(["fit", *SMALL, "--weights", str(tmp_path / "code.pt")])
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("command", ["fit", "test", "validate", "predict"])
def test_a_choice_that_a_checkpoint_would_drop_is_refused(command: str, trained: Path) -> None:
    checkpoint = ("--ckpt_path", str(trained / "checkpoints/last.ckpt"), "--data.dataset=digits")
    with pytest.raises(UserError, match=r"model.lr is 0.05, and the network .* has 0.2.*--weights"):
        fit.main([command, *checkpoint, "--model.lr=0.05"])
    Path("other.yaml").write_text("model: {dropout: 0.5}")
    with pytest.raises(UserError, match=r"model.dropout is 0.5, and the network .* has 0.0"):
        fit.main([command, *checkpoint, "--config=other.yaml"])


def test_the_test_digits_may_be_left_for_later() -> None:
    fit.main(["fit", *SMALL, "--test=false"])
    report = json.loads(Path("runs/fit/version_0/report.json").read_text())
    assert "val_acc" in report
    assert "test_acc" not in report | final("runs/fit/version_0")


def test_other_loggers_write_beside_the_runs_own() -> None:
    table = ("--trainer.logger=CSVLogger", "--trainer.logger.save_dir=runs", "--trainer.logger.name=table")
    fit.main(["fit", *SMALL, *table])
    with Path("runs/table/version_0/metrics.csv").open() as file:
        last = [row["val_acc"] for row in csv.DictReader(file) if row["val_acc"]][-1]
    assert float(last) == pytest.approx(final("runs/fit/version_0")["val_acc"], rel=1e-5)


@pytest.mark.parametrize("trainer", [{"logger": False}, {"logger": False, "enable_checkpointing": False}, {}])
def test_nothing_is_written_beside_the_log_folder(trainer: dict[str, Any]) -> None:
    """The configuration may be called config.yaml, as the one that a run keeps."""
    config = yaml.safe_dump({"trainer": trainer})
    Path("config.yaml").write_text(config)
    fit.main(["fit", *SMALL, "--config=config.yaml"])
    assert Path("config.yaml").read_text() == config
    assert {path.name for path in Path().iterdir()} == {"config.yaml", "runs"}
    assert Path("runs/fit/version_0/report.json").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--trainer.max_epochs=-1 --trainer.max_time=00:00:00:02", "no step is the last"),
        ("--trainer.sync_batchnorm=true", "torch has it for GPUs only"),
        ("--trainer.strategy=ddp_spawn --trainer.accelerator=cpu --trainer.devices=2", "expected ddp"),
        ("--trainer.strategy=ddp_fork --trainer.accelerator=cpu --trainer.devices=2", "expected ddp"),
        ("--trainer.accumulate_grad_batches=0", "expected more than 0"),
        (f"--trainer.accumulate_grad_batches={10**20}", "below 2147483648"),
        ("--trainer.val_check_interval=0", "expected more than 0"),
        ("--trainer.check_val_every_n_epoch=0", "expected more than 0"),
        ("--trainer.max_steps=0", "expected 1 or more, or -1"),
        ("--trainer.max_epochs=-1", "no step is the last"),
        ("--trainer.limit_test_batches=0.3", "of 1 batches, which is none"),
        ("--trainer.profiler=xla", "which is for TPUs"),
        ("--seed_everything=-1", "expected 0 to 4294967295"),
        ("--data.val_count=5000", "expected 1 to 1,496"),
        ("--model.batch_norm=true --data.batch_size=1", "expected another size"),
        ("--model.batch_norm=true --data.batch_size=299", "leaves one digit to a batch"),
        ("--trainer.barebones=true", "expected false"),
        ("--checkpoint.monitor=val_accuracy", "ModelCheckpoint's monitor is val_accuracy; expected one of"),
        (
            "--patience=1 --trainer.limit_val_batches=0",
            "EarlyStopping's monitor is val_loss; expected one of",
        ),
        ("--trainer.callbacks=EarlyStopping", "EarlyStopping: the following arguments are required: monitor"),
        ("--trainer.logger=CSVLogger", "CSVLogger: the following arguments are required: save_dir"),
        ("--optimizer=NAdam --model.lr=0.1", "model.lr and optimizer are both given"),
        ("--lr_scheduler=StepLR --lr_scheduler.step_size=1", "expected --optimizer, too"),
        ("--optimizer=Muon", "Muon only supports 2D parameters"),
        ("--optimizer=SparseAdam", "SparseAdam takes sparse gradients"),
        (
            "--optimizer=SGD --lr_scheduler=ReduceLROnPlateau --lr_scheduler.monitor=loss",
            "lr_scheduler's monitor is loss; expected one of",
        ),
        ("--weights=nowhere.pt", "there is no file nowhere.pt"),
        ("--weights=a.pt --ckpt_path=CHECKPOINT", "ckpt_path and weights are both given"),
        ("--trainer.limit_val_batches=0.5", "0.5 of the `val_dataloader`"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused_before_training(options: str, expected: str, trained: Path) -> None:
    words = options.replace("CHECKPOINT", str(trained / "checkpoints/last.ckpt")).split()
    with pytest.raises(UserError, match=expected) as refusal:
        fit.main(["fit", *SMALL, *words])
    assert "\n" not in str(refusal.value)
    assert not any(path.is_file() for path in Path().rglob("*"))


# ---------------------------------------------------------------- files that are not ours


class Harm:
    """What unpickling it would do: leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("inside", [True, False], ids=["in torch's archive", "a bare pickle"])
def test_code_in_a_checkpoint_is_never_run(inside: bool, tmp_path: Path) -> None:
    mark, path = tmp_path / "it ran", tmp_path / "foreign.ckpt"
    content = {"state_dict": {}, "hyper_parameters": Harm(mark), "global_step": 1}
    if inside:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    for arguments in (["test", "--ckpt_path", str(path)], ["fit", *SMALL, "--ckpt_path", str(path)]):
        with pytest.raises(UserError, match="not opened" if inside else "damaged or no checkpoint"):
            fit.main(arguments)
    assert not mark.exists()
    torch.load(path, weights_only=False) if inside else pickle.loads(path.read_bytes())
    assert mark.exists()  # the pickle is a live one


def test_a_damaged_checkpoint_is_one_clear_line(trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    whole = (trained / "checkpoints/last.ckpt").read_bytes()
    for place in range(0, len(whole), len(whole) // 25):
        path.write_bytes(whole[:place])
        with pytest.raises(UserError, match="damaged or no checkpoint"):
            load_checkpoint(path)
    with pytest.raises(UserError, match="damaged or no checkpoint"):  # the last of these, on the command line
        fit.main(["test", "--ckpt_path", str(path)])
    weight = whole.index(weights_as_bytes(whole))
    path.write_bytes(whole[:weight] + bytes([whole[weight] ^ 1]) + whole[weight + 1 :])
    with pytest.raises(UserError, match="is damaged"):
        load_checkpoint(path)
    torch.save({"something": "else"}, path)
    with pytest.raises(UserError, match="no checkpoint of ours"):
        load_checkpoint(path)


def weights_as_bytes(checkpoint: bytes) -> bytes:
    weight = torch.load(io.BytesIO(checkpoint), weights_only=True)["state_dict"]["model.0.weight"]
    return weight.numpy().tobytes()


@pytest.mark.parametrize(
    "config",
    [
        {"log_dir": "ELSEWHERE"},
        {"name": "../../elsewhere"},
        {"checkpoint": {"dirpath": "ELSEWHERE"}},
        {"checkpoint": {"filename": "../../../../elsewhere"}},
        {"trainer": {"default_root_dir": "ELSEWHERE"}},
        {
            "trainer": {
                "callbacks": [{"class_path": "ModelCheckpoint", "init_args": {"dirpath": "ELSEWHERE"}}]
            }
        },
        {"trainer": {"logger": {"class_path": "CSVLogger", "init_args": {"save_dir": "ELSEWHERE"}}}},
    ],
    ids=str,
)
def test_a_configuration_writes_into_the_log_folder_only(config: dict[str, Any], tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    Path("foreign.yaml").write_text(yaml.safe_dump(config).replace("ELSEWHERE", str(elsewhere)))
    with pytest.raises(UserError, match="lies outside of the log folder"):
        fit.main(["fit", *SMALL, "--config", "foreign.yaml"])
    assert {path.name for path in tmp_path.iterdir()} == {"foreign.yaml"}


def test_what_stands_on_the_command_line_was_asked_for(tmp_path: Path) -> None:
    there = tmp_path / "there"
    fit.main(["fit", *SMALL, "--log.level=off", f"--log_dir={there}", "--trainer.max_epochs=1"])
    assert (there / "fit/version_0/model.safetensors").exists()


# ---------------------------------------------------------------- numbers that are not finite


def test_a_loss_that_is_not_finite_names_step_and_layer() -> None:
    told = r"the loss of step 2 is nan: layer 2.Linear gave the first non-finite value; .* try 1e\+07 \(less"
    with pytest.raises(UserError, match=told):
        fit.main(["fit", "--data.dataset", "digits", "--model.lr", "1e8"])


def test_float16_is_refused_on_a_cpu() -> None:
    with pytest.raises(UserError, match=r"trainer.precision is 16-mixed.*expected 32-true"):
        fit.main(["fit", *SMALL, "--trainer.precision", "16-mixed"])
