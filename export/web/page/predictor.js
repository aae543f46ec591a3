/** From raw values to class probabilities: the same arithmetic as `edge.predict` in Python. */

import { UserError } from "./errors.js";
import { Model } from "./runtime.js";

const { fround } = Math;
const TYPES = { float32: Float32Array, int32: Int32Array, int16: Int16Array, int8: Int8Array };
const LIMITS = { int8: [-128, 127], int16: [-32768, 32767] };

/** A bundle's model, loaded and ready. */
export class Predictor {
  static async load(bundle) {
    const { dtype } = bundle.info.input;
    if (!TYPES[dtype]) {
      throw new UserError(`The model takes ${dtype}, which this page can't give it.`);
    }
    return new Predictor(bundle.info, await Model.load(bundle.model));
  }

  constructor(info, model) {
    this.info = info;
    this.model = model;
  }

  /** The model's output tensor as it is, from an example's raw values. */
  scores(values) {
    return this.model.run(tensorOf(values, this.info));
  }

  /** Class probabilities, one for each label. */
  async probabilities(values) {
    return probabilitiesOf(await this.scores(values), this.info);
  }

  close() {
    this.model.close();
  }
}

/**
 * What the input tensor wants: rescaled where the bundle says so, quantized for int8.
 *
 * Python computes in float32 there, so every step is rounded to float32 here.
 */
export function tensorOf(values, info) {
  const { dtype, scale, zero_point: zero } = info.input;
  const made = new TYPES[dtype](values.length);
  const scaling = info.feature_scaling;
  const step = scale === null ? null : fround(scale);
  for (let at = 0; at < made.length; at++) {
    let value = values[at];
    if (scaling) {
      const feature = at % scaling.scale.length;
      value = fround(fround(value) * fround(scaling.scale[feature]));
      value = fround(value + fround(scaling.offset[feature]));
    }
    if (step !== null) {
      const [low, high] = LIMITS[dtype];
      value = Math.min(high, Math.max(low, roundHalfEven(fround(fround(value) / step)) + zero));
    }
    made[at] = value;
  }
  return made;
}

/** Rounds as numpy does: a half goes to the even neighbour. */
export function roundHalfEven(value) {
  const down = Math.floor(value);
  const rest = value - down;
  if (rest !== 0.5) return rest < 0.5 ? down : down + 1;
  return down % 2 === 0 ? down : down + 1;
}

/** Probabilities from an output tensor; see PHONES.md for the kinds of outputs. */
export function probabilitiesOf(scores, info) {
  const { scale, zero_point: zero } = info.output;
  let real = Array.from(scores);
  if (scale !== null) real = real.map((step) => fround(fround(step - zero) * fround(scale)));
  switch (info.output_kind) {
    case "probability_of_second":
      return [1 - real[0], real[0]].map(fround);
    case "logit_of_second":
      return softmax([-real[0] / 2, real[0] / 2]);
    case "logits":
      return softmax(real);
    default:
      return real;
  }
}

function softmax(logits) {
  const highest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => fround(power / sum));
}

/** Position of the highest probability, the first of equals. */
export function best(probabilities) {
  return probabilities.indexOf(Math.max(...probabilities));
}

/** Refuses values that the model was not made for. */
export function checkValues(values, info) {
  const count = info.input.shape.slice(1).reduce((product, size) => product * size, 1);
  if (values.length !== count) {
    throw new UserError(`${values.length} values came, the model takes ${count}.`);
  }
  const [low, high] = info.value_range;
  for (const value of values) {
    if (!Number.isFinite(value)) throw new UserError("A value is no finite number.");
    if (info.declared !== false && (value < low || value > high)) {
      throw new UserError(
        `The value ${value} is outside the range of the data set, ${low} to ${high}: give raw ` +
          "values, not rescaled ones."
      );
    }
    if (info.input.dtype === "int32" && !Number.isInteger(value)) {
      throw new UserError(`The value ${value} is a fraction, the model takes whole numbers.`);
    }
  }
}
