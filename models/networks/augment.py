"""Augmentation: every digit of a batch distorted by its own draw, whole batches at once.

torchvision's `RandomAffine` and `ElasticTransform` draw once per call: a batch given to them would share one
angle or one field. Here a batch of n gets n draws, and each picture is sampled only once, however many
distortions meet in it: every sampling blurs.

Random numbers come from the generator that is handed in and are drawn on its device, in float32, whatever
the pictures are. A generator on the CPU gives the same draws for pictures anywhere and in any precision.
"""

import functools
import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

Kind = Literal["none", "affine", "elastic"]
Range = tuple[float, float]

SIDE = 28  # pixels
# Chosen on validation digits of MNIST, with 784–800–10 trained for 10 and for 30 epochs.
DEGREES: Range = (-10.0, 10.0)
TRANSLATE: Range = (-1.0, 1.0)
SCALE: Range = (0.9, 1.1)
SHEAR: Range = (-5.0, 5.0)
ALPHA, SIGMA = 37.0, 5.5


def affine(
    images: Tensor,
    generator: torch.Generator,
    degrees: Range = DEGREES,
    translate: Range = TRANSLATE,
    scale: Range = SCALE,
    shear: Range = SHEAR,
) -> Tensor:
    """Turn, shear, stretch and shift each picture by amounts drawn uniformly from the ranges.

    Args:
        images: (batch, height, width), of any floating-point dtype, background 0.
        generator: where the draws come from.
        degrees: the angle; above 0 is anticlockwise.
        translate: pixels, drawn for each axis; above 0 is to the right and down.
        scale: factors, drawn for each axis; above 1 is larger.
        shear: degrees by which upright strokes lean; above 0, the lower end goes to the right.

    Returns the shape and dtype of `images`. What comes from outside the picture is 0.
    """
    return resample(images, affine_maps(images, generator, degrees, translate, scale, shear))


def elastic(images: Tensor, generator: torch.Generator, alpha: float = ALPHA, sigma: float = SIGMA) -> Tensor:
    """Bend each picture by a smooth random field (Simard, Steinkraus and Platt, 2003), see `displacements`.

    images: (batch, height, width), of any floating-point dtype, background 0. Returns its shape and dtype.
    """
    unmoved = torch.eye(2, 3, device=images.device).expand(len(images), 2, 3)
    return resample(images, unmoved, displacements(images, generator, alpha, sigma))


@dataclass(frozen=True)
class Augment:
    """Distorts batches of standardised digits, x = (pixel − mean) / std.

    kind: "none" changes nothing and draws nothing, "affine" is `affine`, "elastic" is `affine` and a field
    of `displacements` in one sampling.

    Raises:
        ValueError: there is no such kind.
    """

    kind: Kind
    mean: float
    std: float

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            expected = ", ".join(f"'{kind}'" for kind in get_args(Kind))
            raise ValueError(f"augment is '{self.kind}'; expected one of {expected}")

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """x: (batch, 784) → (batch, 784), same dtype and device."""
        if self.kind == "none":
            return x
        background = -self.mean / self.std
        images = (x - background).view(len(x), SIDE, SIDE)
        maps = affine_maps(images, generator)
        if self.kind == "affine":
            return resample(images, maps).flatten(1) + background
        bends = _bends(generator, len(x), SIDE, SIDE, SIGMA)
        precise = torch.promote_types(x.dtype, torch.float32)
        amounts = torch.cat([maps, bends], -1).to(x.device, precise)
        return _sample(images, amounts @ _places_basis(x.device, precise)).flatten(1) + background


def affine_maps(
    images: Tensor,
    generator: torch.Generator,
    degrees: Range = DEGREES,
    translate: Range = TRANSLATE,
    scale: Range = SCALE,
    shear: Range = SHEAR,
) -> Tensor:
    """For each picture the map from a pixel of the new picture to its place in the old one; see `affine`.

    images: (batch, height, width). Returns (batch, 2, 3) in float64: a 2×2 matrix and a shift, for (x, y) in
    pixels from the centre.
    """
    unit = _uniform(generator, 6, len(images)).double()
    ranges = unit.new_tensor([degrees, shear, scale, scale, translate, translate])
    low, high = ranges.unsqueeze(-1).unbind(1)  # (6, 1) each
    angle, lean, scale_x, scale_y, right, down = low + (high - low) * unit  # (batch,) each
    cos = angle.deg2rad().cos()
    sin = angle.deg2rad().sin()
    tan = lean.deg2rad().tan()
    # The picture is stretched, sheared, turned, shifted. The way back undoes this from the last to the first.
    # stretch⁻¹ shear⁻¹ · turn⁻¹ = [1/scale_x  −tan/scale_x] · [cos  −sin]
    #                              [0             1/scale_y]   [sin   cos]
    rows = [(cos - tan * sin) / scale_x, -(sin + tan * cos) / scale_x, sin / scale_y, cos / scale_y]
    matrix = torch.stack(rows, -1).view(-1, 2, 2)
    shift = torch.stack([right, down], -1).unsqueeze(-1)  # (batch, 2, 1)
    return torch.cat([matrix, -matrix @ shift], -1)


def displacements(
    images: Tensor, generator: torch.Generator, alpha: float = ALPHA, sigma: float = SIGMA
) -> Tensor:
    """For each picture a smooth random field: by how many pixels (x, y) each pixel's source moves.

    Simard and others smooth noise uniform in ±1 with a Gaussian of `sigma` pixels whose weights sum to 1
    (beyond the edge the noise is 0), and multiply by `alpha`. Smoothing leaves little: where no edge is
    nearer than 2 sigma, a component has the standard deviation d = alpha / (2 √(3π) sigma), and a pixel moves
    by d √(π/2) in the mean. Towards the edges the field fades. In pixels, for pictures of 28×28:

        alpha 34, sigma 4: d = 1.38, mean in the middle 1.74, over the whole picture 1.59
        alpha 37, sigma 5.5: d = 1.10, mean in the middle 1.37, over the whole picture 1.21

    A smooth field needs few numbers, so only those are drawn, see `_bends`: same mean, same covariance.

    images: (batch, height, width). Returns (batch, 2, height, width) in float32 on the device of `images`.
    """
    count, height, width = images.shape
    bends = _bends(generator, count, height, width, sigma).to(images.device)
    basis = alpha * _bend_basis(height, width, sigma).to(images.device)
    return (bends @ basis).view(count, 2, height, width)


@functools.cache
def _places_basis(device: torch.device, dtype: torch.dtype) -> Tensor:
    """(3 + rows, 784): where the pixels of digits are read, for a map's three columns and the bends."""
    return torch.cat([_pixels(SIDE, SIDE), ALPHA * _bend_basis(SIDE, SIDE, SIGMA)]).to(device, dtype)


def _bends(generator: torch.Generator, count: int, height: int, width: int, sigma: float) -> Tensor:
    """How much of each row of `_bend_basis` a field has: (count, 2, rows), normal numbers in float32.

    Smoothing sums uniform noise over more than 2 π sigma² pixels, and such a sum is normally distributed.
    """
    rows = len(_bend_basis(height, width, sigma))
    return torch.randn((count, 2, rows), generator=generator, device=generator.device, dtype=torch.float32)


@functools.cache
def _bend_basis(height: int, width: int, sigma: float) -> Tensor:
    """(rows, height · width): smooth fields whose random sums are all that smoothing leaves of noise.

    Noise uniform in ±1 has the variance 1/3; its root is in here.
    """
    down = _modes(height, sigma)
    across = _modes(width, sigma)
    return torch.kron(down, across).T.contiguous() / math.sqrt(3)


@functools.cache
def _modes(size: int, sigma: float) -> Tensor:
    """(size, modes): the left singular vectors of the smoothing, each times its singular value.

    For 28 pixels and sigma 5.5 six are kept; the others are below a hundredth of the largest.
    """
    vectors, values, _ = torch.linalg.svd(_smoothing(size, sigma).double())
    kept = values > 1e-2 * values[0]
    return (vectors * values)[:, kept].float()


def _uniform(generator: torch.Generator, *shape: int) -> Tensor:
    """Numbers from 0 to 1 in float32, whatever the default dtype, on the generator's device."""
    return torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float32)


@functools.cache
def _smoothing(size: int, sigma: float) -> Tensor:
    """(size, size): row i holds the weights of a Gaussian round i, those that fall outside left out."""
    position = torch.arange(size, dtype=torch.float64)
    reach = math.ceil(8 * sigma)
    whole = torch.arange(-reach, reach + 1, dtype=torch.float64)

    def bell(distance: Tensor) -> Tensor:
        return (-0.5 * (distance / sigma) ** 2).exp()

    return (bell(position[:, None] - position) / bell(whole).sum()).float()


def resample(images: Tensor, maps: Tensor, field: Tensor | None = None) -> Tensor:
    """Read each picture, bilinearly, where its map points, moved by its field; both count in pixels.

    images: (batch, height, width); maps: (batch, 2, 3); field: (batch, 2, height, width). Outside is 0.
    Returns the shape and dtype of `images`. Places need float32 at least, so lower precisions work in it.
    """
    height, width = images.shape[1:]
    precise = torch.promote_types(images.dtype, torch.float32)
    places = maps.to(images.device, precise) @ _pixels(height, width).to(images.device, precise)
    if field is not None:
        places += field.to(precise).flatten(2)
    return _sample(images, places)


def _sample(images: Tensor, places: Tensor) -> Tensor:
    """Read each picture at these places: (batch, 2, height · width), x then y, in pixels from the centre."""
    count, height, width = images.shape
    # grid_sample counts from the centre, the outer edges of the picture at ±1 (align_corners=False).
    # Until here all x lie together, and all y: F.affine_grid, which interleaves them,
    # takes longer than the sampling itself.
    half = places.new_tensor([width / 2, height / 2])
    grid = places.div_(half[:, None]).view(count, 2, height, width).permute(0, 2, 3, 1)
    precise = images.to(places.dtype)
    sampled = F.grid_sample(precise[:, None], grid, padding_mode="zeros", align_corners=False)
    return sampled[:, 0].to(images.dtype)


@functools.cache
def _pixels(height: int, width: int) -> Tensor:
    """(3, height · width): x, y from the centre, and 1, for each pixel in float64."""
    y, x = torch.meshgrid(*(torch.arange(n) - (n - 1) / 2 for n in (height, width)), indexing="ij")
    return torch.stack([x, y, torch.ones(height, width)]).double().flatten(1)
