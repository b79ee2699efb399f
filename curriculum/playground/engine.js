"use strict";

// The lessons once more: layers, losses, optimisers and the loop, in float64.
//
// The names are those of the lessons and of PyTorch. A layer has `params` and `grads` under the same names;
// `forward` remembers what `backward` needs. The derivations stand in the lessons.

/** Numbers in rows: entry (r, c) of a matrix is data[r * columns + c]. */
class Tensor {
  /**
   * @param {number[]} shape (rows, columns), or (count,) of a bias
   * @param {Float64Array} [data] its numbers; zeros by default
   */
  constructor(shape, data) {
    this.shape = shape;
    this.data = data || new Float64Array(shape.reduce((product, side) => product * side, 1));
  }

  /** @returns {Tensor} of the same shape, f of every number and its place */
  map(f) {
    return new Tensor(this.shape, this.data.map(f));
  }

  /** @returns {Tensor} (index.length, columns): the rows with these numbers */
  rows(index) {
    const columns = this.shape[1];
    const picked = new Tensor([index.length, columns]);
    for (let r = 0; r < index.length; r += 1) {
      const begin = index[r] * columns;
      picked.data.set(this.data.subarray(begin, begin + columns), r * columns);
    }
    return picked;
  }
}

// ---------------------------------------------------------------- layers

/** y = x Wᵀ + b. x: (batch, nIn) → y: (batch, nOut). Weight (nOut, nIn), bias (nOut,). */
class Linear {
  /** @param {Generator} generator draws the start as `nn.Linear` does */
  constructor(nIn, nOut, generator) {
    const start = linearStart(generator, nIn, nOut);
    this.params = { weight: new Tensor([nOut, nIn], start.weight), bias: new Tensor([nOut], start.bias) };
    this.grads = {};
  }

  forward(x) {
    this.x = x;
    this.lit = litInputs(x);
    const [batch, nIn] = x.shape;
    const nOut = this.params.bias.shape[0];
    const y = new Tensor([batch, nOut]);
    for (let r = 0; r < batch; r += 1) {
      const row = x.data.subarray(r * nIn, (r + 1) * nIn);
      for (let j = 0; j < nOut; j += 1) {
        y.data[r * nOut + j] = this.params.bias.data[j] + this.weighedSum(row, this.lit[r], j * nIn);
      }
    }
    return y;
  }

  /** Σᵢ Wⱼᵢ xᵢ over the inputs that are not 0. Neuron j's weights begin at `begin`. */
  weighedSum(row, lit, begin) {
    const weight = this.params.weight.data;
    if (lit.length === row.length) {
      return dot(row, weight, begin);
    }
    let sum = 0;
    for (let k = 0; k < lit.length; k += 1) {
      sum += weight[begin + lit[k]] * row[lit[k]];
    }
    return sum;
  }

  /** ∂L/∂xᵢ = Σⱼ ∂L/∂yⱼ · Wⱼᵢ: (batch, nOut) @ (nOut, nIn) → (batch, nIn). */
  backward(gradY) {
    this.backwardParams(gradY);
    const [nOut, nIn] = this.params.weight.shape;
    const batch = gradY.shape[0];
    const gradX = new Tensor([batch, nIn]);
    for (let r = 0; r < batch; r += 1) {
      const row = gradX.data.subarray(r * nIn, (r + 1) * nIn);
      for (let j = 0; j < nOut; j += 1) {
        addScaled(row, gradY.data[r * nOut + j], this.params.weight.data, j * nIn);
      }
    }
    return gradX;
  }

  /** ∂L/∂Wⱼᵢ = Σ ∂L/∂yⱼ · xᵢ and ∂L/∂bⱼ = Σ ∂L/∂yⱼ, over the batch. A first layer needs no more. */
  backwardParams(gradY) {
    const [nOut, nIn] = this.params.weight.shape;
    this.grads = { weight: new Tensor([nOut, nIn]), bias: new Tensor([nOut]) };
    for (let r = 0; r < gradY.shape[0]; r += 1) {
      const row = this.x.data.subarray(r * nIn, (r + 1) * nIn);
      for (let j = 0; j < nOut; j += 1) {
        const grad = gradY.data[r * nOut + j];
        this.grads.bias.data[j] += grad;
        addLit(this.grads.weight.data, j * nIn, grad, row, this.lit[r]);
      }
    }
  }
}

/** @returns {Int32Array[]} for every row of x (batch, nIn), which inputs are not 0: the others add nothing */
function litInputs(x) {
  const [batch, nIn] = x.shape;
  const lit = [];
  const found = new Int32Array(nIn);
  for (let r = 0; r < batch; r += 1) {
    let count = 0;
    for (let i = 0; i < nIn; i += 1) {
      if (x.data[r * nIn + i] !== 0) {
        found[count] = i;
        count += 1;
      }
    }
    lit.push(found.slice(0, count));
  }
  return lit;
}

/** sum ← sum + factor · numbers, where `numbers` begins at `begin` and is as long as `sum`. */
function addScaled(sum, factor, numbers, begin) {
  for (let i = 0; i < sum.length; i += 1) {
    sum[i] += factor * numbers[begin + i];
  }
}

/** Σᵢ row[i] · numbers[begin + i], in four sums side by side: none waits for another's addition. */
function dot(row, numbers, begin) {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  const whole = row.length - (row.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += row[i] * numbers[begin + i];
    b += row[i + 1] * numbers[begin + i + 1];
    c += row[i + 2] * numbers[begin + i + 2];
    d += row[i + 3] * numbers[begin + i + 3];
  }
  for (let i = whole; i < row.length; i += 1) {
    a += row[i] * numbers[begin + i];
  }
  return a + b + (c + d);
}

/** sum[begin + i] ← … + factor · row[i], at the places of `lit`. */
function addLit(sum, begin, factor, row, lit) {
  if (lit.length === row.length) {
    addAll(sum, begin, factor, row);
    return;
  }
  for (let k = 0; k < lit.length; k += 1) {
    sum[begin + lit[k]] += factor * row[lit[k]];
  }
}

function addAll(sum, begin, factor, row) {
  for (let i = 0; i < row.length; i += 1) {
    sum[begin + i] += factor * row[i];
  }
}

/** A layer without weights that looks at each number by itself. Input and output: any shape. */
class Activation {
  constructor() {
    this.params = {};
    this.grads = {};
  }

  forward(x) {
    this.x = x;
    this.y = x.map((number) => this.curve(number));
    return this.y;
  }

  /** The incoming gradient times the slope of the curve at each number. */
  backward(gradY) {
    return gradY.map((grad, i) => grad * this.slope(this.x.data[i], this.y.data[i]));
  }
}

/** An S-shaped curve from 0 to 1. */
class Sigmoid extends Activation {
  curve(x) {
    return 1 / (1 + Math.exp(-x));
  }

  slope(x, y) {
    return y * (1 - y);
  }
}

/** The sigmoid stretched to −1 … 1. */
class Tanh extends Activation {
  curve(x) {
    return Math.tanh(x);
  }

  slope(x, y) {
    return 1 - y * y;
  }
}

/** Negative numbers become 0. At the kink, x = 0, PyTorch's slope is 0, and so is ours. */
class ReLU extends Activation {
  curve(x) {
    return x < 0 ? 0 : x;
  }

  slope(x) {
    return x > 0 ? 1 : 0;
  }
}

/** y = x · gate, the gate being the area under the bell curve left of x. */
class GELU extends Activation {
  curve(x) {
    return x * this.gate(x);
  }

  slope(x) {
    return this.gate(x) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
  }

  gate(x) {
    return 0.5 * (1 + erf(x / Math.sqrt(2)));
  }
}

/**
 * The error function, 2/√π · ∫ e^(−t²) dt from 0 to x. All terms of this series have the sign of x, so
 * nothing cancels: 2/√π · e^(−x²) · (x + 2/3 x³ + 4/15 x⁵ + …). From 6 on it is 1 in 16 digits.
 */
function erf(x) {
  if (Math.abs(x) > 6) {
    return Math.sign(x);
  }
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n += 1) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** Shares: y = e^x / Σ e^x. x: (batch, n) → y: (batch, n), each row adds up to 1. */
class Softmax extends Activation {
  forward(x) {
    this.y = shares(x).p;
    return this.y;
  }

  /** ∂L/∂xⱼ = yⱼ · (gⱼ − Σᵢ gᵢ·yᵢ), with g = ∂L/∂y. */
  backward(gradY) {
    const [batch, n] = gradY.shape;
    const gradX = new Tensor([batch, n]);
    for (let r = 0; r < batch; r += 1) {
      const y = this.y.data.subarray(r * n, (r + 1) * n);
      const grad = gradY.data.subarray(r * n, (r + 1) * n);
      const mean = grad.reduce((sum, g, i) => sum + g * y[i], 0);
      gradX.data.set(grad.map((g, i) => y[i] * (g - mean)), r * n);
    }
    return gradX;
  }
}

/**
 * The largest logit is taken off all of its row: no share changes, and no exponential exceeds 1.
 * @param {Tensor} x (batch, n) logits
 * @returns {{p: Tensor, logP: Tensor}} shares and their logarithms, (batch, n)
 */
function shares(x) {
  const [batch, n] = x.shape;
  const p = new Tensor([batch, n]);
  const logP = new Tensor([batch, n]);
  for (let r = 0; r < batch; r += 1) {
    const row = x.data.subarray(r * n, (r + 1) * n);
    const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const shifted = row.map((z) => z - largest);
    const sum = shifted.reduce((total, z) => total + Math.exp(z), 0);
    p.data.set(shifted.map((z) => Math.exp(z) / sum), r * n);
    logP.data.set(shifted.map((z) => z - Math.log(sum)), r * n);
  }
  return { p, logP };
}

/** Layers one after the other. `params` and `grads` are named "0.weight", "0.bias", "2.weight", … */
class Sequential {
  constructor(...layers) {
    this.layers = layers;
  }

  get params() {
    return this.named("params");
  }

  get grads() {
    return this.named("grads");
  }

  named(which) {
    const all = {};
    this.layers.forEach((layer, i) => {
      for (const [name, tensor] of Object.entries(layer[which])) {
        all[`${i}.${name}`] = tensor;
      }
    });
    return all;
  }

  forward(x) {
    return this.outputs(x).pop();
  }

  /** @returns {Tensor[]} what every layer makes of x (batch, nIn); the last are the logits */
  outputs(x) {
    const found = [];
    for (const layer of this.layers) {
      x = layer.forward(x);
      found.push(x);
    }
    return found;
  }

  /** The chain rule from the last layer to the first. Returns ∂L/∂x. */
  backward(gradY) {
    return this.layers.reduceRight((grad, layer) => layer.backward(grad), gradY);
  }

  /** The same where the input is data: the first layer, a Linear, needs only its own gradients. */
  backwardParams(gradY) {
    const [first, ...others] = this.layers;
    first.backwardParams(others.reduceRight((grad, layer) => layer.backward(grad), gradY));
  }
}

/**
 * A multilayer perceptron: Linear, activation, Linear, …, Linear, from the start that PyTorch draws.
 * @param {number[]} sizes neurons per layer, input first
 * @param {string} activation a key of `activations()`
 * @param {number} seed
 * @returns {Sequential}
 */
function mlp(sizes, activation, seed) {
  const generator = new Generator(seed);
  const layers = [];
  for (let i = 1; i < sizes.length; i += 1) {
    layers.push(new Linear(sizes[i - 1], sizes[i], generator));
    layers.push(new (activations()[activation])());
  }
  return new Sequential(...layers.slice(0, -1));
}

/** The hidden layers' curves, by the names of their classes. */
function activations() {
  return { ReLU, Tanh, Sigmoid, GELU };
}

// ---------------------------------------------------------------- losses

/** Cross-entropy of softmax(prediction): −ln of the share of the right class, the mean over the batch. */
class CrossEntropyLoss {
  /**
   * @param {Tensor} prediction (batch, classes)
   * @param {Int32Array} target (batch,) the numbers of the right classes
   * @returns {number}
   */
  forward(prediction, target) {
    const { p, logP } = shares(prediction);
    this.p = p;
    this.target = target;
    const classes = prediction.shape[1];
    const losses = Array.from(target, (c, r) => -logP.data[r * classes + c]);
    return losses.reduce((sum, loss) => sum + loss, 0) / target.length;
  }

  /** p − 1 at the right class, else p; each example has its share of the mean. (batch, classes) */
  backward() {
    const [batch, classes] = this.p.shape;
    const isRight = (i) => this.target[Math.floor(i / classes)] === i % classes;
    return this.p.map((p, i) => (p - (isRight(i) ? 1 : 0)) / batch);
  }
}

/** Mean squared error between the prediction and each class's yes (1) or no (0). */
class MSELoss {
  /** @returns {number} for prediction (batch, classes), target (batch,) */
  forward(prediction, target) {
    const hot = oneHot(target, prediction.shape[1]);
    this.error = prediction.map((y, i) => y - hot.data[i]);
    return this.error.data.reduce((sum, e) => sum + e * e, 0) / hot.data.length;
  }

  /** The slope of a square is twice what is squared. (batch, classes) */
  backward() {
    return this.error.map((e) => (2 * e) / this.error.data.length);
  }
}

/** Binary cross-entropy of sigmoid(prediction): every class decides for itself, yes or no. */
class BCEWithLogitsLoss {
  /** ln(1 + e^−z) + (1 − t) z, written so that no exponential exceeds 1. */
  forward(prediction, target) {
    this.hot = oneHot(target, prediction.shape[1]);
    this.prediction = prediction;
    const losses = prediction.map((z, i) => minusLogSigmoid(z) + (1 - this.hot.data[i]) * z);
    return losses.data.reduce((sum, loss) => sum + loss, 0) / losses.data.length;
  }

  /** p − t. (batch, classes) */
  backward() {
    const p = new Sigmoid().forward(this.prediction);
    return p.map((probability, i) => (probability - this.hot.data[i]) / p.data.length);
  }
}

/** −ln of the sigmoid of z. */
function minusLogSigmoid(z) {
  return Math.max(-z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
}

/** (batch,) → (batch, classes): 1 at the target, else 0. */
function oneHot(target, classes) {
  const hot = new Tensor([target.length, classes]);
  target.forEach((c, r) => {
    hot.data[r * classes + c] = 1;
  });
  return hot;
}

/** The losses by the names of their classes. */
function lossClasses() {
  return { CrossEntropyLoss, MSELoss, BCEWithLogitsLoss };
}

// ---------------------------------------------------------------- optimisers

/** Descent, perhaps with a velocity: every parameter moves against its gradient. */
class SGD {
  /**
   * @param {Object<string, Tensor>} params by name, changed in place
   * @param {{lr: number, momentum: number, weightDecay: number}} options
   */
  constructor(params, { lr, momentum = 0, weightDecay = 0 }) {
    Object.assign(this, { params, lr, momentum, weightDecay });
    this.velocity = momentum ? zerosLike(params) : {};
  }

  /** v ← μ v + g and w ← w − η v. Without momentum v is g. */
  step(grads) {
    for (const [name, param] of Object.entries(this.params)) {
      const weight = param.data;
      const grad = decayed(grads[name].data, weight, this.weightDecay);
      const velocity = this.momentum ? this.velocity[name].data : grad;
      for (let i = 0; i < weight.length; i += 1) {
        if (this.momentum) {
          velocity[i] = this.momentum * velocity[i] + grad[i];
        }
        weight[i] -= this.lr * velocity[i];
      }
    }
  }
}

/** Average gradient over typical size, both corrected for their start at 0. */
class Adam {
  /**
   * @param {Object<string, Tensor>} params by name, changed in place
   * @param {{lr: number, weightDecay: number}} options
   */
  constructor(params, { lr, weightDecay = 0 }) {
    Object.assign(this, { params, lr, weightDecay });
    this.betas = [0.9, 0.999];
    this.eps = 1e-8;
    this.steps = 0;
    this.mean = zerosLike(params);
    this.square = zerosLike(params);
  }

  step(grads) {
    this.steps += 1;
    for (const [name, param] of Object.entries(this.params)) {
      const grad = decayed(grads[name].data, param.data, this.weightDecay);
      this.move(param.data, grad, this.mean[name].data, this.square[name].data);
    }
  }

  /** m ← β₁ m + (1 − β₁) g, s ← β₂ s + (1 − β₂) g², w ← w − η m̂ / (√ŝ + ε). All: the same length. */
  move(weight, grad, mean, square) {
    const [beta1, beta2] = this.betas;
    const meanShare = 1 - beta1 ** this.steps;
    const squareShare = 1 - beta2 ** this.steps;
    for (let i = 0; i < weight.length; i += 1) {
      mean[i] = beta1 * mean[i] + (1 - beta1) * grad[i];
      square[i] = beta2 * square[i] + (1 - beta2) * grad[i] * grad[i];
      const size = Math.sqrt(square[i] / squareShare) + this.eps;
      weight[i] -= (this.lr * (mean[i] / meanShare)) / size;
    }
  }
}

/** The gradient of L + λ/2 · Σ w²: g + λ w. All: the same length. */
function decayed(grad, weight, weightDecay) {
  return weightDecay ? grad.map((g, i) => g + weightDecay * weight[i]) : grad;
}

/** @returns {Object<string, Tensor>} zeros under the same names, in the same shapes */
function zerosLike(params) {
  const entries = Object.entries(params).map(([name, tensor]) => [name, new Tensor(tensor.shape)]);
  return Object.fromEntries(entries);
}

/** `SGD` or `Adam` by name; options: lr, momentum, weightDecay. */
function makeOptimizer(name, params, options) {
  return new { SGD, Adam }[name](params, options);
}

// ---------------------------------------------------------------- the loop

/** Guess, measure, find the slopes, adjust. x: (batch, nIn). Returns the loss of the guess. */
function trainStep(model, criterion, optimizer, x, target) {
  const loss = criterion.forward(model.forward(x), target);
  model.backwardParams(criterion.backward());
  optimizer.step(model.grads);
  return loss;
}

/** One epoch: 0 … count − 1 in random order, `batchSize` each, the rest last. @returns {Int32Array[]} */
function minibatches(generator, count, batchSize) {
  const order = randperm(generator, count);
  const batches = [];
  for (let begin = 0; begin < count; begin += batchSize) {
    batches.push(order.subarray(begin, begin + batchSize));
  }
  return batches;
}

/** @returns {Int32Array} (batch,): the place of the largest in each row; of equal ones the first */
function argmax(scores) {
  const [batch, n] = scores.shape;
  return Int32Array.from({ length: batch }, (_, r) => {
    let best = 0;
    for (let c = 1; c < n; c += 1) {
      best = scores.data[r * n + c] > scores.data[r * n + best] ? c : best;
    }
    return best;
  });
}

/** The share whose largest logit is right: (batch, classes) against (batch,). */
function accuracy(logits, target) {
  const right = argmax(logits).filter((c, r) => c === target[r]);
  return right.length / target.length;
}
