"use strict";

// What the tests ask of the page's files, in node and in the browser: a question in, an answer out, as JSON.

const questions = {
  rand: ({ seed, count, dtype }) => Array.from(rand(new Generator(seed), count, dtype)),
  randperm: ({ seed, count }) => Array.from(randperm(new Generator(seed), count)),
  starts: ({ seed, sizes, dtype }) => {
    const generator = new Generator(seed);
    return sizes.map(([nIn, nOut]) => {
      const start = linearStart(generator, nIn, nOut, dtype);
      return { weight: Array.from(start.weight), bias: Array.from(start.bias) };
    });
  },
  erf: ({ x }) => x.map(erf),
  layer: ({ name, x, grad, params }) => {
    const layer = name === "Linear" ? new Linear(1, 1, new Generator(0)) : eval(`new ${name}()`);
    for (const key of Object.keys(layer.params)) {
      layer.params[key] = tensor(params[key]);
    }
    const found = { output: layer.forward(tensor(x)), grad_x: layer.backward(tensor(grad)) };
    for (const [key, value] of Object.entries(layer.grads)) {
      found[`grad_${key}`] = value;
    }
    return plain(found);
  },
  loss: ({ name, prediction, target }) => {
    const criterion = new (lossClasses()[name])();
    const loss = criterion.forward(tensor(prediction), Int32Array.from(target));
    return { loss, ...plain({ grad_prediction: criterion.backward() }) };
  },
  bundled: () => {
    const { x, target } = digitsOf(DIGITS_DATA);
    return { x: Array.from(x.data), target: Array.from(target) };
  },
  prepare: ({ height, width, data }) => {
    const found = prepareDrawing(new Picture(height, width, Float64Array.from(data)));
    return found && { box: Array.from(found.box.data), digit: Array.from(found.digit.data) };
  },
  digits: ({ epochs, lr, batchSize, seed, sizes }) => {
    const digits = digitsOf(DIGITS_DATA);
    const count = digits.sizes[0];
    const model = mlp(sizes, "ReLU", seed);
    const given = { x: digits.x.rows(Int32Array.from({ length: count }, (_, i) => i)) };
    given.target = digits.target.slice(0, count);
    const steps = epochs * Math.ceil(count / batchSize);
    const question = { loss: "CrossEntropyLoss", optimizer: "SGD", options: { lr }, batchSize, seed, steps };
    return training(model, given, question);
  },
  run: (question) => orRefused(() => {
    const session = runOf(question);
    const address = addressOf(session);
    return { ...told(session), address, torch: torchScript(session), scratch: scratchScript(session) };
  }),
  opened: ({ address }) => orRefused(() => told(sessionOf(address))),
  csv: ({ text }) => orRefused(() => readCsv(text)),
  train: (question) => {
    const model = mlp(question.sizes, question.activation, question.seed);
    const given = { x: tensor(question.x), target: Int32Array.from(question.target) };
    return { ...firstStep(model, given, question), ...training(model, given, question) };
  },
};

/** A run on points after some actions: [name, …arguments] of a Session. */
function runOf({ settings, own, actions }) {
  const session = new Session({ ...FIRST_SETTINGS, ...settings }, own || null);
  actions.forEach(([name, ...given]) => session[name](...given));
  return session;
}

function told(session) {
  return {
    losses: session.losses,
    points: session.points,
    weights: plain(session.model.params),
    grads: plain(session.nextGrads()),
    lr: session.lr,
    settings: session.settings,
    changes: session.changes,
  };
}

/** The value of a function, or the line with which it refuses. */
function orRefused(action) {
  try {
    return action();
  } catch (error) {
    return `refused: ${error.message}`;
  }
}

function firstStep(model, { x, target }, question) {
  const criterion = new (lossClasses()[question.loss])();
  const outputs = model.outputs(x);
  const found = Object.fromEntries(outputs.map((output, i) => [`output_${i}`, output]));
  criterion.forward(outputs[outputs.length - 1], target);
  found.grad_x = model.backward(criterion.backward());
  for (const [name, grad] of Object.entries(model.grads)) {
    found[`grad ${name}`] = grad;
  }
  return plain(found);
}

function training(model, { x, target }, question) {
  const criterion = new (lossClasses()[question.loss])();
  const optimizer = makeOptimizer(question.optimizer, model.params, question.options);
  const generator = new Generator(question.seed);
  const losses = [];
  while (losses.length < question.steps) {
    for (const rows of minibatches(generator, target.length, question.batchSize)) {
      const batch = Int32Array.from(rows, (r) => target[r]);
      losses.push(trainStep(model, criterion, optimizer, x.rows(rows), batch));
    }
  }
  const weights = Object.entries(model.params).map(([name, value]) => [`weight ${name}`, value]);
  const logits = model.forward(x);
  return { losses, accuracy: accuracy(logits, target), ...plain(Object.fromEntries(weights)) };
}

function tensor({ shape, data }) {
  return new Tensor(shape, Float64Array.from(data));
}

function plain(tensors) {
  return Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, Array.from(t.data)]));
}

function answerAll(asked) {
  return JSON.stringify(JSON.parse(asked).map((question) => questions[question.kind](question)));
}
