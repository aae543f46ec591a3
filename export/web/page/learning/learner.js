/** Training in a tab: the steps of `edge/device/learner.py`, in the same order. */

import { UserError } from "../errors.js";
import { canonicalJson } from "./canonical_json.js";
import { rowsAt, takeFrom } from "./examples.js";
import { sha256 } from "./hashing.js";
import { epochOrder } from "./seeds.js";
import { rateOf } from "./settings.js";
import { sizeOf } from "./tensors.js";

const CHECKPOINT = "run/learner"; // it goes with the run

/** Stops a training between two steps; nothing is lost but the epoch. */
export class Stopped extends Error {}

export class Learner {
  /**
   * @param {TrainingModel} model the loaded training file.
   * @param {object} settings how to train; see settings.js.
   * @param {number} seed the run's.
   * @param {object} store where the state after every epoch goes.
   * @param {(event: object) => void} listener told of epochs.
   */
  constructor(model, settings, { seed, store, listener }) {
    Object.assign(this, { model, settings, seed, store, listener });
  }

  /**
   * Trained weights, from those that the file holds; goes on where a closed tab stopped.
   *
   * @param {Float32Array[]} held where to start.
   * @param {AbortSignal} [signal] stops it between two steps.
   */
  async fit(held, examples, { round, who, signal }) {
    const key = await this.key(held, examples, round, who);
    const found = await this.store.get(CHECKPOINT);
    const isOurs = found?.key === key;
    await this.model.set(isOurs ? found.state : this.model.fresh(held));
    const features = await this.model.featuresOf(examples);
    const { epochs } = this.settings;
    for (let epoch = isOurs ? found.epochs : 0; epoch < epochs; epoch++) {
      const began = performance.now();
      const order = await epochOrder(examples.count, this.seed, round, who, epoch);
      const loss = await this.epoch(features, examples.labels, order, epoch, signal);
      if (!Number.isFinite(loss)) {
        throw new UserError(
          `The loss is no number in round ${round}, epoch ${epoch + 1}. Lower edge.learning_rate.`
        );
      }
      const state = await this.model.get();
      await this.store.put(CHECKPOINT, { key, epochs: epoch + 1, state });
      const seconds = (performance.now() - began) / 1000;
      this.listener({ kind: "epoch", round, epoch: epoch + 1, epochs, loss, seconds });
    }
    return (await this.model.get()).weights;
  }

  /** Mean loss over the epoch's examples. */
  async epoch(features, labels, order, epoch, signal) {
    const { batchSize } = this.settings;
    const [size, rate] = [sizeOf(this.model.info.feature_shape), rateOf(this.settings, epoch)];
    let total = 0;
    for (let at = 0; at < order.length; at += batchSize) {
      if (signal?.aborted) throw new Stopped("stopped");
      const batch = order.subarray(at, at + batchSize);
      const rows = rowsAt(features, size, batch);
      total += (await this.model.train(rows, takeFrom(labels, batch), rate)) * batch.length;
    }
    return total / order.length;
  }

  /** A hash of all that `fit` depends on: of the same key, the same bits. */
  async key(held, examples, round, who) {
    const { epochs, batchSize, learningRate, cosine } = this.settings;
    const hashes = [...held, examples.inputs, examples.labels].map((values) =>
      sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    );
    const facts = [this.seed, round, who, epochs, batchSize, learningRate, cosine];
    return sha256(canonicalJson([...facts, this.model.sha256, ...(await Promise.all(hashes))]));
  }
}
