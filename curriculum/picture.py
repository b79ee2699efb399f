"""A picture of handwriting, prepared as MNIST's digits were: ink alone, in a 20×20 box, centred by mass.

MNIST's makers scaled each digit into 20×20 pixels, its sides in proportion, and pasted it into 28×28 so that
its centre of mass lies in the middle (LeCun, Cortes and Burges, "The MNIST database"). A photograph has paper,
shadows and a pen of any width besides; what comes before the box takes them away. A network that has seen only
MNIST reads what looks like MNIST, so each step is kept, to be looked at.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage

from curriculum import UserError

Picture = NDArray[np.float64]  # (height, width), 0 to 1

LONGEST = 512  # pixels of the longer side; more show no more of a digit
COARSE = 96  # pixels of the longer side, for the light on the paper
WINDOW = 31  # coarse pixels: wider than any stroke, narrower than most shadows
FINE = 160  # pixels of the box in which a digit's strokes are made as wide as MNIST's
BOX, SIDE = 20, 28  # MNIST's box, and its picture
WIDTH = 2.4  # pixels in the box: a stroke of MNIST
SPECK = 0.03  # of the largest piece of ink: what is smaller is dirt
NOISE = 4.0  # standard deviations: what differs less from the paper is grain


@dataclass(frozen=True)
class Prepared:
    """One symbol, stage by stage. White ink on black, 0 to 1, in all but `crop`.

    box: left, top, right, bottom in the picture as it was given, in pixels.
    crop: the symbol as photographed.
    ink: the same place without paper and shadow.
    small: (20, 20), its longer side filling the box.
    digit: (28, 28), centred by mass.
    """

    box: tuple[int, int, int, int]
    crop: Picture
    ink: Picture
    small: Picture
    digit: Picture


def open_picture(path: Path) -> Image.Image:
    """Read a picture file, the right way up, transparent parts as white paper.

    Raises:
        UserError: it is not there, cannot be read, or is no picture.
    """
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGBA")
    except FileNotFoundError as error:
        raise UserError(f"there is no picture {path}; expected a PNG or JPEG file") from error
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise UserError(f"{path} is no picture that can be read; expected a PNG or JPEG file") from error
    except OSError as error:
        reason = error.strerror or "it is damaged or cut off"
        raise UserError(f"cannot read {path} ({reason}); expected a PNG or JPEG file") from error
    white = Image.new("RGBA", upright.size, "white")
    return Image.alpha_composite(white, upright).convert("L")


def prepare(image: Image.Image) -> list[Prepared]:
    """Every symbol in a grey picture, in reading order: line by line, from left to right.

    Args:
        image: mode "L", of any size; dark ink on light paper or light ink on dark.

    Returns:
        As many as there are; none where the picture is empty.
    """
    scale = min(1.0, LONGEST / max(image.size))
    size = tuple(max(1, round(side * scale)) for side in image.size)
    grey = np.asarray(image.resize(size, Image.Resampling.BOX), dtype=np.float64) / 255
    ink, threshold = find_ink(grey)
    found = []
    for mask in symbols(ink > threshold):
        place = ndimage.find_objects(mask.astype(int))[0]
        alone = np.where(ndimage.binary_dilation(mask, iterations=2), ink, 0)[place]
        small = to_box(alone)
        rows, columns = place
        box = tuple(round(edge / scale) for edge in (columns.start, rows.start, columns.stop, rows.stop))
        found.append(Prepared(box, grey[place], alone, small, centred(small)))
    return found


def find_ink(grey: Picture) -> tuple[Picture, float]:
    """How much ink lies where, 0 to 1, and above which value it is ink and no grain of the paper."""
    paper = _paper(grey)
    lighter = ndimage.gaussian_filter(grey, 0.7) - paper
    chalk = (lighter**3).sum() > 0  # ink is little of a picture, and far from the paper
    # Ink takes away a share of the light, so that it is fainter in a shadow; chalk adds to it.
    ink = lighter if chalk else -lighter / np.maximum(paper, 0.05)
    grain = 1.4826 * np.median(np.abs(ink - np.median(ink)))  # a standard deviation, but for ink
    top = np.quantile(ink, 0.998)
    if top < max(NOISE * grain, 0.06):
        return np.zeros_like(ink), 0.5
    threshold = max(_otsu(ink[ink > NOISE * grain]), NOISE * grain) if (ink > NOISE * grain).any() else top
    # The middle of the strokes becomes 1.
    full = np.median(ink[ink > threshold])
    return (ink / full).clip(0, 1), min(0.5, threshold / full)


def _paper(grey: Picture) -> Picture:
    """How light the paper is everywhere: the median of a neighbourhood, in which strokes are the lesser part."""
    height, width = grey.shape
    scale = COARSE / max(grey.shape)
    image = Image.fromarray(grey.astype(np.float32))
    coarse = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BOX)
    median = ndimage.median_filter(np.asarray(coarse), WINDOW, mode="nearest")
    return np.asarray(
        Image.fromarray(median).resize((width, height), Image.Resampling.BILINEAR), dtype=np.float64
    )


def _otsu(values: Picture) -> float:
    """The value that parts `values` best in two: the largest variance between the parts (Otsu 1979)."""
    counts, edges = np.histogram(values, 64)
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = sums / below - (sums[-1] - sums) / above
        between = np.nan_to_num(below * above * gap**2)
    return float(edges[1:][between.argmax()])


def symbols(mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """The ink of each symbol, in reading order. Pieces that lie above one another are one symbol."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if count == 0:
        return []
    areas = np.bincount(labels.ravel())[1:]
    places = ndimage.find_objects(labels)
    kept = [index for index in range(count) if areas[index] > max(SPECK * areas.max(), 12)]
    groups: list[list[int]] = []
    for index in sorted(kept, key=lambda index: -areas[index]):
        home = next((group for group in groups if _belongs(places[index], [places[i] for i in group])), None)
        if home is None:
            groups.append([index])
        else:
            home.append(index)
    found = [np.isin(labels, np.array(group) + 1) for group in groups]
    return _in_reading_order(found)


def _belongs(place: tuple[slice, slice], others: list[tuple[slice, slice]]) -> bool:
    """Whether a piece shares most of its width with pieces close above or below it."""
    rows, columns = place
    top, bottom = min(o[0].start for o in others), max(o[0].stop for o in others)
    left, right = min(o[1].start for o in others), max(o[1].stop for o in others)
    shared = min(columns.stop, right) - max(columns.start, left)
    width = min(columns.stop - columns.start, right - left)
    gap = max(top - rows.stop, rows.start - bottom)
    size = max(bottom - top, right - left)
    return shared > 0.4 * width and gap < 0.5 * size


def _in_reading_order(masks: list[NDArray[np.bool_]]) -> list[NDArray[np.bool_]]:
    """Line by line: a symbol that begins below the middle of the line's first one begins a new line."""
    boxes = [(mask, *ndimage.find_objects(mask.astype(int))[0]) for mask in masks]
    boxes.sort(key=lambda box: box[1].start)
    lines: list[list[tuple[NDArray[np.bool_], slice, slice]]] = []
    for box in boxes:
        middle = (lines[-1][0][1].start + lines[-1][0][1].stop) / 2 if lines else -1
        if lines and box[1].start < middle:
            lines[-1].append(box)
        else:
            lines.append([box])
    return [box[0] for line in lines for box in sorted(line, key=lambda box: box[2].start)]


def to_box(ink: Picture) -> Picture:
    """Ink (height, width) → (20, 20): its longer side fills the box, its strokes as wide as MNIST's."""
    longest = max(ink.shape)
    square = np.zeros((longest, longest))
    top, left = ((longest - side) // 2 for side in ink.shape)
    square[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    margin = FINE // BOX  # room for strokes that grow
    fine = np.zeros((FINE, FINE))
    inner = FINE - 2 * margin
    fine[margin:-margin, margin:-margin] = _resized(square, inner)
    missing = WIDTH * FINE / BOX - _stroke_width(fine > 0.5)
    radius = round(missing / 2)
    if radius > 0:
        fine = ndimage.grey_dilation(fine, footprint=_disc(radius))
    rows, columns = ndimage.find_objects((fine > 0.1).astype(int))[0]
    part = fine[rows, columns]
    longest = max(part.shape)
    scale = BOX / longest
    shape = tuple(max(1, round(side * scale)) for side in part.shape)
    shrunk = np.asarray(
        Image.fromarray(part.astype(np.float32)).resize(shape[::-1], Image.Resampling.BOX), dtype=np.float64
    )
    box = np.zeros((BOX, BOX))
    top, left = ((BOX - side) // 2 for side in shape)
    box[top : top + shape[0], left : left + shape[1]] = shrunk
    return box.clip(0, 1)


def _resized(picture: Picture, side: int) -> Picture:
    image = Image.fromarray(picture.astype(np.float32))
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR), dtype=np.float64).clip(0, 1)


def _stroke_width(mask: NDArray[np.bool_]) -> float:
    """The mean width of the strokes: in a stripe, the mean distance to the edge is a quarter of its width."""
    if not mask.any():
        return 0.0
    return float(4 * ndimage.distance_transform_edt(mask)[mask].mean())


def _disc(radius: int) -> NDArray[np.bool_]:
    down, right = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return down**2 + right**2 <= radius**2


def centred(box: Picture) -> Picture:
    """Paste (20, 20) into (28, 28) so that the centre of mass lies in the middle, as far as the box fits."""
    picture = np.zeros((SIDE, SIDE))
    if not box.any():
        return picture
    centre = ndimage.center_of_mass(box)
    top, left = (int(np.clip(round((SIDE - 1) / 2 - middle), 0, SIDE - BOX)) for middle in centre)
    picture[top : top + BOX, left : left + BOX] = box
    return picture
