/** What a server asks: a file of tensors that tells when it was damaged. */

import { UserError } from "../errors.js";
import { canonicalJson } from "./canonical_json.js";
import { sha256 } from "./hashing.js";
import { readTensors } from "./tensors.js";
import { weightsSha256 } from "./templates.js";

export const HELLO = "hello";
export const EXCHANGE = "exchange";
export const FINISH = "finish";

/**
 * Reads a request.
 *
 * @param {string} name of its file.
 * @param {Uint8Array} content its bytes.
 * @returns {Promise<object>} kind, runId, round, template, weights (tensors in template order, or
 *     null where the edge is to have a start of its own), trainedOn, config (fields by dotted
 *     names), trainingFile ({name, sha256} or null), probe, inputs, and whether the reply must be
 *     signed.
 */
export async function readRequest(name, content) {
  const { tensors, metadata, text } = readTensors(name, content);
  const { template } = metadata;
  const weights = metadata.own_start ? null : template.weights.map(({ key }) => tensors.get(key));
  const isSound =
    [HELLO, EXCHANGE, FINISH].includes(metadata.kind) &&
    (weights ?? []).every((tensor, at) => isOf(tensor, template.weights[at])) &&
    metadata.sha256 === (await seal(metadata, text, weights ?? []));
  if (!isSound) {
    throw new UserError(
      `${name} is damaged: it is not what the server wrote. Start the server again: it writes ` +
        "the request anew."
    );
  }
  return {
    kind: metadata.kind,
    runId: metadata.run_id,
    round: metadata.round,
    template,
    weights,
    trainedOn: metadata.trained_on,
    config: metadata.config,
    trainingFile: metadata.training_file ?? null,
    probe: metadata.probe ?? null,
    inputs: metadata.inputs ?? null,
    signed: metadata.signed ?? false,
  };
}

function isOf(tensor, { shape, dtype }) {
  return tensor?.dtype === dtype && String(tensor.shape) === String(shape);
}

/**
 * The hash over all that a request says, but for the hash itself.
 *
 * Python writes canonical JSON, in which numbers read as they were written; here 1.0 would become
 * 1. So the entry is cut out of the text, where it stands exactly once.
 */
async function seal(metadata, text, weights) {
  const parts = text.split(`,"sha256":${canonicalJson(metadata.sha256)},"template":`);
  if (parts.length !== 2) return null;
  return sha256(`["${await weightsSha256(weights)}",${parts.join(',"template":')}]`);
}
