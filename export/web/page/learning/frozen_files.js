/** The training files of a run, loaded: of its newest model, and of those that it accepted before. */

import { BUNDLE } from "./edge_store.js";
import { checkTraining } from "./proving.js";
import { frozenSha256 } from "./templates.js";
import { floats } from "./tensors.js";
import { readTrainingBundle } from "./training_bundle.js";
import { TrainingModel } from "./training_model.js";

const OLDER = 2; // of the local and the previously accepted model; each may be large

export class FrozenFiles {
  /** @param {object} store where earlier bundles are kept. */
  constructor(store) {
    this.store = store;
    this.loaded = new Map(); // by the hash of frozen weights, the newest last
    this.current = null;
  }

  /** Loads the file that came with a request; the same again is kept as it is. */
  async take(name, content) {
    const bundle = await readTrainingBundle(name, content);
    const frozen = bundle.info.frozen_sha256;
    if (this.loaded.get(frozen)?.sha256 !== bundle.sha256) {
      const model = await TrainingModel.load(bundle);
      await checkTraining(model, bundle.golden);
      this.loaded.get(frozen)?.close();
      this.loaded.delete(frozen);
      this.loaded.set(frozen, model);
    }
    this.current = this.loaded.get(frozen);
    this.#drop();
    return this.current;
  }

  /** The model that runs some weights; null: there is none any more. */
  async of(weights) {
    const frozen = await frozenSha256(weights, this.current.info.held);
    if (!this.loaded.has(frozen)) {
      const kept = await this.store.get(BUNDLE + frozen);
      if (!kept) return null;
      const bundle = await readTrainingBundle("A training file that was kept", kept.content);
      this.loaded.set(frozen, await TrainingModel.load(bundle));
      this.#drop();
    }
    return this.loaded.get(frozen);
  }

  /** What some weights say of examples; null: no file runs them. */
  async predictions(weights, examples) {
    const model = await this.of(weights);
    return model && model.predictions(heldOf(weights, model.info), examples);
  }

  close() {
    for (const model of this.loaded.values()) model.close();
    this.loaded.clear();
  }

  #drop() {
    for (const [frozen, model] of this.loaded) {
      if (this.loaded.size <= 1 + OLDER) break;
      if (model === this.current) continue;
      model.close();
      this.loaded.delete(frozen);
    }
  }
}

/** The weights that a file trains, in its order, as float32 arrays. */
export function heldOf(weights, { held }) {
  return held.map((at) => floats(weights[at]));
}
