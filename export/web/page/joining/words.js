/** Decisions in plain words, as the server's report has them (`ecavg_tf/report/words.py`). */

import { VETO } from "../learning/guard.js";

const RUNGS = {
  global: "the global model",
  prior: "the global model under its own label mix",
  blend: "a blend of its local and the global model",
  "local-head": "the global model with its own last layer",
  previous: "the model it had accepted before",
  local: "its local model",
};

/** A candidate in words. */
export function rungWords(name, alpha = null) {
  const words = RUNGS[name] ?? `"${name}"`;
  return alpha === null ? words : `${words} (${(100 * alpha).toFixed(0)} % global)`;
}

/**
 * What this device took in a round, and why.
 *
 * @param {{round: number, rung: string, alpha: number|null, evidence: object}} decision as the edge
 *     tells it.
 */
export function decisionWords({ round, rung, alpha, evidence }) {
  const keeps = rung === "local" || rung === "previous";
  const taken = `${keeps ? "kept" : "took"} ${rungWords(rung, alpha)}`;
  const why = evidence.policy === "guarded" ? reasonOf(evidence) : "";
  return `Round ${round}: this device ${taken}${why && `: ${why}`}.`;
}

function reasonOf(evidence) {
  const { reason, n, gain, bound, wins, losses } = evidence;
  const held = `${n} held-out examples`;
  const hits = `${counted(wins)} right and ${losses} ${losses === 1 ? "turns" : "turn"} wrong`;
  const behind = `the server's model looks no better on its ${held}`;
  switch (reason) {
    case "certified":
      return `its ${held} show a gain of ${gain.toFixed(3)} nats, at least ${bound.toFixed(3)}; ${hits}`;
    case "not certified":
      if (evidence.p_loss <= VETO) return `the server's model gets significantly more wrong: ${hits}`;
      if (gain <= 0) return `${behind}; ${hits}`;
      return (
        `the server's model looks better by ${gain.toFixed(3)} nats on its ${held}, but they are ` +
        `too few to be sure; ${hits}`
      );
    case "accuracy loss":
      return `the server's model gets significantly more wrong: ${hits}`;
    case "nothing better":
      return behind;
    default:
      return reason;
  }
}

function counted(wins) {
  return wins === 1 ? "1 example turns" : `${wins} examples turn`;
}
