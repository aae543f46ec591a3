/**
 * The guard's rule that tests all candidates together on the whole guard set
 * (`ecavg_tf/core/deciding/jointly.py`).
 */

import { mcnemarMidP } from "./bounds.js";
import {
  VETO, bestOf, certify, closeToBest, hitsApart, othersThan, smoothed, worstGain,
} from "./guard.js";
import { mean } from "./predictions.js";
import { boundsTogether, draw, drawsFor } from "./together.js";

/**
 * Takes the best candidate that is certified against all baselines, else keeps the better one.
 *
 * @param {Predictions[]} candidates each one's on the guard set; the first is preferred.
 * @param {number[]} baselines places of what the edge has already: previous, local.
 * @param {object} given classes, level, seed, edge, and `pause`, which is called now and then.
 * @returns {Promise<object>} as `decide` of guard.js.
 */
export async function decideJointly(candidates, baselines, { classes, level, seed, edge, pause }) {
  const said = candidates.map((each) => smoothed(each, classes));
  const n = candidates[0].count;
  const select = said.map((row) => (n ? mean(row) : null));
  const means = select.map((value) => value ?? -Infinity);
  const challengers = othersThan(baselines, candidates.length);
  const outcome = (accepted, base, tested, reason, certificate = null) => ({
    accepted, base, tested, reason, select, certificate, certifying: n,
  });

  if (!baselines.length) return outcome(bestOf(challengers, means), null, null, "nothing to lose");
  const base = bestOf(baselines, means);
  if (n < 2) return outcome(base, base, null, "no guard data");
  const better = challengers.filter((at) => means[at] > means[base]);
  if (!better.length) return outcome(base, base, null, "nothing better");
  const { bounds, smallest } = await tests(said, challengers, baselines, {
    lowest: worstGain(classes), level, seed, edge, pause,
  });
  const holding = better.filter(
    (at) => bounds[at] > 0 && !isVetoed(candidates[at], candidates[base])
  );
  const tested = preferredOf(holding.length ? holding : better, means, said);
  const certificate = certify(candidates[tested], candidates[base], {
    classes, level, known: { bound: bounds[tested], smallest: smallest[tested] },
  });
  if (holding.length) return outcome(tested, base, tested, "certified", certificate);
  const isLost = certificate.bound > 0 && certificate.p_loss <= VETO;
  return outcome(base, base, tested, isLost ? "accuracy loss" : "not certified", certificate);
}

/** All challengers against each baseline, with the same draws: what is harder to beat counts. */
async function tests(said, challengers, baselines, { lowest, level, seed, edge, pause }) {
  const count = challengers.length > 1 ? drawsFor(level) : 0;
  const drawn = count ? await draw(said, count, pause, seed, "guard-weights", edge) : null;
  const [bounds, smallest] = [{}, {}];
  for (const baseline of baselines) {
    const gains = challengers.map((at) =>
      said[at].map((value, example) => Math.max(value - said[baseline][example], lowest)) // rounding
    );
    const ofGains = drawn && {
      weighted: challengers.map((at) =>
        drawn.weighted[at].map((value, which) => value - drawn.weighted[baseline][which])
      ),
      worst: drawn.worst,
    };
    const found = await boundsTogether(gains, ofGains, lowest, level, pause);
    challengers.forEach((at, which) => {
      bounds[at] = Math.min(bounds[at] ?? Infinity, found.bounds[which]);
      smallest[at] = Math.max(smallest[at] ?? -Infinity, found.smallest[which]);
    });
  }
  return { bounds, smallest };
}

function isVetoed(challenger, base) {
  const { wins, losses } = hitsApart(challenger, base);
  return mcnemarMidP(losses, wins) <= VETO;
}

function preferredOf(among, means, said) {
  const best = bestOf(among, means);
  return among.includes(0) && closeToBest(said[0], said[best]) ? 0 : best;
}
