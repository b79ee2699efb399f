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
from curriculum.runs.catalogue import find
from curriculum.runs.events import EventLog
from models.jobs import mnist
from models.jobs.options import Options
from models.lightning import cli as fit
from models.lightning.arguments import RECIPES, complete
from models.lightning.checkpoint import load as load_checkpoint
from tests.support.commands import curriculum, curriculum_here, refused
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


@pytest.mark.parametrize("engine", ["torch", pytest.param("scratch", marks=pytest.mark.slow)])
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
    assert find(Path("runs")) == []
    assert Path("runs/fit/version_0/config.yaml").exists()


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
