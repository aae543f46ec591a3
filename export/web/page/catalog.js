/** The models that this page was exported with, and their bundles. */

import { UserError } from "./errors.js";
import { jsonFile, verifiedFile } from "./files.js";
import { readNpy } from "./npy.js";

/**
 * What web.json lists.
 *
 * @returns {Promise<{group: string, name: string, format: string, folder: string,
 *     manifest: {sha256: string, bytes: number}}[]>} one entry a bundle. Those of one group are
 *     one edge's; those of one group and one format stand side by side.
 */
export async function readCatalog() {
  const said = await jsonFile("web.json");
  if (said.schema_version !== 1 || !said.models?.length) {
    throw new UserError("web.json lists no model that this page can run. Export the page again.");
  }
  return said.models;
}

/**
 * A bundle, every part of it compared with its hash.
 *
 * @param {object} entry of the catalog.
 * @returns {Promise<{info: object, model: Uint8Array, inputs: object, outputs: object}>} what
 *     bundle.json says, the .tflite file, and the golden inputs and outputs.
 */
export async function readBundle(entry) {
  const manifest = await verifiedFile(`${entry.folder}/bundle.json`, entry.manifest);
  const info = JSON.parse(new TextDecoder().decode(manifest));
  const part = (name) => verifiedFile(`${entry.folder}/${name}`, info.parts[name]);
  const [model, inputs, outputs] = await Promise.all(
    ["model.tflite", "golden_inputs.npy", "golden_outputs.npy"].map(part)
  );
  return {
    info,
    model,
    inputs: readNpy("golden_inputs.npy", inputs),
    outputs: readNpy("golden_outputs.npy", outputs),
  };
}
