/**
 * Lower bounds of several means that hold together, from one sample
 * (`ecavg_tf/core/deciding/together.py`, whose comments say why).
 */

import { deviation, meanLowerBound, shiftToZero } from "./bounds.js";
import { mean } from "./predictions.js";
import { uniformStream } from "./seeds.js";

const DRAWS = 4096;
const IN_THE_TAIL = 50; // draws beyond the bound, at least
const MOST_DRAWS = 32768; // with a level that would need more: Bonferroni's correction
const CHUNK = 256;
const STEPS = 30; // of bisection
const TINY = 2.2250738585072014e-308;

/** How many draws a bound of this level takes; 0: more than are worth their time. */
export function drawsFor(level) {
  const wanted = Math.max(DRAWS, Math.ceil(IN_THE_TAIL / level));
  return wanted <= MOST_DRAWS ? wanted : 0;
}

/**
 * Draws weights, uniform on the simplex, and applies them.
 *
 * @param {Float64Array[]} rows one for each quantity.
 * @param {() => Promise<void>} pause called now and then.
 * @returns {Promise<{weighted: Float64Array[], worst: Float64Array}>} the weighted sum of each row,
 *     and the weight of the worst value, for every draw.
 */
export async function draw(rows, count, pause, seed, ...place) {
  const n = rows[0].length;
  const weighted = rows.map(() => new Float64Array(count));
  const worst = new Float64Array(count);
  for (let start = 0; start < count; start += CHUNK) {
    const size = Math.min(CHUNK, count - start);
    const stream = await uniformStream(seed, ...place, start);
    const sums = new Float64Array(size); // exponentials over their sum are uniform on the simplex
    for (let example = -1; example < n; example++) {
      const drawn = stream.uniforms(size).map((value) => -Math.log(value));
      for (let at = 0; at < size; at++) sums[at] += drawn[at];
      if (example < 0) worst.set(drawn, start);
      else rows.forEach((row, which) => add(weighted[which], start, row[example], drawn));
      await pause();
    }
    for (const sum of [...weighted, worst]) {
      for (let at = 0; at < size; at++) sum[start + at] /= sums[at];
    }
  }
  return { weighted, worst };
}

function add(sums, start, factor, values) {
  for (let at = 0; at < values.length; at++) sums[start + at] += factor * values[at];
}

/**
 * Lower bounds of k means, all of which hold with the chance 1 - level.
 *
 * @param {Float64Array[]} rows of each candidate.
 * @param {object|null} drawn what `draw` gives for these rows; null: each is bounded by itself.
 * @returns {Promise<{bounds: number[], smallest: number[]}>} a bound of each mean, and how large
 *     each would have to be for its bound to be above 0.
 */
export async function boundsTogether(rows, drawn, lowest, level, pause) {
  const means = rows.map(mean);
  if (!drawn || rows.length === 1) return separately(rows, means, lowest, level / rows.length, pause);
  const falls = drawn.weighted.map((row, which) =>
    row.map((value, at) => means[which] - (value + drawn.worst[at] * lowest))
  );
  const scales = falls.map((row) => Math.max(deviation(row), TINY));
  const ratios = falls.map((row, which) => row.map((value) => value / scales[which]));
  const critical = upper(highest(ratios), level);
  const bounds = means.map((value, which) => Math.max(value - critical * scales[which], lowest));
  const smallest = [];
  for (let which = 0; which < rows.length; which++) {
    const others = highest(ratios.filter((_, at) => at !== which));
    const given = { average: means[which], falls: falls[which], others, worst: drawn.worst, level };
    smallest.push(means[which] + (await shift(given, pause)));
  }
  return { bounds, smallest };
}

async function separately(rows, means, lowest, level, pause) {
  const [bounds, smallest] = [[], []];
  for (const [which, row] of rows.entries()) {
    bounds.push(meanLowerBound(row, lowest, level));
    smallest.push(means[which] + shiftToZero(row, lowest, level));
    await pause();
  }
  return { bounds, smallest };
}

/** Of each draw the highest value of any row. */
function highest(rows) {
  return rows[0].map((_, at) => rows.reduce((best, row) => Math.max(best, row[at]), -Infinity));
}

/** The least value that at most a share `level` of the draws is above. */
function upper(values, level) {
  const rank = Math.min(values.length, Math.ceil((1 - level) * (values.length + 1)));
  return Float64Array.from(values).sort()[rank - 1];
}

/** How much the values of a row must rise for its bound to be 0; the worst value stays. */
async function shift({ average, falls, others, worst, level }, pause) {
  const bound = async (by) => {
    await pause();
    const fall = falls.map((value, at) => value + by * worst[at]);
    const scale = Math.max(deviation(fall), TINY);
    const largest = fall.map((value, at) => Math.max(others[at], value / scale));
    return average + by - scale * upper(largest, level);
  };
  let low = -average;
  let step = Math.max(1e-3, Math.abs(low), deviation(falls));
  while ((await bound(low + step)) <= 0) step *= 2;
  let high = low + step;
  for (let turn = 0; turn < STEPS; turn++) {
    const middle = (low + high) / 2;
    if ((await bound(middle)) > 0) high = middle;
    else low = middle;
  }
  return high;
}
