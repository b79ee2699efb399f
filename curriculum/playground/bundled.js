"use strict";

// The bundled scans of 8×8 pixels as pictures of 28×28, the way MNIST was made: a 20×20 box, centred by mass.
// All in whole numbers, as `curriculum/data.py` does it.

/**
 * @param {{mean: number, std: number, sizes: number[]}} data with the rows of digits_data.js, or with pixels and
 *   target as `curriculum play` serves MNIST
 * @returns {{pixels: Uint8Array, x: Tensor, target: Int32Array, mean: number, std: number, sizes: number[]}}
 *   pixels (count · 784), 0 to 255; x (count, 784), standardised; target (count,)
 */
function digitsOf(data) {
  const { mean, std, sizes } = data;
  const { pixels, target } = data.rows ? bundledPixels(data.rows) : data;
  const x = new Tensor([target.length, 784], Float64Array.from(pixels, (p) => (p / 255 - mean) / std));
  return { pixels, x, target: Int32Array.from(target), mean, std, sizes };
}

function bundledPixels(rows) {
  const pixels = new Uint8Array(rows.length * 784);
  rows.forEach((row, r) => pixels.set(enlarged(row), r * 784));
  return { pixels, target: rows.map((row) => Number(row[64])) };
}

/** @returns {Uint8Array} (784,): a scan as 28×28 pixels, 0 to 255 */
function enlarged(row) {
  const small = Array.from(row.slice(0, 64), (letter) => parseInt(letter, 17));
  const box = scaledToBox(small);
  const byRow = new Array(20).fill(0);
  const byColumn = new Array(20).fill(0);
  box.forEach((ink, i) => {
    byRow[Math.floor(i / 20)] += ink;
    byColumn[i % 20] += ink;
  });
  const top = margin(byRow);
  const left = margin(byColumn);
  const picture = new Uint8Array(784);
  box.forEach((ink, i) => {
    const place = (top + Math.floor(i / 20)) * 28 + left + (i % 20);
    picture[place] = Math.floor((ink * 255 + 800) / 1600);
  });
  return picture;
}

/** @returns {number[]} (400,): 8×8 pixels of 0 to 16 → 20×20 of 0 to 1600, bilinearly */
function scaledToBox(small) {
  const box = [];
  for (let row = 0; row < 20; row += 1) {
    for (let column = 0; column < 20; column += 1) {
      box.push(weighedPixel(small, betweenPixels(row), betweenPixels(column)));
    }
  }
  return box;
}

/** @returns {number[]} the pixel before, the one after, and how much the latter counts, in tenths */
function betweenPixels(target) {
  const place = Math.max(4 * target - 3, 0);
  const before = Math.floor(place / 10);
  return [before, Math.min(before + 1, 7), place % 10];
}

function weighedPixel(small, [above, below, down], [left, right, across]) {
  const upper = small[above * 8 + left] * (10 - across) + small[above * 8 + right] * across;
  const lower = small[below * 8 + left] * (10 - across) + small[below * 8 + right] * across;
  return upper * (10 - down) + lower * down;
}

/** @returns {number} where the box begins whose rows (or columns) hold so much ink: 13.5 − centre, rounded */
function margin(ink) {
  const mass = ink.reduce((sum, amount) => sum + amount, 0);
  const moment = ink.reduce((sum, amount, i) => sum + amount * i, 0);
  const begin = -Math.floor((moment - 13 * mass) / mass);
  return Math.min(Math.max(begin, 0), 8);
}
