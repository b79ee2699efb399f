"""Photographs of handwriting, drawn: strokes kept as data, on paper that is never evenly lit.

Three people's ten digits, and drawings of what is no digit, as strokes through a few points. A photograph
varies paper, ink, pen, shadow, rotation, size, place and noise, all from one seed.
"""

# ruff: noqa: E501 (a drawing is a line)

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy.interpolate import splev, splprep

Stroke = list[tuple[float, float]]  # points (right, down) in a unit square

# Digit by digit, in three hands.
HANDS: list[dict[int, list[Stroke]]] = [
    {
        0: [[(0.5, 0.03), (0.2, 0.2), (0.12, 0.55), (0.3, 0.93), (0.62, 0.95), (0.85, 0.6), (0.78, 0.2), (0.5, 0.03)]],
        1: [[(0.5, 0.02), (0.5, 0.35), (0.49, 0.7), (0.5, 0.98)]],
        2: [[(0.18, 0.25), (0.35, 0.05), (0.68, 0.07), (0.76, 0.32), (0.5, 0.65), (0.16, 0.95)], [(0.16, 0.95), (0.5, 0.93), (0.86, 0.95)]],
        3: [[(0.2, 0.12), (0.5, 0.02), (0.76, 0.2), (0.6, 0.42), (0.4, 0.47)], [(0.4, 0.47), (0.68, 0.52), (0.8, 0.75), (0.55, 0.97), (0.18, 0.88)]],
        4: [[(0.3, 0.03), (0.2, 0.35), (0.14, 0.58), (0.45, 0.6), (0.85, 0.57)], [(0.66, 0.25), (0.64, 0.6), (0.62, 0.98)]],
        5: [[(0.78, 0.05), (0.5, 0.06), (0.28, 0.07)], [(0.28, 0.07), (0.25, 0.25), (0.22, 0.42)], [(0.22, 0.42), (0.5, 0.36), (0.78, 0.55), (0.7, 0.85), (0.42, 0.97), (0.16, 0.86)]],
        6: [[(0.66, 0.03), (0.36, 0.25), (0.2, 0.6), (0.32, 0.92), (0.62, 0.95), (0.76, 0.72), (0.56, 0.54), (0.3, 0.62), (0.22, 0.72)]],
        7: [[(0.15, 0.08), (0.5, 0.07), (0.84, 0.06)], [(0.84, 0.06), (0.62, 0.4), (0.46, 0.7), (0.36, 0.98)]],
        8: [[(0.72, 0.16), (0.5, 0.03), (0.26, 0.18), (0.4, 0.42), (0.68, 0.6), (0.74, 0.83), (0.5, 0.97), (0.24, 0.83), (0.36, 0.58), (0.64, 0.38), (0.72, 0.16)]],
        9: [[(0.74, 0.22), (0.5, 0.04), (0.25, 0.2), (0.32, 0.45), (0.58, 0.45), (0.74, 0.22)], [(0.74, 0.22), (0.72, 0.6), (0.64, 0.97)]],
    },
    {
        0: [[(0.55, 0.05), (0.26, 0.12), (0.1, 0.48), (0.22, 0.85), (0.52, 0.96), (0.82, 0.78), (0.9, 0.42), (0.72, 0.1), (0.5, 0.06)]],
        1: [[(0.62, 0.02), (0.54, 0.35), (0.46, 0.7), (0.4, 0.98)]],
        2: [[(0.2, 0.2), (0.42, 0.03), (0.72, 0.14), (0.7, 0.42), (0.42, 0.76), (0.2, 0.93), (0.16, 0.8), (0.36, 0.76), (0.6, 0.92), (0.88, 0.9)]],
        3: [[(0.22, 0.06), (0.5, 0.05), (0.76, 0.06)], [(0.76, 0.06), (0.6, 0.24), (0.44, 0.4)], [(0.44, 0.4), (0.74, 0.5), (0.78, 0.78), (0.5, 0.97), (0.2, 0.86)]],
        4: [[(0.6, 0.03), (0.36, 0.35), (0.1, 0.66), (0.5, 0.66), (0.9, 0.65)], [(0.6, 0.03), (0.61, 0.5), (0.62, 0.98)]],
        5: [[(0.8, 0.07), (0.55, 0.06), (0.34, 0.08), (0.3, 0.25), (0.26, 0.44), (0.5, 0.42), (0.74, 0.58), (0.7, 0.84), (0.44, 0.95), (0.18, 0.9)]],
        6: [[(0.58, 0.02), (0.38, 0.2), (0.24, 0.5), (0.24, 0.8), (0.46, 0.97), (0.7, 0.86), (0.72, 0.62), (0.5, 0.52), (0.28, 0.64)]],
        7: [[(0.14, 0.1), (0.5, 0.09), (0.82, 0.08)], [(0.82, 0.08), (0.7, 0.35), (0.56, 0.65), (0.5, 0.98)], [(0.38, 0.52), (0.58, 0.51), (0.8, 0.5)]],
        8: [[(0.5, 0.48), (0.26, 0.3), (0.36, 0.07), (0.64, 0.07), (0.74, 0.28), (0.5, 0.48), (0.22, 0.7), (0.34, 0.95), (0.66, 0.95), (0.78, 0.7), (0.5, 0.48)]],
        9: [[(0.7, 0.14), (0.42, 0.04), (0.24, 0.24), (0.42, 0.44), (0.68, 0.32), (0.72, 0.12), (0.74, 0.45), (0.66, 0.78), (0.46, 0.97), (0.28, 0.92)]],
    },
    {
        0: [[(0.62, 0.08), (0.34, 0.08), (0.16, 0.4), (0.2, 0.78), (0.46, 0.97), (0.74, 0.82), (0.84, 0.45), (0.74, 0.14), (0.48, 0.04)]],
        1: [[(0.34, 0.2), (0.46, 0.1), (0.56, 0.02)], [(0.56, 0.02), (0.55, 0.5), (0.54, 0.98)]],
        2: [[(0.24, 0.3), (0.32, 0.08), (0.6, 0.04), (0.74, 0.24), (0.56, 0.56), (0.34, 0.78), (0.18, 0.96), (0.5, 0.95), (0.82, 0.94)]],
        3: [[(0.26, 0.16), (0.46, 0.04), (0.7, 0.16), (0.66, 0.36), (0.46, 0.46), (0.72, 0.58), (0.74, 0.84), (0.46, 0.97), (0.2, 0.84)]],
        4: [[(0.2, 0.06), (0.2, 0.3), (0.24, 0.52), (0.5, 0.54), (0.76, 0.5)], [(0.76, 0.08), (0.74, 0.5), (0.7, 0.98)]],
        5: [[(0.74, 0.06), (0.5, 0.05), (0.3, 0.1), (0.28, 0.3), (0.27, 0.42), (0.52, 0.38), (0.76, 0.5), (0.74, 0.8), (0.5, 0.96), (0.24, 0.94)]],
        6: [[(0.72, 0.08), (0.46, 0.12), (0.26, 0.42), (0.22, 0.76), (0.44, 0.97), (0.7, 0.88), (0.76, 0.66), (0.56, 0.54), (0.32, 0.66), (0.26, 0.8)]],
        7: [[(0.2, 0.16), (0.22, 0.06), (0.5, 0.08), (0.8, 0.05)], [(0.8, 0.05), (0.64, 0.34), (0.5, 0.64), (0.42, 0.97)]],
        8: [[(0.66, 0.1), (0.4, 0.05), (0.28, 0.24), (0.52, 0.46), (0.74, 0.7), (0.6, 0.95), (0.34, 0.92), (0.28, 0.7), (0.54, 0.44), (0.74, 0.22), (0.66, 0.1)]],
        9: [[(0.76, 0.3), (0.6, 0.06), (0.34, 0.1), (0.26, 0.34), (0.46, 0.5), (0.72, 0.36), (0.76, 0.2)], [(0.76, 0.2), (0.72, 0.55), (0.6, 0.98)]],
    },
]  # fmt: skip

# What is no digit, one line each: letters, signs, drawings, scribbles.
OTHERS: dict[str, list[Stroke]] = {
    "A": [[(0.5, 0.02), (0.32, 0.5), (0.12, 0.98)], [(0.5, 0.02), (0.68, 0.5), (0.88, 0.98)], [(0.24, 0.64), (0.5, 0.63), (0.76, 0.64)]],
    "E": [[(0.8, 0.04), (0.5, 0.04), (0.2, 0.04)], [(0.2, 0.04), (0.2, 0.5), (0.2, 0.96)], [(0.2, 0.5), (0.45, 0.5), (0.7, 0.5)], [(0.2, 0.96), (0.5, 0.96), (0.8, 0.96)]],
    "F": [[(0.8, 0.04), (0.5, 0.04), (0.2, 0.04)], [(0.2, 0.04), (0.2, 0.5), (0.2, 0.98)], [(0.2, 0.48), (0.45, 0.48), (0.68, 0.48)]],
    "H": [[(0.15, 0.02), (0.15, 0.5), (0.15, 0.98)], [(0.85, 0.02), (0.85, 0.5), (0.85, 0.98)], [(0.15, 0.5), (0.5, 0.5), (0.85, 0.5)]],
    "K": [[(0.18, 0.02), (0.18, 0.5), (0.18, 0.98)], [(0.82, 0.04), (0.5, 0.3), (0.18, 0.56)], [(0.36, 0.44), (0.6, 0.7), (0.86, 0.98)]],
    "M": [[(0.1, 0.98), (0.14, 0.5), (0.18, 0.04)], [(0.18, 0.04), (0.34, 0.34), (0.5, 0.66)], [(0.5, 0.66), (0.66, 0.34), (0.82, 0.04)], [(0.82, 0.04), (0.86, 0.5), (0.9, 0.98)]],
    "N": [[(0.15, 0.98), (0.15, 0.5), (0.15, 0.04)], [(0.15, 0.04), (0.5, 0.5), (0.85, 0.96)], [(0.85, 0.96), (0.85, 0.5), (0.85, 0.02)]],
    "R": [[(0.2, 0.02), (0.2, 0.5), (0.2, 0.98)], [(0.2, 0.04), (0.66, 0.06), (0.74, 0.28), (0.56, 0.48), (0.2, 0.5)], [(0.4, 0.5), (0.6, 0.74), (0.82, 0.98)]],
    "T": [[(0.08, 0.05), (0.5, 0.05), (0.92, 0.05)], [(0.5, 0.05), (0.5, 0.5), (0.5, 0.98)]],
    "W": [[(0.05, 0.04), (0.16, 0.5), (0.27, 0.96)], [(0.27, 0.96), (0.38, 0.66), (0.5, 0.36)], [(0.5, 0.36), (0.62, 0.66), (0.73, 0.96)], [(0.73, 0.96), (0.84, 0.5), (0.95, 0.04)]],
    "X": [[(0.12, 0.04), (0.5, 0.5), (0.88, 0.96)], [(0.88, 0.04), (0.5, 0.5), (0.12, 0.96)]],
    "plus": [[(0.5, 0.05), (0.5, 0.5), (0.5, 0.95)], [(0.05, 0.5), (0.5, 0.5), (0.95, 0.5)]],
    "equals": [[(0.05, 0.35), (0.5, 0.35), (0.95, 0.35)], [(0.05, 0.65), (0.5, 0.65), (0.95, 0.65)]],
    "hash": [[(0.35, 0.05), (0.32, 0.5), (0.28, 0.95)], [(0.72, 0.05), (0.69, 0.5), (0.65, 0.95)], [(0.08, 0.33), (0.5, 0.33), (0.95, 0.33)], [(0.05, 0.67), (0.5, 0.67), (0.92, 0.67)]],
    "arrow": [[(0.03, 0.5), (0.5, 0.5), (0.97, 0.5)], [(0.7, 0.22), (0.84, 0.36), (0.97, 0.5)], [(0.97, 0.5), (0.84, 0.64), (0.7, 0.78)]],
    "star": [[(0.5, 0.02), (0.36, 0.5), (0.2, 0.98)], [(0.2, 0.98), (0.58, 0.66), (0.98, 0.36)], [(0.98, 0.36), (0.5, 0.36), (0.02, 0.36)], [(0.02, 0.36), (0.42, 0.66), (0.8, 0.98)], [(0.8, 0.98), (0.64, 0.5), (0.5, 0.02)]],
    "heart": [[(0.5, 0.95), (0.16, 0.58), (0.06, 0.3), (0.22, 0.08), (0.42, 0.14), (0.5, 0.3)], [(0.5, 0.3), (0.58, 0.14), (0.78, 0.08), (0.94, 0.3), (0.84, 0.58), (0.5, 0.95)]],
    "house": [[(0.15, 0.45), (0.15, 0.7), (0.15, 0.96)], [(0.15, 0.96), (0.5, 0.96), (0.85, 0.96)], [(0.85, 0.96), (0.85, 0.7), (0.85, 0.45)], [(0.05, 0.5), (0.28, 0.26), (0.5, 0.04)], [(0.5, 0.04), (0.72, 0.26), (0.95, 0.5)], [(0.4, 0.96), (0.4, 0.82), (0.4, 0.66), (0.6, 0.66), (0.6, 0.82), (0.6, 0.96)]],
    "smile": [[(0.5, 0.02), (0.14, 0.18), (0.02, 0.5), (0.16, 0.84), (0.5, 0.98), (0.84, 0.84), (0.98, 0.5), (0.84, 0.16), (0.5, 0.02)], [(0.34, 0.32), (0.34, 0.36), (0.35, 0.42)], [(0.66, 0.32), (0.66, 0.36), (0.65, 0.42)], [(0.26, 0.62), (0.5, 0.78), (0.74, 0.62)]],
    "spiral": [[(0.5, 0.5), (0.6, 0.44), (0.62, 0.58), (0.44, 0.64), (0.34, 0.46), (0.5, 0.3), (0.76, 0.4), (0.76, 0.72), (0.42, 0.84), (0.14, 0.6), (0.24, 0.2), (0.6, 0.06), (0.95, 0.34)]],
}  # fmt: skip


@dataclass(frozen=True)
class Photo:
    """A picture (height, width, 3), what it shows, and which digit that is (None: none)."""

    image: Image.Image
    what: str
    digit: int | None


def photo(strokes: list[Stroke], seed: int, chalk: bool | None = None) -> Image.Image:
    """The strokes on paper (or, `chalk`, on a blackboard; None: one time in six), photographed."""
    rng = np.random.default_rng(seed)
    chalk = bool(rng.random() < 1 / 6) if chalk is None else chalk
    width, height = (int(side) for side in rng.integers(300, 900, 2))
    paper = _paper(rng, width, height, chalk)
    ink = _ink(rng, strokes, width, height)
    colour = _colour(rng, chalk)
    drawn = paper * (1 - ink[..., None]) + colour * ink[..., None]
    lit = drawn * _light(rng, width, height)[..., None]
    noisy = lit + rng.normal(0, rng.uniform(0.003, 0.025), lit.shape)
    picture = Image.fromarray((noisy.clip(0, 1) * 255).astype(np.uint8))
    return picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1.2)))


def digit_photos(count: int, first_seed: int = 0) -> list[Photo]:
    """`count` digits: every digit and every hand in turn."""
    found = []
    for number in range(count):
        digit, hand = number % 10, HANDS[number // 10 % len(HANDS)]
        found.append(Photo(photo(hand[digit], first_seed + number), str(digit), digit))
    return found


def other_photos(count: int, first_seed: int = 10_000) -> list[Photo]:
    """`count` pictures of no digit: drawings and signs in turn, every fourth a scribble."""
    found = []
    names = list(OTHERS)
    for number in range(count):
        seed = first_seed + number
        name = "scribble" if number % 4 == 3 else names[number % len(names)]
        strokes = _scribble(seed) if name == "scribble" else OTHERS[name]
        found.append(Photo(photo(strokes, seed), name, None))
    return found


def _scribble(seed: int) -> list[Stroke]:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 1, (rng.integers(14, 25), 2))
    return [[(float(x), float(y)) for x, y in points]]


def smooth(stroke: Stroke, rng: np.random.Generator) -> NDArray[np.float64]:
    """A curve through the points, none of which is exactly where it was meant to be: (200, 2)."""
    points = np.array(stroke) + rng.normal(0, 0.012, (len(stroke), 2))
    curve, _ = splprep(points.T, s=0, k=min(3, len(points) - 1))
    return np.stack(splev(np.linspace(0, 1, 200), curve), 1)


def _ink(rng: np.random.Generator, strokes: list[Stroke], width: int, height: int) -> NDArray[np.float64]:
    """How much ink lies where, 0 to 1: (height, width)."""
    size = rng.uniform(0.3, 0.7) * min(width, height)
    angle = np.deg2rad(rng.uniform(-15, 15))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = np.array([rng.uniform(0.55, 0.85), 1.0])
    reach = size * 0.62  # half of the longest diagonal
    centre = [rng.uniform(reach, max(reach + 1, side - reach)) for side in (width, height)]
    pen = size * rng.uniform(0.03, 0.1)
    fine = 2  # pixels are drawn twice as fine and then averaged
    canvas = Image.new("L", (width * fine, height * fine))
    brush = ImageDraw.Draw(canvas)
    for stroke in strokes:
        path = ((smooth(stroke, rng) - 0.5) * stretch @ turn.T * size + centre) * fine
        radius = pen * fine / 2
        for x, y in path:
            brush.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        brush.line([tuple(point) for point in path], fill=255, width=max(1, round(2 * radius)))
    ink = np.asarray(canvas.resize((width, height), Image.Resampling.BOX)) / 255
    uneven = 1 - rng.uniform(0, 0.35) * rng.random(ink.shape)  # a pencil misses grains
    return ink * uneven * rng.uniform(0.75, 1.0)


def _paper(rng: np.random.Generator, width: int, height: int, chalk: bool) -> NDArray[np.float64]:
    """(height, width, 3), with grain."""
    colour = rng.uniform(0.08, 0.25, 3) if chalk else rng.uniform(0.72, 0.98) * rng.uniform(0.93, 1, 3)
    grain = Image.fromarray((rng.random((height // 4 + 1, width // 4 + 1)) * 255).astype(np.uint8))
    coarse = np.asarray(grain.resize((width, height), Image.Resampling.BICUBIC)) / 255 - 0.5
    return colour + rng.uniform(0.01, 0.05) * coarse[..., None]


def _colour(rng: np.random.Generator, chalk: bool) -> NDArray[np.float64]:
    if chalk:
        return rng.uniform(0.8, 1.0) * np.ones(3)
    inks = np.array([[0.1, 0.1, 0.12], [0.1, 0.15, 0.5], [0.3, 0.3, 0.32], [0.6, 0.1, 0.12]])
    return inks[rng.integers(len(inks))]


def _light(rng: np.random.Generator, width: int, height: int) -> NDArray[np.float64]:
    """A lamp on one side, and perhaps the soft edge of a shadow: (height, width), 0.3 to 1."""
    down, right = np.mgrid[0:height, 0:width] / max(width, height)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * right + np.sin(angle) * down
    along = (along - along.min()) / np.ptp(along)
    light = 1 - rng.uniform(0, 0.4) * along
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        across = np.cos(angle) * (right - rng.uniform(0.2, 0.8)) + np.sin(angle) * (
            down - rng.uniform(0.2, 0.8)
        )
        softness = rng.uniform(0.02, 0.1)
        light = light * (1 - rng.uniform(0.15, 0.45) / (1 + np.exp(-across / softness)))
    return light
