/** The labelled examples of an edge, kept in the browser; they are never sent. */

import { UserError } from "../errors.js";

const PREFIX = "examples/";
const ARRAYS = {
  bool: Uint8Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
};

/** A key after all earlier ones, which no other tab of this browser makes at the same time. */
function nextKey() {
  nextKey.last = Math.max(Date.now(), (nextKey.last ?? 0) + 1);
  return `${PREFIX}${nextKey.last}-${crypto.randomUUID()}`;
}

/** Examples in the order in which they came. */
export class Collection {
  /**
   * @param {object} store where they are kept.
   * @param {{classes: string[], input_shape: number[], inputs_dtype: string}} info what the run's
   *     model takes and tells apart.
   */
  static async open(store, info) {
    const kept = [];
    for (const key of await store.keys(PREFIX)) kept.push({ key, ...(await store.get(key)) });
    return new Collection(store, info, kept);
  }

  constructor(store, info, kept) {
    Object.assign(this, { store, info, kept });
    this.size = info.input_shape.reduce((product, size) => product * size, 1);
  }

  /**
   * Keeps examples.
   *
   * @param {{values: ArrayLike<number>, label: string}[]} examples raw values, and the class of each.
   */
  async add(examples) {
    const unknown = examples.find(({ label }) => !this.info.classes.includes(label));
    if (unknown) {
      throw new UserError(
        `The class ${unknown.label} is none of the run's: ${this.info.classes.join(", ")}.`
      );
    }
    const values = new (this.#array())(examples.length * this.size);
    const isWhole = !this.info.inputs_dtype.startsWith("float"); // of pictures, the nearest number
    examples.forEach((one, at) => {
      values.set(isWhole ? Array.from(one.values, Math.round) : one.values, at * this.size);
    });
    const part = { labels: examples.map(({ label }) => label), values, size: this.size };
    const key = nextKey();
    await this.store.put(key, part);
    this.kept.push({ key, ...part });
  }

  /** Takes the newest ones back: those that were added together. */
  async undo() {
    const part = this.kept.pop();
    if (part) await this.store.delete(part.key);
  }

  async clear() {
    for (const { key } of this.kept.splice(0)) await this.store.delete(key);
  }

  /** How many there are of each class. */
  get counts() {
    const counts = new Map(this.info.classes.map((name) => [name, 0]));
    for (const { labels } of this.#fitting()) {
      for (const label of labels) if (counts.has(label)) counts.set(label, counts.get(label) + 1);
    }
    return [...counts.values()];
  }

  /**
   * All of them, as training takes them.
   *
   * @returns {{x: ArrayLike<number>, shape: number[], y: Int32Array, dtype: string}} raw values row by
   *     row, and the place of each one's class.
   */
  examples() {
    const rows = [];
    const y = [];
    for (const { labels, values } of this.#fitting()) {
      labels.forEach((label, at) => {
        const place = this.info.classes.indexOf(label);
        if (place < 0) return; // of another run
        rows.push(values.subarray(at * this.size, (at + 1) * this.size));
        y.push(place);
      });
    }
    const x = new (this.#array())(rows.length * this.size);
    rows.forEach((row, at) => x.set(row, at * this.size));
    const shape = [rows.length, ...this.info.input_shape];
    return { x, shape, y: Int32Array.from(y), dtype: this.info.inputs_dtype };
  }

  /** Those that this run's model can take; others belong to another run. */
  #fitting() {
    return this.kept.filter(({ size }) => size === this.size);
  }

  #array() {
    const array = ARRAYS[this.info.inputs_dtype];
    if (!array) throw new UserError(`The model takes ${this.info.inputs_dtype}, which no page can keep.`);
    return array;
  }
}
