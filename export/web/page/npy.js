/** Reads arrays from .npy files, as numpy writes them (version 1.0, C order, little endian). */

import { UserError } from "./errors.js";

const KINDS = {
  "|b1": Uint8Array,
  "|u1": Uint8Array,
  "|i1": Int8Array,
  "<u2": Uint16Array,
  "<i2": Int16Array,
  "<u4": Uint32Array,
  "<i4": Int32Array,
  "<i8": BigInt64Array,
  "<u8": BigUint64Array,
  "<f4": Float32Array,
  "<f8": Float64Array,
};
const HEADER_AT = 10;

/**
 * An array.
 *
 * @param {string} name of the file, for an error.
 * @param {Uint8Array} content its bytes.
 * @returns {{shape: number[], data: ArrayLike<number>}} the values, row by row.
 */
export function readNpy(name, content) {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const magic = String.fromCharCode(...content.subarray(1, 6));
  if (magic !== "NUMPY" || content[6] !== 1) throw new UserError(`${name} is no .npy file.`);
  const start = HEADER_AT + view.getUint16(8, true);
  const header = new TextDecoder().decode(content.subarray(HEADER_AT, start));
  const kind = KINDS[/'descr': '([^']+)'/.exec(header)?.[1]];
  const shape = /'shape': \(([^)]*)\)/.exec(header)?.[1];
  if (!kind || shape === undefined || !header.includes("'fortran_order': False")) {
    throw new UserError(`${name} holds an array of a kind that this page can't read.`);
  }
  const sizes = shape.split(",").map((size) => size.trim()).filter(Boolean).map(Number);
  const count = sizes.reduce((product, size) => product * size, 1);
  const values = content.slice(start);
  if (values.length !== count * kind.BYTES_PER_ELEMENT) {
    throw new UserError(`${name} is not of the size that it states.`);
  }
  const stored = new kind(values.buffer);
  const large = kind === BigInt64Array || kind === BigUint64Array;
  return { shape: sizes, data: large ? Array.from(stored, Number) : stored };
}

/** Example number `at` of an array whose first dimension counts examples. */
export function exampleOf(array, at) {
  const size = array.data.length / array.shape[0];
  return array.data.slice(at * size, (at + 1) * size);
}
