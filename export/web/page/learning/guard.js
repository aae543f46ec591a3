/**
 * The guard: another model is taken only if held-out data says so (`ecavg_tf/core/deciding/guard.py`;
 * docs/guard.md has the methods). `decide` is the rule `halves`; `together` is in jointly.js.
 */

import {
  deviation, mcnemarMidP, meanLowerBound, shiftToZero, smallestSign,
} from "./bounds.js";
import { mean } from "./predictions.js";
import { permutation } from "./seeds.js";

export const VETO = 0.05; // significance of a loss of accuracy
const SMOOTHING = 0.1;

/** Deals a guard set out to two halves, class by class: those that select, and those that certify. */
export async function halves(labels, seed, edge) {
  const order = await permutation(labels.length, seed, "guard-halves", edge);
  const places = Array.from(order.keys());
  places.sort((one, other) => labels[order[one]] - labels[order[other]] || one - other);
  const every = (first) => places.filter((_, at) => at % 2 === first).map((at) => order[at]);
  const rising = (list) => list.sort((one, other) => one - other);
  return { selecting: rising(every(1)), certifying: rising(every(0)) };
}

/** Log-likelihoods of a model that hedges: 90 % itself, 10 % the uniform distribution. */
export function smoothed(predictions, classes) {
  return predictions.logLikelihood.map((value) =>
    Math.log((1 - SMOOTHING) * Math.exp(value) + SMOOTHING / classes)
  );
}

/** The least difference of two smoothed log-likelihoods, nats. */
export function worstGain(classes) {
  return -Math.log1p(((1 - SMOOTHING) * classes) / SMOOTHING);
}

/** Examples that only the challenger gets right, and those that only the base gets right. */
export function hitsApart(challenger, base) {
  let [wins, losses] = [0, 0];
  for (let at = 0; at < base.count; at++) {
    if (challenger.correct[at] > base.correct[at]) wins += 1;
    if (challenger.correct[at] < base.correct[at]) losses += 1;
  }
  return { wins, losses };
}

/**
 * Tests a challenger against a base on the same examples.
 *
 * @param {{bound: number, smallest: number}} [known] where another test has found them already.
 * @returns {object} the certificate, in Python's words.
 */
export function certify(challenger, base, { classes, level, known }) {
  const n = base.count;
  const lowest = worstGain(classes);
  const [ours, theirs] = [challenger, base].map((each) => smoothed(each, classes));
  const gains = ours.map((value, at) => Math.max(value - theirs[at], lowest)); // rounding
  const hits = Float64Array.from(challenger.correct, (hit, at) => hit - base.correct[at]);
  const { wins, losses } = hitsApart(challenger, base);
  const gain = mean(gains);
  return {
    n,
    wins,
    losses,
    gain,
    bound: known ? known.bound : meanLowerBound(gains, lowest, level),
    p_loss: mcnemarMidP(losses, wins),
    accuracy_change: (wins - losses) / n,
    accuracy_bound: meanLowerBound(hits, -1, level),
    smallest_gain: known ? known.smallest : gain + shiftToZero(gains, lowest, level),
    smallest_accuracy_gain: Math.min(1, smallestSign(level) / n),
    level,
  };
}

/**
 * Selects one candidate on one half of the guard set and tests it on the other.
 *
 * @param {Predictions[]} candidates each one's on the whole guard set; the first is preferred.
 * @param {number[]} baselines places of what the edge has already: previous, local.
 * @returns {object} accepted, base and tested (places, or null), reason, select (means of the
 *     smoothed log-likelihoods, or null), certificate and certifying (how many examples).
 */
export function decide(candidates, baselines, { selecting, certifying, classes, level }) {
  const chosenBy = candidates.map((each) => smoothed(each.take(selecting), classes));
  const select = chosenBy.map((each) => (each.length ? mean(each) : null));
  const ranking = select.map((value) => value ?? -Infinity);
  const challengers = othersThan(baselines, candidates.length);
  const outcome = (accepted, base, tested, reason, certificate = null) => ({
    accepted, base, tested, reason, select, certificate, certifying: certifying.length,
  });

  if (!baselines.length) return outcome(bestOf(challengers, ranking), null, null, "nothing to lose");
  const base = bestOf(baselines, ranking);
  if (!selecting.length || !certifying.length) return outcome(base, base, null, "no guard data");
  let best = challengers.length ? bestOf(challengers, ranking) : base;
  if (best === base || !(ranking[best] > ranking[base])) {
    return outcome(base, base, null, "nothing better");
  }
  if (ranking[0] > ranking[base] && closeToBest(chosenBy[0], chosenBy[best])) best = 0;
  const [tested, against] = [best, base].map((at) => candidates[at].take(certifying));
  const certificate = certify(tested, against, { classes, level });
  if (certificate.bound > 0 && certificate.p_loss > VETO) {
    return outcome(best, base, best, "certified", certificate);
  }
  const reason = certificate.bound > 0 ? "accuracy loss" : "not certified";
  return outcome(base, base, best, reason, certificate);
}

/** All places but some. */
export function othersThan(some, count) {
  return Array.from({ length: count }, (_, at) => at).filter((at) => !some.includes(at));
}

/** The place with the highest value, the first of equals. */
export function bestOf(places, values) {
  return places.reduce((best, at) => (values[at] > values[best] ? at : best));
}

/** Whether a score is not worse than the best by more than a standard error. */
export function closeToBest(score, best) {
  const behind = best.map((value, at) => value - score[at]);
  return mean(behind) <= deviation(behind) / Math.sqrt(behind.length);
}
