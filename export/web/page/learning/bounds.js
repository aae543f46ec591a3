/**
 * Confidence bounds that hold for small samples: `ecavg_tf/core/deciding/bounds.py`, number for
 * number. The comments there say why they are computed so.
 */

import { quantile } from "./normal.js";
import { mean } from "./predictions.js";

const FAR = 38; // standard deviations
const PRECISION = 1e-6; // of a bound, as a share of what it bounds
const STEP = 0.05;
const NODES = 280; // of the trapezoidal rule
const CHUNK = 20;

/**
 * One-sided lower confidence bound of a mean (Gaffke's).
 *
 * @param {ArrayLike<number>} values independent observations.
 * @param {number} lowest no observation can be lower.
 * @param {number} level chance that the bound is above the true mean.
 */
export function meanLowerBound(values, lowest, level) {
  if (!values.length) return lowest;
  const { support, counts } = counted([...values, lowest]);
  const average = mean(values);
  if (average - lowest <= 1e-12 * (1 + Math.abs(lowest))) return lowest;
  const excess = (threshold) =>
    clipped(chanceBelow(support, counts, threshold)) - quantile(level);
  return root(excess, lowest, average, PRECISION * (average - lowest));
}

/** How much all values would have to rise for the bound to be 0; the worst one stays. */
export function shiftToZero(values, lowest, level) {
  const { support, counts } = counted(values);
  const often = [...counts, 1];
  const excess = (shift) =>
    quantile(level) - clipped(chanceBelow([...support.map((value) => value + shift), lowest], often, 0));
  const below = -mean(values);
  let step = Math.max(1e-3, Math.abs(below), deviation(values));
  while (excess(below + step) <= 0) step *= 2;
  return root(excess, below, below + step, PRECISION * step) + PRECISION * step;
}

/** The values that occur, rising, and how often. */
function counted(values) {
  const support = [];
  const counts = [];
  for (const value of Float64Array.from(values).sort()) {
    if (value === support[support.length - 1]) counts[counts.length - 1] += 1;
    else {
      support.push(value);
      counts.push(1);
    }
  }
  return { support, counts };
}

/** Standard deviation of the values themselves. */
export function deviation(values) {
  const average = mean(values);
  let sum = 0;
  for (const value of values) sum += (value - average) ** 2;
  return Math.sqrt(sum / values.length);
}

function clipped(chance) {
  return quantile(Math.min(Math.max(chance, 1e-300), 1 - 1e-15));
}

/** Where a rising function crosses 0, from below, by the Illinois false position. */
function root(rising, below, above, width) {
  let [atBelow, atAbove] = [-FAR, rising(above)];
  if (atAbove <= 0) return above;
  let last = 0;
  for (let turn = 0; turn < 100; turn++) {
    let middle = (below * atAbove - above * atBelow) / (atAbove - atBelow);
    middle = Math.min(Math.max(middle, below + width / 4), above - width / 4);
    const value = rising(middle);
    const side = value > 0 ? 1 : -1;
    if (side > 0) {
      [above, atAbove] = [middle, value];
      if (side === last) atBelow /= 2;
    } else {
      [below, atBelow] = [middle, value];
      if (side === last) atAbove /= 2;
    }
    last = side;
    if (above - below <= width) break;
  }
  return below;
}

/** P(sum(w_i x_i) <= threshold) for w uniform on the simplex, by a saddle point. */
function chanceBelow(support, counts, threshold) {
  const weights = support.map((value) => value - threshold);
  const saddle = saddleOf(weights, counts);
  let curvature = 1 / saddle ** 2;
  weights.forEach((weight, at) => (curvature += counts[at] * (weight / (1 + saddle * weight)) ** 2));
  const spread = 1 / Math.sqrt(curvature);
  let [total, first] = [0, 0];
  for (let start = 0; start < NODES; start += CHUNK) {
    let largest = 0;
    for (let node = start; node < start + CHUNK; node++) {
      const value = integrand(weights, counts, saddle, spread, node * STEP);
      first = first || value;
      total += value;
      largest = Math.max(largest, Math.abs(value));
    }
    if (largest < 1e-18 * Math.abs(first)) break;
  }
  return ((total - first / 2) * STEP) / Math.PI;
}

/** The real part of the integrand at saddle + i spread sinh(node), times the spread's change. */
function integrand(weights, counts, saddle, spread, node) {
  const imaginary = spread * Math.sinh(node);
  let size = -Math.log(saddle ** 2 + imaginary ** 2); // twice the logarithm
  let angle = -Math.atan2(imaginary, saddle);
  for (let at = 0; at < weights.length; at++) {
    const [re, im] = [1 + weights[at] * saddle, weights[at] * imaginary];
    size -= counts[at] * Math.log(re * re + im * im);
    angle -= counts[at] * Math.atan2(im, re);
  }
  return Math.exp(size / 2) * Math.cos(angle) * spread * Math.cosh(node);
}

/** Where the transform is least between 0 and its first pole. */
function saddleOf(weights, counts) {
  let [low, high] = [0, -1 / Math.min(...weights)];
  let point = high / 2;
  for (let turn = 0; turn < 60; turn++) {
    let [slope, curvature] = [1 / point, 1 / point ** 2];
    for (let at = 0; at < weights.length; at++) {
      const term = weights[at] / (1 + point * weights[at]);
      slope += counts[at] * term;
      curvature += counts[at] * term ** 2;
    }
    if (slope > 0) low = point;
    else high = point;
    const step = slope / curvature;
    if (Math.abs(step) < 1e-9 * point) break;
    point = low < point + step && point + step < high ? point + step : (low + high) / 2;
  }
  return point;
}

/** One-sided mid-p value that a change lost accuracy (McNemar's test). */
export function mcnemarMidP(losses, wins) {
  const n = losses + wins;
  const logs = [0]; // log k! for k = 0 … n
  for (let k = 1; k <= n; k++) logs.push(logs[k - 1] + Math.log(k));
  const chance = (k) => Math.exp(logs[n] - logs[k] - logs[n - k] - n * Math.LN2);
  let sum = chance(losses) / 2;
  for (let k = losses + 1; k <= n; k++) sum += chance(k);
  return sum;
}

/** How many wins without a loss it takes to be beyond chance: 2**-k <= level. */
export function smallestSign(level) {
  return Math.ceil(-Math.log2(level) - 1e-12);
}
