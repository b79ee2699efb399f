"""Photographs become what MNIST looks like, stage by stage; what cannot be read is one clear line."""

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps
from scipy import ndimage

from curriculum import UserError
from curriculum.picture import BOX, SIDE, Prepared, open_picture, prepare, read_picture
from tests.support.hard_photos import KINDS, draw, page, photograph
from tests.support.photos import HANDS
from tests.support.speed import fast

SEED = 700_000


def photo_of(digit: int, hand: int = 0, pen: float | None = None) -> Image.Image:
    rng = np.random.default_rng(SEED + digit)
    return photograph(draw(HANDS[hand][digit], rng, pen=pen), rng).convert("L")


def the_one(image: Image.Image) -> Prepared:
    (found,) = prepare(image)
    return found


def likeness(one: Prepared, other: Prepared) -> float:
    """1 for the same picture, 0 where no ink is common."""
    left, right = one.digit.ravel(), other.digit.ravel()
    return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))


# ---------------------------------------------------------------- the stages


@pytest.mark.parametrize("digit", range(10))
def test_a_photograph_becomes_what_mnist_looks_like(digit: int) -> None:
    found = the_one(photo_of(digit))
    assert found.small.shape == (BOX, BOX)
    assert found.digit.shape == (SIDE, SIDE)
    assert 0 <= found.digit.min() <= 0.01
    assert 0.9 < found.digit.max() <= 1
    rows, columns = np.nonzero(found.small > 0)
    assert max(np.ptp(rows), np.ptp(columns)) == BOX - 1  # the longer side fills the box
    down, right = ndimage.center_of_mass(found.digit)
    assert abs(down - 13.5) <= 0.5
    assert abs(right - 13.5) <= 0.5


def test_the_box_says_where_the_symbol_lies() -> None:
    image = Image.new("L", (3000, 2000), "white")
    image.paste("black", (1000, 500, 1060, 1100))
    box = the_one(image).box
    assert np.abs(np.array(box) - (1000, 500, 1060, 1100)).max() <= 6


def test_a_bar_is_a_bar() -> None:
    """By hand: a bar ten times as high as wide fills 20 rows and is as wide as a stroke of MNIST."""
    image = Image.new("L", (300, 300), "white")
    image.paste("black", (140, 50, 160, 250))
    found = the_one(image)
    assert (found.digit.sum(1) > 1).sum() == 20
    assert 1.9 < found.digit[14].sum() < 3.1


def test_inverted_is_the_same() -> None:
    image = photo_of(5)
    assert likeness(the_one(image), the_one(ImageOps.invert(image))) > 0.98


@pytest.mark.parametrize("ink", ["black", "white"])
def test_on_transparent_paper(tmp_path: Path, ink: str) -> None:
    alpha = Image.fromarray((draw(HANDS[0][3], np.random.default_rng(SEED)) * 255).astype(np.uint8))
    drawing = Image.new("RGBA", alpha.size, ink)
    drawing.putalpha(alpha)
    drawing.save(tmp_path / "drawing.png")
    (found,) = read_picture(tmp_path / "drawing.png")
    assert likeness(found, the_one(ImageOps.invert(alpha))) > 0.98


def test_a_camera_held_upright(tmp_path: Path) -> None:
    image = photo_of(7)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    (found,) = read_picture(tmp_path / "turned.jpg")
    assert likeness(found, the_one(image)) > 0.98


@pytest.mark.parametrize(
    "mode", fast(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"], "1", "RGBA", "F")
)
def test_every_kind_of_file(tmp_path: Path, mode: str) -> None:
    image = photo_of(2)
    if mode in ("I;16", "F"):
        deep = np.asarray(image, dtype=np.uint16 if mode == "I;16" else np.float32) * 200
        changed = Image.fromarray(deep)
    else:
        changed = image.convert(mode, dither=Image.Dither.NONE)
    path = tmp_path / ("picture.tiff" if mode in ("CMYK", "F") else "picture.png")
    changed.save(path)
    (found,) = read_picture(path)
    # Where pixels are black or white, the edges of strokes lie elsewhere.
    assert likeness(found, the_one(image)) > (0.8 if mode == "1" else 0.95)


def test_several_on_a_line_and_on_two() -> None:
    lines = [[4, 1, 7], [2, 0, 3]]
    found = prepare(page(lines, SEED).convert("L"))
    assert len(found) == 6
    tops = [one.box[1] for one in found]
    assert max(tops[:3]) < min(tops[3:])
    assert [one.box[0] for one in found[:3]] == sorted(one.box[0] for one in found[:3])
    assert [one.box[0] for one in found[3:]] == sorted(one.box[0] for one in found[3:])


@pytest.mark.parametrize("gap", [0, 6])
def test_close_together(gap: int) -> None:
    ink = draw(HANDS[0][1], np.random.default_rng(SEED))
    columns = np.nonzero(ink.max(0) > 0.3)[0]
    alone = ink[:, columns.min() - 30 : columns.max() + 1]
    twice = np.concatenate([alone, np.zeros((480, gap + 4)), alone[:, 30:], np.zeros((480, 60))], 1)
    found = prepare(photograph(twice, np.random.default_rng(SEED)).convert("L"))
    assert len(found) == 2


@pytest.mark.parametrize("softness", [1, 12])
def test_a_shadow_across_the_digit(softness: int) -> None:
    image = photo_of(8)
    shadow = np.ones((480, 480))
    shadow[:, 240:] = 0.6
    dark = Image.fromarray((np.asarray(image) * ndimage.gaussian_filter(shadow, softness)).astype(np.uint8))
    assert likeness(the_one(dark), the_one(image)) > 0.93


def test_thin_and_thick_pens_give_strokes_of_one_width() -> None:
    thin = the_one(photo_of(2, pen=1.0))
    usual = the_one(photo_of(2, pen=10.0))
    assert likeness(thin, usual) > 0.85
    assert 0.7 < thin.digit.sum() / usual.digit.sum() < 1.3


def test_turned_a_little_is_still_one_symbol() -> None:
    image = photo_of(4)
    turned = image.rotate(12, fillcolor=int(np.median(np.asarray(image))), resample=Image.Resampling.BICUBIC)
    assert likeness(the_one(turned), the_one(image)) > 0.6


@pytest.mark.parametrize("kind", fast(KINDS, "phone"))
def test_one_symbol_under_every_difficulty(kind: str) -> None:
    one = [
        len(prepare(KINDS[kind](HANDS[1][digit], SEED + digit).convert("L"))) == 1 for digit in (0, 2, 6, 8)
    ]
    assert sum(one) >= 3


def test_small_on_a_large_sheet_is_looked_at_closely() -> None:
    image = photo_of(3)
    light = int(np.median(np.asarray(image)))
    sheet = Image.new("L", (4800, 3600), light)
    sheet.paste(image.resize((360, 360)), (3000, 2500))
    found = the_one(sheet)
    assert likeness(found, the_one(image)) > 0.95
    assert found.box[0] > 3000
    assert found.box[1] > 2500


# ---------------------------------------------------------------- nothing, and what is no picture


def grain(size: tuple[int, int]) -> Image.Image:
    noise = np.random.default_rng(SEED).normal(200, 4, size[::-1])
    return Image.fromarray(noise.clip(0, 255).astype(np.uint8))


EMPTY: dict[str, Callable[[], Image.Image]] = {
    "one pixel": lambda: Image.new("L", (1, 1)),
    "one row": lambda: Image.new("L", (500, 1), "white"),
    "white": lambda: Image.new("RGB", (300, 200), "white"),
    "black": lambda: Image.new("RGB", (300, 200), "black"),
    "transparent": lambda: Image.new("RGBA", (300, 200)),
    "grain": lambda: grain((800, 600)),
    "coarse grain": lambda: grain((400, 300)).filter(ImageFilter.GaussianBlur(2)),
    "a lamp's light": lambda: Image.linear_gradient("L").point(lambda light: 90 + light // 2),
}


@pytest.mark.parametrize("what", EMPTY)
def test_nothing_is_said_to_be_nothing(what: str, tmp_path: Path) -> None:
    EMPTY[what]().save(tmp_path / "empty.png")
    with pytest.raises(UserError, match=r"there is nothing on .*empty.png"):
        read_picture(tmp_path / "empty.png")


def text(path: Path) -> None:
    path.write_text("no picture")


def cut_off(path: Path) -> None:
    photo_of(3).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:2000])


def huge(path: Path) -> None:
    """A PNG file that announces 10,000 million pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 100) + b"IDAT" + bytes(104))


def locked(path: Path) -> None:
    photo_of(3).save(path, "PNG")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "there is no picture"),
    "text": (text, "cannot read .* expected a PNG or JPEG file"),
    "empty": (lambda path: path.touch(), "cannot read .* expected a PNG or JPEG file"),
    "cut off": (cut_off, "cannot read .* cut off"),
    "folder": (Path.mkdir, "cannot read"),
    "huge": (huge, "too large; expected at most 89 million pixels"),
    "locked": (locked, "cannot read .*Permission denied"),
}


def written(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is written to; reading may change its time of access."""
    if not path.exists():
        return None
    found = path.lstat()
    return found.st_mode, found.st_size, found.st_mtime_ns


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_picture_is_said_and_left_alone(fault: str, tmp_path: Path) -> None:
    make, message = FAULTS[fault]
    path = tmp_path / "picture.png"
    make(path)
    before = written(path)
    with pytest.raises(UserError, match=message) as error:
        open_picture(path)
    assert not any(word in str(error.value) for word in ("delete", "remove"))
    assert written(path) == before
