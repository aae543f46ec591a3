/** The model that an edge accepted last, for predictions: also without a network. */

import { ACCEPTED, BUNDLE } from "./edge_store.js";
import { heldOf } from "./frozen_files.js";
import { readTensors } from "./tensors.js";
import { readTrainingBundle } from "./training_bundle.js";
import { TrainingModel } from "./training_model.js";

/**
 * Loads it.
 *
 * @param {object} store what the browser keeps of the edge.
 * @returns {Promise<AcceptedModel|null>} null: nothing was accepted yet.
 */
export async function acceptedModel(store) {
  const accepted = await store.get(ACCEPTED);
  const kept = accepted && (await store.get(BUNDLE + accepted.frozen));
  if (!kept) return null;
  const bundle = await readTrainingBundle("The training file that was kept", kept.content);
  const { tensors } = readTensors("The accepted model that was kept", accepted.content);
  const weights = accepted.keys.map((key) => tensors.get(key)); // in the model's order
  const model = await TrainingModel.load(bundle);
  await model.set(model.fresh(heldOf(weights, bundle.info)));
  return new AcceptedModel(model, accepted);
}

class AcceptedModel {
  constructor(model, { round, rung, alpha }) {
    Object.assign(this, { model, round, rung, alpha, info: model.info });
  }

  /** Class probabilities of one example's raw values. */
  async probabilities(values) {
    const features = await this.model.features(Float32Array.from(values));
    return Array.from(await this.model.infer(features));
  }

  close() {
    this.model.close();
  }
}
