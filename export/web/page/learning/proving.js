/** Whether this browser trains a file as it should, and whether the file is the run's model. */

import { UserError } from "../errors.js";
import { roundHalfEven } from "../predictor.js";
import { uniforms } from "./seeds.js";
import { sizeOf } from "./tensors.js";

const PROBED = 8;
const PROBE_TOLERANCE = 0.01; // float32 kernels differ by about 1e-6 here

/** Replays the golden steps of a bundle, as a device in Python does. */
export async function checkTraining(model, golden) {
  const { golden_steps: steps, golden_learning_rate: rate, tolerance } = model.info;
  await model.set(model.fresh((await model.get()).weights));
  const features = await model.features(Float32Array.from(golden.inputs.data));
  const answers = [await model.infer(features)];
  for (let step = 0; step < steps; step++) await model.train(features, golden.labels.data, rate);
  answers.push(await model.infer(features));
  const expected = golden.outputs.data;
  const half = expected.length / 2;
  const found = Float32Array.from(expected, (_, at) => answers[at < half ? 0 : 1][at % half]);
  const difference = largestDifference(found, expected);
  if (!(difference <= tolerance)) {
    throw new UserError(
      `This browser trains the model wrong: probabilities are up to ${difference.toPrecision(3)} ` +
        `off (at most ${tolerance} is allowed). Try another browser.`
    );
  }
}

/** Compares answers on pictures of noise, which the server knows, under its weights. */
export async function checkProbe(model, held, probe) {
  const { input_shape: shape, inputs_dtype: dtype } = model.info;
  const size = sizeOf(shape);
  const drawn = await uniforms(PROBED * size, 0, "probe");
  const isWhole = !dtype.startsWith("float");
  const inputs = Float32Array.from(drawn, (value, at) => {
    const [low, high] = rangeOf(model.info, at % size);
    const noise = low + (high - low) * value;
    return isWhole ? roundHalfEven(noise) : noise;
  });
  await model.set(model.fresh(held));
  const found = await model.infer(await model.features(inputs));
  const difference = largestDifference(found, probe.flat());
  if (!(difference <= PROBE_TOLERANCE)) {
    throw new UserError(
      "The training file is of another model: with the server's weights its answers are up to " +
        `${difference.toPrecision(2)} off the server's. Export one from this run.`
    );
  }
}

function rangeOf({ value_range: range, feature_ranges: ranges }, at) {
  return ranges?.length ? ranges[at % ranges.length] : range;
}

function largestDifference(found, expected) {
  if (found.length !== expected.length) return Infinity;
  const off = Array.from(found, (value, at) => Math.abs(value - expected[at]));
  return off.every(Number.isFinite) ? off.reduce((most, each) => Math.max(most, each), 0) : Infinity;
}
