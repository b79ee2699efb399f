"""One's own pictures, learned by every engine: as many outputs as classes, and every result says of what."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import FashionMNIST

from curriculum import UserError
from curriculum.data import load
from curriculum.own_data import whole
from curriculum.runs.events import EventLog, event_files
from models.jobs import mnist, read
from models.jobs.options import Options
from models.jobs.reader import of_run
from models.jobs.rerun import rerun
from models.lightning import cli as fit
from models.networks.torch_nn import TorchEngine
from models.records import manifest, pictures
from models.records.folder import RunFolder
from tests.support.commands import curriculum_here, refused
from tests.support.mnist import write_small_files
from tests.support.own_data import CLASSES, COUNT, KINDS, write_folders, write_npz
from tests.support.own_data import pictures as drawn
from tests.support.speed import fast
from tests.support.training import quiet
from tests.support.wrong_data import WRONG

FIVE = ("IDX", "IDX, packed", "npz", "CSV", "pictures")
TEN_WRONG = (
    "an empty folder", "text files", "a class missing", "a class in the test part alone", "one class",
    "sizes mixed", "one label too few", "cut off", "a word in a row", "text named png",
)  # fmt: skip
NAMED = ("$a_b$", "cats & dogs", "ä b")  # what figures, tags and tables could stumble over


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Pictures in folders, with names that are no digits."""
    folder = write_folders(tmp_path / "own")
    for part in ("train", "test"):
        for number, name in enumerate(NAMED):
            (folder / part / str(number)).rename(folder / part / name)
    return folder


def options(own: Path, **changes: Any) -> Options:
    return replace(Options(data=str(own), epochs=3, batch_size=10, engine="torch", log="basic"), **changes)


# ---------------------------------------------------------------- curriculum mnist


def test_three_engines_learn_it_and_say_what_it_was(own: Path) -> None:
    done = curriculum_here("mnist", "--data", "own", "--epochs", "3", "--batch-size", "10")
    assert done.returncode == 0, done.stderr
    sha256 = load(str(own)).sha256
    assert f"data: own, 50 to train, 10 to validate, 20 to test ({own})" in done.stdout
    assert "784–128–64–3" in done.stdout
    counts = "50 to train, 10 to validate, 20 to test"
    assert f"measured on: own, {counts} ({own}), SHA-256 {sha256}" in done.stdout
    for engine in ("scratch", "torch", "lightning"):
        folder = Path("runs/mnist") / engine / "version_0"
        report, known = (json.loads((folder / name).read_text()) for name in ("report.json", manifest.NAME))
        for facts in (report, known):
            assert (facts["data"], facts["data_sha256"], facts["data_source"]) == ("own", sha256, str(own))
            assert facts["pictures"] == {"train": 50, "val": 10, "test": 20}
        assert report["test_acc"] == 1.0
        assert report["sizes"] == [784, 128, 64, 3]
        assert known["options"]["data"] == str(own)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_learned_and_reads_its_own_pictures(kind: str, tmp_path: Path) -> None:
    own = KINDS[kind](tmp_path / "bars")
    (report,) = mnist.run(options(own, log="off"), quiet)
    assert report.val_acc == report.test_acc == 1.0
    reader = of_run(RunFolder(Path(report.folder)), None)
    assert reader.val_acc() == 1.0
    assert reader.data.classes == load(str(own)).classes
    files = pictures_of_the_test(tmp_path)
    readings = read.read({file: [whole(file)] for file in files}, reader)
    assert [reading.answers for reading in readings] == ["0", "1", "2"]


def pictures_of_the_test(folder: Path) -> list[Path]:
    """The first picture of each class, as files."""
    files = []
    for number, picture in enumerate(drawn(COUNT // 3, 1)[0][:CLASSES]):
        files.append(folder / f"{number}.png")
        Image.fromarray(picture).save(files[-1])
    return files


@pytest.mark.parametrize("kind", fast(FIVE, "pictures"))
def test_every_kind_is_fitted_shown_and_validated(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own = KINDS[kind](tmp_path / "bars")
    run = fit.main(["fit", *FIT, "--log.level=full", "--data.dataset", str(own)])
    assert run is not None
    assert json.loads((run / "report.json").read_text())["data_source"] == str(own)
    text = b"".join(path.read_bytes() for path in event_files(run))
    for name in load(str(own)).classes:
        assert f"pr/{name}".encode() in text
    capfd.readouterr()
    fit.main(["validate", "--ckpt_path", str(run / "checkpoints/last.ckpt")])
    said = capfd.readouterr().out
    assert "100.00%" in said
    assert f", 10 to validate ({own}), SHA-256 {load(str(own)).sha256}" in said


def test_a_network_of_other_classes_reads_pictures_by_their_names(own: Path, tmp_path: Path) -> None:
    mnist.run(options(own), quiet)
    picture = Image.new("L", (200, 200), "white")
    picture.paste("black", (60, 90, 140, 110))
    picture.save(tmp_path / "bar.png")
    done = curriculum_here("read", "bar.png", "--run", "torch")
    assert done.returncode == 0, done.stderr
    assert "learned from own" in done.stdout
    assert "those of own may have been made in another way: --as-is feeds them whole" in done.stderr
    assert re.search(rf"({'|'.join(NAMED)}) \(\d+\.\d%\), second guess ({'|'.join(NAMED)}) ", done.stdout)
    told = json.loads(curriculum_here("read", "bar.png", "--run", "torch", "--json").stdout)
    assert told["pictures"][0]["symbols"][0]["name"] in NAMED
    assert (told["data_source"], told["data_pictures"]) == (str(own), {"val": 10})


def test_pictures_like_those_it_learned_are_read_whole(own: Path, tmp_path: Path) -> None:
    mnist.run(options(own), quiet)
    files = list(map(str, pictures_of_the_test(tmp_path)))
    assert "or --as-is to feed the picture whole" in curriculum_here("read", *files, "--run", "torch").stderr
    done = curriculum_here("read", *files, "--as-is", "--run", "torch")
    assert done.returncode == 0, done.stderr
    for file, name in zip(files, NAMED, strict=True):
        assert f"{file}: {name}\n" in done.stdout
    assert done.stderr == ""
    (page,) = Path("runs/read").rglob("read.html")
    assert page.read_text(encoding="utf-8").count("<figure>") == 2 * len(files)
    assert "there is no picture gone.png" in refused(curriculum_here("read", "gone.png", "--as-is"))


def test_the_engines_keep_step_on_own_data(own: Path) -> None:
    assert "is more than the 50 examples" in refused(curriculum_here("parity", "--data", "own"))
    done = curriculum_here("parity", "--data", "own", "--batch-size", "10")
    assert done.returncode == 0, done.stderr
    assert f"data: own, 50 to train ({own})" in done.stdout


def test_the_log_follows_the_classes(own: Path) -> None:
    (report,) = mnist.run(options(own, log="full", epochs=1), quiet)
    (labels,) = Path(report.folder).rglob("metadata.tsv")
    assert set(labels.read_text(encoding="utf-8").split("\n")) <= {*NAMED, ""}
    text = b"".join(path.read_bytes() for path in Path(report.folder).glob("events*"))
    for tag in [*(f"pr/{name}".encode() for name in NAMED), b"answers/confusion"]:
        assert tag in text
    assert b"pr/3" not in text


def test_a_confusion_matrix_bears_the_names_of_many_classes() -> None:
    names = [f"$x^{number}" for number in range(47)]
    figure = pictures.confusion(torch.eye(47), torch.arange(47).flip(0), names)
    assert figure.axes[0].get_xticklabels()[46].get_text() == r"\$x^46"
    figure.savefig("figure.png")


def test_what_is_no_data_is_refused_at_once(own: Path, tmp_path: Path) -> None:
    for command in ("mnist", "parity"):
        said = refused(curriculum_here(command, "--data", "nosuch"))
        assert "there is no nosuch; expected auto, mnist, digits, fashion, " in said
    assert "the recipes of bench are for digits" in refused(curriculum_here("bench", "--data", "own"))


@pytest.mark.parametrize("kind", fast(TEN_WRONG, "a class missing", "cut off"))
def test_wrong_data_is_one_line_before_anything_is_made(kind: str, tmp_path: Path) -> None:
    make, expected = WRONG[kind]
    (tmp_path / "wrong").mkdir()
    source = make(tmp_path / "wrong")
    said = refused(curriculum_here("mnist", "--data", str(source)))
    assert re.search(expected, said)
    with pytest.raises(UserError, match=expected) as error:
        fit.main(["fit", *FIT, "--data.dataset", str(source)])
    assert "\n" not in str(error.value)
    assert not Path("runs").exists()


# ---------------------------------------------------------------- the same data again


def change(path: Path) -> None:
    images, labels = drawn(COUNT, 5)
    np.savez(path, x_train=images, y_train=labels)


def test_a_stopped_run_goes_on_with_the_same_data_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = write_npz(tmp_path / "own")
    as_it_was = own.read_bytes()
    step = TorchEngine.step
    taken: list[None] = []

    def killed_at_the_seventh(*args: Any) -> Any:
        taken.append(None)
        if len(taken) == 7:
            raise KeyboardInterrupt
        return step(*args)

    monkeypatch.setattr(TorchEngine, "step", killed_at_the_seventh)
    with pytest.raises(KeyboardInterrupt):
        mnist.run(options(own), quiet)
    monkeypatch.setattr(TorchEngine, "step", step)
    change(own)
    with pytest.raises(UserError, match=r"the run learned from own .*bring the same data back"):
        mnist.run(mnist.unfinished(Path("runs"))[0], quiet, mnist.unfinished(Path("runs"))[1])
    own.write_bytes(as_it_was)
    monkeypatch.chdir(tmp_path / "own")
    stopped, folders = mnist.unfinished(tmp_path / "runs")
    (report,) = mnist.run(stopped, quiet, folders)
    assert report.test_acc == 1.0


@pytest.mark.parametrize("job", ["mnist", "fit"])
def test_a_run_is_done_again_with_the_same_data_alone(job: str, tmp_path: Path) -> None:
    own = write_npz(tmp_path / "own")
    if job == "mnist":
        (report,) = mnist.run(options(own), quiet)
        run = Path(report.folder)
    else:
        found = fit.main(["fit", *FIT, "--data.dataset", "own/own.npz"])
        assert found is not None
        run = found
    assert rerun(run, Path("runs"), quiet) == []
    change(own)
    with pytest.raises(UserError, match="the run learned from own with the SHA-256"):
        rerun(run, Path("runs"), quiet)


# ---------------------------------------------------------------- curriculum fit

FIT = (
    "--data.batch_size=10", "--trainer.max_epochs=3", "--trainer.enable_progress_bar=false",
    "--log.level=basic",
)  # fmt: skip


def test_fit_has_an_output_for_each_class(own: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = fit.main(["fit", *FIT, "--data.dataset", "own"])
    assert run is not None
    said = capfd.readouterr().out
    sha256 = load(str(own)).sha256
    assert "784–128–64–3" in said
    assert f"own, 50 to train, 10 to validate, 20 to test ({own}), SHA-256 {sha256}" in said
    report = json.loads((run / "report.json").read_text())
    assert (report["data_sha256"], report["data_source"], report["test_acc"]) == (sha256, str(own), 1.0)
    assert EventLog.read(run).final()["test_acc"] == 1.0
    checkpoint = str(run / "checkpoints/last.ckpt")
    fit.main(["test", "--data.dataset", "own", "--ckpt_path", checkpoint])
    said = capfd.readouterr().out
    assert "100.00%" in said
    assert f"measured on:              own, 20 to test ({own}), SHA-256 {sha256}" in said
    fit.main(["predict", "--data.dataset", "own", "--ckpt_path", checkpoint])
    assert f"read: own, 20 to test ({own}), SHA-256 {sha256}: " in capfd.readouterr().out
    about = json.loads(Path("runs/predict/version_0/predictions.json").read_text())
    assert about == {
        "data": "own", "data_sha256": sha256, "data_source": str(own), "pictures": {"test": 20},
    }  # fmt: skip
    lines = Path("runs/predict/version_0/predictions.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "index,class,probability"
    answers = [line.split(",")[1] for line in lines[1:]]
    assert answers == [name for name, count in zip(NAMED, (7, 7, 6), strict=True) for _ in range(count)]


@pytest.mark.parametrize("sizes", ["[784,20,3]", "[784,3]"])
def test_sizes_that_fit_are_kept(own: Path, sizes: str) -> None:
    run = fit.main(["fit", *FIT, "--data.dataset", "own", f"--model.sizes={sizes}"])
    assert run is not None
    assert manifest.read(run)["options"]["sizes"] == json.loads(sizes)


@pytest.mark.parametrize("more", [["--model.sizes=[784,128,64,10]"], ["--config", "nielsen_30"]])
def test_sizes_that_do_not_fit_are_one_line(own: Path, more: list[str]) -> None:
    with pytest.raises(UserError, match=r"ends with 10; expected 784 pixels and 3 classes of own"):
        fit.main(["fit", *FIT, "--data.dataset", "own", *more])


def test_a_network_of_other_classes_is_refused(own: Path) -> None:
    run = fit.main(["fit", *FIT, "--data.dataset", "own"])
    assert run is not None
    checkpoint = str(run / "checkpoints/last.ckpt")
    with pytest.raises(UserError, match="ends with 3; expected 784 pixels and 10 digits"):
        fit.main(["test", "--data.dataset", "digits", "--ckpt_path", checkpoint])


def test_fit_refuses_what_is_no_data() -> None:
    with pytest.raises(UserError, match=r"there is no .*nosuch; expected auto, mnist, digits"):
        fit.main(["fit", *FIT, "--data.dataset", "nosuch"])


def test_predict_reads_no_other_digits_than_those_that_lie_there(own: Path) -> None:
    """The data of `--data.data_dir` are used, or named; never silently others."""
    run = fit.main(["fit", *FIT, "--data.dataset", "digits"])
    assert run is not None
    KINDS["IDX, packed"](Path("there/MNIST/raw"))
    with pytest.raises(
        UserError, match=r"60 pictures to train, in 3 classes, which --data .*there/MNIST/raw takes"
    ):
        fit.main(["predict", "--data.data_dir", "there", "--ckpt_path", str(run / "checkpoints/last.ckpt")])


# ---------------------------------------------------------------- data sets by name


@pytest.fixture
def fashion(offline: Path, tmp_path: Path) -> Path:
    """Small files in the place of Fashion-MNIST, where no data set is looked for by itself."""
    folder = tmp_path / "there" / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    write_small_files(folder)
    return folder


def test_a_named_data_set_and_its_classes_go_with_the_run(
    fashion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is found again where the run found it, and what has changed there is not taken for it."""
    run = fit.main(["fit", *FIT, "--log.level=full", "--data.dataset=fashion", "--data.data_dir=there"])
    assert run is not None
    assert "Fashion-MNIST, 167 to train, 33 to validate, 50 to test (" in capfd.readouterr().out
    text = b"".join(path.read_bytes() for path in event_files(run))
    assert b"pr/Ankle boot" in text
    run = run.absolute()
    checkpoint = ("--ckpt_path", str(run / "checkpoints/last.ckpt"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    fit.main(["predict", *checkpoint])
    lines = Path("runs/predict/version_0/predictions.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "index,class,probability"
    assert {line.split(",")[1] for line in lines[1:]} <= set(FashionMNIST.classes)
    assert of_run(RunFolder(run), None).data.classes == tuple(FashionMNIST.classes)
    labels = fashion / "train-labels-idx1-ubyte"
    content = labels.read_bytes()
    labels.write_bytes(content[:-1] + bytes([(content[-1] + 1) % 10]))
    with pytest.raises(UserError, match="the run learned from Fashion-MNIST with the SHA-256"):
        fit.main(["test", *checkpoint])
    monkeypatch.chdir(tmp_path)  # its configuration names the folder as it was typed
    with pytest.raises(UserError, match="the run learned from Fashion-MNIST with the SHA-256"):
        rerun(run, Path("runs"), quiet)


def test_the_engines_keep_step_on_a_named_data_set(fashion: Path) -> None:
    done = curriculum_here("parity", "--data", "fashion", "--data-dir", "there")
    assert done.returncode == 0, done.stderr
    assert f"data: Fashion-MNIST, 167 to train ({fashion})" in done.stdout
    said = refused(curriculum_here("parity", "--data", "kmnist"))
    assert "Kuzushiji-MNIST was looked for in" in said
    assert "not for fashion" in refused(curriculum_here("bench", "--data", "fashion"))
