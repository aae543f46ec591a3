/** Replays the golden examples of a bundle, as `python -m edge check` does, and takes the time. */

import { exampleOf } from "./npy.js";
import { best } from "./predictor.js";

const RUNS = 50;
const LONGEST_MS = 1500;

/**
 * Compares the answers in this browser with those where the file was made.
 *
 * @returns {Promise<{passed: boolean, examples: number, difference: number, agreement: number}>}
 *     the largest difference of a probability, and the share of equal labels.
 */
export async function selfTest(predictor, bundle) {
  const examples = bundle.inputs.shape[0];
  let difference = 0;
  let equal = 0;
  for (let at = 0; at < examples; at++) {
    const found = await predictor.probabilities(exampleOf(bundle.inputs, at));
    const golden = Array.from(exampleOf(bundle.outputs, at));
    const off = found.map((value, place) => Math.abs(value - golden[place]));
    // A value that is no number must not pass.
    difference = off.every(Number.isFinite) ? Math.max(difference, ...off) : Infinity;
    equal += best(found) === best(golden) ? 1 : 0;
    if (difference === Infinity) break;
  }
  const agreement = equal / examples;
  const { max_difference: most, label_agreement: least } = bundle.info.tolerance;
  return { passed: difference <= most && agreement >= least, examples, difference, agreement };
}

/**
 * Milliseconds for one example.
 *
 * @returns {Promise<{median: number, p95: number, runs: number}>} of single runs.
 */
export async function latency(predictor, values) {
  const began = performance.now();
  const times = [];
  while (times.length < RUNS && (times.length < 5 || performance.now() - began < LONGEST_MS)) {
    const start = performance.now();
    await predictor.scores(values);
    times.push(performance.now() - start);
  }
  times.sort((first, second) => first - second);
  const at = (share) => times[Math.min(times.length - 1, Math.floor(share * times.length))];
  return { median: at(0.5), p95: at(0.95), runs: times.length };
}
