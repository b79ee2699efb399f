"""`LeanMLP` is torch's network, its bfloat16 is off by no more than rounding, and components fold back."""

import doctest
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from curriculum.data import Data, load
from lessons.lesson17_mnist import first_weights
from models.jobs.sprint import FOUND_FROM, Sprint, learn, sprint
from models.networks import lean, torch_nn
from models.networks.augment import SIDE, affine, resample
from models.networks.components import (
    _RANGES,
    Components,
    LinearDistortions,
    _map,
    principal_components,
)
from models.networks.lean import BFLOAT16_FROM, LeanMLP, RunningAverage, shares

SIZES = (12, 7, 5, 3)
ROUNDING = 2.0**-9  # by which share of itself bfloat16 may move a number


def batch(count: int, sizes: tuple[int, ...] = SIZES, dtype: torch.dtype = torch.float64) -> Any:
    generator = torch.Generator().manual_seed(count)
    x = torch.randn(count, sizes[0], generator=generator, dtype=dtype)
    return x, torch.randint(sizes[-1], (count,), generator=generator)


def pair(dtype: torch.dtype = torch.float64, **options: Any) -> tuple[LeanMLP, nn.Module]:
    ours = LeanMLP(SIZES, dtype=dtype, **options)
    theirs = torch_nn.MLP(SIZES).to(dtype)
    start = first_weights(SIZES, 3)
    ours.load_state_dict(start)
    theirs.load_state_dict(start)
    return ours, theirs


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_a_run_is_torchs(momentum: float, nesterov: bool, smoothing: float) -> None:
    """Every gradient of 30 steps, and the weights after them, on batches of changing size."""
    ours, theirs = pair(momentum=momentum, nesterov=nesterov)
    optimizer = torch.optim.SGD(theirs.parameters(), 0.3, momentum, nesterov=nesterov)
    criterion = nn.CrossEntropyLoss(label_smoothing=smoothing)
    for count in range(1, 31):
        x, target = batch(count)
        optimizer.zero_grad()
        criterion(theirs(x), target).backward()
        optimizer.step()
        ours.step(x, shares(target, SIZES[-1], smoothing, torch.float64), 0.3)
        for name, value in theirs.named_parameters():
            assert value.grad is not None
            torch.testing.assert_close(ours.grads[name], value.grad, rtol=1e-9, atol=1e-12)
    for name, value in theirs.named_parameters():
        torch.testing.assert_close(ours.params[name], value.detach(), rtol=1e-9, atol=1e-12)


def test_a_slope_at_the_kink_is_zero_as_torchs() -> None:
    ours, theirs = pair()
    for model in (ours.params, dict(theirs.named_parameters())):
        for name, value in model.items():
            if name.startswith("0"):
                value.data.zero_()
    x, target = batch(4)
    ours.backward(x, shares(target, SIZES[-1], 0.0, torch.float64))
    nn.CrossEntropyLoss()(theirs(x), target).backward()
    for name, value in theirs.named_parameters():
        torch.testing.assert_close(ours.grads[name], value.grad)


def test_large_logits_stay_finite() -> None:
    ours, _ = pair()
    ours.params["4.bias"].copy_(torch.tensor([1e4, -1e4, 0.0]))
    x, target = batch(3)
    ours.step(x, shares(target, SIZES[-1], 0.0, torch.float64), 0.1)
    assert ours.flat.isfinite().all()


class TestBfloat16:
    """Rounded to 8 bits are both factors and the result: (1 + u)³ − 1 of the sum of the products' sizes."""

    BOUND = (1 + ROUNDING) ** 3 - 1 + 1e-5  # the last for the sums in float32

    def models(self) -> tuple[LeanMLP, LeanMLP, Tensor, Tensor]:
        rounded, _ = pair(torch.float32, bfloat16=True)
        exact, _ = pair(torch.float32)
        x, target = batch(BFLOAT16_FROM, dtype=torch.float32)
        return rounded, exact, x, shares(target, SIZES[-1], 0.0, torch.float32)

    def test_forward(self) -> None:
        rounded, exact, x, targets = self.models()
        rounded.backward(x, targets)
        weight, bias = exact.params["0.weight"], exact.params["0.bias"]
        difference = rounded.buffers[len(x)][0] - (x @ weight.T + bias).clamp_min(0)
        reach = self.BOUND * (x.abs() @ weight.abs().T) + 1e-6
        assert (difference.abs() <= reach).all()
        assert difference.abs().max() > 1e-4, "nothing was rounded"

    def test_the_first_gradient(self) -> None:
        """Given what the layers above send down, only the product itself may differ."""
        _, exact, x, _ = self.models()
        delta = torch.randn(len(x), SIZES[1], generator=torch.Generator().manual_seed(0))
        grad = torch.empty_like(exact.params["0.weight"])
        lean._Bfloat16(x).backward(delta, grad)
        difference = grad - delta.T @ x
        assert (difference.abs() <= self.BOUND * (delta.abs().T @ x.abs()) + 1e-6).all()
        assert difference.abs().max() > 1e-4, "nothing was rounded"

    def test_a_run_is_as_near_as_autocasts(self) -> None:
        """PyTorch's twin rounds every layer: ours may be no further from float32 than it is."""
        rounded, exact, _, _ = self.models()
        _, theirs = pair(torch.float32)
        optimizer = torch.optim.SGD(theirs.parameters(), 0.1)
        for count in range(20):
            x, target = batch(BFLOAT16_FROM + count, dtype=torch.float32)
            targets = shares(target, SIZES[-1], 0.0, torch.float32)
            rounded.step(x, targets, 0.1)
            exact.step(x, targets, 0.1)
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                loss = nn.CrossEntropyLoss()(theirs(x), target)
            loss.backward()
            optimizer.step()
        flat = torch.cat([value.detach().flatten() for value in theirs.parameters()])
        ours = (rounded.flat - exact.flat).norm()
        assert 0 < ours <= 1.5 * (flat - exact.flat).norm()

    def test_small_batches_do_not_use_it(self) -> None:
        rounded, exact, x, targets = self.models()
        few = BFLOAT16_FROM - 1
        for model in (rounded, exact):
            model.step(x[:few], targets[:few], 0.1)
        assert torch.equal(rounded.flat, exact.flat)


def test_the_running_average_is_torchs() -> None:
    _, theirs = pair()
    averaged = AveragedModel(theirs, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    averaged.update_parameters(theirs)  # its first takes the parameters over
    flat = torch.cat([value.detach().flatten() for value in theirs.parameters()])
    ours = RunningAverage(flat, 0.9)
    for _ in range(5):
        with torch.no_grad():
            for value in theirs.parameters():
                value.add_(torch.randn_like(value))
        averaged.update_parameters(theirs)
        ours.update(torch.cat([value.detach().flatten() for value in theirs.parameters()]))
    expected = torch.cat([value.detach().flatten() for value in averaged.module.parameters()])
    torch.testing.assert_close(ours.flat, expected, rtol=1e-12, atol=1e-14)


@pytest.fixture(scope="module")
def digits() -> Data:
    return load("digits")


@pytest.fixture(scope="module")
def components(digits: Data) -> Components:
    return principal_components(digits.train.x.double(), 40, 0.1, torch.Generator().manual_seed(0))


def test_components_are_the_singular_vectors(digits: Data, components: Components) -> None:
    """The randomised way finds the directions that a full decomposition finds: each leading one to 1e-3."""
    x = digits.train.x.double()
    exact = torch.linalg.svd(x - x.mean(0), full_matrices=False).Vh[:20]
    found = components.basis / components.scales
    assert torch.allclose(found.T @ found, torch.eye(40, dtype=torch.float64), atol=1e-9)
    assert (found.T[:20] * exact).sum(1).abs().min() > 0.99


def test_components_have_a_mean_square_of_one(digits: Data, components: Components) -> None:
    z = components.project(digits.train.x.double())
    assert z.mean(0).abs().max() < 1e-9
    assert float(z.square().mean()) == pytest.approx(1, abs=0.02)
    spread = z.std(0)
    assert spread[0] > 2 * spread[-1]  # power 0.1 keeps their order


def test_a_network_on_components_folds_back(digits: Data, components: Components) -> None:
    x = digits.val.x.double()
    inner = LeanMLP((40, 8, 10), dtype=torch.float64)
    inner.load_state_dict(first_weights(inner.sizes, 0))
    outer = LeanMLP((784, 8, 10), dtype=torch.float64)
    outer.load_state_dict(components.fold(inner.params))
    torch.testing.assert_close(outer.forward(x), inner.forward(components.project(x)), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("index", range(6))
def test_a_distortion_of_components_is_that_of_the_picture(
    digits: Data, index: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a range there and half a range back, one distortion alone: what lies between is the same."""
    x = digits.train.x[:300].double()
    background = -digits.mean / digits.std
    whole = principal_components(x, 280, 0.1, torch.Generator().manual_seed(0))
    distortions = LinearDistortions(whole, torch.full((784,), background, dtype=torch.float64), 1.0)
    images = (x - background).view(-1, SIDE, SIDE)
    components, pictures = [], []
    for share in (0.5, -0.5):
        drawn = torch.full((len(x), 1, 6), 0.5, dtype=torch.float64)
        drawn[:, :, index] += share / 2
        monkeypatch.setattr(torch, "rand", lambda *shape, drawn=drawn, **options: drawn.clone())
        components.append(distortions(whole.project(x), torch.Generator()))
        pictures.append(resample(images, _map(index, share).expand(len(x), 2, 3)).flatten(1))
    expected = (pictures[0] - pictures[1]) @ whole.basis
    assert (components[0] - components[1] - expected).norm() < 0.05 * expected.norm()


def test_the_maps_are_those_of_the_augmentation(digits: Data) -> None:
    """`_map` is `augment.affine` with one range only."""
    images = digits.images(digits.train.x[:5]).double()
    still = {"degrees": (0.0, 0.0), "shear": (0.0, 0.0), "scale": (1.0, 1.0), "translate": (0.0, 0.0)}
    for index, name in ((0, "degrees"), (1, "shear")):
        amount = (_RANGES[index], _RANGES[index])
        expected = affine(images, torch.Generator(), **(still | {name: amount}))
        ours = resample(images, _map(index, 1.0).expand(5, 2, 3))
        torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-6)
    both = (1 + _RANGES[2], 1 + _RANGES[3])
    expected = affine(images, torch.Generator(), **(still | {"scale": (both[0], both[0])}))
    stretched = resample(images, _map(2, 1.0).expand(5, 2, 3))
    ours = resample(stretched, _map(3, 1.0).expand(5, 2, 3))
    assert (ours - expected).norm() < 0.1 * expected.norm()  # sampled twice
    right = affine(images, torch.Generator(), **(still | {"translate": (1.0, 1.0)}))
    ours = resample(resample(images, _map(4, 1.0).expand(5, 2, 3)), _map(5, 1.0).expand(5, 2, 3))
    torch.testing.assert_close(ours, right, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "recipe",
    [
        Sprint(0.9, epochs=15, batch_size=32),
        Sprint(0.9, epochs=15, batch_size=32, components=0, lr=0.1),
        Sprint(0.9, epochs=15, batch_size=32, lr=0.1, distort=0.5, average=0.5),
        Sprint(0.9, epochs=15, batch_size=32, lr=0.1, components=0, elastic=True),
        Sprint(0.9, epochs=30, batch_size=128, lr=0.2, bfloat16=True),
    ],
    ids=["components", "pixels", "distorted", "elastic", "bfloat16"],
)
@pytest.mark.slow
def test_a_sprint_learns_and_repeats(digits: Data, recipe: Sprint) -> None:
    first, again = sprint(digits, recipe, 1), sprint(digits, recipe, 1)
    assert first.val_acc > 0.9
    assert (first.val_acc, first.test_acc) == (again.val_acc, again.test_acc)
    assert first.seconds > 0


def test_epochs_need_not_be_whole(digits: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    monkeypatch.setattr(LeanMLP, "step", lambda self, x, targets, lr: counted.append(len(x)))
    learn(digits, Sprint(0.9, epochs=1.5, batch_size=100), 0)
    whole = -(-len(digits.train.x) // 100)
    assert len(counted) == round(1.5 * whole)
    assert sum(counted[:whole]) == len(digits.train.x)


def test_components_are_found_from_training_digits_alone(digits: Data) -> None:
    """Other validation and test digits change no weight."""
    other = digits.__class__(**{**digits.__dict__, "val": digits.test, "test": digits.val})
    recipe = Sprint(0.9, epochs=1)
    ours, theirs = learn(digits, recipe, 0), learn(other, recipe, 0)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert len(digits.train.x) <= FOUND_FROM


def test_distortions_are_of_what_the_network_reads() -> None:
    with pytest.raises(ValueError, match="distort needs components"):
        Sprint(0.9, components=0, distort=0.5)
    with pytest.raises(ValueError, match="elastic needs pixels"):
        Sprint(0.9, elastic=True)


def test_the_documented_examples() -> None:
    assert doctest.testmod(lean).failed == 0
