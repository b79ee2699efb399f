"""What runs write for TensorBoard: the same tags at the same steps, and every dashboard filled."""

import json
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.tensorboard import SummaryWriter

from curriculum import data
from curriculum.runs import page, tensorboard, terminal
from curriculum.runs.catalogue import find, resolve, rows
from curriculum.runs.events import EVENT_FILES, EventLog
from curriculum.runs.facts import RecordedRun
from lessons.lesson17_mnist import SIZES, first_weights
from models.jobs import mnist
from models.jobs.options import ENGINES, Options
from models.networks import torch_nn
from models.networks.engine import make_engine
from models.records import log as logs
from models.records import pictures
from models.records.folder import RunFolder
from tests.support.training import quiet

BASIC = {"train_loss", "train_acc", "val_loss", "val_acc", "test_acc", "lr"}
PARAMETERS = {f"{layer}.{name}" for layer in (0, 2, 4) for name in ("weight", "bias")}
PER_LAYER = {
    *(f"{kind}/{name}" for kind in ("grad_norm", "weight_norm", "update_ratio") for name in PARAMETERS),
    "dead_units/1.ReLU",
    "dead_units/3.ReLU",
}


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three engines, on the offline digits, with everything logged."""
    folder = tmp_path_factory.mktemp("logs") / "runs"
    mnist.run(Options(data="digits", epochs=6, log="full", log_dir=folder), quiet)
    return folder


def run_of(log_dir: Path, engine: str) -> Path:
    return log_dir / "mnist" / engine / "version_0"


def test_every_engine_writes_the_same_tags_at_the_same_steps(log_dir: Path) -> None:
    steps = {}
    for engine in ENGINES:
        curves = EventLog.read(run_of(log_dir, engine)).scalars
        curves.pop("epoch", None)  # Lightning counts epochs, too
        steps[engine] = {tag: [point.step for point in points] for tag, points in curves.items()}
    assert steps["scratch"].keys() == BASIC | PER_LAYER
    assert steps["scratch"] == steps["torch"] == steps["lightning"]
    # 1,197 digits in batches of 64 are 19 steps an epoch.
    assert steps["torch"]["train_loss"] == list(range(9, 6 * 19, 10))
    assert (
        steps["torch"]["val_acc"] == steps["torch"]["train_acc"] == [19 * epoch - 1 for epoch in range(1, 7)]
    )
    assert steps["torch"]["grad_norm/0.weight"] == [99]
    assert steps["torch"]["test_acc"] == [6 * 19]


def test_the_curves_lie_on_top_of_each_other(log_dir: Path) -> None:
    recorded = [EventLog.read(run_of(log_dir, engine)) for engine in ENGINES]
    for tag in BASIC | PER_LAYER:
        scratch, reference, lightning = (
            torch.tensor([point.value for point in log.scalars[tag]]) for log in recorded
        )
        torch.testing.assert_close(scratch, reference, rtol=1e-3, atol=1e-5, msg=tag)
        torch.testing.assert_close(lightning, reference, rtol=1e-6, atol=1e-7, msg=tag)


def test_numbers_mean_what_their_names_say(log_dir: Path) -> None:
    run = run_of(log_dir, "scratch")
    report = json.loads((run / "report.json").read_text())
    final = EventLog.read(run).final()
    assert final["val_acc"] == pytest.approx(report["val_acc"])
    assert final["test_acc"] == pytest.approx(report["test_acc"])
    network = torch_nn.MLP(SIZES)
    network.load_state_dict(RunFolder(run).load_weights())
    train = data.load("digits").train
    right = (network(train.x).argmax(1) == train.target).float().mean()
    assert final["train_acc"] == pytest.approx(float(right))
    for name in PARAMETERS:  # plain SGD: the update is lr · gradient
        update = final[f"grad_norm/{name}"] * _lr_at(run, 99)
        # The ratio divides by the weight after the update.
        assert final[f"update_ratio/{name}"] == pytest.approx(update / final[f"weight_norm/{name}"], rel=1e-3)


def _lr_at(run: Path, step: int) -> float:
    return next(point.value for point in EventLog.read(run).scalars["lr"] if point.step == step)


@pytest.mark.parametrize("level", ["off", "basic"])
def test_lower_levels_write_less(tmp_path: Path, level: Any) -> None:
    mnist.run(Options(data="digits", epochs=1, log=level, log_dir=tmp_path), quiet)
    for engine in ENGINES:
        run = run_of(tmp_path, engine)
        assert (run / "report.json").exists()
        if level == "off":
            assert not list(run.glob(EVENT_FILES))
        else:
            log = EventLog.read(run)
            assert log.scalars.keys() - {"epoch"} == BASIC
            assert not log.images
            assert not log.histograms


def test_an_epoch_of_few_batches_still_has_a_training_curve(tmp_path: Path) -> None:
    mnist.run(Options(data="digits", epochs=2, batch_size=400, log="basic", log_dir=tmp_path), quiet)
    for engine in ENGINES:
        points = EventLog.read(run_of(tmp_path, engine)).scalars["train_loss"]
        assert [point.step for point in points] == [2, 5]  # three batches an epoch, one point each


def test_hyperparameters_stay_in_their_run(log_dir: Path) -> None:
    """No second run beside it, no hp_metric, and the results are those of the run."""
    assert find(log_dir) == [run_of(log_dir, engine) for engine in sorted(ENGINES)]
    for engine in ENGINES:
        log = EventLog.read(run_of(log_dir, engine))
        assert "hp_metric" not in log.scalars
        assert log.hparams["lr"] == 0.2
        assert log.hparams["engine"] == engine


# ---------------------------------------------------------------- through `curriculum runs`


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_is_listed_and_shown(log_dir: Path, engine: str) -> None:
    run = resolve(engine, log_dir)
    assert run == run_of(log_dir, engine)
    report = json.loads((run / "report.json").read_text())
    (row,) = (row for row in rows(log_dir) if row["folder"] == report["folder"])
    assert row["steps"] == 6 * 19
    assert row["val_acc"] == pytest.approx(report["val_acc"], rel=1e-6)
    assert row["test_acc"] == pytest.approx(report["test_acc"], rel=1e-6)
    recorded = RecordedRun.read(run, engine)
    # Known from report.json, manifest.json and the log: one of each.
    assert [recorded.facts[name] for name in ("parameters", "threads", "sizes")] == [
        str(report["parameters"]),
        str(torch.get_num_threads()),
        "784–128–64–10",
    ]
    assert f"test_acc {report['test_acc']:.2%}" in terminal.show(recorded)
    assert page.write(recorded).stat().st_size < 2_000_000


# ---------------------------------------------------------------- through TensorBoard's own server


@pytest.fixture(scope="module")
def address(log_dir: Path) -> str:
    """Where TensorBoard serves, once it has read all: each run's last event is its test accuracy."""
    url = tensorboard.start(log_dir)
    deadline = time.monotonic() + 60
    while sum("test_acc" in tags for tags in ask(url, "scalars/tags").values()) < len(ENGINES):
        assert time.monotonic() < deadline, "TensorBoard does not read the runs"
        time.sleep(0.2)
    return url


def ask(address: str, path: str, body: Any = None, **query: str) -> Any:
    url = f"{address}data/plugin/{path}{'?' if query else ''}{urllib.parse.urlencode(query)}"
    sent = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, sent, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        content = answer.read()
        return (
            json.loads(content) if answer.headers["Content-Type"].startswith("application/json") else content
        )


def test_it_listens_on_this_machine_only(address: str) -> None:
    assert urllib.parse.urlsplit(address).hostname == "localhost"


def test_scalars_dashboard(address: str) -> None:
    tags = ask(address, "scalars/tags")
    assert set(tags) == {f"mnist/{engine}/version_0" for engine in ENGINES}
    for run in tags:
        points = ask(address, "scalars/scalars", tag="train_loss", run=run)
        assert [step for _, step, _ in points] == list(range(9, 6 * 19, 10))


def test_custom_scalars_put_the_engines_on_one_chart(address: str) -> None:
    layout = ask(address, "custom_scalars/layout")
    charts = {chart["title"]: chart for category in layout["category"] for chart in category["chart"]}
    assert charts["training loss"]["multiline"]["tag"] == ["^train_loss$"]
    for run in (f"mnist/{engine}/version_0" for engine in ENGINES):
        for chart in ("accuracy: training and validation", "size of the gradients", "dead units"):
            for tag in charts[chart]["multiline"]["tag"]:
                assert ask(address, "custom_scalars/scalars", run=run, tag=tag)["tag_to_events"], (chart, run)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_other_dashboard_is_filled(address: str, engine: str) -> None:
    run = f"mnist/{engine}/version_0"
    for name in ("weights/first_layer", "answers/confusion", "answers/misread"):
        (*_, last) = ask(address, "images/images", run=run, tag=name, sample="0")
        picture = ask(address, f"images/individualImage?{last['query']}")
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 2000
    for kind in ("weights/0.weight", "grads/4.bias", "activations/1.ReLU"):
        assert len(ask(address, "histograms/histograms", run=run, tag=kind)) == 6
        assert len(ask(address, "distributions/distributions", run=run, tag=kind)) == 6
    for digit in range(10):
        (*_, last) = ask(address, "pr_curves/pr_curves", run=run, tag=f"pr/{digit}")[run]
        assert max(last["precision"]) > 0.9
    (text,) = ask(address, "text/text", run=run, tag="run/text_summary")
    assert data.load("digits").sha256 in text["text"]
    (embedding,) = ask(address, "projector/info", run=run)["embeddings"]
    assert embedding["tensorShape"] == [300, 64]
    assert embedding["sprite"]["singleImageDim"] == [28, 28]
    assert ask(address, "graphs/info")[run]["run_graph"]
    graph = ask(address, "graphs/graph", run=run, conceptual="false").decode()
    assert graph.count("addmm") >= 3 or graph.count("linear") >= 3


def test_hparams_dashboard_has_the_real_results(address: str, log_dir: Path) -> None:
    ask(address, "hparams/experiment", body={})
    question = {"startIndex": 0, "sliceSize": 10, "allowedStatuses": ["STATUS_SUCCESS"]}
    groups = ask(address, "hparams/session_groups", body=question)["sessionGroups"]
    assert len(groups) == 3
    for group in groups:
        values = {metric["name"]["tag"]: metric["value"] for metric in group["metricValues"]}
        final = EventLog.read(log_dir / group["name"]).final()
        assert values == {tag: pytest.approx(final[tag]) for tag in logs.METRICS}


# ---------------------------------------------------------------- units


def test_a_unit_that_answers_all_digits_alike_is_dead(tmp_path: Path) -> None:
    """Not a digit that all units answer alike: none of these is."""
    digits = data.load("digits")
    start = first_weights(SIZES, 0)
    start["0.weight"][:32] = 0.0  # a quarter of the first layer's 128 units
    start["0.bias"][32:] = 10.0  # all others answer to every digit
    with SummaryWriter(str(tmp_path)) as writer:
        run = logs.RunLog(writer, "full", digits, {})
        engine = make_engine("torch", SIZES, start)
        engine.step(digits.train.x[:8], digits.train.target[:8], 0.0)  # for its gradients
        run.after_epoch(0, engine)
    assert EventLog.read(tmp_path).final()["dead_units/1.ReLU"] == 0.25


# ---------------------------------------------------------------- pictures


def test_the_misread_digits_that_are_shown_are_the_surest() -> None:
    """Worst first; a right answer, however sure, is not among them."""
    digits = data.load("digits")
    target = torch.zeros(len(digits.val.x), dtype=torch.int64)
    logits = 9.0 * torch.nn.functional.one_hot(target, 10)
    for number in range(1, 31):  # 30 misread, the later ones with more confidence
        logits[number] = 0.0
        logits[number, number % 9 + 1] = 1.0 + number / 10
    axes = pictures.misread(logits, target, digits, count=4).axes
    assert [axis.get_title() for axis in axes] == ["4, is 0", "3, is 0", "2, is 0", "1, is 0"]


def test_the_confusion_matrix_counts_mistakes() -> None:
    target = torch.tensor([3, 3, 3, 5, 5])
    logits = torch.nn.functional.one_hot(torch.tensor([3, 5, 5, 5, 5]), 10).float()
    axis = pictures.confusion(logits, target, data.DIGITS).axes[0]
    assert [(text.get_position(), text.get_text()) for text in axis.texts] == [((5, 3), "2")]
    assert axis.get_title() == "2 of 5 misread"


def test_weights_become_a_picture_with_0_in_the_middle() -> None:
    picture = pictures.first_layer(torch.zeros(20, 784))
    assert picture.shape[0] == 3
    assert picture[:, 10, 10].tolist() == [0.5, 0.5, 0.5]
    weight = torch.zeros(1, 784)
    weight[0, 0], weight[0, 1] = 2.0, -2.0
    assert pictures.first_layer(weight).amax() == pytest.approx(1.0)
    assert pictures.first_layer(weight).amin() == pytest.approx(0.0)
