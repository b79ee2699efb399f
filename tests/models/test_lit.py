"""The Lightning module: every option, with either set of gradients, and the data module around it."""

import functools
from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest
import torch
from torch import Tensor

from curriculum import UserError
from curriculum.data import Split, load
from curriculum.quiet import quiet_lightning
from lessons.lesson17_mnist import SIZES, first_weights
from models.lightning.data import MNISTDataModule, ShareOfBatches
from models.lightning.module import MLPModule
from models.lightning.trainer import plain_trainer
from models.networks.augment import Kind

# Batch norm goes with SGD here: the true gradient of a bias before it is 0, and Adam, which divides by a
# gradient's usual size, makes whole steps of the rounding errors that are left.
OPTIONS: list[dict[str, Any]] = [
    {},
    {"activation": "gelu", "dropout": 0.3},
    {"activation": "tanh", "batch_norm": True, "init": "xavier_normal"},
    {"activation": "silu", "batch_norm": True, "dropout": 0.2, "weight_decay": 1e-3},
    {"activation": "relu", "dropout": 0.2, "optimizer": "adamw", "lr": 1e-3},
    {"input_dropout": 0.1, "dropout": 0.3, "max_norm": 0.5},
    {"loss": "mse", "activation": "sigmoid", "lr": 3.0, "init": "standard_normal"},
    {"loss": "bce", "activation": "sigmoid", "lr": 1.0},
    {"label_smoothing": 0.1, "momentum": 0.9, "nesterov": True, "schedule": "one_cycle", "lr": 0.05},
    {"optimizer": "rmsprop", "lr": 1e-3, "schedule": "cosine", "init": "kaiming_uniform"},
    {"optimizer": "adam", "lr": 1e-3, "schedule": "constant", "weight_decay": 1e-4, "activation": "sigmoid"},
]


@pytest.fixture(autouse=True)
def _float64() -> Any:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@functools.cache
def trained(engine: Any, number: int) -> tuple[MLPModule, dict[str, Tensor]]:
    """A module with `OPTIONS[number]`, and what it measured, after two epochs of the offline digits.

    Seeded, so that dropout repeats.
    """
    torch.manual_seed(0)
    module = MLPModule((784, 12, 9, 10), engine=engine, **OPTIONS[number])
    batches = MNISTDataModule("digits", batch_size=100, seed=0)
    with quiet_lightning():
        trainer = plain_trainer(2, [])
        trainer.fit(module, batches)
    return module, trainer.callback_metrics


@pytest.mark.parametrize(
    "number", range(len(OPTIONS)), ids=lambda number: "-".join(OPTIONS[number]) or "default"
)
def test_both_engines_learn_the_same(number: int) -> None:
    """Whole runs, every parameter, every running average, what validation saw."""
    by_hand, measured = trained("scratch", number)
    by_torch, expected = trained("torch", number)
    for (name, ours), theirs in zip(
        by_hand.state_dict().items(), by_torch.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9, msg=name)
    assert float(measured["val_loss"]) == pytest.approx(float(expected["val_loss"]), abs=1e-9)


def test_max_norm_shortens_the_weights_of_hidden_neurons_only() -> None:
    number = next(number for number, options in enumerate(OPTIONS) if "max_norm" in options)
    module, _ = trained("torch", number)
    bound = OPTIONS[number]["max_norm"]
    *hidden, last = [weight.norm(dim=1) for weight in module.weights().values() if weight.dim() == 2]
    for lengths in hidden:
        assert lengths.max().item() == pytest.approx(bound)
    assert last.max() > bound


def test_an_option_changes_the_run() -> None:
    """Else the test above could compare two runs that both ignore it."""
    finals = [next(trained("torch", number)[0].parameters()).sum().item() for number in range(len(OPTIONS))]
    assert len(set(finals)) == len(OPTIONS)


def test_the_start_is_that_of_the_plain_loops() -> None:
    torch.manual_seed(3)
    module = MLPModule()
    for name, value in first_weights(SIZES, 3).items():
        assert torch.equal(module.model.state_dict()[name], value)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"sizes": (784,)}, "model.sizes is .*expected two numbers or more"),
        ({"sizes": (784, 0, 10)}, "model.sizes"),
        ({"activation": "step"}, "model.activation is step; expected one of relu"),
        ({"dropout": 1.0}, "model.dropout is 1.0; expected 0 or more, below 1"),
        ({"lr": float("nan")}, "model.lr is nan; expected a number above 0"),
        ({"momentum": 1.0}, "model.momentum"),
        ({"nesterov": True}, "model.nesterov is True; expected false, or a momentum above 0"),
        ({"weight_decay": -1.0}, "model.weight_decay"),
        ({"label_smoothing": 1.0}, "model.label_smoothing"),
    ],
)
def test_absurd_options_are_refused(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        MLPModule(**options)


def test_a_network_that_does_not_fit_the_digits_is_refused() -> None:
    with quiet_lightning(), pytest.raises(UserError, match="expected 784 pixels and 10 digits"):
        plain_trainer(1, []).fit(MLPModule((100, 10)), MNISTDataModule("digits"))


def test_shares_of_a_batch_make_the_batch() -> None:
    split = Split(torch.arange(45.0)[:, None], torch.arange(45))
    shares = [ShareOfBatches(split, 20, torch.Generator().manual_seed(0), rank, 2) for rank in range(2)]
    whole = ShareOfBatches(split, 20, torch.Generator().manual_seed(0))
    for (_, one), (_, two), (_, joint) in zip(*shares, whole, strict=True):
        assert abs(len(one) - len(two)) <= 1
        assert sorted(torch.cat([one, two]).tolist()) == sorted(joint.tolist())
    with pytest.raises(UserError, match="a batch of 5 cannot be split over 6 processes"):
        ShareOfBatches(split, 20, None, 0, 6)


def test_a_last_batch_of_fewer_digits_can_be_left_out() -> None:
    split = Split(torch.arange(50.0)[:, None], torch.arange(50))
    whole = list(ShareOfBatches(split, 20, torch.Generator().manual_seed(0)))
    kept = ShareOfBatches(split, 20, torch.Generator().manual_seed(0), drop_last=True)
    assert (len(whole), len(kept)) == (3, 2)
    torch.testing.assert_close(list(kept), whole[:2], rtol=0, atol=0)
    ShareOfBatches(split, 20, None, 0, 15, drop_last=True)  # the batch of 10 is not to be split


def test_the_last_training_digits_may_be_kept_back() -> None:
    module = MNISTDataModule("digits", val_count=97)
    module.setup("fit")
    assert module.data is not None
    assert [len(part.x) for part in (module.data.train, module.data.val, module.data.test)] == [1400, 97, 300]
    whole = load("digits")
    assert torch.equal(module.data.val.x, whole.val.x[-97:])
    assert torch.equal(module.data.train.x, torch.cat([whole.train.x, whole.val.x[:-97]]))
    assert torch.equal(module.data.train.target, torch.cat([whole.train.target, whole.val.target[:-97]]))
    with pytest.raises(UserError, match="expected 1 to 1,496"):
        MNISTDataModule("digits", val_count=1497).setup("fit")


def in_training(passes: int, batches: int, rank: int = 0) -> Any:
    """A Trainer, as far as the data module looks: so many passes and so many batches of this one are over."""
    progress = SimpleNamespace(current=SimpleNamespace(ready=batches))
    loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress))
    return SimpleNamespace(
        training=True, current_epoch=passes, num_training_batches=19, fit_loop=loop, global_rank=rank
    )


def test_pixels_may_be_left_from_0_to_1() -> None:
    """In all parts, and distorted they are what distorted standardised pixels are on that scale."""
    batches = {}
    for normalize in (True, False):
        module = MNISTDataModule("digits", augment="elastic", normalize=normalize, seed=0)
        module.trainer = in_training(passes=0, batches=3)
        module.setup("fit")
        assert module.data is not None
        x, target = module.data.train.x[:20], module.data.train.target[:20]
        batches[normalize], _ = module.on_after_batch_transfer((x, target), 0)
        unscaled = module.data
    digits = load("digits")
    torch.testing.assert_close(batches[False], batches[True] * digits.std + digits.mean, rtol=0, atol=1e-9)
    assert torch.equal(unscaled.test.x, digits.unscaled().test.x)


def test_each_batch_and_each_process_draws_its_own_distortions() -> None:
    """And the same again, so that a run which goes on sees what it would have seen."""
    drawn = []
    for passes, batches, rank in ((0, 3, 0), (0, 4, 0), (1, 3, 0), (0, 3, 1), (0, 3, 0)):
        module = MNISTDataModule("digits", augment="affine", seed=0)
        module.trainer = in_training(passes, batches, rank)
        module.setup("fit")
        assert module.data is not None
        batch = (module.data.train.x[:5], module.data.train.target[:5])
        x, _ = module.on_after_batch_transfer(batch, 0)
        drawn.append(x)
    first, other_batch, other_pass, other_process, again = drawn
    assert torch.equal(first, again)
    assert not torch.equal(first, other_batch)
    assert not torch.equal(first, other_pass)
    assert not torch.equal(first, other_process)


def test_a_network_is_fed_the_pixels_it_was_made_for() -> None:
    with quiet_lightning(), pytest.raises(UserError, match="normalize is True, that of its data False"):
        plain_trainer(1, []).fit(MLPModule(), MNISTDataModule("digits", normalize=False))


def test_augmentation_touches_training_digits_only() -> None:
    seen: dict[str, Tensor] = {}

    class Look(L.Callback):
        def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, *_: Any) -> None:
            seen.setdefault("train", batch[0])

        def on_validation_batch_start(self, trainer: Any, module: Any, batch: Any, *_: Any) -> None:
            seen.setdefault("val", batch[0])

    kinds: tuple[Kind, ...] = ("none", "elastic")
    for kind in kinds:
        seen.clear()
        batches = MNISTDataModule("digits", batch_size=1197, augment=kind, seed=0)
        with quiet_lightning():
            plain_trainer(1, [Look()]).fit(MLPModule((784, 10)), batches)
        assert batches.data is not None
        assert torch.equal(seen["val"], batches.data.val.x)
        order = torch.randperm(1197, generator=torch.Generator().manual_seed(0))
        assert torch.equal(seen["train"], batches.data.train.x[order]) == (kind == "none")
