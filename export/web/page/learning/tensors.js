/**
 * Files of named arrays: safetensors with one metadata entry, to the byte what Python writes.
 *
 * A tensor here is {dtype, shape, bytes}; `floats` looks at the bytes of one of float32.
 */

import { UserError } from "../errors.js";
import { joined } from "./hashing.js";

const METADATA = "ecavg";
const LONGEST_HEADER = 16 * 2 ** 20;
// numpy's names, those of the file, and bytes of one value; a file has the last ones first.
const TYPES = [
  ["bool", "BOOL", 1],
  ["uint8", "U8", 1],
  ["int8", "I8", 1],
  ["int16", "I16", 2],
  ["uint16", "U16", 2],
  ["float16", "F16", 2],
  ["bfloat16", "BF16", 2],
  ["int32", "I32", 4],
  ["uint32", "U32", 4],
  ["float32", "F32", 4],
  ["float64", "F64", 8],
  ["int64", "I64", 8],
  ["uint64", "U64", 8],
];

/** A float32 tensor of some values. */
export function tensorOf(values, shape) {
  const floats = Float32Array.from(values);
  return { dtype: "float32", shape: [...shape], bytes: new Uint8Array(floats.buffer) };
}

/** The values of a float32 tensor: a copy. */
export function floats(tensor) {
  return new Float32Array(tensor.bytes.slice().buffer);
}

export function sizeOf(shape) {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * Reads a file.
 *
 * @param {string} name of the file, for an error.
 * @param {Uint8Array} content its bytes.
 * @returns {{tensors: Map<string, object>, metadata: object, text: string}} arrays by key, and what
 *     the metadata says, read and as it stands.
 */
export function readTensors(name, content) {
  try {
    return tensorsIn(content);
  } catch (error) {
    throw new UserError(`${name} is damaged: ${error.message}. Load the page again.`);
  }
}

function tensorsIn(content) {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const length = Number(view.getBigUint64(0, true));
  if (length > LONGEST_HEADER) throw new Error(`its header has ${length} bytes`);
  const header = JSON.parse(new TextDecoder().decode(content.subarray(8, 8 + length)));
  const { __metadata__: said, ...places } = header;
  const text = said[METADATA];
  const tensors = new Map();
  for (const [key, { dtype, shape, data_offsets: offsets }] of Object.entries(places)) {
    const type = TYPES.find(([, stored]) => stored === dtype);
    const [begin, end] = offsets.map((offset) => offset + 8 + length);
    const isWhole = type && end - begin === sizeOf(shape) * type[2] && end <= content.length;
    if (!isWhole || begin < 8 + length) throw new Error(`${key} has other bytes than it states`);
    tensors.set(key, { dtype: type[0], shape, bytes: content.slice(begin, end) });
  }
  return { tensors, metadata: JSON.parse(text), text };
}

/**
 * The bytes of a file.
 *
 * @param {Map<string, object>} tensors by key.
 * @param {string} text the metadata, as canonical JSON.
 */
export function writeTensors(tensors, text) {
  const rank = (key) => TYPES.findIndex(([dtype]) => dtype === tensors.get(key).dtype);
  const byName = (one, other) => (one < other ? -1 : 1);
  const keys = [...tensors.keys()].sort((one, other) => rank(other) - rank(one) || byName(one, other));
  const header = [`"__metadata__":${JSON.stringify({ [METADATA]: text })}`];
  let end = 0;
  for (const key of keys) {
    const { shape, bytes } = tensors.get(key);
    const place = { dtype: TYPES[rank(key)][1], shape, data_offsets: [end, end + bytes.length] };
    header.push(`${JSON.stringify(key)}:${JSON.stringify(place)}`);
    end += bytes.length;
  }
  const said = new TextEncoder().encode(`{${header.join(",")}}`);
  const filled = new Uint8Array(8 + Math.ceil(said.length / 8) * 8).fill(0x20);
  filled.set(said, 8);
  new DataView(filled.buffer).setBigUint64(0, BigInt(filled.length - 8), true);
  return joined([filled, ...keys.map((key) => tensors.get(key).bytes)]);
}
