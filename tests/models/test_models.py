"""The three engines are one: same names, same losses, same weights, same tags."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from curriculum import UserError, data
from lessons.lesson17_mnist import SIZES, first_weights
from lessons.lesson18_lightning import Batches
from models.jobs import mnist
from models.jobs.options import ENGINES, Options
from models.jobs.report import Report, make_reports
from models.lightning.data import MNISTDataModule
from models.lightning.module import MLPModule
from models.networks import scratch, torch_nn
from models.records.checkpoint import TrainingState
from models.records.folder import RunFolder
from tests.support.training import beginning_of, quiet


def test_state_dicts_load_across_without_adapters() -> None:
    by_hand, reference = scratch.MLP(SIZES), torch_nn.MLP(SIZES)
    reference.load_state_dict(by_hand.params)
    x = torch.randn(3, 784)
    torch.testing.assert_close(by_hand.forward(x), reference(x))
    other = torch_nn.MLP(SIZES)
    by_hand.load_state_dict(other.state_dict())
    torch.testing.assert_close(by_hand.forward(x), other(x))


def test_first_weights_depend_on_the_seed_only() -> None:
    state = torch.get_rng_state()
    one, same, other = (first_weights((4, 3, 2), seed) for seed in (0, 0, 1))
    assert torch.equal(one["0.weight"], same["0.weight"])
    assert not torch.equal(one["0.weight"], other["0.weight"])
    assert torch.equal(torch.get_rng_state(), state), "the global generator was left alone"


def largest_differences(reports: list[Report]) -> dict[str, tuple[float, float]]:
    return {r.engine: (r.loss_difference or 0.0, r.weight_difference or 0.0) for r in reports}


def test_three_engines_are_equal_in_float64_on_the_digits(tmp_path: Path) -> None:
    options = Options(data="digits", epochs=3, dtype="float64", log="off", log_dir=tmp_path)
    reports = mnist.run(options, quiet)
    assert [r.engine for r in reports] == list(ENGINES)
    for losses, weights in largest_differences(reports).values():
        assert losses <= 1e-9
        assert weights <= 1e-9


@pytest.fixture
def some_of_mnist(mnist_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fifth of MNIST: 157 steps an epoch."""

    def load(which: str, folder: Path) -> data.Data:
        return beginning_of(data.load(which, folder), train=10_000, rest=2_000)

    monkeypatch.setattr(mnist, "load", load)
    return mnist_dir


@pytest.mark.slow
def test_three_engines_are_equal_in_float64_on_mnist(some_of_mnist: Path, tmp_path: Path) -> None:
    options = Options(
        data="mnist", data_dir=some_of_mnist, epochs=1, dtype="float64", log="off", log_dir=tmp_path
    )
    for losses, weights in largest_differences(mnist.run(options, quiet)).values():
        assert losses <= 1e-9
        assert weights <= 1e-9


@pytest.mark.slow
def test_three_engines_are_equal_in_float64_after_an_epoch_of_mnist(mnist_dir: Path, tmp_path: Path) -> None:
    options = Options(
        data="mnist", data_dir=mnist_dir, epochs=1, dtype="float64", log="off", log_dir=tmp_path
    )
    for losses, weights in largest_differences(mnist.run(options, quiet)).values():
        assert losses <= 1e-9
        assert weights <= 1e-9


def test_lightning_takes_the_gradients_derived_by_hand() -> None:
    """One LightningModule, either engine: equal gradients for every parameter."""
    torch.manual_seed(0)
    by_hand, by_torch = MLPModule((5, 4, 3), engine="scratch").double(), MLPModule((5, 4, 3)).double()
    by_hand.load_state_dict(by_torch.state_dict())
    x, target = torch.randn(6, 5, dtype=torch.float64), torch.randint(3, (6,))
    for module in (by_hand, by_torch):
        (2 * module.loss(x, target)).backward()
    for (name, ours), theirs in zip(by_hand.named_parameters(), by_torch.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, msg=name)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(UserError, match="expected 'torch' or 'scratch'"):
        MLPModule(engine="numpy")  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_first_losses_agree_in_float32(some_of_mnist: Path, tmp_path: Path) -> None:
    options = Options(data="mnist", data_dir=some_of_mnist, epochs=1, log="off", log_dir=tmp_path)
    for report in mnist.run(options, quiet):
        assert report.loss_difference_first_20 is not None
        assert report.loss_difference_first_20 <= 1e-5
        assert report.val_acc > 0.85


@pytest.mark.slow
def test_an_epoch_of_mnist_in_float32(mnist_dir: Path, tmp_path: Path) -> None:
    options = Options(data="mnist", data_dir=mnist_dir, epochs=1, log_dir=tmp_path)
    for report in mnist.run(options, quiet):
        assert report.loss_difference_first_20 is not None
        assert report.loss_difference_first_20 <= 1e-5
        assert report.val_acc > 0.94


def test_differences_are_the_largest_of_all_and_of_the_first_20_losses(tmp_path: Path) -> None:
    losses = torch.zeros(30)
    losses[2], losses[19], losses[20] = 0.1, 0.3, 0.7
    weights = {"0.weight": torch.ones(2, 2), "0.bias": torch.ones(2)}
    moved = weights | {"0.bias": torch.tensor([1.0, 1.5])}
    states = {
        "scratch": TrainingState(losses, moved, val_acc=0.5, seconds=1.0, test_acc=0.5),
        "torch": TrainingState(torch.zeros(30), weights, val_acc=0.5, seconds=1.0, test_acc=0.5),
    }
    folders = {engine: RunFolder(tmp_path / engine) for engine in states}
    scratch, reference = make_reports(states, data.load("digits"), Options(), folders)
    assert scratch.loss_difference_first_20 == pytest.approx(0.3)
    assert scratch.loss_difference == pytest.approx(0.7)
    assert scratch.weight_difference == 0.5
    assert reference.loss_difference == reference.weight_difference == 0.0


def test_one_engine_alone_has_nothing_to_differ_from(tmp_path: Path) -> None:
    options = Options(engine="scratch", data="digits", epochs=1, log="off", log_dir=tmp_path)
    (report,) = mnist.run(options, quiet)
    assert report.weight_difference is None
    assert report.parameters == 109_386


def test_weights_and_reports_lie_beside_the_logs(tmp_path: Path) -> None:
    for version in (0, 1):  # a second run gets a folder of its own
        for report in mnist.run(Options(data="digits", epochs=1, log="basic", log_dir=tmp_path), quiet):
            folder = tmp_path / "mnist" / report.engine / f"version_{version}"
            assert report.folder == str(folder)
            assert json.loads((folder / "report.json").read_text())["test_acc"] == report.test_acc
            torch_nn.MLP(SIZES).load_state_dict(load_file(folder / "model.safetensors"))


@pytest.mark.parametrize("engine", ["scratch", "torch"])
def test_a_learning_rate_that_is_too_large_stops_the_run(engine: str, tmp_path: Path) -> None:
    options = Options(engine=engine, data="digits", lr=1e6, log="basic", log_dir=tmp_path)
    told = r"the loss of step 2 is nan, and layer 4.Linear gave the first non-finite value; .*try --lr 100000"
    with pytest.raises(UserError, match=told):
        mnist.run(options, quiet)


def test_a_batch_larger_than_the_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="more than the 1,197 examples"):
        mnist.run(Options(data="digits", batch_size=2000, log_dir=tmp_path), quiet)


def test_batches_cover_the_data_once_and_shuffle_anew() -> None:
    split = data.Split(torch.arange(10.0)[:, None], torch.arange(10))
    batches = Batches(split, 4, torch.Generator().manual_seed(0))
    first, second = ([target for _, target in batches] for _ in range(2))
    assert [len(target) for target in first] == [4, 4, 2]
    assert len(batches) == 3
    assert sorted(torch.cat(first).tolist()) == list(range(10))
    assert torch.cat(first).tolist() != torch.cat(second).tolist()
    assert torch.cat([target for _, target in Batches(split, 4)]).tolist() == list(range(10))


def test_the_data_module_loads_by_itself() -> None:
    module = MNISTDataModule("digits", batch_size=100)
    module.setup("fit")
    x, target = next(iter(module.train_dataloader()))
    assert (x.shape, target.shape) == ((100, 784), (100,))
