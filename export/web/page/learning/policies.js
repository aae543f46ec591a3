/**
 * How an edge decides on the global model (`edge/deciding`).
 *
 * A situation is {globalModel, local, previous, onGuard, runs, guard, head, headBias, edge, seed,
 * classCounts, trainedOn, level, rule, pause}: what the edge knows. A choice is {candidates,
 * accepted, evidence}, in Python's words.
 */

import { smallestSign } from "./bounds.js";
import { certify, decide, halves } from "./guard.js";
import { decideJointly } from "./jointly.js";
import { RUNGS, candidate } from "./rungs.js";

/** Takes the best rung if it is certified, else keeps the better of previous and local. */
async function guarded(situation) {
  const { challengers, absent } = await challengersOf(situation);
  const { previous, local } = situation;
  const kept = [["previous", previous], ["local", local]].filter(([, weights]) => weights);
  const candidates = [...challengers, ...kept.map(([rung, weights]) => candidate(rung, weights))];
  const predicted = [];
  for (const each of candidates) predicted.push(await situation.onGuard(each.weights));
  const baselines = kept.map((_, at) => challengers.length + at);
  const { outcome, certifying } = await decided(situation, predicted, baselines);
  const evidence = {
    ...evidenceOf(outcome, candidates, situation),
    absent,
    since_previous: sincePrevious(outcome, candidates, predicted, certifying, situation),
  };
  const looked = candidates.map((each, at) => ({
    ...each,
    select: outcome.select[at],
    certify: at === outcome.tested ? outcome.certificate : null,
  }));
  return { candidates: looked, accepted: looked[outcome.accepted], evidence };
}

/** The ECAvg paper's update: the edge takes the global weights, whatever they do. */
function replace({ globalModel, local }) {
  const plain = (rung, weights) => ({ ...candidate(rung, weights), select: null, certify: null });
  const accepted = plain("global", globalModel);
  const others = local ? [plain("local", local)] : [];
  return { candidates: [accepted, ...others], accepted, evidence: { policy: "replace" } };
}

export const POLICIES = { guarded, replace };

/** What `update.rule` decides, and the examples that certify. */
async function decided({ rule, guard, classCounts, seed, edge, level, pause }, predicted, baselines) {
  const classes = classCounts.length;
  if (rule === "together") {
    const given = { classes, level, seed, edge, pause };
    const outcome = await decideJointly(predicted, baselines, given);
    return { outcome, certifying: Array.from(guard.labels.keys()) };
  }
  const dealt = await halves(guard.labels, seed, edge);
  const outcome = decide(predicted, baselines, { ...dealt, classes, level });
  return { outcome, certifying: dealt.certifying };
}

async function challengersOf(situation) {
  const [challengers, absent] = [[], {}];
  for (const [name, make] of Object.entries(RUNGS)) {
    const made = await make(situation);
    if (typeof made === "string") absent[name] = made;
    else challengers.push(...made);
  }
  return { challengers, absent };
}

function evidenceOf(outcome, candidates, { rule, level }) {
  const name = (at) => (at === null ? null : candidates[at].rung);
  const n = outcome.certifying;
  return {
    policy: "guarded",
    rule,
    reason: outcome.reason,
    base: name(outcome.base),
    tested: name(outcome.tested),
    alpha: outcome.tested === null ? null : candidates[outcome.tested].alpha,
    level,
    n,
    smallest_accuracy_gain: n ? Math.min(1, smallestSign(level) / n) : null,
    ...outcome.certificate,
  };
}

/** What is certified of a change against what was accepted before, whatever the base. */
function sincePrevious(outcome, candidates, predicted, certifying, { classCounts, level }) {
  const previous = candidates.findIndex(({ rung }) => rung === "previous");
  if (previous < 0 || !outcome.certifying || outcome.accepted === previous) return null;
  const [taken, before] = [outcome.accepted, previous].map((at) => predicted[at].take(certifying));
  return certify(taken, before, { classes: classCounts.length, level });
}
