"use strict";

// Random numbers as PyTorch draws them on a CPU, to the last bit.
//
// The generator is the Mersenne Twister (Matsumoto and Nishimura 1998). It is no secret what a computer
// draws: the same seed gives the same numbers, there and here. So a run on this page is a run of PyTorch.

/** `torch.manual_seed(seed)`: a stream of 32 random bits at a time. */
class Generator {
  /** @param {number} seed a whole number from 0 to 2³² − 1 */
  constructor(seed) {
    this.state = new Uint32Array(624);
    this.state[0] = seed;
    for (let i = 1; i < 624; i += 1) {
      const before = this.state[i - 1];
      this.state[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
    this.next = 624;
  }

  /** @returns {number} a whole number from 0 to 2³² − 1 */
  bits32() {
    if (this.next === 624) {
      this.twist();
    }
    let bits = this.state[this.next];
    this.next += 1;
    bits ^= bits >>> 11;
    bits ^= (bits << 7) & 0x9d2c5680;
    bits ^= (bits << 15) & 0xefc60000;
    bits ^= bits >>> 18;
    return bits >>> 0;
  }

  /** Stir the state: the next 624 numbers come from it. */
  twist() {
    const state = this.state;
    for (let i = 0; i < 624; i += 1) {
      const joined = (state[i] & 0x80000000) | (state[(i + 1) % 624] & 0x7fffffff);
      const odd = joined & 1 ? 0x9908b0df : 0;
      state[i] = state[(i + 397) % 624] ^ (joined >>> 1) ^ odd;
    }
    this.next = 0;
  }

  /** @returns {number} a double from 0 to 1, without 1: 53 of 64 random bits */
  double() {
    const high = this.bits32() & 0x1fffff;
    const low = this.bits32();
    return (high * 2 ** 32 + low) * 2 ** -53;
  }

  /** @returns {number} a float from 0 to 1, without 1: 24 of 32 random bits */
  float() {
    return (this.bits32() & 0xffffff) * 2 ** -24;
  }
}

/**
 * `torch.rand(count)`.
 * @param {Generator} generator
 * @param {number} count
 * @param {string} dtype "float64" or "float32"
 * @returns {Float64Array|Float32Array} (count,)
 */
function rand(generator, count, dtype = "float64") {
  return uniform(generator, count, 0, 1, dtype);
}

/**
 * `torch.empty(count).uniform_(low, high)`: x · (high − low) + low, rounded once.
 * @param {Generator} generator
 * @param {number} count
 * @param {number} low
 * @param {number} high
 * @param {string} dtype "float64" or "float32"
 * @returns {Float64Array|Float32Array} (count,)
 */
function uniform(generator, count, low, high, dtype = "float64") {
  return dtype === "float64"
    ? Float64Array.from({ length: count }, () => multiplyAdd(generator.double(), high - low, low))
    : uniformFloats(generator, count, Math.fround(low), Math.fround(high));
}

/** The same in float32. The product of two floats is exact as a double. */
function uniformFloats(generator, count, low, high) {
  const width = Math.fround(high - low);
  return Float32Array.from({ length: count }, () => roundedToOdd(generator.float() * width, low));
}

/**
 * `torch.randperm(count)`: 0 … count − 1, shuffled (Fisher and Yates).
 * @param {Generator} generator
 * @param {number} count
 * @returns {Int32Array} (count,)
 */
function randperm(generator, count) {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = 0; i < count - 1; i += 1) {
    const other = i + (generator.bits32() % (count - i));
    const moved = order[i];
    order[i] = order[other];
    order[other] = moved;
  }
  return order;
}

/**
 * The start of `nn.Linear(nIn, nOut)`: `kaiming_uniform_(weight, a=√5)`, and the bias evenly in ±1/√nIn.
 * The lessons' bound for the weight is 1/√nIn too; torch computes the same bound by way of √5.
 * @param {Generator} generator
 * @param {number} nIn
 * @param {number} nOut
 * @param {string} dtype "float64" or "float32"
 * @returns {{weight: Float64Array|Float32Array, bias: Float64Array|Float32Array}} (nOut, nIn) and (nOut,)
 */
function linearStart(generator, nIn, nOut, dtype = "float64") {
  const gain = Math.sqrt(2 / (1 + Math.sqrt(5) ** 2));
  const bound = Math.sqrt(3) * (gain / Math.sqrt(nIn));
  const weight = uniform(generator, nOut * nIn, -bound, bound, dtype);
  const biasBound = 1 / Math.sqrt(nIn);
  return { weight, bias: uniform(generator, nOut, -biasBound, biasBound, dtype) };
}

// ---------------------------------------------------------------- a · b + c, rounded once
//
// Processors have one instruction for it, JavaScript has none. Written a * b + c it is rounded twice, and
// every fourth weight would differ in its last bit. Boldo and Melquiond (2008) compose it of sums whose
// rounding errors are known.

/** @returns {number} a · b + c as a double, rounded once */
function multiplyAdd(a, b, c) {
  const [product, productError] = exactProduct(a, b);
  const [low, lowError] = exactSum(c, productError);
  const [high, highError] = exactSum(product, low);
  return high + roundedToOdd(highError, lowError);
}

/** @returns {number[]} a + b rounded, and what the rounding has lost (Knuth) */
function exactSum(a, b) {
  const sum = a + b;
  const ofB = sum - a;
  return [sum, a - (sum - ofB) + (b - ofB)];
}

/** @returns {number[]} a · b rounded, and what the rounding has lost (Dekker) */
function exactProduct(a, b) {
  const [aHigh, aLow] = halves(a);
  const [bHigh, bLow] = halves(b);
  const product = a * b;
  return [product, aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow];
}

/** @returns {number[]} two numbers of 26 bits that add up to `a` */
function halves(a) {
  const stretched = a * (2 ** 27 + 1);
  const high = stretched - (stretched - a);
  return [high, a - high];
}

/**
 * a + b with its last bit set where it is not exact: it can be rounded once more, and is as if rounded once.
 * @returns {number}
 */
function roundedToOdd(a, b) {
  const [sum, lost] = exactSum(a, b);
  if (lost === 0) {
    return sum;
  }
  const bits = new BigInt64Array(Float64Array.of(sum).buffer);
  if (bits[0] & 1n) {
    return sum;
  }
  bits[0] += lost > 0 === sum > 0 ? 1n : -1n;
  return new Float64Array(bits.buffer)[0];
}
