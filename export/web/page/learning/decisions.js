/** An edge's decision, in the words that results.json has for it. */

import { real } from "./canonical_json.js";
import { scoreOf } from "./predictions.js";
import { weightsSha256 } from "./templates.js";

const WHOLE = ["n", "wins", "losses"];
const MOST_CLASSES = 100;

/**
 * What is told of a choice.
 *
 * @param {object} choice of a policy.
 * @param {object} given round, edge, examples, classCounts, local (weights or null), test (examples
 *     or null) and predictions(weights) on them.
 * @returns {Promise<{decision: object, accepted: object}>} for the server, and what was accepted.
 */
export async function decisionOf(choice, { round, edge, examples, classCounts, ...given }) {
  const rungs = [];
  for (const each of choice.candidates) {
    const { rung, alpha, select, certify } = each;
    const scores = await scoresOf(each.weights, given);
    rungs.push({ rung, alpha: real(alpha), ...scores, select: real(select), certify: asReals(certify) });
  }
  const { rung, alpha, weights } = choice.accepted;
  const accepted = {
    rung,
    alpha: real(alpha),
    ...(await scoresOf(weights, given)),
    weights_sha256: await weightsSha256(weights),
    evidence: { ...asReals(choice.evidence), ...(await byClass(weights, given)) },
  };
  const told = { round, edge, examples, class_counts: classCounts, rungs, accepted };
  return { decision: told, accepted };
}

async function scoresOf(weights, { test, predictions }) {
  if (!test) return { own: null, all: null };
  const { accuracy, loss, n } = scoreOf(await predictions(weights));
  return { own: { accuracy: real(accuracy), loss: real(loss), n }, all: null };
}

/** Evidence as Python writes it: all of its numbers but the counts are floats there. */
function asReals(value, name = "") {
  if (typeof value === "number") return WHOLE.includes(name) ? value : real(value);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, asReals(each, key)]));
}

/** How the local and the accepted model do on each class; no part in the decision. */
async function byClass(weights, { local, test, predictions }) {
  if (!local || !test) return {};
  const [before, after] = [await predictions(local), await predictions(weights)];
  const rows = new Map();
  test.labels.forEach((label, at) => {
    const row = rows.get(label) ?? { label, n: 0, local: 0, accepted: 0 };
    row.n += 1;
    row.local += before.correct[at];
    row.accepted += after.correct[at];
    rows.set(label, row);
  });
  const changed = (row) => Math.abs(row.accepted - row.local);
  const told = [...rows.values()]
    .sort((one, other) => changed(other) - changed(one) || one.label - other.label)
    .slice(0, MOST_CLASSES)
    .sort((one, other) => one.label - other.label);
  const column = (name) => told.map((row) => row[name]);
  return {
    by_class: {
      classes: column("label"),
      n: column("n"),
      local: column("local"),
      accepted: column("accepted"),
    },
  };
}
