"use strict";

// Weights as files: eight bytes that say how long the header is, a header in JSON, then the numbers. Reading such
// a file runs no code. `curriculum mnist` writes one for every run, model.safetensors.

const NUMBER_TYPES = { F32: Float32Array, F64: Float64Array };

/**
 * @param {ArrayBuffer} buffer
 * @returns {Object<string, {dtype: string, shape: number[], data: Float32Array|Float64Array}>} by name
 * @throws {Error} one line that says what is wrong
 */
function readSafetensors(buffer) {
  const header = safetensorsHeader(buffer);
  const found = {};
  for (const [name, { dtype, shape, data_offsets: place }] of Object.entries(header.tensors)) {
    const Numbers = NUMBER_TYPES[dtype];
    if (!Numbers) {
      throw new Error(`${name} is stored as ${dtype}: expected F32 or F64`);
    }
    const [begin, end] = place.map((offset) => header.end + offset);
    const count = shape.reduce((product, side) => product * side, 1);
    if (end > buffer.byteLength || end - begin !== count * Numbers.BYTES_PER_ELEMENT) {
      throw new Error(`The file is not whole: the numbers of ${name} are missing`);
    }
    found[name] = { dtype, shape, data: new Numbers(buffer.slice(begin, end)) };
  }
  return found;
}

function safetensorsHeader(buffer) {
  try {
    const length = Number(new DataView(buffer).getBigUint64(0, true));
    const tensors = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
    delete tensors.__metadata__;
    if (!Object.values(tensors).every((told) => Array.isArray(told.shape) && Array.isArray(told.data_offsets))) {
      throw new Error("no tensors");
    }
    return { tensors, end: 8 + length };
  } catch {
    throw new Error("This is no safetensors file: expected the model.safetensors of a run");
  }
}

/**
 * @param {Object<string, Tensor>} params
 * @param {string} dtype "F32" or "F64"
 * @returns {Uint8Array} the file, as the safetensors package writes it
 */
function writeSafetensors(params, dtype) {
  const Numbers = NUMBER_TYPES[dtype];
  const header = {};
  const parts = [];
  let begin = 0;
  for (const name of Object.keys(params).sort()) {
    const bytes = new Uint8Array(Numbers.from(params[name].data).buffer);
    header[name] = { dtype, shape: params[name].shape, data_offsets: [begin, begin + bytes.length] };
    begin += bytes.length;
    parts.push(bytes);
  }
  const text = JSON.stringify(header);
  const padded = new TextEncoder().encode(text.padEnd(8 * Math.ceil(text.length / 8)));
  const file = new Uint8Array(8 + padded.length + begin);
  new DataView(file.buffer).setBigUint64(0, BigInt(padded.length), true);
  file.set(padded, 8);
  let place = 8 + padded.length;
  parts.forEach((bytes) => {
    file.set(bytes, place);
    place += bytes.length;
  });
  return file;
}

/**
 * Put what a file holds into a network's parameters; where anything does not fit, nothing is changed.
 * @param {Object<string, Tensor>} params
 * @param {object} found what `readSafetensors` has returned
 * @throws {Error} one line that says what does not fit
 */
function takeWeights(params, found) {
  const sides = (shape) => shape.join("×");
  for (const [name, { shape }] of Object.entries(params)) {
    if (!found[name]) {
      throw new Error(`The file has no ${name}: expected ${Object.keys(params).join(", ")}`);
    }
    if (sides(found[name].shape) !== sides(shape)) {
      throw new Error(`${name} is ${sides(found[name].shape)}: this page's network has ${sides(shape)}`);
    }
  }
  const odd = Object.keys(found).find((name) => !params[name]);
  if (odd) {
    throw new Error(`The file also has ${odd}: expected ${Object.keys(params).join(", ")}`);
  }
  for (const [name, tensor] of Object.entries(params)) {
    tensor.data.set(found[name].data);
  }
}
