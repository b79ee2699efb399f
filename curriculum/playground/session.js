"use strict";

// A run on points: its settings, every step of it, and the way back.
//
// The same settings, points and changes give the same numbers. So a run is told by a short text (an address),
// and by a short program of PyTorch or of the lessons (export.js).

const FIRST_SETTINGS = {
  set: "circles", count: 200, noise: 0.05, seed: 0, hidden: "8, 8", activation: "ReLU", loss: "CrossEntropyLoss",
  optimizer: "SGD", lr: 0.1, momentum: 0.9, decay: 0, batch: 16,
};
const MOST_STEPS = 100000;
const KEPT = 200; // states kept for the way back

/** A network that learns points, a step at a time, forwards and back. */
class Session {
  /**
   * @param {object} settings as FIRST_SETTINGS
   * @param {?number[][]} own a user's points; null for those of `settings.set`
   * @throws {Error} one line that says which setting is wrong
   */
  constructor(settings, own = null) {
    refuseOddSettings(settings);
    this.settings = { ...settings };
    this.own = own;
    this.points = own || pointSet(settings.set, settings);
    this.classes = Math.max(2, ...this.points.map((point) => point[2] + 1));
    this.sizes = [2, ...hiddenSizes(settings.hidden), this.classes];
    this.x = new Tensor([this.points.length, 2], Float64Array.from(this.points.flatMap(([x, y]) => [x, y])));
    this.target = Int32Array.from(this.points, (point) => point[2]);
    this.changes = [];
    this.begin();
  }

  /** The state before the first step. */
  begin() {
    const { settings } = this;
    this.model = mlp(this.sizes, settings.activation, settings.seed);
    this.criterion = new (lossClasses()[settings.loss])();
    const options = { lr: settings.lr, weightDecay: settings.decay };
    if (settings.optimizer === "SGD") {
      options.momentum = settings.momentum;
    }
    this.optimizer = makeOptimizer(settings.optimizer, this.model.params, options);
    this.generator = new Generator(settings.seed);
    this.batches = [];
    this.losses = [];
    this.kept = [];
    this.spacing = 10;
    this.applyChanges();
  }

  get step() {
    return this.losses.length;
  }

  get lr() {
    return this.optimizer.lr;
  }

  /** Which points the next step looks at; a new epoch begins where none is left. (batch,) */
  nextRows() {
    if (this.batches.length === 0) {
      this.batches = minibatches(this.generator, this.points.length, this.settings.batch);
    }
    return this.batches[0];
  }

  forward() {
    this.keep();
    const rows = this.nextRows();
    const target = Int32Array.from(rows, (r) => this.target[r]);
    this.losses.push(trainStep(this.model, this.criterion, this.optimizer, this.x.rows(rows), target));
    this.batches.shift();
    this.applyChanges();
  }

  /** One step back: from the last kept state before it, the same steps again. */
  back() {
    this.goTo(this.step - 1);
  }

  goTo(step) {
    if (step < this.step) {
      this.restoreBefore(step);
    }
    while (this.step < step) {
      this.forward();
    }
  }

  /** Gradients of the next step, by the names of the parameters. */
  nextGrads() {
    const rows = this.nextRows();
    const target = Int32Array.from(rows, (r) => this.target[r]);
    this.criterion.forward(this.model.forward(this.x.rows(rows)), target);
    this.model.backwardParams(this.criterion.backward());
    return this.model.grads;
  }

  /** @returns {{loss: number, accuracy: number}} over all points */
  onAll() {
    const logits = this.model.forward(this.x);
    return { loss: this.criterion.forward(logits, this.target), accuracy: accuracy(logits, this.target) };
  }

  // -------------------------------------------------------------- changes by hand

  /**
   * From this step on: a weight has another value, or the learning rate ("lr"). Changes that were made at
   * later steps, before one stepped back, are gone.
   */
  change(name, at, value) {
    const before = this.changes.filter((made) => made.step <= this.step);
    const same = (made) => made.step === this.step && made.name === name && made.at === at;
    this.changes = [...before.filter((made) => !same(made)), { step: this.step, name, at, value }];
    this.apply({ name, at, value });
  }

  /** The last change is taken back, and the run goes again to where it was. */
  undoChange() {
    const { step } = this;
    const undone = this.changes.pop();
    if (undone && undone.step <= step) {
      this.begin();
      this.goTo(step);
    }
  }

  applyChanges() {
    this.changes.filter((made) => made.step === this.step).forEach((made) => this.apply(made));
  }

  apply({ name, at, value }) {
    if (name === "lr") {
      this.optimizer.lr = value;
    } else {
      this.model.params[name].data[at] = value;
    }
  }

  // -------------------------------------------------------------- the way back

  /** Every 10th state is kept; where there are too many, every 20th, and so on. */
  keep() {
    if (this.step % this.spacing || this.kept.some((state) => state.step === this.step)) {
      return;
    }
    this.kept.push(this.copy());
    if (this.kept.length > KEPT) {
      this.spacing *= 2;
      this.kept = this.kept.filter((state) => state.step % this.spacing === 0);
    }
  }

  copy() {
    const { optimizer, generator } = this;
    const memory = ["velocity", "mean", "square"].filter((name) => optimizer[name]);
    return {
      step: this.step,
      params: copied(this.model.params),
      memory: memory.map((name) => [name, copied(optimizer[name])]),
      steps: optimizer.steps,
      lr: optimizer.lr,
      generator: [generator.state.slice(), generator.next],
      batches: [...this.batches],
    };
  }

  /** The last kept state that is no later than `step`. */
  restoreBefore(step) {
    const state = this.kept.filter((kept) => kept.step <= step).pop();
    if (!state) {
      this.begin();
      return;
    }
    this.kept = this.kept.filter((kept) => kept.step <= step);
    copyInto(this.model.params, state.params);
    state.memory.forEach(([name, tensors]) => copyInto(this.optimizer[name], tensors));
    this.optimizer.steps = state.steps;
    this.optimizer.lr = state.lr;
    this.generator.state = state.generator[0].slice();
    this.generator.next = state.generator[1];
    this.batches = [...state.batches];
    this.losses.length = state.step;
    this.applyChanges();
  }
}

function copied(tensors) {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, tensor.data.slice()]));
}

function copyInto(tensors, numbers) {
  for (const [name, tensor] of Object.entries(tensors)) {
    tensor.data.set(numbers[name]);
  }
}

// ---------------------------------------------------------------- settings

/** "8, 4" → [8, 4]; nothing → no hidden layer. */
function hiddenSizes(text) {
  return text.trim() ? text.split(",").map(Number) : [];
}

/** @throws {Error} one line that says which setting is wrong */
function refuseOddSettings(settings) {
  const within = (name, low, high, words) => {
    if (!(settings[name] >= low && settings[name] <= high)) {
      throw new Error(`${words}: expected ${low} to ${high}, found ${settings[name]}`);
    }
  };
  const oneOf = (name, known, words) => {
    if (!Object.hasOwn(known, settings[name])) {
      throw new Error(`${words}: expected ${Object.keys(known).join(", ")}; found “${settings[name]}”`);
    }
  };
  const whole = (name, words) => {
    if (!Number.isInteger(settings[name])) {
      throw new Error(`${words}: expected a whole number, found ${settings[name]}`);
    }
  };
  oneOf("set", { ...POINT_SETS, own: null }, "Points");
  oneOf("activation", activations(), "Activation");
  oneOf("loss", lossClasses(), "Loss");
  oneOf("optimizer", { SGD, Adam }, "Optimiser");
  within("count", 2, MOST_POINTS, "Number of points");
  within("noise", 0, 1, "Noise");
  within("seed", 0, 2 ** 32 - 1, "Seed");
  within("lr", 0, 100, "Learning rate");
  within("momentum", 0, 0.999, "Momentum");
  within("decay", 0, 10, "Decay");
  within("batch", 1, MOST_POINTS, "Batch size");
  whole("count", "Number of points");
  whole("seed", "Seed");
  whole("batch", "Batch size");
  const sizes = hiddenSizes(settings.hidden);
  if (sizes.length > 6 || !sizes.every((size) => Number.isInteger(size) && size >= 1 && size <= 32)) {
    throw new Error(`Hidden layers: expected up to six numbers from 1 to 32, like 8, 4; found “${settings.hidden}”`);
  }
}

// ---------------------------------------------------------------- a run as an address

/** The whole run as text: settings, own points, changes, and the step. A checksum ends it. */
function addressOf(session) {
  const words = new URLSearchParams(session.settings);
  words.set("step", session.step);
  if (session.own) {
    words.set("points", session.own.map((point) => point.join(" ")).join("_"));
  }
  if (session.changes.length) {
    words.set("changes", session.changes.map((c) => [c.step, c.name, c.at, c.value].join(" ")).join("_"));
  }
  return `${words}&end=${checksum(String(words))}`;
}

/**
 * @param {string} text what `addressOf` has written
 * @returns {Session} at the step where it was
 * @throws {Error} one line that says what is wrong
 */
function sessionOf(text) {
  const [words, end] = text.split("&end=");
  if (end !== checksum(words)) {
    throw new Error("The address is not whole: it was cut short or changed. Copy it once more, to its end");
  }
  const told = new URLSearchParams(words);
  const settings = { ...FIRST_SETTINGS };
  for (const [name, first] of Object.entries(FIRST_SETTINGS)) {
    settings[name] = typeof first === "number" ? Number(told.get(name)) : told.get(name);
  }
  const list = (name) => (told.get(name) ? told.get(name).split("_").map((item) => item.split(" ")) : []);
  const own = settings.set === "own" ? list("points").map((point) => point.map(Number)) : null;
  const session = new Session(settings, own);
  session.changes = list("changes").map(([step, name, at, value]) => {
    return { step: Number(step), name, at: Number(at), value: Number(value) };
  });
  session.begin();
  session.goTo(Math.min(Number(told.get("step")), MOST_STEPS));
  return session;
}

/** Eight letters that change with every other letter (Fowler, Noll and Vo's hash). */
function checksum(text) {
  let hash = 0x811c9dc5;
  for (const letter of text) {
    hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}
