/**
 * What of a run's config a training file can follow; it is refused where it can't
 * (`edge/device/training_settings.py`).
 */

import { UserError } from "../errors.js";

const PLAIN = { momentum: 0, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7 }; // Keras' defaults

/**
 * How a tab trains in a run.
 *
 * @param {object} config the run's fields by dotted names.
 * @param {object} info what the training bundle says.
 */
export function settingsOf(config, info) {
  const { optimizer } = info;
  const able = {
    optimizer: optimizer.name,
    weight_decay: 0,
    augment: false,
    callbacks: "",
    patience: 0,
    class_weights: "none",
    dp_clip: 0,
  };
  for (const [name, wanted] of Object.entries(able)) {
    const asked = config[`edge.${name}`];
    if ((typeof asked === "string" ? asked.toLowerCase() : asked) !== wanted) {
      throw new UserError(
        `The run has edge.${name}=${asked}, a browser can do ${wanted || "none"} only. Change the ` +
          "run's config, or take part with `ecavg edge`."
      );
    }
  }
  if (Object.entries(PLAIN).some(([name, value]) => optimizer[name] !== value)) {
    throw new UserError("The training file has another optimizer than the run. Export it anew.");
  }
  const batchSize = config["edge.batch_size"];
  if (batchSize > info.batch) {
    throw new UserError(
      `The training file takes batches of at most ${info.batch}, the run has ${batchSize}.`
    );
  }
  return {
    epochs: config["edge.epochs"],
    batchSize,
    learningRate: config["edge.learning_rate"],
    cosine: config["edge.schedule"] === "cosine",
  };
}

/** The learning rate of an epoch, from 0. */
export function rateOf({ epochs, learningRate, cosine }, epoch) {
  if (!cosine) return learningRate;
  return learningRate * ((1 + Math.cos((Math.PI * epoch) / epochs)) / 2);
}

/** The level of one decision: `update.level`, divided over what it is the level of. */
export function levelOf(config) {
  const rounds = config.rounds;
  const shares = { decision: 1, edge: rounds, run: rounds * config["partition.num_edges"] };
  return config["update.level"] / shares[config["update.level_for"]];
}
