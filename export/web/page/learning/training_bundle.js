/** The training bundle: a model that trains, and what a device must know of it. */

import { UserError } from "../errors.js";
import { readNpy } from "../npy.js";
import { sha256 } from "./hashing.js";
import { readZip } from "./zips.js";

const GOLDEN = ["golden_inputs.npy", "golden_labels.npy", "golden_outputs.npy"];
const VERSION = 2; // whose files have a fixed batch

/**
 * Reads a training bundle, every part of it compared with its hash.
 *
 * @param {string} name of the file, for an error.
 * @param {Uint8Array} content its bytes.
 * @returns {Promise<{info: object, model: Uint8Array, sha256: string, golden: object}>} what
 *     bundle.json says, the .tflite file and its hash, and the golden inputs, labels and outputs.
 */
export async function readTrainingBundle(name, content) {
  try {
    return await bundleIn(content);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${name} is damaged: ${error.message}. Load the page again.`);
  }
}

async function bundleIn(content) {
  const members = readZip(content);
  const info = JSON.parse(new TextDecoder().decode(members.get("bundle.json")));
  if (info.kind !== "training" || info.schema_version !== VERSION) {
    throw new UserError(
      "The training file is one that no browser can train: an earlier version made it. Start the " +
        "server with a new work directory."
    );
  }
  for (const part of ["model.tflite", ...GOLDEN]) {
    if ((await sha256(members.get(part))) !== info.parts[part].sha256) {
      throw new Error(`${part} is not what bundle.json lists`);
    }
  }
  const [inputs, labels, outputs] = GOLDEN.map((part) => readNpy(part, members.get(part)));
  return {
    info,
    model: members.get("model.tflite"),
    sha256: info.parts["model.tflite"].sha256,
    golden: { inputs, labels, outputs },
  };
}
