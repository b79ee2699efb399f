"""Photographs of digits under one difficulty each: ruled paper, a hair-thin pen, a table's edge, …

Each kind takes a digit's strokes and a seed, and gives the photograph.
"""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from tests.support.photos import HANDS, Photo, Stroke, _light, _paper, smooth

Drawing = NDArray[np.float64]  # (height, width), how much ink lies where, 0 to 1
INK = np.array([0.12, 0.14, 0.3])


def draw(
    strokes: list[Stroke], rng: np.random.Generator, height: int = 480, pen: float | None = None
) -> Drawing:
    """The strokes alone, upright, (height, height)."""
    size = height * rng.uniform(0.45, 0.6)
    angle = np.deg2rad(rng.uniform(-10, 10))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    pen = size * rng.uniform(0.04, 0.09) if pen is None else pen
    canvas = Image.new("L", (2 * height, 2 * height))
    brush = ImageDraw.Draw(canvas)
    for stroke in strokes:
        path = 2 * (((smooth(stroke, rng) - 0.5) * (0.7, 1.0)) @ turn.T * size + height / 2)
        for x, y in path:
            brush.ellipse((x - pen, y - pen, x + pen, y + pen), fill=255)
        brush.line([tuple(point) for point in path], fill=255, width=max(1, round(2 * pen)))
    return np.asarray(canvas.resize((height, height), Image.Resampling.BOX)) / 255


def photograph(
    ink: Drawing, rng: np.random.Generator, paper: NDArray[np.float64] | None = None
) -> Image.Image:
    """Ink (height, width) on paper (height, width, 3), lit from one side, with grain."""
    height, width = ink.shape
    if paper is None:
        paper = _paper(rng, width, height, False)
    lit = (paper * (1 - ink[..., None]) + INK * ink[..., None]) * _light(rng, width, height)[..., None]
    return _developed(lit + rng.normal(0, 0.012, lit.shape))


def _developed(light: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray((light.clip(0, 1) * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.6))


# ---------------------------------------------------------------- the kinds


def lined(strokes: list[Stroke], seed: int) -> Image.Image:
    """Paper with pale blue lines."""
    rng = np.random.default_rng(seed)
    return photograph(draw(strokes, rng), rng, _ruled(rng, (0,)))


def squared(strokes: list[Stroke], seed: int) -> Image.Image:
    """Paper with pale blue squares."""
    rng = np.random.default_rng(seed)
    return photograph(draw(strokes, rng), rng, _ruled(rng, (0, 1)))


def _ruled(rng: np.random.Generator, axes: tuple[int, ...], side: int = 480) -> NDArray[np.float64]:
    paper = _paper(rng, side, side, False)
    step = int(rng.integers(40, 90) if len(axes) == 1 else rng.integers(20, 45))
    pale = np.array([0.72, 0.8, 0.92]) * rng.uniform(0.85, 1)
    for axis in axes:
        for start in range(int(rng.integers(step)), side, step):
            line = [slice(None), slice(None)]
            line[axis] = slice(start, start + 2)
            paper[tuple(line)] *= pale
    return paper


def thin(strokes: list[Stroke], seed: int) -> Image.Image:
    """A pen of one pixel."""
    rng = np.random.default_rng(seed)
    return photograph(draw(strokes, rng, pen=1.0), rng)


def thick(strokes: list[Stroke], seed: int) -> Image.Image:
    """A marker."""
    rng = np.random.default_rng(seed)
    return photograph(draw(strokes, rng, pen=480 * 0.075), rng)


def at_border(strokes: list[Stroke], seed: int) -> Image.Image:
    """The digit touches an edge of the picture, and a few pixels of it are cut off."""
    rng = np.random.default_rng(seed)
    ink = draw(strokes, rng)
    image = photograph(ink, rng)
    rows, columns = np.nonzero(ink > 0.5)
    side = int(rng.integers(4))
    edges = [0, 0, 480, 480]
    edges[side] = int((columns.min() + 2, rows.min() + 2, columns.max() - 2, rows.max() - 2)[side])
    left, top, right, bottom = edges
    return image.crop((left, top, right, bottom))


def filled(strokes: list[Stroke], seed: int) -> Image.Image:
    """Cropped so close that the digit fills the picture."""
    rng = np.random.default_rng(seed)
    ink = draw(strokes, rng)
    image = photograph(ink, rng)
    rows, columns = np.nonzero(ink > 0.5)
    margin = int(rng.integers(4, 20))
    return image.crop(
        (columns.min() - margin, rows.min() - margin, columns.max() + margin, rows.max() + margin)
    )


def dark(strokes: list[Stroke], seed: int) -> Image.Image:
    """Hardly any light, so that the grain is strong."""
    rng = np.random.default_rng(seed)
    ink = draw(strokes, rng)
    light = np.asarray(photograph(ink, rng)) / 255 * rng.uniform(0.12, 0.25)
    return _developed(light + rng.normal(0, 0.01, light.shape))


def jpeg(strokes: list[Stroke], seed: int) -> Image.Image:
    """Compressed to quality 20."""
    rng = np.random.default_rng(seed)
    content = io.BytesIO()
    photograph(draw(strokes, rng), rng).save(content, "JPEG", quality=20)
    return Image.open(content)


def phone(strokes: list[Stroke], seed: int) -> Image.Image:
    """4000×3000 pixels, the digit somewhere on it."""
    rng = np.random.default_rng(seed)
    small = np.zeros((750, 1000))
    top, left = int(rng.integers(0, 270)), int(rng.integers(0, 520))
    small[top : top + 480, left : left + 480] = draw(strokes, rng)
    return photograph(small, rng).resize((4000, 3000), Image.Resampling.BICUBIC)


def phone_far(strokes: list[Stroke], seed: int) -> Image.Image:
    """The digit small on a large sheet: a tenth of the picture's height."""
    rng = np.random.default_rng(seed)
    sheet = np.zeros((1500, 2000))
    top, left = int(rng.integers(50, 1100)), int(rng.integers(50, 1600))
    sheet[top : top + 280, left : left + 280] = draw(strokes, rng, height=280)
    return photograph(sheet, rng)


def coloured(strokes: list[Stroke], seed: int) -> Image.Image:
    """Yellow, pink, green or blue paper."""
    rng = np.random.default_rng(seed)
    colours = np.array([[0.95, 0.88, 0.35], [0.95, 0.6, 0.7], [0.5, 0.8, 0.5], [0.45, 0.65, 0.9]])
    paper = _paper(rng, 480, 480, False) * colours[rng.integers(4)]
    return photograph(draw(strokes, rng), rng, paper)


def table_edge(strokes: list[Stroke], seed: int) -> Image.Image:
    """A dark table shows beside the paper."""
    rng = np.random.default_rng(seed)
    ink = draw(strokes, rng)
    paper = _paper(rng, 480, 480, False)
    down, right = np.mgrid[0:480, 0:480] / 480
    angle = rng.uniform(0, 2 * np.pi)
    beyond = np.cos(angle) * (right - 0.5) + np.sin(angle) * (down - 0.5) > rng.uniform(0.36, 0.44)
    table = rng.uniform(0.1, 0.3) * np.array([1.0, 0.8, 0.6])
    return photograph(np.where(beyond, 0, ink), rng, np.where(beyond[..., None], table, paper))


def broken(strokes: list[Stroke], seed: int) -> Image.Image:
    """The pen failed in three places."""
    rng = np.random.default_rng(seed)
    ink = draw(strokes, rng)
    rows, columns = np.nonzero(ink > 0.5)
    down, right = np.mgrid[0:480, 0:480]
    for index in rng.integers(0, len(rows), 3):
        near = (down - rows[index]) ** 2 + (right - columns[index]) ** 2
        ink = np.where(near < 14**2, 0, ink)
    return photograph(ink, rng)


def dirty(strokes: list[Stroke], seed: int) -> Image.Image:
    """Crumbs and dots of ink around."""
    rng = np.random.default_rng(seed)
    ink = draw(strokes, rng)
    canvas = Image.fromarray((ink * 255).astype(np.uint8))
    brush = ImageDraw.Draw(canvas)
    for x, y in rng.uniform(0, 480, (12, 2)):
        radius = rng.uniform(1, 3)
        brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=200)
    return photograph(np.asarray(canvas) / 255, rng)


KINDS: dict[str, Callable[[list[Stroke], int], Image.Image]] = {
    kind.__name__: kind
    for kind in (
        lined, squared, thin, thick, at_border, filled, dark, jpeg, phone, phone_far, coloured,
        table_edge, broken, dirty,
    )
}  # fmt: skip


def hard_photos(kind: str, count: int, first_seed: int) -> list[Photo]:
    """`count` digits of one kind: every digit and every hand in turn."""
    found = []
    for number in range(count):
        digit, hand = number % 10, HANDS[number // 10 % len(HANDS)]
        found.append(Photo(KINDS[kind](hand[digit], first_seed + number), str(digit), digit))
    return found


def page(digits: list[list[int]], seed: int, gap: int = 60) -> Image.Image:
    """Digits line by line on one sheet, `gap` pixels between them."""
    rng = np.random.default_rng(seed)
    side = 200
    rows = []
    longest = max(len(line) for line in digits)
    for line in digits:
        row = np.zeros((side, 40 + longest * (side + gap)))
        for place, digit in enumerate(line):
            ink = draw(HANDS[int(rng.integers(len(HANDS)))][digit], rng, height=side)
            columns = np.nonzero(ink.max(0) > 0.3)[0]
            alone = ink[:, columns.min() : columns.max() + 1]
            left = 20 + place * (side // 2 + gap)
            row[:, left : left + alone.shape[1]] = np.maximum(row[:, left : left + alone.shape[1]], alone)
        rows.append(row)
    return photograph(np.concatenate(rows), rng)
