"use strict";

// Small pieces of the engine for the pages of lessons: a <div data-piece="name"> is filled with one of them.
//
// They are made of the browser's own sliders, buttons and tables, so that keys reach all of it.

const PIECES = {
  neuron: neuronPiece,
  bend: bendPiece,
  slope: slopePiece,
  gradients: gradientsPiece,
  batches: batchesPiece,
  optimizers: optimizersPiece,
};
const PIECE_BLUE = "#2b6cb0";
const PIECE_ORANGE = "#d9822b";
const PIECE_YELLOW = "#f2c14e";
const PIECE_LINES = ["#00798c", "#d1495b", "#8a63b8", "#4c9a6a"];

function mountPieces() {
  document.querySelectorAll("[data-piece]").forEach((box) => {
    box.setAttribute("role", "group");
    box.piece = PIECES[box.dataset.piece](box);
  });
}

// ---------------------------------------------------------------- what pieces are made of

function make(tag, parent, words = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = words;
  Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
  parent.append(made);
  return made;
}

function title(box, words) {
  box.setAttribute("aria-label", words);
  make("p", box, words, { class: "piece-title" });
}

/**
 * A slider with its name and its number; `onInput` hears of every move. A value that is set stays exact, and may
 * lie beyond what the slider can show.
 */
function slider(parent, name, [low, high, step], value, onInput) {
  const label = make("label", parent, name);
  const input = make("input", label, "", { type: "range", min: low, max: high, step, "aria-label": name });
  const number = make("output", label);
  let exact = value;
  const control = {
    get value() {
      return exact;
    },
    set value(given) {
      exact = given;
      input.value = given;
      number.textContent = short(given);
    },
  };
  control.value = value;
  input.addEventListener("input", () => {
    control.value = input.valueAsNumber;
    onInput();
  });
  return control;
}

function button(parent, words, onClick) {
  const made = make("button", parent, words, { type: "button" });
  made.addEventListener("click", onClick);
  return made;
}

/** A table in a frame that scrolls where there is little room. */
function newTable(box) {
  return make("table", make("div", box, "", { class: "piece-table" }));
}

/** Rows of words; the first row names the columns. */
function fillTable(table, [head, ...rows]) {
  table.replaceChildren();
  const top = make("tr", table);
  head.forEach((name) => make(name ? "th" : "td", top, name, name ? { scope: "col" } : {}));
  rows.forEach(([name, ...cells]) => {
    const row = make("tr", table);
    make("th", row, name, { scope: "row" });
    cells.forEach((cell) => make("td", row, cell));
  });
  const frame = table.parentElement;
  frame.tabIndex = frame.scrollWidth > frame.clientWidth ? 0 : -1; // keys scroll it, too
}

/** As the lessons write numbers: four digits, a true minus. */
function short(number) {
  if (!Number.isFinite(number)) {
    return "too large";
  }
  const size = Math.abs(number);
  const odd = size !== 0 && (size < 1e-3 || size >= 1e5);
  const text = odd ? number.toExponential(1) : String(Number(number.toPrecision(4)));
  return text.replace("-", "−");
}

/** A drawing of width 480; `clear` empties it. */
function drawing(box, height, words) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 480 ${height}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", words);
  box.append(svg);
  const add = (tag, attributes, text = "") => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
    made.textContent = text;
    svg.append(made);
    return made;
  };
  return {
    clear: () => svg.replaceChildren(),
    line: (x1, y1, x2, y2, look = {}) => add("line", { x1, y1, x2, y2, stroke: "currentColor", ...look }),
    text: (x, y, words, look = {}) => add("text", { x, y, fill: "currentColor", "font-size": 16, ...look }, words),
    circle: (cx, cy, r, look = {}) => add("circle", { cx, cy, r, ...look }),
    rect: (x, y, width, height, look = {}) => add("rect", { x, y, width, height, ...look }),
    ellipse: (cx, cy, rx, ry) => add("ellipse", { cx, cy, rx, ry, fill: "none", stroke: "currentColor", opacity: 0.3 }),
    curve: (points, look = {}) => {
      const d = points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");
      add("path", { d, fill: "none", stroke: "currentColor", "stroke-width": 2, ...look });
    },
  };
}

const between = (low, value, high) => Math.min(Math.max(value, low), high);
const signColour = (value) => (value < 0 ? PIECE_ORANGE : PIECE_BLUE);

// ---------------------------------------------------------------- one neuron

function neuronPiece(box) {
  title(box, "Touch it: one neuron");
  const layer = new Linear(2, 1, new Generator(0));
  const state = { layer };
  const picture = drawing(box, 170, "Three pushes add up to the guess; the target stands below");
  const controls = make("div", box, "", { class: "piece-sliders" });
  const range = [-2, 2, 0.01];
  const begin = { w1: 0.9, w2: -0.4, b: 0.1, stars: 0.8, year: 0.5, target: 0.77, rate: 0.1 };
  const names = {
    w1: ["weight of the stars", range], w2: ["weight of the year", range], b: ["bias", range],
    stars: ["stars", [0, 1, 0.01]], year: ["year", [0, 1, 0.01]],
    target: ["target", [0, 1, 0.01]], rate: ["learning rate", [0.01, 1.5, 0.01]],
  };
  const at = {};
  Object.entries(names).forEach(([key, [name, limits]]) => {
    at[key] = slider(controls, name, limits, begin[key], show);
  });
  const curved = make("input", make("label", controls, "with the sigmoid "), "", { type: "checkbox" });
  curved.addEventListener("input", show);
  const buttons = make("div", box, "", { class: "piece-buttons" });
  button(buttons, "One step", () => {
    at.w1.value -= at.rate.value * state.grads.weight.data[0];
    at.w2.value -= at.rate.value * state.grads.weight.data[1];
    at.b.value -= at.rate.value * state.grads.bias.data[0];
    show();
  });
  button(buttons, "Begin again", () => {
    Object.keys(begin).forEach((key) => {
      at[key].value = begin[key];
    });
    show();
  });
  const table = newTable(box);

  function show() {
    layer.params.weight.data.set([at.w1.value, at.w2.value]);
    layer.params.bias.data.set([at.b.value]);
    const z = layer.forward(new Tensor([1, 2], Float64Array.of(at.stars.value, at.year.value)));
    const curve = curved.checked ? new Sigmoid() : null;
    const y = curve ? curve.forward(z) : z;
    const error = y.data[0] - at.target.value;
    const gradY = new Tensor([1, 1], Float64Array.of(2 * error));
    layer.backward(curve ? curve.backward(gradY) : gradY);
    Object.assign(state, { grads: layer.grads, y: y.data[0], loss: error * error });
    const pushes = [at.w1.value * at.stars.value, at.w2.value * at.year.value, at.b.value];
    drawPushes(picture, pushes, state.y, at.target.value);
    const row = (name, value, grad) => [name, short(value), short(grad)];
    fillTable(table, [
      ["", "value", "slope of the loss"],
      row("weight of the stars", at.w1.value, state.grads.weight.data[0]),
      row("weight of the year", at.w2.value, state.grads.weight.data[1]),
      row("bias", at.b.value, state.grads.bias.data[0]),
      row("guess", state.y, 2 * error),
      ["loss", short(state.loss), ""],
    ]);
  }
  show();
  return state;
}

/** Each push begins where the one before ends. */
function drawPushes(picture, pushes, guess, target) {
  const x = (value) => 300 + 90 * between(-2, value, 2);
  picture.clear();
  picture.line(x(0), 4, x(0), 150, { opacity: 0.4 });
  let sum = 0;
  ["stars", "year", "bias"].forEach((name, i) => {
    const from = x(sum);
    sum += pushes[i];
    const look = { fill: signColour(pushes[i]) };
    picture.rect(Math.min(from, x(sum)), 8 + 28 * i, Math.max(Math.abs(x(sum) - from), 1), 18, look);
    picture.text(0, 22 + 28 * i, `${name}: ${short(pushes[i])}`);
  });
  picture.circle(x(guess), 110, 7, { fill: PIECE_BLUE });
  picture.text(0, 114, `guess: ${short(guess)}`);
  picture.circle(x(target), 140, 6, { fill: "none", stroke: "currentColor", "stroke-width": 2 });
  picture.text(0, 144, `target: ${short(target)}`);
  picture.line(x(guess), 125, x(target), 125, { stroke: PIECE_YELLOW, "stroke-width": 5 });
}

// ---------------------------------------------------------------- bend a line

function bendPiece(box) {
  title(box, "Touch it: three ReLUs bend a line");
  const model = new Sequential(new Linear(1, 3, new Generator(0)), new ReLU(), new Linear(3, 1, new Generator(0)));
  const { "0.bias": bias, "2.weight": slopes, "2.bias": height } = model.params;
  const optimizer = new SGD({ "0.bias": bias, "2.weight": slopes, "2.bias": height }, { lr: 0.05 });
  const x = new Tensor([17, 1], Float64Array.from({ length: 17 }, (_, i) => i / 4 - 2));
  const wanted = x.map((number) => 0.6 * number * number);
  const state = { model };
  const picture = drawing(box, 240, "The bent line, and the points that it should meet");
  const controls = make("div", box, "", { class: "piece-sliders" });
  const begin = { places: [-1, 0, 1], slopes: [0, 0, 0], height: 1 };
  const places = begin.places.map((p, i) => slider(controls, `neuron ${i + 1} bends at`, [-3, 3, 0.05], p, show));
  const adds = begin.slopes.map((a, i) => slider(controls, `neuron ${i + 1} adds slope`, [-4, 4, 0.05], a, show));
  const start = slider(controls, "height at the left", [-3, 5, 0.05], begin.height, show);
  const buttons = make("div", box, "", { class: "piece-buttons" });
  button(buttons, "100 steps of descent", learn);
  button(buttons, "Begin again", () => {
    places.forEach((control, i) => {
      control.value = begin.places[i];
      adds[i].value = begin.slopes[i];
    });
    start.value = begin.height;
    show();
  });
  const words = make("p", box);

  /** ∂L/∂y of the mean of the squares. (17, 1) */
  function gradient() {
    const y = model.forward(x);
    state.loss = y.data.reduce((sum, value, i) => sum + (value - wanted.data[i]) ** 2, 0) / 17;
    return y.map((value, i) => (2 * (value - wanted.data[i])) / 17);
  }

  function learn() {
    for (let i = 0; i < 100; i += 1) {
      model.backwardParams(gradient());
      optimizer.step(model.grads);
    }
    places.forEach((control, i) => {
      control.value = -bias.data[i];
      adds[i].value = slopes.data[i];
    });
    start.value = height.data[0];
    show();
  }

  function show() {
    model.params["0.weight"].data.fill(1);
    bias.data.set(places.map((control) => -control.value));
    slopes.data.set(adds.map((control) => control.value));
    height.data[0] = start.value;
    gradient();
    const across = (number) => 240 + 110 * number;
    const down = (number) => 180 - 60 * between(-1.2, number, 3.2);
    picture.clear();
    picture.line(10, down(0), 470, down(0), { opacity: 0.4 });
    const fine = new Tensor([161, 1], Float64Array.from({ length: 161 }, (_, i) => i / 40 - 2));
    const y = model.forward(fine).data;
    const line = Array.from(fine.data, (number, i) => [across(number), down(y[i])]);
    picture.curve(line, { stroke: PIECE_BLUE, "stroke-width": 3 });
    x.data.forEach((number, i) => picture.circle(across(number), down(wanted.data[i]), 4, { fill: PIECE_ORANGE }));
    places.forEach((control, i) => {
      const place = across(between(-2, control.value, 2));
      picture.line(place, 225, place, 238, { "stroke-width": 2 });
      picture.text(place + 3, 237, String(i + 1), { "font-size": 14 });
    });
    words.textContent = `Mean of the squared errors: ${short(state.loss)}.`;
  }
  show();
  return state;
}

// ---------------------------------------------------------------- a slope

function slopePiece(box) {
  title(box, "Touch it: the nudge, and the step");
  const state = { trail: [] };
  const picture = drawing(box, 250, "The loss w², its slope at w, and a nudge");
  const controls = make("div", box, "", { class: "piece-sliders" });
  const moved = () => {
    state.trail = [];
    show();
  };
  const w = slider(controls, "weight w", [-4.5, 4.5, 0.1], 4, moved);
  const nudge = slider(controls, "nudge", [0.001, 2, 0.001], 1, show);
  const rate = slider(controls, "learning rate", [0.01, 1.1, 0.01], 0.1, show);
  const buttons = make("div", box, "", { class: "piece-buttons" });
  button(buttons, "One step", () => {
    state.trail.push(w.value);
    w.value -= rate.value * 2 * w.value;
    show();
  });
  button(buttons, "Begin again", () => {
    w.value = 4;
    moved();
  });
  const table = newTable(box);
  const across = (number) => 240 + 50 * between(-4.8, number, 4.8);
  const down = (number) => 225 - 10 * between(-2, number, 22);

  function show() {
    const [at, slope, e] = [w.value, 2 * w.value, nudge.value];
    const quotient = ((at + e) ** 2 - at ** 2) / e;
    Object.assign(state, { w: at, slope, quotient });
    picture.clear();
    picture.line(10, down(0), 470, down(0), { opacity: 0.4 });
    const places = Array.from({ length: 93 }, (_, i) => -4.6 + i / 10);
    picture.curve(places.map((p) => [across(p), down(p * p)]), { opacity: 0.6 });
    const far = 1 / Math.hypot(1, slope / 5);
    const ends = [at - far, at + far].flatMap((p) => [across(p), down(at * at + (p - at) * slope)]);
    picture.line(...ends, { stroke: PIECE_YELLOW, "stroke-width": 5 });
    const nudged = [across(at + e), down((at + e) ** 2)];
    picture.line(across(at), down(at * at), ...nudged, { stroke: PIECE_ORANGE, "stroke-width": 2 });
    state.trail.forEach((p) => picture.circle(across(p), down(p * p), 3.5, { fill: PIECE_BLUE, opacity: 0.6 }));
    picture.circle(across(at), down(at * at), 6, { fill: PIECE_BLUE });
    picture.circle(across(at + e), down((at + e) ** 2), 4, { fill: PIECE_ORANGE });
    fillTable(table, [
      ["", "number"],
      ["loss w²", short(at * at)],
      ["slope 2w (yellow)", short(slope)],
      ["by the nudge (orange)", short(quotient)],
      ["step: −rate · slope", short(-rate.value * slope)],
      ["steps made", String(state.trail.length)],
    ]);
  }
  show();
  return state;
}

// ---------------------------------------------------------------- gradients flow back

function gradientsPiece(box) {
  title(box, "Touch it: forward, and back");
  const model = new Sequential(new Linear(2, 2, new Generator(0)), new ReLU(), new Linear(2, 1, new Generator(0)));
  const state = { model, stage: 0 };
  const picture = drawing(box, 258, "A network of two inputs, two hidden neurons and an output, with its numbers");
  const words = make("p", box, "", { "aria-live": "polite" });
  const buttons = make("div", box, "", { class: "piece-buttons" });
  const last = 8;
  const back = button(buttons, "Back", () => turnTo(state.stage - 1));
  const next = button(buttons, "Next", () => turnTo(state.stage + 1));
  button(buttons, "All", () => turnTo(last));
  button(buttons, "One step, rate 0.01", () => {
    new SGD(model.params, { lr: 0.01 }).step(model.grads);
    turnTo(last);
  });
  button(buttons, "Begin again", begin);
  const controls = make("div", box, "", { class: "piece-sliders" });
  const x1 = slider(controls, "x₁", [-4, 4, 0.5], 2, show);
  const x2 = slider(controls, "x₂", [-4, 4, 0.5], 1, show);
  const target = slider(controls, "target t", [-4, 4, 0.5], 1, show);

  function begin() {
    const numbers = { "0.weight": [1, 0.5, -1, 3], "0.bias": [0.5, 0.5], "2.weight": [0.5, -2], "2.bias": [1] };
    Object.entries(numbers).forEach(([name, values]) => model.params[name].data.set(values));
    [x1.value, x2.value, target.value] = [2, 1, 1];
    turnTo(0);
  }

  function turnTo(stage) {
    state.stage = between(0, stage, last);
    show();
  }

  function show() {
    const x = new Tensor([1, 2], Float64Array.of(x1.value, x2.value));
    const [sums, hidden, y] = model.outputs(x);
    const error = y.data[0] - target.value;
    const gradY = new Tensor([1, 1], Float64Array.of(2 * error));
    const gradHidden = model.layers[2].backward(gradY);
    const gradSums = model.layers[1].backward(gradHidden);
    const gradX = model.layers[0].backward(gradSums);
    const values = { x, sums, hidden, y, loss: error * error, t: target.value };
    Object.assign(state, { values, grads: { x: gradX, sums: gradSums, hidden: gradHidden, y: gradY } });
    drawFlow(picture, state);
    words.textContent = flowWords(state);
    back.disabled = state.stage === 0;
    next.disabled = state.stage === last;
  }
  begin();
  return state;
}

/** Stages 0 to 4 go forward: inputs, sums, ReLU, output, loss; 5 to 8 back: output, hidden, sums, inputs. */
function flowWords({ model, stage, values, grads }) {
  const bias = Array.from(model.params["0.bias"].data, short);
  const [y, t] = [values.y.data[0], values.t];
  const [h1, h2] = grads.hidden.data;
  return [
    "Forward. The inputs come in; the weights stand on the lines.",
    `Each hidden sum: every input times the weight on its line, added, and the bias, ${bias.join(" and ")}.`,
    "ReLU: what is negative becomes 0.",
    `The output: a weighted sum again, and the bias, ${short(model.params["2.bias"].data[0])}.`,
    `The loss: (y − t)² = (${short(y)} − ${short(t)})² = ${short(values.loss)}.`,
    `Back. The loss's slope at y: 2 · (y − t) = ${short(grads.y.data[0])}, in yellow.`,
    `Times a line's weight: ${short(h1)} and ${short(h2)}. Times the number that came along it: the weight's gradient.`,
    "ReLU lets through what came from a positive sum, and nothing else.",
    "Times the weights once more; where paths meet, in x₁ and x₂, they are added.",
  ][stage];
}

function drawFlow(picture, { model, stage, values, grads }) {
  picture.clear();
  const columns = [
    { at: 40, name: "x", numbers: values.x.data, grads: grads.x.data, seen: 0, back: 8 },
    { at: 175, name: "s", numbers: values.sums.data, grads: grads.sums.data, seen: 1, back: 7 },
    { at: 285, name: "h", numbers: values.hidden.data, grads: grads.hidden.data, seen: 2, back: 6 },
    { at: 430, name: "y", numbers: values.y.data, grads: grads.y.data, seen: 3, back: 5 },
  ];
  const height = (column, i) => (column.numbers.length === 1 ? 125 : 62 + 126 * i);
  const lines = (from, to, layer, back) => {
    const { weight } = layer.params;
    const nIn = weight.shape[1];
    weight.data.forEach((value, k) => {
      const [a, b] = [k % nIn, Math.floor(k / nIn)];
      const [y1, y2] = [height(from, a), height(to, b)];
      const look = { stroke: signColour(value), "stroke-width": 0.8 + Math.min(Math.abs(value), 5) };
      picture.line(from.at, y1, to.at, y2, look);
      const [x, y] = [from.at + 0.36 * (to.at - from.at), y1 + 0.36 * (y2 - y1)];
      tag(picture, x, y - 8, short(value), "none");
      if (stage >= back) {
        tag(picture, x, y + 11, short(layer.grads.weight.data[k]), PIECE_YELLOW);
      }
    });
  };
  lines(columns[0], columns[1], model.layers[0], 8);
  lines(columns[2], columns[3], model.layers[2], 6);
  [0, 1].forEach((i) => picture.line(175, height(columns[1], i), 285, height(columns[2], i), { opacity: 0.4 }));
  picture.text(230, 46, "ReLU", { "text-anchor": "middle", "font-size": 14 });
  columns.forEach((column) => column.numbers.forEach((number, i) => {
    const y = height(column, i);
    picture.circle(column.at, y, 20, { class: "piece-node" });
    const index = column.numbers.length > 1 ? "₁₂"[i] : "";
    picture.text(column.at, y - 25, `${column.name}${index}`, { "text-anchor": "middle", "font-size": 14 });
    const shown = stage >= column.seen ? short(number) : "";
    picture.text(column.at, y + 5, shown, { "text-anchor": "middle" });
    if (stage >= column.back) {
      tag(picture, column.at, y + 36, short(column.grads[i]), PIECE_YELLOW);
    }
  }));
  if (stage >= 4) {
    picture.text(478, 30, `loss ${short(values.loss)}`, { "text-anchor": "end" });
    picture.text(478, 50, `t = ${short(values.t)}`, { "text-anchor": "end" });
  }
}

/** A number on a ground of its own, so that lines do not cross it. */
function tag(picture, x, y, words, ground) {
  const width = 6 + 8 * words.length;
  const plain = ground === "none";
  picture.rect(x - width / 2, y - 12, width, 17, { rx: 3, ...(plain ? { class: "piece-ground" } : { fill: ground }) });
  picture.text(x, y + 1, words, { "text-anchor": "middle", "font-size": 14, ...(plain ? {} : { fill: "#000" }) });
}

// ---------------------------------------------------------------- batch sizes race

function batchesPiece(box) {
  title(box, "Touch it: the same points, other batches");
  const lanes = [{ batch: 1, lr: 0.05 }, { batch: 8, lr: 0.3 }, { batch: 32, lr: 0.6 }, { batch: 200, lr: 2 }];
  const state = { lanes, epochs: 0 };
  const picture = drawing(box, 220, "Loss on all points after every epoch, a line for each batch size");
  const rates = make("div", box, "", { class: "piece-sliders" });
  lanes.forEach((lane) => {
    lane.name = lane.batch === 200 ? "all at once" : `batches of ${lane.batch}`;
    lane.rate = slider(rates, `rate, ${lane.name}`, [0.01, 3, 0.01], lane.lr, begin);
  });
  const seed = slider(rates, "seed", [0, 20, 1], 0, begin);
  const buttons = make("div", box, "", { class: "piece-buttons" });
  button(buttons, "One epoch", () => go(1));
  button(buttons, "Ten epochs", () => go(10));
  button(buttons, "Begin again", begin);
  const table = newTable(box);

  function begin() {
    state.epochs = 0;
    lanes.forEach((lane) => {
      const how = { set: "moons", count: 200, noise: 0.1, hidden: "8", activation: "Tanh", momentum: 0 };
      const settings = { ...FIRST_SETTINGS, ...how, batch: lane.batch, lr: lane.rate.value, seed: seed.value };
      lane.session = new Session(settings, pointSet("moons", { count: 200, noise: 0.1, seed: 0 }));
      lane.losses = [lane.session.onAll().loss];
    });
    show();
  }

  function go(epochs) {
    for (let i = 0; i < epochs; i += 1) {
      lanes.forEach(({ session, batch, losses }) => {
        session.goTo(session.step + Math.ceil(200 / batch));
        losses.push(session.onAll().loss);
      });
      state.epochs += 1;
    }
    show();
  }

  function show() {
    picture.clear();
    const top = 0.8;
    const long = Math.max(state.epochs, 10);
    picture.line(36, 195, 470, 195, { opacity: 0.5 });
    picture.line(36, 10, 36, 195, { opacity: 0.5 });
    picture.text(2, 18, `${top}`, { "font-size": 14 });
    picture.text(16, 199, "0", { "font-size": 14 });
    picture.text(470, 212, `${long} epochs`, { "text-anchor": "end", "font-size": 14 });
    picture.text(44, 18, "loss", { "font-size": 14 });
    const place = (loss, i) => [36 + (434 * i) / long, 195 - (185 * between(0, loss, top)) / top];
    lanes.forEach(({ losses }, k) => {
      const dashes = ["", "7 4", "2 3", "10 3 2 3"][k];
      picture.curve(losses.filter(Number.isFinite).map(place), { stroke: PIECE_LINES[k], "stroke-dasharray": dashes });
    });
    const rows = lanes.map(({ name, session, losses }) => {
      const right = `${(100 * session.onAll().accuracy).toFixed(1)} %`;
      return [name, String(session.step), short(losses[losses.length - 1]), right];
    });
    fillTable(table, [["", "steps", "loss", "right"], ...rows]);
    markRows(table, PIECE_LINES);
  }
  begin();
  return state;
}

/** The colour of its line before the name of each row. */
function markRows(table, colours) {
  [...table.rows].slice(1).forEach((row, k) => {
    row.cells[0].style.borderLeft = `0.5rem solid ${colours[k]}`;
  });
}

// ---------------------------------------------------------------- optimisers race

function optimizersPiece(box) {
  title(box, "Touch it: three ways down a valley");
  const range = [0.001, 0.1, 0.0001];
  const walkers = [
    { name: "plain descent", begin: 0.0178, range, create: (params, lr) => new SGD(params, { lr }) },
    { name: "momentum", begin: 0.0316, range, create: withMomentum },
    { name: "Adam", begin: 1, range: [0.01, 2, 0.01], create: (params, lr) => new Adam(params, { lr }) },
  ];
  const state = { walkers };
  const picture = drawing(box, 240, "The valley from above, and the way of each optimiser");
  const controls = make("div", box, "", { class: "piece-sliders" });
  walkers.forEach((walker) => {
    walker.rate = slider(controls, `rate, ${walker.name}`, walker.range, walker.begin, begin);
  });
  const share = slider(controls, "share of momentum", [0, 0.99, 0.01], 0.9, begin);
  const steep = slider(controls, "steepness across", [1, 200, 1], 100, begin);
  const buttons = make("div", box, "", { class: "piece-buttons" });
  button(buttons, "One step", () => go(1));
  button(buttons, "Ten steps", () => go(10));
  button(buttons, "Begin again", begin);
  const table = newTable(box);
  function withMomentum(params, lr) {
    return new SGD(params, { lr, momentum: share.value });
  }

  const height = ([a, b]) => (a * a + steep.value * b * b) / 2;

  function begin() {
    walkers.forEach((walker) => {
      walker.params = { w: new Tensor([2], Float64Array.of(4, 1)) };
      walker.optimizer = walker.create(walker.params, walker.rate.value);
      walker.path = [[4, 1]];
    });
    show();
  }

  function go(steps) {
    walkers.forEach(({ params, optimizer, path }) => {
      for (let i = 0; i < steps; i += 1) {
        const [a, b] = params.w.data;
        optimizer.step({ w: new Tensor([2], Float64Array.of(a, steep.value * b)) });
        path.push([...params.w.data]);
      }
    });
    show();
  }

  function show() {
    const across = (a) => 200 + 48 * between(-5, a, 6);
    const down = (b) => 120 - 40 * between(-4, b, 4);
    picture.clear();
    [2, 20, 80, 200].forEach((loss) => {
      const reach = Math.sqrt(2 * loss);
      picture.ellipse(200, 120, 48 * reach, (40 * reach) / Math.sqrt(steep.value));
    });
    walkers.forEach(({ path }, k) => {
      const finite = path.filter(([a, b]) => Number.isFinite(a + b));
      const look = { stroke: PIECE_LINES[k], "stroke-dasharray": ["", "7 4", "2 3"][k] };
      picture.curve(finite.map(([a, b]) => [across(a), down(b)]), look);
      const [a, b] = finite[finite.length - 1];
      picture.circle(across(a), down(b), 5, { fill: PIECE_LINES[k] });
    });
    const rows = walkers.map(({ name, path }) => {
      const end = path[path.length - 1];
      return [name, String(path.length - 1), short(end[0]), short(end[1]), short(height(end))];
    });
    fillTable(table, [["", "steps", "along", "across", "loss"], ...rows]);
    markRows(table, PIECE_LINES);
  }
  begin();
  return state;
}

if (document.readyState === "loading") {
  addEventListener("DOMContentLoaded", mountPieces);
} else {
  mountPieces();
}
