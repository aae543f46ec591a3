/**
 * The rungs: models that an edge may deploy instead of the one it has (`edge/deciding/rungs.py`).
 *
 * Each is a function from a situation to candidates ({rung, weights, alpha}), or to the reason why
 * there is none. Weights are tensors in template order.
 */

import { isSameMix, priorShift } from "./prior.js";
import { floats, tensorOf } from "./tensors.js";

export const ALPHAS = [0.25, 0.5, 0.75];
const NEVER_TRAINED = "the edge has no local model yet";

function globalModel({ globalModel: weights }) {
  return [candidate("global", weights)];
}

/** The global model under the edge's own label mix. */
function prior({ globalModel: weights, headBias: at, classCounts, trainedOn }) {
  if (at === null) return "no weight was found that adds to the logits, as a last layer's bias does";
  if (trainedOn === null) {
    return "the server does not know which label mix the global model was trained on";
  }
  if (isSameMix(classCounts, trainedOn)) {
    return "the edge's label mix is the one that the global model was trained on";
  }
  const bias = floats(weights[at]);
  const shift = priorShift(classCounts, trainedOn);
  const moved = bias.length === 1 ? [shift[1] - shift[0]] : shift; // one logit, of the second class
  const shifted = tensorOf(Array.from(bias, (value, which) => value + moved[which]), weights[at].shape);
  return [candidate("prior", replaced(weights, [at], [shifted]))];
}

/** Between the local and the global model. */
async function blend({ globalModel: weights, local, runs }) {
  if (!local) return NEVER_TRAINED;
  if (!(await runs(mixed(weights, local, ALPHAS[0])))) {
    return "this edge's training file can't mix the layers that it keeps frozen";
  }
  return ALPHAS.map((alpha) => candidate("blend", mixed(weights, local, alpha), alpha));
}

/** The global model with the edge's own last layer. */
function localHead({ globalModel: weights, local, head }) {
  if (!local) return NEVER_TRAINED;
  return [candidate("local-head", replaced(weights, head, head.map((at) => local[at])))];
}

function localBatchnorm() {
  return "the model has no BatchNorm that training updates"; // what a file trains is Dense layers
}

export const RUNGS = {
  global: globalModel,
  prior,
  blend,
  "local-head": localHead,
  "local-batchnorm": localBatchnorm,
};

export function candidate(rung, weights, alpha = null) {
  return { rung, weights, alpha };
}

function replaced(weights, places, others) {
  return weights.map((each, at) => (places.includes(at) ? others[places.indexOf(at)] : each));
}

/** alpha * one + (1 - alpha) * other; what is not float32 is taken from `one`. */
function mixed(one, other, alpha) {
  return one.map((tensor, at) => {
    if (tensor.dtype !== "float32") return tensor;
    const [ours, theirs] = [floats(tensor), floats(other[at])];
    return tensorOf(
      Array.from(ours, (value, which) => alpha * value + (1 - alpha) * theirs[which]),
      tensor.shape
    );
  });
}
