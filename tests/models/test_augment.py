"""Augmentation: known distortions exactly, each picture its own draw, and the numbers that are stated."""

import itertools
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms import v2

from models.networks.augment import (
    Augment,
    Range,
    _smoothing,
    affine,
    affine_maps,
    displacements,
    elastic,
    resample,
)

MEAN, STD = 0.1307, 0.3081
EXACT: dict[str, Any] = {"rtol": 0, "atol": 1e-12}
ZERO: Range = (0.0, 0.0)
STILL: dict[str, Range] = {"degrees": ZERO, "translate": ZERO, "scale": (1.0, 1.0), "shear": ZERO}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(*shape, generator=seeded(7), dtype=dtype)


def only(images: Tensor, **setting: Range) -> Tensor:
    """One distortion by a known amount, the others switched off."""
    return affine(images, seeded(), **(STILL | setting))


def unmoved(count: int) -> Tensor:
    return torch.eye(2, 3).expand(count, 2, 3)


# ---------------------------------------------------------------- known distortions


def test_settings_that_change_nothing_change_nothing() -> None:
    images = noise(4, 28, 28)
    torch.testing.assert_close(only(images), images, **EXACT)
    torch.testing.assert_close(elastic(images, seeded(), alpha=0.0), images, **EXACT)
    # float32 cannot say where a pixel lies more precisely than 28 / 2 · 1.2e-7 = 1.7e-6 of its width.
    torch.testing.assert_close(only(images.float()), images.float(), rtol=0, atol=1.7e-6)


@pytest.mark.parametrize("turns", [-1, 1, 2])
def test_right_angles_are_torch_rot90(turns: int) -> None:
    images, angle = noise(3, 28, 28), 90.0 * turns
    torch.testing.assert_close(only(images, degrees=(angle, angle)), images.rot90(turns, (1, 2)), **EXACT)


def test_pictures_need_not_be_square() -> None:
    images = torch.zeros(2, 7, 11, dtype=torch.float64)
    images[:, :, 2:9] = noise(2, 7, 7)
    expected = torch.zeros_like(images)
    expected[:, :, 2:9] = images[:, :, 2:9].rot90(1, (1, 2))
    torch.testing.assert_close(only(images, degrees=(90.0, 90.0)), expected, **EXACT)


def test_a_shift_by_whole_pixels_goes_right_and_down() -> None:
    images = noise(3, 28, 28)
    torch.testing.assert_close(
        only(images, translate=(3.0, 3.0)), F.pad(images, (3, 0, 3, 0))[:, :28, :28], **EXACT
    )


def test_twice_the_size_moves_pixels_twice_as_far_from_the_centre() -> None:
    images = noise(3, 9, 9)
    larger = only(images, scale=(2.0, 2.0))
    torch.testing.assert_close(larger[:, ::2, ::2], images[:, 2:7, 2:7], **EXACT)


def test_a_shear_of_45_degrees_moves_each_row_by_its_height() -> None:
    images = torch.zeros(1, 9, 9, dtype=torch.float64)
    images[:, :, 4] = 1.0
    torch.testing.assert_close(
        only(images, shear=(45.0, 45.0))[0], torch.eye(9, dtype=torch.float64), **EXACT
    )


def test_the_map_leads_back_through_shift_turn_shear_and_stretch() -> None:
    picture = torch.zeros(1, 28, 28)
    (found,) = affine_maps(picture, seeded(), (30.0, 30.0), (2.0, 2.0), (1.2, 1.2), (10.0, 10.0))
    cos, sin, tan = math.cos(math.pi / 6), math.sin(math.pi / 6), math.tan(math.pi / 18)
    turn = torch.tensor([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]], dtype=torch.float64)
    shear = torch.tensor([[1, tan, 0], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)
    stretch = torch.tensor([1.2, 1.2, 1], dtype=torch.float64).diag()
    shift = torch.tensor([[1, 0, 2], [0, 1, 2], [0, 0, 1]], dtype=torch.float64)
    expected = torch.linalg.inv(shift @ turn @ shear @ stretch)[:2]
    torch.testing.assert_close(found, expected, **EXACT)


def test_each_axis_is_stretched_and_shifted_by_itself() -> None:
    maps = affine_maps(torch.zeros(200, 28, 28), seeded(), **(STILL | {"scale": (0.8, 1.25)}))
    across, down = maps[:, 0, 0], maps[:, 1, 1]
    assert torch.corrcoef(torch.stack([across, down]))[0, 1].abs() < 0.2
    for factor in (across, down):
        assert 0.8 <= factor.min() < 0.82
        assert 1.2 < factor.max() <= 1.25
    shifts = affine_maps(torch.zeros(200, 28, 28), seeded(), **(STILL | {"translate": (-2.0, 2.0)}))[:, :, 2]
    assert torch.corrcoef(shifts.T)[0, 1].abs() < 0.2
    assert (shifts.abs().amax(0) > 1.9).all()
    assert (shifts.abs().amax(0) <= 2).all()


def test_places_are_those_of_torch_affine_grid() -> None:
    images, maps = noise(5, 28, 28), affine_maps(torch.zeros(5, 28, 28), seeded())
    theta = torch.cat([maps[:, :, :2], maps[:, :, 2:] / 14], -1)
    grid = F.affine_grid(theta, [5, 1, 28, 28], align_corners=False)
    expected = F.grid_sample(images[:, None], grid, align_corners=False)[:, 0]
    torch.testing.assert_close(resample(images, maps), expected, **EXACT)


# ---------------------------------------------------------------- the elastic field


def test_a_field_says_from_where_x_first() -> None:
    images, field = noise(2, 28, 28), torch.zeros(2, 2, 28, 28)
    field[:, 0], field[:, 1] = 3, -1
    expected = F.pad(images, (0, 3, 1, 0))[:, :28, 3:]
    torch.testing.assert_close(resample(images, unmoved(2), field), expected, **EXACT)


def test_a_field_is_added_to_where_the_map_points() -> None:
    images, field = noise(2, 28, 28), torch.zeros(2, 2, 28, 28)
    field[:, 0] = 3
    quarter = affine_maps(images, seeded(), **(STILL | {"degrees": (90.0, 90.0)}))
    expected = F.pad(images, (0, 3))[:, :, 3:].rot90(1, (1, 2))
    torch.testing.assert_close(resample(images, quarter, field), expected, **EXACT)


@pytest.mark.parametrize(("alpha", "sigma", "whole"), [(34.0, 4.0, 1.59), (37.0, 5.5, 1.21)])
def test_the_displacements_are_as_large_as_stated(alpha: float, sigma: float, whole: float) -> None:
    field = displacements(torch.zeros(10_000, 28, 28), seeded(), alpha, sigma)
    edge = math.ceil(2 * sigma)
    middle = field[:, :, edge:-edge, edge:-edge]
    deviation = alpha / (2 * math.sqrt(3 * math.pi) * sigma)
    mean = deviation * math.sqrt(math.pi / 2)
    found = [middle.std().item(), middle.norm(dim=1).mean().item(), field.norm(dim=1).mean().item()]
    assert found == pytest.approx([deviation, mean, whole], abs=0.01)
    line = f"d = {deviation:.2f}, mean in the middle {mean:.2f}, over the whole picture {whole:.2f}"
    assert f"alpha {alpha:g}, sigma {sigma:g}: {line}" in (displacements.__doc__ or "")
    assert middle.mean().abs() < 0.02


def test_sigma_is_how_smooth_alpha_how_large() -> None:
    """White noise smoothed with a Gaussian correlates by exp(−d² / 4σ²) over the distance d."""
    for sigma in (2.0, 4.0):
        field = displacements(torch.zeros(5_000, 28, 28), seeded(), alpha=1.0, sigma=sigma)
        x, y = field[:, 0, 13, 11], field[:, 1, 13, 11]
        for other in (field[:, 0, 13, 15], field[:, 0, 17, 11]):
            correlation = torch.corrcoef(torch.stack([x, other]))[0, 1].item()
            assert correlation == pytest.approx(math.exp(-16 / (4 * sigma**2)), abs=0.03)
        assert torch.corrcoef(torch.stack([x, y]))[0, 1].abs() < 0.05
        twice = displacements(torch.zeros(5_000, 28, 28), seeded(), alpha=2.0, sigma=sigma)
        torch.testing.assert_close(twice, 2 * field)


def test_a_field_fits_pictures_that_are_not_square() -> None:
    assert displacements(torch.zeros(3, 7, 11), seeded()).shape == (3, 2, 7, 11)
    assert elastic(noise(3, 7, 11), seeded()).shape == (3, 7, 11)


# ---------------------------------------------------------------- draws


@pytest.mark.parametrize("distort", [affine, elastic])
def test_every_picture_has_its_own_draw(distort: Any) -> None:
    same = noise(1, 28, 28).expand(6, 28, 28)
    for one, other in itertools.combinations(distort(same, seeded()), 2):
        assert (one - other).abs().max() > 0.1


@pytest.mark.parametrize("transform", [v2.RandomAffine(30), v2.ElasticTransform()])
def test_torchvision_draws_once_for_a_batch(transform: Any) -> None:
    one, other = transform(noise(1, 28, 28).expand(2, 1, 28, 28))
    assert torch.equal(one, other)


@pytest.mark.parametrize("kind", ["affine", "elastic"])
def test_draws_come_from_the_generator_alone(kind: Any) -> None:
    augment, x, generator = Augment(kind, MEAN, STD), noise(5, 784), seeded()
    before = torch.get_rng_state()
    first, second = augment(x, generator), augment(x, generator)
    assert torch.equal(torch.get_rng_state(), before), "the global generator was left alone"
    assert torch.equal(augment(x, seeded()), first)
    assert not torch.equal(second, first)


@pytest.mark.parametrize("default", [torch.float32, torch.float64])
def test_every_precision_sees_the_same_distortions(default: torch.dtype) -> None:
    x, augment, before = noise(5, 784), Augment("elastic", MEAN, STD), torch.get_default_dtype()
    expected = augment(x, seeded())
    torch.set_default_dtype(default)
    try:
        for dtype, tolerance in ((torch.float64, 0.0), (torch.float32, 1e-5), (torch.bfloat16, 0.05)):
            found = augment(x.to(dtype), seeded())
            assert found.dtype == dtype
            torch.testing.assert_close(found.double(), expected, rtol=0, atol=tolerance)
    finally:
        torch.set_default_dtype(before)


# ---------------------------------------------------------------- on standardised digits


@pytest.mark.parametrize("kind", ["affine", "elastic"])
@pytest.mark.parametrize("count", [1, 64])
def test_background_stays_background(kind: Any, count: int) -> None:
    """A bar in the middle, moved by at most some pixels, leaves the border at (0 − mean) / std."""
    images = torch.zeros(count, 28, 28, dtype=torch.float64)
    images[:, 11:17, 13:15] = 1
    found = Augment(kind, MEAN, STD)((images.view(count, 784) - MEAN) / STD, seeded())
    assert found.shape == (count, 784)
    pictures = (found * STD + MEAN).view(count, 28, 28)
    border = torch.ones(28, 28, dtype=torch.bool)
    border[2:-2, 2:-2] = False
    torch.testing.assert_close(
        pictures[:, border], torch.zeros(count, 108 * 2 - 8, dtype=torch.float64), **EXACT
    )
    assert (pictures.flatten(1).amax(1) > 0.5).all(), "the bar is still there"
    assert pictures.min() > -1e-12
    assert pictures.max() < 1 + 1e-12


def test_a_field_is_smoothed_noise() -> None:
    """What Simard and others do, step by step, has the same covariance: two such samples differ as much."""
    smoothing = _smoothing(28, 5.5)

    def by_the_paper(seed: int) -> Tensor:
        drawn = torch.rand(8_000, 28, 28, generator=seeded(seed)).mul(2).sub(1)
        return 37.0 * (smoothing @ drawn @ smoothing.T).flatten(1)

    ours = displacements(torch.zeros(8_000, 28, 28), seeded(1), 37.0, 5.5)[:, 0].flatten(1)
    first, second = by_the_paper(2).T.cov(), by_the_paper(3).T.cov()
    assert (ours.T.cov() - first).norm() < 2 * (second - first).norm()
    assert ours.T.cov().trace() == pytest.approx(float(first.trace()), rel=0.02)
    middle = ours[:, 14 * 28 + 14]
    assert float(((middle / middle.std()) ** 4).mean()) == pytest.approx(3, abs=0.2)


def test_a_digit_is_distorted_as_its_picture_is() -> None:
    images = noise(5, 28, 28)
    x = ((images - MEAN) / STD).view(5, 784)

    def pixels(kind: Any) -> Tensor:
        return (Augment(kind, MEAN, STD)(x, seeded()) * STD + MEAN).view(5, 28, 28)

    torch.testing.assert_close(pixels("affine"), affine(images, seeded()), **EXACT)
    generator = seeded()  # the order of the draws: first the maps, then the fields
    maps, field = affine_maps(images, generator), displacements(images, generator)
    # `displacements` sums in float32, the digits' own way in the precision of the digits.
    torch.testing.assert_close(pixels("elastic"), resample(images, maps, field), rtol=0, atol=2e-6)


def test_none_changes_and_draws_nothing() -> None:
    x, generator = noise(5, 784), seeded()
    assert Augment("none", MEAN, STD)(x, generator) is x
    assert torch.equal(generator.get_state(), seeded().get_state())


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^augment is 'wobble'; expected one of 'none', 'affine', 'elastic'$"
    ):
        Augment("wobble", MEAN, STD)  # type: ignore[arg-type]
