"use strict";

// What points.html shows. A run is a Session (session.js); here it is drawn, and changed by hand.

const SIDE = 40; // pictures of the plane have 40×40 places
const REACH = 1.1; // the plane from −1.1 to 1.1
const COLOURS = [[43, 108, 176], [217, 130, 43], [60, 150, 96], [190, 60, 110], [128, 96, 190], [130, 130, 130]];
const BLUE = COLOURS[0];
const ORANGE = COLOURS[1];
const SETTINGS = Object.keys(FIRST_SETTINGS);
const PLACES = planePlaces();
const view = { session: null, playing: false, chosen: [1, 0], cursor: null, address: "", shownAt: 0, owed: 0 };

/** (1600, 2): the middle of every place, the upper left one first. */
function planePlaces() {
  const places = new Tensor([SIDE * SIDE, 2]);
  for (let i = 0; i < SIDE * SIDE; i += 1) {
    places.data[2 * i] = REACH * ((2 * ((i % SIDE) + 0.5)) / SIDE - 1);
    places.data[2 * i + 1] = REACH * (1 - (2 * (Math.floor(i / SIDE) + 0.5)) / SIDE);
  }
  return places;
}

// ---------------------------------------------------------------- a run begins, goes on, goes back

/** Do something that may be refused: then a line says why, and all stays as it was. */
function attempt(action) {
  try {
    action();
    element("message").textContent = "";
    return true;
  } catch (error) {
    element("message").textContent = `${error.message}. Nothing was changed.`;
    return false;
  }
}

function asked() {
  const numbers = new Set(SETTINGS.filter((name) => typeof FIRST_SETTINGS[name] === "number"));
  return Object.fromEntries(SETTINGS.map((name) => {
    return [name, numbers.has(name) ? element(name).valueAsNumber : element(name).value];
  }));
}

function useSession(session) {
  view.session = session;
  view.chosen = [1, 0];
  SETTINGS.forEach((name) => {
    element(name).value = session.settings[name];
  });
  element("lr").value = session.lr;
  ["count", "noise"].forEach((name) => {
    element(name).disabled = Boolean(session.own);
  });
  buildNetwork();
  buildWeights();
  show();
}

/** Settings hold; the points stay where they are a user's own. */
function takeSettings(event) {
  const { session } = view;
  if (event.target.id === "lr" && session.step > 0) {
    attempt(() => {
      refuseOddSettings(asked());
      session.change("lr", 0, element("lr").valueAsNumber);
    });
    show();
    return;
  }
  const settings = asked();
  const own = settings.set === "own" ? session.own || session.points : null;
  const taken = attempt(() => useSession(new Session(settings, own)));
  if (!taken && event.target.value !== "") {
    event.target.value = session.settings[event.target.id];
  }
}

function useOwn(points) {
  useSession(new Session({ ...view.session.settings, set: "own" }, points));
}

function stop() {
  view.playing = false;
  element("play").textContent = "Play";
}

function playOrPause() {
  if (view.playing) {
    stop();
    show();
    return;
  }
  view.playing = true;
  view.owed = 0;
  view.before = performance.now();
  element("play").textContent = "Pause";
  requestAnimationFrame(playSome);
}

/** As many steps as are due, as far as the page can; pictures less often for who wants less motion. */
function playSome(now) {
  if (!view.playing) {
    return;
  }
  view.owed = Math.min(view.owed + ((now - view.before) / 1000) * Number(element("speed").value), 100);
  view.before = now;
  const begun = performance.now();
  let made = 0;
  while (view.owed >= 1 && performance.now() - begun < 12) {
    mayGoOn();
    view.owed -= 1;
    made += 1;
  }
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1000 : 0;
  if (made && now - view.shownAt >= calm) {
    view.shownAt = now;
    show();
  }
  requestAnimationFrame(playSome);
}

function mayGoOn() {
  if (view.session.step < MOST_STEPS) {
    view.session.forward();
  } else {
    stop();
  }
}

function byHand(action) {
  stop();
  action();
  show();
}

// ---------------------------------------------------------------- what is shown

function show() {
  const { session } = view;
  const outputs = session.model.outputs(PLACES);
  showNeurons(outputs);
  showRegions(outputs[outputs.length - 1]);
  showWeights();
  const losses = session.losses.filter(Number.isFinite);
  drawCurve(element("losses"), losses, Math.max(...losses.slice(0, 200), 1e-9));
  showStatus();
  element("back").disabled = session.step === 0;
  element("reset").disabled = session.step === 0;
  element("undo").disabled = session.changes.length === 0;
  if (!view.playing) {
    writeAddress();
    element("program").textContent = torchScript(session);
  }
}

function showStatus() {
  const { session } = view;
  const { loss, accuracy } = session.onAll();
  const epochs = session.step / Math.ceil(session.points.length / session.settings.batch);
  const right = `${(100 * accuracy).toFixed(1)} % of ${session.points.length} points right`;
  const end = session.step >= MOST_STEPS ? " That is the last step a page makes." : "";
  const words = `Step ${session.step}, epoch ${epochs.toFixed(1)}: loss ${loss.toFixed(4)} on all points, ${right}.`;
  const odd = Number.isFinite(loss) ? "" : " The learning rate was too large: step back, and take a smaller one.";
  element("status").textContent = words + odd + end;
}

/** logits (1600, classes): the colour of the class, paler where another is near. */
function showRegions(logits) {
  const canvas = element("regions");
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const scores = asScores(logits);
  const image = new ImageData(SIDE, SIDE);
  const classes = logits.shape[1];
  argmax(scores).forEach((best, i) => {
    const row = scores.data.subarray(i * classes, (i + 1) * classes);
    const second = row.reduce((most, score, c) => (c === best ? most : Math.max(most, score)), -Infinity);
    const lead = Math.min(Math.max(row[best] - second, 0), 1) || 0;
    image.data.set([...COLOURS[best], 40 + 130 * lead], 4 * i);
  });
  drawScaled(pen, image, canvas.width);
  view.session.points.forEach(([x, y, c]) => drawPoint(pen, across(x), down(y), c));
  if (view.cursor && document.activeElement === canvas) {
    drawCross(pen, across(view.cursor[0]), down(view.cursor[1]));
  }
}

/** What the loss takes an output for: shares, a probability each, or the answer itself. */
function asScores(logits) {
  const { loss } = view.session.settings;
  if (loss === "CrossEntropyLoss") {
    return shares(logits).p;
  }
  return loss === "MSELoss" ? logits : new Sigmoid().forward(logits);
}

function drawScaled(pen, image, side) {
  const small = document.createElement("canvas");
  small.width = SIDE;
  small.height = SIDE;
  small.getContext("2d").putImageData(image, 0, 0);
  pen.drawImage(small, 0, 0, side, side);
}

const across = (x) => (200 * (x + REACH)) / REACH;
const down = (y) => (200 * (REACH - y)) / REACH;

/** Each class has a shape of its own, too. */
function drawPoint(pen, x, y, c) {
  const corners = [0, 4, 3, 4, 5, 3][c];
  const turn = [0, Math.PI / 4, -Math.PI / 2, 0, -Math.PI / 2, Math.PI / 2][c];
  pen.beginPath();
  if (corners === 0) {
    pen.arc(x, y, 4.5, 0, 2 * Math.PI);
  }
  for (let k = 0; k < corners; k += 1) {
    const angle = turn + (2 * Math.PI * k) / corners;
    pen.lineTo(x + 5.5 * Math.cos(angle), y + 5.5 * Math.sin(angle));
  }
  pen.closePath();
  pen.fillStyle = `rgb(${COLOURS[c]})`;
  pen.fill();
  pen.strokeStyle = "white";
  pen.lineWidth = 1.2;
  pen.stroke();
}

function drawCross(pen, x, y) {
  pen.strokeStyle = getComputedStyle(document.body).color;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.moveTo(x - 10, y);
  pen.lineTo(x + 10, y);
  pen.moveTo(x, y - 10);
  pen.lineTo(x, y + 10);
  pen.stroke();
}

// ---------------------------------------------------------------- the network

/** Column 0 holds the inputs, column k the neurons of layer k; the model's layers are Linear and curve in turn. */
function buildNetwork() {
  const { sizes } = view.session;
  const tallest = Math.max(...sizes);
  const place = (column, i) => [4 + 82 * column, 16 + 56 * (i + (tallest - sizes[column]) / 2)];
  const parts = [];
  const lines = [];
  sizes.forEach((size, column) => {
    for (let i = 0; i < size; i += 1) {
      const [left, top] = place(column, i);
      parts.push(neuronButton(column, i, left, top));
      for (let from = 0; column > 0 && from < sizes[column - 1]; from += 1) {
        const [x, y] = place(column - 1, from);
        const at = `x1="${x + 48}" y1="${y + 24}" x2="${left}" y2="${top + 24}"`;
        lines.push(`<line id="line-${column}-${i}-${from}" ${at}/>`);
      }
    }
  });
  const width = 82 * sizes.length;
  const height = 16 + 56 * tallest;
  const drawing = `<svg width="${width}" height="${height}" aria-hidden="true">${lines.join("")}</svg>`;
  element("network").innerHTML = `<div style="width: ${width}px; height: ${height}px">${drawing}</div>`;
  element("network").firstChild.append(...parts);
}

function neuronButton(column, i, left, top) {
  const button = document.createElement(column === 0 ? "div" : "button");
  button.id = `neuron-${column}-${i}`;
  button.className = "neuron";
  button.style.left = `${left}px`;
  button.style.top = `${top}px`;
  button.innerHTML = `<canvas class="plain" width="${SIDE}" height="${SIDE}"></canvas>`;
  if (column === 0) {
    button.setAttribute("role", "img");
    button.setAttribute("aria-label", nameOf(0, i));
    return button;
  }
  button.type = "button";
  button.setAttribute("aria-label", nameOf(column, i));
  button.addEventListener("click", () => {
    view.chosen = [column, i];
    buildWeights();
    show();
  });
  return button;
}

function nameOf(column, i) {
  if (column === 0) {
    return ["x, to the right", "y, upwards"][i];
  }
  const last = column === view.session.sizes.length - 1;
  return last ? `output of class ${i}` : `neuron ${i + 1} of layer ${column}`;
}

/** outputs: of every layer of the model, each (1600, its neurons). */
function showNeurons(outputs) {
  const { sizes, model } = view.session;
  const last = sizes.length - 1;
  sizes.forEach((size, column) => {
    const inner = column === last ? outputs[outputs.length - 1] : outputs[2 * column - 1];
    const answers = column === 0 ? PLACES : inner;
    for (let i = 0; i < size; i += 1) {
      const button = element(`neuron-${column}-${i}`);
      drawAnswer(button.firstChild, answers, i);
      const chosen = view.chosen[0] === column && view.chosen[1] === i;
      button.classList.toggle("chosen", chosen);
      if (column > 0) {
        button.setAttribute("aria-pressed", chosen);
        showLines(model.params[`${2 * column - 2}.weight`], column, i);
      }
    }
  });
}

function showLines(weight, column, i) {
  const nIn = weight.shape[1];
  for (let from = 0; from < nIn; from += 1) {
    const value = weight.data[i * nIn + from];
    const line = element(`line-${column}-${i}-${from}`);
    line.setAttribute("stroke", `rgb(${value < 0 ? ORANGE : BLUE})`);
    line.setAttribute("stroke-width", Math.min(0.5 + 2 * Math.abs(value), 10) || 0);
  }
}

/** Column i of answers (1600, neurons), as strong as the strongest of it. */
function drawAnswer(canvas, answers, i) {
  const image = new ImageData(SIDE, SIDE);
  const n = answers.shape[1];
  let largest = 1e-12;
  for (let r = 0; r < SIDE * SIDE; r += 1) {
    largest = Math.max(largest, Math.abs(answers.data[r * n + i]));
  }
  for (let r = 0; r < SIDE * SIDE; r += 1) {
    const value = answers.data[r * n + i];
    const [red, green, blue] = value < 0 ? ORANGE : BLUE;
    image.data[4 * r] = red;
    image.data[4 * r + 1] = green;
    image.data[4 * r + 2] = blue;
    image.data[4 * r + 3] = (255 * Math.abs(value)) / largest;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// ---------------------------------------------------------------- one neuron's numbers

/** Where the chosen neuron's numbers stand: parameter, place, and what comes in there. */
function chosenPlaces() {
  const [column, i] = view.chosen;
  const nIn = view.session.sizes[column - 1];
  const layer = 2 * column - 2;
  const weights = Array.from({ length: nIn }, (_, from) => {
    return { name: `${layer}.weight`, at: i * nIn + from, from: nameOf(column - 1, from) };
  });
  return [...weights, { name: `${layer}.bias`, at: i, from: "bias" }];
}

function buildWeights() {
  const [column, i] = view.chosen;
  element("chosen").textContent = `Weights of ${nameOf(column, i)}`;
  const rows = chosenPlaces().map(({ name, at, from }, k) => {
    const row = document.createElement("tr");
    row.innerHTML = `<th scope="row">${from}<br><code>${name}</code></th>
      <td><input id="weight-${k}" type="number" step="any" aria-label="weight, ${from}"></td><td></td>`;
    row.querySelector("input").addEventListener("change", (event) => changeWeight(event.target, name, at));
    return row;
  });
  element("weights").tBodies[0].replaceChildren(...rows);
}

function changeWeight(input, name, at) {
  const value = input.valueAsNumber;
  attempt(() => {
    if (!Number.isFinite(value)) {
      throw new Error("A weight is a number");
    }
    view.session.change(name, at, value);
  });
  show();
}

/** A field that is being written in is left alone while the network learns. */
function showWeights() {
  const { session } = view;
  const grads = session.nextGrads();
  chosenPlaces().forEach(({ name, at }, k) => {
    const input = element(`weight-${k}`);
    if (!(view.playing && document.activeElement === input)) {
      input.value = session.model.params[name].data[at];
    }
    input.closest("tr").lastElementChild.textContent = inDigits(grads[name].data[at]);
  });
}

function inDigits(number) {
  return number !== 0 && Math.abs(number) < 1e-4 ? number.toExponential(2) : number.toFixed(5);
}

// ---------------------------------------------------------------- own points

function setPoint(x, y) {
  const pick = element("pick").value;
  const place = [inThousandths(x), inThousandths(y)];
  attempt(() => {
    if (pick === "away") {
      takeNearestAway(place);
      return;
    }
    const points = [...view.session.points, [...place, Number(pick)]];
    if (points.length > MOST_POINTS) {
      throw new Error(`There are ${MOST_POINTS} points, and no more may be`);
    }
    useOwn(points);
  });
}

function takeNearestAway([x, y]) {
  const { points } = view.session;
  if (points.length === 1) {
    throw new Error("One point has to stay");
  }
  const far = points.map(([a, b]) => (a - x) ** 2 + (b - y) ** 2);
  const nearest = far.indexOf(Math.min(...far));
  useOwn(points.filter((_, i) => i !== nearest));
}

function clickedPlace(event) {
  const { left, top, width, height } = element("regions").getBoundingClientRect();
  const x = REACH * ((2 * (event.clientX - left)) / width - 1);
  const y = REACH * (1 - (2 * (event.clientY - top)) / height);
  setPoint(x, y);
}

function moveOrSet(event) {
  const moves = { ArrowLeft: [-0.05, 0], ArrowRight: [0.05, 0], ArrowUp: [0, 0.05], ArrowDown: [0, -0.05] };
  const [x, y] = view.cursor;
  if (moves[event.key]) {
    view.cursor = [inThousandths(x + moves[event.key][0]), inThousandths(y + moves[event.key][1])];
    show();
  } else if (event.key === "Enter" || event.key === " ") {
    setPoint(x, y);
  } else if (event.key === "Delete" || event.key === "Backspace") {
    attempt(() => takeNearestAway([x, y]));
  } else {
    return;
  }
  event.preventDefault();
}

function takeCsv() {
  let told = "";
  const taken = attempt(() => {
    const { points, names, scaled } = readCsv(element("csv").value);
    useOwn(points);
    const how = scaled ? ", moved and scaled to −1 … 1" : "";
    told = `${points.length} points of ${names.length} classes${how}: ${names.join(", ")}.`;
  });
  if (taken) {
    element("message").textContent = told;
  }
}

// ---------------------------------------------------------------- the address

function writeAddress() {
  view.address = `#${addressOf(view.session)}`;
  history.replaceState(null, "", view.address);
}

function openAddress() {
  if (location.hash === view.address) {
    return;
  }
  stop();
  if (location.hash.length > 1) {
    attempt(() => useSession(sessionOf(location.hash.slice(1))));
  }
}

async function copyAddress() {
  stop();
  show();
  try {
    await navigator.clipboard.writeText(location.href);
    element("message").textContent = "Copied.";
  } catch {
    element("message").textContent = "The browser does not let a page copy: the address stands in its bar.";
  }
}

// ---------------------------------------------------------------- begin

function fillChoices() {
  const names = [...Object.keys(POINT_SETS), "own"];
  element("set").innerHTML = names.map((name) => `<option>${name}</option>`).join("");
  const classes = COLOURS.map((_, c) => `<option value="${c}">sets a point of class ${c}</option>`);
  element("pick").innerHTML = `${classes.join("")}<option value="away">takes the nearest away</option>`;
}

function listen() {
  const on = (id, kind, action) => element(id).addEventListener(kind, action);
  on("settings", "change", takeSettings);
  on("settings", "submit", (event) => event.preventDefault());
  on("reset", "click", () => byHand(() => view.session.goTo(0)));
  on("back", "click", () => byHand(() => view.session.back()));
  on("step", "click", () => byHand(mayGoOn));
  on("play", "click", playOrPause);
  on("undo", "click", () => byHand(() => {
    view.session.undoChange();
    element("lr").value = view.session.lr;
  }));
  on("regions", "click", clickedPlace);
  on("regions", "keydown", moveOrSet);
  on("regions", "focus", () => {
    view.cursor = view.cursor || [0, 0];
    show();
  });
  on("regions", "blur", show);
  on("none", "click", () => attempt(() => useOwn([[0, 0, 0]])));
  on("take", "click", takeCsv);
  on("tell", "click", () => {
    element("csv").value = asCsv(view.session.points);
  });
  on("copy", "click", copyAddress);
  on("torch", "click", () => giveFile("points_torch.py", torchScript(view.session)));
  on("scratch", "click", () => giveFile("points_scratch.py", scratchScript(view.session)));
  addEventListener("hashchange", openAddress);
}

fillChoices();
listen();
if (location.hash.length > 1) {
  const given = location.hash.slice(1);
  useSession(new Session(FIRST_SETTINGS));
  attempt(() => useSession(sessionOf(given)));
} else {
  useSession(new Session(FIRST_SETTINGS));
}
