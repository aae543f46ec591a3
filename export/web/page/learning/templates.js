/** The template: the ordered weights of the run's model, on which both ends agree. */

import { canonicalJson } from "./canonical_json.js";
import { sha256 } from "./hashing.js";

const NAMES = ["key", "shape", "dtype", "role", "omittable"];

/** Hash of a template, which every update carries. */
export function templateSha256(template) {
  const weights = template.weights.map((spec) =>
    Object.fromEntries(NAMES.map((name) => [name, spec[name]]))
  );
  return sha256(canonicalJson({ weights }));
}

/** Whether two templates have weights of the same kinds, whatever they are called. */
export function fits(one, other) {
  const plain = (template) =>
    canonicalJson(template.weights.map(({ shape, dtype, role }) => [shape, dtype, role]));
  return plain(one) === plain(other);
}

/** Hash over the bytes of tensors, in template order. */
export function weightsSha256(tensors) {
  return sha256(...tensors.map(({ bytes }) => bytes));
}

/** Hash of the weights that a training file does not train. */
export function frozenSha256(tensors, held) {
  return weightsSha256(tensors.filter((_, at) => !held.includes(at)));
}
