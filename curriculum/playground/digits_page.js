"use strict";

// What digits.html shows. The network learns in a worker (learner.js); here is a copy that reads.

const SIZES = [784, 128, 64, 10];
const state = { model: mlp(SIZES, "ReLU", 0), losses: [], accuracies: [], shown: null, running: false };
state.data = DIGITS_DATA; // what it learns from, as it came
state.digits = digitsOf(DIGITS_DATA); // the same as pictures
state.scale = { mean: state.digits.mean, std: state.digits.std }; // of the digits that the network has learned from
state.dtype = "F64"; // in which its weights are saved
const worker = startLearner();

// ---------------------------------------------------------------- learning

function startAnew(event) {
  event.preventDefault();
  state.scale = { mean: state.digits.mean, std: state.digits.std };
  state.dtype = "F64";
  start({});
}

/** From the weights that were loaded, with the pixels standardised as they know them. */
function trainOn() {
  const params = Object.entries(state.model.params);
  start(Object.fromEntries(params.map(([name, tensor]) => [name, tensor.data])));
}

function start(weights) {
  state.losses = [];
  state.accuracies = [];
  state.loaded = false;
  element("train-on").disabled = true;
  const batchSize = element("batch").valueAsNumber;
  const limit = element("epochs").valueAsNumber * Math.ceil(state.digits.sizes[0] / batchSize);
  const settings = { lr: element("lr").valueAsNumber, batchSize, seed: element("seed").valueAsNumber, limit };
  worker.postMessage({ type: "start", data: { ...state.data, ...state.scale }, sizes: SIZES, weights, ...settings });
  setRunning(true);
}

function pauseOrGoOn() {
  worker.postMessage({ type: state.running ? "pause" : "go on" });
  setRunning(!state.running);
}

function setRunning(running) {
  state.running = running;
  element("pause").disabled = false;
  element("pause").textContent = running ? "Pause" : "Go on";
}

function takeReport({ data: report }) {
  if (state.loaded) {
    return; // of a run that has been left
  }
  state.losses.push(...report.losses);
  state.accuracies.push(report.valAcc);
  for (const [name, shape, data] of report.params) {
    state.model.params[name].data.set(data);
  }
  if (!report.running) {
    setRunning(false);
    element("pause").disabled = true;
  }
  showReport(report);
}

function showReport(report) {
  const loss = state.losses[state.losses.length - 1];
  const finite = Number.isFinite(loss) ? "" : " The learning rate is too large: start anew with a smaller one.";
  const read = `${(100 * report.valAcc).toFixed(1)} % of ${state.digits.sizes[1]} unseen digits read right`;
  element("status").textContent = `Epoch ${report.epoch}, loss ${loss.toFixed(4)}, ${read}.${finite}`;
  drawCurve(element("losses"), state.losses, Math.max(...state.losses.slice(0, 50)));
  drawCurve(element("accuracies"), state.accuracies, 1);
  showNetwork(new Tensor([state.digits.sizes[1], 10], report.logits));
}

/** logits (count, 10): the network's answers to the validation digits. */
function showNetwork(logits) {
  drawWeights(element("weights"), state.model.params["0.weight"].data);
  const p = shares(logits).p;
  showConfusion(p);
  showMistakes(p);
  readShown();
}

// ---------------------------------------------------------------- which digits

async function chooseDigits() {
  element("status").textContent = "Loading digits …";
  try {
    showDigits(element("digits").value === "mnist" ? await servedMnist() : DIGITS_DATA);
  } catch (error) {
    element("digits").value = "page";
    element("status").textContent = `${error.message}. The digits of this page stay.`;
  }
}

/** @returns {Promise<object>} what `curriculum play` serves of MNIST */
async function servedMnist() {
  const answer = await fetch("mnist.json");
  if (!answer.ok) {
    throw new Error("MNIST cannot be read any more; see what it lacks with: curriculum doctor");
  }
  const { pixels, target, ...facts } = await answer.json();
  return { ...facts, pixels: bytesOf(pixels), target: bytesOf(target) };
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** The page shows and learns these from here on. */
function showDigits(data) {
  worker.postMessage({ type: "pause" });
  setRunning(false);
  element("pause").disabled = true;
  Object.assign(state, { data, digits: digitsOf(data), losses: [], accuracies: [], loaded: true });
  const [train, val] = state.digits.sizes;
  element("batch").max = train;
  element("scan").max = val - 1;
  element("last-scan").textContent = val - 1;
  element("unseen").textContent = val;
  element("status").textContent = `${train} digits to learn from, ${val} to read.`;
}

// ---------------------------------------------------------------- own weights

/** name: whose; buffer: a safetensors file; scale: mean and std of the digits that it has learned from. */
function useWeights(name, buffer, scale) {
  try {
    const found = readSafetensors(buffer);
    takeWeights(state.model.params, found);
    state.dtype = found["0.weight"].dtype;
  } catch (error) {
    element("message").textContent = `${error.message}. Nothing was changed.`;
    return;
  }
  element("message").textContent = "";
  worker.postMessage({ type: "pause" });
  setRunning(false);
  element("pause").disabled = true;
  Object.assign(state, { scale, loaded: true, losses: [], accuracies: [] });
  element("train-on").disabled = false;
  const first = state.digits.sizes[0] * 784;
  const pixels = state.digits.pixels.subarray(first, first + state.digits.sizes[1] * 784);
  const logits = state.model.forward(new Tensor([state.digits.sizes[1], 784], Float64Array.from(pixels, (pixel) => standardised(pixel / 255))));
  const right = accuracy(logits, state.digits.target.subarray(state.digits.sizes[0], state.digits.sizes[0] + state.digits.sizes[1]));
  element("status").textContent = `Weights of ${name}: ${(100 * right).toFixed(1)} % of ${state.digits.sizes[1]} digits read right.`;
  showNetwork(logits);
}

/** Ink of 0 to 1 as the network was fed. */
function standardised(ink) {
  return (ink - state.scale.mean) / state.scale.std;
}

function chosenScale() {
  const chosen = element("scale").value;
  const [mean, std] = chosen === "page" ? [state.digits.mean, state.digits.std] : chosen.split(" ").map(Number);
  return { mean, std };
}

async function loadFile() {
  const [file] = element("load").files;
  if (file) {
    useWeights(file.name, await file.arrayBuffer(), chosenScale());
    element("load").value = "";
  }
}

/** Where `curriculum play` serves the page, it serves MNIST beside it, if it lies there, and the weights of a run. */
async function loadServed() {
  const told = new URLSearchParams(location.hash.slice(1));
  const served = location.protocol.startsWith("http");
  element("which").hidden = !(served && told.has("mnist"));
  if (served && told.has("run")) {
    const answer = await fetch("model.safetensors");
    const scale = { mean: Number(told.get("mean")), std: Number(told.get("std")) };
    useWeights(told.get("run"), await answer.arrayBuffer(), scale);
  }
}

// ---------------------------------------------------------------- drawing on canvases

/** numbers (height · width,) as grey pixels: `black` and below are black, `white` is white. */
function drawGrey(canvas, numbers, black, white) {
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(canvas.width, canvas.height);
  numbers.forEach((number, i) => {
    const grey = (255 * (number - black)) / (white - black || 1);
    image.data.set([grey, grey, grey, 255], 4 * i);
  });
  pen.putImageData(image, 0, 0);
}

/** weight (128, 784): the first 32 neurons in four rows of eight, a pixel of black between them. */
function drawWeights(canvas, weight) {
  const all = new Float64Array(canvas.width * canvas.height).fill(-1);
  const largest = weight.subarray(0, 32 * 784).reduce((most, w) => Math.max(most, Math.abs(w)), 0);
  for (let i = 0; i < 32 * 784; i += 1) {
    const neuron = Math.floor(i / 784);
    const row = Math.floor(neuron / 8) * 29 + Math.floor((i % 784) / 28);
    const column = (neuron % 8) * 29 + (i % 28);
    all[row * canvas.width + column] = weight[i] / largest;
  }
  drawGrey(canvas, all, -1, 1);
}

// ---------------------------------------------------------------- mistakes

/** p (count, 10): shares of the classes for the validation digits. */
function showConfusion(p) {
  const counts = new Int32Array(100);
  argmax(p).forEach((read, r) => {
    counts[state.digits.target[state.digits.sizes[0] + r] * 10 + read] += 1;
  });
  const names = Array.from({ length: 10 }, (_, c) => `<th scope="col">${c}</th>`).join("");
  const rows = Array.from({ length: 10 }, (_, is) => {
    const cells = Array.from(counts.subarray(is * 10, is * 10 + 10), (count, read) => {
      return `<td${read === is ? ' class="right"' : ""}>${count || ""}</td>`;
    });
    return `<tr><th scope="row">${is}</th>${cells.join("")}</tr>`;
  });
  element("confusion").tBodies[0].innerHTML = `<tr><td></td>${names}</tr>${rows.join("")}`;
}

/** The six digits whose right answer got the least. */
function showMistakes(p) {
  const first = state.digits.sizes[0];
  const read = argmax(p);
  const wrong = Array.from(read.keys()).filter((r) => read[r] !== state.digits.target[first + r]);
  const given = (r) => p.data[r * 10 + state.digits.target[first + r]];
  wrong.sort((a, b) => given(a) - given(b));
  element("mistakes").replaceChildren(...wrong.slice(0, 6).map((r) => mistake(first + r, read[r])));
}

function mistake(index, read) {
  const figure = document.createElement("figure");
  const canvas = document.createElement("canvas");
  canvas.width = 28;
  canvas.height = 28;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `a ${state.digits.target[index]}`);
  drawGrey(canvas, state.digits.pixels.subarray(index * 784, (index + 1) * 784), 0, 255);
  const caption = document.createElement("figcaption");
  caption.textContent = `${state.digits.target[index]}, read as ${read}`;
  figure.append(canvas, caption);
  return figure;
}

// ---------------------------------------------------------------- a digit is read

/** state.shown: (784,), ink from 0 to 1, or null. */
function readShown() {
  if (!state.shown) {
    return;
  }
  drawGrey(element("digit"), state.shown, 0, 1);
  const x = new Tensor([1, 784], Float64Array.from(state.shown, (ink) => standardised(ink)));
  const logits = state.model.forward(x);
  const p = shares(logits).p.data;
  const [best] = argmax(logits);
  element("answer").textContent = `A ${best}, to ${(100 * p[best]).toFixed(1)} %.`;
  showBars(p);
  const grad = state.model.backward(new Tensor([1, 10], Float64Array.from(p, (_, c) => Number(c === best))));
  const counts = grad.data.map((slope, i) => Math.abs(slope * state.shown[i]));
  drawGrey(element("saliency"), counts, 0, Math.max(...counts));
}

function showBars(p) {
  const bars = Array.from(p, (share, c) => {
    const text = `${(100 * share).toFixed(1)} %`;
    return `<div class="bar"><span>${c}</span><span><div style="width: ${100 * share}%"></div></span><span>${text}</span></div>`;
  });
  element("bars").innerHTML = bars.join("");
}

function showScan() {
  const number = element("scan").valueAsNumber;
  if (!element("scan").checkValidity() || Number.isNaN(number)) {
    element("answer").textContent = `There are scans 0 to ${state.digits.sizes[1] - 1}.`;
    return;
  }
  clearPad();
  const begin = (state.digits.sizes[0] + number) * 784;
  state.shown = Float64Array.from(state.digits.pixels.subarray(begin, begin + 784), (pixel) => pixel / 255);
  readShown();
}

// ---------------------------------------------------------------- the pad: mouse, pen or finger

/** The first who asks for a canvas's pen decides what it is made for: this one is read after every stroke. */
function padPen() {
  return element("pad").getContext("2d", { willReadFrequently: true });
}

function clearPad() {
  padPen().clearRect(0, 0, 280, 280);
  element("box").getContext("2d").clearRect(0, 0, 20, 20);
  state.shown = null;
}

function place(event) {
  const { left, top, width, height } = element("pad").getBoundingClientRect();
  return [((event.clientX - left) * 280) / width, ((event.clientY - top) * 280) / height];
}

function drawTo(event) {
  const pen = padPen();
  pen.strokeStyle = "white";
  pen.lineWidth = 20;
  pen.lineCap = "round";
  pen.beginPath();
  pen.moveTo(...(state.pen || place(event)));
  pen.lineTo(...place(event));
  pen.stroke();
  state.pen = place(event);
}

function readDrawing() {
  state.pen = null;
  const rgba = padPen().getImageData(0, 0, 280, 280).data;
  const ink = Float64Array.from({ length: 280 * 280 }, (_, i) => rgba[4 * i + 3] / 255);
  const prepared = prepareDrawing(new Picture(280, 280, ink));
  if (prepared) {
    drawGrey(element("box"), prepared.box.data, 0, 1);
    state.shown = prepared.digit.data;
    readShown();
  }
}

function listen() {
  worker.onmessage = takeReport;
  element("settings").addEventListener("submit", startAnew);
  element("pause").addEventListener("click", pauseOrGoOn);
  element("scan").addEventListener("input", showScan);
  element("clear").addEventListener("click", clearPad);
  element("load").addEventListener("change", loadFile);
  element("train-on").addEventListener("click", trainOn);
  element("digits").addEventListener("change", chooseDigits);
  element("save").addEventListener("click", () => {
    giveFile("model.safetensors", writeSafetensors(state.model.params, state.dtype));
  });
  const pad = element("pad");
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    drawTo(event);
  });
  pad.addEventListener("pointermove", (event) => state.pen && drawTo(event));
  pad.addEventListener("pointerup", readDrawing);
  pad.addEventListener("pointercancel", readDrawing);
}

listen();
loadServed();
