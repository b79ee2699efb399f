"use strict";

// Points in the plane, each of a class: sets that are drawn here, and a user's own.
//
// A point is [x, y, class], x and y from −1 to 1 in thousandths: short to write, and exact everywhere.

const MOST_CLASSES = 6;
const MOST_POINTS = 1000;

/** Every set by its name: how many classes, and where point `share` (0 to 1) of a class lies. */
const POINT_SETS = {
  "exclusive-or": { classes: 2, place: (c, share, random) => square(c, random) },
  circles: { classes: 2, place: (c, share) => onCircle(share, c ? 0.85 : 0.4) },
  moons: { classes: 2, place: (c, share) => onMoon(c, share) },
  spiral: { classes: 2, place: (c, share) => onSpiral(c, 2, share) },
  "three arms": { classes: 3, place: (c, share) => onSpiral(c, 3, share) },
  "four heaps": { classes: 4, place: (c) => onCircle((c + 0.5) / 4, 0.7) },
  "five heaps": { classes: 5, place: (c) => onCircle(c / 5, 0.7) },
};

/**
 * @param {string} name of POINT_SETS
 * @param {{count: number, noise: number, seed: number}} how
 * @returns {number[][]} points, the classes in turn
 */
function pointSet(name, { count, noise, seed }) {
  const { classes, place } = POINT_SETS[name];
  const random = new Generator(seed);
  const each = Math.ceil(count / classes);
  const points = [];
  for (let i = 0; i < count; i += 1) {
    const c = i % classes;
    const [x, y] = place(c, (Math.floor(i / classes) + 0.5) / each, random);
    points.push([inThousandths(x + noise * bell(random)), inThousandths(y + noise * bell(random)), c]);
  }
  return points;
}

/** Anywhere in two opposite quarters of the square. */
function square(c, random) {
  const x = 1.8 * random.double() - 0.9;
  const y = 0.9 * random.double();
  return [x, x > 0 === (c === 0) ? y : -y];
}

function onCircle(turn, radius) {
  return [radius * Math.cos(2 * Math.PI * turn), radius * Math.sin(2 * Math.PI * turn)];
}

/** Two half circles, each reaching into the other. */
function onMoon(c, share) {
  const x = 0.55 * Math.cos(Math.PI * share);
  const y = 0.65 * Math.sin(Math.PI * share);
  return c ? [0.3 - x, 0.2 - y] : [x - 0.3, y - 0.2];
}

function onSpiral(c, arms, share) {
  return onCircle(c / arms + 1.1 * share, 0.08 + 0.85 * share);
}

/** About as the bell curve has it: twelve even numbers, added up (the sum has variance 1). */
function bell(random) {
  let sum = -6;
  for (let i = 0; i < 12; i += 1) {
    sum += random.double();
  }
  return sum;
}

/** Within −1 … 1. */
function inThousandths(number) {
  return Math.round(1000 * Math.min(Math.max(number, -1), 1)) / 1000;
}

// ---------------------------------------------------------------- a user's own

/**
 * Lines of x, y and a class (a number or a word). Numbers beyond −1 … 1 are moved and scaled, all alike.
 * @returns {{points: number[][], names: string[], scaled: boolean}} classes in the order of their names
 * @throws {Error} one line that says what is wrong
 */
function readCsv(text) {
  const rows = text.split(/\r?\n/).map((line, i) => ({ number: i + 1, cells: cellsOf(line) }));
  const filled = rows.filter((row) => row.cells.length > 0);
  if (filled.length && !isNumber(filled[0].cells[0])) {
    filled.shift(); // names of columns
  }
  if (filled.length === 0) {
    throw new Error("There is no point: expected lines like 0.5, -0.2, 1");
  }
  if (filled.length > MOST_POINTS) {
    throw new Error(`${filled.length} points are too many: at most ${MOST_POINTS}`);
  }
  filled.forEach(refuseOddRow);
  const names = [...new Set(filled.map((row) => row.cells[2]))].sort(byNumberOrName);
  if (names.length > MOST_CLASSES) {
    throw new Error(`${names.length} classes are too many: at most ${MOST_CLASSES}`);
  }
  const places = filled.map((row) => [Number(row.cells[0]), Number(row.cells[1])]);
  const { move, scaled } = intoSquare(places);
  const points = filled.map((row, i) => [...move(places[i]), names.indexOf(row.cells[2])]);
  return { points, names, scaled };
}

function cellsOf(line) {
  const separator = [";", "\t", ","].find((sign) => line.includes(sign)) || /\s+/;
  const trimmed = line.trim();
  return trimmed ? trimmed.split(separator).map((cell) => cell.trim()) : [];
}

function isNumber(text) {
  return text !== "" && Number.isFinite(Number(text));
}

function refuseOddRow({ number, cells }) {
  const good = cells.length === 3 && isNumber(cells[0]) && isNumber(cells[1]) && cells[2] !== "";
  if (!good) {
    const found = cells.join(", ").slice(0, 40);
    throw new Error(`Line ${number} is no point: expected x, y and a class, found “${found}”`);
  }
}

function byNumberOrName(a, b) {
  return isNumber(a) && isNumber(b) ? Number(a) - Number(b) : a < b ? -1 : 1;
}

/** How to bring places into −1 … 1: not at all where they lie there. */
function intoSquare(places) {
  const all = places.flat();
  const scaled = all.some((number) => Math.abs(number) > 1);
  if (!scaled) {
    return { scaled, move: (place) => place.map(inThousandths) };
  }
  const range = (k) => places.reduce(([a, b], p) => [Math.min(a, p[k]), Math.max(b, p[k])], [Infinity, -Infinity]);
  const ranges = [range(0), range(1)];
  const widest = Math.max(ranges[0][1] - ranges[0][0], ranges[1][1] - ranges[1][0]) / 2 || 1;
  const moved = (number, k) => (0.95 * (number - (ranges[k][0] + ranges[k][1]) / 2)) / widest;
  return { scaled, move: (place) => place.map((number, k) => inThousandths(moved(number, k))) };
}

/** The points as `readCsv` takes them. */
function asCsv(points) {
  return points.map((point) => point.join(", ")).join("\n");
}
