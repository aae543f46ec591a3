/** A file that trains, loaded in LiteRT.js: features, steps, predictions and its state. */

import { UserError } from "../errors.js";
import { startRuntime } from "../runtime.js";
import { compareWithLabels } from "./predictions.js";
import { sizeOf } from "./tensors.js";

const AWAY_MS = 12; // of work, after which the page gets its turn
const SIGNATURES = ["features", "train", "infer", "get_weights", "set_weights"];

/**
 * The model of a training bundle.
 *
 * A state is {weights, slots, step}: float32 arrays of what is trained and of the optimizer's own,
 * in the file's order, and how many steps were made.
 */
export class TrainingModel {
  static async load(bundle) {
    const litert = await startRuntime();
    let compiled;
    try {
      compiled = await litert.loadAndCompile(bundle.model, { accelerator: "wasm" });
    } catch (error) {
      throw new UserError(`This browser can't run the training file: ${error.message}.`);
    }
    return new TrainingModel(litert, compiled, bundle);
  }

  constructor(litert, compiled, bundle) {
    this.litert = litert;
    this.compiled = compiled;
    this.info = bundle.info;
    this.sha256 = bundle.sha256;
    this.classes = bundle.info.classes.length;
    this.pause = pauses();
    this.known = new WeakMap(); // features of examples, computed once: no training changes them
    const missing = SIGNATURES.filter((name) => !(name in compiled.signatures));
    if (missing.length) throw new UserError(`The training file has no signature ${missing[0]}.`);
  }

  /** A state with these weights and a new optimizer. */
  fresh(weights) {
    const { optimizer } = this.info;
    const each = optimizer.name === "adam" ? 2 : Number(optimizer.momentum > 0);
    const slots = Array.from({ length: each }, () => weights.map(({ length }) => length)).flat();
    return { weights, slots: slots.map((length) => new Float32Array(length)), step: 0 };
  }

  async set({ weights, slots, step }) {
    const named = { one: [1], step: [step] };
    weights.forEach((value, at) => (named[`weight_${at}`] = value));
    slots.forEach((value, at) => (named[`slot_${at}`] = value));
    await this.call("set_weights", named);
  }

  async get() {
    const named = await this.call("get_weights", { one: [1] });
    const of = (kind) => Object.keys(named).filter((name) => name.startsWith(kind)).length;
    const all = (kind) => Array.from({ length: of(kind) }, (_, at) => named[`${kind}_${at}`]);
    return { weights: all("weight"), slots: all("slot"), step: named.step[0] };
  }

  /** What the layers before the trained ones make of raw inputs: one row an example. */
  features(inputs) {
    return this.rows("features", "image", inputs, sizeOf(this.info.input_shape));
  }

  /** The same of examples. */
  async featuresOf(examples) {
    if (!this.known.has(examples)) this.known.set(examples, await this.features(examples.inputs));
    return this.known.get(examples);
  }

  /** What the model says of examples under some weights, which replace the state. */
  async predictions(weights, examples) {
    await this.set(this.fresh(weights));
    const probabilities = await this.infer(await this.featuresOf(examples));
    return compareWithLabels(probabilities, examples.labels, this.classes);
  }

  /** Probabilities under the weights as they are: one row an example. */
  infer(features) {
    return this.rows("infer", "x", features, sizeOf(this.info.feature_shape));
  }

  /**
   * One step on one batch.
   *
   * @param {Float32Array} features one row an example.
   * @param {ArrayLike<number>} labels one an example.
   * @returns {Promise<number>} the mean cross-entropy before the step, nats.
   */
  async train(features, labels, rate) {
    const y = new Float32Array(this.info.batch * this.classes); // a missing row counts for nothing
    for (let at = 0; at < labels.length; at++) y[at * this.classes + labels[at]] = 1;
    const { loss } = await this.call("train", { x: this.batch(features), y, learning_rate: [rate] });
    return loss[0];
  }

  close() {
    this.compiled.delete();
  }

  async rows(signature, name, values, size) {
    const [count, { batch }] = [values.length / size, this.info];
    let found = null;
    for (let at = 0; at < count; at += batch) {
      const part = values.slice(at * size, Math.min(count, at + batch) * size);
      const [answer] = Object.values(
        await this.call(signature, { [name]: this.batch(part, size) })
      );
      const width = answer.length / batch;
      found ??= new Float32Array(count * width);
      found.set(answer.subarray(0, Math.min(batch, count - at) * width), at * width);
    }
    return found ?? new Float32Array(0);
  }

  /** Rows, and zeros up to the file's batch. */
  batch(rows, size = sizeOf(this.info.feature_shape)) {
    const whole = new Float32Array(this.info.batch * size);
    whole.set(rows);
    return whole;
  }

  /** Outputs of a signature by name. */
  async call(name, inputs) {
    await this.pause();
    const signature = this.compiled.signatures[name];
    const tensors = {};
    try {
      for (const { name: input, shape } of signature.getInputDetails()) {
        tensors[input] = new this.litert.Tensor(Float32Array.from(inputs[input]), Array.from(shape));
      }
      const outputs = await signature.run(tensors);
      const found = {};
      for (const [output, tensor] of Object.entries(outputs)) {
        found[output] = tensor.toTypedArray();
        tensor.delete();
      }
      return found;
    } finally {
      for (const tensor of Object.values(tensors)) tensor.delete();
    }
  }
}

/**
 * Gives the page its turn now and then: training is many short calls on the thread of the page.
 *
 * A message comes back at once; a timer would wait four milliseconds, or a second in a tab that
 * nobody looks at.
 */
export function pauses() {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < AWAY_MS) return;
    await new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    });
    since = performance.now();
  };
}
