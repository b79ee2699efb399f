"use strict";

// Training beside the page, in a worker. A page that was opened from a file may not load a worker from one:
// so the worker's source is put together from the functions that this page has loaded already.

/** @returns {Worker} it takes `start`, `pause` and `go on`, and tells after every few steps how it stands */
function startLearner() {
  const parts = [Generator, rand, uniform, uniformFloats, randperm, linearStart];
  parts.push(multiplyAdd, exactSum, exactProduct, halves, roundedToOdd);
  parts.push(Tensor, Linear, litInputs, addScaled, dot, addLit, addAll, Activation, ReLU, Sigmoid, Tanh, GELU, erf);
  parts.push(Softmax, shares, Sequential, mlp, activations);
  parts.push(CrossEntropyLoss, SGD, zerosLike, decayed, trainStep, minibatches, argmax, accuracy);
  parts.push(digitsOf, bundledPixels, enlarged, scaledToBox, betweenPixels, weighedPixel, margin, Learner, learnOnRequest);
  const source = `"use strict";\n${parts.map(String).join("\n")}\nlearnOnRequest();`;
  return new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
}

/** A network that learns digits, some steps at a time; from the weights that are given, if they are. */
class Learner {
  /** @param {{data: object, sizes: number[], seed: number, lr: number, batchSize: number, weights?: object}} settings */
  constructor({ data, sizes, seed, lr, batchSize, weights = {} }) {
    const digits = digitsOf(data);
    this.count = digits.sizes[0];
    this.digits = digits;
    this.batchSize = batchSize;
    this.model = mlp(sizes, "ReLU", seed);
    Object.entries(weights).forEach(([name, numbers]) => this.model.params[name].data.set(numbers));
    this.criterion = new CrossEntropyLoss();
    this.optimizer = new SGD(this.model.params, { lr });
    this.generator = new Generator(seed);
    this.val = Int32Array.from({ length: digits.sizes[1] }, (_, i) => this.count + i);
    this.batches = [];
    this.epoch = 0;
    this.losses = [];
  }

  /** One batch; a new epoch begins where none is left. */
  step() {
    if (this.batches.length === 0) {
      this.batches = minibatches(this.generator, this.count, this.batchSize);
      this.epoch += 1;
    }
    const rows = this.batches.shift();
    const target = Int32Array.from(rows, (r) => this.digits.target[r]);
    const x = this.digits.x.rows(rows);
    this.losses.push(trainStep(this.model, this.criterion, this.optimizer, x, target));
  }

  /** What the page shows: losses since the last report, validation digits read, weights. */
  report() {
    const logits = this.model.forward(this.digits.x.rows(this.val));
    const target = Int32Array.from(this.val, (r) => this.digits.target[r]);
    const losses = this.losses;
    this.losses = [];
    const params = Object.entries(this.model.params);
    return {
      losses,
      epoch: this.epoch,
      valAcc: accuracy(logits, target),
      logits: logits.data,
      params: params.map(([name, tensor]) => [name, tensor.shape, tensor.data]),
    };
  }
}

/** The worker's side: between two bouts of steps it listens. */
function learnOnRequest() {
  let learner = null;
  let running = false;
  let steps = 0;
  let bouts = 0;
  function bout(mine) {
    if (!running || mine !== bouts) {
      return;
    }
    for (let i = 0; i < 10 && running; i += 1) {
      learner.step();
      steps += 1;
      running = steps < learner.limit;
    }
    self.postMessage({ ...learner.report(), running });
    setTimeout(() => bout(mine));
  }
  self.onmessage = ({ data: message }) => {
    if (message.type === "start") {
      learner = new Learner(message);
      learner.limit = message.limit;
      steps = 0;
    }
    running = message.type !== "pause";
    bouts += 1;
    bout(bouts);
  };
}
