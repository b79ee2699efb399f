"use strict";

// A drawn digit, prepared as MNIST's were: scaled into a 20×20 box, strokes as wide as MNIST's, centred by mass.
// The steps are those of `curriculum/picture.py`; numbers are kept as it keeps them, pictures in float32.

/** A grey picture: pixel (r, c) is data[r * width + c], from 0 (black) to 1 (ink). */
class Picture {
  /** @param {Float64Array|Float32Array} [data] (height · width,) */
  constructor(height, width, data) {
    this.height = height;
    this.width = width;
    this.data = data || new Float64Array(height * width);
  }

  /** Put another picture into this one, its corner at (top, left). */
  paste(other, top, left) {
    for (let r = 0; r < other.height; r += 1) {
      const row = other.data.subarray(r * other.width, (r + 1) * other.width);
      this.data.set(row, (top + r) * this.width + left);
    }
    return this;
  }

  /** @returns {Picture} rows and columns of `place` */
  cut({ top, left, bottom, right }) {
    const part = new Picture(bottom - top, right - left);
    for (let r = top; r < bottom; r += 1) {
      part.data.set(this.data.subarray(r * this.width + left, r * this.width + right), (r - top) * part.width);
    }
    return part;
  }

  /** @returns {?{top: number, left: number, bottom: number, right: number}} what holds all above a value */
  extent(above) {
    const found = { top: Infinity, left: Infinity, bottom: 0, right: 0 };
    this.data.forEach((ink, i) => {
      if (ink > above) {
        const row = Math.floor(i / this.width);
        const column = i % this.width;
        found.top = Math.min(found.top, row);
        found.bottom = Math.max(found.bottom, row + 1);
        found.left = Math.min(found.left, column);
        found.right = Math.max(found.right, column + 1);
      }
    });
    return found.bottom ? found : null;
  }
}

/**
 * @param {Picture} drawing ink on black, of any size
 * @returns {?{crop: Picture, box: Picture, digit: Picture}} each stage; null where nothing is drawn
 */
function prepareDrawing(drawing) {
  const place = drawing.extent(0);
  if (!place) {
    return null;
  }
  const crop = drawing.cut(place);
  const box = toBox(crop);
  return { crop, box, digit: centred(box) };
}

/** Ink → 20×20: its longer side fills the box, its strokes are as wide as MNIST's. */
function toBox(ink) {
  const fine = widened(inFinePixels(ink));
  const part = fine.cut(fine.extent(0.1));
  const scale = 20 / Math.max(part.height, part.width);
  const height = Math.max(1, roundHalfEven(part.height * scale));
  const width = Math.max(1, roundHalfEven(part.width * scale));
  const shrunk = resized(part, height, width, boxFilter);
  const box = new Picture(20, 20).paste(shrunk, Math.floor((20 - height) / 2), Math.floor((20 - width) / 2));
  box.data.forEach((value, i) => {
    box.data[i] = Math.min(Math.max(value, 0), 1);
  });
  return box;
}

/** Ink → 160×160, its longer side 144: a margin of 8 is left for strokes that grow. */
function inFinePixels(ink) {
  const longest = Math.max(ink.height, ink.width);
  const top = Math.floor((longest - ink.height) / 2);
  const left = Math.floor((longest - ink.width) / 2);
  const square = new Picture(longest, longest).paste(ink, top, left);
  return new Picture(160, 160).paste(resized(square, 144, 144, triangleFilter), 8, 8);
}

/** Strokes thinner than MNIST's (2.4 of 20 pixels) grow by a disc. */
function widened(fine) {
  const missing = (2.4 * 160) / 20 - strokeWidth(fine);
  const radius = roundHalfEven(missing / 2);
  return radius > 0 ? dilated(fine, radius) : fine;
}

/** The mean width of the strokes: in a stripe, the mean distance to the edge is a quarter of its width. */
function strokeWidth(fine) {
  const distances = distancesToPaper(fine);
  const inside = distances.filter((distance) => distance > 0);
  return inside.length ? (4 * inside.reduce((sum, distance) => sum + distance, 0)) / inside.length : 0;
}

/** @returns {Float64Array} of every pixel, how far the next one is that is no ink */
function distancesToPaper({ height, width, data }) {
  const inColumn = verticalDistances(height, width, data);
  return Float64Array.from(data, (_, i) => {
    if (inColumn[i] === 0) {
      return 0;
    }
    const begin = i - (i % width);
    let nearest = Infinity;
    for (let c = 0; c < width; c += 1) {
      const across = (i % width) - c;
      nearest = Math.min(nearest, across * across + inColumn[begin + c] ** 2);
    }
    return Math.sqrt(nearest);
  });
}

/** The same, but only up and down. */
function verticalDistances(height, width, data) {
  const found = new Float64Array(data.length);
  for (let i = 0; i < data.length; i += 1) {
    const above = i < width ? Infinity : found[i - width];
    found[i] = data[i] > 0.5 ? above + 1 : 0;
  }
  for (let i = data.length - width - 1; i >= 0; i -= 1) {
    found[i] = Math.min(found[i], found[i + width] + 1);
  }
  return found;
}

/** @returns {Picture} every pixel becomes the most ink within `radius` */
function dilated(fine, radius) {
  const grown = new Picture(fine.height, fine.width);
  for (let i = 0; i < fine.data.length; i += 1) {
    if (fine.data[i] > 0) {
      stamp(grown, Math.floor(i / fine.width), i % fine.width, radius, fine.data[i]);
    }
  }
  return grown;
}

function stamp(grown, row, column, radius, ink) {
  for (let r = Math.max(row - radius, 0); r <= Math.min(row + radius, grown.height - 1); r += 1) {
    const reach = Math.floor(Math.sqrt(radius * radius - (r - row) ** 2));
    const last = Math.min(column + reach, grown.width - 1);
    for (let c = Math.max(column - reach, 0); c <= last; c += 1) {
      grown.data[r * grown.width + c] = Math.max(grown.data[r * grown.width + c], ink);
    }
  }
}

/** 20×20 → 28×28, the centre of mass in the middle, as far as the box fits. */
function centred(box) {
  const sums = { mass: 0, down: 0, across: 0 };
  box.data.forEach((ink, i) => {
    sums.mass += ink;
    sums.down += ink * Math.floor(i / 20);
    sums.across += ink * (i % 20);
  });
  const begin = (moment) => Math.min(Math.max(roundHalfEven(13.5 - moment / sums.mass), 0), 8);
  return new Picture(28, 28).paste(box, begin(sums.down), begin(sums.across));
}

/** As Python rounds: a half goes to the even neighbour. */
function roundHalfEven(number) {
  const below = Math.floor(number);
  const isHalf = number - below === 0.5;
  return isHalf ? below + (below % 2 ? 1 : 0) : Math.round(number);
}

// ---------------------------------------------------------------- another size, as Pillow does it

/** How far the filter reaches, and how much a pixel counts that lies `x` away from the middle. */
const boxFilter = { reach: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) };
const triangleFilter = { reach: 1, weight: (x) => Math.max(1 - Math.abs(x), 0) };

/** @returns {Picture} (height, width): rows first, then columns, each pass kept in float32 */
function resized(picture, height, width, filter) {
  const source = new Picture(picture.height, picture.width, Float32Array.from(picture.data));
  const wide = resizedAcross(source, width, filter);
  const tall = transposed(resizedAcross(transposed(wide), height, filter));
  return new Picture(height, width, Float64Array.from(tall.data, (p) => Math.min(Math.max(p, 0), 1)));
}

function resizedAcross(picture, width, filter) {
  if (width === picture.width) {
    return picture;
  }
  const data = new Float32Array(picture.height * width);
  for (let c = 0; c < width; c += 1) {
    const { first, shares } = pixelShares(picture.width, width, c, filter);
    for (let r = 0; r < picture.height; r += 1) {
      const begin = r * picture.width + first;
      data[r * width + c] = shares.reduce((sum, share, i) => sum + picture.data[begin + i] * share, 0);
    }
  }
  return new Picture(picture.height, width, data);
}

/** Which old pixels make up new pixel `c`, and with which shares. */
function pixelShares(before, after, c, filter) {
  const scale = before / after;
  const stretch = Math.max(scale, 1);
  const middle = (c + 0.5) * scale;
  const reach = filter.reach * stretch;
  const first = Math.max(Math.trunc(middle - reach + 0.5), 0);
  const end = Math.min(Math.trunc(middle + reach + 0.5), before);
  const places = Array.from({ length: end - first }, (_, i) => first + i);
  const weights = places.map((place) => filter.weight((place - middle + 0.5) * (1 / stretch)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { first, shares: weights.map((weight) => weight / total) };
}

function transposed({ height, width, data }) {
  const turned = new Float32Array(data.length);
  data.forEach((pixel, i) => {
    turned[(i % width) * height + Math.floor(i / width)] = pixel;
  });
  return new Picture(width, height, turned);
}
