"""A run that was stopped, by whatever and whenever, ends with the bits of one that was not."""

import contextlib
import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard import SummaryWriter

from curriculum import Stopped, UserError, files
from curriculum.runs import tensorboard
from curriculum.runs.events import EventLog, event_files
from models.jobs import mnist
from models.jobs.options import Options
from models.jobs.rerun import differences
from models.lightning import cli as fit
from models.lightning.checkpoint import KeepLast
from models.lightning.log import LogRun, LossRecorder
from models.lightning.module import MLPModule
from models.networks.scratch import ScratchEngine
from models.networks.torch_nn import TorchEngine
from models.records import checkpoint
from models.records.folder import RunFolder
from models.records.resume import BEGINNING, Mark, alone, log_sizes, take_back
from models.records.stop import Stop
from tests.support.commands import curriculum
from tests.support.own_data import write_idx
from tests.support.speed import fast
from tests.support.training import quiet

STEPS = 19  # in an epoch of the offline digits
OPTIONS = Options(data="digits", epochs=3, log="basic")
FIT = (
    "--data.dataset=digits", "--data.augment=elastic", "--model.sizes=[784,16,10]", "--model.dropout=0.3",
    "--model.batch_norm=true", "--model.optimizer=adam", "--model.lr=0.01", "--model.max_norm=1",
    "--trainer.max_epochs=3", "--log.level=basic", "--trainer.enable_progress_bar=false",
)  # fmt: skip


class Killed(BaseException):
    """In the place of SIGKILL: nobody catches it to save anything."""


def before_each_step(act: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something happen at the beginning of every step of whichever engine learns."""

    def acting(method: Any) -> Any:
        def inner(*args: Any, **kwargs: Any) -> Any:
            act()
            return method(*args, **kwargs)

        return inner

    monkeypatch.setattr(ScratchEngine, "step", acting(ScratchEngine.step))
    monkeypatch.setattr(TorchEngine, "step", acting(TorchEngine.step))
    monkeypatch.setattr(MLPModule, "training_step", acting(MLPModule.training_step))


def counted_steps(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """A list that grows with every step."""
    taken: list[None] = []
    before_each_step(lambda: taken.append(None), monkeypatch)
    return taken


def at_step(step: int, act: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something happen within that step, once."""
    numbers = itertools.count()

    def act_there() -> None:
        if next(numbers) == step:
            act()

    before_each_step(act_there, monkeypatch)


def kill() -> None:
    raise Killed


def terminate() -> None:
    signal.raise_signal(signal.SIGTERM)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of runs that nobody stopped."""
    folder = tmp_path_factory.mktemp("whole")
    reports = mnist.run(replace(OPTIONS, log_dir=folder), quiet)
    return {report.engine: Path(report.folder) for report in reports}


@pytest.mark.parametrize("engine", ["scratch", "torch", "lightning"])
@pytest.mark.parametrize("step", [0, STEPS + 7, 3 * STEPS - 1])
def test_a_killed_run_goes_on_to_the_same_bits(
    engine: str, step: int, whole: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        at_step(step, kill, patch)
        with pytest.raises(Killed):
            mnist.run(replace(OPTIONS, engine=engine, log_dir=tmp_path), quiet)
    options, folders = mnist.unfinished(tmp_path)
    with monkeypatch.context() as patch:
        taken = counted_steps(patch)
        (report,) = mnist.run(options, quiet, folders)
    saved = step // STEPS * STEPS  # whole epochs are not learned again
    assert len(taken) == 3 * STEPS - saved
    assert differences(whole[engine], Path(report.folder)) == []
    assert not list(Path(report.folder).glob("*checkpoint*"))


@pytest.mark.parametrize("engine", ["scratch", "torch", "lightning"])
@pytest.mark.parametrize("step", [9, STEPS - 2, STEPS - 1])
def test_a_stopped_run_loses_no_step(
    engine: str, step: int, whole: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM during a step: the step is finished, saved, and not taken again."""
    with monkeypatch.context() as patch:
        at_step(step, terminate, patch)
        with pytest.raises(Stopped, match="go on with: curriculum mnist --resume") as told:
            mnist.run(replace(OPTIONS, engine=engine, log_dir=tmp_path), quiet)
    assert told.value.code == 128 + signal.SIGTERM
    assert f"{step + 1} steps" in str(told.value)
    options, folders = mnist.unfinished(tmp_path)
    with monkeypatch.context() as patch:
        taken = counted_steps(patch)
        (report,) = mnist.run(options, quiet, folders)
    assert len(taken) == 3 * STEPS - (step + 1)
    assert differences(whole[engine], Path(report.folder)) == []


@pytest.mark.parametrize("step", [3 * STEPS + 25, 6 * STEPS + 25], ids=["of torch", "of lightning"])
def test_engines_that_were_through_do_not_learn_again(
    step: int, whole: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the second epoch of another engine. The differences are those of a run in peace."""
    with monkeypatch.context() as patch:
        at_step(step, kill, patch)
        with pytest.raises(Killed):
            mnist.run(replace(OPTIONS, log_dir=tmp_path), quiet)
    monkeypatch.setattr(ScratchEngine, "step", kill)
    options, folders = mnist.unfinished(tmp_path)
    for report in mnist.run(options, quiet, folders):
        assert differences(whole[report.engine], Path(report.folder)) == []
        in_peace = json.loads((whole[report.engine] / "report.json").read_text())
        assert report.loss_difference == in_peace["loss_difference"]
        assert report.weight_difference == in_peace["weight_difference"]


def test_a_kill_between_two_reports_leaves_a_run_that_goes_on(
    whole: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = RunFolder.finish

    def killed_at_the_second(folder: RunFolder, *results: Any) -> None:
        if folder.path.parent.name == "torch":
            raise Killed
        finish(folder, *results)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "finish", killed_at_the_second)
        with pytest.raises(Killed):
            mnist.run(replace(OPTIONS, log_dir=tmp_path), quiet)
    monkeypatch.setattr(ScratchEngine, "step", kill)  # all were through: nothing is learned again
    monkeypatch.setattr(TorchEngine, "step", kill)
    options, folders = mnist.unfinished(tmp_path)
    for report in mnist.run(options, quiet, folders):
        assert differences(whole[report.engine], Path(report.folder)) == []


def test_the_log_on_the_disk_is_as_far_as_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a kill would lose points that no run writes again. TensorBoard writes in a thread of its own."""
    write = RecordWriter.write
    seen: dict[str, list[int]] = {}

    def write_slowly(writer: RecordWriter, record: bytes) -> None:
        time.sleep(0.1)
        write(writer, record)

    def look() -> None:
        log = EventLog.read(tmp_path / "mnist/scratch/version_0")
        seen.update({tag: [point.step for point in points] for tag, points in log.scalars.items()})
        raise Killed

    monkeypatch.setattr(RecordWriter, "write", write_slowly)
    at_step(STEPS, look, monkeypatch)  # the checkpoint of the first epoch is written
    with pytest.raises(Killed):
        mnist.run(replace(OPTIONS, engine="scratch", log_dir=tmp_path), quiet)
    assert seen["train_loss"] == [9]
    assert seen["val_acc"] == [STEPS - 1]


def test_the_seconds_of_a_run_that_went_on_are_all_of_its_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        at_step(STEPS, kill, patch)
        with pytest.raises(Killed):
            mnist.run(replace(OPTIONS, engine="scratch", log_dir=tmp_path), quiet)
    options, folders = mnist.unfinished(tmp_path)
    path = folders["scratch"].checkpoint
    state = checkpoint.load_state(path)
    assert state is not None
    checkpoint.save_state(path, replace(state, seconds=1000.0))
    (report,) = mnist.run(options, quiet, folders)
    assert 1000 < report.train_seconds < 2000


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["curriculum"])


@pytest.fixture(scope="module")
def whole_fit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit with all that has a state: dropout, running averages, Adam, distortions, a schedule."""
    folder = tmp_path_factory.mktemp("fit")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["curriculum"])
        fit.main(["fit", f"--log_dir={folder}", *FIT])
    return folder / "fit/version_0"


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    ("step", "act"),
    [(0, kill), (STEPS + 9, kill), (STEPS - 2, terminate), (STEPS - 1, terminate), (STEPS + 9, terminate)],
)
def test_a_fit_goes_on_to_the_same_bits(
    act: Callable[[], None], step: int, whole_fit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        at_step(step, act, patch)
        with pytest.raises((Killed, Stopped)):
            fit.main(["fit", *FIT])
    fit.main(["fit", "--resume"])
    assert differences(whole_fit, Path("runs/fit/version_0")) == []
    with pytest.raises(UserError, match="no run of fit in runs was stopped"):
        fit.main(["fit", "--resume"])
    for resumed in (["--resume", "runs/fit/version_0"], ["--resume=runs/fit/version_0"]):
        with pytest.raises(UserError, match="it is finished"):
            fit.main(["fit", *resumed])


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    ("step", "act"), [(STEPS + 5, kill), (STEPS + 5, terminate), (2 * STEPS - 2, terminate)]
)
def test_a_stop_beside_a_validation_within_an_epoch_is_counted_once(
    step: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop comes in a step that a validation follows, the last time before the last batch of an epoch."""
    by_sixes = (*FIT, "--trainer.val_check_interval=6", "--name=sixes")
    fit.main(["fit", *by_sixes])
    with monkeypatch.context() as patch:
        at_step(step, act, patch)
        with pytest.raises((Killed, Stopped)):
            fit.main(["fit", *by_sixes])
    fit.main(["fit", "--resume"])
    assert differences(Path("runs/sixes/version_0"), Path("runs/sixes/version_1")) == []


@pytest.mark.usefixtures("_here")
def test_a_stop_before_the_first_step_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning listens there, and would end with exit code 0."""
    monkeypatch.setattr(KeepLast, "on_train_start", lambda *_: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(Stopped, match="stopped before a step was taken; begin again") as told:
        fit.main(["fit", *FIT])
    assert told.value.code == 128 + signal.SIGTERM


BY_THREES = (*FIT, "--trainer.accumulate_grad_batches=3", "--name=threes")


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("act", [kill, terminate])
@pytest.mark.parametrize("batch", fast([STEPS + 3, STEPS + 4], STEPS + 4))
def test_a_stop_between_two_accumulated_batches_loses_nothing(
    batch: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fit.main(["fit", *BY_THREES])
    with monkeypatch.context() as patch:
        at_step(batch, act, patch)
        with pytest.raises((Killed, Stopped)):
            fit.main(["fit", *BY_THREES])
    fit.main(["fit", "--resume"])
    assert differences(Path("runs/threes/version_0"), Path("runs/threes/version_1")) == []


@pytest.mark.usefixtures("_here")
def test_a_fit_does_not_go_on_with_other_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """The files at the path were exchanged between the stop and the way on."""
    own = write_idx(Path("own"))
    with monkeypatch.context() as patch:
        at_step(3, terminate, patch)
        with pytest.raises(Stopped):
            fit.main(
                ["fit", *FIT, f"--data.dataset={own}", "--data.batch_size=10", "--model.sizes=[784,16,3]"]
            )
    labels = own / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + bytes([0]))
    with pytest.raises(UserError, match="bring the same data back, or begin a new run"):
        fit.main(["fit", "--resume"])


@pytest.mark.usefixtures("_here")
def test_outside_of_training_ctrl_c_ends_a_fit_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing would be saved there, so nothing takes note and goes on."""
    before, heard = signal.getsignal(signal.SIGINT), []

    def hear(_: fit.DigitsCLI) -> None:
        heard.append(signal.getsignal(signal.SIGINT))

    for moment in ("before_fit", "after_fit"):
        monkeypatch.setattr(fit.DigitsCLI, moment, hear, raising=False)
    fit.main(["fit", *FIT])
    assert heard == [before, before]


@pytest.mark.slow
def test_two_processes_go_on_to_the_same_bits(tmp_path: Path) -> None:
    """DDP with dropout, whose masks differ between the processes; SIGTERM reaches only the first."""
    common = (*FIT, "--trainer.strategy=ddp", "--trainer.devices=2")
    assert curriculum("fit", "--name", "whole", *common, cwd=tmp_path).returncode == 0
    code = (
        "import signal; from models.lightning.module import MLPModule; step = MLPModule.training_step\n"
        "def stopped(self, batch, batch_idx):\n"
        "    at = self.trainer.global_step, self.global_rank\n"
        "    if at == (27, 0): signal.raise_signal(signal.SIGTERM)\n"
        "    return step(self, batch, batch_idx)\n"
        "MLPModule.training_step = stopped; from curriculum.cli.main import main; main()\n"
    )
    (tmp_path / "stopped.py").write_text(code)
    command = [sys.executable, "stopped.py", "fit", "--name", "two", *common]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=170)
    assert (done.returncode, "go on with: curriculum fit --resume" in done.stderr) == (143, True), done.stderr
    done = curriculum("fit", "--resume", cwd=tmp_path)
    assert (done.returncode, "arning" in done.stderr) == (0, False), done.stderr
    assert differences(*(tmp_path / "runs" / name / "version_0" for name in ("whole", "two"))) == []


# ---------------------------------------------------------------- what belongs to a run


def stopped_fit(monkeypatch: pytest.MonkeyPatch, *options: str, step: int = STEPS + 9) -> Path:
    """The folder of a fit that was killed within that step."""
    with monkeypatch.context() as patch:
        at_step(step, kill, patch)
        with pytest.raises(Killed):
            fit.main(["fit", *FIT, *options])
    (manifest,) = Path("runs").rglob("manifest.json")
    return manifest.parent


def assert_as_in_peace(run: Path, *options: str) -> None:
    """Bits, curves and the names of the checkpoints are those of the same fit, which nobody stopped."""
    fit.main(["fit", *FIT, *options, "--name=whole"])
    whole = Path("runs/whole/version_0")
    assert differences(whole, run) == []
    names = [sorted(path.name for path in (of / "checkpoints").iterdir()) for of in (whole, run)]
    assert names[0] == names[1]


DOUBLE = ("--trainer.precision=64-true",)
EVERY_SECOND = ("--trainer.check_val_every_n_epoch=2", "--trainer.max_steps=50")
AVERAGES = ("--trainer.callbacks=StochasticWeightAveraging", "--trainer.callbacks.swa_lrs=0.01")


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    "options",
    fast(
        [
            DOUBLE,
            ("--checkpoint.save_top_k=2", "--trainer.max_steps=50"),
            EVERY_SECOND,
            ("--patience=1",),
            ("--trainer.callbacks=EMAWeightAveraging",),
            ("--model.batch_norm=false", *AVERAGES),
        ],
        DOUBLE,
        EVERY_SECOND,
    ),
    ids=lambda options: options[-1].rpartition(".")[2],
)
def test_what_else_has_a_state_goes_on(options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    run = stopped_fit(monkeypatch, *options)
    fit.main(["fit", "--resume"])
    assert_as_in_peace(run, *options)


PLATEAU = (
    "--data.dataset=digits", "--model.sizes=[784,16,10]", "--trainer.max_epochs=4", "--log.level=basic",
    "--optimizer=SGD", "--optimizer.lr=0.1", "--lr_scheduler=ReduceLROnPlateau",
    "--lr_scheduler.monitor=val_loss", "--lr_scheduler.patience=0", "--lr_scheduler.threshold=0.5",
    "--trainer.enable_progress_bar=false",
)  # fmt: skip


@pytest.mark.usefixtures("_here")
def test_a_rate_that_waits_for_progress_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in the epoch after the one at whose end it was to be lowered."""
    with monkeypatch.context() as patch:
        at_step(2 * STEPS + 3, kill, patch)
        with pytest.raises(Killed):
            fit.main(["fit", *PLATEAU])
    fit.main(["fit", "--resume"])
    fit.main(["fit", *PLATEAU, "--name=whole"])
    assert differences(Path("runs/whole/version_0"), Path("runs/fit/version_0")) == []
    rates = {point.value for point in EventLog.read(Path("runs/whole/version_0")).scalars["lr"]}
    assert len(rates) > 1


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("what", fast(["ckpt_path", "weights"], "weights"))
def test_before_its_first_checkpoint_it_goes_on_from_what_it_was_to_begin_with(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit.main(["fit", *FIT, "--log_dir=first", "--trainer.max_epochs=1"])
    from_first = f"--{what}=first/fit/version_0/checkpoints/last.ckpt"
    run = stopped_fit(monkeypatch, from_first, step=3)
    fit.main(["fit", "--resume"])
    assert_as_in_peace(run, from_first)


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("which", fast([1, 2], 2))
def test_between_the_best_checkpoint_and_the_last_nothing_is_lost_or_doubled(
    which: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed when the best of an epoch is written, and the last one is not."""
    save = KeepLast._save
    count = itertools.count(1)

    def killed(keep: KeepLast, trainer: Any) -> None:
        if next(count) == which:
            raise Killed
        save(keep, trainer)

    with monkeypatch.context() as patch:
        patch.setattr(KeepLast, "_save", killed)
        with pytest.raises(Killed):
            fit.main(["fit", *FIT])
    fit.main(["fit", "--resume"])
    assert_as_in_peace(Path("runs/fit/version_0"))


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("moment", fast(["finish", "after the finish"], "finish"))
def test_the_end_of_a_log_is_made_up_for(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed when all steps are taken, before hyperparameters and pictures are written, or after."""
    full = [*FIT[:-2], "--log.level=full", FIT[-1]]
    finish = LogRun.finish

    def killed(log: LogRun, *arguments: Any) -> None:
        if moment != "finish":
            finish(log, *arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(LogRun, "finish", killed)
        with pytest.raises(Killed):
            fit.main(["fit", *full])
    fit.main(["fit", "--resume"])
    fit.main(["fit", *full, "--name=whole"])
    whole, run = (EventLog.read(Path(f"runs/{name}/version_0")) for name in ("whole", "fit"))
    assert run.hparams == whole.hparams != {}
    counted = [{tag: len(images) for tag, images in log.images.items()} for log in (whole, run)]
    assert counted[0] == counted[1]
    assert differences(whole.run, run.run) == []
    embeddings = [(log.run / "projector_config.pbtxt").read_text() for log in (whole, run)]
    assert embeddings[0] == embeddings[1]


@pytest.mark.usefixtures("_here")
def test_averages_are_taken_at_an_end_that_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    averages = "--trainer.callbacks=EMAWeightAveraging"
    with monkeypatch.context() as patch:
        patch.setattr(EMAWeightAveraging, "on_train_end", lambda *_: kill())
        with pytest.raises(Killed):
            fit.main(["fit", *FIT, averages])
    fit.main(["fit", "--resume"])
    assert_as_in_peace(Path("runs/fit/version_0"), averages)


@pytest.mark.parametrize("tells", [True, False])
def test_a_log_is_cut_where_the_checkpoint_found_it(tells: bool, tmp_path: Path) -> None:
    """Whoever reads the file sees no later event. Older checkpoints tell only the step."""
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(10):
            if step == 6:
                writer.flush()
                sizes = log_sizes(tmp_path)
            writer.add_scalar("loss", step, step)
    (file,) = event_files(tmp_path)
    take_back(tmp_path, Mark(6, sizes if tells else None))
    assert file.stat().st_size == sizes[file.name]
    assert [point.step for point in EventLog.read(tmp_path).scalars["loss"]] == [0, 1, 2, 3, 4, 5]


@pytest.mark.usefixtures("_here")
def test_tensorboards_own_server_shows_no_step_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    run = stopped_fit(monkeypatch, step=3 * STEPS - 2)
    fit.main(["fit", "--resume"])
    url = tensorboard.start(Path("runs"))
    steps = over_http(url, run.relative_to("runs").as_posix(), "train_loss", expected=5)
    assert steps == [9, 19, 29, 39, 49]


def over_http(url: str, run: str, tag: str, expected: int) -> list[int]:
    """The steps of a curve as a browser gets them, when there are as many as expected."""
    query = urllib.parse.urlencode({"run": run, "tag": tag})
    steps: list[int] = []
    for _ in range(60):
        with contextlib.suppress(urllib.error.HTTPError):  # not read yet
            with urllib.request.urlopen(f"{url}data/plugin/scalars/scalars?{query}") as answer:
                steps = [point[1] for point in json.load(answer)]
            if len(steps) >= expected:
                break
        time.sleep(0.25)
    return steps


def resume_mnist() -> None:
    options, folders = mnist.unfinished(Path("runs"))
    mnist.run(options, quiet, folders)


BEGIN: dict[str, Callable[[], Any]] = {
    "fit": lambda: fit.main(["fit", *FIT]),
    "mnist": lambda: mnist.run(replace(OPTIONS, engine="torch"), quiet),
}
GO_ON: dict[str, Callable[[], Any]] = {"fit": lambda: fit.main(["fit", "--resume"]), "mnist": resume_mnist}


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("job", ["fit", "mnist"])
def test_a_run_is_not_taken_up_while_somebody_is_at_work_on_it(
    job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        at_step(STEPS + 1, kill, patch)
        with pytest.raises(Killed):
            BEGIN[job]()
    run = next(Path("runs").rglob("manifest.json")).parent
    before = sorted(path.name for path in run.rglob("*"))
    with alone(run), pytest.raises(UserError, match=r"another process is at work on .*version_0; wait until"):
        GO_ON[job]()
    assert sorted(path.name for path in run.rglob("*")) == before


@pytest.mark.usefixtures("_here")
def test_it_goes_on_with_the_threads_and_the_data_that_it_began_with(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = stopped_fit(monkeypatch)
    known = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(known | {"threads": 2, "machine": "a Cray"}))
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    fit.main(["fit", "--resume"])
    assert asked[0] == 2
    assert "note: the last bits may differ: the run began with machine a Cray, now" in capfd.readouterr().err


@pytest.mark.usefixtures("_here")
def test_it_does_not_go_on_with_the_data_that_is_there_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begun on MNIST, and now it is not to be found."""
    run = stopped_fit(monkeypatch, "--data.dataset=auto")
    known = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(known | {"data": "MNIST", "data_sha256": "0" * 64}))
    with pytest.raises(UserError, match=r"learned from MNIST with the SHA-256 000.* bring the same"):
        fit.main(["fit", "--resume"])


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    "logger",
    [(), ("TensorBoardLogger", "save_dir=runs", "name=mine", "version=second try")],
    ids=["own", "chosen"],
)
def test_a_folder_that_was_moved_goes_on_where_it_lies(
    logger: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = [f"--trainer.logger={logger[0]}"] if logger else []
    chosen += [f"--trainer.logger.{part}" for part in logger[1:]]
    run = stopped_fit(monkeypatch, *chosen)
    Path("runs").rename("my runs")
    fit.main(["fit", "--log_dir", "my runs", "--resume"])
    assert not Path("runs").exists()
    Path("my runs").rename("runs")
    assert (run / "report.json").exists()
    assert_as_in_peace(run)


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("name", fast(["my run", "exp/a", "it's; mine"], "it's; mine"))
def test_the_command_that_it_names_can_be_pasted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        at_step(3, terminate, patch)
        with pytest.raises(Stopped) as told:
            fit.main(["fit", *FIT, f"--name={name}"])
    pasted = str(told.value).partition("go on with: curriculum ")[2]
    fit.main(shlex.split(pasted))
    assert Path(f"runs/{name}/version_0/report.json").exists()


@pytest.mark.usefixtures("_here")
def test_a_run_is_named_from_within_its_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    run = stopped_fit(monkeypatch).absolute()
    monkeypatch.chdir(run.parent)
    fit.main(["fit", "--resume", "version_0"])
    assert (run / "report.json").exists()


def test_engines_of_a_manifest_are_names_of_engines(tmp_path: Path) -> None:
    """It may be somebody else's: no engine leads out of the folder."""
    run = tmp_path / "mnist/scratch/version_0"
    run.mkdir(parents=True)
    for engines in (["../../../escape"], "scratch", [], None):
        known = {"job": "mnist", "options": {"engines": engines}, "threads": 1}
        (run / "manifest.json").write_text(json.dumps(known))
        with pytest.raises(UserError, match="does not tell the run's engines; begin anew: curriculum mnist"):
            mnist.unfinished(tmp_path)


@pytest.mark.slow
def test_drawn_configurations_are_killed_and_end_as_in_peace() -> None:
    """A short form of `make torture`: curves by TensorBoard's own server, files, bits."""
    command = [sys.executable, "-m", "tests.torture.kills", "--configurations=10", "--kills=4", "--seed=11"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    kills = re.findall(r"^\d+: (\d+) kills", done.stdout, flags=re.MULTILINE)
    assert int(kills[-1]) > 8


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("moment", ["half of it is written", "it is written", "it has its name"])
def test_a_file_is_written_whole_or_not_at_all(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    files.write_whole(path, b"old" * 1000)
    fsync, put = os.fsync, os.replace

    def cut(number: int) -> None:
        os.ftruncate(number, 1500)
        os._exit(9)

    def replaced(*names: Any) -> None:
        if moment == "it is written":
            os._exit(9)
        put(*names)
        os._exit(9)

    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    if (child := os.fork()) == 0:
        monkeypatch.setattr(os, "replace", replaced)
        if moment == "half of it is written":
            monkeypatch.setattr(os, "fsync", cut)
        files.write_whole(path, b"new" * 1000)
    os.waitpid(child, 0)
    assert fsync is os.fsync
    assert path.read_bytes() == (b"new" if moment == "it has its name" else b"old") * 1000
    files.sweep(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_one_clear_line_and_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.save(path, {"a": torch.ones(3)}, {"step": 1})

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"cannot write .*No space left on device.*make room"):
        checkpoint.save(path, {"a": torch.zeros(3)}, {"step": 2})
    assert checkpoint.load(path).facts == {"step": 1}
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def spoilt(content: bytes) -> Iterator[bytes]:
    yield b""
    yield b"not a checkpoint at all"
    for part in (1, 8, 100, len(content) // 2, len(content) - 1):
        yield content[:part]
    for place in range(0, len(content), max(1, len(content) // 40)):
        yield content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.save(path, {"a": torch.randn(30), "b": torch.tensor([1, 2])}, {"step": 7})
    for content in spoilt(path.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(UserError, match="damaged or no checkpoint of ours"):
            checkpoint.load(path)


def test_a_checkpoint_from_before_is_read(tmp_path: Path) -> None:
    """The names inside of the file are those of the first version."""
    path = tmp_path / "checkpoint.safetensors"
    tensors = {"losses": torch.ones(3), "weight 0.weight": torch.zeros(2, 2)}
    checkpoint.save(path, tensors, {"val_acc": 0.5, "seconds": 2.0})
    state = checkpoint.load_state(path)
    assert state is not None
    assert state.losses.tolist() == [1.0, 1.0, 1.0]
    assert state.weights.keys() == {"0.weight"}
    assert (state.val_acc, state.seconds, state.test_acc) == (0.5, 2.0, None)
    checkpoint.save_state(path, replace(state, test_acc=0.25))
    assert checkpoint.load(path).tensors.keys() == tensors.keys()
    assert checkpoint.load(path).facts == {"val_acc": 0.5, "seconds": 2.0, "test_acc": 0.25}
    assert LossRecorder(lambda step: None).state_key == "_with_lightning.<locals>.Watch"


# ---------------------------------------------------------------- signals


def test_a_second_signal_ends_the_run_at_once() -> None:
    code = (
        "import signal; from models.records.stop import Stop\n"
        "with Stop() as stop:\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    print('went on', flush=True)\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    print('went on again')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 128 + signal.SIGINT
    assert done.stdout == "went on\n"
    assert "interrupted again, ended at once" in done.stderr


def test_signals_do_again_what_they_did_before() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Stop() as stop:
        assert signal.getsignal(signal.SIGTERM) != before
        signal.raise_signal(signal.SIGTERM)
    assert stop.signal == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_log_that_is_held_open_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows removes no file that TensorBoard reads."""
    (tmp_path / "events.out.tfevents.1").write_bytes(b"")

    def held(path: Path, **_: Any) -> None:
        raise PermissionError(13, "The process cannot access the file")

    monkeypatch.setattr(Path, "unlink", held)
    with pytest.raises(UserError, match=r"cannot be changed \(The process.*close TensorBoard first"):
        take_back(tmp_path, BEGINNING)
