/** The update file: what an edge uploads after its training. */

import { canonicalJson } from "./canonical_json.js";
import { readTensors, writeTensors } from "./tensors.js";

/**
 * The bytes of an update file.
 *
 * @param {object} info round, edge, examples, class_counts, template_sha256 and metrics.
 * @param {Map<string, object>} tensors by the template's keys.
 */
export function writeUpdate(info, tensors) {
  return writeTensors(tensors, canonicalJson(info));
}

/** The local model in an update: its tensors in template order, what it omits from `missing`. */
export function weightsIn(content, template, missing) {
  const { tensors } = readTensors("The update of the last round", content);
  return template.weights.map(({ key }, at) => tensors.get(key) ?? missing[at]);
}

/** What of a local model is uploaded: all but what may be left out and is not trained. */
export function sentOf(template, weights, held) {
  const sent = template.weights
    .map(({ key, omittable }, at) => [key, weights[at], held.includes(at) || !omittable])
    .filter(([, , isSent]) => isSent);
  return new Map(sent.map(([key, tensor]) => [key, tensor]));
}
