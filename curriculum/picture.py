"""A picture of handwriting, prepared as MNIST's digits were: ink alone, in a 20×20 box, centred by mass.

MNIST's makers scaled each digit into 20×20 pixels, its sides in proportion, and pasted it into 28×28 so
that its centre of mass lies in the middle (LeCun, Cortes and Burges, "The MNIST database"). A photograph
has paper, shadows and a pen of any width besides; what comes before the box takes them away. A network that
has seen only MNIST reads what looks like MNIST, so each step is kept, to be looked at.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy import ndimage

from curriculum import UserError

Picture = NDArray[np.float64]  # (height, width), 0 to 1
Mask = NDArray[np.bool_]  # (height, width)
Place = tuple[slice, slice]  # rows, columns
Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels

LONGEST = 512  # pixels of the longer side; more show no more of a digit
COARSE = 96  # pixels of the longer side, for the light on the paper
WINDOW = 31  # coarse pixels: wider than any stroke, narrower than most shadows
FINE = 160  # pixels of the box in which a digit's strokes are made as wide as MNIST's
BOX, SIDE = 20, 28  # MNIST's box, and its picture
WIDTH = 2.4  # pixels in the box: a stroke of MNIST
SPECK = 0.03  # of the largest piece of ink: what is smaller is dirt
NOISE = 4.0  # standard deviations: what differs less from the paper is grain
FAINT = 0.06  # of the paper's light: what takes away less is no ink
LITTLE = 0.0003  # of the picture: less ink is a crumb
STEEP = 0.4  # slope of the paper's log-light per coarse pixel: its step is by a factor of 2.7
NEAR = 0.15  # of the tallest symbol: what broke off lies no further away
CLOSE = 0.3  # of LONGEST: symbols that fill less are looked at closely


@dataclass(frozen=True)
class Prepared:
    """One symbol, stage by stage. White ink on black, 0 to 1, in all but `crop`.

    box: left, top, right, bottom in the picture as it was given, in pixels.
    crop: the symbol as photographed.
    ink: the same place without paper and shadow.
    small: (20, 20), its longer side filling the box.
    digit: (28, 28), centred by mass.
    """

    box: Box
    crop: Picture
    ink: Picture
    small: Picture
    digit: Picture

    @property
    def stages(self) -> dict[str, Picture]:
        """Each under what a reader of the page is told."""
        return {
            "as photographed": self.crop,
            "ink alone": self.ink,
            "20×20 box": self.small,
            "28×28, centred": self.digit,
        }


@dataclass(frozen=True)
class Whole:
    """A whole picture, fed as it is but for its size. 0 (black) to 1.

    box: all of it: left, top, right, bottom in pixels.
    crop: as it was given, grey.
    digit: (28, 28), scaled in proportion.
    """

    box: Box
    crop: Picture
    digit: Picture

    @property
    def stages(self) -> dict[str, Picture]:
        """Each under what a reader of the page is told."""
        return {"as it is": self.crop, "28×28": self.digit}


def read_picture(path: Path) -> list[Prepared]:
    """Every symbol in a picture file. The file is only read.

    Raises:
        UserError: it is not there, cannot be read, is no picture, or shows nothing.
    """
    found = prepare(open_picture(path))
    if not found:
        raise UserError(
            f"there is nothing on {path}; expected dark ink on light paper, or light on dark, "
            "or --as-is to feed the picture whole"
        )
    return found


def open_picture(path: Path) -> Image.Image:
    """Read a picture file as grey (mode "L"), the right way up, transparent parts as paper.

    Raises:
        UserError: it is not there, cannot be read, is no picture, or is too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return _grey(image)
    except FileNotFoundError as error:
        raise UserError(f"there is no picture {path}; expected a PNG or JPEG file") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        most = (Image.MAX_IMAGE_PIXELS or 0) // 1_000_000
        raise UserError(f"{path} is too large; expected at most {most} million pixels") from error
    except OSError as error:
        reason = error.strerror or "it is no picture, or damaged or cut off"
        raise UserError(f"cannot read {path} ({reason}); expected a PNG or JPEG file") from error
    except Exception as error:  # whatever a broken file brings about in the decoders
        raise UserError(f"{path} is no picture that can be read; expected a PNG or JPEG file") from error


def _grey(image: Image.Image) -> Image.Image:
    """Mode "L", the right way up."""
    if image.mode.startswith(("I", "F")):  # more than 8 bits: Pillow would cut off, not scale
        return ImageOps.exif_transpose(_scaled(image))
    image.draft("L", image.size)  # a JPEG file's colours need not be unpacked
    upright = ImageOps.exif_transpose(image)
    if not upright.has_transparency_data:
        return upright.convert("L")
    drawn = upright.convert("RGBA")
    paper = Image.new("RGBA", upright.size, "black" if _is_chalk(drawn) else "white")
    return Image.alpha_composite(paper, drawn).convert("L")


def _is_chalk(drawn: Image.Image) -> bool:
    """Whether all that is not transparent is light: on white paper it could not be seen."""
    opaque = np.asarray(drawn.getchannel("A")) > 0
    return bool(opaque.any()) and int(np.asarray(drawn.convert("L"))[opaque].min()) > 127


def _scaled(image: Image.Image) -> Image.Image:
    """A picture of deep pixels, from its darkest to its lightest."""
    deep = np.asarray(image, dtype=np.float64)
    shallow = (deep - deep.min()) / max(np.ptp(deep), 1e-12) * 255
    return Image.fromarray(shallow.round().astype(np.uint8))


def prepare(image: Image.Image) -> list[Prepared]:
    """Every symbol in a grey picture, in reading order: line by line, from left to right.

    Args:
        image: mode "L", of any size; dark ink on light paper or light ink on dark.

    Returns:
        As many as there are; none where the picture is empty.
    """
    scale = min(1.0, LONGEST / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    grey = np.asarray(image.resize(size, Image.Resampling.BOX), dtype=np.float64) / 255
    ink, threshold = find_ink(grey)
    masks = symbols(ink > threshold)
    if not masks:
        return []
    whole = _place(np.any(masks, axis=0))
    if scale < 1 and _longest(whole) < CLOSE * LONGEST:
        return _looked_at_closely(image, whole, scale)
    return [_prepared(grey, ink, mask, scale) for mask in masks]


def _looked_at_closely(image: Image.Image, whole: Place, scale: float) -> list[Prepared]:
    """What lies small on a large sheet: cut out with paper around it, and found once more in finer pixels."""
    rows, columns = whole
    margin = _longest(whole)
    edges = (columns.start - margin, rows.start - margin, columns.stop + margin, rows.stop + margin)
    left, top, right, bottom = (round(edge / scale) for edge in edges)
    left, top = max(0, left), max(0, top)
    part = image.crop((left, top, min(right, image.width), min(bottom, image.height)))
    return [replace(found, box=_moved(found.box, left, top)) for found in prepare(part)]


def _moved(box: Box, right: int, down: int) -> Box:
    return box[0] + right, box[1] + down, box[2] + right, box[3] + down


def _prepared(grey: Picture, ink: Picture, mask: Mask, scale: float) -> Prepared:
    """One symbol through all stages."""
    place = _place(mask)
    alone = np.where(ndimage.binary_dilation(mask, iterations=2), ink, 0)[place]
    small = to_box(alone)
    rows, columns = place
    edges = (columns.start, rows.start, columns.stop, rows.stop)
    left, top, right, bottom = (round(edge / scale) for edge in edges)
    return Prepared((left, top, right, bottom), grey[place], alone, small, centred(small))


def _place(mask: Mask) -> Place:
    """The rows and columns that hold all that is true."""
    return ndimage.find_objects(mask.astype(np.uint8))[0]


def _longest(place: Place) -> int:
    rows, columns = place
    return max(rows.stop - rows.start, columns.stop - columns.start)


def find_ink(grey: Picture) -> tuple[Picture, float]:
    """How much ink lies where, 0 to 1, and above which value it is ink and no grain of the paper."""
    coarse = _paper(grey)
    paper = _as_large_as(grey, coarse)
    sheet = _as_large_as(grey, _sheet(coarse)) > 0.99
    lighter = ndimage.gaussian_filter(grey, 0.7) - paper
    chalk = (lighter[sheet] ** 3).sum() > 0  # ink is little of a picture, and far from the paper
    # Ink takes away a share of the light, so that it is fainter in a shadow; chalk adds to it.
    ink = lighter if chalk else -lighter / np.maximum(paper, 0.05)
    grain = 1.4826 * np.median(np.abs(ink - np.median(ink)))  # a standard deviation, but for ink
    faintest = max(NOISE * grain, FAINT)
    ink = np.where(_beside(sheet, ink > faintest), 0, ink)
    if np.quantile(ink, 1 - LITTLE) < faintest:
        return np.zeros_like(ink), 0.5
    threshold = max(_otsu(ink[ink > NOISE * grain]), NOISE * grain)
    # The middle of the strokes becomes 1.
    full = np.median(ink[ink > threshold])
    return (ink / full).clip(0, 1), min(0.5, threshold / full)


def _beside(sheet: Mask, dark: Mask) -> Mask:
    """What is no sheet, and all that is dark and hangs together with it: the corners of a table."""
    if sheet.all():
        return ~sheet
    return ~sheet | ndimage.binary_propagation(ndimage.binary_dilation(~sheet, iterations=3), mask=dark)


def _paper(grey: Picture) -> Picture:
    """How light the paper is, in coarse pixels: the median around, in which strokes are the lesser part."""
    height, width = grey.shape
    scale = COARSE / max(grey.shape)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    coarse = Image.fromarray(grey.astype(np.float32)).resize(size, Image.Resampling.BOX)
    return ndimage.median_filter(np.asarray(coarse), WINDOW, mode="nearest")


def _sheet(paper: Picture) -> Picture:
    """1 where the sheet lies, else 0: the larger part where a steep step in the light parts the picture.

    A shadow's edge is no such step; a table's beside the sheet is. What the sheet encloses is a thick pen's.
    """
    light = np.log(np.maximum(paper, 0.02))
    steep = ndimage.gaussian_gradient_magnitude(light, 1) > STEEP
    if not steep.any():
        return np.ones_like(paper)
    lighter = light > np.median(light[steep])
    sheet = lighter if lighter.mean() > 0.5 else ~lighter
    sheet &= ~ndimage.binary_dilation(steep)
    return ndimage.binary_fill_holes(sheet).astype(np.float32)


def _as_large_as(grey: Picture, coarse: Picture) -> Picture:
    image = Image.fromarray(coarse.astype(np.float32)).resize(grey.shape[::-1], Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.float64)


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


def symbols(mask: Mask) -> list[Mask]:
    """The ink of each symbol, in reading order. Pieces above one another, and near ones, are one symbol."""
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    if count == 0:
        return []
    areas = np.bincount(labels.ravel())[1:]
    places = ndimage.find_objects(labels)
    kept = [index for index in range(count) if areas[index] > max(SPECK * areas.max(), 12)]
    kept.sort(key=lambda index: -areas[index])
    pieces = [Piece(places[index], (index + 1,)) for index in kept]
    found = _joined(pieces, Piece.stands_over)
    tallest = max((piece.height for piece in found), default=0)
    found = _joined(found, lambda piece, other: piece.broke_off(other, tallest))
    return _in_reading_order([np.isin(labels, piece.labels) for piece in found])


@dataclass(frozen=True)
class Piece:
    """Connected ink, or several such that belong together."""

    place: Place
    labels: tuple[int, ...]

    @property
    def height(self) -> int:
        return self.place[0].stop - self.place[0].start

    @property
    def width(self) -> int:
        return self.place[1].stop - self.place[1].start

    def gap(self, other: "Piece", axis: int) -> int:
        """Pixels between the two along rows (0) or columns (1); below 0 where they overlap."""
        one, two = self.place[axis], other.place[axis]
        return max(one.start, two.start) - min(one.stop, two.stop)

    def stands_over(self, other: "Piece") -> bool:
        """Whether this one shares most of its width with the other, close above or below it."""
        shared = -self.gap(other, 1)
        size = max(other.height, other.width)
        return shared > 0.4 * min(self.width, other.width) and self.gap(other, 0) < 0.5 * size

    def broke_off(self, other: "Piece", tallest: int) -> bool:
        """Whether this one is too small to be a symbol among such tall ones, and near the other."""
        return self.height < 0.6 * tallest and max(self.gap(other, 0), self.gap(other, 1)) < NEAR * tallest

    def with_piece(self, other: "Piece") -> "Piece":
        rows, columns = (
            slice(min(one.start, two.start), max(one.stop, two.stop))
            for one, two in zip(self.place, other.place, strict=True)
        )
        return Piece((rows, columns), self.labels + other.labels)


def _joined(pieces: list[Piece], belongs: Callable[[Piece, Piece], bool]) -> list[Piece]:
    """Each piece, the largest first, to the first one that it belongs to, or by itself."""
    groups: list[Piece] = []
    for piece in pieces:
        home = next((index for index, group in enumerate(groups) if belongs(piece, group)), None)
        if home is None:
            groups.append(piece)
        else:
            groups[home] = groups[home].with_piece(piece)
    return groups


def _in_reading_order(masks: list[Mask]) -> list[Mask]:
    """Line by line: a symbol that begins below the middle of the line's first one begins a new line."""
    boxes = [(mask, *ndimage.find_objects(mask.astype(int))[0]) for mask in masks]
    boxes.sort(key=lambda box: box[1].start)
    lines: list[list[tuple[Mask, slice, slice]]] = []
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


def _stroke_width(mask: Mask) -> float:
    """The mean width of the strokes: in a stripe, the mean distance to the edge is a quarter of its width."""
    if not mask.any():
        return 0.0
    return float(4 * ndimage.distance_transform_edt(mask)[mask].mean())


def _disc(radius: int) -> Mask:
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
