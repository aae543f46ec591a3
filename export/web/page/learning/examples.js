/** Labelled examples: raw inputs in one flat array, one row an example. */

import { UserError } from "../errors.js";
import { permutation } from "./seeds.js";
import { sizeOf } from "./tensors.js";

export class Examples {
  /**
   * @param {ArrayLike<number>} inputs raw values, row by row.
   * @param {Int32Array} labels one an example.
   */
  constructor(inputs, labels) {
    this.inputs = inputs;
    this.labels = labels;
    this.count = labels.length;
    this.size = labels.length ? inputs.length / labels.length : 0;
  }

  /** Those at some places. */
  take(places) {
    return new Examples(rowsAt(this.inputs, this.size, places), takeFrom(this.labels, places));
  }

  /** How many there are of each class. */
  classCounts(classes) {
    const counts = new Array(classes).fill(0);
    for (const label of this.labels) counts[label] += 1;
    return counts;
  }
}

export function takeFrom(values, places) {
  return values.constructor.from(places, (at) => values[at]);
}

/** Rows of a flat array. */
export function rowsAt(values, size, places) {
  const taken = new values.constructor(places.length * size);
  places.forEach((from, to) => taken.set(values.subarray(from * size, (from + 1) * size), to * size));
  return taken;
}

/**
 * The examples to train on, and a stratified part that is held out to decide with, as Python splits
 * them (`split_off_guard`).
 *
 * @param {Examples} all what the edge has.
 * @param {number} fraction share that is held out, rounded down; one example always stays.
 */
export async function splitOffGuard(edge, all, fraction, seed) {
  const count = Math.min(Math.floor(all.count * fraction + 1e-9), all.count - 1);
  const held = new Set(await stratified(all.labels, count, seed, "guard", edge));
  const places = Array.from({ length: all.count }, (_, at) => at);
  return {
    train: all.take(places.filter((at) => !held.has(at))),
    guard: all.take(places.filter((at) => held.has(at))),
  };
}

/** Places of `count` examples whose label mix is that of all, in rising order. */
export async function stratified(labels, count, seed, ...place) {
  const classes = labels.reduce((most, label) => Math.max(most, label + 1), 0);
  const available = new Examples(labels, labels).classCounts(classes);
  const quota = available.map((n) => Math.floor((n * count) / Math.max(labels.length, 1)));
  const rest = available.map((n, at) => n * count - quota[at] * labels.length);
  const byRest = rest.map((_, at) => at).sort((one, other) => rest[other] - rest[one] || one - other);
  let left = count - quota.reduce((sum, share) => sum + share, 0);
  for (const label of byRest) {
    if (left-- <= 0) break;
    quota[label] += 1;
  }
  const order = await permutation(labels.length, seed, "stratified", ...place);
  const taken = quota.map(() => 0);
  return Array.from(order)
    .filter((at) => taken[labels[at]]++ < quota[labels[at]])
    .sort((one, other) => one - other);
}

/**
 * Raw values as the training file was made for them.
 *
 * @param {{x: ArrayLike<number>, shape: number[], y: ArrayLike<number>}} given what the page holds.
 * @param {object} info what the bundle says.
 */
export function examplesFor(given, info) {
  const count = given.y.length;
  const [size, shape] = [sizeOf(info.input_shape), given.shape.slice(1)];
  const [low, high] = info.value_range;
  if (sizeOf(shape) !== size || given.x.length !== count * size) {
    throw new UserError(`The examples have the shape ${shape}, the model takes ${info.input_shape}.`);
  }
  if (!count) throw new UserError("There is no example to train on. Give at least one.");
  const inputs = Float32Array.from(given.x);
  for (const value of inputs) {
    const isWithin = info.declared === false || (value >= low && value <= high);
    if (!isWithin || !Number.isFinite(value)) {
      throw new UserError(`The value ${value} is outside the range of the run, ${low} to ${high}.`);
    }
  }
  const labels = Int32Array.from(given.y);
  for (const label of labels) {
    if (!(label >= 0 && label < info.classes.length)) {
      throw new UserError(`The label ${label} is none of the run's ${info.classes.length} classes.`);
    }
  }
  return new Examples(inputs, labels);
}
